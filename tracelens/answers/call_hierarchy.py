"""Who calls a unit and whom it calls: what the source says, what was seen running, or both.

What a comprehension or generator expression calls, the function around it calls; a comprehension is never an item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tracelens.answers import headline, words
from tracelens.answers.document import DocumentSnapshot, Position, placed
from tracelens.answers.sites import site_at
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.graph.links import Edge, EdgeKind
from tracelens_indexer.graph.networkx_graph import Node, Only, belongs, frame, owner, worst
from tracelens_indexer.store.answers import ObservedEdge, UnitRecord
from tracelens_indexer.traces.records import Counting

_MOST_OPEN = 30
Provenance = Literal["static", "traced", "both"]


@dataclass(frozen=True, slots=True)
class Item:
    unit: UnitRecord
    detail: str
    """ "shop.service · 1,880 calls · p50 0.2 ms"."""


@dataclass(frozen=True, slots=True)
class Call:
    """A caller or a callee, with the places in the caller's file."""

    item: Item
    places: tuple[tuple[int, int], ...]
    """(0-based line, 0-based byte column) of the calls in the caller's file, as it was indexed."""
    provenance: Provenance
    kinds: tuple[EdgeKind, ...]
    """Sorted; empty when only seen running."""
    confidence: str
    """"certain", "likely", or "" when only seen running."""
    calls: int
    """How often it was seen in the chosen runs."""
    counting: str
    """Of `calls`: "exact", "at least", "estimated"; "" when it was not seen."""


def prepare(document: DocumentSnapshot, snapshot: IndexSnapshot, position: Position) -> Item | None:
    """The unit defined at a position, else the one called there, else none."""
    records = snapshot.units_in(document.path)
    place = document.place(position) if records else None
    if place is None or place.kind not in ("definition", "call"):
        return None
    in_buffer = placed(document, records)
    if place.kind == "call":
        site = site_at(document, snapshot, in_buffer, place)
        return item(snapshot, site.callee) if site else None
    unit = document.units[place.unit]
    record = next((record for record in records if in_buffer.get(record.id) is unit), None)
    return item(snapshot, record) if record else None


def item(snapshot: IndexSnapshot, unit: UnitRecord) -> Item:
    profile = snapshot.profile(unit.id)
    return Item(unit, _detail(unit, *(headline.parts(profile)[:2] if profile else ("not seen running",))))


def incoming(snapshot: IndexSnapshot, unit_id: int) -> list[Call]:
    """The callers of a unit, those seen most often first."""
    static = [(_around(snapshot, unit, owner), edge) for unit, edge in snapshot.index.callers(unit_id)]
    # A run tells the calls of a class body as calls of what is around it.
    bodies = {(_around(snapshot, u, frame).id, edge.line): u for u, edge in static if u.kind == "class"}
    observed = []
    for edge in snapshot.observed_callers(unit_id):
        caller = _around(snapshot, edge.unit, owner)
        observed.append(replace(edge, unit=bodies.get((caller.id, edge.site_line), caller)))
    return _calls(static, observed)


def outgoing(snapshot: IndexSnapshot, unit_id: int) -> list[Call]:
    """What a unit calls, what was seen most often first."""
    unit = snapshot.index.unit(unit_id)
    if unit is None:
        return []
    static = _static_callees(snapshot, unit)
    observed = [
        edge
        for part in parts_of(snapshot, _around(snapshot, unit, frame).id)
        for edge in snapshot.observed_callees(part)
        if edge.unit.kind != "comprehension"
    ]
    if unit.kind == "class":
        own = {(callee.id, edge.line) for callee, edge in static}
        observed = [edge for edge in observed if (edge.unit.id, edge.site_line) in own]
    elif observed:
        others = {
            (callee.id, edge.line)
            for other in snapshot.units_in(unit.path)
            if other.kind == "class" and _around(snapshot, other, frame).id == unit.id
            for callee, edge in _static_callees(snapshot, other)
        }
        observed = [edge for edge in observed if (edge.unit.id, edge.site_line) not in others]
    return _calls(static, observed)


@dataclass(frozen=True, slots=True)
class Open:
    """A call in a unit of which the source does not say what it calls."""

    callee: str
    """As it is written."""
    reason: str
    places: tuple[tuple[int, int], ...]
    """(0-based line, 0-based byte column), as in `Call`."""


def unresolved(snapshot: IndexSnapshot, unit_id: int) -> list[Open]:
    """The calls of a unit that no run and no reading of the source resolves, in source order; those that are written
    the same together."""
    unit = snapshot.index.unit(unit_id)
    if unit is None:
        return []
    parts = parts_of(snapshot, _around(snapshot, unit, frame).id)
    sites = [site for site in snapshot.sites_in(unit.path) if site.caller.id in parts]
    on_line = Counter(site.line for site in sites)
    seen = [edge for part in parts for edge in snapshot.observed_callees(part)]
    named = {(edge.site_line, edge.unit.name) for edge in seen}
    lines = {edge.site_line for edge in seen}
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for site in sites:
        # What was seen from the line of a single call was called by it, whatever it is written as.
        told = (site.line, site.callee_text.rpartition(".")[2]) in named
        told = told or (on_line[site.line] == 1 and site.line in lines)
        if site.status == "unresolved" and not told:
            found.setdefault((site.callee_text, site.reason), []).append((site.line - 1, site.column))
    return [Open(callee, reason, tuple(places)) for (callee, reason), places in found.items()][:_MOST_OPEN]


