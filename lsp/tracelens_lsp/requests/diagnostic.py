"""textDocument/diagnostic where the client pulls, textDocument/publishDiagnostics where it does not"""

from __future__ import annotations

from lsprotocol import types as lsp

from tracelens.answers import diagnostics as answers
from tracelens_lsp import convert
from tracelens_lsp.session import Session


async def diagnostic(session: Session, params: lsp.DocumentDiagnosticParams) -> lsp.DocumentDiagnosticReport:
    found = _found(session, params.text_document.uri)
    # Equal diagnostics have an equal id: nothing is drawn anew while text below them is typed.
    identity = f"{hash(tuple(repr(item) for item in found)):x}"
    if params.previous_result_id == identity:
        return lsp.RelatedUnchangedDocumentDiagnosticReport(result_id=identity)
    return lsp.RelatedFullDocumentDiagnosticReport(items=found, result_id=identity)


def push(session: Session, uri: str) -> None:
    """Publish what is known of an open document."""
    opened = session.documents.get(uri)
    if opened is None:
        return
    session.server.text_document_publish_diagnostics(
        lsp.PublishDiagnosticsParams(uri=uri, diagnostics=_found(session, uri), version=opened.snapshot.version)
    )


def _found(session: Session, uri: str) -> list[lsp.Diagnostic]:
    asked = session.ask(uri) if session.settings.diagnostics else None
    if asked is None:
        return []
    workspace = session.workspace(uri)
    ignore = workspace.ignore() if workspace else ()
    related = session.client.related_information
    return [
        convert.diagnostic(asked.document, found, asked.index.root, session.client.encoding, related=related)
        for found in answers.diagnostics(asked.document, asked.index, ignore, unreached=session.settings.unreached)
    ]
