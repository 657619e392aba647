"""Which units bear on others, and why: a walk over the call graph that keeps coming back to where it began.

The weights are personalised PageRank by local pushes (Andersen, Chung & Lang 2006): only the neighbourhood is read,
however large the workspace. What was seen running weighs more than what the source only allows.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracelens_indexer.graph.links import Edge
from tracelens_indexer.store.answers import ObservedEdge, SearchHit, UnitRecord

_BACK = 0.25
"""Share of each step's weight that stays where it is."""
_LEAST = 2e-4
"""Residual weight that is not worth another step."""
_MOST_PUSHES = 250
_MOST_NEIGHBOURS = 60
_CALLER = 0.5
"""Weight of going to a caller, beside going to what is called."""
_UNSURE = 0.5
"""Weight of a static edge that may not hold."""
_K = 10
"""Of reciprocal ranks, where the walk and search are put together."""
_SEARCH = 1.0

_TEST = re.compile(r"(^|/)(tests?|testing)/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$")


class GraphIndex(Protocol):
    """What is asked of the index; the store's Index answers it."""

    def unit(self, unit_id: int, /) -> UnitRecord | None: ...
    def callers(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]: ...
    def callees(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]: ...
    def observed_callers(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]: ...
    def observed_callees(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]: ...


@dataclass(frozen=True, slots=True)
class Near:
    """A unit that bears on the target."""

    unit: UnitRecord
    score: float
    reason: str
    """"calls it, seen 1,880 times", "is called by it", "2 calls away", "is like it", "tests it"."""


def is_test(unit: UnitRecord) -> bool:
    return bool(_TEST.search(unit.path))


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
    weights = walk.from_seeds(seeds)
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
        if (unit := walk.units[unit_id]).kind in ("function", "method", "class")
    ]
    return sorted(found, key=lambda one: (-one.score, one.unit.path, one.unit.first_line, one.unit.id))


def _away(walked: bool) -> str:
    return "is reached from it" if walked else "is like it"


class _Walk:
    def __init__(self, index: GraphIndex, runs: Sequence[int] | None) -> None:
        self._index = index
        self._runs = runs
        self.units: dict[int, UnitRecord] = {}
        self.reasons: dict[int, str] = {}
        """Of the seeds' own neighbours."""

    def from_seeds(self, seeds: Mapping[int, float]) -> dict[int, float]:
        total = sum(seeds.values()) or 1.0
        rest = {unit: weight / total for unit, weight in seeds.items()}
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
        found: dict[int, float] = {}
        for edges, factor, verb in (
            (self._index.observed_callees(unit_id, self._runs), 1.0, "is called by it"),
            (self._index.observed_callers(unit_id, self._runs), _CALLER, "calls it"),
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
        heaviest = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        return dict(heaviest[:_MOST_NEIGHBOURS])

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
