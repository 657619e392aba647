"""Who calls a unit and whom it calls: what the source says, what was seen running, or both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracelens.answers import headline, words
from tracelens.answers.document import DocumentSnapshot, Position, placed
from tracelens.answers.sites import site_at
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.graph.links import Edge
from tracelens_indexer.store.answers import ObservedEdge, UnitRecord


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
    return _calls(snapshot.index.callers(unit_id), snapshot.observed_callers(unit_id))


def outgoing(snapshot: IndexSnapshot, unit_id: int) -> list[Call]:
    """What a unit calls, what was seen most often first."""
    return _calls(snapshot.index.callees(unit_id), snapshot.observed_callees(unit_id))


def _calls(static: Sequence[tuple[UnitRecord, Edge]], observed: Sequence[ObservedEdge]) -> list[Call]:
    units: dict[int, UnitRecord] = {}
    places: dict[int, set[tuple[int, int]]] = {}
    certain: dict[int, bool] = {}
    seen: dict[int, list[ObservedEdge]] = {}
    for unit, edge in static:
        units[unit.id] = unit
        places.setdefault(unit.id, set()).add((edge.line - 1, edge.column))
        certain[unit.id] = certain.get(unit.id, False) or edge.confidence == "certain"
    for found in observed:
        units[found.unit.id] = found.unit
        seen.setdefault(found.unit.id, []).append(found)
        known_lines = {line for line, _ in places.get(found.unit.id, ())}
        if found.site_line and found.site_line - 1 not in known_lines:
            places.setdefault(found.unit.id, set()).add((found.site_line - 1, 0))
    calls = [
        (
            sum(edge.calls for edge in seen.get(identity, ())),
            Call(
                Item(unit, _detail(unit, *_provenance(identity in certain, certain.get(identity), seen.get(identity)))),
                tuple(sorted(places.get(identity, ()))),
            ),
        )
        for identity, unit in units.items()
    ]
    calls.sort(key=lambda pair: (-pair[0], pair[1].item.unit.qualname))
    return [call for _, call in calls]


def _provenance(static: bool, certain: bool | None, observed: Sequence[ObservedEdge] | None) -> list[str]:
    if not observed:
        return ["not seen running" if certain else "not seen running, only likely"]
    n = sum(edge.calls for edge in observed)
    counting = max((edge.counting for edge in observed), key=("exact", "at least", "estimated").index)
    found = [words.counted(n, "call", counting)]
    total = sum(edge.total_ns for edge in observed)
    if total:
        found.append(words.duration(total))
    return found if static else [*found, "only seen running, not in the source"]


def _detail(unit: UnitRecord, *parts: str) -> str:
    return " · ".join([words.clean(unit.qualname.rpartition(".")[0] or unit.path, words.LONGEST_NAME), *parts])
