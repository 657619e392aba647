"""textDocument/codeAction and codeAction/resolve"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from tracelens.answers import actions as answers
from tracelens.answers.document import DocumentSnapshot
from tracelens_lsp import convert
from tracelens_lsp.making import made
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session

_KINDS = {
    "fix": lsp.CodeActionKind.QUICK_FIX,
    "ignore": lsp.CodeActionKind.QUICK_FIX,
    "make": lsp.CodeActionKind.REFACTOR_REWRITE,
    "show": lsp.CodeActionKind.EMPTY,
}


async def code_action(session: Session, params: lsp.CodeActionParams) -> list[lsp.CodeAction | lsp.Command] | None:
    uri = params.text_document.uri
    document, asked = session.document(uri), session.ask(uri)
    selection = convert.span_from(document, params.range, session.client.encoding) if document else None
    if document is None or selection is None:
        return None
    by_hand = params.context.trigger_kind != lsp.CodeActionTriggerKind.AUTOMATIC
    if asked is not None:
        workspace = session.workspace(uri)
        endpoint = workspace.configured().llm if workspace else None
        model = endpoint.model if endpoint else ""
        found = answers.actions(asked.document, asked.index, selection, asked=by_hand, model=model)
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
    """Work out the edit: in a worker, with progress; cancelling the request stops it."""
    data = action.data if isinstance(action.data, dict) else {}
    if action.edit is None and data.get("make"):
        action.edit = await made(session, str(data.get("uri", "")), str(data["make"]), str(data.get("about", "")))
    return action


def _rules(context: lsp.CodeActionContext) -> list[tuple[str, int]]:
    """(rule, line) of our diagnostics that the client has at hand."""
    found = []
    for one in context.diagnostics:
        with contextlib.suppress(msgspec.ValidationError):
            known = msgspec.convert(one, lsp.Diagnostic)
            if known.source == "tracelens" and known.code.isalpha():
                found.append((known.code, known.range.start.line))
    return found


def _failure(diagnostic: dict[str, Any]) -> str | None:
    data = diagnostic.get("data")
    return data.get("failure") if isinstance(data, dict) else None


def _wanted(action: answers.Action, context: lsp.CodeActionContext) -> bool:
    """A client that asks for some kinds (on save, in a menu) gets no others."""
    if not context.only:
        return True
    kind = _KINDS[action.kind]
    return any(kind == asked or kind.startswith(asked + ".") or not asked for asked in context.only)


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
    about = [found for found in context.diagnostics if action.failure and _failure(found) == action.failure]
    offered = lsp.CodeAction(title=action.title, kind=_KINDS[action.kind], diagnostics=about or None)
    if action.by_model and session.client.tags_actions:
        offered.tags = [lsp.CodeActionTag.LLM_GENERATED]
    if session.client.resolves_edits:
        what, subject = action.arguments
        offered.data = {"uri": uri, "make": what, "about": subject}
    else:
        offered.command = command
    return offered
