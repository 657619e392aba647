"""Attributes: what a name is worth on each kind of value, and what Python does on the way."""

from __future__ import annotations

from collections import Counter
from typing import TypeAlias

from tracelens_indexer.graph.classes import DYNAMIC_BASE, Classes
from tracelens_indexer.graph.containers import Containers
from tracelens_indexer.graph.flowing import NOWHERE
from tracelens_indexer.graph.links import EdgeKind
from tracelens_indexer.graph.models import METHODS, STANDS_IN
from tracelens_indexer.graph.names import Names, Source
from tracelens_indexer.graph.program import Program
from tracelens_indexer.graph.values import (
    BUILT,
    BUILTIN,
    CLASS,
    CLASS_METHOD,
    CONSTANT,
    CONTAINER,
    EXTERNAL,
    FAMILY,
    FUNCTION,
    GENERATOR,
    INSTANCE,
    METHOD,
    OF_CONTAINER,
    OUTCOME,
    PLACE,
    PROPERTY,
    SETTER,
    STATIC,
    SUPER,
    UNKNOWN,
    Value,
    external_attribute,
    is_whole,
)
from tracelens_indexer.source import flow

Place: TypeAlias = tuple[int, int, int, EdgeKind]
"""(unit, line, column, kind): where something is called that is not written as a call."""

MAX_SUBCLASSES = 12
"""Subclasses in which an attribute is looked for that a class itself does not have."""
MAX_FAMILY = 300
"""Methods that a computed name may mean: a compiler has one for each kind of node."""

MIN_PREFIX = 3
"""Characters of a prefix (a quote included) from which on it is more than a guess."""
_OF_TEXT = frozenset(("format", "lower", "upper"))
"""Methods of a string after which something is known of the outcome."""
_CLASS_METHODS = frozenset(("__new__", "__init_subclass__", "__class_getitem__"))


def stored_names(code: list[flow.Node], words: list[str]) -> list[str]:
    """The attributes under which a unit's code stores something."""
    return [words[parts[2]] for parts in code if parts[0] == flow.STORE_ATTRIBUTE]


