"""Which units bear on others, and why: a walk over the call graph that keeps coming back to where it began.

The weights are personalised PageRank by local pushes (Andersen, Chung & Lang 2006): only the neighbourhood is read,
however large the workspace. What was seen running weighs more than what the source only allows.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracelens_indexer import workspace
from tracelens_indexer.graph.links import Edge
from tracelens_indexer.store.answers import ObservedEdge, SearchHit, UnitRecord

_BACK = 0.25
"""Share of each step's weight that stays where it is."""
_LEAST = 2e-4
"""Residual weight that is not worth another step."""
_MOST_PUSHES = 400
_MOST_NEIGHBOURS = 60
_CALLER = 0.5
"""Weight of going to a caller, beside going to what is called."""
_MEMBER = 0.3
"""Weight of going from a class to a method of it, or back."""
_UNSURE = 0.5
"""Weight of a static edge that may not hold."""
_NAMES = 0.6
"""Part of the restarts that goes to what the target names; the rest goes to the target itself."""
_MOST_NAMES = 300
_NAME = re.compile(r"[^\W\d]\w{2,}")
_K = 10
"""Of reciprocal ranks, where the walk and search are put together."""
_SEARCH = 1.0

_LISTED_KINDS = ("function", "method", "class")


class GraphIndex(Protocol):
    """What is asked of the index; the store's Index answers it."""

    def unit(self, unit_id: int, /) -> UnitRecord | None: ...
    def units_in(self, path: str) -> list[UnitRecord]: ...
    def callers(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]: ...
    def callees(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]: ...
    def observed_callers(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]: ...
    def observed_callees(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]: ...


class NamesIndex(Protocol):
    def units_called(self, name: str) -> list[UnitRecord]: ...


@dataclass(frozen=True, slots=True)
class Near:
    """A unit that bears on the target."""

    unit: UnitRecord
    score: float
    reason: str
    """"calls it, seen 1,880 times", "is called by it", "2 calls away", "is like it", "tests it"."""


def is_test(unit: UnitRecord) -> bool:
    return workspace.is_test(unit.path)


def named_in(index: NamesIndex, text: str) -> dict[UnitRecord, float]:
    """The code, tests apart, whose names stand in a text; those that share a name share its weight."""
    found: dict[UnitRecord, float] = {}
    for name in list(dict.fromkeys(_NAME.findall(text)))[:_MOST_NAMES]:
        units = [unit for unit in index.units_called(name) if unit.kind in _LISTED_KINDS and not is_test(unit)]
        for unit in units:
            found[unit] = 1.0 / math.sqrt(len(units))
    return found


def near(
    index: GraphIndex,
    seeds: Mapping[int, float],
    hits: Sequence[SearchHit] = (),
    runs: Sequence[int] | None = None,
) -> list[Near]:
    """The units around the seeds (unit id → weight) and those that search found, best first, without the seeds.

    Functions, methods and classes alone; the order depends on nothing but the index.
    """
    walk = _Walk(index, runs)
    return _fused(walk, walk.ranks(seeds, {}), seeds, hits)


def near_and_named(
    index: GraphIndex,
    seeds: Mapping[int, float],
    hits: Sequence[SearchHit],
    runs: Sequence[int] | None,
    names: Mapping[UnitRecord, float],
) -> tuple[list[Near], list[Near]]:
    """(What `near` gives, the same of a walk that comes back to what the target names as well).

    The first says best what to read, the second what else may matter: it goes wider.
    """
    walk = _Walk(index, runs)
    close = _fused(walk, walk.ranks(seeds, {}), seeds, hits)
    return close, _fused(walk, walk.ranks(seeds, names), seeds, hits) if names else close


def _fused(
    walk: _Walk, weights: Mapping[int, float], seeds: Mapping[int, float], hits: Sequence[SearchHit]
) -> list[Near]:
    by_walk = sorted((unit for unit in weights if unit not in seeds), key=lambda unit: (-weights[unit], unit))
    by_search = [hit.unit for hit in hits if hit.unit.id not in seeds]
    scores: dict[int, float] = {}
    for rank, unit_id in enumerate(by_walk):
        scores[unit_id] = 1.0 / (_K + rank + 1)
    for rank, unit in enumerate(by_search):
        walk.units.setdefault(unit.id, unit)
        scores[unit.id] = scores.get(unit.id, 0.0) + _SEARCH / (_K + rank + 1)
    found = [
        Near(unit, score, walk.reasons.get(unit_id) or _away(unit_id in weights))
        for unit_id, score in scores.items()
        if (unit := walk.units[unit_id]).kind in _LISTED_KINDS
    ]
    return sorted(found, key=lambda one: (-one.score, one.unit.path, one.unit.first_line, one.unit.id))


