"""Between the answers' terms and the protocol's: the only place, beside the requests, that makes protocol types.

Answers count columns in bytes of UTF-8; a client counts in units of UTF-8, UTF-16 or UTF-32.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, cast
from urllib.parse import quote, unquote, urlsplit

from lsprotocol import types as lsp

from tracelens.answers.call_hierarchy import Call, Item
from tracelens.answers.diagnostics import Diagnostic
from tracelens.answers.document import DocumentSnapshot, Position, Span
from tracelens.answers.symbols import Symbol
from tracelens_indexer.source.facts import UnitKind
from tracelens_indexer.store.answers import UnitRecord

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_SYMBOL_KINDS: dict[UnitKind, lsp.SymbolKind] = {
    "module": lsp.SymbolKind.Module,
    "class": lsp.SymbolKind.Class,
    "function": lsp.SymbolKind.Function,
    "method": lsp.SymbolKind.Method,
    "lambda": lsp.SymbolKind.Function,
    "comprehension": lsp.SymbolKind.Function,
}


# -- files -----------------------------------------------------------------------------------------------------


def path_of(uri: str) -> Path | None:
    """The file that a URI names; None for other schemes (untitled:, git:, …) and for nonsense."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        return None
    path = unquote(parts.path, errors="surrogateescape")
    if os.name == "nt" and len(path) > 2 and path[0] == "/" and path[2] == ":":
        path = path[1:]
    return Path(path) if path and "\0" not in path else None


def uri_of(path: Path) -> str:
    text = path.as_posix()
    return "file://" + quote(os.fsencode(text if text.startswith("/") else f"/{text}"), safe="/:")


def encoding_named(name: object) -> Encoding:
    """The negotiated encoding as the library gives it."""
    text = str(getattr(name, "value", name))
    return cast(Encoding, text) if text in ("utf-8", "utf-16", "utf-32") else "utf-16"


# -- positions -------------------------------------------------------------------------------------------------


def units(text: bytes, encoding: Encoding) -> int:
    """Length of a piece of a line in the client's units."""
    if encoding == "utf-8" or text.isascii():
        return len(text)
    decoded = text.decode("utf-8", "replace")
    return len(decoded) if encoding == "utf-32" else len(decoded.encode("utf-16-le", "surrogatepass")) // 2


def column(text: bytes, character: int, encoding: Encoding) -> int:
    """Byte column in a line of the client's character, which may lie beyond its end."""
    if encoding == "utf-8" or text.isascii():
        return min(character, len(text))
    seen = 0
    at = 0
    for char in text.decode("utf-8", "replace"):
        if seen >= character:
            break
        seen += 2 if encoding == "utf-16" and ord(char) > 0xFFFF else 1
        at += len(char.encode())
    return min(at, len(text))


def position_from(document: DocumentSnapshot, position: lsp.Position, encoding: Encoding) -> Position | None:
    """None for a position on a line that the document does not have."""
    if position.line < 0 or position.character < 0 or position.line >= len(document.line_starts):
        return None
    return Position(position.line, column(document.line(position.line), position.character, encoding))


def span_from(document: DocumentSnapshot, given: lsp.Range, encoding: Encoding) -> Span | None:
    start = position_from(document, given.start, encoding)
    # A client may say "to the end" with a line that is not there.
    last = len(document.line_starts) - 1
    end = position_from(document, given.end, encoding) or Position(last, len(document.line(last)))
    return Span(start, end) if start else None


def position(document: DocumentSnapshot, at: Position, encoding: Encoding) -> lsp.Position:
    return lsp.Position(at.line, units(document.line(at.line)[: at.column], encoding))


def range_(document: DocumentSnapshot, span: Span, encoding: Encoding) -> lsp.Range:
    return lsp.Range(position(document, span.start, encoding), position(document, span.end, encoding))


# -- answers ---------------------------------------------------------------------------------------------------


