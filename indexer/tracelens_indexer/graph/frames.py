"""Frames: the code of a unit, made into nodes and edges.

Every unit has one frame that stands for all its calls. A small function that hands on what it is given (a decorator, a
factory, an identity function) gets a frame of its own for each place that calls it, so that what goes in at one place
does not come out at another; functions within it then look their outer names up in that frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tracelens_indexer.graph.attributes import Place
from tracelens_indexer.graph.calls import Calls
from tracelens_indexer.graph.classes import DYNAMIC_BASE
from tracelens_indexer.graph.containers import ANY
from tracelens_indexer.graph.models import EXTERNALS
from tracelens_indexer.graph.outside import Call
from tracelens_indexer.graph.program import File, Program
from tracelens_indexer.graph.values import (
    BUILT,
    BUILTIN,
    CLASS,
    CONSTANT,
    CONTAINER,
    EXTERNAL,
    FUNCTION,
    GENERATOR,
    INSTANCE,
    MANAGER,
    OUTCOME,
    SUPER,
    UNKNOWN,
    Value,
)
from tracelens_indexer.source import flow

MAX_CONTEXTS: Final = 2
"""Contexts within contexts."""
MAX_COPIED: Final = 24
"""Nodes of a function that gets a frame for each place that calls it."""
MAX_COPIES: Final = 60
"""Such frames of one function."""

_WRAPPERS: Final = frozenset(
    ("partial", "wraps", "update_wrapper", "cast", "property", "staticmethod", "classmethod", "list", "tuple", "iter",
     "map", "filter", "sorted", "contextmanager", "next")
)  # fmt: skip

_JOINING: Final = frozenset(("__add__", "__or__", "__mul__", "__mod__", "__iadd__", "__ior__"))
"""Operators whose outcome has what their left side has."""


class Frame:
    __slots__ = ("around", "base", "depth", "entry", "exit", "unit")

    def __init__(self, unit: int, around: int, base: int, exit_: int, depth: int) -> None:
        self.unit = unit
        self.around = around
        """The frame in which outer names are looked up, or -1."""
        self.base = base
        """The first node of its code."""
        self.entry = base
        """The first of its parameters' nodes, as callers see them."""
        self.exit = exit_
        """The node of what it returns; the next one is of what it yields."""
        self.depth = depth


