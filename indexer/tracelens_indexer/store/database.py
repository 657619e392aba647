"""Opening index.db: read-only for everybody, writable for the one holder of the lock."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tracelens_indexer.errors import NoIndex, StoreError
from tracelens_indexer.store.schema import SCHEMA_VERSION, TABLES

_NOT_THE_FILE = frozenset(
    (
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    )
)
"""Errors that say nothing of the database itself."""
REBUILD = "run `tracelens index` to rebuild it"


class OtherVersion(StoreError):
    """The database was written by another version of TraceLens."""


class Corrupt(StoreError):
    """The database is damaged."""


def open_for_reading(database: Path) -> sqlite3.Connection:
    """A connection that cannot write. Readers never wait for the writer (WAL)."""
    if not database.is_file():
        raise NoIndex(f"{database.parent.parent}: not indexed yet. Run: tracelens index")
    # A file name may hold ? and #, which would end the path of a URI.
    uri = database.resolve().as_uri()
    try:
        connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, check_same_thread=False, timeout=5.0)
        try:
            _verify(connection, database)
        except sqlite3.OperationalError:
            # A read-only file system has no place for the shared-memory file that WAL wants.
            connection.close()
            connection = sqlite3.connect(f"{uri}?immutable=1", uri=True, check_same_thread=False)
            _verify(connection, database)
    except sqlite3.OperationalError as error:
        raise StoreError(f"{database}: cannot be opened ({error}); {REBUILD}") from error
    except sqlite3.DatabaseError as error:
        raise Corrupt(f"{database}: is damaged ({error}); {REBUILD}") from error
    connection.row_factory = sqlite3.Row
    return connection


def open_for_writing(database: Path) -> sqlite3.Connection:
    """A connection in autocommit mode; transactions are begun explicitly. The caller holds the lock."""
    fresh = not database.exists()
    connection = sqlite3.connect(database, isolation_level=None, timeout=10.0)
    try:
        connection.row_factory = sqlite3.Row
        # A unit's packed values take a thousand bytes: in larger pages less of each is left empty.
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        if fresh or _is_empty(connection):
            connection.executescript(f"BEGIN;{TABLES};PRAGMA user_version = {SCHEMA_VERSION};COMMIT;")
        _verify(connection, database)
        return connection
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_THE_FILE:
            # A full disk is no reason to throw the index away.
            raise StoreError(f"{database}: cannot be written ({error})") from error
        raise Corrupt(f"{database}: is damaged ({error}); {REBUILD}") from error
    except BaseException:
        connection.close()
        raise


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _verify(connection: sqlite3.Connection, database: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise OtherVersion(
            f"{database}: is of format {version}, this TraceLens reads format {SCHEMA_VERSION}; {REBUILD}"
        )
    # Touches the first pages of the tables that everything needs: a damaged file is met here, not in an answer.
    connection.execute("SELECT count(*) FROM (SELECT 1 FROM files LIMIT 1)").fetchone()
    connection.execute("SELECT count(*) FROM (SELECT 1 FROM units LIMIT 1)").fetchone()
    connection.execute("SELECT count(*) FROM (SELECT 1 FROM anchors LIMIT 1)").fetchone()
