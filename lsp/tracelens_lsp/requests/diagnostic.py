"""textDocument/diagnostic where the client pulls, textDocument/publishDiagnostics where it does not"""

from __future__ import annotations

from tracelens.answers import diagnostics as answers
from tracelens_lsp import convert
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session


async def diagnostic(
    session: Session, params: lsp.DocumentDiagnosticParams
) -> lsp.FullDocumentDiagnosticReport | lsp.UnchangedDocumentDiagnosticReport:
    found = _found(session, params.text_document.uri)
    # Equal diagnostics have an equal id: nothing is drawn anew while text below them is typed.
    identity = f"{hash(tuple(repr(item) for item in found)):x}"
    if params.previous_result_id == identity:
        return lsp.UnchangedDocumentDiagnosticReport(result_id=identity)
    return lsp.FullDocumentDiagnosticReport(items=found, result_id=identity)


def push(session: Session, uri: str) -> None:
    """Publish what is known of an open document."""
    opened = session.documents.get(uri)
    if opened is None:
        return
    found = {"uri": uri, "diagnostics": _found(session, uri), "version": opened.snapshot.version}
    session.connection.tell("textDocument/publishDiagnostics", found)


def _found(session: Session, uri: str) -> list[lsp.Diagnostic]:
    asked = session.ask(uri) if session.settings.diagnostics else None
    if asked is None:
        return []
    workspace = session.workspace(uri)
    ignore = workspace.configured().ignore if workspace else ()
    return [
        convert.diagnostic(asked.document, found, asked.index.root, session.client)
        for found in answers.diagnostics(asked.document, asked.index, ignore, unreached=session.settings.unreached)
    ]
