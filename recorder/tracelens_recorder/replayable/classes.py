"""What a class or an instance is, read past everything that it defines itself; and where a class can be found again."""

from __future__ import annotations

import builtins
import os
import sys
import types
from typing import Any, Callable, Dict, List, Optional, Tuple

from tracelens_recorder.classes import dict_of
from tracelens_recorder.replayable.limits import Unknown

FOREIGN = frozenset(["site-packages", "dist-packages", ".tox", ".nox", "node_modules", "__pypackages__"])

type_module = type.__dict__["__module__"].__get__
type_qualname = type.__dict__["__qualname__"].__get__
type_mro = type.__dict__["__mro__"].__get__
type_dict = type.__dict__["__dict__"].__get__

_module_attributes: Any = vars(types.ModuleType)["__dict__"]
module_dict: Callable[[object], Dict[str, Any]] = _module_attributes.__get__

BASES: Tuple[type, ...] = (list, tuple, dict, set, frozenset, str, bytes, int, float)
UNSUPPORTED_BASES: Tuple[type, ...] = (BaseException, type, bytearray, complex, types.ModuleType)
TYPES: Tuple[Any, ...] = (
    type(None),
    *(one for name, one in sorted(vars(builtins).items()) if isinstance(one, type) and one.__name__ == name),
)
TYPE_NAMES = {id(one): one.__name__ for one in TYPES}
TYPES_BY_NAME: Dict[str, Any] = {one.__name__: one for one in TYPES}


def locate(value: object, module: object, name: object, roots: Tuple[str, ...]) -> Tuple[str, str, str]:
    """Where a class or function can be found again: module, qualified name, and file relative to its root."""
    if type(module) is not str or type(name) is not str or "<" in name:
        raise Unknown("a class or function that has no name in a module")
    holder = sys.modules.get(module)
    if type(holder) is not types.ModuleType:
        raise Unknown("a module that is not loaded")
    names = module_dict(holder)
    file = names.get("__file__")
    if type(file) is not str:
        raise Unknown("a module without a file")
    path = _place(file, roots)
    if path is None:
        raise Unknown("a class or function of another package")
    found: Any = names.get(name.partition(".")[0])
    for part in name.split(".")[1:]:
        if not issubclass(type(found), type):
            raise Unknown("a class that is not where its name says")
        found = type_dict(found).get(part)
    if found is not value:
        raise Unknown("a class or function that is not where its name says")
    return module, name, path


_known_places: Dict[Tuple[str, Tuple[str, ...]], Optional[str]] = {}
"""What a real path is takes a question to the system for each of its folders."""


def _place(file: str, roots: Tuple[str, ...]) -> Optional[str]:
    """`below`, remembered: for the encoder, where a wrong answer spoils one recorded call."""
    try:
        return _known_places[file, roots]
    except KeyError:
        pass
    if len(_known_places) >= 10_000:
        _known_places.clear()
    place = _known_places[file, roots] = below(file, roots)
    return place


def below(file: str, roots: Tuple[str, ...]) -> Optional[str]:
    """The file's path relative to the root that it lies under, with /; None when it lies under none."""
    real = os.path.realpath(file)
    for root in roots:
        start = os.path.realpath(root).rstrip(os.sep) + os.sep
        if real.startswith(start):
            parts = real[len(start) :].split(os.sep)
            if FOREIGN.isdisjoint(parts):
                return "/".join(parts)
    return None


def made_by_python(kind: type) -> bool:
    """Whether a class statement in a Python file made a class, so that all its state can be seen."""
    attributes = type_dict(kind)
    module = sys.modules.get(attributes.get("__module__") or "")
    file = module_dict(module).get("__file__") if type(module) is types.ModuleType else None
    flags = _type_flags(kind)
    return type(file) is str and file.endswith((".py", ".pyc")) and bool(flags & _HEAP_TYPE) and not flags & _FIXED_TYPE


_HEAP_TYPE = 1 << 9
_FIXED_TYPE = 1 << 8
_type_flags = type.__dict__["__flags__"].__get__


def genuine(module: str, name: object, kind: type) -> bool:
    """Whether a class that calls itself `module.name` is the one of that name, not a namesake in the program."""
    holder = sys.modules.get(module)
    return type(holder) is types.ModuleType and module_dict(holder).get(str(name)) is kind


def is_a(kind: type, module: str, name: str) -> bool:
    holder = sys.modules.get(module)
    base = module_dict(holder).get(name) if type(holder) is types.ModuleType else None
    return base is not None and any(one is base for one in type_mro(kind))


Layout = List[Tuple[Optional[str], Callable[[object, type], Any]]]
"""How the fields of a class's instances are read, in order: of a slot its name; None for the `__dict__`."""


def layout_of(kind: type) -> Layout:
    found: Layout = []
    seen_dict = False
    for base in type_mro(kind):
        if base is object:
            continue
        attributes = type_dict(base)
        descriptor = attributes.get("__dict__")
        if not seen_dict and type(descriptor) is types.GetSetDescriptorType:
            seen_dict = True
            found.append((None, descriptor.__get__))
        for name, slot in list(attributes.items()):
            if type(slot) is types.MemberDescriptorType:
                found.append((slot_name(base, name), slot.__get__))
    return found


def fields_of(value: object, kind: type, layout: Layout) -> List[Tuple[str, Any]]:
    """All fields of an instance from its `__dict__` and its slots, read past everything the class defines."""
    found: List[Tuple[str, Any]] = []
    for slot, read in layout:
        if slot is None:
            state = dict_of(value, kind, read)
            if type(state) is not dict:
                raise Unknown("an instance whose fields are not in a dictionary")
            for name in state:
                if type(name) is not str:
                    raise Unknown("a field without a name")
            found += state.items()
        else:
            try:
                found.append((slot, read(value, kind)))
            except AttributeError:  # a slot that was never set
                continue
    return found


def slot_name(base: type, name: str) -> str:
    """Two classes of one line may have a slot of the same name each."""
    return "%s:%s" % (type_qualname(base), name)
