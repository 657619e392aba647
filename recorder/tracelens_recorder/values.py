"""Bounded summaries of values, made without running a line of the program's own code.

No `__repr__`, `__len__`, `__iter__`, `__eq__`, `__hash__`, `__getattr__`, property or metaclass of the program is
called: what a value is comes from `type(v)`, containers are read through the slots of their built-in base class,
instances through the descriptor of their `__dict__` and through their slots. Secrets are replaced before anything is
cut to size, so that no half of one is left over at an edge.
"""

from __future__ import annotations

import math
import types
from itertools import islice
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Tuple

from tracelens_recorder.classes import (
    clean,
    dict_of,
    genuine,
    is_enum,
    is_lasting,
    kind_key,
    namedtuple_fields,
    short_name,
    state_of,
    type_dict,
    type_module,
    type_mro,
    type_name,
    type_qualname,
)
from tracelens_recorder.redact import REDACTED, is_card_number, is_secret_name, redact_text
from tracelens_recorder.wellknown import CALLABLE_IDS, CALLABLES, KNOWN, KNOWN_SIZES, callable_text

MAX_TEXT = 240
"""Characters of the whole text."""
MAX_STRING = 120
"""Characters of one string inside it."""
MAX_ITEMS = 8
"""Items of one container, fields of one object."""
MAX_DEPTH = 3
MAX_NODES = 48
"""Values looked at for one summary."""
LEAN_DEPTH, LEAN_NODES = 1, 6
"""The same, where the budget is spent."""
FULL, LEAN, BARE = 0, 1, 2
"""How much is said of a value; the barest is what it is and how large."""
_SCRUBBED = 2048
"""Characters of a string that are scrubbed; far more than are kept, so that no secret is cut before it is seen."""


class Observation(NamedTuple):
    """The summary of one value. See tracelens_indexer.traces.records.Observed for the meaning of the first four."""

    type: str
    text: str
    number: Optional[float]
    size: Optional[int]
    redacted: int
    """Number of secrets that were replaced."""


_exception_args = BaseException.__dict__["args"].__get__

_os_filename = OSError.__dict__["filename"].__get__
_os_filename2 = OSError.__dict__["filename2"].__get__

_TRUE = Observation("bool", "True", 1.0, None, 0)
_FALSE = Observation("bool", "False", 0.0, None, 0)
_NONE = Observation("NoneType", "None", None, None, 0)


def observe(value: object, name: str = "", detail: int = FULL) -> Observation:
    """Summarise a value that goes under a name (a parameter, a local variable, "" for none)."""
    if value is None:
        return _NONE
    if value is True:
        return _TRUE
    if value is False:
        return _FALSE
    kind = type(value)
    if name and is_secret_name(name):
        return Observation(type_name(kind), REDACTED, None, None, 1)
    if kind is int or kind is float:
        text, secret = _number_text(value)
        return Observation(kind.__name__, text, None if secret else _finite(value), None, secret)
    plan = _plan(kind) if kind is not str and kind is not dict and kind is not list else None
    if plan is not None and detail == BARE:
        return plan.bare
    walk = _Walk(LEAN_NODES, LEAN_DEPTH if detail == LEAN else 0) if detail else _Walk()
    text = walk.text(value, 0)
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    if plan is not None:
        return Observation(plan.name, text, None, None, walk.redacted)
    number = None
    if not walk.redacted and (issubclass(kind, int) or issubclass(kind, float)):
        number = _finite(value)
    return Observation(type_name(kind), text, number, _size(value, kind), walk.redacted)


def message_of(exception: BaseException) -> Tuple[str, int]:
    """What an exception says, as `str()` would put it where that runs none of the program's code, and the number of
    secrets that were replaced in it."""
    walk = _Walk()
    return clean(walk.message(exception, 0), 500), walk.redacted


_PLAIN_IDS = frozenset(map(id, (str, int, float, bool, bytes, type(None))))


def _is_plain(value: object) -> bool:
    """Whether a value's `str()` is the interpreter's own. By identity: a metaclass may define `__eq__`."""
    return id(type(value)) in _PLAIN_IDS


