"""How many of the calls that a package's own tests were seen to make the static graph has.

Each folder below the one given is the source of a package with its tests, indexed, and with a recording of them:

    tracelens index && tracelens record --exact -- python -m pytest -q

Edges count whose two ends are in the package and not in its tests, once each, however often they were seen. The
recorder sees the nearest caller in the workspace: what the standard library or a C function called back is an edge
too. Bodies of classes and comprehensions belong to what is around them, on both sides.

A call that the static graph lacks is told by what linking says of the call on the line that made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tracelens_indexer.graph.link import link
from tracelens_indexer.graph.links import Links
from tracelens_indexer.source.facts import unit_id
from tracelens_indexer.source.lower import lower
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import ObservedPair, UnitRecord
from tracelens_indexer.workspace import discover, is_test


@dataclass(frozen=True)
class Recall:
    package: str
    seen: int
    """Edges that were seen running."""
    found: int
    """Of these, the ones that the static graph has."""
    reasons: Counter[str]
    """Why the others are not, with how many."""
    missing: tuple[str, ...]
    """ "a.f -> b.g (a.py:12: reason)", in order."""


def recall(folder: Path) -> Recall:
    """Of one package, with the facts and links of its files as they are now."""
    files = {file.path: (file.module, lower((folder / file.path).read_bytes())) for file in discover(folder)}
    links = link(files)
    index = Index.open(folder)
    try:
        units = {unit.id: unit for unit in index.all_units()}
        seen = [pair for pair in index.observed_pairs() if _inside(units, pair)]
    finally:
        index.close()
    parents = {
        unit_id(path, unit.scope, unit.ordinal): (
            unit.kind,
            unit_id(path, facts.units[unit.parent].scope, facts.units[unit.parent].ordinal) if unit.parent >= 0 else 0,
        )
        for path, (_, facts) in files.items()
        for unit in facts.units
    }

    def runs_in(unit: int) -> int:
        """The frame of a recording that a unit's code is told of."""
        while parents.get(unit, ("", 0))[0] in ("comprehension", "class"):
            unit = parents[unit][1]
        return unit

    static = {(runs_in(edge.caller), edge.callee) for edge in links.edges}
    places: dict[tuple[int, int], list[ObservedPair]] = {}
    for pair in seen:
        if units[pair.callee].kind not in ("comprehension", "class"):
            places.setdefault((runs_in(pair.caller), pair.callee), []).append(pair)
    why = _Why(links, runs_in)
    reasons: Counter[str] = Counter()
    missing: list[str] = []
    for (caller, callee), pairs in places.items():
        if (caller, callee) in static:
            continue
        line = max(pair.site_line for pair in pairs)
        reason = why(caller, line, units[callee])
        reasons[reason] += 1
        place = f"{units[caller].path}:{line}: {reason}"
        missing.append(f"{units[caller].qualname} -> {units[callee].qualname} ({place})")
    found = len(places) - len(missing)
    return Recall(folder.name, len(places), found, reasons, tuple(sorted(missing)))


class _Why:
    """What linking says of the calls on a line."""

    def __init__(self, links: Links, runs_in: Callable[[int], int]) -> None:
        self._said: dict[tuple[int, int], set[str]] = {}
        for one in links.resolutions:
            reason = one.reason if one.status == "unresolved" else one.status
            self._said.setdefault((runs_in(one.unit), one.line), set()).add(reason)

    def __call__(self, caller: int, line: int, callee: UnitRecord) -> str:
        said = self._said.get((caller, line), set())
        unresolved = sorted(said - {"external", "resolved"})
        if callee.name.startswith("__") and callee.name.endswith("__") and callee.name not in ("__init__", "__new__"):
            return "called by the language"
        if callee.resumes and not said:
            return "a generator that begins where it is consumed"
        if unresolved:
            return f"not resolved: {unresolved[0]}"
        if "external" in said:
            return "called back from outside the workspace"
        if "resolved" in said:
            return "resolved to something else"
        return "no call is written on the line"


def _inside(units: dict[int, UnitRecord], pair: ObservedPair) -> bool:
    return all(end in units and not is_test(units[end].path) for end in (pair.caller, pair.callee))


def packages(folder: Path) -> list[Path]:
    """The folders that hold an index."""
    return sorted(path.parents[1] for path in folder.glob("*/.tracelens/index.db"))
