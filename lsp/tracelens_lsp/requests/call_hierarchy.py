"""textDocument/prepareCallHierarchy, callHierarchy/incomingCalls and callHierarchy/outgoingCalls"""

from __future__ import annotations

from pathlib import Path

from tracelens.answers import call_hierarchy as answers
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_lsp import convert
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session


async def prepare(session: Session, params: lsp.PositionParams) -> list[lsp.CallHierarchyItem] | None:
    asked = session.ask(params.text_document.uri)
    at = asked and convert.position_from(asked.document, params.position, session.client.encoding)
    item = answers.prepare(asked.document, asked.index, at) if asked and at else None
    if asked is None or item is None:
        return None
    return [convert.hierarchy_item(item, asked.index.root, session.client.encoding)]


async def incoming(
    session: Session, params: lsp.CallHierarchyCallsParams
) -> list[lsp.CallHierarchyIncomingCall] | None:
    index, unit_id = _named(session, params.item)
    if index is None:
        return None
    encoding = session.client.encoding
    return [
        lsp.CallHierarchyIncomingCall(
            from_=convert.hierarchy_item(call.item, index.root, encoding),
            from_ranges=convert.call_ranges(call, call.item.unit, index.lines_of(call.item.unit.path), encoding),
        )
        for call in answers.incoming(index, unit_id)
    ]


async def outgoing(
    session: Session, params: lsp.CallHierarchyCallsParams
) -> list[lsp.CallHierarchyOutgoingCall] | None:
    index, unit_id = _named(session, params.item)
    caller = index.index.unit(unit_id) if index else None
    if index is None or caller is None:
        return None
    encoding, lines = session.client.encoding, index.lines_of(caller.path)
    found = [
        lsp.CallHierarchyOutgoingCall(
            to=convert.hierarchy_item(call.item, index.root, encoding),
            from_ranges=convert.call_ranges(call, caller, lines, encoding),
        )
        for call in answers.outgoing(index, unit_id)
    ]
    for site in answers.unresolved(index, unit_id):
        ranges = convert.call_ranges(site, caller, lines, encoding)
        found.append(lsp.CallHierarchyOutgoingCall(convert.open_item(site, caller, index.root, ranges), ranges))
    return found


def _named(session: Session, item: lsp.CallHierarchyItem) -> tuple[IndexSnapshot | None, int]:
    """The unit an item stands for, in a workspace this session has; a client may hand back anything."""
    data = item.data if isinstance(item.data, dict) else {}
    root = Path(str(data.get("root", "")))
    for workspace in session.workspaces.known():
        if workspace.root == root:
            return workspace.snapshot(), int(str(data.get("unit", "0")), 16)
    return None, 0
