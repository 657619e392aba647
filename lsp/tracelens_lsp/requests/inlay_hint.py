"""textDocument/inlayHint and inlayHint/resolve"""

from __future__ import annotations

from tracelens.answers import hints as answers
from tracelens_lsp import convert
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.requests.hover import markup
from tracelens_lsp.session import Session


async def inlay_hint(session: Session, params: lsp.InlayHintParams) -> list[lsp.InlayHint] | None:
    uri = params.text_document.uri
    asked = session.ask(uri)
    if asked is None:
        return None
    shown = params.range
    settings = session.settings
    found = answers.hints(
        asked.document,
        asked.index,
        settings.inlay_hints,
        shown.start.line,
        shown.end.line,
        parameters=settings.parameter_hints,
    )
    return [
        lsp.InlayHint(
            position=convert.position(asked.document, hint.position, session.client.encoding),
            label=hint.label,
            kind=lsp.InlayHintKind.PARAMETER if hint.parameter else None,
            padding_left=True,
            data={"uri": uri, "unit": f"{hint.unit_id:x}", "parameter": hint.parameter},
        )
        for hint in found
    ]


async def resolve(session: Session, hint: lsp.InlayHint) -> lsp.InlayHint:
    data = hint.data if isinstance(hint.data, dict) else {}
    asked = session.ask(str(data.get("uri", "")))
    unit_id, parameter = int(str(data.get("unit", "0")), 16), str(data.get("parameter", ""))
    answer = asked and answers.tooltip(asked.document, asked.index, unit_id, parameter)
    if answer:
        hint.tooltip = markup(session, answer)
    return hint
