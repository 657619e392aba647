"""textDocument/codeAction and codeAction/resolve"""

from __future__ import annotations

from lsprotocol import types as lsp

from tracelens.answers import actions as answers
from tracelens.answers.document import DocumentSnapshot
from tracelens_lsp import convert
from tracelens_lsp.fixing import proposed
from tracelens_lsp.session import Session

_KINDS = {
    "fix": lsp.CodeActionKind.QuickFix,
    "ignore": lsp.CodeActionKind.QuickFix,
    "edit": lsp.CodeActionKind.RefactorRewrite,
    "show": lsp.CodeActionKind.Empty,
}


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
    if by_hand:
        found += answers.ignoring(document, _rules(params.context))
    # A client without action literals runs commands; what has an edit is not for it.
    return [
        _converted(session, uri, document, action, params.context)
        for action in found
        if _wanted(action, params.context) and (not action.edits or session.client.action_literals)
    ]


async def resolve(session: Session, action: lsp.CodeAction) -> lsp.CodeAction:
    """Work out the edit of a fix: in a worker, with progress; cancelling the request stops it."""
    data = action.data if isinstance(action.data, dict) else {}
    if action.edit is None and data.get("failure"):
        action.edit = await proposed(session, str(data.get("uri", "")), str(data["failure"]))
    return action


def _rules(context: lsp.CodeActionContext) -> list[tuple[str, int]]:
    """(rule, line) of our diagnostics that the client has at hand."""
    return [
        (str(found.code), found.range.start.line)
        for found in context.diagnostics
        if found.source == "tracelens" and str(found.code).isalpha()
    ]


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
    session: Session,
    uri: str,
    document: DocumentSnapshot,
    action: answers.Action,
    context: lsp.CodeActionContext,
) -> lsp.CodeAction | lsp.Command:
    if action.edits:
        encoding = session.client.encoding
        edits = [lsp.TextEdit(convert.range_(document, edit.span, encoding), edit.text) for edit in action.edits]
        changes = convert.workspace_edit(
            {uri: edits}, {uri: document.version}, document_changes=session.client.document_changes
        )
        return lsp.CodeAction(title=action.title, kind=_KINDS[action.kind], edit=changes)
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
