"""textDocument/codeLens and codeLens/resolve"""

from __future__ import annotations

from tracelens.answers import lenses as answers
from tracelens_lsp import convert
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session


async def code_lens(session: Session, params: lsp.DocumentParams) -> list[lsp.CodeLens] | None:
    asked = session.ask(params.text_document.uri) if session.settings.code_lens else None
    if asked is None:
        return None
    return [
        lsp.CodeLens(
            range=convert.range_(asked.document, lens.span, session.client.encoding),
            command=lsp.Command(lens.title, lens.command, arguments=[lens.argument]),
        )
        for lens in answers.lenses(asked.document, asked.index, session.settings.most_lenses)
    ]


async def resolve(session: Session, lens: lsp.CodeLens) -> lsp.CodeLens:
    """Lenses are cheap and come complete: one without a title for a moment would flicker."""
    return lens
