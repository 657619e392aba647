"""The one writer of a workspace's store."""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from tracelens_indexer.graph.links import Edge, FileLinks, Links, Resolution
from tracelens_indexer.profiles.rows import AnchorKey, RunRow, UnitProfile
from tracelens_indexer.source.facts import FileFacts, qualname, unit_id
from tracelens_indexer.store import packing, run_files
from tracelens_indexer.store.anchoring import resolve_anchors
from tracelens_indexer.store.database import Corrupt, OtherVersion, open_for_writing
from tracelens_indexer.store.index import Index
from tracelens_indexer.store.layout import Layout
from tracelens_indexer.store.locking import writer_lock
from tracelens_indexer.store.packing import Packed


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """One source file with its facts, as it goes into the store."""

    path: str
    module: str
    content_hash: str
    """blake2b-16 hex of the bytes and the version of the facts."""
    blob: str
    """Git's id of the bytes, whether or not git tracks the file."""
    size: int
    mtime_ns: int
    facts: FileFacts


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What the store knows of a file without decoding its facts."""

    path: str
    module: str
    content_hash: str
    size: int
    mtime_ns: int


class Writer:
    """Context manager: takes the workspace's lock, opens the database, rebuilds one that cannot be used.

    `said` receives the lines that a person must see ("index of another version: rebuilt"). Each public method is one
    transaction; `transaction()` joins several. An exception or Ctrl-C inside leaves the store as it was before.
    """

    def __init__(self, root: Path, said: Callable[[str], None] = lambda line: None) -> None:
        self.layout = Layout(root)
        self._said = said
        self._stack = ExitStack()
        self._depth = 0

    def __enter__(self) -> Self:
        self.layout.create()
        with ExitStack() as stack:
            stack.enter_context(writer_lock(self.layout.lock, self._said))
            self._connection = self._open()
            stack.callback(self._connection.close)
            self.index = Index(self._connection, self.layout.root, owns=False)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _open(self) -> sqlite3.Connection:
        database = self.layout.database
        why = ""
        try:
            connection = open_for_writing(database)
        except (Corrupt, OtherVersion) as error:
            why = "of another version" if isinstance(error, OtherVersion) else "damaged"
            for name in ("index.db", "index.db-wal", "index.db-shm"):
                (self.layout.folder / name).unlink(missing_ok=True)
            connection = open_for_writing(database)
        self._connection = connection
        if not self.noted("restored"):
            self._restore_runs(why)
        return connection

    def _restore_runs(self, why: str) -> None:
        """Fill a new database with the runs whose files are there; `why` the old one could not be used, or ""."""
        restored = 0
        with self.transaction():
            for run, profiles in run_files.load_all(self.layout.runs):
                self._insert_run(run, profiles)
                restored += 1
            self.note("restored", "yes")
        if why or restored:
            kept = f"{restored} run{'' if restored == 1 else 's'} kept"
            self._said(f"index was {why or 'missing'}: rebuilt, {kept}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; nests."""
        if self._depth == 0:
            self._connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0:
                self._connection.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._connection.execute("COMMIT")

    # -- code --------------------------------------------------------------------------------------------------

    def known_files(self) -> dict[str, KnownFile]:
        rows = self._connection.execute("SELECT path, module, content_hash, size, mtime_ns FROM files")
        return {row[0]: KnownFile(*row) for row in rows}

    def facts(self, path: str) -> FileFacts | None:
        row = self._connection.execute("SELECT facts FROM files WHERE path = ?", (path,)).fetchone()
        return _decode_facts(row[0]) if row else None

    def all_facts(self, paths: Collection[str] | None = None) -> dict[str, tuple[str, FileFacts]]:
        """Path to (module, facts) of every file, or of some: the input of linking."""
        select = "SELECT path, module, facts FROM files"
        if paths is None:
            rows = self._connection.execute(f"{select} ORDER BY path").fetchall()
        else:
            found = (self._connection.execute(f"{select} WHERE path = ?", (path,)).fetchone() for path in sorted(paths))
            rows = [row for row in found if row]
        return {row[0]: (row[1], _decode_facts(row[2])) for row in rows}

    def replace_files(self, changed: Iterable[IndexedFile], removed: Iterable[str]) -> None:
        with self.transaction():
            for path in removed:
                self._forget_file(path)
            for file in changed:
                self._replace_file(file)

    def touch_files(self, stamps: Iterable[tuple[str, int, int]]) -> None:
        """(path, size, mtime_ns) of files whose bytes turned out to be the same."""
        with self.transaction():
            self._connection.executemany("UPDATE files SET size = ?2, mtime_ns = ?3 WHERE path = ?1", list(stamps))

    def _forget_file(self, path: str) -> None:
        """Remove a file with its units and the links of what they call."""
        callers = "caller IN (SELECT units.id FROM units JOIN files ON files.id = units.file WHERE files.path = ?)"
        self._connection.execute(f"DELETE FROM sites WHERE {callers}", (path,))
        self._connection.execute(f"DELETE FROM edges WHERE {callers}", (path,))
        self._connection.execute("DELETE FROM files WHERE path = ?", (path,))

    def _replace_file(self, file: IndexedFile) -> None:
        connection = self._connection
        self._forget_file(file.path)
        inserted = connection.execute(
            "INSERT INTO files (path, module, content_hash, blob, size, mtime_ns, lines, errors, facts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                file.path,
                file.module,
                file.content_hash,
                file.blob,
                file.size,
                file.mtime_ns,
                file.facts.lines,
                file.facts.errors,
                zlib.compress(msgspec.msgpack.encode(file.facts), 1),
            ),
        )
        ids = [unit_id(file.path, unit.scope, unit.ordinal) for unit in file.facts.units]
        connection.executemany(
            "INSERT INTO units VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    ids[position],
                    inserted.lastrowid,
                    position,
                    ids[unit.parent] if unit.parent >= 0 else None,
                    unit.scope,
                    unit.ordinal,
                    qualname(file.module, unit.scope, unit.ordinal),
                    unit.name,
                    unit.kind,
                    unit.first_line,
                    unit.def_line,
                    unit.end_line,
                    unit.name_line,
                    unit.name_column,
                    unit.body_hash,
                    unit.signature,
                    unit.docstring,
                    unit.returns,
                    unit.resumes,
                    msgspec.msgpack.encode(unit.parameters),
                    msgspec.msgpack.encode(unit.decorators),
                )
                for position, unit in enumerate(file.facts.units)
            ],
        )

    def replace_links(self, links: Links) -> None:
        with self.transaction():
            self._connection.execute("DELETE FROM sites")
            self._connection.execute("DELETE FROM edges")
            self._insert_links(links.edges, links.resolutions)
            self.note("graph_partial", "1" if links.partial else "0")

    def replace_file_links(self, links: Mapping[str, FileLinks]) -> None:
        """Replace the links of some files, by path."""
        with self.transaction():
            for path, its in links.items():
                callers = "caller IN (SELECT units.id FROM units JOIN files ON files.id = units.file WHERE path = ?)"
                self._connection.execute(f"DELETE FROM sites WHERE {callers}", (path,))
                self._connection.execute(f"DELETE FROM edges WHERE {callers}", (path,))
                self._insert_links(its.edges, its.resolutions)

    def _insert_links(self, edges: Iterable[Edge], resolutions: Iterable[Resolution]) -> None:
        self._connection.executemany(
            "INSERT INTO sites VALUES (?, ?, ?, ?, ?, ?)",
            [(r.unit, r.line, r.column, r.callee, r.status, r.reason) for r in resolutions],
        )
        self._connection.executemany(
            "INSERT INTO edges VALUES (?, ?, ?, ?, ?, ?)",
            [(e.caller, e.callee, e.kind, e.line, e.column, e.confidence) for e in edges],
        )

    def finish_index(self) -> None:
        """Re-anchor the runtime data to the units that are there now, and note the time."""
        with self.transaction():
            resolve_anchors(self._connection)
            self.note("indexed_ns", str(time.time_ns()))

    def note(self, key: str, value: str) -> None:
        with self.transaction():
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def noted(self, key: str) -> str:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    def files_with_errors(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM files WHERE errors > 0").fetchone()[0])

    # -- runs --------------------------------------------------------------------------------------------------

    def has_run(self, content_hash: str) -> bool:
        """Whether a run of this content is there already."""
        found = self._connection.execute("SELECT 1 FROM runs WHERE content_hash = ?", (content_hash,)).fetchone()
        return found is not None

    def add_run(self, run: RunRow, profiles: Mapping[AnchorKey, UnitProfile]) -> int | None:
        """Store what one run left; None when a run of the same content is there already."""
        if self.has_run(run.content_hash):
            return None
        rows = [packing.packed(key, profile) for key, profile in profiles.items()]
        run_files.save(self.layout.runs, run, rows)
        with self.transaction():
            return self._insert_run(run, rows)

    def drop_runs(self, runs: Sequence[int]) -> None:
        marks = ",".join("?" * len(runs))
        hashes = [
            row[0]
            for row in self._connection.execute(
                f"SELECT content_hash FROM runs WHERE id IN ({marks})",
                tuple(runs),
            )
        ]
        with self.transaction():
            self._connection.execute(f"DELETE FROM runs WHERE id IN ({marks})", tuple(runs))
        run_files.remove(self.layout.runs, hashes)

    def _insert_run(self, run: RunRow, profiles: Sequence[Packed]) -> int:
        connection = self._connection
        columns = _columns(run)
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        run_id = connection.execute(
            f"INSERT INTO runs ({names}) VALUES ({marks})",
            tuple(columns.values()),
        ).lastrowid
        assert run_id is not None
        anchors: dict[AnchorKey, int] = {}

        def anchor(key: AnchorKey) -> int:
            known = anchors.get(key)
            if known is None:
                known = connection.execute(
                    "INSERT INTO anchors (run, path, scope, ordinal, body_hash, unit, state)"
                    " VALUES (?, ?, ?, ?, ?, NULL, 'stale')",
                    (run_id, key.path, key.scope, key.ordinal, key.body_hash),
                ).lastrowid
                assert known is not None
                anchors[key] = known
            return known

        for profile in profiles:
            self._insert_profile(anchor(profile.key), profile, anchor)
        resolve_anchors(connection, run_id)
        return run_id

    def _insert_profile(self, anchor: int, profile: Packed, other: Callable[[AnchorKey], int]) -> None:
        connection = self._connection
        unit, key = profile.unit, profile.key
        connection.execute(
            "INSERT INTO profile_units VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                anchor,
                unit.calls,
                unit.counting,
                unit.resumes,
                unit.errors,
                unit.timed,
                unit.total_ns,
                unit.self_ns,
                unit.min_ns,
                unit.max_ns,
                unit.samples_total,
                unit.samples_self,
                unit.captured,
                profile.durations,
            ),
        )
        if profile.observed or profile.captures:
            connection.execute(
                "INSERT INTO profile_details VALUES (?, ?, ?)", (anchor, profile.observed, profile.captures)
            )
        if not profile.links:
            return
        links = packing.links(profile.links)
        connection.executemany(
            "INSERT INTO profile_edges VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (anchor, other(e.callee), e.site, e.calls, e.counting, e.total_ns, e.most, e.repeats)
                for e in links.edges
            ],
        )
        connection.executemany(
            "INSERT INTO profile_failures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    anchor,
                    failure_name(key, f.type, f.line, f.statement_hash),
                    f.type,
                    f.line,
                    f.statement_hash,
                    f.message,
                    f.n,
                    f.last_ns,
                    f.origin,
                    f.stack,
                    f.test,
                )
                for f in links.failures
            ],
        )
        connection.executemany(
            "INSERT INTO profile_tests VALUES (?, ?, ?)",
            [(anchor, test, calls) for test, calls in links.tests.items()],
        )


def failure_name(key: AnchorKey, type_name: str, line: int, statement_hash: str) -> str:
    """A failure's short, stable name: same exception, same statement, same unit."""
    place = statement_hash or str(line)
    text = json.dumps([key.path, key.scope, key.ordinal, type_name, place])
    return "f:" + blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()


def _columns(run: RunRow) -> dict[str, object]:
    return {name: getattr(run, name) for name in RunRow.__slots__}


def _decode_facts(blob: bytes) -> FileFacts:
    return msgspec.msgpack.decode(zlib.decompress(blob), type=FileFacts)