def _static_callees(snapshot: IndexSnapshot, unit: UnitRecord) -> list[tuple[UnitRecord, Edge]]:
    return [
        (callee, edge)
        for part in parts_of(snapshot, unit.id)
        for callee, edge in snapshot.index.callees(part)
        if callee.kind != "comprehension"
    ]


def parts_of(snapshot: IndexSnapshot, unit_id: int) -> tuple[int, ...]:
    """A unit, and the comprehensions in it whose calls are its own."""
    unit = snapshot.index.unit(unit_id)
    parts = {unit_id: None}
    for other in snapshot.units_in(unit.path) if unit else ():
        # In source order: what is around a comprehension comes before it.
        if other.kind == "comprehension" and other.parent in parts:
            parts[other.id] = None
    return tuple(parts)


def only(
    snapshot: IndexSnapshot, calls: Sequence[Call], which: Only, callees_of: UnitRecord | None = None
) -> list[Call]:
    """The calls of one sort. `callees_of`: the unit whose callees they are; without it they are callers."""
    return [
        call
        for call in calls
        if belongs(
            which,
            provenance=call.provenance,
            caller_counting=_ran(snapshot, callees_of or call.item.unit) if which == "never-taken" else "",
            callee_kind=call.item.unit.kind if callees_of else "",
        )
    ]


def _ran(snapshot: IndexSnapshot, unit: UnitRecord) -> str:
    profile = snapshot.profile(unit.id)
    return profile.counting if profile and (profile.calls or profile.resumes) else ""


def _around(snapshot: IndexSnapshot, unit: UnitRecord, climb: Callable[[Mapping[int, Node], int], int]) -> UnitRecord:
    """The owner or the frame of a unit."""
    if unit.kind not in ("comprehension", "class"):
        return unit
    units = {other.id: other for other in snapshot.units_in(unit.path)}
    return units.get(climb(units, unit.id), unit)


def _calls(static: Sequence[tuple[UnitRecord, Edge]], observed: Sequence[ObservedEdge]) -> list[Call]:
    units: dict[int, UnitRecord] = {}
    said: dict[int, list[Edge]] = {}
    seen: dict[int, list[ObservedEdge]] = {}
    for unit, edge in static:
        units[unit.id] = unit
        said.setdefault(unit.id, []).append(edge)
    for found in observed:
        units[found.unit.id] = found.unit
        seen.setdefault(found.unit.id, []).append(found)
    calls = [_call(unit, said.get(identity, []), seen.get(identity, [])) for identity, unit in units.items()]
    calls.sort(key=lambda call: (-call.calls, call.item.unit.qualname))
    return calls


def _call(unit: UnitRecord, said: list[Edge], seen: list[ObservedEdge]) -> Call:
    places = {(edge.line - 1, edge.column) for edge in said}
    lines = {line for line, _ in places}
    places |= {(edge.site_line - 1, 0) for edge in seen if edge.site_line and edge.site_line - 1 not in lines}
    certain = any(edge.confidence == "certain" for edge in said)
    kinds = tuple(sorted({edge.kind for edge in said}))
    counting = worst(edge.counting for edge in seen)
    return Call(
        Item(unit, _detail(unit, *_words(said, certain, kinds, seen, counting))),
        tuple(sorted(places)),
        provenance="both" if said and seen else "static" if said else "traced",
        kinds=kinds,
        confidence=("certain" if certain else "likely") if said else "",
        calls=sum(edge.calls for edge in seen),
        counting=counting or "",
    )


def _words(
    said: list[Edge], certain: bool, kinds: tuple[EdgeKind, ...], seen: list[ObservedEdge], counting: Counting | None
) -> list[str]:
    # A plain call goes without saying; the application of a decorator or a call by the language does not.
    how = [_HOW[kind] for kind in kinds] if kinds and "call" not in kinds else []
    if counting is None:
        return ["not seen running" if certain else "not seen running, only likely", *how]
    found = [words.counted(sum(edge.calls for edge in seen), "call", counting)]
    total = sum(edge.total_ns for edge in seen)
    if total:
        found.append(words.duration(total))
    return [*found, *how] if said else [*found, "only seen running, not in the source"]


_HOW: dict[str, str] = {"decorates": "as a decorator", "implicit": "implicitly"}


def _detail(unit: UnitRecord, *parts: str) -> str:
    return " · ".join([words.clean(unit.qualname.rpartition(".")[0] or unit.path, words.LONGEST_NAME), *parts])
