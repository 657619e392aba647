"""The code objects of the program that ran: what is known of each, and where its numbers are kept."""

from __future__ import annotations

import dis
import inspect
from types import CodeType
from typing import Dict, List, Set, Tuple

from tracelens_recorder.scope import SourceFile
from tracelens_recorder.values import clean

FUNCTION = 0
"""Functions, methods and lambdas: counted, timed and captured."""
MODULE = 1
"""Module bodies: named as callers, not counted."""
INLINE = 2
"""Comprehensions, generator expressions and class bodies: belong to the function around them."""


class Function:
    """A code object in scope. Holds on to the code, so that its id() stays its own."""

    __slots__ = (
        "calls",
        "captures",
        "code",
        "file",
        "index",
        "kind",
        "lines",
        "name",
        "parameters",
        "parked",
        "rebound",
        "unfaithful",
    )

    def __init__(self, index: int, code: CodeType, file: SourceFile) -> None:
        self.index = index
        self.code = code
        self.file = file
        self.kind = kind_of(code)
        self.name = clean(getattr(code, "co_qualname", code.co_name))
        self.calls = 0
        """Of all threads; exact in one thread. Only the cadence of captures and parking hang on it."""
        self.captures = 0
        self.parked = False
        self.unfaithful = False
        """Some of its calls may have been missed."""
        self.parameters = parameters_of(code)
        self.rebound: Tuple[str, ...] | None = None
        self.lines: Dict[int, int] | None = None

    def line_at(self, offset: int) -> int:
        """The line of the instruction at a byte offset, 1-based; 0 unknown."""
        if self.lines is None:
            self.lines = _lines_of(self.code)
        return self.lines.get(offset, 0)

    def never_rebound(self) -> List[str]:
        """The parameters that the function never assigns to: when it raises they still are what it was called with."""
        if self.rebound is None:
            stores = ("STORE_FAST", "DELETE_FAST", "STORE_DEREF", "DELETE_DEREF")
            found: Set[str] = set()
            for one in dis.get_instructions(self.code):
                if one.opname.startswith(stores):
                    values = one.argval if isinstance(one.argval, tuple) else (one.argval,)
                    found.update(value for value in values if isinstance(value, str))
            self.rebound = tuple(found)
        return [name for name in self.parameters if name not in self.rebound]


def kind_of(code: CodeType) -> int:
    if code.co_name == "<module>":
        return MODULE
    if not code.co_flags & inspect.CO_OPTIMIZED:
        return INLINE
    if code.co_name.startswith("<") and code.co_name != "<lambda>":
        return INLINE
    return FUNCTION


def parameters_of(code: CodeType) -> Tuple[str, ...]:
    n = code.co_argcount + code.co_kwonlyargcount
    n += bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    return code.co_varnames[:n]


def _lines_of(code: CodeType) -> Dict[int, int]:
    lines: Dict[int, int] = {}
    if hasattr(code, "co_lines"):
        for start, end, line in code.co_lines():
            if line:
                for offset in range(start, end, 2):
                    lines[offset] = line
        return lines
    line = code.co_firstlineno
    starts = dict(dis.findlinestarts(code))
    for offset in range(0, len(code.co_code), 2):
        line = starts.get(offset, line)
        lines[offset] = line
    return lines
