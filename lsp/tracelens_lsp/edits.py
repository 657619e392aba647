"""What a command of `tracelens` proposes to write, as an edit of the client's documents as they are now."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

from tracelens.answers import words
from tracelens.answers.document import DocumentSnapshot, Span, changed_bytes
from tracelens_lsp import convert, uris
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session

_BOM = b"\xef\xbb\xbf"


def as_edit(session: Session, root: Path, made: dict[str, Any]) -> lsp.WorkspaceEdit | str:
    """The edits of a command's JSON (cli/edits.py), or why they do not fit what is in the editor now."""
    edits: dict[str, list[lsp.TextEdit]] = {}
    versions: dict[str, int | None] = {}
    created: list[str] = []
    hashes = made.get("base_hash", "")
    for change in made["edits"]:
        path = str(change["path"])
        file = (root / path).resolve()
        if not file.is_relative_to(root.resolve()):
            return f"it names {words.clean(path)}, which is outside the workspace"
        if change.get("create"):
            if file.exists():
                return f"{words.clean(path)} is there already"
            uri = uris.uri_of(file)
            created.append(uri)
            start = lsp.Position(0, 0)
            edits[uri] = [lsp.TextEdit(lsp.Range(start, start), str(change["new_text"]))]
            continue
        uri, document = _opened(session, uris.uri_of(file))
        if document is None:
            return f"{words.clean(path)} cannot be read"
        place = _place(
            document.text,
            file,
            hashes[path] if isinstance(hashes, dict) else str(hashes),
            int(change["start_byte"]),
            int(change["end_byte"]),
        )
        if place is None:
            return f"{words.clean(path)} is not what it was made for. Save it, run `tracelens index`, and try again"
        span = Span(document.position(place[0]), document.position(place[1]))
        range_ = convert.range_(document, span, session.client.encoding)
        edits.setdefault(uri, []).append(lsp.TextEdit(range_, str(change["new_text"])))
        versions[uri] = session.documents[uri].snapshot.version if uri in session.documents else None
    if created and not session.client.creates_files:
        return f"this editor cannot make {words.clean(str(made['edits'][0]['path']))}. In a terminal: {made['instead']}"
    return convert.workspace_edit(edits, versions, created, document_changes=session.client.document_changes)


def _opened(session: Session, uri: str) -> tuple[str, DocumentSnapshot | None]:
    """The document of a file under the URI that the client uses for it, which may be spelled otherwise."""
    path = uris.path_of(uri)
    for known, opened in session.documents.items():
        if known == uri or ((at := uris.path_of(known)) and at.resolve() == path):
            return known, opened.snapshot
    return uri, session.document(uri)


def _place(text: bytes, file: Path, base_hash: str, start: int, end: int) -> tuple[int, int] | None:
    """Where a change of the file that was fixed belongs in the editor's text; None when that place was edited.

    The fix was made for what is saved. What was typed since, above or below, only moves it.
    """
    shift = _shift(text, base_hash)
    if shift is not None:
        return start - shift, end - shift
    try:
        saved = file.read_bytes()
    except OSError:
        return None
    shift = _shift(saved, base_hash)
    if shift is None:
        return None
    if saved.startswith(_BOM):
        saved, start, end = saved[len(_BOM) :], start - len(_BOM), end - len(_BOM)
    typed = changed_bytes(saved, text)
    if end < typed.start:
        by = 0
    elif start > typed.old_end:
        by = typed.new_end - typed.old_end
    else:
        return None
    # The function it was tried in must be as it was, wherever in it something was typed.
    same = _body_at(saved, start) == _body_at(text, start + by)
    return (start + by, end + by) if same else None


def _body_at(text: bytes, offset: int) -> str:
    """The body hash of the function at a place, that of the module where there is none."""
    document = DocumentSnapshot("", text)
    around = [u for u in document.units if u.kind in ("function", "method") and u.start_byte <= offset <= u.end_byte]
    return (around[-1] if around else document.units[0]).body_hash


def _shift(text: bytes, base_hash: str) -> int | None:
    """Bytes that the file has before the document's text (a byte order mark); None when they differ otherwise."""
    for prefix in (b"", _BOM):
        if blake2b(prefix + text, digest_size=16).hexdigest() == base_hash:
            return len(prefix)
    return None
