"""The read side of the store: a view of the index that every surface asks.

Each method is a few point reads in SQLite. Which runs are meant is always a parameter; None means the current ones:
the latest run of each name and tool, so that recording the same thing again replaces what is shown, and a log
imported beside it adds to it. Where the runs hold data of a unit as it is now, what they hold of it as it was before
an edit is left out: old behaviour must not be counted with new.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens_indexer.errors import StoreError
from tracelens_indexer.profiles import histogram
from tracelens_indexer.profiles.rows import AnchorKey, AnchorState, CaptureRow
from tracelens_indexer.store import observing, packing
from tracelens_indexer.store.answers import (
    CaptureRecord,
    FailureRecord,
    Observation,
    ObservedEdge,
    ObservedPair,
    Profile,
    SiteValues,
    UnitRecord,
)
from tracelens_indexer.store.code import UNIT, unit_record
from tracelens_indexer.store.database import open_for_reading
from tracelens_indexer.store.facets import Facets
from tracelens_indexer.store.facets import not_superseded as _current
from tracelens_indexer.store.layout import Layout
from tracelens_indexer.store.runs import json_object
from tracelens_indexer.traces.records import Counting

if TYPE_CHECKING:
    import networkx

_WORST: dict[str, int] = {"exact": 0, "at least": 1, "estimated": 2}
_BESIDE = frozenset(("samples_total", "samples_self", "captured"))
"""What every run adds, whatever its tool."""
_COUNTINGS: tuple[Counting, ...] = ("exact", "at least", "estimated")
CAPTURE_BITS = 5
"""The name of a kept call is its anchor's id and, in these bits, its place there."""
_STATES: dict[str, int] = {"fresh": 0, "moved": 1, "unverified": 2, "stale": 3}


@dataclass(frozen=True, slots=True)
class Base:
    """What shares are shares of, over the chosen runs."""

    sample_weight: float
    self_ns: dict[str, int]
    """By tool: what two tools counted of one program is not added up."""


