"""A proposed fix as an edit of the client's documents: worked out by `tracelens fix` in a worker."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp

from tracelens.answers import words
from tracelens.answers.document import DocumentSnapshot, Span, changed_bytes
from tracelens_lsp import convert, worker
from tracelens_lsp.progress import showing
from tracelens_lsp.session import Session

_log = logging.getLogger(__name__)

_BOM = b"\xef\xbb\xbf"
_HARMFUL = ("same", "regressed")


async def proposed(session: Session, uri: str, failure: str) -> lsp.WorkspaceEdit | None:
    """The best fix that was found, as an edit; None, and the person is told why, when there is none to offer."""
    workspace = session.workspace(uri)
    if workspace is None:
        return None
    async with showing(session, "Looking for a fix") as progress:
        for last in (False, True):
            await session.settled(workspace.root)
            told = await _looked(session, workspace.root, failure, progress)
            # An editor that saves by itself may do so while the fix is being tried: then once more.
            if isinstance(told, lsp.WorkspaceEdit) or last or not told.elsewhere:
                break
    if isinstance(told, lsp.WorkspaceEdit):
        return told
    _say(session, told.text, warning=told.warning)
    return None


@dataclass(frozen=True, slots=True)
class _NoFix:
    text: str
    warning: bool = True
    elsewhere: bool = False
    """There is a fix, for another text than the one in the editor."""


async def _looked(session: Session, root: Path, failure: str, progress: worker.Progress) -> lsp.WorkspaceEdit | _NoFix:
    arguments = ["fix", failure, "--json", "--no-apply", "--root", str(root), "--progress", "json"]
    finished = await worker.run(root, arguments, progress, session.settings.project_python)
    try:
        told = json.loads(finished.output)
        fixes = list(told["fixes"])
    except (ValueError, KeyError, TypeError):
        return _NoFix(f"no fix: {finished.said or f'the fix command ended with {finished.code}'}")
    best = _best(fixes)
    if best is None:
        notes = "; ".join(words.clean(str(note), words.LONGEST_MESSAGE) for note in told.get("notes", ())[:3])
        return _NoFix(f"no fix was found{f': {notes}' if notes else ''}", warning=False)
    edit = _edit(session, root, best)
    if isinstance(edit, str):
        return _NoFix(edit, elsewhere=True)
    _say(session, f"{words.clean(str(best.get('title', 'fix')), 200)} — {_verdict(best, told)}")
    return edit


def _verdict(fix: dict[str, Any], told: dict[str, Any]) -> str:
    """ "re-ran: no longer raises · failing 3/3 fixed · passing 12/12 same · sandbox: namespaces"."""
    verdict = fix.get("verdict", {})
    parts = [words.clean(str(verdict.get("words", "not verified")), 400)]
    for name, word in (("failing", "fixed"), ("passing", "same")):
        match verdict.get(name):
            case [int(good), int(all_)] if all_:
                parts.append(f"{name} {good}/{all_} {word}")
    if told.get("sandbox"):
        parts.append(f"sandbox: {words.clean(str(told['sandbox']), 100)}")
    return " · ".join(parts)


def _best(fixes: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The first that was proved, else the first that was not proved wrong."""
    usable = [fix for fix in fixes if fix.get("edits") and fix.get("verdict", {}).get("kind") not in _HARMFUL]
    proved = [fix for fix in usable if fix.get("verdict", {}).get("kind") == "fixed"]
    return next(iter([*proved, *usable]), None)


def _edit(session: Session, root: Any, fix: dict[str, Any]) -> lsp.WorkspaceEdit | str:
    """The fix as an edit, or why it cannot be applied to what is in the editor now."""
    edits: dict[str, list[lsp.TextEdit]] = {}
    versions: dict[str, int | None] = {}
    hashes = fix.get("base_hash", "")
    for change in fix["edits"]:
        path = str(change["path"])
        file = (root / path).resolve()
        if not file.is_relative_to(root.resolve()):
            return f"the fix names {words.clean(path)}, which is outside the workspace"
        uri, document = _opened(session, convert.uri_of(file))
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
            return (
                f"{words.clean(path)} is not what the fix was made for. Save it, run `tracelens index`, and try again"
            )
        span = Span(document.position(place[0]), document.position(place[1]))
        range_ = convert.range_(document, span, session.client.encoding)
        edits.setdefault(uri, []).append(lsp.TextEdit(range_, str(change["new_text"])))
        versions[uri] = session.documents[uri].snapshot.version if uri in session.documents else None
    return convert.workspace_edit(edits, versions, document_changes=session.client.document_changes)


def _opened(session: Session, uri: str) -> tuple[str, DocumentSnapshot | None]:
    """The document of a file under the URI that the client uses for it, which may be spelled otherwise."""
    path = convert.path_of(uri)
    for known, opened in session.documents.items():
        if known == uri or ((at := convert.path_of(known)) and at.resolve() == path):
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


def _say(session: Session, text: str, *, warning: bool = False) -> None:
    session.views.say(f"TraceLens: {text}", lsp.MessageType.Warning if warning else lsp.MessageType.Info)
