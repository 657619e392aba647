"""workspace/symbol"""

from __future__ import annotations

from tracelens.answers import symbols as answers
from tracelens_lsp import convert
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session


async def workspace_symbol(session: Session, params: lsp.WorkspaceSymbolParams) -> list[lsp.SymbolInformation] | None:
    found: list[lsp.SymbolInformation] = []
    for workspace in session.workspaces.known():
        if workspace.snapshot() is None:
            continue
        searched = await session.searcher(workspace.root).search(params.query, answers.MOST)
        # The index may be another by now.
        index = workspace.snapshot()
        if index is not None:
            found += [
                convert.symbol(symbol, workspace.root, session.client.encoding)
                for symbol in answers.symbols(index, params.query, searched, session.opened(workspace.root))
            ]
    return found