class Frames(Calls):
    """Makes the program's code into nodes and edges."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._frames: list[Frame] = []
        self._plain: dict[int, int] = {}
        """Unit to its frame that stands for all calls."""
        self._copies: dict[tuple[int, int, int], int] = {}
        self._copied: dict[int, int] = {}
        self.crowded: set[int] = set()
        """Units that would have more frames than there may be."""
        self._hands_on: dict[int, bool] = {}
        self.site_calls: dict[tuple[File, int], list[int]] = {}
        """Call site, by the version of its file that it is read from, to the numbers of its calls."""
        order = list(self._units())
        for unit in order:
            around = program.parent(unit)
            self._plain[unit] = self._reserve(unit, self._plain.get(around, -1), 0)
        for unit in order:
            self._fill_plain(self._plain[unit])

    def _units(self) -> Iterator[int]:
        for file in self.program.files:
            for index, unit in enumerate(file.units):
                if index in file.flow.code:
                    yield unit

    # What the parts below ask for

    def node_of(self, unit: int, node: int) -> int:
        return self._frames[self._plain[unit]].base + node

    def entry(self, frame: int) -> int:
        return self._frames[frame].entry

    def returned(self, frame: int) -> int:
        return self._frames[frame].exit

    def default_of(self, unit: int, position: int, around: int) -> int:
        file, index = self.program.source(unit)
        signature = file.flow.signatures.get(index)
        if signature is None or signature.defaults[position] < 0:
            return -1
        return self._frames[around].base + signature.defaults[position] if around >= 0 else -1

    def frame_for(self, unit: int, around: int, call: Call) -> int:
        frames = self._frames
        depth = max(call.depth, frames[around].depth if around >= 0 else 0)
        if depth < MAX_CONTEXTS and self.hands_on(unit):
            key = (unit, around, call.number)
            depth += 1
        elif around < 0 or around == self._plain.get(frames[around].unit):
            return self._plain[unit]
        else:
            key = (unit, around, -1)
        frame = self._copies.get(key)
        if frame is None:
            if self._copied.get(unit, 0) >= MAX_COPIES:
                self._crowd(unit)
                return self._plain[unit]
            self._copied[unit] = self._copied.get(unit, 0) + 1
            frame = self._copies[key] = self._reserve(unit, around, depth)
        self.once(("frame", frame), self._fill, frame)
        return frame

    def _crowd(self, unit: int) -> None:
        self.crowded.add(unit)

    def hands_on(self, unit: int) -> bool:
        known = self._hands_on.get(unit)
        if known is None:
            known = self._hands_on[unit] = self._does_hand_on(unit)
        return known

    def _does_hand_on(self, unit: int) -> bool:
        """Whether what a small function returns is made of its arguments, or is a function that may use them."""
        code = self.program.code(unit)
        described = self.program.units[unit]
        if len(code) > MAX_COPIED or not any(parts[0] == flow.RETURN for parts in code):
            return False
        skip = 1 if described.kind == "method" else 0
        if len(described.parameters) <= skip:
            return False
        file, _ = self.program.source(unit)
        pending = [parts[1] for parts in code if parts[0] == flow.RETURN]
        seen: set[int] = set()
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            parts = code[node]
            form = parts[0]
            if (form == flow.PARAMETER and parts[1] >= skip) or form == flow.DEFINITION:
                return True
            if form == flow.UNION:
                pending += parts[1:]
            elif form == flow.CALL:
                count = parts[3]
                pending.append(parts[2])
                if self._wraps(code[parts[2]], file.flow.words):
                    pending += (*parts[4 : 4 + count], *parts[5 + count :: 2])
            elif form == flow.DECORATED:
                pending += parts[2:]
            elif form in (flow.ITEM, flow.ITEM_BY, flow.ELEMENT, flow.ENTERED):
                pending.append(parts[1])
            elif form == flow.SEQUENCE:
                pending += (one if one >= 0 else -1 - one for one in parts[2:])
        return False

    @staticmethod
    def _wraps(callee: flow.Node, words: list[str]) -> bool:
        """Whether what is called may give back what it gets: `wraps(f)(inner)`, `partial(f)`."""
        if callee[0] == flow.CALL:
            return True
        named = {flow.ATTRIBUTE: 2, flow.MEMBER: 3, flow.GLOBAL: 1}.get(callee[0])
        return named is not None and words[callee[named]] in _WRAPPERS

    # Making a frame

    def _reserve(self, unit: int, around: int, depth: int) -> int:
        count = len(self.program.code(unit))
        base = self.new_nodes(count + 2)
        self._frames.append(Frame(unit, around, base, base + count, depth))
        return len(self._frames) - 1

    def _fill_plain(self, frame: int) -> None:
        self._fill(frame)

    def _fill(self, number: int) -> None:
        frame = self._frames[number]
        unit = frame.unit
        program = self.program
        file, _ = program.source(unit)
        described = program.units[unit]
        if described.kind in ("function", "method", "lambda"):
            self._fill_parameters(frame, number)
        base = frame.base
        if frame.entry != base:
            for position in range(len(described.parameters)):
                self.edge(frame.entry + position, base + position)
        returned = frame.exit
        words, units = file.flow.words, file.units
        add, edge, watch, number_of = self.add, self.edge, self.watch, self.values.number
        for at, parts in enumerate(program.code(unit), base):
            form = parts[0]
            if form == flow.ATTRIBUTE:
                place: Place = (units[parts[3]], parts[4], parts[5], "implicit")
                watch(base + parts[1], self.load, words[parts[2]], at, place)
            elif form == flow.CALL:
                self._fill_call(frame, file, at, parts)
            elif form == flow.UNION:
                for operand in parts[1:]:
                    edge(base + operand, at)
            elif form == flow.OUTER:
                outer = self._around(frame, units[parts[1]])
                for operand in parts[2:]:
                    edge(outer + operand, at)
            elif form == flow.CONSTANT:
                add(at, number_of(CONSTANT, words[parts[1]]))
            elif form == flow.BUILT:
                add(at, number_of(BUILT, words[parts[1]]))
            elif form == flow.GLOBAL:
                for source in self.names.free(file.index, words[parts[1]]):
                    self.bring(source, at)
            elif form == flow.DEFINITION:
                defined = units[parts[1]]
                if program.units[defined].kind == "class":
                    add(at, number_of(CLASS, defined))
                    if frame.depth == 0 and (len(self.classes.order(defined)) > 1 or self.classes.any_metaclass):
                        self.define_class(defined, unit)
                else:
                    add(at, number_of(FUNCTION, defined, number))
            elif form == flow.MEMBER:
                for source in self.names.member(file.index, parts[1], words[parts[2]], words[parts[3]]):
                    self.bring(source, at)
            elif form == flow.MODULE:
                self.bring(self.names.module(file.index, 0, words[parts[1]]), at)
            elif form == flow.RETURN:
                edge(base + parts[1], returned)
            elif form == flow.STORE_ATTRIBUTE:
                watch(base + parts[1], self.store, words[parts[2]], base + parts[3], self._place(file, parts[4]))
            elif form == flow.OPERATION:
                given = (base + parts[4],) if parts[4] >= 0 else ()
                watch(base + parts[3], self._operate, words[parts[2]], self._place(file, parts[1]), given, at)
            elif form == flow.DECORATED:
                self._fill_decorated(frame, file, at, parts)
            else:
                self._fill_rare(frame, file, at, parts)

    def _around(self, frame: Frame, unit: int) -> int:
        """The base of the frame of a unit around."""
        around = frame.around
        while around >= 0:
            outer = self._frames[around]
            if outer.unit == unit:
                return outer.base
            around = outer.around
        return self._frames[self._plain[unit]].base

    def _place(self, file: File, place: int) -> Place:
        unit, line, column = file.flow.places[place]
        return (file.units[unit], line, column, "implicit")

    def _fill_parameters(self, frame: Frame, number: int) -> None:
        unit = frame.unit
        program = self.program
        described = program.units[unit]
        file, index = program.source(unit)
        values = self.values
        plain = frame.depth == 0 and self._plain[unit] == number
        parameters = described.parameters
        if described.kind == "method" and parameters and plain and "staticmethod" not in described.decorators:
            owner = program.parent(unit)
            is_class = described.name in ("__new__", "__init_subclass__", "__class_getitem__")
            form = CLASS if is_class or "classmethod" in described.decorators else INSTANCE
            # In a class with subclasses, `self` may be any of them: those that arrive say more.
            below = owner in self.classes.subclasses
            self.add(frame.entry, values.number(form, owner) + below)
        for position, parameter in enumerate(parameters):
            if parameter.kind == "variadic":
                self.add(frame.entry + position, self.container("tuple", frame.entry + position))
            elif parameter.kind == "keywords":
                self.add(frame.entry + position, self.container("dict", frame.entry + position))
        signature = file.flow.signatures.get(index)
        if signature is None:
            return
        outer = self._frames[frame.around].base if frame.around >= 0 else -1
        if outer < 0:
            return
        for position, annotation in enumerate(signature.annotations):
            if annotation >= 0:
                self.edge(outer + annotation, frame.entry + position)
        if signature.result >= 0 and not described.is_generator:
            self.edge(outer + signature.result, frame.exit)

    def _fill_call(self, frame: Frame, file: File, at: int, parts: flow.Node) -> None:
        base = frame.base
        count = parts[3]
        positional = tuple([base + node for node in parts[4 : 4 + count]])
        others: tuple[tuple[int, int], ...] = ()
        if len(parts) > 4 + count:
            words = file.flow.words
            others = tuple(
                (self.keyword(words[parts[i]]) if parts[i] >= 0 else parts[i], base + parts[i + 1])
                for i in range(4 + count, len(parts), 2)
            )
        site = file.facts.sites[parts[1]]
        call = self.new_call(
            base + parts[2],
            positional,
            others,
            at,
            frame.depth,
            (file.units[site.unit], site.line, site.column, "call"),
        )
        callee = self.program.code(frame.unit)[parts[2]]
        if callee[0] == flow.ATTRIBUTE and callee[1] == 0:
            call.of_self = self.program.units[frame.unit].kind == "method"
        self.site_calls.setdefault((file, parts[1]), []).append(call.number)

    def _fill_decorated(self, frame: Frame, file: File, at: int, parts: flow.Node) -> None:
        base = frame.base
        place = self._place(file, parts[1])
        self.new_call(base + parts[2], (base + parts[3],), (), at, frame.depth, (*place[:3], "decorates"))
        self.watch(base + parts[2], self._decorate_unknown, base + parts[3], at)

    def _decorate_unknown(self, value: Value, decorated: int, result: int) -> None:
        """A decorator from outside is taken to leave a function what it is."""
        form = self.values.forms[value]
        if form in (EXTERNAL, UNKNOWN, OUTCOME):
            known = self.values.name(value)
            special = ("functools.cached_property", "contextlib.contextmanager", "contextlib.asynccontextmanager",
                       "abc.abstractproperty", "django.utils.functional.cached_property")  # fmt: skip
            if form == EXTERNAL and (known in special or known in EXTERNALS):
                return
            self.edge(decorated, result)

    def _fill_rare(self, frame: Frame, file: File, at: int, parts: flow.Node) -> None:
        form = parts[0]
        base = frame.base
        words = file.flow.words
        watch, add, edge = self.watch, self.add, self.edge
        if form == flow.ITEM:
            place: Place = (file.units[parts[3]], parts[4], parts[5], "implicit")
            watch(base + parts[1], self._load_item, words[parts[2]], at, place)
        elif form == flow.ITEM_BY:
            place = (file.units[parts[3]], parts[4], parts[5], "implicit")
            watch(base + parts[1], self._load_item_by, base + parts[2], at, place)
        elif form == flow.SLICE:
            watch(base + parts[1], self._slice, parts[2], parts[3], at)
        elif form == flow.UNPACKED:
            watch(base + parts[1], self._unpack_target, parts[2], parts[3], parts[4], at, self._somewhere(frame))
        elif form == flow.ELEMENT:
            watch(base + parts[1], self.each, at, self._place(file, parts[2]))
        elif form == flow.ENTERED:
            watch(base + parts[1], self._enter, at, self._place(file, parts[2]))
        elif form == flow.SEQUENCE:
            self._fill_sequence(base, at, words[parts[1]], parts[2:])
        elif form == flow.MAPPING:
            made = self.container("dict", at)
            add(at, made)
            for key, node in zip(parts[1::2], parts[2::2], strict=True):
                if key == flow.SPREAD:
                    watch(base + node, self.spread, made)
                else:
                    edge(base + node, self.item(made, words[key] if key >= 0 else ANY))
        elif form == flow.COLLECTED:
            made = self.container(words[parts[1]], at)
            add(at, made)
            edge(base + parts[2], self.item(made, ANY))
        elif form == flow.SUPER:
            self._fill_super(frame, file, at, parts)
        elif form in (flow.INSTANCE, flow.SOME_INSTANCE):
            watch(base + parts[1], self._instance, int(form == flow.INSTANCE), at)
        elif form == flow.TYPE_OF:
            watch(base + parts[1], self._type_of, at)
        elif form == flow.RAISED:
            watch(base + parts[1], self._raise, self._place(file, parts[2]), at)
        elif form == flow.NARROWED:
            watch(base + parts[1], self._narrow, base + parts[2], at)
        elif form == flow.NAMED_BY:
            watch(base + parts[1], self.load_named, base + parts[2], at, self._place(file, parts[3]))
        elif form == flow.STORE_ITEM:
            place = self._place(file, parts[4])
            watch(base + parts[1], self._store_item, words[parts[2]], base + parts[3], place)
        elif form == flow.STORE_ITEM_BY:
            place = self._place(file, parts[4])
            watch(base + parts[1], self._store_item_by, base + parts[2], base + parts[3], place)
        elif form == flow.YIELD:
            edge(base + parts[1], frame.exit + 1)
        elif form == flow.YIELD_FROM:
            end = frame.exit + 1
            watch(base + parts[1], self.each, end, self._somewhere(frame))

    def _somewhere(self, frame: Frame) -> Place:
        file, index = self.program.source(frame.unit)
        return (frame.unit, file.facts.units[index].def_line, 0, "implicit")

    def _fill_sequence(self, base: int, at: int, kind: str, elements: list[int]) -> None:
        starred = any(node < 0 for node in elements)
        made = self.container(kind, at, -1 if starred or kind == "set" else len(elements))
        self.add(at, made)
        known = kind != "set"
        for position, node in enumerate(elements):
            if node < 0:
                known = False
                self.watch(base - 1 - node, self.each, self.item(made, ANY), (0, 0, 0, "implicit"))
            else:
                self.edge(base + node, self.item(made, str(position) if known else ANY))

    def _fill_super(self, frame: Frame, file: File, at: int, parts: flow.Node) -> None:
        base = frame.base
        if parts[2] >= 0 and parts[3] >= 0:
            self.watch(base + parts[2], self._super_after, base + parts[3], at)
            return
        if parts[1] < 0:
            return
        method: Frame | None = frame
        while method is not None and self.program.units[method.unit].kind != "method":
            method = self._frames[method.around] if method.around >= 0 else None
        if method is not None and self.program.units[method.unit].parameters:
            self.watch(method.entry, self._super_of, file.units[parts[1]], at)

    def _super_after(self, value: Value, receivers: int, result: int) -> None:
        if self.values.forms[value] == CLASS:
            self.watch(receivers, self._super_of, self.values.first(value), result)

    def _super_of(self, receiver: Value, after: int, result: int) -> None:
        if self.values.forms[receiver] in (INSTANCE, CLASS):
            self.add(result, self.values.number(SUPER, after, receiver & ~1))

    # Watchers of the rarer forms

    def _load_item(self, value: Value, key: str, result: int, place: Place) -> None:
        form = self.values.forms[value]
        if form == CONTAINER:
            self.load_item(value, key, result)
        elif form in (INSTANCE, CLASS) and self.special(value, "__getitem__", place, (), result):
            pass
        elif form in (CLASS, EXTERNAL, OUTCOME):
            self.add(result, value)

    def _load_item_by(self, value: Value, key: int, result: int, place: Place) -> None:
        if self.values.forms[value] == CONTAINER:
            self.watch(key, self._get_by_key, value, result, place)
        else:
            self._load_item(value, ANY, result, place)

    def _store_item(self, value: Value, key: str, stored: int, place: Place) -> None:
        if self.values.forms[value] == CONTAINER:
            self.edge(stored, self.item(value, key))
        elif self.values.forms[value] == INSTANCE:
            self.special(value, "__setitem__", place, (stored, stored), self.new_nodes(1))

    def _store_item_by(self, value: Value, key: int, stored: int, place: Place) -> None:
        if self.values.forms[value] == CONTAINER:
            self.edge(stored, self.item(value, ANY))
        else:
            self._store_item(value, ANY, stored, place)

    def _slice(self, value: Value, low: int, high: int, result: int) -> None:
        if self.values.forms[value] == CONTAINER:
            self.slice(value, low, high, result)
        elif self.values.forms[value] in (OUTCOME, BUILT):
            self.add(result, value)

    def _unpack_target(self, value: Value, position: int, count: int, star: int, result: int, place: Place) -> None:
        """One target of `a, *b, c = value`."""
        if self.values.forms[value] != CONTAINER or self.kind(value) == "dict":
            self.each(value, result, place)
        elif star < 0 or position < star:
            self.load_item(value, str(position), result)
        elif position == star:
            after = count - 1 - star
            self.slice(value, star, -after if after else flow.OPEN, result)
        else:
            self.load_item(value, str(position - count), result)

    def _enter(self, value: Value, result: int, place: Place) -> None:
        form = self.values.forms[value]
        if form == INSTANCE:
            entered = self.special(value, "__enter__", place, (), result)
            entered = self.special(value, "__aenter__", place, (), result) or entered
            for name in ("__exit__", "__aexit__"):
                self.special(value, name, place, (), self.ignored(result, name))
            if not entered:
                self.add(result, value)
        elif form == MANAGER:
            self.each(self.values.first(value), result, place)
        elif form == GENERATOR:
            self.each(value, result, place)
        elif form in (OUTCOME, BUILT, EXTERNAL):
            self.add(result, value)

    def _instance(self, value: Value, weak: int, result: int) -> None:
        form = self.values.forms[value]
        number = self.values.number
        if form == CLASS:
            self.add(result, number(INSTANCE, self.values.first(value)) + weak)
        elif form == BUILTIN and self.values.name(value) != "object":
            self.add(result, number(BUILT, self.values.name(value)) + weak)
        elif form == EXTERNAL and not self.values.name(value).startswith(("typing.", "typing_extensions.")):
            self.add(result, number(OUTCOME, self.values.name(value)) + weak)
        elif form == CONTAINER and not weak:
            self._watch_items(value, self._instance, 0, result)

    def _watch_items(self, container: Value, method: Callable[..., None], *arguments: int) -> None:
        """Have a rule for a container's values called for its items too: once, since it may be among them itself."""
        key = (method.__name__, container & ~1, *arguments)
        self.once(key, self.watch, self.items(container), method, *arguments)

    def _narrow(self, value: Value, types: int, result: int) -> None:
        form = self.values.forms[value]
        if form in (OUTCOME, EXTERNAL, UNKNOWN, BUILT, CONTAINER, CONSTANT):
            self.add(result, value)
        elif form == INSTANCE:
            self.watch(types, self._narrow_to, value, result)
        else:
            self.watch(types, self._narrow_to_callable, value, result)

    def _narrow_to_callable(self, type_: Value, value: Value, result: int) -> None:
        """A class or function that was asked for a type: no class of a program is its type, but for a metaclass."""
        form = self.values.forms[type_]
        if form == CONTAINER:
            self._watch_items(type_, self._narrow_to_callable, value, result)
        elif form == CLASS:
            of_class = self.values.forms[value] == CLASS
            if of_class and self.classes.metaclass(self.values.first(value)) == self.values.first(type_):
                self.add(result, value)
        elif form != BUILTIN or self.values.name(type_) in ("type", "object"):
            self.add(result, value)

    def _narrow_to(self, type_: Value, value: Value, result: int) -> None:
        """An instance that was asked for a type: it is one, or may be one below its class, or is none."""
        form = self.values.forms[type_]
        order = self.classes.order(self.values.first(value))
        if form == CLASS:
            unit = self.values.first(type_)
            if unit in order or DYNAMIC_BASE in order:
                self.add(result, value)
            elif self.values.first(value) in self.classes.order(unit):
                self.add(result, self.values.number(INSTANCE, unit) + 1)
        elif form == CONTAINER:
            self._watch_items(type_, self._narrow_to, value, result)
        elif form != BUILTIN or self.classes.outside(order):
            self.add(result, value)

    def _raise(self, value: Value, place: Place, result: int) -> None:
        if self.values.forms[value] == CLASS:
            self.call_once(place, value, result)

    def _type_of(self, value: Value, result: int) -> None:
        form = self.values.forms[value]
        if form == INSTANCE:
            self.add(result, self.values.number(CLASS, self.values.first(value)) + (value & 1))
        elif form == BUILT:
            self.add(result, self.values.number(BUILTIN, self.values.name(value)))
        elif form in (OUTCOME, UNKNOWN):
            self.add(result, value)

    def _operate(self, value: Value, name: str, place: Place, operand: tuple[int, ...], result: int) -> None:
        form = self.values.forms[value]
        if form in (INSTANCE, CLASS):
            self.ask(value, name, place, operand, result)
        elif name in _JOINING:
            if form == CONSTANT:
                self.add(result, self.beginning(value))
            elif form in (CONTAINER, BUILT):
                self.add(result, value)
                if form == CONTAINER and operand and name != "__mod__":
                    for node in operand:
                        self.watch(node, self._added, result)
        elif form == CONTAINER and name == "__contains__" and self.kind(value) in ("dict", "set"):
            for node in operand:
                self.watch(node, self.hashed, place, result)

    def _added(self, value: Value, result: int) -> None:
        if self.values.forms[value] == CONTAINER:
            self.add(result, value)
