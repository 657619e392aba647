"""textDocument/didOpen, didChange, didSave and didClose"""

from __future__ import annotations

from tracelens_lsp.documents import OpenDocument
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session

# These are not async: a request that follows a change must see it.


def did_open(session: Session, params: lsp.DidOpenTextDocumentParams) -> None:
    opened = params.text_document
    at = session.path_in_workspace(opened.uri)
    if at is not None:
        session.documents[opened.uri] = OpenDocument(opened.uri, *at, opened.text, opened.version)
        session.typed(opened.uri)


def did_change(session: Session, params: lsp.DidChangeTextDocumentParams) -> None:
    document = session.documents.get(params.text_document.uri)
    if document is not None:
        document.change(params.content_changes, params.text_document.version, session.client.encoding)
        session.typed(document.uri)


def did_save(session: Session, params: lsp.DocumentParams) -> None:
    workspace = session.workspace(params.text_document.uri)
    if workspace is not None:
        session.saved(workspace)
    session.look_at_indexes()


def did_close(session: Session, params: lsp.DocumentParams) -> None:
    uri = params.text_document.uri
    if session.documents.pop(uri, None) is not None and not session.client.pulls_diagnostics:
        session.connection.tell("textDocument/publishDiagnostics", {"uri": uri, "diagnostics": []})
