"""From a call's arguments to the encoding: inside the user's program, without running any of its code."""

from __future__ import annotations

import base64
import types
from typing import Any, Dict, Iterator, List, Optional, Tuple

from tracelens_recorder.classes import clean, type_name
from tracelens_recorder.redact import REDACTED, is_card_number, is_secret_name, redact_text
from tracelens_recorder.replayable.classes import (
    BASES,
    TYPE_NAMES,
    UNSUPPORTED_BASES,
    Layout,
    fields_of,
    genuine,
    is_a,
    layout_of,
    locate,
    made_by_python,
    type_dict,
    type_module,
    type_mro,
    type_qualname,
)
from tracelens_recorder.replayable.limits import (
    EXACT_INT,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    VERSION,
    Encoded,
    NotReplayable,
    Unknown,
)
from tracelens_recorder.replayable.opaque import Opaque
from tracelens_recorder.replayable.standard import CONTAINERS, KNOWN, KNOWN_MODULES, SIMPLE

MAX_OPAQUE = 24
"""Values in one call's arguments that something else may have to stand for."""

_known_classes: Dict[Tuple[int, Tuple[str, ...]], Tuple[object, Tuple[str, str, str]]] = {}
"""Classes that can be found again; they live as long as their module, so that keeping them changes nothing."""
_plain: Dict[int, Tuple[type, Layout]] = {}
"""By id(): of the classes in `_known_classes` those that Python made, of no built-in base: nothing else is to check.
Beside them how their instances are read."""


def encode_arguments(
    arguments: Dict[str, object],
    roots: Tuple[str, ...],
    max_nodes: int = MAX_NODES,
    max_bytes: int = MAX_BYTES,
) -> Optional[Encoded]:
    """The arguments of a call by name (`self` included) in the encoding above; None when they are not replayable.

    `roots`: absolute real paths of the folders whose modules' classes may be rebuilt. Never raises; costs about
    a microsecond per value.
    """
    measured = encode_measured(arguments, roots, max_nodes, max_bytes)
    return measured[0] if measured is not None else None


def encode_measured(
    arguments: Dict[str, object], roots: Tuple[str, ...], max_nodes: int = MAX_NODES, max_bytes: int = MAX_BYTES
) -> Optional[Tuple[Encoded, int]]:
    """The same, and about how many bytes it takes as JSON."""
    try:
        encoder = Encoder(roots, max_nodes, max_bytes, True)
        encoded = encoder.arguments(arguments)
    except Exception:
        return None
    return encoded, (max_bytes - encoder.size) + 16 * (max_nodes - encoder.nodes) + 80 * (1 + len(encoder.classes))


def encode_result(value: object, roots: Tuple[str, ...], max_nodes: int) -> Optional[Encoded]:
    """What a function outside of the program gave back, for the tape: under the name "value", or None."""
    try:
        return Encoder(roots, max_nodes, MAX_BYTES, True).arguments({"value": value})
    except Exception:
        return None


def encode_exactly(value: object, roots: Tuple[str, ...], max_nodes: int = MAX_NODES) -> Optional[Encoded]:
    """One value under the name "value", without replacing secrets: to compare results inside the sandbox."""
    try:
        return Encoder(roots, max_nodes, MAX_BYTES * 16, False).arguments({"value": value})
    except Exception:
        return None


