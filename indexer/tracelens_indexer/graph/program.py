"""All files of a workspace as linking sees them: decoded facts, with every unit numbered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tracelens_indexer.graph.modules import Modules
from tracelens_indexer.source import flow
from tracelens_indexer.source.facts import FileFacts, Unit, unit_id


class File:
    """One version of a file's facts, decoded for linking."""

    __slots__ = ("facts", "flow", "index", "kept_sites", "moved", "path", "units")

    def __init__(self, index: int, path: str, facts: FileFacts, units: Sequence[int]) -> None:
        self.index = index
        """The file's position in `Program.files`."""
        self.path = path
        self.facts = facts
        self.units = units
        """The program's number of each unit of the file."""
        self.flow = flow.decode(facts.flow)
        self.moved: dict[tuple[int, int, int], tuple[int, int]] = {}
        """(unit, line, column) in code that is still read from an earlier version, to (line, column) now."""
        self.kept_sites: dict[int, tuple[File, int]] = {}
        """Call sites whose code is read from an earlier version: their index here to that version and theirs."""


class Program:
    """All files, with every unit numbered."""

    def __init__(self, files: Mapping[str, tuple[str, FileFacts]]) -> None:
        self.files: list[File] = []
        self.units: list[Unit] = []
        self.ids: list[int] = []
        self.numbers: dict[str, int] = {}
        """Path to file."""
        self._sources: list[File] = []
        """For each unit, the version of its file that its code is read from."""
        self._local: list[int] = []
        """For each unit, its index in that version."""
        for path in sorted(files):
            facts = files[path][1]
            count = len(facts.units)
            self.numbers[path] = len(self.files)
            file = File(len(self.files), path, facts, range(len(self.units), len(self.units) + count))
            self.files.append(file)
            self._sources += [file] * count
            self._local += range(count)
            self.units += facts.units
            self.ids += [unit_id(path, unit.scope, unit.ordinal) for unit in facts.units]
        self.nodes = sum(len(code) for file in self.files for code in file.flow.code.values())
        """Nodes of all code: how large the program is."""
        self.modules = Modules({path: files[path][0] for path in sorted(files)})

    def source(self, unit: int) -> tuple[File, int]:
        """Where a unit's code is written: a version of its file, and the unit's index in it."""
        return self._sources[unit], self._local[unit]

    def parent(self, unit: int) -> int:
        """The enclosing unit's number, or -1; a comprehension's code is the enclosing unit's."""
        file, index = self._sources[unit], self._local[unit]
        inside = file.facts.units[index].parent
        while inside >= 0 and inside in file.flow.owners:
            inside = file.flow.owners[inside]
        return inside if inside < 0 else file.units[inside]

    def code(self, unit: int) -> list[flow.Node]:
        return self._sources[unit].flow.code.get(self._local[unit], [])

    def replace(self, file: File, written_here: Iterable[int], gone: Iterable[int]) -> None:
        """Put a new version of a file in the place of the present one. `written_here`: units whose code is read from
        it from now on; that of its other units stays what it is. `gone`: units without any code from now on.
        """
        before = self.files[file.index].flow.code.values()
        self.nodes += sum(map(len, file.flow.code.values())) - sum(map(len, before))
        self.files[file.index] = file
        for unit, number in zip(file.facts.units, file.units, strict=True):
            if number == len(self.units):
                self.units.append(unit)
                self.ids.append(unit_id(file.path, unit.scope, unit.ordinal))
                self._sources.append(file)
                self._local.append(-1)
            else:
                self.units[number] = unit
        local = {number: at for at, number in enumerate(file.units)}
        for number in written_here:
            self._sources[number] = file
            self._local[number] = local[number]
        for number in gone:
            self._local[number] = -1
