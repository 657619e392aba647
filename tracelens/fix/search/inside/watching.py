"""What checks run through: the lines of the user's functions, the types of their variables, the arguments of calls."""

from __future__ import annotations

import copy
import os
import sys
import types
from collections.abc import Callable
from typing import Any

_MOST_LOOKS = 120
"""Looks at the variables of one function."""
_MOST_IDLE = 400
"""Calls of a function that run no new line, after which it is not followed any more: others want to be seen too."""
_MOST_TYPES = 6
_MOST_ATTRIBUTES = 60
_PLAIN = (int, float, complex, str, bytes, bool, type(None), list, tuple, dict, set, frozenset)


class Watch:
    """Lines and variables of one check, for functions in files that are `wanted`."""

    def __init__(
        self, wanted: Callable[[str], bool], budget: int, looks: dict[types.CodeType, int] | None = None
    ) -> None:
        self.wanted = wanted
        self.budget = budget
        """Events after which nothing more is watched."""
        self.lines: dict[str, set[int]] = {}
        self.types: dict[tuple[str, int], dict[str, set[str]]] = {}
        """By (path, first line of the code)."""
        self.attributes: dict[str, list[str]] = {}
        """Of types that are no built-in ones."""
        self.crash: list[tuple[str, int]] = []
        """(path, line) where the last exception came through, innermost first."""
        self._files: dict[types.CodeType, str | None] = {}
        self._fields: dict[str, int] = {}
        self._looks: dict[types.CodeType, int] = {} if looks is None else looks
        """Shared by the checks of a survey: the types of variables need not be seen in each."""
        self._idle: dict[types.CodeType, int] = {}
        """Calls since the last one that ran a line for the first time."""

    def file(self, code: types.CodeType) -> str | None:
        if code not in self._files:
            path = os.path.realpath(code.co_filename)
            self._files[code] = path if self.wanted(path) else None
        return self._files[code]

    def trace(self, frame: Any, event: str, argument: Any) -> Any:
        if self.budget <= 0:
            sys.settrace(None)
            return None
        path = self.file(frame.f_code)
        if path is None:
            return None
        self.look(frame, path)
        code = frame.f_code
        idle = self._idle.get(code, 0)
        if idle >= _MOST_IDLE:
            return None
        self._idle[code] = idle + 1
        lines = self.lines.setdefault(path, set())

        def local(frame: Any, event: str, argument: Any) -> Any:
            self.budget -= 1
            if event == "line":
                if frame.f_lineno not in lines:
                    lines.add(frame.f_lineno)
                    self._idle[code] = 0
                if self._looks.get(code, 0) < _MOST_LOOKS:
                    self.look(frame, path)
            elif event == "return":
                self.look(frame, path, argument)
            return None if self.budget <= 0 else local

        return local

    def look(self, frame: Any, path: str, result: Any = None) -> None:
        code = frame.f_code
        self._looks[code] = self._looks.get(code, 0) + 1
        if self._looks[code] > 3 * _MOST_LOOKS:
            return
        found = self.types.setdefault((path, code.co_firstlineno), {})
        for name, value in list(frame.f_locals.items()):
            self._note(found, name, value)
        if result is not None:
            self._note(found, "return", result)

    def _note(self, found: dict[str, set[str]], name: str, value: Any) -> None:
        known = found.setdefault(name, set())
        if len(known) < _MOST_TYPES:
            known.add(described(value))
        if not isinstance(value, _PLAIN):
            self._note_attributes(value)
            for inner in list(getattr(value, "__dict__", {}).values())[:20]:
                if not isinstance(inner, _PLAIN):
                    self._note_attributes(inner)

    def _note_attributes(self, value: Any) -> None:
        """Again whenever an instance has more fields than those before: at first a constructor has set none."""
        fields = getattr(value, "__dict__", None)
        count = len(fields) if isinstance(fields, dict) else 0
        name = type(value).__name__
        if count > self._fields.get(name, -1):
            self._fields[name] = count
            self.attributes[name] = _attributes_of(value)


def described(value: Any) -> str:
    """A value's type, with that of what it holds: "list[int]"."""
    name = type(value).__name__
    try:
        if isinstance(value, (list, tuple, set, frozenset)) and value and len(value) < 1 << 20:
            inner = sorted({type(one).__name__ for one in list(value)[:20]})
            return f"{name}[{'|'.join(inner[:3])}]"
        if isinstance(value, dict) and value:
            key, item = next(iter(value.items()))
            return f"{name}[{type(key).__name__},{type(item).__name__}]"
    except BaseException:
        return name
    return name


def _attributes_of(value: Any) -> list[str]:
    """Public names, its methods with "()" behind."""
    if isinstance(value, (types.ModuleType, types.FunctionType, type)):
        return []
    found = list(getattr(value, "__dict__", {}))
    for name in dir(type(value)):
        if not name.startswith("_") and name not in found:
            is_method = callable(getattr(type(value), name, None))
            found.append(name + "()" if is_method else name)
    return [str(name) for name in found if not str(name).startswith("__")][:_MOST_ATTRIBUTES]


def crash_lines(error: BaseException | None, wanted: Callable[[str], bool]) -> list[tuple[str, int]]:
    """Where an exception came through the user's functions, innermost first."""
    found: list[tuple[str, int]] = []
    place = error.__traceback__ if error is not None else None
    while place is not None:
        path = os.path.realpath(place.tb_frame.f_code.co_filename)
        if wanted(path):
            found.append((path, place.tb_lineno))
        place = place.tb_next
    return found[::-1][:20]


class Arguments:
    """Copies of the arguments of outermost calls of a function, taken as they begin."""

    def __init__(self, code: types.CodeType, most: int) -> None:
        self.code = code
        self.most = most
        self.found: list[tuple[list[Any], dict[str, Any]]] = []

    def trace(self, frame: Any, event: str, argument: Any) -> None:
        if frame.f_code is not self.code or len(self.found) >= self.most:
            return
        outer = frame.f_back
        while outer is not None:
            if outer.f_code is self.code:
                return
            outer = outer.f_back
        code = self.code
        names = code.co_varnames
        try:
            here = frame.f_locals
            positional = [copy.deepcopy(here[name]) for name in names[: code.co_argcount]]
            last = code.co_argcount + code.co_kwonlyargcount
            keywords = {name: copy.deepcopy(here[name]) for name in names[code.co_argcount : last]}
            if code.co_flags & 0x04:
                positional.extend(copy.deepcopy(here[names[last]]))
                last += 1
            if code.co_flags & 0x08:
                keywords.update(copy.deepcopy(here[names[last]]))
        except Exception:
            return
        self.found.append((positional, keywords))
