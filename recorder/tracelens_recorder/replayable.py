"""Arguments as plain data, exact enough to make the call again, and how to rebuild them.

Encoding runs in the user's program, at the entry of a call, and runs none of its code: what a value is comes from
`type(v)`, containers are read through their built-in base class, instances through the descriptors of their
`__dict__` and slots. What is not known exactly makes the whole call not replayable; nothing is approximated, except
secrets, which are replaced by `[redacted]` and counted, so that a verdict can say so.

Decoding runs only inside the sandbox. It imports nothing but modules whose file lies under the allowed folders, which
is checked before the import, and never calls a class: instances are made bare and get their fields back.

The encoding is JSON: `null`, `true`, numbers and text stand for themselves; everything else is a list that starts
with its kind. Containers and instances are numbered in the order in which they begin; `["ref", n]` is the n-th one
again, so that aliases and cycles survive.

    ["int", "0x…"] ["float", "nan"] ["complex", re, im] ["text", base64] ["bytes", base64] ["bytearray", base64]
    ["list", items] ["tuple", items] ["set", items] ["frozenset", items] ["dict", [[key, value], …]]
    ["ordered", pairs] ["counter", pairs] ["default", factory, pairs] ["deque", maxlen, items]
    ["decimal", text] ["fraction", n, d] ["uuid", hex] ["path", text] ["purepath", text] ["range", a, b, step]
    ["slice", a, b, step] ["date", …] ["time", …] ["datetime", …] ["timedelta", days, seconds, microseconds]
    ["zone", days, seconds, microseconds, name] ["zoneinfo", name]
    ["type", name] ["global", class] ["member", class, name] ["flag", class, value]
    ["object", class, base, content, [[field, value], …]]

A `class` is a number into `classes`: [module, qualified name, file relative to its root].
"""

from __future__ import annotations

import base64
import os
import sys
import types
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from tracelens_recorder.redact import REDACTED, is_card_number, is_secret_name, redact_text

VERSION = 1
MAX_NODES = 5000
"""Values in one call's arguments."""
MAX_BYTES = 64 * 1024
"""Characters of text and bytes in one call's arguments."""
MAX_DEPTH = 40
_EXACT_INT = 2**53
"""Integers beyond this are written as text: not every JSON reader keeps them."""
_FOREIGN = frozenset(["site-packages", "dist-packages", ".tox", ".nox", "node_modules", "__pypackages__"])

Encoded = Dict[str, Any]


class NotReplayable(Exception):
    """Why a value cannot be encoded."""


class NotRebuildable(Exception):
    """Why an encoding cannot be rebuilt: it is damaged, or names code that may not be imported."""


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
        encoder = _Encoder(roots, max_nodes, max_bytes, True)
        encoded = encoder.arguments(arguments)
    except Exception:
        return None
    return encoded, (max_bytes - encoder.size) + 16 * (max_nodes - encoder.nodes) + 80 * (1 + len(encoder.classes))


def encode_exactly(value: object, roots: Tuple[str, ...], max_nodes: int = MAX_NODES) -> Optional[Encoded]:
    """One value under the name "value", without replacing secrets: to compare results inside the sandbox."""
    try:
        return _Encoder(roots, max_nodes, MAX_BYTES * 16, False).arguments({"value": value})
    except Exception:
        return None


_type_module = type.__dict__["__module__"].__get__
_type_qualname = type.__dict__["__qualname__"].__get__
_type_mro = type.__dict__["__mro__"].__get__
_type_dict = type.__dict__["__dict__"].__get__

_module_attributes: Any = vars(types.ModuleType)["__dict__"]
_module_dict: Callable[[object], Dict[str, Any]] = _module_attributes.__get__

