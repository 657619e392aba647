"""All files of a workspace as linking sees them: decoded facts, with every unit numbered."""

from __future__ import annotations

from collections.abc import Mapping

from tracelens_indexer.graph.modules import Modules
from tracelens_indexer.source import flow
from tracelens_indexer.source.facts import FileFacts, Unit, unit_id


class File:
    """One file's facts, decoded for linking."""

    __slots__ = ("facts", "first_unit", "flow", "path")

    def __init__(self, path: str, facts: FileFacts, first_unit: int) -> None:
        self.path = path
        self.facts = facts
        self.first_unit = first_unit
        self.flow = flow.decode(facts.flow)


class Program:
    """All files, with every unit numbered."""

    def __init__(self, files: Mapping[str, tuple[str, FileFacts]]) -> None:
        self.files: list[File] = []
        self.units: list[Unit] = []
        self.file_of: list[int] = []
        """The file of each unit."""
        self.ids: list[int] = []
        self.numbers: dict[str, int] = {}
        """Path to file."""
        for path in sorted(files):
            facts = files[path][1]
            self.numbers[path] = len(self.files)
            self.file_of += [len(self.files)] * len(facts.units)
            self.files.append(File(path, facts, len(self.units)))
            self.units += facts.units
            self.ids += [unit_id(path, unit.scope, unit.ordinal) for unit in facts.units]
        self.modules = Modules({path: files[path][0] for path in sorted(files)})

    def parent(self, unit: int) -> int:
        """The enclosing unit's number, or -1; a comprehension's code is the enclosing unit's."""
        file = self.files[self.file_of[unit]]
        inside = self.units[unit].parent
        while inside >= 0 and inside in file.flow.owners:
            inside = file.flow.owners[inside]
        return inside if inside < 0 else file.first_unit + inside

    def code(self, unit: int) -> list[flow.Node]:
        file = self.files[self.file_of[unit]]
        return file.flow.code.get(unit - file.first_unit, [])
