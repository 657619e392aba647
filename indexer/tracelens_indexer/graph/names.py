"""What a name imported from elsewhere means: nodes of other modules' code, or a value. Known before any flow is.

An answer is a list of sources: (unit, node) in the code of a module or function, or a value's parts.
"""

from __future__ import annotations

from typing import TypeAlias

from tracelens_indexer.graph.program import Program
from tracelens_indexer.graph.values import BUILTIN, BUILTIN_NAMES, EXTERNAL, PLACE, UNKNOWN

Source: TypeAlias = tuple[int, int] | tuple[int, str]
"""(unit, node), or (form, payload): told apart by the type of the second part."""


class Names:
    """Resolves imports and module attributes of a `Program`."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._known: dict[tuple[str, str], list[Source]] = {}
        self._stars: dict[tuple[int, str], list[Source]] = {}

    def module(self, file: int, level: int, name: str) -> Source:
        path = self._program.files[file].path
        if level:
            place = self._program.modules.relative(path, level, name)
            if place is None:
                return (UNKNOWN, f"module {'.' * level}{name} not found")
        else:
            place = self._program.modules.absolute(path, name)
            if place is None:
                return (EXTERNAL, name)
        return (PLACE, place)

    def member(self, file: int, level: int, module: str, name: str) -> list[Source]:
        """What `from module import name` brings into a file."""
        if not level and module == "__future__":
            return [(EXTERNAL, "__future__")]
        source = self.module(file, level, module)
        if source[0] != PLACE or not isinstance(source[1], str):
            return [(EXTERNAL, f"{source[1]}.{name}") if source[0] == EXTERNAL else source]
        place = source[1]
        if self._program.numbers.get(place) == file:
            submodule = self._program.modules.submodule(place, name)
            if submodule is not None:
                # `from . import name` in the package's own __init__: the submodule.
                return [(PLACE, submodule)]
        return self.attribute(place, name)

    def attribute(self, place: str, name: str) -> list[Source]:
        """What a name of a module or namespace package means."""
        key = (place, name)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._attribute(place, name)
        return found

    def _attribute(self, place: str, name: str) -> list[Source]:
        number = self._program.numbers.get(place)
        if number is not None:
            found = self.export(number, name)
            if found:
                return found
        submodule = self._program.modules.submodule(place, name)
        if submodule is not None:
            return [(PLACE, submodule)]
        if number is not None and "__getattr__" in self._program.files[number].flow.exports:
            return [(UNKNOWN, "dynamic attribute")]
        return [(UNKNOWN, "attribute not found")]

    def export(self, file: int, name: str) -> list[Source]:
        """What a name of a module is to others; nothing when the module does not have it."""
        facts = self._program.files[file].flow
        nodes = facts.exports.get(name)
        if nodes is None:
            return self.from_stars(file, name) if facts.stars else []
        units = self._program.files[file].units
        found: list[Source] = [(units[0], node) for node in nodes]
        found += [(units[unit], node) for unit, node in facts.assigned_outside.get(name, ())]
        return found

    def from_stars(self, file: int, name: str) -> list[Source]:
        """A name that only `from module import *` can have brought; later imports win."""
        key = (file, name)
        known = self._stars.get(key)
        if known is not None:
            return known
        # A stack of its own: packages re-export through many levels, and in circles.
        outside: list[Source] = []
        found: list[Source] = []
        seen = {file}
        pending = [file]
        while pending and not found:
            current = pending.pop()
            for level, module in self._program.files[current].flow.stars:
                source = self.module(current, level, module)
                if source[0] != PLACE:
                    outside = outside or [source]
                    continue
                number = self._program.numbers.get(str(source[1]))
                if number is None or number in seen or not self._publishes(number, name):
                    continue
                seen.add(number)
                if name in self._program.files[number].flow.exports:
                    found = self.export(number, name)
                else:
                    pending.append(number)
        result = found or [(EXTERNAL, f"{source[1]}.{name}") if source[0] == EXTERNAL else source for source in outside]
        self._stars[key] = result
        return result

    def _publishes(self, file: int, name: str) -> bool:
        facts = self._program.files[file].flow
        if facts.public is not None and not facts.public_open:
            return name in facts.public
        return not name.startswith("_") or (facts.public is not None and name in facts.public)

    def free(self, file: int, name: str) -> list[Source]:
        """A name that the file does not bind: from a star import, or a builtin."""
        found = self.from_stars(file, name) if self._program.files[file].flow.stars else []
        if found and (
            name not in BUILTIN_NAMES or all(s[0] not in (EXTERNAL, UNKNOWN) or isinstance(s[1], int) for s in found)
        ):
            return found
        if name in BUILTIN_NAMES:
            return [(BUILTIN, name)]
        return [(UNKNOWN, "dynamic value" if name == "__class__" else "unknown name")]
