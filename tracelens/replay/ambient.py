"""What a call reads besides its arguments, and no recording holds: globals that the program changes as it runs, and
what belongs to the request or task being served.

Runs inside the sandbox, beside `child.py`, in the project's own interpreter (3.9 or later); knows the standard library
alone. It looks at the code that ran and at the source of its module, never at what the call gave: whether a call can
be held against its recording must not hang on how it goes. In doubt a global counts as changed.
"""

from __future__ import annotations

import contextvars
import os
import re
import sys
import threading
import types
from pathlib import Path
from typing import Any

_CHANGES = (
    "append|appendleft|extend|extendleft|insert|add|update|setdefault|pop|popleft|popitem|remove|discard|clear|sort"
    "|reverse|rotate|move_to_end|__setitem__|__delitem__|put|put_nowait|get_nowait|register|push"
)
_CHANGERS = frozenset(_CHANGES.split("|"))
_CONSTANT = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_REBOUND = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset)
_CONTAINERS = (list, dict, set, bytearray)
_BEGINS = ("__init__", "__new__", "__post_init__", "__setstate__", "__set_name__", "__init_subclass__")


class Watch:
    """Which code runs, while it is entered; what of the surroundings that code reads, after it."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root) + os.sep
        self._ran: dict[types.CodeType, dict[str, Any]] = {}
        self._sources: dict[str, str] = {}
        self._ours: dict[str, bool] = {}

    def __enter__(self) -> Watch:
        sys.setprofile(self._seen)
        threading.setprofile(self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _seen(self, frame: types.FrameType, event: str, _: object) -> None:
        if event == "call":
            self._ran.setdefault(frame.f_code, frame.f_globals)

    def read(self) -> list[str]:
        """Names of what the code that ran reads and the recording does not hold, sorted; [] nothing."""
        found: set[str] = set()
        for code, around in self._ran.items():
            ours = self._is_ours(code.co_filename)
            for name in _names(code):
                if name not in around:
                    continue
                value = around[name]
                served = isinstance(value, (contextvars.ContextVar, threading.local))
                if type(value).__name__ == "LocalProxy" or (
                    ours and (served or self._changes(name, value, around, code))
                ):
                    found.add(name)
        return sorted(found)

    def _is_ours(self, file: str) -> bool:
        known = self._ours.get(file)
        if known is None:
            known = self._ours[file] = file.startswith("/") and os.path.realpath(file).startswith(self._root)
        return known

    def _changes(self, name: str, value: Any, around: dict[str, Any], code: types.CodeType) -> bool:
        """Whether the program changes a global between the import of its module and the call."""
        if isinstance(value, types.ModuleType):
            inside = vars(value)
            read = [one for one in _names(code) if not isinstance(inside.get(one, value), types.ModuleType)]
            ours = self._is_ours(str(inside.get("__file__") or ""))
            return ours and any(self._changes(one, inside[one], inside, code) for one in read)
        source = self._source(around)
        if name in self._globals(around):
            return True
        if isinstance(value, type):
            # A class is no state of its own; what functions put into it is.
            owner = rf"^[ \t]+(?:cls|{re.escape(name)})\."
            own = [one for one in code.co_names if one in value.__dict__]
            return any(re.search(rf"{owner}{re.escape(one)}{_SET}", source, re.M) for one in own)
        if isinstance(value, (*_CONSTANT, *_REBOUND)):
            return False
        it = rf"(?:[^#\n]*[^\w.#\n])?{re.escape(name)}"
        changed = (
            rf"^[ \t]+{it}(?:\.\w+|\[[^\n]*\])+(?:{_SET}|\.(?:{_CHANGES})\()",
            rf"^[ \t]+{it}\.(?:{_CHANGES})\(",
            rf"^[ \t]+del {re.escape(name)}[.\[]",
        )
        if any(re.search(one, source, re.M) for one in changed):
            return True
        if isinstance(value, _CONTAINERS):
            return False
        if hasattr(value, "__next__"):
            return True
        return any(self._is_ours(code.co_filename) for code in _writing(type(value)))

    def _globals(self, around: dict[str, Any]) -> set[str]:
        """Names that some function of a module declares to be global, to rebind them."""
        said = re.findall(r"^[ \t]+global ([\w, \t]+)", self._source(around), re.M)
        return {name.strip() for line in said for name in line.split(",")}

    def _source(self, around: dict[str, Any]) -> str:
        file = str(around.get("__file__") or "")
        if file not in self._sources:
            try:
                self._sources[file] = Path(file).read_text("utf-8", "replace")
            except OSError:
                self._sources[file] = ""
        return self._sources[file]


_SET = r"[ \t]*(?:[-+*/|&%^@]|//|\*\*|<<|>>)?=(?!=)"


def _names(code: types.CodeType) -> set[str]:
    """That a code object reads, those of what is nested in it included."""
    found = set(code.co_names)
    for one in code.co_consts:
        if isinstance(one, types.CodeType):
            found |= _names(one)
    return found


def _writing(kind: type) -> list[types.CodeType]:
    """The code of methods of a class, other than those that begin an instance, that change one."""
    found = []
    for name, method in vars(kind).items():
        code = getattr(method, "__code__", None)
        if code is None or name in _BEGINS or "self" not in code.co_varnames:
            continue
        if _CHANGERS & set(code.co_names) or any(opcode in _STORES for opcode in code.co_code[::2]):
            found.append(code)
    return found


def _stores() -> frozenset[int]:
    import dis

    return frozenset(dis.opmap[one] for one in ("STORE_ATTR", "STORE_SUBSCR", "DELETE_SUBSCR", "DELETE_ATTR"))


_STORES = _stores()
