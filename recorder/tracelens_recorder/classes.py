"""What a class is and what its instances hold, read past everything that the class defines itself."""

from __future__ import annotations

import sys
import types
from itertools import islice
from typing import Any, Callable, List, Optional, Tuple

type_module = type.__dict__["__module__"].__get__
type_qualname = type.__dict__["__qualname__"].__get__
type_mro = type.__dict__["__mro__"].__get__
type_dict = type.__dict__["__dict__"].__get__


def type_name(kind: type) -> str:
    """ "int", "shop.models.Order": the module is left out of built-in types."""
    module, name = type_module(kind), type_qualname(kind)
    if type(name) is not str:
        return "?"
    if type(module) is not str or module == "builtins":
        return clean(name)
    return clean(module + "." + name)


def clean(text: str, limit: int = 200) -> str:
    """Text that any JSON reader takes: bounded, and without lone surrogates."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def kind_key(kind: type) -> Tuple[object, object]:
    """The module and name that a class gives itself; both checked to be text."""
    module, name = type_module(kind), type_qualname(kind)
    return (module, name) if type(module) is str and type(name) is str else (None, None)


def short_name(kind: type) -> str:
    name = type_qualname(kind)
    if type(name) is not str:
        return "?"
    return clean(name.rpartition(".")[2], 80)


def is_enum(kind: type) -> bool:
    enum = sys.modules.get("enum")
    base = enum.__dict__.get("Enum") if type(enum) is types.ModuleType else None
    return base is not None and any(one is base for one in type_mro(kind))


def namedtuple_fields(kind: type) -> Tuple[str, ...]:
    for base in type_mro(kind):
        names = type_dict(base).get("_fields")
        if type(names) is tuple and all(type(name) is str for name in names):
            return names
    return ()


def genuine(kind: type) -> bool:
    """Whether a class that calls itself `module.Name` is the one of that name, not a namesake in the program."""
    module = sys.modules.get(type_module(kind))
    return type(module) is types.ModuleType and module.__dict__.get(type_qualname(kind)) is kind


def is_lasting(kind: type) -> bool:
    module, name = kind_key(kind)
    return module is not None and name is not None and genuine(kind)


fields_in_place: Optional[Callable[[object], Any]] = None
"""The accelerator's: what the `__dict__` of an instance would hold, as long as nobody has asked for it; else None."""


def dict_of(value: object, kind: type, ask: Callable[[object, type], Any]) -> Any:
    """What an instance's `__dict__` holds; `ask` is its descriptor's. To ask slows an instance down for good: Python
    3.12 and 3.13 keep its fields in a faster place until then."""
    if fields_in_place is not None:
        found = fields_in_place(value)
        if found is not None:
            return found
    return ask(value, kind)


def state_of(value: object, limit: int) -> List[Tuple[str, Any]]:
    """Up to `limit` fields of an instance from its `__dict__` and its slots, read past everything the class defines."""
    found: List[Tuple[str, Any]] = []
    kind = type(value)
    read_dict = True
    for base in type_mro(kind):
        attributes = type_dict(base)
        if base is object or len(found) >= limit:
            break
        try:
            if read_dict and type(attributes.get("__dict__")) is types.GetSetDescriptorType:
                read_dict = False
                state = dict_of(value, kind, attributes["__dict__"].__get__)
                if issubclass(type(state), dict):
                    for name, item in islice(dict.items(state), limit):
                        if type(name) is str:
                            found.append((name, item))
            slots = attributes.get("__slots__")
            if slots is not None:
                for name, descriptor in islice(attributes.items(), 64):
                    if type(descriptor) is types.MemberDescriptorType and type(name) is str:
                        try:
                            found.append((name, descriptor.__get__(value, kind)))
                        except AttributeError:  # a slot that was never set
                            continue
        except RuntimeError:  # changed by another thread while we looked
            continue
    return found[:limit]
