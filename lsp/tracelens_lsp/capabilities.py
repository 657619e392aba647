"""What the client can do, asked once. Everything else looks here and never at the raw capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lsprotocol import types as lsp

from tracelens_lsp.convert import Encoding

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


def of(params: lsp.InitializeParams, encoding: Encoding) -> Client:
    """The client's abilities from its `initialize` request."""
    raw = params.capabilities
    text, workspace, window = raw.text_document, raw.workspace, raw.window
    hover = _at(text, "hover", "content_format") or []
    resolvable = _at(text, "code_action", "resolve_support", "properties") or []
    options = params.initialization_options
    pulls = _at(text, "diagnostic") is not None
    related = _at(text, "publish_diagnostics", "related_information")
    if pulls:
        related = related or _at(text, "diagnostic", "related_information")
    return Client(
        encoding=encoding,
        markdown=lsp.MarkupKind.Markdown in hover,
        command_links=isinstance(options, dict) and options.get("client") == OUR_VSCODE,
        paints=isinstance(options, dict) and (options.get("client") == OUR_VSCODE or options.get("paints") is True),
        pulls_diagnostics=pulls,
        related_information=bool(related),
        resolves_edits="edit" in resolvable,
        document_changes=bool(_at(workspace, "workspace_edit", "document_changes")),
        previews=_at(workspace, "workspace_edit", "change_annotation_support") is not None,
        progress=bool(_at(window, "work_done_progress")),
        shows_documents=bool(_at(window, "show_document", "support")),
        refreshes_lenses=bool(_at(workspace, "code_lens", "refresh_support")),
        refreshes_hints=bool(_at(workspace, "inlay_hint", "refresh_support")),
        refreshes_diagnostics=bool(_at(workspace, "diagnostics", "refresh_support")),
        has_configuration=bool(_at(workspace, "configuration")),
        watches_files=bool(_at(workspace, "did_change_watched_files", "dynamic_registration")),
        action_literals=_at(text, "code_action", "code_action_literal_support") is not None,
    )


def _at(value: Any, *path: str) -> Any:
    for name in path:
        if value is None:
            return None
        value = getattr(value, name, None)
    return value
