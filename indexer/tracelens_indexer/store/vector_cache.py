"""Vectors that were computed for a search, kept by model and text: rescored.db in the store.

A cache of its own file: losing it costs time, never an answer, and the readers of index.db never wait for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

_MOST_ROWS = 100_000
"""About 75 MB of a 384-dimensional model; the oldest go first."""


class VectorCache:
    """Reads and writes never raise: without a cache everything is computed."""

    def __init__(self, path: Path) -> None:
        try:
            self._connection: sqlite3.Connection | None = sqlite3.connect(path, timeout=1.0)
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (model TEXT, text TEXT, vector BLOB, PRIMARY KEY (model, text))"
            )
        except sqlite3.Error:
            self._connection = None

    def get(self, model: str, texts: Sequence[str]) -> dict[str, NDArray[float32]]:
        """Text hash to vector, of those that are known; `model` is "name-version"."""
        import numpy

        if self._connection is None or not texts:
            return {}
        marks = ",".join("?" * len(texts))
        query = f"SELECT text, vector FROM vectors WHERE model = ? AND text IN ({marks})"
        try:
            found = self._connection.execute(query, [model, *texts]).fetchall()
        except sqlite3.Error:
            return {}
        return {text: numpy.frombuffer(vector, numpy.float16).astype(numpy.float32) for text, vector in found}

    def put(self, model: str, vectors: Mapping[str, NDArray[float32]]) -> None:
        if self._connection is None or not vectors:
            return
        rows = [(model, text, vector.astype("float16").tobytes()) for text, vector in vectors.items()]
        oldest = "DELETE FROM vectors WHERE rowid <= (SELECT max(rowid) FROM vectors) - ?"
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)
                self._connection.execute(oldest, [_MOST_ROWS])
        except sqlite3.Error:
            return

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
