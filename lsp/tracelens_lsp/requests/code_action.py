"""textDocument/codeAction and codeAction/resolve"""

from __future__ import annotations

from lsprotocol import types as lsp

from tracelens.answers import actions as answers
from tracelens_lsp import convert
from tracelens_lsp.fixing import proposed
from tracelens_lsp.session import Session

_KINDS = {"fix": lsp.CodeActionKind.QuickFix, "show": lsp.CodeActionKind.Empty}


async def code_action(session: Session, params: lsp.CodeActionParams) -> list[lsp.CodeAction | lsp.Command] | None:
    uri = params.text_document.uri
    document, asked = session.document(uri), session.ask(uri)
    selection = convert.span_from(document, params.range, session.client.encoding) if document else None
    if document is None or selection is None:
        return None
    by_hand = params.context.trigger_kind is not lsp.CodeActionTriggerKind.Automatic
    if asked is not None:
        found = answers.actions(asked.document, asked.index, selection, asked=by_hand)
    else:
        found = answers.without_index(document, selection, uri) if by_hand else []
    return [_converted(session, uri, action, params.context) for action in found if _wanted(action, params.context)]


async def resolve(session: Session, action: lsp.CodeAction) -> lsp.CodeAction:
    """Work out the edit of a fix: in a worker, with progress; cancelling the request stops it."""
    data = action.data if isinstance(action.data, dict) else {}
    if action.edit is None and data.get("failure"):
        action.edit = await proposed(session, str(data.get("uri", "")), str(data["failure"]))
    return action


def _wanted(action: answers.Action, context: lsp.CodeActionContext) -> bool:
    """A client that asks for some kinds (on save, in a menu) gets no others."""
    if not context.only:
        return True
    kind = str(_KINDS[action.kind].value)
    return any(
        kind == (only := str(getattr(asked, "value", asked))) or kind.startswith(only + ".") or not only
        for asked in context.only
    )


def _converted(
    session: Session, uri: str, action: answers.Action, context: lsp.CodeActionContext
) -> lsp.CodeAction | lsp.Command:
    command = lsp.Command(action.title, action.command, arguments=list(action.arguments))
    if not session.client.action_literals:
        return command
    if action.kind == "show":
        return lsp.CodeAction(title=action.title, kind=_KINDS["show"], command=command)
    about = [d for d in context.diagnostics if isinstance(d.data, dict) and d.data.get("failure") == action.failure]
    made = lsp.CodeAction(title=action.title, kind=_KINDS["fix"], diagnostics=about or None)
    if session.client.resolves_edits:
        made.data = {"uri": uri, "failure": action.failure}
    else:
        made.command = command
    return made
