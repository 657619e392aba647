"""What the client can do, asked once. Everything else looks here and never at the raw capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.protocol.types import Encoding

OUR_VSCODE = "tracelens-vscode"


@dataclass(frozen=True, slots=True)
class Client:
    encoding: Encoding = "utf-16"
    markdown: bool = False
    command_links: bool = False
    """Only our own VS Code extension restricts which commands a link may run."""
    paints: bool = False
    """Asks for what the protocol does not know, and is told when to ask again."""
    pulls_diagnostics: bool = False
    related_information: bool = False
    links_rules: bool = False
    """Shows a link to what a rule of a diagnostic means."""
    resolves_edits: bool = False
    document_changes: bool = False
    previews: bool = False
    """Shows an edit that needs a confirmation as a diff first."""
    progress: bool = False
    shows_documents: bool = False
    refreshes_lenses: bool = False
    refreshes_hints: bool = False
    refreshes_diagnostics: bool = False
    has_configuration: bool = False
    watches_files: bool = False
    action_literals: bool = False
    nested_symbols: bool = False
    creates_files: bool = False
    """By an edit."""
    tags_actions: bool = False
    """Tells apart what a language model made."""


def of(params: lsp.InitializeParams) -> Client:
    """The client's abilities from its `initialize` request."""
    raw = params.capabilities
    text, workspace, window = _at(raw, "textDocument"), _at(raw, "workspace"), _at(raw, "window")
    hover = _at(text, "hover", "contentFormat") or []
    resolvable = _at(text, "codeAction", "resolveSupport", "properties") or []
    options = params.initialization_options
    pulls = _at(text, "diagnostic") is not None
    related = _at(text, "publishDiagnostics", "relatedInformation")
    if pulls:
        related = related or _at(text, "diagnostic", "relatedInformation")
    described = [_at(text, name, "codeDescriptionSupport") for name in ("diagnostic", "publishDiagnostics")]
    return Client(
        encoding=_encoding(_at(raw, "general", "positionEncodings")),
        markdown="markdown" in hover,
        command_links=isinstance(options, dict) and options.get("client") == OUR_VSCODE,
        paints=isinstance(options, dict) and (options.get("client") == OUR_VSCODE or options.get("paints") is True),
        pulls_diagnostics=pulls,
        related_information=bool(related),
        links_rules=any(described),
        resolves_edits="edit" in resolvable,
        document_changes=bool(_at(workspace, "workspaceEdit", "documentChanges")),
        previews=_at(workspace, "workspaceEdit", "changeAnnotationSupport") is not None,
        progress=bool(_at(window, "workDoneProgress")),
        shows_documents=bool(_at(window, "showDocument", "support")),
        refreshes_lenses=bool(_at(workspace, "codeLens", "refreshSupport")),
        refreshes_hints=bool(_at(workspace, "inlayHint", "refreshSupport")),
        refreshes_diagnostics=bool(_at(workspace, "diagnostics", "refreshSupport")),
        has_configuration=bool(_at(workspace, "configuration")),
        watches_files=bool(_at(workspace, "didChangeWatchedFiles", "dynamicRegistration")),
        creates_files=bool(_at(workspace, "workspaceEdit", "documentChanges"))
        and "create" in (_at(workspace, "workspaceEdit", "resourceOperations") or ()),
        tags_actions=lsp.CodeActionTag.LLM_GENERATED in (_at(text, "codeAction", "tagSupport", "valueSet") or ()),
        nested_symbols=bool(_at(text, "documentSymbol", "hierarchicalDocumentSymbolSupport")),
        action_literals=_at(text, "codeAction", "codeActionLiteralSupport") is not None,
    )


def _at(value: Any, *path: str) -> Any:
    for name in path:
        if value is None:
            return None
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _encoding(offered: Any) -> Encoding:
    """The first that the client offers of those that we know; every client knows UTF-16."""
    known = [one for one in offered or () if one in ("utf-8", "utf-16", "utf-32")]
    return cast(Encoding, known[0]) if known else "utf-16"


def offered(client: Client, commands: list[str]) -> dict[str, Any]:
    """What the server can do, as `initialize` answers it."""
    found: dict[str, Any] = {
        "positionEncoding": client.encoding,
        "textDocumentSync": {"openClose": True, "change": lsp.TextDocumentSyncKind.INCREMENTAL, "save": True},
        "hoverProvider": True,
        "codeLensProvider": {"resolveProvider": True},
        "inlayHintProvider": {"resolveProvider": True},
        "codeActionProvider": {
            "codeActionKinds": [lsp.CodeActionKind.QUICK_FIX, lsp.CodeActionKind.REFACTOR_REWRITE],
            "resolveProvider": True,
        },
        "documentSymbolProvider": {"label": "TraceLens"},
        "workspaceSymbolProvider": True,
        "callHierarchyProvider": True,
        "executeCommandProvider": {"commands": commands},
        "workspace": {"workspaceFolders": {"supported": True, "changeNotifications": True}},
    }
    # A client that pulls would show what is pushed to it a second time, so it is offered one of the two.
    if client.pulls_diagnostics:
        found["diagnosticProvider"] = {"interFileDependencies": False, "workspaceDiagnostics": False}
    return found
