"""The runs of a store: which there are, which are meant when none is named, and which tests ran in them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracelens_indexer.store.answers import RunRecord
from tracelens_indexer.store.code import CodeIndex


class Runs(CodeIndex):
    """Adds runs to the code of an index; `runs` None means the current ones: the latest of each name and tool. `owns`:
    whether the connection is this one's to close."""

    def __init__(self, connection: sqlite3.Connection, root: Path, *, owns: bool) -> None:
        super().__init__(connection, root)
        self._owns = owns
        self._current: tuple[int, tuple[int, ...]] | None = None

    @property
    def generation(self) -> int:
        """Changes whenever another process has committed."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def runs(self) -> list[RunRecord]:
        rows = self._connection.execute(
            "SELECT runs.*, (SELECT count(*) FROM anchors WHERE anchors.run = runs.id AND anchors.unit IS NOT NULL)"
            " AS units FROM runs ORDER BY max(started_ns, imported_ns) DESC, id DESC"
        )
        return [
            RunRecord(
                id=row["id"],
                name=row["name"],
                tool=row["tool"],
                file=row["file"],
                started_ns=row["started_ns"],
                imported_ns=row["imported_ns"],
                duration_ns=row["duration_ns"],
                command=row["command"],
                commit=row["commit"],
                interpreter=row["interpreter"],
                environment=row["environment"],
                service=row["service"],
                redacted=row["redacted"],
                sample_weight=row["sample_weight"],
                sample_unit=row["sample_unit"],
                joined=json_object(row["joined"]),
                notes=row["notes"],
                units=row["units"],
            )
            for row in rows
        ]

    def current_runs(self) -> tuple[int, ...]:
        """Ids of the runs that are meant when none is named: the latest of each name and tool."""
        generation = self.generation
        if self._owns and self._current and self._current[0] == generation:
            return self._current[1]
        rows = self._connection.execute(
            "SELECT id, name, tool FROM runs ORDER BY max(started_ns, imported_ns) DESC, id DESC"
        )
        latest: dict[tuple[str, str], int] = {}
        for run_id, name, tool in rows:
            latest.setdefault((name, tool), run_id)
        chosen = tuple(latest.values())
        self._current = (generation, chosen)
        return chosen

    def tests(self, runs: Sequence[int] | None = None) -> list[tuple[str, int]]:
        """The tests of the runs by name, each with the number of units that it ran."""
        chosen = self._chosen(runs)
        rows = self._connection.execute(
            "SELECT test, count(DISTINCT anchors.unit) FROM profile_tests JOIN anchors ON anchors.id = anchor"
            f" WHERE run IN ({','.join('?' * len(chosen))}) AND anchors.unit IS NOT NULL GROUP BY test ORDER BY test",
            chosen,
        )
        return [(row[0], row[1]) for row in rows]

    def _chosen(self, runs: Sequence[int] | None) -> tuple[int, ...]:
        return self.current_runs() if runs is None else tuple(runs)

    def counts_calls(self, run: int) -> bool:
        """Whether a run counted calls; one of samples alone did not."""
        found = self._connection.execute(
            "SELECT 1 FROM anchors JOIN profile_units ON anchor = anchors.id"
            " WHERE run = ? AND calls + resumes > 0 LIMIT 1",
            (run,),
        )
        return found.fetchone() is not None

    def tests_named(self, named: str) -> list[str]:
        """Ids of the tests that are meant: by the id, or by as much of it as says it: its file, its last part, its name
        without the parameters in brackets."""
        rows = self._connection.execute(
            "SELECT test FROM profile_tests UNION SELECT test FROM profile_failures WHERE test != '' ORDER BY test"
        )
        return [row[0] for row in rows if _is_test(row[0], named)]

    def runs_of_test(self, named: str) -> frozenset[int]:
        """Ids of the runs in which such a test ran units of this workspace."""
        tests = json.dumps(self.tests_named(named))
        rows = self._connection.execute(
            "SELECT run FROM profile_tests JOIN anchors ON anchors.id = anchor"
            " WHERE test IN (SELECT value FROM json_each(?1))"
            " UNION SELECT run FROM profile_failures JOIN anchors ON anchors.id = anchor"
            " WHERE test IN (SELECT value FROM json_each(?1))",
            (tests,),
        )
        return frozenset(row[0] for row in rows)


def _is_test(test: str, named: str) -> bool:
    names = test, test.partition("[")[0], test.partition("::")[0]
    return (
        named in names
        or test.startswith(f"{named}::")
        or any(name.endswith((f"::{named}", f".{named}", f"/{named}")) for name in names)
    )


def json_object(text: str) -> dict[str, Any]:
    """An object that the store wrote; {} for anything else."""
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