class Index(Facets):
    """A read-only view of one workspace's store. Cheap to open; used by one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, root: Path, *, owns: bool = True) -> None:
        super().__init__(connection, root, owns=owns)
        self.test = ""
        """The test that is looked through; "" all that ran (store/during.py)."""
        self._bases: dict[tuple[int, tuple[int, ...]], Base] = {}

    @classmethod
    def open(cls, root: Path) -> Index:
        """Raises NoIndex when there is none, StoreError when it is damaged, of another version, or not ours."""
        layout = Layout(root)
        distrust = layout.distrust() if layout.folder.exists() else ""
        if distrust:
            raise StoreError(distrust)
        return cls(open_for_reading(layout.database), root)

    def close(self) -> None:
        if self._owns:
            self._connection.close()

    # -- profiles ----------------------------------------------------------------------------------------------

    def _base(self, runs: tuple[int, ...]) -> Base:
        key = (self.generation, runs)
        if self._owns and key in self._bases:
            return self._bases[key]
        marks = ",".join("?" * len(runs))
        # Seconds and sample counts do not add up: shares come from the unit that most runs use.
        weight = self._connection.execute(
            f"SELECT sample_unit, sum(sample_weight) FROM runs WHERE id IN ({marks}) AND sample_weight > 0"
            " GROUP BY sample_unit ORDER BY count(*) DESC LIMIT 1",
            runs,
        ).fetchone()
        self_ns = dict(
            self._connection.execute(
                "SELECT tool, sum(self_ns) FROM profile_units JOIN anchors ON anchors.id = anchor"
                f" JOIN runs ON runs.id = run WHERE run IN ({marks}) GROUP BY tool",
                runs,
            ).fetchall()
        )
        base = Base(weight[1] if weight else 0.0, {tool: int(n or 0) for tool, n in self_ns.items()})
        self._bases = {key: base}
        return base

    def profile(self, unit_id: int, runs: Sequence[int] | None = None) -> Profile | None:
        """All that the runs say about a unit, or None when they say nothing."""
        unit = self.unit(unit_id)
        chosen = self._chosen(runs)
        if unit is None or not chosen:
            return None
        found = self._profiles({unit.id: unit}, chosen)
        if not found:
            return None
        profile, anchors = found[0]
        marks = ",".join("?" * len(anchors))
        observations, sites = self._observed_values(unit, anchors)
        return replace(
            profile,
            observations=observations,
            sites=sites,
            failures=tuple(self.failures(chosen, unit_id=unit_id)),
            tests=tuple(
                (row[0], row[1])
                for row in self._connection.execute(
                    f"SELECT test, sum(calls) FROM profile_tests WHERE anchor IN ({marks})"
                    " GROUP BY test ORDER BY sum(calls) DESC, test LIMIT 200",
                    anchors,
                )
            ),
        )

    def profiles_in(self, path: str, runs: Sequence[int] | None = None) -> dict[int, Profile]:
        """Of all units of a file that have data, without observations; failures included."""
        chosen = self._chosen(runs)
        units = {unit.id: unit for unit in self.units_in(path)}
        if not chosen or not units:
            return {}
        failures: dict[int, list[FailureRecord]] = {}
        for failure in self.failures(chosen, path=path):
            failures.setdefault(failure.unit.id, []).append(failure)
        return {
            # Few have any, and making a record again takes longer than reading it.
            profile.unit.id: replace(profile, failures=tuple(failures[profile.unit.id]))
            if profile.unit.id in failures
            else profile
            for profile, _ in self._profiles(units, chosen)
        }

    def hot(self, runs: Sequence[int] | None = None, limit: int = 20) -> list[Profile]:
        """The units where the time goes, by their own share of the run, then by own time, then by calls."""
        chosen = self._chosen(runs)
        if not chosen:
            return []
        marks = ",".join("?" * len(chosen))
        ids = [
            row[0]
            for row in self._connection.execute(
                "SELECT anchors.unit FROM anchors JOIN profile_units ON anchor = anchors.id"
                " JOIN units ON units.id = anchors.unit"
                f" WHERE run IN ({marks}) AND kind != 'module' AND {_current('anchors', len(chosen))}"
                " GROUP BY anchors.unit"
                " ORDER BY sum(samples_self) DESC, sum(self_ns) DESC, sum(samples_total) DESC, sum(calls) DESC,"
                " units.qualname LIMIT ?",
                (*chosen, *chosen, limit),
            )
        ]
        units = self.units_by_id(ids)
        found = {profile.unit.id: profile for profile, _ in self._profiles(units, chosen)}
        failures: dict[int, list[FailureRecord]] = {}
        for failure in self.failures(chosen):
            failures.setdefault(failure.unit.id, []).append(failure)
        return [
            replace(found[unit_id], failures=tuple(failures.get(unit_id, ()))) for unit_id in ids if unit_id in found
        ]

    def _profiles(self, units: dict[int, UnitRecord], runs: tuple[int, ...]) -> list[tuple[Profile, tuple[int, ...]]]:
        """Profiles with the ids of the anchors they come from, for units that have data in the runs."""
        if not units:
            return []
        base = self._base(runs)
        unit_marks, run_marks = ",".join("?" * len(units)), ",".join("?" * len(runs))
        rows: dict[int, list[sqlite3.Row]] = {}
        for row in self._connection.execute(
            "SELECT anchors.unit AS unit_id, anchors.id AS anchor_id, run, state, path, scope, tool, profile_units.*"
            " FROM anchors JOIN profile_units ON anchor = anchors.id JOIN runs ON runs.id = run"
            f" WHERE anchors.unit IN ({unit_marks}) AND run IN ({run_marks})"
            f" AND {_current('anchors', len(runs))} ORDER BY run DESC",
            (*units, *runs, *runs),
        ):
            rows.setdefault(row["unit_id"], []).append(row)
        found = []
        for unit_id, parts in rows.items():
            anchors = tuple(row["anchor_id"] for row in parts)
            found.append((self._merged(units[unit_id], parts, base), anchors))
        return found

    @staticmethod
    def _merged(unit: UnitRecord, every: list[sqlite3.Row], base: Base) -> Profile:
        tool = counting_tool((row["tool"], row["counting"]) for row in every if row["calls"] or row["resumes"])
        # Another tool's counts of the same unit are most likely of the same program, seen twice.
        parts = [row for row in every if not (row["calls"] or row["resumes"]) or row["tool"] == tool]
        not_added = tuple(row["run"] for row in every if row not in parts)

        def total(column: str) -> Any:
            added = every if column in _BESIDE else parts
            return added[0][column] if len(added) == 1 else sum(row[column] for row in added)

        durations: Mapping[int, int]
        if len(parts) == 1:
            durations = packing.durations(parts[0]["durations"])
        else:
            merged = Counter[int]()
            for row in parts:
                merged.update(packing.durations(row["durations"]))
            durations = merged
        p50, p95 = histogram.quantiles(durations, 0.5, 0.95)
        counted = [row["counting"] for row in parts if row["calls"] or row["resumes"]]
        counting: Counting = max(counted, key=_WORST.__getitem__, default="exact")
        # A log that only names a failure of the unit does not make its calls unverified.
        counted_parts = [row for row in parts if row["calls"] or row["resumes"] or row["samples_total"]] or parts
        state: AnchorState = max((row["state"] for row in counted_parts), key=_STATES.__getitem__)
        low = [row["min_ns"] for row in parts if row["min_ns"] >= 0]
        high = [row["max_ns"] for row in parts if row["max_ns"] >= 0]
        samples_total, samples_self = float(total("samples_total")), float(total("samples_self"))
        self_ns, total_ns = int(total("self_ns")), int(total("total_ns"))
        share_counting: Counting
        self_share: float | None
        total_share: float | None
        if base.sample_weight > 0:
            self_share, total_share = samples_self / base.sample_weight, samples_total / base.sample_weight
            share_counting = "estimated"
        elif (whole := base.self_ns.get(tool, 0)) > 0 and (self_ns or total_ns):
            self_share, total_share = self_ns / whole, min(1.0, total_ns / whole)
            share_counting = counting
        else:
            self_share = total_share = None
            share_counting = "exact"
        moved = next((f"{row['path']}:{row['scope']}" for row in parts if row["state"] == "moved"), "")
        return Profile(
            unit=unit,
            state=state,
            counting=counting,
            calls=total("calls"),
            resumes=total("resumes"),
            errors=total("errors"),
            timed=total("timed"),
            total_ns=total_ns,
            self_ns=self_ns,
            min_ns=min(low, default=None),
            max_ns=max(high, default=None),
            p50_ns=p50,
            p95_ns=p95,
            samples_total=samples_total,
            samples_self=samples_self,
            total_share=total_share,
            self_share=self_share,
            share_counting=share_counting,
            captured=total("captured"),
            runs=tuple(dict.fromkeys(row["run"] for row in every)),
            not_added=not_added,
            moved_from=moved,
        )

    def _observed_values(
        self, unit: UnitRecord, anchors: tuple[int, ...]
    ) -> tuple[tuple[Observation, ...], tuple[SiteValues, ...]]:
        marks = ",".join("?" * len(anchors))
        rows = self._connection.execute(
            "SELECT run, observed FROM profile_details JOIN anchors ON anchors.id = anchor"
            f" WHERE anchor IN ({marks}) AND observed != x''",
            anchors,
        )
        parts = [(row[0], packing.observed(row[1])) for row in rows]
        found: dict[tuple[int, int, str], Counter[str | None]] = {}
        callers: dict[tuple[int, AnchorKey], UnitRecord | None] = {}
        for run, part in parts:
            for site in part.sites:
                key = run, site.caller
                if key not in callers:
                    callers[key] = self._anchored(run, site.caller)
                caller = callers[key]
                if caller is not None and site.site >= 0:
                    place = caller.id, caller.first_line + site.site, site.slot
                    found.setdefault(place, Counter())[site.text] += site.n
        by_id = {unit.id: unit for unit in callers.values() if unit}
        sites = tuple(
            SiteValues(by_id[caller_id], line, slot, tuple(sorted(counts.items(), key=lambda v: (v[0] is None, -v[1]))))
            for (caller_id, line, slot), counts in found.items()
        )
        return observing.observations(unit, [part for _, part in parts]), sites

    def _anchored(self, run: int, key: AnchorKey) -> UnitRecord | None:
        """The unit that an anchor of a run is now; None when its lines may have moved."""
        row = self._connection.execute(
            "SELECT unit FROM anchors WHERE run = ? AND path = ? AND scope = ? AND ordinal = ? AND body_hash = ?"
            " AND state IN ('fresh', 'moved')",
            (run, key.path, key.scope, key.ordinal, key.body_hash),
        ).fetchone()
        return self.unit(row[0]) if row and row[0] is not None else None

    # -- failures and calls ------------------------------------------------------------------------------------

    def failures(
        self, runs: Sequence[int] | None = None, unit_id: int | None = None, path: str | None = None
    ) -> list[FailureRecord]:
        """Where exceptions were raised first, then where they passed through; the most frequent first."""
        return self._failures(self._chosen(runs), unit_id=unit_id, path=path)

    def failure(self, name: str) -> FailureRecord | None:
        """A failure by its name ("f:3fa9c1d2", or a unique beginning of it), in the current runs, else in any."""
        name = name if name.startswith("f:") else f"f:{name}"
        if not re.fullmatch(r"f:[0-9a-f]{2,16}", name):
            return None
        every = tuple(row[0] for row in self._connection.execute("SELECT id FROM runs"))
        for runs in (self.current_runs(), every):
            found = self._failures(runs, name=name)
            if len({record.id for record in found}) == 1:
                return next((record for record in found if record.origin), found[0])
        return None

    def _failures(
        self,
        runs: tuple[int, ...],
        *,
        unit_id: int | None = None,
        path: str | None = None,
        name: str | None = None,
    ) -> list[FailureRecord]:
        if not runs:
            return []
        conditions = [f"anchors.run IN ({','.join('?' * len(runs))})", _current("anchors", len(runs))]
        values: list[object] = [*runs, *runs]
        if unit_id is not None:
            conditions.append("anchors.unit = ?")
            values.append(unit_id)
        if path is not None:
            # By the ids of the file's units: there are few of these, and many anchors.
            ids = self._connection.execute(
                "SELECT units.id FROM units JOIN files ON files.id = units.file WHERE files.path = ?", (path,)
            ).fetchall()
            conditions.append(f"anchors.unit IN ({','.join('?' * len(ids))})")
            values += [row[0] for row in ids]
        if self.test:
            conditions.append("test = ?")
            values.append(self.test)
        if name is not None:
            conditions.append("failure >= ? AND failure < ?")
            values += [name, name + "g"]
        rows = self._connection.execute(
            f"SELECT {UNIT}, anchors.run, anchors.state, profile_failures.*, profile_units.calls AS unit_calls,"
            " profile_units.counting AS unit_counting"
            " FROM profile_failures JOIN anchors ON anchors.id = profile_failures.anchor"
            " JOIN units ON units.id = anchors.unit JOIN files ON files.id = units.file"
            " LEFT JOIN profile_units ON profile_units.anchor = anchors.id"
            f" WHERE {' AND '.join(conditions)} ORDER BY anchors.run DESC",
            values,
        )
        grouped: dict[tuple[str, int], list[sqlite3.Row]] = {}
        for row in rows:
            grouped.setdefault((row["failure"], row["id"]), []).append(row)
        records = [_failure(parts) for parts in grouped.values()]
        return sorted(records, key=lambda r: (not r.origin, -r.n, r.unit.qualname, r.type, r.line))

    def captures(
        self, unit_id: int, runs: Sequence[int] | None = None, outcome: str | None = None, limit: int = 20
    ) -> list[CaptureRecord]:
        """Calls kept with their values; outcome "" returned, "*" raised anything, else that exception type."""
        chosen = self._chosen(runs)
        unit = self.unit(unit_id)
        if unit is None or not chosen:
            return []
        rows = self._connection.execute(
            "SELECT profile_details.anchor, captures, anchors.run, anchors.body_hash FROM profile_details"
            " JOIN anchors ON anchors.id = anchor"
            f" WHERE anchors.unit = ? AND run IN ({','.join('?' * len(chosen))})"
            f" AND {_current('anchors', len(chosen))} ORDER BY anchor",
            (unit_id, *chosen, *chosen),
        )
        found: list[CaptureRecord] = []
        for anchor, blob, run, body_hash in rows:
            for at, row in enumerate(packing.captures(blob)):
                if outcome is None or row.outcome == outcome or (outcome == "*" and row.outcome):
                    found.append(_capture(row, (anchor << CAPTURE_BITS) + at, unit, run, body_hash))
                    if len(found) >= limit:
                        return found
        return found

    def capture(self, name: str) -> CaptureRecord | None:
        """A call by its name, "c:1f"."""
        match = re.fullmatch(r"(?:c:)?([0-9a-f]{1,12})", name)
        if not match:
            return None
        number = int(match[1], 16)
        row = self._connection.execute(
            "SELECT captures, anchors.run, anchors.body_hash, anchors.unit FROM profile_details"
            " JOIN anchors ON anchors.id = anchor WHERE anchor = ?",
            (number >> CAPTURE_BITS,),
        ).fetchone()
        unit = self.unit(row["unit"]) if row and row["unit"] is not None else None
        kept = packing.captures(row["captures"]) if row and unit else []
        at = number & ((1 << CAPTURE_BITS) - 1)
        return _capture(kept[at], number, unit, row["run"], row["body_hash"]) if unit and at < len(kept) else None

    def observed_callers(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]:
        return self._observed("callee_anchor", "caller_anchor", unit_id, self._chosen(runs))

    def observed_callees(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]:
        return self._observed("caller_anchor", "callee_anchor", unit_id, self._chosen(runs))

    def observed_pairs(self, runs: Sequence[int] | None = None) -> list[ObservedPair]:
        """All calls between units of the workspace that the runs saw."""
        chosen = self._chosen(runs)
        rows = self._connection.execute(
            "SELECT caller_anchor.unit AS caller, callee_anchor.unit AS callee, site,"
            " units.first_line AS caller_line, sum(calls) AS n,"
            " max(CASE counting WHEN 'exact' THEN 0 WHEN 'at least' THEN 1 ELSE 2 END) AS worst,"
            " sum(total_ns) AS total, runs.tool AS tool FROM profile_edges"
            " JOIN anchors AS caller_anchor ON caller_anchor.id = profile_edges.anchor"
            " JOIN anchors AS callee_anchor ON callee_anchor.id = profile_edges.callee"
            " JOIN runs ON runs.id = caller_anchor.run"
            " JOIN units ON units.id = caller_anchor.unit"
            f" WHERE caller_anchor.run IN ({','.join('?' * len(chosen))}) AND callee_anchor.unit IS NOT NULL"
            f" AND {_current('caller_anchor', len(chosen))}"
            " GROUP BY caller, callee, site, tool ORDER BY caller, callee, site",
            (*chosen, *chosen),
        ).fetchall()
        return [
            ObservedPair(
                caller=row["caller"],
                callee=row["callee"],
                calls=row["n"],
                counting=_COUNTINGS[row["worst"]],
                total_ns=row["total"],
                site_line=row["caller_line"] + row["site"] if row["site"] >= 0 else 0,
            )
            for row in _told(rows, lambda row: (row["caller"], row["callee"], row["site"]))
        ]

    def graph(self, runs: Sequence[int] | None = None) -> networkx.DiGraph:
        """The call graph, from the source and the runs. graph/networkx_graph.py says what its attributes are."""
        from tracelens_indexer.graph.networkx_graph import digraph

        chosen = self._chosen(runs)
        ran = {
            row[0]: (row[1], _COUNTINGS[row[2]])
            for row in self._connection.execute(
                "SELECT anchors.unit, sum(calls + resumes),"
                " max(CASE counting WHEN 'exact' THEN 0 WHEN 'at least' THEN 1 ELSE 2 END)"
                " FROM profile_units JOIN anchors ON anchors.id = anchor"
                f" WHERE run IN ({','.join('?' * len(chosen))}) AND anchors.unit IS NOT NULL"
                f" AND calls + resumes > 0 AND {_current('anchors', len(chosen))} GROUP BY anchors.unit",
                (*chosen, *chosen),
            )
        }
        return digraph(
            self.all_units(), self.edges(), self.observed_pairs(chosen), ran, partial=self.graph_is_partial()
        )

    def _observed(self, known: str, wanted: str, unit_id: int, runs: tuple[int, ...]) -> list[ObservedEdge]:
        if not runs:
            return []
        rows = self._connection.execute(
            f"SELECT {wanted}.unit AS other, site, caller_unit.first_line AS caller_line, sum(calls) AS n,"
            " max(CASE counting WHEN 'exact' THEN 0 WHEN 'at least' THEN 1 ELSE 2 END) AS worst,"
            " sum(total_ns) AS total, max(most) AS most, sum(repeats) AS repeats, runs.tool AS tool"
            " FROM profile_edges"
            " JOIN anchors AS caller_anchor ON caller_anchor.id = profile_edges.anchor"
            " JOIN anchors AS callee_anchor ON callee_anchor.id = profile_edges.callee"
            " JOIN units AS caller_unit ON caller_unit.id = caller_anchor.unit"
            " JOIN runs ON runs.id = caller_anchor.run"
            f" WHERE {known}.unit = ? AND {known}.run IN ({','.join('?' * len(runs))}) AND {wanted}.unit IS NOT NULL"
            f" AND {_current('caller_anchor', len(runs))} GROUP BY other, site, tool ORDER BY n DESC",
            (unit_id, *runs, *runs),
        ).fetchall()
        units = self.units_by_id(row["other"] for row in rows)
        return [
            ObservedEdge(
                unit=units[row["other"]],
                calls=row["n"],
                counting=_COUNTINGS[row["worst"]],
                total_ns=row["total"],
                site_line=row["caller_line"] + row["site"] if row["site"] >= 0 else 0,
                most=row["most"],
                repeats=row["repeats"],
            )
            for row in _told(rows, lambda row: (row["other"], row["site"]))
            if row["other"] in units
        ]


def counting_tool(counted: Iterable[tuple[str, str]]) -> str:
    """Of the tools that counted calls of a unit, (tool, counting), the one whose numbers are told: the most certain,
    and of equals our own recorder, then the first. "" none."""
    best = min(counted, key=lambda found: (_WORST[found[1]], found[0] != "tracelens"), default=("", ""))
    return best[0]


def _told(rows: Iterable[sqlite3.Row], place: Callable[[sqlite3.Row], object]) -> list[sqlite3.Row]:
    """Of rows of several tools about one place those of the tool whose numbers are told."""
    grouped: dict[object, list[sqlite3.Row]] = {}
    for row in rows:
        grouped.setdefault(place(row), []).append(row)
    return [
        next(row for row in group if row["tool"] == tool)
        for group in grouped.values()
        for tool in [counting_tool((row["tool"], _COUNTINGS[row["worst"]]) for row in group)]
    ]


def open_index(root: Path) -> Index:
    return Index.open(root)


def _failure(parts: list[sqlite3.Row]) -> FailureRecord:
    unit = unit_record(parts[0])
    last = max(parts, key=lambda row: row["last_ns"])
    offset = last["line"]
    calls = {row["anchor"]: row["unit_calls"] or 0 for row in parts}
    return FailureRecord(
        id=last["failure"],
        unit=unit,
        type=last["type"],
        message=last["message"],
        line=unit.first_line + offset if offset >= 0 else 0,
        statement_hash=last["statement_hash"],
        n=sum(row["n"] for row in parts),
        calls=sum(calls.values()),
        counting=max((row["unit_counting"] or "exact" for row in parts), key=_WORST.__getitem__),
        last_ns=last["last_ns"],
        origin=any(row["origin"] for row in parts),
        # Seen once on the code as it is, it is a failure of the code as it is.
        state=min((row["state"] for row in parts), key=_STATES.__getitem__),
        stack=tuple((f[0], f[1], f[2], f[3], f[4]) for f in json.loads(last["stack"] or "[]")),
        tests=tuple(dict.fromkeys(row["test"] for row in parts if row["test"])),
        run=last["run"],
    )


def _capture(row: CaptureRow, number: int, unit: UnitRecord, run: int, body_hash: str) -> CaptureRecord:
    detail = json_object(row.detail)
    result, caller = detail.get("result"), detail.get("caller")
    return CaptureRecord(
        id=f"c:{number:x}",
        unit=unit,
        run=run,
        call=row.call,
        started_ns=row.started_ns,
        duration_ns=row.duration_ns,
        outcome=row.outcome,
        arguments=tuple((a[0], a[1], a[2]) for a in detail.get("arguments", ())),
        result=(result[0], result[1]) if result else None,
        message=detail.get("message", ""),
        line=detail.get("line", 0),
        caller=(caller[0], caller[1], caller[2]) if caller else None,
        test=detail.get("test", ""),
        about=tuple((name, text) for name, text in detail.get("about", ())),
        replay=json.loads(row.replay) if row.replay else None,
        body_hash=body_hash,
    )
