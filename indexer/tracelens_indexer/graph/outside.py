"""Calls of what is not of the workspace: builtins, containers and their methods, and what others' packages do with what
they are given. What iterating a value gives.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Final

from tracelens_indexer.graph import models
from tracelens_indexer.graph.attributes import Place
from tracelens_indexer.graph.containers import ANY
from tracelens_indexer.graph.language import Language
from tracelens_indexer.graph.models import Given, Model
from tracelens_indexer.graph.program import Program
from tracelens_indexer.graph.values import (
    BUILT,
    BUILTIN_TYPES,
    CLASS,
    CLASS_METHOD,
    CONSTANT,
    CONTAINER,
    EXTERNAL,
    GENERATOR,
    INSTANCE,
    MANAGED,
    OUTCOME,
    PARTIAL,
    PROPERTY,
    SETTER,
    STATIC,
    UNKNOWN,
    Value,
)


@dataclass(slots=True, eq=False)
class Call:
    """One place that calls, in one context."""

    number: int
    callee: int
    positional: tuple[int, ...]
    others: tuple[tuple[int, int], ...]
    """(how, node) of keywords (by the word's number in `Calls.keywords`), *, ** and what follows a *."""
    result: int
    depth: int
    """Contexts within contexts that led here."""
    place: Place
    derived: int = 0
    """Calls by models and partials that led here."""
    live: bool = True
    """Whether the code that has it is still there."""
    of_self: bool = False
    """Whether it calls a method of a method's first parameter."""


MAX_DERIVED: Final = 4
"""Calls by builtins of what they were given, by builtins of what they were given…"""


class Outside(Language):
    """Adds calls, and what those do whose code is not read."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.calls: list[Call] = []
        self.keywords: dict[str, int] = {}
        self._keyword_names: list[str] = []

    @abstractmethod
    def call(self, value: Value, call: Call) -> None:
        """Call a value."""

    @abstractmethod
    def returned(self, frame: int) -> int:
        """The node of what a frame returns; the next one is of what it yields."""

    # Calling

    def keyword(self, name: str) -> int:
        found = self.keywords.get(name)
        if found is None:
            found = self.keywords[name] = len(self.keywords)
            self._keyword_names.append(name)
        return found

    def new_call(
        self,
        callee: int,
        positional: tuple[int, ...],
        others: tuple[tuple[int, int], ...],
        result: int,
        depth: int,
        place: Place,
        derived: int = 0,
    ) -> Call:
        call = Call(len(self.calls), callee, positional, others, result, depth, place, derived)
        self.calls.append(call)
        self._made(call)
        self.watch(callee, self.call, call)
        return call

    def _made(self, call: Call) -> None:
        """What keeps account of what was made does it here."""

    def call_implicitly(self, place: Place, callee: int, given: tuple[int, ...], result: int) -> None:
        self.new_call(callee, given, (), result, 1, place)

    # What is not of the workspace

    def _call_builtin(self, name: str, call: Call) -> None:
        number = self.values.number
        first = call.positional[0] if call.positional else -1
        if name in ("staticmethod", "classmethod", "property") and first >= 0:
            form = {"staticmethod": STATIC, "classmethod": CLASS_METHOD, "property": PROPERTY}[name]
            self.watch(first, self._wrap, form, call.result)
            if name == "property" and len(call.positional) > 1:
                self.watch(call.positional[1], self._with_setter, first, call.result)
            return
        if name == "dict":
            made = self.container("dict", call.result)
            self.add(call.result, made)
            if first >= 0:
                self.watch(first, self.spread, made)
            for how, node in call.others:
                if how >= 0:
                    self.edge(node, self.item(made, f"'{self._keyword_names[how]}'"))
            return
        if name in ("enumerate", "zip"):
            made = self.container("generator", call.result)
            pair = self.container("tuple", self.item(made, ANY), len(call.positional) + (name == "enumerate"))
            self.add(self.item(made, ANY), pair)
            self.add(call.result, made)
            for at, node in enumerate(call.positional[:8]):
                self.iterate(node, self.item(pair, str(at + (name == "enumerate"))), call)
            return
        if name == "object.__setattr__" and len(call.positional) == 3:
            implicit: Place = (*call.place[:3], "implicit")
            self.watch(first, self.set_as_object, call.positional[1], implicit)
            return
        model = models.FUNCTIONS.get(name)
        if model is not None:
            if name == "next" and first >= 0:
                self.watch(first, self._next, call.result, (*call.place[:3], "implicit"))
            self._apply(model, call, ())
        elif name in BUILTIN_TYPES:
            self.add(call.result, number(BUILT, name))
        else:
            kind, _, method = name.partition(".")
            closed = method and kind in models.CLOSED_TYPES
            returns = _STRING_METHODS.get(method, "") if kind == "str" else ""
            outcome = number(BUILT, returns) if returns else number(OUTCOME, "builtins")
            if closed or not method:
                self.add(call.result, outcome)

    def _call_bound_builtin(self, name: str, receiver: Value, call: Call) -> None:
        """A builtin method of a value that is known."""
        if name == "object.__setattr__" and len(call.positional) == 2:
            self.set_as_object(receiver, call.positional[0], (*call.place[:3], "implicit"))
        elif name.startswith("str."):
            constant = self.values.name(receiver)
            if name == "str.format":
                constant = self.values.name(self.beginning(receiver)).partition("{")[0]
                known = len(constant) > 1
            else:
                constant = constant.lower() if name == "str.lower" else constant.upper()
                known = True
            self.add(call.result, self.constant(constant) if known else self.values.number(BUILT, "str"))

    def _wrap(self, value: Value, form: int, result: int) -> None:
        self.add(result, self.values.number(form, value & ~1))

    def _with_setter(self, setter: Value, getters: int, result: int) -> None:
        self.watch(getters, self._pair, setter, result)

    def _pair(self, getter: Value, setter: Value, result: int) -> None:
        self.add(result, self.values.number(SETTER, setter & ~1, getter & ~1))

    def _call_external(self, name: str, call: Call) -> None:
        number = self.values.number
        if name in ("functools.partial", "functools.partialmethod"):
            self.add(call.result, number(PARTIAL, call.number))
        elif name in ("functools.cached_property", "abc.abstractproperty", "django.utils.functional.cached_property"):
            if call.positional:
                self.watch(call.positional[0], self._wrap, PROPERTY, call.result)
        elif name in ("contextlib.contextmanager", "contextlib.asynccontextmanager"):
            if call.positional:
                self.watch(call.positional[0], self._wrap, MANAGED, call.result)
        elif name in ("collections.OrderedDict",):
            self._call_builtin("dict", call)
        elif name == "collections.defaultdict":
            made = self.container("dict", call.result)
            self.add(call.result, made)
            if call.positional and call.derived < MAX_DERIVED:
                factory = call.positional[0]
                self.new_call(factory, (), (), self.item(made, ANY), call.depth, call.place, call.derived + 1)
        else:
            model = models.EXTERNALS.get(name)
            applied = model is not None and bool(call.positional or model.calls == "target" or model.collected)
            if model is not None and applied:
                self._apply(model, call, ())
            if model is None or not applied or not model.gives or name in models.DECORATOR_MAKERS:
                self.outcome(name, call)

    def outcome(self, name: str, call: Call) -> None:
        """What something outside gives. What comes of that in turn is known by its module alone."""
        if call.place[3] == "decorates":
            return  # a decorator from outside is taken to leave what it gets as it is
        kept = name if name.count(".") < 3 else name.partition(".")[0]
        self.add(call.result, self.values.number(OUTCOME, kept))

    def _call_outcome(self, value: Value, call: Call) -> None:
        name = self.values.name(value)
        self.outcome(name if name in models.TRANSPARENT else name.partition(".")[0], call)
        if call.place[3] == "decorates" or name in models.TRANSPARENT:
            # What is decorated by something outside is taken to stay what it is.
            for node in call.positional[:1]:
                self.edge(node, call.result)

    def _apply(self, model: Model, call: Call, owner: tuple[Value, ...]) -> None:
        """Do what a model says; `owner`: the container whose method it is."""
        outcome = -1
        if model.asks:
            self._ask_arguments(model.asks, call)
        if model.calls is not None:
            callee = self._given(model.calls, call, owner)
            if callee >= 0 and call.derived < MAX_DERIVED:
                outcome = self.new_nodes(1)
                given = tuple(node for one in model.with_ if (node := self._given(one, call, owner)) >= 0)
                self.new_call(callee, given, (), outcome, call.depth, call.place, call.derived + 1)
        into = call.result
        if model.collected:
            made = self.container(model.collected, call.result)
            self.add(call.result, made)
            into = self.item(made, ANY)
        for one in model.gives:
            node = outcome if one == models.OUTCOME else self._given(one, call, owner)
            if node >= 0:
                self.edge(node, into)
        if model.built:
            self.add(call.result, self.values.number(BUILT, model.built))

    def _ask_arguments(self, name: str, call: Call) -> None:
        implicit: Place = (*call.place[:3], "implicit")
        for node in call.positional if name == "__str__" else call.positional[:1]:
            result = self.ignored(call.result, f"{name} {implicit[1]}:{implicit[2]}")
            self.watch(node, self._ask, name, implicit, result)

    def _ask(self, value: Value, name: str, place: Place, result: int) -> None:
        if self.values.forms[value] in (INSTANCE, CLASS):
            self.ask(value, name, place, (), result)

    def _given(self, given: Given, call: Call, owner: tuple[Value, ...]) -> int:
        """The node of an argument that a model names; -1 when it is not passed."""
        if isinstance(given, str):
            wanted = self.keywords.get(given)
            return next((node for how, node in call.others if how == wanted and how >= 0), -1)
        if isinstance(given, tuple):
            position = given[1]
            result = self.new_nodes(1)
            if position < 0:
                for one in owner:
                    self.each(one, result, call.place)
                return result
            if position >= len(call.positional):
                return -1
            self.iterate(call.positional[position], result, call)
            return result
        if given < 0:
            result = self.new_nodes(1)
            for one in owner:
                self.add(result, one)
            return result
        return call.positional[given] if given < len(call.positional) else -1

    # Methods of containers

    def _call_method(self, value: Value, call: Call) -> None:
        _, name, owner = self.values.payload(value)
        container = int(owner)
        name = str(name)
        if name.startswith("property."):
            self._property_function(name, container, call)
            return
        given = call.positional
        everything = ANY
        if name in ("append", "add", "appendleft", "insert") and given:
            self.edge(given[-1], self.item(container, everything))
        elif name == "extend" and given:
            self.iterate(given[0], self.item(container, everything), call)
        elif name in ("get", "setdefault", "pop", "__getitem__") and given and self.kind(container) == "dict":
            if name == "setdefault" and len(given) > 1:
                self.watch(given[0], self._set_by_key, container, given[1])
            self.watch(given[0], self._get_by_key, container, call.result, (*call.place[:3], "implicit"))
            if len(given) > 1:
                self.edge(given[1], call.result)
            return
        elif name == "update":
            for node in given[:1]:
                self.watch(node, self.spread, container)
            for how, node in call.others:
                if how >= 0:
                    self.edge(node, self.item(container, f"'{self._keyword_names[how]}'"))
        elif name in ("items", "popitem"):
            made = self.container("list", call.result)
            pair = self.container("tuple", self.item(made, ANY), 2)
            self.add(self.item(made, ANY), pair)
            self.edge(self.items(container), self.item(pair, "1"))
            self.add(call.result, made if name == "items" else pair)
            return
        self._apply(models.METHODS[name], call, (container,))

    def _get_by_key(self, key: Value, container: Value, result: int, place: Place) -> None:
        constant = self.keyed(key)
        if constant is None:
            self.edge(self.items(container), result)
            if self.values.forms[key] == INSTANCE and self.kind(container) == "dict":
                self.hashed(key, place, result)
        else:
            self.load_item(container, constant, result)

    def _set_by_key(self, key: Value, container: Value, node: int) -> None:
        self.edge(node, self.item(container, self.keyed(key) or ANY))

    def _property_function(self, name: str, owner: Value, call: Call) -> None:
        """`@name.setter` applied to a function."""
        getter = int(self.values.payload(owner)[-1])
        if call.positional:
            if name == "property.setter":
                self.watch(call.positional[0], self._as_setter, getter, call.result)
            elif name == "property.getter":
                self.watch(call.positional[0], self._wrap, PROPERTY, call.result)
            else:
                self.add(call.result, owner)

    def _as_setter(self, setter: Value, getter: Value, result: int) -> None:
        self.add(result, self.values.number(SETTER, setter & ~1, getter))

    # Iterating

    def iterate(self, node: int, result: int, call: Call) -> None:
        self.watch(node, self.each, result, call.place)

    def each(self, value: Value, result: int, place: Place) -> None:
        """What iterating a value gives goes to a node."""
        form = self.values.forms[value]
        if form == CONTAINER:
            if self.kind(value) == "dict":
                self.each_key(value, self._key_itself, result)
            else:
                self.edge(self.items(value), result)
        elif form == GENERATOR:
            self.edge(self.returned(self.values.first(value)) + 1, result)
        elif form in (INSTANCE, CLASS):
            implicit: Place = (*place[:3], "implicit")
            iterator = self._implicit.get((result, "iterator"))
            if iterator is None:
                iterator = self._implicit[(result, "iterator")] = self.new_nodes(1)
                self.lasting(self.watch, iterator, self._next, result, implicit)
            if not (
                self.special(value, "__iter__", implicit, (), iterator)
                or self.special(value, "__aiter__", implicit, (), iterator)
            ):
                self.special(value, "__getitem__", implicit, (), result)
        elif form in (OUTCOME, UNKNOWN, EXTERNAL):
            self.add(result, value)

    def _key_itself(self, key: Value, result: int) -> None:
        if self.values.name(key) != ANY:
            self.add(result, self.constant(self.values.name(key)))

    def _next(self, value: Value, result: int, place: Place) -> None:
        if self.values.forms[value] in (INSTANCE, CLASS):
            if not self.special(value, "__next__", place, (), result):
                self.special(value, "__anext__", place, (), result)
        else:
            self.each(value, result, place)

    def constant(self, key: str) -> Value:
        return self.values.number(CONSTANT, key)


_STRING_METHODS: Final = {
    "split": "list", "rsplit": "list", "splitlines": "list", "join": "str", "format": "str", "strip": "str",
    "lower": "str", "upper": "str", "replace": "str", "encode": "bytes", "lstrip": "str", "rstrip": "str",
    "title": "str", "capitalize": "str",
}  # fmt: skip
