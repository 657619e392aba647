"""Calls of what the workspace has: where the arguments go, and where the outcome comes from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Final

from tracelens_indexer.graph.attributes import Place
from tracelens_indexer.graph.containers import ANY
from tracelens_indexer.graph.flowing import NOWHERE
from tracelens_indexer.graph.outside import MAX_DERIVED, Call, Outside
from tracelens_indexer.graph.program import Program
from tracelens_indexer.graph.values import (
    BUILTIN,
    CLASS,
    CLASS_METHOD,
    CONTAINER,
    EXTERNAL,
    FAMILY,
    FUNCTION,
    GENERATOR,
    INSTANCE,
    MANAGED,
    MANAGER,
    METHOD,
    OF_CONTAINER,
    OUTCOME,
    PARTIAL,
    STATIC,
    Value,
)
from tracelens_indexer.source import flow

MAX_OVERRIDING: Final = 24
"""Methods of subclasses that a call may mean which only an annotation or the class around it resolves."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A function as its callers see it."""

    count: int
    """Parameters that a position can reach."""
    by_name: dict[str, int]
    variadic: int
    keywords: int
    """Positions of *args and **kwargs, or -1."""
    total: int
    is_generator: bool


class Calls(Outside):
    """Adds what calling a value of the workspace does."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._shapes: dict[int, Shape] = {}
        self.members_read: set[int] = set()
        """Nodes of classes' members on which the targets of calls depend."""

    @abstractmethod
    def frame_for(self, unit: int, around: int, call: Call) -> int:
        """The frame that a call of a function runs in."""

    @abstractmethod
    def entry(self, frame: int) -> int:
        """The first of the nodes of a frame's parameters."""

    @abstractmethod
    def default_of(self, unit: int, position: int, around: int) -> int:
        """The node of a parameter's default, or -1."""

    def call(self, value: Value, call: Call) -> None:
        """Call a value."""
        form = self.values.forms[value]
        if form == FUNCTION:
            self._invoke(value, None, call)
        elif form == METHOD:
            function, receiver = (int(part) for part in self.values.payload(value)[1:])
            if self.values.forms[function] == FUNCTION:
                self._invoke(function, receiver | value & 1, call)
            elif self.values.forms[function] == BUILTIN:
                self._call_bound_builtin(self.values.name(function), receiver, call)
            else:
                self.call(function, call)
        elif form == CLASS:
            self._construct(value, call)
        elif form == INSTANCE:
            self._call_instance(value, call)
        elif form == BUILTIN:
            self._call_builtin(self.values.name(value), call)
        elif form == EXTERNAL:
            self._call_external(self.values.name(value), call)
        elif form == OUTCOME:
            self._call_outcome(value, call)
        elif form == OF_CONTAINER:
            self._call_method(value, call)
        elif form == PARTIAL:
            self._call_partial(value, call)
        elif form == MANAGED:
            if call.derived < MAX_DERIVED:
                inner = self.new_nodes(1)
                again = replace(call, result=inner, derived=call.derived + 1)
                self.call(self.values.first(value), again)
                self.watch(inner, self._manage, call.result)
        elif form == STATIC:
            self.call(self.values.first(value), call)
        elif form == FAMILY:
            for member in self.family_of(value):
                self.watch(member, self._call_member, self.values.first(value) | value & 1, call)

    def _call_member(self, value: Value, receiver: Value, call: Call) -> None:
        """Call what a class has, on a receiver."""
        form = self.values.forms[value]
        of_class = self.values.forms[receiver] == CLASS
        if form == FUNCTION:
            self._invoke(value, None if of_class else receiver, call)
        elif form == STATIC:
            self.call(self.values.first(value), call)
        elif form == CLASS_METHOD and self.values.forms[self.values.first(value)] == FUNCTION:
            owner = receiver if of_class else self.values.number(CLASS, self.values.first(receiver))
            self._invoke(self.values.first(value), owner, call)

    def _manage(self, value: Value, result: int) -> None:
        self.add(result, self.values.number(MANAGER, value))

    def targets(self, value: Value) -> list[tuple[int, Value]]:
        """(unit, what it gets first or -1) of what calling a value runs. Notes the nodes that it reads."""
        form = self.values.forms[value]
        if form == FUNCTION:
            return [(self.values.first(value), -1)]
        if form == METHOD:
            function, receiver = (int(part) for part in self.values.payload(value)[1:])
            return [(unit, receiver) for unit, _ in self.targets(function)]
        if form == CLASS:
            unit = self.values.first(value)
            found = []
            for name in ("__new__", "__init__"):
                member = self.member(unit, name)
                if member is not None:
                    self.members_read.add(member)
                    found += [
                        (self.values.first(one), value)
                        for one in sorted(self.at(member))
                        if self.values.forms[one] == FUNCTION
                    ]
            return found or [(unit, -1)]
        if form == INSTANCE:
            member = self.member(self.values.first(value), "__call__")
            here = sorted(self.at(member)) if member is not None else []
            self.members_read.add(-1 if member is None else member)
            return [(self.values.first(one), value) for one in here if self.values.forms[one] == FUNCTION]
        if form in (MANAGED, STATIC, CLASS_METHOD):
            return self.targets(self.values.first(value))
        if form == FAMILY:
            members = self.family_of(value)
            return [target for member in members for one in sorted(self.at(member)) for target in self.targets(one)]
        return []

    def overriding(self, value: Value) -> list[int]:
        """What subclasses have in place of a method of an instance that is only known to be of a class or below it."""
        if self.values.forms[value] != METHOD:
            return []
        function, receiver = (int(part) for part in self.values.payload(value)[1:])
        if self.values.forms[function] != FUNCTION or self.values.forms[receiver] != INSTANCE:
            return []
        name = self.program.units[self.values.first(function)].name
        found: dict[int, None] = {}
        for subclass in self.classes.subclasses.get(self.values.first(receiver), ()):
            for owner, node in self.classes.own(subclass).get(name, (subclass, []))[1]:
                parts = self.program.code(owner)[node]
                if parts[0] == flow.DEFINITION:
                    found[self.program.source(owner)[0].units[parts[1]]] = None
                    if len(found) > MAX_OVERRIDING:
                        return []
        return list(found)

    def shape(self, unit: int) -> Shape:
        known = self._shapes.get(unit)
        if known is None:
            described = self.program.units[unit]
            count = 0
            by_name: dict[str, int] = {}
            variadic = keywords = -1
            for position, parameter in enumerate(described.parameters):
                if parameter.kind in ("positional only", "positional"):
                    count = position + 1
                if parameter.kind in ("positional", "keyword only"):
                    by_name[parameter.name] = position
                elif parameter.kind == "variadic":
                    variadic = position
                elif parameter.kind == "keywords":
                    keywords = position
            known = self._shapes[unit] = Shape(
                count, by_name, variadic, keywords, len(described.parameters), described.is_generator
            )
        return known

    def _invoke(self, function: Value, receiver: Value | None, call: Call) -> None:
        """Run a function: arguments to parameters, what it returns to the call's result."""
        _, unit, around = (int(part) for part in self.values.payload(function))
        frame = self.frame_for(unit, around, call)
        offset = 0
        if receiver is not None:
            if self.shape(unit).total:
                self.add(self.entry(frame), receiver)
            offset = 1
        self.once((call.number, frame, offset, call.result), self._wire, call, frame, unit, around, offset)

    def _wire(self, call: Call, frame: int, unit: int, around: int, offset: int) -> None:
        base, shape = self.entry(frame), self.shape(unit)
        filled = self._pass(call, base, shape, offset)
        if filled is not None:
            for position in range(offset, shape.total):
                if position not in filled:
                    default = self.default_of(unit, position, around)
                    if default >= 0:
                        self.edge(default, base + position)
        returned = self.returned(frame)
        if shape.is_generator:
            self.add(call.result, self.values.number(GENERATOR, frame))
        else:
            self.edge(returned, call.result)

    def _pass(self, call: Call, base: int, shape: Shape, offset: int) -> set[int] | None:
        """Give a frame its arguments. The positions that got one; None when a * or ** may have filled any."""
        filled: set[int] = set()
        open_ = False
        for at, node in enumerate(call.positional, offset):
            if at < shape.count:
                self.edge(node, base + at)
                filled.add(at)
            elif shape.variadic >= 0:
                self.edge(node, self.item(self._rest(base, shape), str(at - shape.count)))
        first_free = offset + len(call.positional)
        for how, node in call.others:
            if how == flow.STARRED:
                open_ = True
                self.watch(node, self._unpack, base, first_free, shape)
            elif how == flow.KEYWORDS:
                open_ = True
                self.watch(node, self._unpack_keywords, base, shape)
            elif how == flow.AFTER_STAR:
                for at in range(first_free, shape.count):
                    self.edge(node, base + at)
                if shape.variadic >= 0:
                    self.edge(node, self.item(self._rest(base, shape), ANY))
            else:
                name = self._keyword_names[how]
                position = shape.by_name.get(name)
                if position is not None:
                    self.edge(node, base + position)
                    filled.add(position)
                elif shape.keywords >= 0:
                    self.edge(node, self.item(self._named_rest(base, shape), f"'{name}'"))
        return None if open_ else filled

    def _rest(self, base: int, shape: Shape) -> Value:
        return self.container("tuple", base + shape.variadic)

    def _named_rest(self, base: int, shape: Shape) -> Value:
        return self.container("dict", base + shape.keywords)

    def _unpack(self, value: Value, base: int, first: int, shape: Shape) -> None:
        """`*value`, whose items fill the positions from `first` on."""
        if self.values.forms[value] != CONTAINER:
            return
        for at in range(first, shape.count):
            self.load_item(value, str(at - first), base + at)
        if shape.variadic >= 0:
            rest = self._rest(base, shape)
            if first <= shape.count:
                self.each_key(value, self._unpack_rest, value, shape.count - first, rest)
                self.edge(self.item(value, ANY), self.item(rest, ANY))
            else:
                self.edge(self.items(value), self.item(rest, ANY))

    def _unpack_rest(self, key: Value, value: Value, skipped: int, rest: Value) -> None:
        position = self.values.name(key)
        if position.isdigit() and int(position) >= skipped:
            self.edge(self.item(value, position), self.item(rest, str(int(position) - skipped)))

    def _unpack_keywords(self, value: Value, base: int, shape: Shape) -> None:
        if self.values.forms[value] != CONTAINER:
            return
        for name, position in shape.by_name.items():
            self.edge(self.item(value, f"'{name}'"), base + position)
            self.edge(self.item(value, ANY), base + position)
        if shape.keywords >= 0:
            self.spread(value, self._named_rest(base, shape))

    def _construct(self, value: Value, call: Call) -> None:
        unit = self.values.first(value)
        weak = value & 1
        instance = self.values.number(INSTANCE, unit) + weak
        self.add(call.result, instance)
        self.special(value, "__call__", (*call.place[:3], "implicit"), (), self.ignored(call.result, "call"))
        for name, receiver in (("__new__", value), ("__init__", instance)):
            member = self.member(unit, name)
            if member is not None:
                result = call.result if name == "__new__" else NOWHERE
                inner = Call(call.number, member, call.positional, call.others, result, call.depth, call.place)
                self.watch(member, self._run, receiver, inner)

        if self.member(unit, "__init__") is None and self.classes.is_dataclass(unit):
            implicit: Place = (*call.place[:3], "implicit")
            self.special(instance, "__post_init__", implicit, (), self.ignored(call.result, "__post_init__"))

    def _run(self, value: Value, receiver: Value, call: Call) -> None:
        if self.values.forms[value] == FUNCTION:
            self._invoke(value, receiver, call)

    def _call_instance(self, value: Value, call: Call) -> None:
        member = self.member(self.values.first(value), "__call__")
        if member is not None:
            self.watch(member, self._run, value, call)
        else:
            outside = self.classes.outside(self.classes.order(self.values.first(value)))
            if outside:
                self.outcome(outside, call)

    def _call_partial(self, value: Value, call: Call) -> None:
        made = self.calls[self.values.first(value)]
        if not made.positional or call.derived >= MAX_DERIVED:
            return
        self.new_call(
            made.positional[0],
            (*made.positional[1:], *call.positional),
            (*made.others, *call.others),
            call.result,
            call.depth,
            call.place,
            call.derived + 1,
        )
