"""The part of the Language Server Protocol 3.18 that this server speaks: its records, its numbers and its names.

A library with every type of the protocol costs a quarter of a second of each start; these are the ones that are read or
written. Names are the protocol's, in Python's spelling; on the wire they are in camel case, and what is at its default
is left out. What comes from a client is checked against these types before a handler sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import Any, Literal

from msgspec import Struct, field

# -- numbers and names -----------------------------------------------------------------------------------------


class ErrorCode(IntEnum):
    """Of a response."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    SERVER_NOT_INITIALIZED = -32002
    REQUEST_CANCELLED = -32800


class MessageType(IntEnum):
    ERROR = 1
    WARNING = 2
    INFO = 3


class DiagnosticSeverity(IntEnum):
    WARNING = 2
    INFORMATION = 3
    HINT = 4


class DiagnosticTag(IntEnum):
    UNNECESSARY = 1


class SymbolKind(IntEnum):
    MODULE = 2
    CLASS = 5
    METHOD = 6
    FUNCTION = 12
    NULL = 21


class InlayHintKind(IntEnum):
    PARAMETER = 2


class CodeActionTriggerKind(IntEnum):
    AUTOMATIC = 2


class CodeActionTag(IntEnum):
    LLM_GENERATED = 1


class TextDocumentSyncKind(IntEnum):
    INCREMENTAL = 2


Encoding = Literal["utf-8", "utf-16", "utf-32"]
"""Of positions."""


class MarkupKind(StrEnum):
    PLAIN_TEXT = "plaintext"
    MARKDOWN = "markdown"


class CodeActionKind(StrEnum):
    EMPTY = ""
    QUICK_FIX = "quickfix"
    REFACTOR_REWRITE = "refactor.rewrite"


class Record(Struct, rename="camel", omit_defaults=True):
    """One of the protocol's."""


# -- places ----------------------------------------------------------------------------------------------------


class Position(Record):
    line: int
    character: int
    """In the units that were agreed on at the start."""


class Range(Record):
    start: Position
    end: Position


class Location(Record):
    uri: str
    range: Range


class TextDocumentIdentifier(Record):
    uri: str


class VersionedTextDocumentIdentifier(Record):
    uri: str
    version: int


class OptionalVersionedTextDocumentIdentifier(Record):
    uri: str
    version: int | None
    """None is written: the file as it is on disk."""


class TextDocumentItem(Record):
    uri: str
    version: int
    text: str


class WorkspaceFolder(Record):
    uri: str
    name: str = ""


# -- start and settings ----------------------------------------------------------------------------------------


class InitializeParams(Record):
    capabilities: dict[str, Any] = field(default_factory=dict)
    root_uri: str | None = None
    workspace_folders: list[WorkspaceFolder] | None = None
    initialization_options: Any = None


class DidChangeConfigurationParams(Record):
    settings: Any = None


class FileEvent(Record):
    uri: str


class DidChangeWatchedFilesParams(Record):
    changes: list[FileEvent]


class WorkspaceFoldersChangeEvent(Record):
    added: list[WorkspaceFolder]
    removed: list[WorkspaceFolder]


class DidChangeWorkspaceFoldersParams(Record):
    event: WorkspaceFoldersChangeEvent


class WorkDoneProgressCancelParams(Record):
    token: int | str


# -- documents -------------------------------------------------------------------------------------------------


class TextDocumentContentChangeEvent(Record):
    text: str
    range: Range | None = None
    """None: the text is the whole document's."""


class DidOpenTextDocumentParams(Record):
    text_document: TextDocumentItem


class DidChangeTextDocumentParams(Record):
    text_document: VersionedTextDocumentIdentifier
    content_changes: list[TextDocumentContentChangeEvent]


class DocumentParams(Record):
    """Of every method that names a document and nothing more."""

    text_document: TextDocumentIdentifier


class PositionParams(Record):
    """Of every method that names a place in a document."""

    text_document: TextDocumentIdentifier
    position: Position