class Attributes(Containers):
    """Adds classes, modules and attributes to nodes and edges."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.program = program
        self.names = Names(program)
        self.classes = Classes(program, self.names)
        self._fields: dict[tuple[Value, str], int] = {}
        """The node of what is stored on a class's instances, a class or a function, by attribute."""
        self.stored = self._stored_names()
        self._along: dict[tuple[int, int, str], int] = {}
        self._lookups: dict[tuple[Value, str], int] = {}
        self._implicit: dict[tuple[int, str], int] = {}
        self._constants: dict[str, int] = {}
        self._families: dict[tuple[int, str], list[int]] = {}
        self.implicit_calls: list[tuple[Place, int]] = []
        """(place, node of what is called there)"""

    def _stored_names(self) -> Counter[str]:
        """Attributes that something is stored under anywhere, and in how many places."""
        found: Counter[str] = Counter()
        for file in self.program.files:
            for code in file.flow.code.values():
                found.update(stored_names(code, file.flow.words))
        return found

    # Made by calls.py

    def call_implicitly(self, place: Place, callee: int, given: tuple[int, ...], result: int) -> None:
        raise NotImplementedError

    def node_of(self, unit: int, node: int) -> int:
        """The node of a unit's code, as it is without any context."""
        raise NotImplementedError

    # Sources

    def bring(self, source: Source, result: int) -> None:
        """Let a name's source be the values of a node."""
        if isinstance(source[1], int):
            self.edge(self.node_of(source[0], source[1]), result)
        else:
            self.add(result, self.values.number(source[0], source[1]))

    # Loads

    def load(self, value: Value, name: str, result: int, place: Place | None) -> None:
        """What `value.name` is goes to a node; `place`: where a property's getter would be called."""
        form = self.values.forms[value]
        add, number = self.add, self.values.number
        weak = value & 1
        if form == INSTANCE:
            self._load_from_instance(value, name, result, place)
        elif form == CLASS:
            self._load_from_class(value, name, result, place)
        elif form == PLACE:
            for source in self.names.attribute(self.values.name(value), name):
                self.bring(source, result)
        elif form == SUPER:
            self._load_from_super(value, name, result, place)
        elif form == EXTERNAL:
            add(result, number(form, external_attribute(self.values.name(value), name)))
        elif form == OUTCOME:
            outcome = self.values.name(value)
            known = outcome.count(".") in (1, 2) and not outcome.startswith("builtins.")
            add(result, number(EXTERNAL, f"{outcome}.{name}") + weak if known else value)
        elif form == CONTAINER:
            if name in METHODS:
                add(result, number(OF_CONTAINER, name, value & ~1) + weak)
            else:
                add(result, number(BUILTIN, f"{self.kind(value)}.{name}"))
        elif form == CONSTANT:
            of = str if self.values.name(value).startswith("'") else int
            if of is str and name in _OF_TEXT:
                add(result, number(METHOD, number(BUILTIN, f"str.{name}"), value & ~1))
            elif hasattr(of, name):
                add(result, number(BUILTIN, f"{of.__name__}.{name}"))
            else:
                add(result, number(UNKNOWN, "attribute not found"))
        elif form in (BUILT, BUILTIN):
            kind = self.values.name(value)
            add(result, number(OUTCOME, "builtins") if "." in kind else number(BUILTIN, f"{kind}.{name}"))
        elif form == FUNCTION:
            if name in self.stored:
                self.edge(self.field(value, name), result)
            if name.startswith("__"):
                add(result, number(OUTCOME, "builtins.function"))
        elif form in (METHOD, STATIC, CLASS_METHOD):
            if name in ("__func__", "__wrapped__"):
                add(result, self.values.first(value))
        elif form == GENERATOR:
            if name in ("__next__", "send", "__iter__"):
                add(result, number(OF_CONTAINER, name, value & ~1))
            else:
                add(result, number(BUILTIN, f"generator.{name}"))
        elif form in (PROPERTY, SETTER):
            # `@name.setter` below `@property`: what it decorates stays a property, with one more function.
            add(result, number(OF_CONTAINER, f"property.{name}", value & ~1))

    def field(self, value: Value, name: str) -> int:
        key = (value & ~1, name)
        node = self._fields.get(key)
        if node is None:
            node = self._fields[key] = self.new_nodes(1)
        return node

    def member(self, unit: int, name: str) -> int | None:
        """The node of a name along a class's order; None when no class of the workspace has it."""
        found = self.classes.member(unit, name)
        return None if found is None else self._member_node(found[0], name, found[1])

    def _member_of(self, order: tuple[int | str, ...], name: str) -> int | None:
        for base in order:
            if isinstance(base, int):
                found = self.classes.own(base).get(name)
                if found is not None:
                    return self._member_node(base, name, found[1])
        return None

    def _member_node(self, unit: int, name: str, found: list[tuple[int, int]]) -> int:
        if len(found) == 1:
            return self.node_of(*found[0])
        key = (unit, name)
        node = self._lookups.get(key)
        if node is None:
            node = self._lookups[key] = self.new_nodes(1)
            for one in found:
                self.lasting(self.edge, self.node_of(*one), node)
        return node

    def _load_from_instance(self, value: Value, name: str, result: int, place: Place | None) -> None:
        unit = self.values.first(value)
        order = self.classes.order(unit)
        stored = name in self.stored
        if stored:
            self.edge(self._fields_along(INSTANCE, unit, name, order), result)
        member = self.member(unit, name)
        if member is not None:
            self.watch(member, self._bind, value, result, place)
            return
        outside = self.classes.outside(order)
        if outside and outside != DYNAMIC_BASE:
            if not stored:
                self.add(result, self.values.number(OUTCOME, f"{outside}.{name}"))
            return
        if name == "__class__":
            return
        getter = self.member(unit, "__getattr__")
        if getter is not None:
            if place is not None:
                bound = self.new_nodes(1)
                self.watch(getter, self._bind, value, bound, None)
                self.call_implicitly(place, bound, (), result)
            return
        if outside:
            self.add(result, self.values.number(UNKNOWN, DYNAMIC_BASE))
            return
        if not stored and hasattr(object, name):
            self.add(result, self.values.number(BUILTIN, f"object.{name}"))
            return
        self._load_from_subclasses(unit, name, result, place)

    def _fields_along(self, form: int, unit: int, name: str, order: tuple[int | str, ...]) -> int:
        """The node of all that is stored under a name on a class, its bases, and (for an instance) their instances."""
        key = (form, unit, name)
        node = self._along.get(key)
        if node is None:
            node = self._along[key] = self.new_nodes(1)
            for base in order:
                if isinstance(base, int):
                    self.lasting(self.edge, self.field(self.values.number(CLASS, base), name), node)
                    if form == INSTANCE:
                        self.lasting(self.edge, self.field(self.values.number(INSTANCE, base), name), node)
        return node

    def _load_from_subclasses(self, unit: int, name: str, result: int, place: Place | None) -> None:
        """A mixin's or abstract class's method uses what only its subclasses have."""
        found = 0
        seen: set[int] = set()
        for subclass in self.classes.subclasses.get(unit, ())[: 4 * MAX_SUBCLASSES]:
            member = self.member(subclass, name)
            if member is not None and member not in seen:
                seen.add(member)
                self.watch(member, self._bind, self.values.number(INSTANCE, subclass) + 1, result, place)
                found += 1
                if found >= MAX_SUBCLASSES:
                    break

    def _load_from_class(self, value: Value, name: str, result: int, place: Place | None) -> None:
        unit = self.values.first(value)
        order = self.classes.order(unit)
        if name in self.stored:
            self.edge(self._fields_along(CLASS, unit, name, order), result)
        member = self.member(unit, name)
        if member is not None:
            self.watch(member, self._bind, value, result, None)
            if any(isinstance(base, str) and base.startswith("enum.") for base in order):
                self.watch(member, self._as_enum, unit, result)
            return
        of_metaclass = self.special_member(value, name)
        if of_metaclass is not None:
            self.watch(of_metaclass, self._bind_to_class, value, result, place)
            return
        outside = self.classes.outside(order)
        if outside:
            if outside == DYNAMIC_BASE:
                self.add(result, self.values.number(UNKNOWN, DYNAMIC_BASE))
            else:
                self.add(result, self.values.number(OUTCOME, f"{outside}.{name}"))
        elif hasattr(object, name) or hasattr(type, name):
            self.add(result, self.values.number(BUILTIN, f"object.{name}"))

    def _bind_to_class(self, value: Value, receiver: Value, result: int, place: Place | None) -> None:
        """What a metaclass has, on a class of it."""
        form = self.values.forms[value]
        if form == FUNCTION:
            self._bind_first(value, receiver & ~1, result)
        elif form not in (PROPERTY, SETTER):
            self.add(result, value)
        elif place is not None:
            getter = int(self.values.payload(value)[-1])
            if self.values.forms[getter] == FUNCTION:
                self.call_once(place, self.values.number(METHOD, getter, receiver & ~1), result)

    def _as_enum(self, value: Value, unit: int, result: int) -> None:
        if self.values.forms[value] in (CONSTANT, BUILT, CONTAINER, OUTCOME, EXTERNAL):
            self.add(result, self.values.number(INSTANCE, unit))

    def _load_from_super(self, value: Value, name: str, result: int, place: Place | None) -> None:
        _, after, receiver = (int(part) for part in self.values.payload(value))
        own = self.values.first(receiver) if self.values.forms[receiver] in (INSTANCE, CLASS) else after
        order = self.classes.order(own)
        if after not in order:
            order = self.classes.order(after)
        start = order.index(after) + 1
        member = self._member_of(order[start:], name)
        if member is not None:
            self.watch(member, self._bind_super, receiver, result, place)
            return
        outside = next((base for base in order[start:] if isinstance(base, str)), "")
        if outside == DYNAMIC_BASE:
            self.add(result, self.values.number(UNKNOWN, DYNAMIC_BASE))
        elif outside:
            self.add(result, self.values.number(OUTCOME, f"{outside}.{name}"))
        else:
            of_object = self.values.number(BUILTIN, f"object.{name}")
            bound = self.values.forms[receiver] == INSTANCE and name == "__setattr__"
            self.add(result, self.values.number(METHOD, of_object, receiver & ~1) if bound else of_object)

    def _bind_super(self, value: Value, receiver: Value, result: int, place: Place | None) -> None:
        form = self.values.forms[value]
        if form == FUNCTION and self.program.units[self.values.first(value)].name == "__new__":
            self.add(result, value)  # super().__new__(cls) passes the class itself
        elif form == FUNCTION and self.values.forms[receiver] == CLASS:
            self.add(result, self.values.number(METHOD, value & ~1, receiver & ~1) + (value & 1 | receiver & 1))
        else:
            self._bind(value, receiver, result, place)

    def _bind(self, value: Value, receiver: Value, result: int, place: Place | None) -> None:
        """What something found in a class is on a receiver: an instance, or the class."""
        form = self.values.forms[value]
        weak = receiver & 1
        of_class = self.values.forms[receiver] == CLASS
        number = self.values.number
        if form == FUNCTION:
            unit = self.values.first(value)
            described = self.program.units[unit]
            if described.kind == "method" and described.name in _CLASS_METHODS:
                if described.name == "__new__":
                    self.add(result, (value & ~1) | weak)
                    return
                owner = receiver if of_class else number(CLASS, self.values.first(receiver))
                self.add(result, number(METHOD, value & ~1, owner & ~1) + weak)
            elif of_class:
                self.add(result, value | weak)
            else:
                self.add(result, number(METHOD, value & ~1, receiver & ~1) + (weak | value & 1))
        elif form == STATIC:
            self.add(result, self.values.first(value) | weak)
        elif form == CLASS_METHOD:
            owner = receiver if of_class else number(CLASS, self.values.first(receiver))
            self.add(result, number(METHOD, self.values.first(value), owner & ~1) + weak)
        elif form in (PROPERTY, SETTER):
            if of_class:
                self.add(result, value)
            elif place is not None:
                getter = int(self.values.payload(value)[-1])
                if self.values.forms[getter] == FUNCTION:
                    self.call_once(place, number(METHOD, getter, receiver & ~1) + weak, result)
        elif form == METHOD or not weak:
            self.add(result, value)
        else:
            self.add(result, value | 1)

    def call_once(self, place: Place, value: Value, result: int) -> None:
        """Call a value at a place, its outcome to a node."""
        key = (result, f"{place[1]}:{place[2]}")
        callee = self._implicit.get(key)
        if callee is None:
            callee = self._implicit[key] = self.new_nodes(1)
            self.lasting(self.call_implicitly, place, callee, (), result)
        self.add(callee, value)

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

    def _bind_first(self, value: Value, first: Value, result: int) -> None:
        if self.values.forms[value] == CLASS_METHOD:
            value = self.values.first(value)
        if self.values.forms[value] == FUNCTION:
            self.add(result, self.values.number(METHOD, value & ~1, first))

    def special_member(self, value: Value, name: str) -> int | None:
        """Where Python finds a special method of an instance, or of a class: in its class, or metaclass."""
        form = self.values.forms[value]
        if form == INSTANCE:
            return self.member(self.values.first(value), name)
        if form == CLASS and self.classes.any_metaclass:
            metaclass = self.classes.metaclass(self.values.first(value))
            return self.member(metaclass, name) if metaclass >= 0 else None
        return None

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

    def beginning(self, value: Value) -> Value:
        """What is put together from a constant and something behind it: of a string its beginning is known."""
        constant = self.values.name(value)
        if not constant.startswith("'") or constant in ("''", "'"):
            return value
        return self.values.number(CONSTANT, constant.rstrip("'"))

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
