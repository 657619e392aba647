"""Attributes: what a name is worth on each kind of value, and what Python does on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import Final, TypeAlias

from tracelens_indexer.graph.classes import DYNAMIC_BASE, Classes
from tracelens_indexer.graph.containers import Containers
from tracelens_indexer.graph.flowing import values_allowed
from tracelens_indexer.graph.links import EdgeKind
from tracelens_indexer.graph.models import METHODS
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
)
from tracelens_indexer.source import flow

Place: TypeAlias = tuple[int, int, int, EdgeKind]
"""(unit, line, column, kind): where something is called that is not written as a call."""

MAX_SUBCLASSES: Final = 12
"""Subclasses in which an attribute is looked for that a class itself does not have."""

_OF_TEXT: Final = frozenset(("format", "lower", "upper"))
"""Methods of a string after which something is known of the outcome."""
_CLASS_METHODS: Final = frozenset(("__new__", "__init_subclass__", "__class_getitem__"))


def stored_names(code: list[flow.Node], words: list[str]) -> list[str]:
    """The attributes under which a unit's code stores something."""
    return [words[parts[2]] for parts in code if parts[0] == flow.STORE_ATTRIBUTE]


class Attributes(Containers, ABC):
    """Adds classes, modules and attributes to nodes and edges."""

    def __init__(self, program: Program) -> None:
        super().__init__(values_allowed(program.nodes))
        self.program = program
        self.names = Names(program)
        self.classes = Classes(program, self.names)
        self._fields: dict[tuple[Value, str], int] = {}
        """The node of what is stored on a class's instances, a class or a function, by attribute."""
        self.stored = self._stored_names()
        self._along: dict[tuple[int, int, str], int] = {}
        self._lookups: dict[tuple[Value, str], int] = {}
        self._implicit: dict[tuple[int, str], int] = {}
        self.implicit_calls: list[tuple[Place, int]] = []
        """(place, node of what is called there)"""

    def _stored_names(self) -> Counter[str]:
        """Attributes that something is stored under anywhere, and in how many places."""
        found: Counter[str] = Counter()
        for file in self.program.files:
            for code in file.flow.code.values():
                found.update(stored_names(code, file.flow.words))
        return found

    @abstractmethod
    def call_implicitly(self, place: Place, callee: int, given: tuple[int, ...], result: int) -> None:
        """Call what is at a node, at a place where no call is written."""

    @abstractmethod
    def node_of(self, unit: int, node: int) -> int:
        """The node of a unit's code, as it is without any context."""

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
