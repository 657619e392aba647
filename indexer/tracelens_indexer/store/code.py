"""What the store knows of the code: files, units, the static call graph. The runtime side is in index.py."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from tracelens_indexer.graph.links import Edge
from tracelens_indexer.source.facts import Parameter
from tracelens_indexer.store.answers import CallSiteRecord, IndexState, UnitRecord

UNIT = (
    "units.id, files.path, files.module, units.scope, units.ordinal, units.qualname, units.name, units.kind,"
    " units.parent, units.first_line, units.def_line, units.end_line, units.name_line, units.name_column,"
    " units.body_hash, units.signature, units.docstring, units.parameters, units.returns, units.resumes,"
    " units.decorators"
)
UNITS = f"SELECT {UNIT} FROM units JOIN files ON files.id = units.file"
_LONGEST_NAME = 2_000
"""Characters of what is asked for: nothing is called so, and SQLite refuses patterns of 50,000."""
_decode_decorators = msgspec.msgpack.Decoder(tuple[str, ...]).decode
_decode_parameters = msgspec.msgpack.Decoder(tuple[Parameter, ...]).decode


@dataclass(frozen=True, slots=True)
class FileRecord:
    path: str
    module: str
    content_hash: str
    blob: str
    lines: int
    errors: int


class CodeIndex:
    """Queries about the code as it was when it was last indexed."""

    def __init__(self, connection: sqlite3.Connection, root: Path) -> None:
        self.root = root
        self._connection = connection

    def state(self) -> IndexState:
        one = self._connection.execute
        meta = {row[0]: row[1] for row in one("SELECT key, value FROM meta")}
        sites = {row[0]: row[1] for row in one("SELECT status, count(*) FROM sites GROUP BY status")}
        return IndexState(
            files=one("SELECT count(*) FROM files").fetchone()[0],
            units=one("SELECT count(*) FROM units").fetchone()[0],
            sites=sum(sites.values()),
            resolved=sites.get("resolved", 0),
            external=sites.get("external", 0),
            unresolved=sites.get("unresolved", 0),
            indexed_ns=int(meta.get("indexed_ns", "0")),
            embedder=meta.get("embedder", ""),
            runs=one("SELECT count(*) FROM runs").fetchone()[0],
        )

    def file(self, path: str) -> FileRecord | None:
        row = self._connection.execute(
            "SELECT path, module, content_hash, blob, lines, errors FROM files WHERE path = ?", (path,)
        ).fetchone()
        return FileRecord(*row) if row else None

    def paths(self) -> list[str]:
        return [row[0] for row in self._connection.execute("SELECT path FROM files ORDER BY path")]

    def units_in(self, path: str) -> list[UnitRecord]:
        """The units of a file in source order; the module first."""
        return [
            unit_record(row)
            for row in self._connection.execute(f"{UNITS} WHERE files.path = ? ORDER BY position", (path,))
        ]

    def units_called(self, name: str) -> list[UnitRecord]:
        """Units whose last name is exactly this: every `find` of the workspace."""
        return [
            unit_record(row)
            for row in self._connection.execute(
                f"{UNITS} WHERE units.name = ? ORDER BY files.path, position LIMIT 1000", (name,)
            )
        ]

    def decorated_units(self) -> list[UnitRecord]:
        """All units that have decorators: what routes and tasks are named by."""
        return [
            unit_record(row)
            for row in self._connection.execute(
                f"{UNITS} WHERE units.decorators != x'90' ORDER BY files.path, position"
            )
        ]

    def unit(self, unit_id: int) -> UnitRecord | None:
        row = self._connection.execute(f"{UNITS} WHERE units.id = ?", (unit_id,)).fetchone()
        return unit_record(row) if row else None

    def find(self, text: str) -> list[UnitRecord]:
        """Units that a person may mean: "u:<id>" or its beginning, "path:line", a qualname or its end; best first."""
        text = text.strip().encode("utf-8", "replace").decode()
        if len(text) > _LONGEST_NAME:
            return []
        if match := re.fullmatch(r"u:([0-9a-f]{1,16})", text):
            unit = self.unit(int(match[1], 16)) if int(match[1], 16) < 1 << 63 else None
            if unit is None and len(match[1]) >= 6:
                return self._matching("printf('%x', units.id) LIKE ?", f"{match[1]}%")
            return [unit] if unit else []
        if match := re.fullmatch(r"(.+):(\d+)", text):
            return self._at_line(match[1], int(match[2]))
        exact = self._matching("qualname = ?", text)
        if exact:
            return self._implementations(exact)
        escaped = _escaped(text)
        ends = self._matching("qualname LIKE ? ESCAPE '\\'", f"%.{escaped}")
        if ends:
            return self._implementations(ends)
        if text.endswith(".py"):
            return [units[0] for path in self._paths_ending(text) if (units := self.units_in(path))]
        return self._matching("qualname LIKE ? ESCAPE '\\'", f"%{escaped}%")

    def _implementations(self, found: list[UnitRecord]) -> list[UnitRecord]:
        """What was found, with the function that runs in place of its `@overload`s."""
        result: dict[int, UnitRecord] = {}
        for unit in found:
            if _is_overload(unit):
                again = self._matching("qualname LIKE ? ESCAPE '\\'", f"{_escaped(unit.qualname.partition('#')[0])}#%")
                unit = next((one for one in again if one.path == unit.path and not _is_overload(one)), unit)
            result[unit.id] = unit
        return list(result.values())

    def _matching(self, condition: str, value: str) -> list[UnitRecord]:
        rows = self._connection.execute(
            f"{UNITS} WHERE {condition} ORDER BY length(qualname), qualname LIMIT 200", (value,)
        )
        return [unit_record(row) for row in rows]

    def _at_line(self, path: str, line: int) -> list[UnitRecord]:
        """The innermost named unit at a line, of each file whose path ends so."""
        found = []
        for candidate in self._paths_ending(path):
            around = [
                unit
                for unit in self.units_in(candidate)
                if unit.first_line <= line <= unit.end_line and unit.kind not in ("lambda", "comprehension")
            ]
            if around:
                found.append(max(around, key=lambda unit: (unit.first_line, -unit.end_line, unit.kind != "module")))
        return found

    def _paths_ending(self, path: str) -> list[str]:
        try:
            wanted = str(Path(path).resolve().relative_to(self.root.resolve()).as_posix())
        except ValueError:
            wanted = ""
        paths = self.paths()
        if wanted in paths:
            return [wanted]
        path = path.replace("\\", "/").removeprefix("./")
        return [p for p in paths if p == path or p.endswith("/" + path)]

    def units_named(self, words: str, limit: int = 20) -> list[UnitRecord]:
        """Units whose qualname holds every word; light enough for the server."""
        parts = [part for part in re.split(r"[^\w]+", words) if part][:8]
        if not parts:
            return []
        condition = " AND ".join(["qualname LIKE ? ESCAPE '\\'"] * len(parts))
        likes = ["%" + part.replace("_", "\\_") + "%" for part in parts]
        rows = self._connection.execute(
            f"{UNITS} WHERE {condition} AND kind NOT IN ('lambda', 'comprehension')"
            " ORDER BY length(qualname), qualname LIMIT ?",
            (*likes, limit),
        )
        return [unit_record(row) for row in rows]

    def units_by_id(self, ids: Iterable[int]) -> dict[int, UnitRecord]:
        return {unit_id: unit for unit_id in dict.fromkeys(ids) if (unit := self.unit(unit_id))}

    def all_units(self) -> list[UnitRecord]:
        return [unit_record(row) for row in self._connection.execute(f"{UNITS} ORDER BY files.path, position")]

    def text_signature(self, embedder: str) -> str:
        """Identity of all that search covers: equal signatures mean that the search table is up to date."""
        digest = blake2b(embedder.encode(), digest_size=16)
        for path, content in self._connection.execute("SELECT path, content_hash FROM files ORDER BY path"):
            digest.update(f"{path}\0{content}\0".encode(errors="surrogatepass"))
        return digest.hexdigest()

    # -- static graph ------------------------------------------------------------------------------------------

    def edges(self) -> list[Edge]:
        rows = self._connection.execute(
            'SELECT caller, callee, kind, line, "column", confidence FROM edges ORDER BY caller, line, "column", callee'
        )
        return [Edge(*row) for row in rows]

    def graph_is_partial(self) -> bool:
        """Whether linking hit one of its bounds: then edges may be missing."""
        row = self._connection.execute("SELECT value FROM meta WHERE key = 'graph_partial'").fetchone()
        return row is not None and row[0] == "1"

    def callers(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]:
        return self._ends("callee", "caller", unit_id)

    def callees(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]:
        return self._ends("caller", "callee", unit_id)

    def _ends(self, known: str, wanted: str, unit_id: int) -> list[tuple[UnitRecord, Edge]]:
        rows = self._connection.execute(
            f'SELECT {UNIT}, edges.caller, edges.callee, edges.kind, edges.line, edges."column", edges.confidence'
            f" FROM edges JOIN units ON units.id = edges.{wanted} JOIN files ON files.id = units.file"
            f" WHERE edges.{known} = ? ORDER BY files.path, edges.line",
            (unit_id,),
        )
        return [(unit_record(row), Edge(*tuple(row)[-6:])) for row in rows]

    def sites_in(self, path: str) -> list[CallSiteRecord]:
        """Every call site of a file with what it resolves to, in source order."""
        callers = {unit.id: unit for unit in self.units_in(path)}
        if not callers:
            return []
        marks = ",".join("?" * len(callers))
        targets: dict[tuple[int, int, int], list[tuple[UnitRecord, str]]] = {}
        for row in self._connection.execute(
            f'SELECT {UNIT}, edges.caller AS site_caller, edges.line AS site_line, edges."column" AS site_column,'
            " confidence FROM edges JOIN units ON units.id = edges.callee JOIN files ON files.id = units.file"
            f" WHERE edges.kind = 'call' AND edges.caller IN ({marks})",
            tuple(callers),
        ):
            key = (row["site_caller"], row["site_line"], row["site_column"])
            targets.setdefault(key, []).append((unit_record(row), row["confidence"]))
        rows = self._connection.execute(
            f'SELECT caller, line, "column", callee, status, reason FROM sites WHERE caller IN ({marks})'
            ' ORDER BY line, "column"',
            tuple(callers),
        )
        return [
            CallSiteRecord(callers[c], line, column, text, status, reason, tuple(targets.get((c, line, column), ())))
            for c, line, column, text, status, reason in rows
        ]


def unit_record(row: sqlite3.Row) -> UnitRecord:
    return UnitRecord(
        id=row[0],
        path=row[1],
        module=row[2],
        scope=row[3],
        ordinal=row[4],
        qualname=row[5],
        name=row[6],
        kind=row[7],
        parent=row[8],
        first_line=row[9],
        def_line=row[10],
        end_line=row[11],
        name_line=row[12],
        name_column=row[13],
        body_hash=row[14],
        signature=row[15],
        docstring=row[16],
        parameters=_decode_parameters(row[17]),
        returns=row[18],
        resumes=bool(row[19]),
        decorators=_decode_decorators(row[20]),
    )


def _escaped(text: str) -> str:
    """For LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _is_overload(unit: UnitRecord) -> bool:
    return any(decorator.rpartition(".")[2] == "overload" for decorator in unit.decorators)