def _away(walked: bool) -> str:
    return "is reached from it" if walked else "is like it"


def _shares(weights: Mapping[int, float], whole: float) -> dict[int, float]:
    total = sum(weights.values()) or 1.0
    return {unit: whole * weight / total for unit, weight in weights.items()}


class _Walk:
    def __init__(self, index: GraphIndex, runs: Sequence[int] | None) -> None:
        self._index = index
        self._runs = runs
        self.units: dict[int, UnitRecord] = {}
        self.reasons: dict[int, str] = {}
        """Of the seeds' own neighbours."""
        self._known: dict[int, dict[int, float]] = {}

    def ranks(self, seeds: Mapping[int, float], names: Mapping[UnitRecord, float]) -> dict[int, float]:
        rest = _shares(seeds, 1 - _NAMES if names else 1.0)
        for unit_id, share in _shares({named.id: weight for named, weight in names.items()}, _NAMES).items():
            rest[unit_id] = rest.get(unit_id, 0.0) + share
        for named in names:
            self.units[named.id] = named
            self.reasons.setdefault(named.id, "is named in it")
        ranks: dict[int, float] = {}
        heap = [(-weight, unit) for unit, weight in rest.items()]
        heapq.heapify(heap)
        for _ in range(_MOST_PUSHES):
            while heap and -heap[0][0] != rest.get(heap[0][1]):
                heapq.heappop(heap)
            if not heap or -heap[0][0] < _LEAST:
                break
            weight, unit = -heap[0][0], heapq.heappop(heap)[1]
            del rest[unit]
            ranks[unit] = ranks.get(unit, 0.0) + _BACK * weight
            around = self._around(unit, unit in seeds)
            whole = sum(around.values())
            for other, part in around.items():
                rest[other] = rest.get(other, 0.0) + (1 - _BACK) * weight * part / whole
                heapq.heappush(heap, (-rest[other], other))
        for unit, weight in rest.items():
            ranks[unit] = ranks.get(unit, 0.0) + _BACK * weight
        return ranks

    def _around(self, unit_id: int, is_seed: bool) -> dict[int, float]:
        """Neighbour → weight of the step; the heaviest of them."""
        if unit_id in self._known:
            return self._known[unit_id]
        found: dict[int, float] = {}
        for edges, factor, verb in (
            (self._seen(self._index.observed_callees, unit_id), 1.0, "is called by it"),
            (self._seen(self._index.observed_callers, unit_id), _CALLER, "calls it"),
        ):
            for edge in edges:
                reason = f"{verb}, seen {edge.calls:,} time{'' if edge.calls == 1 else 's'}"
                self._meet(found, edge.unit, factor * (1 + math.log2(1 + edge.calls)), reason, unit_id, is_seed)
        for links, factor, verb in (
            (self._index.callees(unit_id), 1.0, "is called by it"),
            (self._index.callers(unit_id), _CALLER, "calls it"),
        ):
            for unit, link in links:
                sure = 1.0 if link.confidence == "certain" else _UNSURE
                words = "tests it" if verb == "calls it" and is_test(unit) else verb
                self._meet(found, unit, factor * sure, words, unit_id, is_seed, once=True)
        for unit in self._members(unit_id):
            self._meet(found, unit, _MEMBER, "is of the same class", unit_id, is_seed, once=True)
        heaviest = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        self._known[unit_id] = dict(heaviest[:_MOST_NEIGHBOURS])
        return self._known[unit_id]

    def _members(self, unit_id: int) -> list[UnitRecord]:
        """The methods of a class, the class of a method."""
        unit = self.units.get(unit_id) or self._index.unit(unit_id)
        if unit is None or unit.kind not in ("class", "method"):
            return []
        if unit.kind == "method":
            owner = self._index.unit(unit.parent) if unit.parent else None
            return [owner] if owner else []
        return [one for one in self._index.units_in(unit.path) if one.parent == unit.id and one.kind == "method"]

    def _seen(self, ask: Callable[[int, Sequence[int] | None], list[ObservedEdge]], unit_id: int) -> list[ObservedEdge]:
        # Where nothing was recorded there is nothing to ask, hundreds of times.
        return ask(unit_id, self._runs) if self._runs is None or self._runs else []

    def _meet(
        self,
        found: dict[int, float],
        unit: UnitRecord,
        weight: float,
        reason: str,
        of: int,
        is_seed: bool,
        *,
        once: bool = False,
    ) -> None:
        if unit.id == of:
            return
        self.units[unit.id] = unit
        found[unit.id] = max(found.get(unit.id, 0.0), weight) if once else found.get(unit.id, 0.0) + weight
        if is_seed:
            self.reasons.setdefault(unit.id, reason)
