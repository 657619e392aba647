"""The runs that an index holds, and which of them are meant."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tracelens_indexer.store.answers import RunRecord
from tracelens_indexer.store.code import CodeIndex


class Runs(CodeIndex):
    """Adds runs to the code of an index. `owns`: whether the connection is this one's to close."""

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

    def _chosen(self, runs: Sequence[int] | None) -> tuple[int, ...]:
        return self.current_runs() if runs is None else tuple(runs)


def json_object(text: str) -> dict[str, Any]:
    """An object that a column holds; empty when it holds none."""
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