_BASES: Tuple[type, ...] = (list, tuple, dict, set, frozenset, str, bytes, int, float)
_UNSUPPORTED_BASES: Tuple[type, ...] = (BaseException, type, bytearray, complex, types.ModuleType)
_TYPES: Tuple[Any, ...] = (
    *(int, float, str, bool, bytes, list, tuple, dict, set, frozenset, object, complex, bytearray),
    *(type(None), Exception, ValueError, TypeError, KeyError, IndexError, LookupError, OSError, RuntimeError),
)
_TYPE_NAMES = {id(one): one.__name__ for one in _TYPES}
_TYPES_BY_NAME: Dict[str, Any] = {one.__name__: one for one in _TYPES}

_known_classes: Dict[Tuple[int, Tuple[str, ...]], Tuple[object, Tuple[str, str, str]]] = {}
"""Classes that can be found again; they live as long as their module, so that keeping them changes nothing."""
_plain: Dict[int, Tuple[type]] = {}
"""By id(): of the classes in `_known_classes` those that Python made, of no built-in base: nothing else is to check."""


class _Encoder:
    def __init__(self, roots: Tuple[str, ...], nodes: int, size: int, redact: bool) -> None:
        self.roots = roots
        self.nodes = nodes
        self.size = size
        self.redact = redact
        self.redacted = 0
        self.numbers: Dict[int, int] = {}
        self.kept: List[object] = []
        """What has been numbered, so that no id is used twice while we look."""
        self.unfinished: Dict[int, bool] = {}
        """Numbers of the immutable containers that we are inside of: they cannot be rebuilt in a cycle."""
        self.classes: List[Tuple[str, str, str]] = []
        self.class_numbers: Dict[Tuple[str, str, str], int] = {}

    def arguments(self, arguments: Dict[str, object]) -> Encoded:
        encoded = [[name, self.named(name, value, 0)] for name, value in arguments.items()]
        return {
            "version": VERSION,
            "arguments": encoded,
            "classes": [list(one) for one in self.classes],
            "redacted": self.redacted,
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
            simple = _SIMPLE.get(kind)
            if simple is not None:
                return simple(self, value, depth, secret)
            container = _CONTAINERS.get(kind)
            if container is not None:
                return self.container(container, value, kind, depth, secret)
        return self.other(value, kind, depth, secret)

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
        if -_EXACT_INT < value < _EXACT_INT:
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
            reference = self.class_number(kind, _type_module(kind), _type_qualname(kind))
            return self.fields(value, kind, depth, secret, reference)
        module = _type_module(kind)
        if type(module) is str and module in _KNOWN_MODULES:
            name = _type_qualname(kind)
            known = _KNOWN.get((module.partition(".")[0], name) if module.startswith("pathlib") else (module, name))
            if known is not None and _genuine(module, name, kind):
                return known(self, value, depth, secret)
        if issubclass(kind, type):
            if id(value) in _TYPE_NAMES:
                return ["type", _TYPE_NAMES[id(value)]]
            return ["global", self.class_number(value, _type_module(value), _type_qualname(value))]
        if kind is types.FunctionType:
            return ["global", self.class_number(value, value.__module__, value.__qualname__)]
        if _is_a(kind, "enum", "Enum"):
            return self.member(value, kind, depth)
        return self.instance(value, kind, depth, secret)

    def member(self, value: Any, kind: type, depth: int) -> Any:
        number = self.class_number(kind, _type_module(kind), _type_qualname(kind))
        state = dict(_fields(value, kind))
        members = _type_dict(kind).get("_member_map_")
        name = state.get("_name_")
        if type(members) is dict and type(name) is str and members.get(name) is value:
            return ["member", number, name]
        if _is_a(kind, "enum", "Flag") and type(state.get("_value_")) is int:
            return ["flag", number, self.value(state["_value_"], depth + 1)]
        raise NotReplayable("an enumeration's member without a name")

    def instance(self, value: Any, kind: type, depth: int, secret: bool) -> Any:
        reference = self.class_number(kind, _type_module(kind), _type_qualname(kind))
        plain = _plain.get(id(kind))
        if plain is not None and plain[0] is kind:
            return self.fields(value, kind, depth, secret, reference)
        if any(issubclass(kind, one) for one in _UNSUPPORTED_BASES):
            raise NotReplayable("an instance of a built-in class")
        base = next((one for one in _BASES if issubclass(kind, one)), None)
        mro = _type_mro(kind)
        for one in mro:  # a base written in C keeps state where we cannot see it
            if one is not object and one is not base and not _made_by_python(one):
                raise NotReplayable("an instance of a class written in C")
        if base is None:  # found by its name, which `class_number` has seen to: it lives as long as its module
            if len(_plain) > 4096:
                _plain.clear()
            _plain[id(kind)] = (kind,)
            return self.fields(value, kind, depth, secret, reference)
        number = self.begin(value)
        immutable = base in (tuple, frozenset)
        if immutable:
            self.unfinished[number] = True
        content = self.content(value, base, depth, secret)
        if immutable:
            self.unfinished.pop(number, None)
        fields = [[name, self.named(name, item, depth + 1, secret)] for name, item in _fields(value, kind)]
        return ["object", reference, base.__name__, content, fields]

    def fields(self, value: Any, kind: type, depth: int, secret: bool, reference: int) -> Any:
        """Of an instance of a class that Python made, of no built-in base."""
        self.begin(value)
        fields = [[name, self.named(name, item, depth + 1, secret)] for name, item in _fields(value, kind)]
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
            found = _locate(value, module, name, self.roots)
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


def _locate(value: object, module: object, name: object, roots: Tuple[str, ...]) -> Tuple[str, str, str]:
    """Where a class or function can be found again: module, qualified name, and file relative to its root."""
    if type(module) is not str or type(name) is not str or "<" in name:
        raise NotReplayable("a class or function that has no name in a module")
    holder = sys.modules.get(module)
    if type(holder) is not types.ModuleType:
        raise NotReplayable("a module that is not loaded")
    names = _module_dict(holder)
    file = names.get("__file__")
    if type(file) is not str:
        raise NotReplayable("a module without a file")
    path = _place(file, roots)
    if path is None:
        raise NotReplayable("a class or function of another package")
    found: Any = names.get(name.partition(".")[0])
    for part in name.split(".")[1:]:
        if not issubclass(type(found), type):
            raise NotReplayable("a class that is not where its name says")
        found = _type_dict(found).get(part)
    if found is not value:
        raise NotReplayable("a class or function that is not where its name says")
    return module, name, path


_known_places: Dict[Tuple[str, Tuple[str, ...]], Optional[str]] = {}
"""What a real path is takes a question to the system for each of its folders."""


def _place(file: str, roots: Tuple[str, ...]) -> Optional[str]:
    """`_below`, remembered: for the encoder, where a wrong answer spoils one recorded call."""
    try:
        return _known_places[file, roots]
    except KeyError:
        pass
    if len(_known_places) >= 10_000:
        _known_places.clear()
    place = _known_places[file, roots] = _below(file, roots)
    return place


def _below(file: str, roots: Tuple[str, ...]) -> Optional[str]:
    """The file's path relative to the root that it lies under, with /; None when it lies under none."""
    real = os.path.realpath(file)
    for root in roots:
        below = os.path.realpath(root).rstrip(os.sep) + os.sep
        if real.startswith(below):
            parts = real[len(below) :].split(os.sep)
            if _FOREIGN.isdisjoint(parts):
                return "/".join(parts)
    return None


def _made_by_python(kind: type) -> bool:
    """Whether a class statement in a Python file made a class, so that all its state can be seen."""
    attributes = _type_dict(kind)
    module = sys.modules.get(attributes.get("__module__") or "")
    file = _module_dict(module).get("__file__") if type(module) is types.ModuleType else None
    flags = _type_flags(kind)
    return type(file) is str and file.endswith((".py", ".pyc")) and bool(flags & _HEAP_TYPE) and not flags & _FIXED_TYPE


_HEAP_TYPE = 1 << 9
_FIXED_TYPE = 1 << 8
_type_flags = type.__dict__["__flags__"].__get__


def _genuine(module: str, name: object, kind: type) -> bool:
    """Whether a class that calls itself `module.name` is the one of that name, not a namesake in the program."""
    holder = sys.modules.get(module)
    return type(holder) is types.ModuleType and _module_dict(holder).get(str(name)) is kind


def _is_a(kind: type, module: str, name: str) -> bool:
    holder = sys.modules.get(module)
    base = _module_dict(holder).get(name) if type(holder) is types.ModuleType else None
    return base is not None and any(one is base for one in _type_mro(kind))


def _fields(value: object, kind: type) -> List[Tuple[str, Any]]:
    """All fields of an instance from its `__dict__` and its slots, read past everything the class defines."""
    found: List[Tuple[str, Any]] = []
    seen_dict = False
    for base in _type_mro(kind):
        if base is object:
            continue
        attributes = _type_dict(base)
        descriptor = attributes.get("__dict__")
        if not seen_dict and type(descriptor) is types.GetSetDescriptorType:
            seen_dict = True
            state = descriptor.__get__(value, kind)
            if type(state) is not dict:
                raise NotReplayable("an instance whose fields are not in a dictionary")
            for name, item in dict.items(state):
                if type(name) is not str:
                    raise NotReplayable("a field without a name")
                found.append((name, item))
        for name, slot in list(attributes.items()):
            if type(slot) is types.MemberDescriptorType:
                try:
                    found.append((_slot_name(base, name), slot.__get__(value, kind)))
                except AttributeError:  # a slot that was never set
                    continue
    return found


def _slot_name(base: type, name: str) -> str:
    """Two classes of one line may have a slot of the same name each."""
    return "%s:%s" % (_type_qualname(base), name)


def _simple_text(name: str, show: Callable[[Any], str]) -> Callable[[_Encoder, Any, int, bool], Any]:
    def encode(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
        if secret:
            raise NotReplayable("a secret")
        before = encoder.redacted
        encoded = [name, encoder.text(show(value), False)]
        if encoder.redacted != before and name not in ("path", "purepath"):
            raise NotReplayable("a secret")
        return encoded

    return encode


def _parts(name: str, *attributes: str) -> Callable[[_Encoder, Any, int, bool], Any]:
    def encode(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
        return [name, *(encoder.value(getattr(value, one), depth + 1) for one in attributes)]

    return encode


def _slots(base: type, name: str, *attributes: str) -> Callable[[_Encoder, Any, int, bool], Any]:
    readers = [base.__dict__[one].__get__ for one in attributes]

    def encode(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
        return [name, *(encoder.value(read(value), depth + 1) for read in readers)]

    return encode


def _encode_bytearray(encoder: _Encoder, value: bytearray, depth: int, secret: bool) -> Any:
    encoder.begin(value)
    return ["bytearray", encoder.binary(bytes(value), secret)]


def _encode_ordered(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
    encoder.begin(value)
    return ["ordered", encoder.pairs(value, depth, secret)]


def _encode_counter(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
    encoder.begin(value)
    return ["counter", encoder.pairs(value, depth, secret)]


def _encode_default(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
    factory = _default_factory(value)
    encoder.begin(value)
    shown = None if factory is None else encoder.value(factory, depth + 1)
    return ["default", shown, encoder.pairs(value, depth, secret)]


def _default_factory(value: Any) -> Any:
    import collections

    return collections.defaultdict.__dict__["default_factory"].__get__(value)


def _encode_deque(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
    import collections

    encoder.begin(value)
    longest = collections.deque.__dict__["maxlen"].__get__(value)
    return ["deque", longest, encoder.items(collections.deque.__iter__(value), depth, secret)]


def _encode_zone(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
    import datetime

    offset = value.utcoffset(None)
    shown = datetime.timezone.tzname(value, None)
    plain = datetime.timezone(offset).tzname(None)
    return ["zone", offset.days, offset.seconds, offset.microseconds, None if shown == plain else shown]


def _encode_zone_info(encoder: _Encoder, value: Any, depth: int, secret: bool) -> Any:
    if type(value.key) is not str:
        raise NotReplayable("a time zone without a name")
    return ["zoneinfo", encoder.text(value.key, False)]


_CONTAINERS: Dict[type, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset", dict: "dict"}
_SIMPLE: Dict[type, Callable[[_Encoder, Any, int, bool], Any]] = {
    bytes: lambda encoder, value, depth, secret: ["bytes", encoder.binary(value, secret)],
    bytearray: _encode_bytearray,
    complex: _slots(complex, "complex", "real", "imag"),
    range: _slots(range, "range", "start", "stop", "step"),
    slice: _slots(slice, "slice", "start", "stop", "step"),
}
_KNOWN: Dict[Tuple[str, object], Callable[[_Encoder, Any, int, bool], Any]] = {
    ("decimal", "Decimal"): _simple_text("decimal", str),
    ("fractions", "Fraction"): _parts("fraction", "_numerator", "_denominator"),
    ("uuid", "UUID"): _simple_text("uuid", str),
    ("datetime", "date"): _parts("date", "year", "month", "day"),
    ("datetime", "time"): _parts("time", "hour", "minute", "second", "microsecond", "tzinfo", "fold"),
    ("datetime", "datetime"): _parts(
        "datetime", "year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo", "fold"
    ),
    ("datetime", "timedelta"): _parts("timedelta", "days", "seconds", "microseconds"),
    ("datetime", "timezone"): _encode_zone,
    ("zoneinfo", "ZoneInfo"): _encode_zone_info,
    ("pathlib", "PosixPath"): _simple_text("path", str),
    ("pathlib", "WindowsPath"): _simple_text("path", str),
    ("pathlib", "PurePosixPath"): _simple_text("purepath", str),
    ("collections", "OrderedDict"): _encode_ordered,
    ("collections", "Counter"): _encode_counter,
    ("collections", "defaultdict"): _encode_default,
    ("collections", "deque"): _encode_deque,
}
_KNOWN_MODULES = frozenset(
    ["decimal", "fractions", "uuid", "datetime", "zoneinfo", "pathlib", "pathlib._local", "pathlib._abc", "collections"]
)


def decode_arguments(encoded: Encoded, allowed_roots: Tuple[str, ...]) -> Dict[str, Any]:
    """Rebuild the arguments. Raises NotRebuildable; imports modules under `allowed_roots` alone. Sandbox only."""
    if not isinstance(encoded, dict) or encoded.get("version") != VERSION:
        raise NotRebuildable("an encoding of another version")
    try:
        decoder = _Decoder(encoded["classes"], allowed_roots)
        arguments = {str(name): decoder.value(value) for name, value in encoded["arguments"]}
        decoder.finish()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise NotRebuildable("%s: %s" % (type(error).__name__, error)) from error
    return arguments


class _Decoder:
    def __init__(self, classes: List[List[str]], roots: Tuple[str, ...]) -> None:
        self.classes = classes
        self.roots = roots
        self.found: Dict[int, Any] = {}
        self.made: List[Any] = []
        self.later: List[Callable[[], None]] = []
        """Filling of sets and dictionaries: their keys are hashed only when all instances have their fields."""

    def finish(self) -> None:
        for fill in self.later:
            fill()

    def global_(self, number: int) -> Any:
        if number not in self.found:
            module, name, path = self.classes[number]
            found: Any = import_file(module, path, self.roots)
            for part in name.split("."):
                found = getattr(found, part)
            self.found[number] = found
        return self.found[number]

    def class_(self, number: int) -> type:
        found = self.global_(number)
        if not isinstance(found, type):
            raise NotRebuildable("%s is not a class" % (self.classes[number][1],))
        return found

    def reserve(self) -> int:
        self.made.append(None)
        return len(self.made) - 1

    def value(self, encoded: Any) -> Any:
        if type(encoded) is not list:
            return encoded
        kind, rest = encoded[0], encoded[1:]
        if kind == "ref":
            return self.made[rest[0]]
        if kind in _SCALARS:
            return _SCALARS[kind](*[self.value(one) for one in rest])
        if kind == "global":
            return self.global_(rest[0])
        if kind == "member":
            return self.class_(rest[0]).__members__[rest[1]]  # type: ignore[attr-defined]
        if kind == "flag":
            return self.class_(rest[0])(rest[1])
        number = self.reserve()
        if kind == "object":
            return self.instance(number, *rest)
        return self.container(number, kind, rest)

    def container(self, number: int, kind: str, rest: List[Any]) -> Any:
        import collections

        if kind in ("tuple", "frozenset"):
            items = [self.value(one) for one in rest[0]]
            self.made[number] = tuple(items) if kind == "tuple" else frozenset(items)
        elif kind == "bytearray":
            self.made[number] = bytearray(base64.b64decode(rest[0]))
        elif kind == "list":
            self.made[number] = []
            self.made[number].extend([self.value(one) for one in rest[0]])
        elif kind == "deque":
            self.made[number] = collections.deque(maxlen=rest[0])
            self.made[number].extend([self.value(one) for one in rest[1]])
        elif kind == "set":
            made = self.made[number] = set()
            items = [self.value(one) for one in rest[0]]
            self.later.append(lambda: set.update(made, items))
        elif kind in ("dict", "ordered", "counter", "default"):
            made_dict: Any
            if kind == "dict":
                made_dict = {}
            elif kind == "ordered":
                made_dict = collections.OrderedDict()
            elif kind == "counter":
                made_dict = collections.Counter()
            else:
                made_dict = collections.defaultdict()
            self.made[number] = made_dict
            if kind == "default":
                made_dict.default_factory = self.value(rest[0])
            self.pairs(made_dict, rest[-1], dict if kind != "ordered" else collections.OrderedDict)
        else:
            raise NotRebuildable("unknown kind %r" % (kind,))
        return self.made[number]

    def pairs(self, made: Any, encoded: List[Any], base: Any) -> None:
        pairs = [(self.value(key), self.value(item)) for key, item in encoded]

        def fill() -> None:
            for key, item in pairs:
                base.__setitem__(made, key, item)

        if all(type(key) in (str, int, float, bool, type(None)) for key, _ in pairs):
            fill()
        else:
            self.later.append(fill)

    def instance(self, number: int, reference: int, base: str, content: Any, fields: List[Any]) -> Any:
        kind = self.class_(reference)
        if base in ("tuple", "frozenset"):
            made = _TYPES_BY_NAME[base].__new__(kind, [self.value(one) for one in content])
        elif base in ("str", "bytes", "int", "float"):
            plain = base64.b64decode(content) if base == "bytes" else self.value(content)
            made = _TYPES_BY_NAME[base].__new__(kind, plain)
        elif base in ("list", "dict", "set", ""):
            made = (_TYPES_BY_NAME[base] if base else object).__new__(kind)
        else:
            raise NotRebuildable("unknown base %r" % (base,))
        self.made[number] = made
        if base == "list":
            list.extend(made, [self.value(one) for one in content])
        elif base == "set":
            items = [self.value(one) for one in content]
            self.later.append(lambda: set.update(made, items))
        elif base == "dict":
            self.pairs(made, content, dict)
        self.restore(made, kind, fields)
        return made

    def restore(self, made: Any, kind: type, fields: List[Any]) -> None:
        state: Any = None
        slots: Dict[str, Any] = {}
        for base in _type_mro(kind):
            if base is object:
                continue
            attributes = _type_dict(base)
            descriptor = attributes.get("__dict__")
            if state is None and type(descriptor) is types.GetSetDescriptorType:
                state = descriptor.__get__(made, kind)
            for name, slot in attributes.items():
                if type(slot) is types.MemberDescriptorType:
                    slots[_slot_name(base, name)] = slot
        for name, encoded in fields:
            value = self.value(encoded)
            if name in slots:
                slots[name].__set__(made, value)
            elif state is not None:
                state[name] = value
            else:
                raise NotRebuildable("%s has no field %s any more" % (kind.__qualname__, name))


def _decode_zone(days: int, seconds: int, microseconds: int, name: Optional[str]) -> Any:
    import datetime

    offset = datetime.timedelta(days, seconds, microseconds)
    return datetime.timezone(offset) if name is None else datetime.timezone(offset, name)


def _decode_moment(kind: str) -> Callable[..., Any]:
    def decode(*parts: Any) -> Any:
        import datetime

        made: Any = getattr(datetime, kind)
        return made(*parts[:-1], fold=parts[-1]) if kind in ("time", "datetime") else made(*parts)

    return decode


def _decode_with(module: str, name: str) -> Callable[..., Any]:
    """A constructor of the standard library, imported when it is needed. The names are constants of this file."""

    def decode(*parts: Any) -> Any:
        __import__(module)
        return getattr(sys.modules[module], name)(*parts)

    return decode


_SCALARS: Dict[str, Callable[..., Any]] = {
    "int": lambda text: int(text, 16),
    "float": float,
    "complex": complex,
    "text": lambda text: base64.b64decode(text).decode("utf-8", "surrogatepass"),
    "bytes": base64.b64decode,
    "range": range,
    "slice": slice,
    "type": lambda name: _TYPES_BY_NAME[name],
    "decimal": _decode_with("decimal", "Decimal"),
    "fraction": _decode_with("fractions", "Fraction"),
    "uuid": _decode_with("uuid", "UUID"),
    "path": _decode_with("pathlib", "Path"),
    "purepath": _decode_with("pathlib", "PurePosixPath"),
    "date": _decode_moment("date"),
    "time": _decode_moment("time"),
    "datetime": _decode_moment("datetime"),
    "timedelta": _decode_moment("timedelta"),
    "zone": _decode_zone,
    "zoneinfo": _decode_with("zoneinfo", "ZoneInfo"),
}


def import_file(module: str, path: str, roots: Tuple[str, ...]) -> types.ModuleType:
    """The module of a file that lies at `path` (relative, with /) under one of the folders `roots`.

    It is imported under its name where that leads to the very file, else (a script, `__main__`) by its path. Raises
    NotRebuildable, before anything is imported, when there is no such file under the roots.
    """
    parts = path.split("/")
    if os.path.isabs(path) or ".." in parts:
        raise NotRebuildable("%s is not a relative path" % (path,))
    for root in roots:
        file = os.path.realpath(os.path.join(root, *parts))
        if os.path.isfile(file) and _below(file, (root,)) is not None:
            return _import(module, file, roots)
    raise NotRebuildable("there is no %s in the workspace" % (path,))


def _import(module: str, file: str, roots: Tuple[str, ...]) -> types.ModuleType:
    import importlib.util

    for known in list(sys.modules.values()):
        if type(known) is types.ModuleType and _file_of(known) == file:
            return known
    if module != "__main__" and _leads_to(module, file, roots):
        return importlib.import_module(module)
    name = module if module != "__main__" and module not in sys.modules else "tracelens_" + str(len(sys.modules))
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise NotRebuildable("%s cannot be imported" % (file,))
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    try:
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[name]
        raise
    return made


def _leads_to(module: str, file: str, roots: Tuple[str, ...]) -> bool:
    """Whether importing a name would import this file. Packages on the way are imported when they are under the
    roots as well, and only then."""
    import importlib.util

    name = ""
    for part in module.split("."):
        name = name + "." + part if name else part
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError, AttributeError):
            return False
        if spec is None:
            return False
        places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or [])
        if name == module:
            return bool(spec.origin) and os.path.realpath(str(spec.origin)) == file
        if not places or any(_below(os.path.join(place, "x"), roots) is None for place in places):
            return False
    return False


def _file_of(module: types.ModuleType) -> str:
    file = _module_dict(module).get("__file__")
    return os.path.realpath(file) if type(file) is str else ""
