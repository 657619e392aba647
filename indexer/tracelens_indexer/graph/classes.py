"""Classes of a workspace: their bases, Python's order of them, and where along it a name is found.

Known before any flow is: bases are followed through imports, attributes and subscripts, not through calls.
"""

from __future__ import annotations

from typing import Final

from tracelens_indexer.graph import mro
from tracelens_indexer.graph.names import Names, Source
from tracelens_indexer.graph.program import Program
from tracelens_indexer.graph.values import BUILTIN, EXTERNAL, PLACE
from tracelens_indexer.source import flow

MAX_DEPTH: Final = 40
MAX_MRO: Final = 200
DYNAMIC_BASE: Final = "dynamic base"


class Classes:
    """The classes of a `Program`."""

    def __init__(self, program: Program, names: Names) -> None:
        self._program = program
        self._names = names
        self._orders: dict[int, tuple[int | str, ...]] = {}
        self._direct: dict[int, list[int | str]] = {}
        """The bases of each class, found or (while empty) being found."""
        self._members: dict[int, dict[str, tuple[int, list[tuple[int, int]]]]] = {}
        self._own: dict[int, dict[str, tuple[int, list[tuple[int, int]]]]] = {}
        self._metaclasses: dict[int, int] = {}
        self.any_metaclass = any(file.flow.metaclasses for file in program.files)
        self.subclasses: dict[int, list[int]] = {}
        """Every class below a class, near ones first."""
        for unit, described in enumerate(program.units):
            if described.kind == "class":
                for base in self.order(unit)[1:]:
                    if isinstance(base, int):
                        self.subclasses.setdefault(base, []).append(unit)

    def order(self, unit: int) -> tuple[int | str, ...]:
        """Python's order of a class's bases (C3), itself first. Bases outside the workspace are their names."""
        # With a stack of its own: hierarchies may be deeper than Python's.
        known = self._orders.get(unit)
        if known is not None:
            return known
        pending = [unit]
        while pending:
            current = pending[-1]
            if current in self._orders:
                pending.pop()
                continue
            bases = self._direct.get(current)
            if bases is None:
                # A class that is met again while its bases are being found inherits from itself: it is cut there.
                self._direct[current] = []
                bases = self._direct[current] = self._bases(current)
                open_ = [base for base in bases if isinstance(base, int) and base not in self._orders]
                open_ = [base for base in open_ if base not in self._direct]
                if open_:
                    pending += open_
                    continue
            orders = [self._orders.get(base, (base,)) if isinstance(base, int) else (base,) for base in bases]
            merged = [one for one in mro.merge(orders, bases) if one != current]
            self._orders[current] = (current, *merged)[:MAX_MRO]
            pending.pop()
        return self._orders[unit]

    def metaclass(self, unit: int) -> int:
        """The class of the workspace that a class is an instance of, its own or a base's; -1 for type and others."""
        if not self.any_metaclass:
            return -1
        known = self._metaclasses.get(unit)
        if known is None:
            known = -1
            for base in self.order(unit):
                if isinstance(base, int):
                    file, index = self._program.source(base)
                    node = file.flow.metaclasses.get(index)
                    if node is not None:
                        found = self._follow((self._program.parent(base), node), 0)
                        known = next((one for one in found if isinstance(one, int) and one != unit), -1)
                        break
            self._metaclasses[unit] = known
        return known

    def is_dataclass(self, unit: int) -> bool:
        """Whether `__init__` is made by a decorator, as far as the decorators' names tell."""
        return any("dataclass" in decorator for decorator in self._program.units[unit].decorators)

    def _bases(self, unit: int) -> list[int | str]:
        file, index = self._program.source(unit)
        around = self._program.parent(unit)
        direct: list[int | str] = []
        for node in file.flow.bases.get(index, ()):
            direct += [base for base in self._base((around, node), 0) if base != unit and base not in direct]
        return direct

    def _base(self, source: Source, depth: int) -> list[int | str]:
        """The classes that a node means."""
        found: list[int | str] = []
        for one in self._follow(source, depth):
            if isinstance(one, int):
                found.append(one)
            elif one[0] == EXTERNAL:
                found.append(one[1])
            elif one[0] == BUILTIN:
                found += [f"builtins.{one[1]}"] if one[1] != "object" else []
            else:
                found.append(DYNAMIC_BASE)
        return found

    def _follow(self, source: Source, depth: int) -> list[int | tuple[int, str]]:
        """Class units and values that a source means, without calling anything."""
        if isinstance(source[1], str):
            return [(source[0], source[1])]
        unit, number = source[0], source[1]
        program = self._program
        code = program.code(unit)
        dynamic: list[int | tuple[int, str]] = [(-1, DYNAMIC_BASE)]
        if depth > MAX_DEPTH or not 0 <= number < len(code):
            return dynamic
        parts = code[number]
        form = parts[0]
        file, _ = program.source(unit)
        words = file.flow.words
        if form == flow.DEFINITION:
            defined = file.units[parts[1]]
            return [defined] if program.units[defined].kind == "class" else dynamic
        if form == flow.UNION:
            each: list[Source] = [(unit, node) for node in parts[1:]]
        elif form == flow.OUTER:
            each = [(file.units[parts[1]], node) for node in parts[2:]]
        elif form == flow.DECORATED:
            each = [(unit, parts[3])]
        elif form in (flow.ITEM, flow.ITEM_BY, flow.SLICE):
            each = [(unit, parts[1])]  # Generic[T] is the class
        elif form == flow.MEMBER:
            each = self._names.member(file.index, parts[1], words[parts[2]], words[parts[3]])
        elif form == flow.GLOBAL:
            each = self._names.free(file.index, words[parts[1]])
        elif form == flow.MODULE:
            each = [self._names.module(file.index, 0, words[parts[1]])]
        elif form == flow.ATTRIBUTE:
            return self._attribute((unit, parts[1]), words[parts[2]], depth)
        elif form == flow.CALL:
            called = self._follow((unit, parts[2]), depth + 1)
            return [one for one in called if not isinstance(one, int) and one[0] == EXTERNAL] or dynamic
        else:
            return dynamic
        return [found for one in each[:8] for found in self._follow(one, depth + 1)]

    def _attribute(self, base: Source, name: str, depth: int) -> list[int | tuple[int, str]]:
        found: list[int | tuple[int, str]] = []
        for one in self._follow(base, depth + 1):
            if isinstance(one, int):
                file, index = self._program.source(one)
                members = file.flow.members.get(index, {}).get(name, ())
                for unit, node in members:
                    found += self._follow((file.units[unit], node), depth + 1)
            elif one[0] == PLACE:
                for source in self._names.attribute(one[1], name):
                    found += self._follow(source, depth + 1)
            elif one[0] == EXTERNAL:
                found.append((EXTERNAL, f"{one[1]}.{name}"))
            else:
                found.append(one)
        return found

    def member(self, unit: int, name: str) -> tuple[int, list[tuple[int, int]]] | None:
        """The first class along a class's order that has a name, with the (unit, node) of each of its bindings."""
        known = self._members.get(unit)
        if known is None:
            known = self._members[unit] = {}
            for base in reversed(self.order(unit)):
                if isinstance(base, int):
                    known |= self.own(base)
        return known.get(name)

    def own(self, unit: int) -> dict[str, tuple[int, list[tuple[int, int]]]]:
        """The names in a class's own body."""
        known = self._own.get(unit)
        if known is None:
            file, index = self._program.source(unit)
            inside = file.flow.members.get(index, {})
            known = self._own[unit] = {
                name: (unit, [(file.units[owner], node) for owner, node in pairs]) for name, pairs in inside.items()
            }
        return known

    def outside(self, order: tuple[int | str, ...]) -> str:
        """The first base outside the workspace; "" when all are inside."""
        return next((one for one in order if isinstance(one, str)), "")