class Encoder:
    def __init__(self, roots: Tuple[str, ...], nodes: int, size: int, redact: bool) -> None:
        self.roots = roots
        self.nodes = nodes
        self.size = size
        self.redact = redact
        self.redacted = 0
        self.opaque = 0
        """Values that something else will have to stand for."""
        self.numbers: Dict[int, int] = {}
        self.kept: List[object] = []
        """What has been numbered, so that no id is used twice while we look."""
        self.unfinished: Dict[int, bool] = {}
        """Numbers of the immutable containers that we are inside of: they cannot be rebuilt in a cycle."""
        self.receiver: object = None
        self.classes: List[Tuple[str, str, str]] = []
        self.class_numbers: Dict[Tuple[str, str, str], int] = {}

    def arguments(self, arguments: Dict[str, object]) -> Encoded:
        self.receiver = next((value for name, value in arguments.items() if name in ("self", "cls")), None)
        encoded = [[name, self.named(name, value, 0)] for name, value in arguments.items()]
        if self.opaque and encoded and all(type(one) is list and one[0] == "opaque" for _, one in encoded):
            raise NotReplayable("nothing of it is known")
        return {
            "version": VERSION,
            "arguments": encoded,
            "classes": [list(one) for one in self.classes],
            "redacted": self.redacted,
            **({"opaque": self.opaque} if self.opaque else {}),
        }

    def named(self, name: object, value: object, depth: int, secret: bool = False) -> Any:
        if self.redact and not secret and type(name) is str and is_secret_name(name):
            secret = True
        return self.value(value, depth, secret)

    def value(self, value: Any, depth: int, secret: bool = False) -> Any:
        self.nodes -= 1
        if self.nodes < 0 or depth > MAX_DEPTH:
            raise NotReplayable("too large")
        if value is None or value is True or value is False:
            return value
        kind = type(value)
        if kind is str:
            return self.text(value, secret)
        if kind is int or kind is float:
            return self.number(value, kind, secret)
        me = id(value)
        number = self.numbers.get(me)
        if number is not None:
            if number in self.unfinished:
                raise NotReplayable("a cycle through a tuple")
            return ["ref", number]
        if type(kind) is type:
            simple = SIMPLE.get(kind)
            if simple is not None:
                return simple(self, value, depth, secret)
            container = CONTAINERS.get(kind)
            if container is not None:
                return self.container(container, value, kind, depth, secret)
        try:
            return self.other(value, kind, depth, secret)
        except Unknown:
            if kind is Opaque and not self.redact:
                self.begin(value)
                return ["opaque", ""]
            if me in self.numbers or not self.redact:
                raise
            return self.stand_in(value, kind)

    def stand_in(self, value: Any, kind: type) -> Any:
        """For a value of which nothing but its class is known. Where it is the object whose method is called, or one
        of too many, the call is not worth making."""
        self.opaque += 1
        if self.opaque > MAX_OPAQUE or value is self.receiver:
            raise NotReplayable("too much of it is not known")
        self.begin(value)
        return ["opaque", clean(type_name(kind), 80)]

    def text(self, value: str, secret: bool) -> Any:
        self.size -= len(value)
        if self.size < 0:
            raise NotReplayable("too large")
        if self.redact and value:
            if secret:
                self.redacted += 1
                value = REDACTED
            else:
                value, found = redact_text(value)
                self.redacted += found
        if value.isascii():
            return value
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:  # lone surrogates: not every JSON reader takes them
            return ["text", base64.b64encode(value.encode("utf-8", "surrogatepass")).decode("ascii")]
        return value

    def number(self, value: Any, kind: type, secret: bool) -> Any:
        if secret:
            raise NotReplayable("a secret number")
        if kind is float:
            if value != value or value in (float("inf"), float("-inf")):
                return ["float", float.__repr__(value)]
            return value
        if -EXACT_INT < value < EXACT_INT:
            if self.redact and abs(value) >= 10**12 and is_card_number(int.__repr__(value)):
                raise NotReplayable("the number of a payment card")
            return value
        self.size -= int.bit_length(value) // 4
        if self.size < 0:
            raise NotReplayable("too large")
        return ["int", hex(value)]

    def binary(self, value: bytes, secret: bool) -> str:
        self.size -= len(value)
        if self.size < 0:
            raise NotReplayable("too large")
        if self.redact and value:
            text = REDACTED if secret else redact_text(value.decode("latin-1"))[0]
            if text.encode("latin-1") != value:
                self.redacted += 1
                value = text.encode("latin-1")
        return base64.b64encode(value).decode("ascii")

    def begin(self, value: object) -> int:
        number = len(self.kept)
        self.numbers[id(value)] = number
        self.kept.append(value)
        return number

    def items(self, values: Iterator[Any], depth: int, secret: bool) -> List[Any]:
        return [self.value(item, depth + 1, secret) for item in values]

    def pairs(self, value: Any, depth: int, secret: bool) -> List[Any]:
        return [[self.key(key, depth + 1), self.named(key, item, depth + 1, secret)] for key, item in dict.items(value)]

    def key(self, value: Any, depth: int, secret: bool = False) -> Any:
        """A key of a dictionary or an element of a set: two of them may not become one `[redacted]`."""
        before = self.redacted
        encoded = self.value(value, depth, secret)
        if self.redacted != before:
            raise NotReplayable("a secret as a key")
        return encoded

    def container(self, name: str, value: Any, kind: type, depth: int, secret: bool) -> Any:
        number = self.begin(value)
        if name == "dict":
            return ["dict", self.pairs(value, depth, secret)]
        immutable = name in ("tuple", "frozenset")
        if immutable:
            self.unfinished[number] = True
        items: Iterator[Any] = kind.__iter__(value)  # type: ignore[attr-defined]
        if name in ("set", "frozenset"):
            encoded = [name, [self.key(item, depth + 1, secret) for item in items]]
        else:
            encoded = [name, self.items(items, depth, secret)]
        if immutable:
            del self.unfinished[number]
        return encoded

    def other(self, value: Any, kind: type, depth: int, secret: bool) -> Any:
        plain = _plain.get(id(kind))
        if plain is not None and plain[0] is kind:
            reference = self.class_number(kind, type_module(kind), type_qualname(kind))
            return self.fields(value, plain, depth, secret, reference)
        module = type_module(kind)
        if type(module) is str and module in KNOWN_MODULES:
            name = type_qualname(kind)
            known = KNOWN.get((module.partition(".")[0], name) if module.startswith("pathlib") else (module, name))
            if known is not None and genuine(module, name, kind):
                return known(self, value, depth, secret)
        if issubclass(kind, type):
            if id(value) in TYPE_NAMES:
                return ["type", TYPE_NAMES[id(value)]]
            return ["global", self.class_number(value, type_module(value), type_qualname(value))]
        if kind is types.FunctionType:
            return ["global", self.class_number(value, value.__module__, value.__qualname__)]
        if is_a(kind, "enum", "Enum"):
            return self.member(value, kind, depth)
        return self.instance(value, kind, depth, secret)

    def member(self, value: Any, kind: type, depth: int) -> Any:
        number = self.class_number(kind, type_module(kind), type_qualname(kind))
        state = dict(fields_of(value, kind, layout_of(kind)))
        members = type_dict(kind).get("_member_map_")
        name = state.get("_name_")
        if type(members) is dict and type(name) is str and members.get(name) is value:
            return ["member", number, name]
        if is_a(kind, "enum", "Flag") and type(state.get("_value_")) is int:
            return ["flag", number, self.value(state["_value_"], depth + 1)]
        raise NotReplayable("an enumeration's member without a name")

    def instance(self, value: Any, kind: type, depth: int, secret: bool) -> Any:
        reference = self.class_number(kind, type_module(kind), type_qualname(kind))
        if any(issubclass(kind, one) for one in UNSUPPORTED_BASES):
            raise Unknown("an instance of a built-in class")
        base = next((one for one in BASES if issubclass(kind, one)), None)
        mro = type_mro(kind)
        for one in mro:  # a base written in C keeps state where we cannot see it
            if one is not object and one is not base and not made_by_python(one):
                raise Unknown("an instance of a class written in C")
        if base is None:  # found by its name, which `class_number` has seen to: it lives as long as its module
            if len(_plain) > 4096:
                _plain.clear()
            plain = _plain[id(kind)] = (kind, layout_of(kind))
            return self.fields(value, plain, depth, secret, reference)
        number = self.begin(value)
        immutable = base in (tuple, frozenset)
        if immutable:
            self.unfinished[number] = True
        content = self.content(value, base, depth, secret)
        if immutable:
            self.unfinished.pop(number, None)
        fields = [
            [name, self.named(name, item, depth + 1, secret)] for name, item in fields_of(value, kind, layout_of(kind))
        ]
        return ["object", reference, base.__name__, content, fields]

    def fields(self, value: Any, plain: Tuple[type, Layout], depth: int, secret: bool, reference: int) -> Any:
        """Of an instance of a class that Python made, of no built-in base."""
        self.begin(value)
        kind, layout = plain
        depth += 1
        hides = self.redact and not secret
        fields = [
            [name, self.value(item, depth, secret or (hides and is_secret_name(name)))]
            for name, item in fields_of(value, kind, layout)
        ]
        return ["object", reference, "", None, fields]

    def content(self, value: Any, base: Any, depth: int, secret: bool) -> Any:
        if base is dict:
            return self.pairs(value, depth, secret)
        if base is str:
            return self.text(str.__str__(value), secret)
        if base is bytes:
            return self.binary(bytes.__getitem__(value, slice(None)), secret)
        if base is int:
            return self.number(int.__int__(value), int, secret)
        if base is float:
            return self.number(float.__float__(value), float, secret)
        if base is set or base is frozenset:
            return [self.key(item, depth + 1, secret) for item in base.__iter__(value)]
        return self.items(base.__iter__(value), depth, secret)

    def class_number(self, value: object, module: object, name: object) -> int:
        key = (id(value), self.roots)
        known = _known_classes.get(key)
        if known is None or known[0] is not value:
            found = locate(value, module, name, self.roots)
            if len(_known_classes) > 4096:
                _known_classes.clear()
            _known_classes[key] = (value, found)
        else:
            found = known[1]
        number = self.class_numbers.get(found)
        if number is None:
            number = self.class_numbers[found] = len(self.classes)
            self.classes.append(found)
        return number
