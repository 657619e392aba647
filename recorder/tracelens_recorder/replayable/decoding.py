"""From the encoding back to arguments: inside the sandbox alone, where classes may be imported."""

from __future__ import annotations

import base64
import sys
import types
from typing import Any, Callable, Dict, List, Optional, Tuple

from tracelens_recorder.replayable.classes import TYPES_BY_NAME, slot_name, type_dict, type_mro
from tracelens_recorder.replayable.importing import import_file
from tracelens_recorder.replayable.limits import VERSION, Encoded, NotRebuildable
from tracelens_recorder.replayable.opaque import Opaque


def decode_arguments(encoded: Encoded, allowed_roots: Tuple[str, ...]) -> Dict[str, Any]:
    """Rebuild the arguments. Raises NotRebuildable; imports modules under `allowed_roots` alone. Sandbox only."""
    if not isinstance(encoded, dict) or encoded.get("version") != VERSION:
        raise NotRebuildable("an encoding of another version")
    try:
        decoder = Decoder(encoded["classes"], allowed_roots)
        arguments = {str(name): decoder.value(value) for name, value in encoded["arguments"]}
        decoder.finish()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise NotRebuildable("%s: %s" % (type(error).__name__, error)) from error
    return arguments


class Decoder:
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
        if kind == "opaque":
            self.made[number] = Opaque(str(rest[0]))
            return self.made[number]
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
            made = TYPES_BY_NAME[base].__new__(kind, [self.value(one) for one in content])
        elif base in ("str", "bytes", "int", "float"):
            plain = base64.b64decode(content) if base == "bytes" else self.value(content)
            made = TYPES_BY_NAME[base].__new__(kind, plain)
        elif base in ("list", "dict", "set", ""):
            made = (TYPES_BY_NAME[base] if base else object).__new__(kind)
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
        for base in type_mro(kind):
            if base is object:
                continue
            attributes = type_dict(base)
            descriptor = attributes.get("__dict__")
            if state is None and type(descriptor) is types.GetSetDescriptorType:
                state = descriptor.__get__(made, kind)
            for name, slot in attributes.items():
                if type(slot) is types.MemberDescriptorType:
                    slots[slot_name(base, name)] = slot
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
    "type": lambda name: TYPES_BY_NAME[name],
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
