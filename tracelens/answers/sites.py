"""Which call site is at a position, what it calls, and how often it was seen doing so.

The index knows sites by the lines of the last index; in the buffer they are found again by the called name and, in a
unit whose body is unchanged, by their line within the unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracelens.answers.document import DocumentSnapshot, Position, Span
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.store.answers import CallSiteRecord, ObservedEdge, UnitRecord
from tracelens_indexer.traces.records import Counting

_CALLED = re.compile(rb"\s*\(")


@dataclass(frozen=True, slots=True)
class Site:
    span: Span
    """The called name in the document."""
    caller: UnitRecord
    callee: UnitRecord
    calls: int | None
    """None when no edge was recorded from here."""
    counting: Counting


def site_at(
    document: DocumentSnapshot, snapshot: IndexSnapshot, in_buffer: Mapping[int, Unit], position: Position
) -> Site | None:
    """The call whose called name is at the position, when it is certain enough what it calls."""
    span = _called_name(document, position)
    if span is None:
        return None
    word = document.slice(span)
    identities = {id(unit): identity for identity, unit in in_buffer.items()}
    by_caller: dict[int, list[CallSiteRecord]] = {}
    for site in snapshot.sites_in(document.path):
        if site.callee_text.rpartition(".")[2] == word:
            by_caller.setdefault(site.caller.id, []).append(site)
    for unit in document.around(position):
        caller = identities.get(id(unit))
        if caller is None or caller not in by_caller:
            continue
        sites = by_caller[caller]
        record = sites[0].caller
        line = record.first_line + position.line + 1 - unit.first_line if record.kind != "module" else position.line + 1
        here = [site for site in sites if site.line == line] if record.body_hash == unit.body_hash else []
        # A call may begin on an earlier line than the name that is called; and an edit may have moved the lines.
        callee = _one_callee(here or sites, snapshot.observed_callees(caller), word)
        if callee is None:
            return None
        calls, counting = _calls(snapshot.observed_callees(caller), callee, line, alone=len(sites) == 1)
        return Site(span, record, callee, calls, counting)
    return None


def _called_name(document: DocumentSnapshot, position: Position) -> Span | None:
    """The span of the name at a position when it is called there."""
    span = document.word_span(position)
    return span if span and _CALLED.match(document.line(position.line), span.end.column) else None


def _one_callee(sites: Sequence[CallSiteRecord], observed: Sequence[ObservedEdge], word: str) -> UnitRecord | None:
    """What the sites call: the one that was seen, else the only one the source allows."""
    possible = {unit.id: unit for site in sites for unit, _ in site.callees}
    seen = {edge.unit.id: edge.unit for edge in observed if edge.unit.id in possible}
    if not possible:
        # Not resolved from the source: what was seen running may still say it.
        seen = {edge.unit.id: edge.unit for edge in observed if edge.unit.name == word}
    chosen = seen or possible
    return next(iter(chosen.values())) if len(chosen) == 1 else None


def _calls(
    observed: Sequence[ObservedEdge], callee: UnitRecord, line: int, *, alone: bool
) -> tuple[int | None, Counting]:
    """Calls recorded from one line; where the trace does not say lines, from the only site there is."""
    edges = [edge for edge in observed if edge.unit.id == callee.id]
    here = [edge for edge in edges if edge.site_line == line]
    if not here and alone:
        here = edges
    if not here:
        return None, "exact"
    order: tuple[Counting, ...] = ("exact", "at least", "estimated")
    return sum(edge.calls for edge in here), max((edge.counting for edge in here), key=order.index)
