"""textDocument/documentSymbol"""

from __future__ import annotations

from tracelens.answers import symbols as answers
from tracelens_lsp import convert
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session


async def document_symbol(
    session: Session, params: lsp.DocumentParams
) -> list[lsp.DocumentSymbol] | list[lsp.SymbolInformation] | None:
    uri, encoding = params.text_document.uri, session.client.encoding
    asked = session.ask(uri)
    found = answers.listed(asked.document, asked.index, session.settings.document_symbols) if asked else []
    if asked is None or not found:
        return None
    if session.client.nested_symbols:
        return [convert.listed(one, asked.document, uri, encoding) for one in found]
    return [symbol for one in found for symbol in convert.flat(one, asked.document, uri, encoding)]
