"""The index as one test saw it: the same questions, answered from what happened while that test ran.

Counts are the runs' own, which keep them by test. Times and values are those of the calls that were kept from the test;
where not every call of it was kept, times are left out, and what is told of values says how many it stands on. Own
times and shares are not known by test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tracelens_indexer.profiles import histogram
from tracelens_indexer.profiles.rows import RESULT, SlotRow, ValueRow
from tracelens_indexer.store import observing
from tracelens_indexer.store.answers import (
    CaptureRecord,
    FailureRecord,
    Observation,
    ObservedEdge,
    Profile,
    SiteValues,
    UnitRecord,
)
from tracelens_indexer.store.facets import not_superseded
from tracelens_indexer.store.index import Base, Index
from tracelens_indexer.store.packing import Observed

_MOST_KEPT = 10_000
_NUMBERS = ("int", "float")


class DuringTest(Index):
    """A view of an index, which it borrows: closing it closes nothing."""

    def __init__(self, index: Index, test: str) -> None:
        super().__init__(index._connection, index.root, owns=False)
        self.test = test

    def profile(self, unit_id: int, runs: Sequence[int] | None = None) -> Profile | None:
        found = super().profile(unit_id, runs)
        return replace(found, tests=((self.test, found.calls),)) if found else None

    def hot(self, runs: Sequence[int] | None = None, limit: int = 20) -> list[Profile]:
        """The units that the test ran: those that took the longest first, then those called most often."""
        chosen = self._chosen(runs)
        rows = self._connection.execute(
            "SELECT DISTINCT anchors.unit FROM profile_tests JOIN anchors ON anchors.id = anchor"
            f" JOIN units ON units.id = anchors.unit WHERE test = ? AND run IN ({','.join('?' * len(chosen))})"
            " AND kind != 'module'",
            (self.test, *chosen),
        )
        units = self.units_by_id(row[0] for row in rows)
        failures: dict[int, list[FailureRecord]] = {}
        for failure in self.failures(chosen):
            failures.setdefault(failure.unit.id, []).append(failure)
        found = [
            replace(profile, failures=tuple(failures.get(profile.unit.id, ())))
            for profile, _ in self._profiles(units, chosen)
        ]
        return sorted(found, key=lambda one: (-one.total_ns, -one.calls, one.unit.qualname))[:limit]

    def captures(
        self, unit_id: int, runs: Sequence[int] | None = None, outcome: str | None = None, limit: int = 20
    ) -> list[CaptureRecord]:
        every = super().captures(unit_id, runs, outcome, _MOST_KEPT)
        return [one for one in every if one.test == self.test][:limit]

    def _profiles(self, units: dict[int, UnitRecord], runs: tuple[int, ...]) -> list[tuple[Profile, tuple[int, ...]]]:
        found = super()._profiles(units, runs)
        every = [anchor for _, anchors in found for anchor in anchors]
        calls = {
            anchor: n
            for start in range(0, len(every), 500)
            for anchor, n in self._connection.execute(
                "SELECT anchor, calls FROM profile_tests WHERE test = ?"
                f" AND anchor IN ({','.join('?' * len(every[start : start + 500]))})",
                (self.test, *every[start : start + 500]),
            )
        }
        errors = Counter[int]()
        for unit_id, n in self._connection.execute(
            "SELECT anchors.unit, sum(n) FROM profile_failures JOIN anchors ON anchors.id = anchor"
            f" WHERE test = ? AND run IN ({','.join('?' * len(runs))}) GROUP BY anchors.unit",
            (self.test, *runs),
        ):
            errors[unit_id] = n
        return [
            (self._of_test(profile, sum(calls.get(a, 0) for a in anchors), errors[profile.unit.id], runs), anchors)
            for profile, anchors in found
            if any(anchor in calls for anchor in anchors)
        ]

    def _of_test(self, profile: Profile, calls: int, errors: int, runs: tuple[int, ...]) -> Profile:
        kept = self.captures(profile.unit.id, runs, None, _MOST_KEPT)
        took = [one.duration_ns for one in kept if one.duration_ns >= 0]
        all_known = len(took) == calls
        durations = Counter(histogram.bucket(one) for one in took) if all_known else Counter[int]()
        return replace(
            profile,
            calls=calls,
            resumes=0,
            errors=errors,
            timed=len(took) if all_known else 0,
            total_ns=sum(took) if all_known else 0,
            self_ns=0,
            min_ns=min(took, default=None) if all_known else None,
            max_ns=max(took, default=None) if all_known else None,
            p50_ns=histogram.quantile(durations, 0.5),
            p95_ns=histogram.quantile(durations, 0.95),
            samples_total=0.0,
            samples_self=0.0,
            total_share=None,
            self_share=None,
            captured=len(kept),
        )

    def _observed_values(
        self, unit: UnitRecord, anchors: tuple[int, ...]
    ) -> tuple[tuple[Observation, ...], tuple[SiteValues, ...]]:
        marks = ",".join("?" * len(anchors))
        runs = [row[0] for row in self._connection.execute(f"SELECT run FROM anchors WHERE id IN ({marks})", anchors)]
        part = Observed([], [], [])
        for one in self.captures(unit.id, runs, None, _MOST_KEPT):
            slots = [*one.arguments, *([(RESULT, *one.result)] if one.result else [])]
            for slot, kind, text in slots:
                part.values.append(ValueRow(slot, kind, text, one.outcome, 1))
                number = _number(text) if kind in _NUMBERS else None
                part.slots.append(SlotRow(slot, kind, 1, number, number, "value" if number is not None else ""))
        return observing.observations(unit, [part]), ()

    def _failures(self, runs: tuple[int, ...], **asked: Any) -> list[FailureRecord]:
        """Of so many calls as the test made."""
        found = super()._failures(runs, **asked)
        return [replace(one, calls=self._counted(one.unit.id, runs)) for one in found]

    def _observed(self, known: str, wanted: str, unit_id: int, runs: tuple[int, ...]) -> list[ObservedEdge]:
        """Edges of which a kept call of the test says so: how often at least."""
        found = []
        edges = super()._observed(known, wanted, unit_id, runs)
        places = Counter(edge.unit.id for edge in edges)
        for edge in edges:
            caller, callee = (unit_id, edge.unit.id) if known == "caller_anchor" else (edge.unit.id, unit_id)
            calling = self.unit(caller)
            kept = self.captures(callee, runs, None, _MOST_KEPT)
            # Lines tell apart only what there are several of: text above may have moved since.
            line = edge.site_line if places[edge.unit.id] > 1 else 0
            here = [one for one in kept if calling and _made_by(one, calling, line)]
            if not here:
                continue
            all_kept = self._counted(callee, runs) == len(kept)
            found.append(
                replace(
                    edge,
                    calls=len(here),
                    counting="exact" if all_kept else "at least",
                    total_ns=sum(max(one.duration_ns, 0) for one in here),
                    most=0,
                    repeats=0,
                )
            )
        return found

    def _counted(self, unit_id: int, runs: tuple[int, ...]) -> int:
        """Calls of a unit in the test."""
        row = self._connection.execute(
            "SELECT sum(calls) FROM profile_tests JOIN anchors ON anchors.id = anchor"
            f" WHERE test = ? AND anchors.unit = ? AND run IN ({','.join('?' * len(runs))})"
            f" AND {not_superseded('anchors', len(runs))}",
            (self.test, unit_id, *runs, *runs),
        ).fetchone()
        return int(row[0] or 0)

    def _base(self, runs: tuple[int, ...]) -> Base:
        """Shares are not known by test."""
        return Base(0.0, {})


def _made_by(call: CaptureRecord, caller: UnitRecord, line: int) -> bool:
    """Whether a kept call came from a unit; `line`: and from this line, 0 any."""
    if call.caller is None:
        return False
    path, name, at = call.caller
    recorded = path.replace("\\", "/")
    same = recorded == caller.path or recorded.endswith(f"/{caller.path}")
    return same and name == caller.name and (not line or not at or line == at)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
