"""textDocument/hover"""

from __future__ import annotations

from tracelens.answers import hover as answers
from tracelens.answers import render
from tracelens_lsp import convert
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session


async def hover(session: Session, params: lsp.PositionParams) -> lsp.Hover | None:
    asked = session.ask(params.text_document.uri)
    at = convert.position_from(asked.document, params.position, session.client.encoding) if asked else None
    if asked is None or at is None:
        return None
    found = answers.hover(asked.document, asked.index, at, opened=session.opened(asked.index.root))
    if found is None:
        return None
    return lsp.Hover(
        contents=markup(session, found.answer),
        range=convert.range_(asked.document, found.span, session.client.encoding),
    )


def markup(
    session: Session, answer: answers.UnitAnswer | answers.ParameterAnswer | answers.NothingAnswer
) -> lsp.MarkupContent:
    """An answer as the client can show it."""
    bars = answer.bars if isinstance(answer, answers.ParameterAnswer) else None
    links = () if isinstance(answer, answers.ParameterAnswer) else answer.links
    if session.client.markdown:
        text = render.markdown(answer.blocks, bars, links, commands=session.client.command_links)
        return lsp.MarkupContent(lsp.MarkupKind.MARKDOWN, text)
    return lsp.MarkupContent(lsp.MarkupKind.PLAIN_TEXT, render.plain(answer.blocks, bars))