# -- what is shown ---------------------------------------------------------------------------------------------


class MarkupContent(Record):
    kind: MarkupKind
    value: str


class Hover(Record):
    contents: MarkupContent
    range: Range


class Command(Record):
    title: str
    command: str
    arguments: list[Any] | None = None


class CodeLens(Record):
    range: Range
    command: Command | None = None
    data: Any = None


class InlayHintParams(Record):
    text_document: TextDocumentIdentifier
    range: Range


class InlayHint(Record):
    position: Position
    label: str
    kind: int | None = None
    tooltip: MarkupContent | str | None = None
    padding_left: bool | None = None
    data: Any = None


class DiagnosticRelatedInformation(Record):
    location: Location
    message: str


class CodeDescription(Record):
    href: str


class Diagnostic(Record):
    range: Range
    message: str
    severity: DiagnosticSeverity
    code: str
    source: str
    tags: list[DiagnosticTag] | None = None
    related_information: list[DiagnosticRelatedInformation] | None = None
    code_description: CodeDescription | None = None
    data: Any = None


class DocumentDiagnosticParams(Record):
    text_document: TextDocumentIdentifier
    previous_result_id: str | None = None


class FullDocumentDiagnosticReport(Record, tag_field="kind", tag="full"):
    items: list[Diagnostic]
    result_id: str


class UnchangedDocumentDiagnosticReport(Record, tag_field="kind", tag="unchanged"):
    result_id: str


# -- symbols and the call hierarchy ----------------------------------------------------------------------------


class WorkspaceSymbolParams(Record):
    query: str


class SymbolInformation(Record):
    name: str
    kind: SymbolKind
    location: Location
    container_name: str | None = None


class DocumentSymbol(Record):
    name: str
    kind: SymbolKind
    range: Range
    selection_range: Range
    detail: str | None = None
    children: list[DocumentSymbol] | None = None


class CallHierarchyItem(Record):
    name: str
    kind: int
    uri: str
    range: Range
    selection_range: Range
    detail: str | None = None
    data: Any = None


class CallHierarchyCallsParams(Record):
    item: CallHierarchyItem


class CallHierarchyIncomingCall(Record):
    from_: CallHierarchyItem = field(name="from")
    from_ranges: list[Range]


class CallHierarchyOutgoingCall(Record):
    to: CallHierarchyItem
    from_ranges: list[Range]


# -- what is done ----------------------------------------------------------------------------------------------


class CodeActionContext(Record):
    diagnostics: list[dict[str, Any]]
    """As the client keeps them, of every server: not all need to be understood."""
    only: list[str] | None = None
    trigger_kind: int | None = None


class CodeActionParams(Record):
    text_document: TextDocumentIdentifier
    range: Range
    context: CodeActionContext


class TextEdit(Record):
    range: Range
    new_text: str


class AnnotatedTextEdit(TextEdit):
    annotation_id: str


class ChangeAnnotation(Record):
    label: str
    needs_confirmation: bool = False
    description: str | None = None


class TextDocumentEdit(Record):
    text_document: OptionalVersionedTextDocumentIdentifier
    edits: Sequence[TextEdit]


class CreateFile(Record, tag_field="kind", tag="create"):
    uri: str


class WorkspaceEdit(Record):
    changes: dict[str, list[TextEdit]] | None = None
    document_changes: list[Any] | None = None
    """TextDocumentEdit or CreateFile; an action that a client sends back has them as plain JSON."""
    change_annotations: dict[str, ChangeAnnotation] | None = None


class CodeAction(Record):
    title: str
    kind: str | None = None
    diagnostics: list[dict[str, Any]] | None = None
    edit: WorkspaceEdit | None = None
    command: Command | None = None
    tags: list[CodeActionTag] | None = None
    data: Any = None


class ExecuteCommandParams(Record):
    command: str
    arguments: list[Any] | None = None
