"""Between the answers' terms and the protocol's: the only place, beside the requests, that makes protocol types.

Answers count columns in bytes of UTF-8; a client counts in units of UTF-8, UTF-16 or UTF-32.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tracelens.answers import words
from tracelens.answers.document import DocumentSnapshot, Position, Span
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.protocol.types import Encoding
from tracelens_lsp.uris import uri_of

if TYPE_CHECKING:
    from tracelens.answers.call_hierarchy import Call, Item, Open
    from tracelens.answers.diagnostics import Diagnostic
    from tracelens.answers.symbols import Listed, Symbol
    from tracelens_indexer.source.facts import UnitKind
    from tracelens_indexer.store.answers import UnitRecord
    from tracelens_lsp.capabilities import Client

_RULES = Path(__file__).parent / "rules"
"""What each rule means: text on this machine, so that a link needs no network."""
_SYMBOL_KINDS: dict[UnitKind, lsp.SymbolKind] = {
    "module": lsp.SymbolKind.MODULE,
    "class": lsp.SymbolKind.CLASS,
    "function": lsp.SymbolKind.FUNCTION,
    "method": lsp.SymbolKind.METHOD,
    "lambda": lsp.SymbolKind.FUNCTION,
    "comprehension": lsp.SymbolKind.FUNCTION,
}


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


def diagnostic(document: DocumentSnapshot, found: Diagnostic, root: Path, client: Client) -> lsp.Diagnostic:
    severities = {
        "warning": lsp.DiagnosticSeverity.WARNING,
        "information": lsp.DiagnosticSeverity.INFORMATION,
        "hint": lsp.DiagnosticSeverity.HINT,
    }
    frames = [
        lsp.DiagnosticRelatedInformation(
            location=lsp.Location(uri_of(root / frame.path), _line(frame.line)), message=frame.message
        )
        for frame in found.related
    ]
    return lsp.Diagnostic(
        range=range_(document, found.span, client.encoding),
        message=found.message,
        severity=severities[found.severity],
        code=found.rule,
        source="tracelens",
        tags=[lsp.DiagnosticTag.UNNECESSARY] if found.rule == "unreached" else None,
        related_information=frames or None if client.related_information else None,
        code_description=lsp.CodeDescription(uri_of(_RULES / f"{found.rule}.md")) if client.links_rules else None,
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


def listed(found: Listed, document: DocumentSnapshot, uri: str, encoding: Encoding) -> lsp.DocumentSymbol:
    """A function or class of a document, with those in it."""
    unit = found.unit
    last = unit.end_line - 1
    end = Position(last, len(document.line(last)))
    return lsp.DocumentSymbol(
        name=unit.name or "?",
        kind=_SYMBOL_KINDS[unit.kind],
        range=range_(document, Span(Position(unit.first_line - 1, 0), end), encoding),
        selection_range=range_(document, document.name_span(unit), encoding),
        detail=found.detail or None,
        children=[listed(child, document, uri, encoding) for child in found.inside] or None,
    )


def flat(found: Listed, document: DocumentSnapshot, uri: str, encoding: Encoding) -> list[lsp.SymbolInformation]:
    """The same for a client that knows no symbols inside of others: what was seen stands behind the name."""
    unit = found.unit
    name = f"{unit.name} ({found.detail})" if found.detail else unit.name
    scope = unit.scope.rpartition(".")[0].removesuffix(".<locals>")
    at = lsp.Location(uri, range_(document, document.name_span(unit), encoding))
    own = lsp.SymbolInformation(name=name, kind=_SYMBOL_KINDS[unit.kind], location=at, container_name=scope or None)
    return [own, *(one for child in found.inside for one in flat(child, document, uri, encoding))]


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


def open_item(found: Open, caller: UnitRecord, root: Path, ranges: list[lsp.Range]) -> lsp.CallHierarchyItem:
    """A call that is not resolved, as an item that leads to where it is written."""
    return lsp.CallHierarchyItem(
        name=words.clean(found.callee, words.LONGEST_NAME),
        kind=lsp.SymbolKind.NULL,
        uri=uri_of(root / caller.path),
        range=ranges[0],
        selection_range=ranges[0],
        detail=f"not resolved: {words.clean(found.reason, words.LONGEST_NAME)}",
        data={"root": str(root)},
    )


def call_ranges(call: Call | Open, caller: UnitRecord, lines: list[str], encoding: Encoding) -> list[lsp.Range]:
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
    edits: dict[str, list[lsp.TextEdit]],
    versions: dict[str, int | None],
    created: Sequence[str] = (),
    *,
    document_changes: bool,
) -> lsp.WorkspaceEdit:
    """`created`: files that are made first; only for a client that can, which has document changes."""
    if not document_changes:
        return lsp.WorkspaceEdit(changes=edits)
    return lsp.WorkspaceEdit(
        document_changes=[
            *(lsp.CreateFile(uri=uri) for uri in created),
            *(
                lsp.TextDocumentEdit(
                    text_document=lsp.OptionalVersionedTextDocumentIdentifier(uri=uri, version=versions.get(uri)),
                    edits=cast(Any, of_file),
                )
                for uri, of_file in edits.items()
            ),
        ]
    )


def annotated(edit: lsp.WorkspaceEdit, label: str, description: str, *, confirm: bool) -> lsp.WorkspaceEdit:
    """The same edit with what speaks for it, which the client shows in its preview; `confirm`: always shows first."""
    annotation = lsp.ChangeAnnotation(label=label, needs_confirmation=confirm, description=description)
    changes = [
        lsp.TextDocumentEdit(
            text_document=change.text_document,
            edits=[lsp.AnnotatedTextEdit(one.range, one.new_text, "made") for one in cast(Any, change.edits)],
        )
        for change in edit.document_changes or ()
        if isinstance(change, lsp.TextDocumentEdit)
    ]
    made = [change for change in edit.document_changes or () if isinstance(change, lsp.CreateFile)]
    return lsp.WorkspaceEdit(document_changes=[*made, *changes], change_annotations={"made": annotation})


def _line(number: int) -> lsp.Range:
    return lsp.Range(lsp.Position(number, 0), lsp.Position(number, 0))