def _prints_natively(exception: BaseException, kind: type) -> bool:
    """Whether the `__str__` of an exception is written in C, and prints nothing but its plain arguments."""
    for base in type_mro(kind):
        attributes = type_dict(base)
        if "__str__" in attributes:
            if type(attributes["__str__"]) is not types.WrapperDescriptorType:
                return False
            break
    if issubclass(kind, OSError):
        return _is_plain(_os_filename(exception)) and _is_plain(_os_filename2(exception))
    return not issubclass(kind, (SyntaxError, UnicodeError))


def _finite(value: Any) -> Optional[float]:
    try:
        number = float.__float__(value) if issubclass(type(value), float) else int.__float__(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _number_text(value: Any) -> Tuple[str, int]:
    if issubclass(type(value), float):
        return float.__repr__(value), 0
    if int.bit_length(value) > 256:  # printing takes quadratic time, and is refused from 4,300 digits on
        return f"int of {int.bit_length(value)} bits", 0
    text = int.__repr__(value)
    if len(text) >= 13 and is_card_number(text):
        return REDACTED, 1
    return text, 0


_SIZED: Tuple[type, ...] = (str, bytes, bytearray, list, tuple, dict, set, frozenset)
_dict_len: Callable[[Any], int] = dict.__len__


def _size(value: Any, kind: type) -> Optional[int]:
    for base in _SIZED:
        if issubclass(kind, base):
            size: int = base.__len__(value)  # type: ignore[attr-defined]
            return size
    if type_module(kind) in ("collections", "numpy"):
        known = KNOWN_SIZES.get((type_module(kind), type_qualname(kind)))
        if known and genuine(kind):
            try:
                return known(value)
            except Exception:
                return None
    return None


class _Walk:
    """One summary being made: what of the budget is left, and which containers we are inside of."""

    __slots__ = ("inside", "max_depth", "nodes", "redacted")

    def __init__(self, nodes: int = MAX_NODES, depth: int = MAX_DEPTH) -> None:
        self.nodes = nodes
        self.max_depth = depth
        self.inside: List[int] = []
        self.redacted = 0

    def text(self, value: Any, depth: int) -> str:
        self.nodes -= 1
        if value is None or value is True or value is False:
            return "None" if value is None else "True" if value is True else "False"
        kind = type(value)
        if kind is str:
            return self.string(value)
        if kind is int or kind is float:
            text, found = _number_text(value)
            self.redacted += found
            return text
        if self.nodes <= 0:
            return "…"
        me = id(value)
        if me in self.inside:
            return "<cycle>"
        self.inside.append(me)
        try:
            if kind is dict or kind is list or kind is tuple:
                return self.container(value, kind, "", depth)
            plan = _plan(kind)
            if plan is not None:
                fields = self.fields(value, depth, plan)
                return f"{plan.short}({fields})" if fields else f"<{plan.short}>"
            return self.compound(value, kind, depth)
        finally:
            self.inside.pop()

    def string(self, value: str) -> str:
        size = len(value)
        text, found = redact_text(value if size <= _SCRUBBED else value[:_SCRUBBED])
        self.redacted += found
        if len(text) > MAX_STRING or size > _SCRUBBED:
            return repr(text[:MAX_STRING]) + "…"
        return repr(text)

    def compound(self, value: Any, kind: type, depth: int) -> str:
        exact = kind in _EXACT if type(kind) is type else False
        name = "" if exact else short_name(kind)
        if issubclass(kind, (list, tuple, set, frozenset, dict)):
            return self.container(value, kind, name, depth)
        if issubclass(kind, str):
            if is_enum(kind):
                return self.enum(value, kind)
            return f"{name}({self.string(str.__str__(value))})" if name else self.string(value)
        if issubclass(kind, (bytes, bytearray)):
            return self.binary(value, kind)
        if issubclass(kind, (int, float)):
            if is_enum(kind):
                return self.enum(value, kind)
            text, found = _number_text(value)
            self.redacted += found
            return text
        if issubclass(kind, complex):
            return complex.__repr__(value)
        if issubclass(kind, BaseException):
            return f"{short_name(kind)}({self.message(value, depth) if depth < self.max_depth else '…'})"
        if issubclass(kind, type):
            return f"<class {type_name(value)}>"
        known = KNOWN.get(kind_key(kind))
        if known is not None and genuine(kind):
            try:
                text, found = redact_text(known(value))
            except Exception:
                return f"<{short_name(kind)}>"
            self.redacted += found
            return clean(text, MAX_STRING)
        if is_enum(kind):
            return self.enum(value, kind)
        if kind in CALLABLES if type(kind) is type else False:
            return callable_text(value, kind)
        fields = self.fields(value, depth)
        return f"{short_name(kind)}({fields})" if fields else f"<{short_name(kind)}>"

    def container(self, value: Any, kind: type, name: str, depth: int) -> str:
        if issubclass(kind, dict):
            size, opening, closing = _dict_len(value), "{", "}"
        elif issubclass(kind, list):
            size, opening, closing = list.__len__(value), "[", "]"
        elif issubclass(kind, tuple):
            size, opening, closing = tuple.__len__(value), "(", ")"
        else:
            base: Any = set if issubclass(kind, set) else frozenset
            size, opening, closing = base.__len__(value), "{", "}"
            if not size:
                opening, closing = ("set(", ")") if base is set else ("frozenset(", ")")
        if name and namedtuple_fields(kind):
            opening, closing = name + "(", ")"
        elif name:
            opening, closing = name + "(" + opening, closing + ")"
        if size and depth >= self.max_depth:
            return f"{opening}…{closing}"
        parts = self.items(value, kind, depth)
        if size > len(parts):
            parts.append("…")
        elif kind is tuple and size == 1:
            closing = "," + closing
        return opening + ", ".join(parts) + closing

    def items(self, value: Any, kind: type, depth: int) -> List[str]:
        parts: List[str] = []
        try:
            if issubclass(kind, dict):
                for key, item in islice(dict.items(value), MAX_ITEMS):
                    if self.nodes <= 0:
                        break
                    parts.append(f"{self.text(key, depth + 1)}: {self.named(key, item, depth + 1)}")
                return parts
            iterate: Callable[[Any], Iterable[Any]]
            if issubclass(kind, list):
                iterate = list.__iter__
            elif issubclass(kind, tuple):
                iterate = tuple.__iter__
            else:
                iterate = set.__iter__ if issubclass(kind, set) else frozenset.__iter__
            names = namedtuple_fields(kind) if kind is not tuple and issubclass(kind, tuple) else ()
            for index, item in enumerate(islice(iterate(value), MAX_ITEMS)):
                if self.nodes <= 0:
                    break
                if index < len(names):
                    parts.append(f"{names[index]}={self.named(names[index], item, depth + 1)}")
                else:
                    parts.append(self.text(item, depth + 1))
        except RuntimeError:  # changed by another thread while we looked
            pass
        return parts

    def named(self, name: object, value: object, depth: int) -> str:
        if (
            type(name) is str
            and value is not None
            and value is not True
            and value is not False
            and is_secret_name(name)
        ):
            self.redacted += 1
            self.nodes -= 1
            return REDACTED
        return self.text(value, depth)

    def fields(self, value: object, depth: int, plan: Optional[_Plan] = None) -> str:
        """The state of an instance: `order_id=3, items=[…]`. Names with a leading underscore come last."""
        if self.max_depth == 0:
            return "…"
        limit = MAX_ITEMS * 4 if self.max_depth > LEAN_DEPTH else MAX_ITEMS
        found = state_of(value, limit) if plan is None else plan.state(value, limit)
        if not found:
            return ""
        if depth >= self.max_depth:
            return "…"
        found.sort(key=_is_private)
        parts = []
        for name, item in found[:MAX_ITEMS]:
            if self.nodes <= 0:
                break
            parts.append(f"{clean(name, 60)}={self.named(name, item, depth + 1)}")
        if len(found) > len(parts):
            parts.append("…")
        return ", ".join(parts)

    def message(self, value: BaseException, depth: int) -> str:
        args = _exception_args(value)
        kind = type(value)
        if all(_is_plain(arg) for arg in args) and _prints_natively(value, kind):
            said = str(value)
        elif len(args) == 1 and issubclass(type(args[0]), str):
            said = str.__str__(args[0])
        elif args:
            return ", ".join(self.text(arg, depth + 1) for arg in args[:MAX_ITEMS])
        else:
            return self.fields(value, depth)
        text, found = redact_text(said[:_SCRUBBED])
        self.redacted += found
        return text

    def binary(self, value: Any, kind: type) -> str:
        base: Any = bytes if issubclass(kind, bytes) else bytearray
        head: bytes = bytes(base.__getitem__(value, slice(0, _SCRUBBED)))
        text, found = redact_text(head.decode("latin-1"))
        self.redacted += found
        head = text.encode("latin-1", "replace")
        more = base.__len__(value) > _SCRUBBED or len(head) > MAX_STRING // 2
        shown = repr(head[: MAX_STRING // 2]) + ("…" if more else "")
        return shown if base is bytes else f"bytearray({shown})"

    def enum(self, value: object, kind: type) -> str:
        for name, item in state_of(value, MAX_ITEMS):
            if name == "_name_" and type(item) is str:
                return clean(f"{short_name(kind)}.{item}")
        return f"<{short_name(kind)}>"


def _is_private(field: Tuple[str, Any]) -> bool:
    return field[0][:1] == "_"


class _Plan:
    """How the instances of a class are shown: decided once, for classes that Python made and that are found under
    their own name in their module, which are never freed. The others are looked at again each time."""

    __slots__ = ("bare", "kind", "name", "read_dict", "short", "slots")

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.name = type_name(kind)
        self.short = short_name(kind)
        self.bare = Observation(self.name, f"{self.short}(…)", None, None, 0)
        self.read_dict: Optional[Callable[[object, type], Any]] = None
        self.slots: List[Tuple[str, Any]] = []
        for base in type_mro(kind):
            attributes = type_dict(base)
            if base is object:
                break
            descriptor = attributes.get("__dict__")
            if self.read_dict is None and type(descriptor) is types.GetSetDescriptorType:
                self.read_dict = descriptor.__get__
            if attributes.get("__slots__") is not None:
                self.slots += [
                    (name, slot)
                    for name, slot in attributes.items()
                    if type(slot) is types.MemberDescriptorType and type(name) is str
                ]

    def state(self, value: object, limit: int) -> List[Tuple[str, Any]]:
        """The same as `state_of`."""
        if not self.slots and self.read_dict is not None:
            try:
                state = dict_of(value, self.kind, self.read_dict)
                if type(state) is dict:
                    return [field for field in islice(state.items(), limit) if type(field[0]) is str]
            except RuntimeError:  # changed by another thread while we looked
                return []
        return state_of(value, limit)


_plans: Dict[int, Optional[_Plan]] = {}
"""By id(); None: no class whose instances are shown so. Only of classes that are never freed."""


def _plan(kind: type) -> Optional[_Plan]:
    try:
        return _plans[id(kind)]
    except KeyError:
        pass
    plan = None
    if type(kind) is not type and not is_lasting(type(kind)):
        return None
    if not is_lasting(kind):
        return None
    shown_otherwise = (
        any(issubclass(kind, base) for base in _SHOWN_OTHERWISE)
        or id(kind) in CALLABLE_IDS
        or kind_key(kind) in KNOWN
        or is_enum(kind)
    )
    if not shown_otherwise:
        plan = _Plan(kind)
    if len(_plans) >= 10_000:
        _plans.clear()
    _plans[id(kind)] = plan
    return plan


_SHOWN_OTHERWISE = (list, tuple, set, frozenset, dict, str, bytes, bytearray, int, float, complex, BaseException, type)

_EXACT = frozenset([list, tuple, set, frozenset, dict, str, bytes, bytearray, int, float, complex])