def diagnostic(
    document: DocumentSnapshot, found: Diagnostic, root: Path, encoding: Encoding, *, related: bool
) -> lsp.Diagnostic:
    severities = {
        "warning": lsp.DiagnosticSeverity.Warning,
        "information": lsp.DiagnosticSeverity.Information,
        "hint": lsp.DiagnosticSeverity.Hint,
    }
    frames = [
        lsp.DiagnosticRelatedInformation(
            location=lsp.Location(uri_of(root / frame.path), _line(frame.line)), message=frame.message
        )
        for frame in found.related
    ]
    return lsp.Diagnostic(
        range=range_(document, found.span, encoding),
        message=found.message,
        severity=severities[found.severity],
        code=found.rule,
        source="tracelens",
        tags=[lsp.DiagnosticTag.Unnecessary] if found.rule == "unreached" else None,
        related_information=frames or None if related else None,
        data={"failure": found.about} if found.rule == "failure" else {"rule": found.rule, "unit": found.about},
    )


def symbol(found: Symbol, root: Path, encoding: Encoding) -> lsp.SymbolInformation:
    # What stands before a name in its definition is ASCII: indentation, `async def`, `class`.
    start = lsp.Position(found.line, found.column)
    length = units(found.name.encode(), encoding) if found.name.isidentifier() else 0
    end = lsp.Position(found.line, found.column + length)
    return lsp.SymbolInformation(
        name=found.name,
        kind=_SYMBOL_KINDS[found.kind],
        location=lsp.Location(uri_of(root / found.path), lsp.Range(start, end)),
        container_name=found.container or None,
    )


def hierarchy_item(item: Item, root: Path, encoding: Encoding) -> lsp.CallHierarchyItem:
    unit = item.unit
    start = lsp.Position(max(unit.name_line - 1, 0), unit.name_column if unit.kind != "module" else 0)
    length = units(unit.name.encode(), encoding) if unit.name.isidentifier() else 0
    return lsp.CallHierarchyItem(
        name=unit.name if unit.kind != "module" else unit.module,
        kind=_SYMBOL_KINDS[unit.kind],
        uri=uri_of(root / unit.path),
        range=lsp.Range(lsp.Position(max(unit.first_line - 1, 0), 0), lsp.Position(max(unit.end_line, 1), 0)),
        selection_range=lsp.Range(start, lsp.Position(start.line, start.character + length)),
        detail=item.detail,
        data={"unit": f"{unit.id:x}", "root": str(root)},
    )


def call_ranges(call: Call, caller: UnitRecord, lines: list[str], encoding: Encoding) -> list[lsp.Range]:
    """The places of calls in the caller's file, of which `lines` are the lines on disk."""
    ranges = []
    for number, byte_column in call.places:
        text = lines[number].encode() if 0 <= number < len(lines) else b""
        character = (
            units(text[:byte_column], encoding)
            if byte_column
            else units(text, encoding) - units(text.lstrip(), encoding)
        )
        at = lsp.Position(max(number, 0), character)
        ranges.append(lsp.Range(at, at))
    if not ranges:
        ranges.append(_line(max(caller.def_line - 1, 0)))
    return ranges


def workspace_edit(
    edits: dict[str, list[lsp.TextEdit]], versions: dict[str, int | None], *, document_changes: bool
) -> lsp.WorkspaceEdit:
    if not document_changes:
        return lsp.WorkspaceEdit(changes=edits)
    return lsp.WorkspaceEdit(
        document_changes=[
            lsp.TextDocumentEdit(
                text_document=lsp.OptionalVersionedTextDocumentIdentifier(uri=uri, version=versions.get(uri)),
                edits=cast(Any, of_file),
            )
            for uri, of_file in edits.items()
        ]
    )


def to_confirm(edit: lsp.WorkspaceEdit, label: str, description: str) -> lsp.WorkspaceEdit:
    """The same edit, which the client shows as a diff and applies when it is confirmed."""
    annotation = lsp.ChangeAnnotation(label=label, needs_confirmation=True, description=description)
    changes = [
        lsp.TextDocumentEdit(
            text_document=change.text_document,
            edits=[lsp.AnnotatedTextEdit("fix", one.range, one.new_text) for one in cast(Any, change.edits)],
        )
        for change in edit.document_changes or ()
        if isinstance(change, lsp.TextDocumentEdit)
    ]
    return lsp.WorkspaceEdit(document_changes=changes, change_annotations={"fix": annotation})


def _line(number: int) -> lsp.Range:
    return lsp.Range(lsp.Position(number, 0), lsp.Position(number, 0))
