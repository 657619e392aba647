"""Opening a SQLite file that a tool of the user wrote: read-only, untrusted, bounded.

The store alone opens databases of ours; this is for trace files that happen to be databases. The file is never
written, locked or given a journal (immutable), functions and virtual tables that its schema names do not run
(untrusted schema), only real tables are read, and a query that works too long is stopped.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.report import Report

MAX_VALUE = 64 * 1024 * 1024
"""Bytes of one value."""
_STEPS = 100_000
_MAX_CALLBACKS = 200_000
"""Times so many steps of SQLite's machine: minutes of work, far more than reading a table takes."""


def recognises(head: bytes) -> bool:
    return head.startswith(b"SQLite format 3\x00")


class Database:
    """The tables of the file."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.tables = frozenset(
            row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        )

    def rows(self, query: str, *needs: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query of ours over real tables. Raises NotATrace when one is missing or the file is
        damaged."""
        if missing := set(needs) - self.tables:
            raise NotATrace(f"the database lacks the table {sorted(missing)[0]}. Was it written to the end?")
        try:
            yield from self._connection.execute(query)
        except sqlite3.Error as error:
            raise NotATrace(f"the database is damaged ({error}). Write it again") from error


@contextmanager
def opened(stream: BinaryIO, report: Report) -> Iterator[Database]:
    """Raises NotATrace when it cannot be opened."""
    with tempfile.TemporaryDirectory(prefix="tracelens-") as folder:
        name = getattr(stream, "name", None)
        if isinstance(name, str) and Path(name).is_file():
            path = Path(name).absolute()
        else:
            # Unpacked or piped: SQLite needs a path.
            path = Path(folder) / "trace.sqlite"
            stream.seek(0)
            with path.open("wb") as file:
                shutil.copyfileobj(stream, file, 1 << 20)
        try:
            connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
        except sqlite3.Error as error:
            raise NotATrace(f"the database cannot be opened ({error})") from error
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE)
            connection.set_progress_handler(_watch(report), _STEPS)
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA cell_size_check = ON")
            yield Database(connection)
        except sqlite3.Error as error:
            raise NotATrace(f"the database is damaged ({error}). Write it again") from error
        finally:
            connection.close()


def _watch(report: Report) -> Callable[[], int]:
    """Called now and then by SQLite; anything but 0 stops the query."""
    callbacks = 0

    def watch() -> int:
        nonlocal callbacks
        callbacks += 1
        return int(callbacks > _MAX_CALLBACKS or report.cancelled())

    return watch
