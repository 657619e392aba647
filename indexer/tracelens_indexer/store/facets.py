"""Which units of the index did what when they ran: sets of unit ids to filter search by.

Values are always parameters of a query, never a part of its text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracelens_indexer.store import packing
from tracelens_indexer.store.packing import Observed
from tracelens_indexer.store.runs import Runs

Ids = frozenset[int]
_HOT = 0.02
"""Share of the run's own time (or samples) from which a unit is hot: what lenses and hints use too."""
_EMPTY = ("[]", "()", "{}", "set()", "frozenset()", "''", '""', "b''", 'b""', "dict()")


def not_superseded(anchor: str, runs: int) -> str:
    """Condition that leaves out stale data of units of which the chosen runs hold data as they are now."""
    return (
        f"NOT ({anchor}.state = 'stale' AND EXISTS (SELECT 1 FROM anchors AS newer WHERE newer.unit = {anchor}.unit"
        f" AND newer.state IN ('fresh', 'moved') AND newer.run IN ({','.join('?' * runs)})))"
    )


class Facets(Runs):
    """The questions that a filter of search is made of; `runs` None means the current ones."""

    def units_that_ran(self, runs: Sequence[int] | None = None) -> Ids:
        """Called, resumed, sampled, or seen on the stack of a failure."""
        return self._units("", "", (), runs)

    def units_hot(self, runs: Sequence[int] | None = None) -> Ids:
        """Those that used at least two per cent of the time (or of the samples) themselves."""
        return frozenset(unit for unit, part in self.own_weights(runs).items() if part >= _HOT)

    def units_slower_than(self, nanoseconds: float, runs: Sequence[int] | None = None) -> Ids:
        """Of which at least one call took as long."""
        join = "JOIN profile_units AS facet ON facet.anchor = anchors.id"
        return self._units(join, "facet.max_ns >= ?", (nanoseconds,), runs)

    def units_failing(self, runs: Sequence[int] | None = None) -> Ids:
        """In which exceptions began."""
        join = "JOIN profile_failures AS facet ON facet.anchor = anchors.id"
        return self._units(join, "facet.origin", (), runs)

    def units_that_raised(self, type_: str, runs: Sequence[int] | None = None) -> Ids:
        """Out of which an exception of this type came: "KeyError" is also "shop.KeyError"."""
        join = "JOIN profile_failures AS facet ON facet.anchor = anchors.id"
        return self._units(join, "(facet.type = ? OR facet.type LIKE ? ESCAPE '\\')", (type_, _ending(type_)), runs)

    def units_given_none(self, parameter: str, runs: Sequence[int] | None = None) -> Ids:
        """Whose parameter of this name was None in some call; "return": that returned None."""

        def given(seen: Observed) -> bool:
            types = [(row.slot, row.type) for row in seen.slots] + [(row.slot, row.type) for row in seen.values]
            return (parameter, "NoneType") in types

        return self._units_observed(given, runs)

    def units_that_returned_empty(self, runs: Sequence[int] | None = None) -> Ids:
        """That returned an empty list, text, or other container in some call."""

        def empty(seen: Observed) -> bool:
            return any(row.slot == "return" and row.measures == "size" and row.low == 0 for row in seen.slots) or any(
                row.slot == "return" and row.text in _EMPTY for row in seen.values
            )

        return self._units_observed(empty, runs)

    def _units_observed(self, holds: Callable[[Observed], bool], runs: Sequence[int] | None) -> Ids:
        """By their values, which lie packed: each unit's are opened once."""
        chosen = self._chosen(runs)
        rows = self._connection.execute(
            "SELECT anchors.unit, observed FROM profile_details JOIN anchors ON anchors.id = anchor"
            f" WHERE anchors.run IN ({','.join('?' * len(chosen))}) AND anchors.unit IS NOT NULL AND observed != x''"
            f" AND {not_superseded('anchors', len(chosen))}",
            (*chosen, *chosen),
        )
        return frozenset(unit for unit, blob in rows if holds(packing.observed(blob)))

    def units_called_by(self, callers: Sequence[int], runs: Sequence[int] | None = None) -> Ids:
        """Those that these units call, by the source or as it was seen."""
        return self._across("caller", "callee", callers, runs)

    def units_calling(self, callees: Sequence[int], runs: Sequence[int] | None = None) -> Ids:
        """Those that call these units, by the source or as it was seen."""
        return self._across("callee", "caller", callees, runs)

    def units_of_kind(self, kind: str) -> Ids:
        return frozenset(row[0] for row in self._connection.execute("SELECT id FROM units WHERE kind = ?", (kind,)))

    def units_under(self, part: str) -> Ids:
        """Those in files whose path holds this text."""
        rows = self._connection.execute(
            "SELECT units.id FROM units JOIN files ON files.id = units.file WHERE instr(files.path, ?) > 0", (part,)
        )
        return frozenset(row[0] for row in rows)

    def own_weights(self, runs: Sequence[int] | None = None) -> dict[int, float]:
        """Unit id to its own part of the chosen runs, 0…1: of the samples where there are any, else of the time."""
        chosen = self._chosen(runs)
        rows = self._connection.execute(
            "SELECT anchors.unit, sum(samples_self), sum(self_ns)"
            " FROM anchors JOIN profile_units ON anchor = anchors.id"
            f" WHERE run IN ({','.join('?' * len(chosen))}) AND anchors.unit IS NOT NULL"
            f" AND {not_superseded('anchors', len(chosen))} GROUP BY anchors.unit",
            (*chosen, *chosen),
        ).fetchall()
        # Samples and nanoseconds do not add up: where there are samples, they say it.
        column = 1 if any(row[1] for row in rows) else 2
        whole = sum(row[column] or 0 for row in rows)
        return {row[0]: (row[column] or 0) / whole for row in rows} if whole else {}

    def _units(self, join: str, condition: str, values: Sequence[object], runs: Sequence[int] | None) -> Ids:
        chosen = self._chosen(runs)
        also = f" AND {condition}" if condition else ""
        rows = self._connection.execute(
            f"SELECT DISTINCT anchors.unit FROM anchors {join}"
            f" WHERE anchors.run IN ({','.join('?' * len(chosen))}) AND anchors.unit IS NOT NULL"
            f" AND {not_superseded('anchors', len(chosen))}{also}",
            (*chosen, *chosen, *values),
        )
        return frozenset(row[0] for row in rows)

    def _across(self, known: str, wanted: str, units: Sequence[int], runs: Sequence[int] | None) -> Ids:
        chosen = self._chosen(runs)
        marks, run_marks = ",".join("?" * len(units)), ",".join("?" * len(chosen))
        static = self._connection.execute(f"SELECT {wanted} FROM edges WHERE {known} IN ({marks})", tuple(units))
        found = {row[0] for row in static}
        seen = self._connection.execute(
            f"SELECT {wanted}_anchor.unit FROM profile_edges"
            " JOIN anchors AS caller_anchor ON caller_anchor.id = profile_edges.anchor"
            " JOIN anchors AS callee_anchor ON callee_anchor.id = profile_edges.callee"
            f" WHERE {known}_anchor.unit IN ({marks}) AND {known}_anchor.run IN ({run_marks})"
            f" AND {wanted}_anchor.unit IS NOT NULL",
            (*units, *chosen),
        )
        return frozenset(found | {row[0] for row in seen})


def _ending(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%.{escaped}"
