"""What Python does without a call being written: special methods, setters, and what defining a class runs; names of
attributes that are computed.
"""

from __future__ import annotations

from typing import Final

from tracelens_indexer.graph.attributes import Attributes, Place
from tracelens_indexer.graph.flowing import NOWHERE
from tracelens_indexer.graph.models import STANDS_IN
from tracelens_indexer.graph.program import Program
from tracelens_indexer.graph.values import (
    BUILT,
    CLASS,
    CONSTANT,
    FAMILY,
    FUNCTION,
    INSTANCE,
    METHOD,
    PLACE,
    SETTER,
    SUPER,
    UNKNOWN,
    Value,
    is_whole,
)
from tracelens_indexer.source import flow

MAX_FAMILY: Final = 300
"""Methods that a computed name may mean: a compiler has one for each kind of node."""
MIN_PREFIX: Final = 3
"""Characters of a prefix (a quote included) from which on it is more than a guess."""


class Language(Attributes):
    """Adds what Python calls itself."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._constants: dict[str, int] = {}
        """The node of each constant that one was needed for."""
        self._families: dict[tuple[int, str], list[int]] = {}

    def define_class(self, unit: int, within: int) -> None:
        """What Python calls when a class is defined: its metaclass, and `__init_subclass__` of its bases."""
        place: Place = (within, self.program.units[unit].def_line, 0, "implicit")
        made = self.values.number(CLASS, unit)
        metaclass = self.classes.metaclass(unit)
        for name in ("__new__", "__init__") if metaclass >= 0 else ():
            member = self.member(metaclass, name)
            if member is not None:
                callee = self.new_nodes(1)
                first = made if name == "__init__" else self.values.number(CLASS, metaclass)
                self.watch(member, self._bind_first, first, callee)
                self.call_implicitly(place, callee, (), NOWHERE)
        below = self._member_of(self.classes.order(unit)[1:], "__init_subclass__")
        if below is not None:
            callee = self.new_nodes(1)
            self.watch(below, self._bind_first, made, callee)
            self.call_implicitly(place, callee, (), NOWHERE)

    def special(self, value: Value, name: str, place: Place, given: tuple[int, ...], result: int) -> bool:
        """Have Python call a method of a value's class, as it does for operators; whether there is one."""
        member = self.special_member(value, name)
        if member is None:
            return False
        key = (result, name)
        callee = self._implicit.get(key)
        if callee is None:
            callee = self._implicit[key] = self.new_nodes(1)
            self.lasting(self.call_implicitly, place, callee, given, result)
        if self.values.forms[value] == CLASS:
            self.watch(member, self._bind_first, value, callee)
        else:
            self.watch(member, self._bind, value, callee, None)
        return True

    def ask(self, value: Value, name: str, place: Place, given: tuple[int, ...], result: int) -> bool:
        """Have Python call a special method of an instance, or the one that stands in for it where there is none."""
        if self.special(value, name, place, given, result):
            return True
        if self.values.forms[value] != INSTANCE:
            return False
        if name == "__str__" and self.classes.outside(self.classes.order(self.values.first(value))):
            return False  # str, exceptions and enumerations have their own
        other = STANDS_IN.get(name) or (f"__{name[3:]}" if name.startswith("__i") else "")
        return bool(other) and self.special(value, other, place, given, result)

    def hashed(self, key: Value, place: Place, result: int) -> None:
        """An instance as the key of a dict or set."""
        if self.values.forms[key] == INSTANCE:
            for name in ("__hash__", "__eq__"):
                self.special(key, name, place, (), self.ignored(result, name))

    def ignored(self, node: int, name: str) -> int:
        """A node for what a special method gives that nobody sees."""
        found = self._implicit.get((node, f"ignored {name}"))
        if found is None:
            found = self._implicit[node, f"ignored {name}"] = self.new_nodes(1)
        return found

    # Stores

    def store(self, value: Value, name: str, stored: int, place: Place) -> None:
        """`value.name = stored`"""
        form = self.values.forms[value]
        if form == INSTANCE:
            self.edge(stored, self.field(value, name))
            unit = self.values.first(value)
            if self.member(unit, "__setattr__") is not None:
                # It alone is called, and what it does with a property is for its own code to say. It is told the
                # name; the values of all attributes would only meet in it.
                told = (self.constant_node(f"'{name}'"),)
                self.special(value, "__setattr__", place, told, self.ignored(stored, f"set {place[1]}:{place[2]}"))
                return
            member = self.member(unit, name)
            if member is not None:
                self.watch(member, self._set_property, value, stored, place)
        elif form in (CLASS, FUNCTION):
            self.edge(stored, self.field(value, name))

    def constant_node(self, constant: str) -> int:
        """A node of one constant."""
        node = self._constants.get(constant)
        if node is None:
            node = self._constants[constant] = self.new_nodes(1)
            self.lasting(self.add, node, self.values.number(CONSTANT, constant))
        return node

    def set_as_object(self, value: Value, names: int, place: Place) -> None:
        """`object.__setattr__(value, name, …)`: a property's setter is called, `__setattr__` is not.

        What is stored is told where `value.name = …` is written: here all names and all values have met.
        """
        if self.values.forms[value] == INSTANCE:
            self.watch(names, self._set_named, value, self.constant_node("'"), place)

    def _set_named(self, name: Value, value: Value, stored: int, place: Place) -> None:
        form = self.values.forms[name]
        unit = self.values.first(value)
        if form == CONSTANT:
            names = [self.values.name(name).strip("'")]
        elif form == BUILT:
            names, value = self._properties(unit), value | 1
        else:
            return
        for one in names:
            member = self.member(unit, one)
            if member is not None:
                self.watch(member, self._set_property, value, stored, place)

    def _properties(self, unit: int) -> list[str]:
        """What is decorated along a class's order and stored somewhere: properties that have a setter are among it."""
        found: dict[str, None] = {}
        for base in self.classes.order(unit):
            if isinstance(base, int):
                file, index = self.program.source(base)
                for name, places in file.flow.members.get(index, {}).items():
                    if name in self.stored and any(
                        self.program.code(file.units[at])[node][0] == flow.DECORATED for at, node in places
                    ):
                        found[name] = None
        return list(found)

    def _set_property(self, value: Value, receiver: Value, stored: int, place: Place) -> None:
        if self.values.forms[value] == SETTER:
            setter = self.values.first(value)
            key = (stored, f"setter {place[1]}:{place[2]}")
            callee = self._implicit.get(key)
            if callee is None:
                callee = self._implicit[key] = self.new_nodes(1)
                self.lasting(self.call_implicitly, place, callee, (stored,), NOWHERE)
            self.add(callee, self.values.number(METHOD, setter, receiver & ~1) + (receiver & 1))

    # Names that are computed

    def beginning(self, value: Value) -> Value:
        """What is put together from a constant and something behind it: of a string its beginning is known."""
        constant = self.values.name(value)
        if not constant.startswith("'") or constant in ("''", "'"):
            return value
        return self.values.number(CONSTANT, constant.rstrip("'"))

    def load_named(self, value: Value, names: int, result: int, place: Place) -> None:
        """`getattr(value, name)`"""
        if self.values.forms[value] in (INSTANCE, CLASS, PLACE, SUPER):
            self.watch(names, self._load_by_name, value, result, place)

    def _load_by_name(self, name: Value, value: Value, result: int, place: Place) -> None:
        if self.values.forms[name] == CONSTANT:
            constant = self.values.name(name)
            if is_whole(constant):
                self.load(value, constant.strip("'"), result, place)
            else:
                self._load_like(value | (len(constant) < MIN_PREFIX), constant[1:], result)

    def _load_like(self, value: Value, prefix: str, result: int) -> None:
        """Methods whose names begin so: what a computed name may mean."""
        if self.values.forms[value] in (INSTANCE, CLASS) and self.family(value, prefix):
            self.add(result, self.values.number(UNKNOWN, "dynamic attribute"))
            self.add(result, self.values.number(FAMILY, value & ~1, prefix) + (value & 1))

    def family_of(self, value: Value) -> list[int]:
        """The nodes of what a FAMILY stands for."""
        _, receiver, prefix = self.values.payload(value)
        return self.family(int(receiver), str(prefix))

    def family(self, receiver: Value, prefix: str) -> list[int]:
        """The nodes of a receiver's members whose names begin so; none when there are too many."""
        unit = self.values.first(receiver)
        key = (unit, prefix)
        found = self._families.get(key)
        if found is None:
            names: dict[str, None] = {}
            for base in self.classes.order(unit):
                if isinstance(base, int):
                    file, index = self.program.source(base)
                    members = file.flow.members.get(index, {})
                    names |= dict.fromkeys(name for name in members if name.startswith(prefix))
            nodes = [self.member(unit, name) for name in names] if len(names) <= MAX_FAMILY else []
            found = self._families[key] = [node for node in nodes if node is not None]
        return found
