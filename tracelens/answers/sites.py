"""Which call site is at a place, what it calls, and how often it was seen doing so.

The index knows sites by the lines of the last index; in the buffer they are found again by the called expression and,
in a unit whose body is unchanged, by their line within the unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracelens.answers.document import DocumentSnapshot
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.source.place import Place
from tracelens_indexer.store.answers import CallSiteRecord, ObservedEdge, UnitRecord
from tracelens_indexer.traces.records import Counting


@dataclass(frozen=True, slots=True)
class Site:
    caller: UnitRecord
    callee: UnitRecord
    calls: int | None
    """None when no edge was recorded from here."""
    counting: Counting
    line: int = 0
    """1-based, in the caller's file as it was indexed; 0 when the caller has been edited since."""


def site_at(
    document: DocumentSnapshot, snapshot: IndexSnapshot, in_buffer: Mapping[int, Unit], place: Place
) -> Site | None:
    """The call site at a place that is a call, when it is certain enough what it calls."""
    identities = {id(unit): identity for identity, unit in in_buffer.items()}
    by_caller: dict[int, list[CallSiteRecord]] = {}
    for site in snapshot.sites_in(document.path):
        if site.callee_text == place.callee:
            by_caller.setdefault(site.caller.id, []).append(site)
    for unit in document.around(document.units[place.unit]):
        caller = identities.get(id(unit), 0)
        sites = by_caller.get(caller)
        if not sites:
            continue
        record = sites[0].caller
        # The line that this call had when the file was indexed, as far as the caller has not been edited since.
        line = record.first_line + place.call_line - unit.first_line
        same_body = record.body_hash == unit.body_hash
        here = [site for site in sites if site.line == line] if same_body else []
        observed = snapshot.observed_callees(caller)
        callee = _one_callee(here or sites, observed, place.name)
        if callee is None:
            return None
        calls, counting = _calls(observed, callee, line if same_body else 0, alone=len(sites) == 1)
        return Site(record, callee, calls, counting, line if same_body else 0)
    return None


def imported_unit(snapshot: IndexSnapshot, path: str, name: str) -> UnitRecord | None:
    """The unit that a name in an import stands for: what the file calls by that name, else the only one that has it."""
    last = name.rpartition(".")[2]
    called = {u.id: u for site in snapshot.sites_in(path) for u, _ in site.callees if last in (u.name, u.scope)}
    if len(called) == 1:
        return next(iter(called.values()))
    found = [unit for unit in snapshot.index.find(name) if last in (unit.name, unit.module.rpartition(".")[2])]
    return found[0] if len(found) == 1 else None


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
    here = [edge for edge in edges if line and edge.site_line == line]
    if not here and alone:
        here = edges
    if not here:
        return None, "exact"
    order: tuple[Counting, ...] = ("exact", "at least", "estimated")
    return sum(edge.calls for edge in here), max((edge.counting for edge in here), key=order.index)
