"""The code objects of the program that ran: what is known of each, and where its numbers are kept."""

from __future__ import annotations

import opcode
from _bisect import bisect_right
from types import CodeType
from typing import Callable, List, Set, Tuple

from tracelens_recorder.classes import clean
from tracelens_recorder.scope import SourceFile

_OPTIMIZED, _VARARGS, _VARKEYWORDS = 0x1, 0x4, 0x8
"""Bits of `co_flags`. Not taken from `inspect`, nor instructions from `dis`: a dozen modules come with them, which the
program would find in place of files of its own."""

FUNCTION = 0
"""Functions, methods and lambdas: counted, timed and captured."""
MODULE = 1
"""Module bodies: named as callers, not counted."""
INLINE = 2
"""Comprehensions, generator expressions and class bodies: belong to the function around them."""

NEVER = 1 << 62
"""The number of a call that is never reached."""


class Function:
    """A code object in scope. Holds on to the code, so that its id() stays its own."""

    __slots__ = (
        "armed_at",
        "calls",
        "captures",
        "code",
        "draining",
        "due",
        "file",
        "index",
        "kind",
        "lines",
        "live",
        "looking",
        "mark",
        "name",
        "next",
        "parameters",
        "parked",
        "parked_at",
        "rebound",
        "seen_ns",
        "stop",
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
        """Calls that were captured."""
        self.unfaithful = False
        """Some of its calls may have been missed."""
        self.mark = ""
        """What the program has marked it as (marks.py): every call of it is captured, and it is never parked."""
        self.forget()
        self.parameters = parameters_of(code)
        self.rebound: Tuple[str, ...] | None = None
        self.lines: Tuple[List[int], List[int]] | None = None

    def forget(self) -> None:
        """As if it had not run yet: for a child after a fork too."""
        self.calls = self.captures = 0
        self.next = 1
        """The number of the call that is captured next."""
        self.stop = NEVER
        """The number of the call after which it is parked."""
        self.live = 0
        """Calls in progress, nearly."""
        self.parked = False
        """Its starts are not listened to."""
        self.due = False
        """To be parked when a call of it has ended."""
        self.draining = 0
        """Ends that are still listened to after it was parked."""
        self.looking = False
        """Listened to again, for a few calls."""
        self.armed_at = 0
        self.parked_at = 0
        self.seen_ns = 0
        """Nanoseconds that it was listened to, up to when it was parked last."""

    def line_at(self, offset: int) -> int:
        """The line of the instruction at a byte offset, 1-based; 0 unknown."""
        if self.lines is None:
            self.lines = _lines_of(self.code)
        starts, lines = self.lines
        return lines[bisect_right(starts, offset) - 1] if offset >= 0 and starts else 0

    def never_rebound(self) -> List[str]:
        """The parameters that the function never assigns to: when it raises they still are what it was called with."""
        if self.rebound is None:
            self.rebound = tuple(_assigned(self.code))
        return [name for name in self.parameters if name not in self.rebound]


def kind_of(code: CodeType) -> int:
    if code.co_name == "<module>":
        return MODULE
    if not code.co_flags & _OPTIMIZED:
        return INLINE
    if code.co_name.startswith("<") and code.co_name != "<lambda>":
        return INLINE
    return FUNCTION


def parameters_of(code: CodeType) -> Tuple[str, ...]:
    n = code.co_argcount + code.co_kwonlyargcount
    n += bool(code.co_flags & _VARARGS) + bool(code.co_flags & _VARKEYWORDS)
    return code.co_varnames[:n]


def _lines_of(code: CodeType) -> Tuple[List[int], List[int]]:
    """The offsets at which another line begins, from 0 on, and these lines; 0 none."""
    starts: List[int] = [0]
    lines: List[int] = [0]
    if hasattr(code, "co_lines"):
        for start, _, number in code.co_lines():
            starts.append(start)
            lines.append(number or 0)
        return starts, lines
    line, at = code.co_firstlineno, 0  # Python 3.9: pairs of (bytes on, lines on)
    for bytes_on, lines_on in zip(code.co_lnotab[::2], code.co_lnotab[1::2]):  # noqa: B905 (3.9 has no strict)
        starts.append(at)
        lines.append(line)
        at += bytes_on
        line += lines_on - 256 if lines_on > 127 else lines_on
    starts.append(at)
    lines.append(line)
    return starts, lines


def _assigned(code: CodeType) -> Set[str]:
    """The local names that a function, or one inside it, assigns to or deletes."""
    found: Set[str] = set()
    extended = 0
    instructions = code.co_code
    name_of: Callable[[int], str] | None = getattr(code, "_varname_from_oparg", None)
    cells = code.co_cellvars + code.co_freevars
    for place in range(0, len(instructions), 2):
        name = opcode.opname[instructions[place]]
        argument = instructions[place + 1] | extended
        extended = argument << 8 if name == "EXTENDED_ARG" else 0
        if name.startswith(("STORE_FAST", "DELETE_FAST")):
            numbers = [argument]
            if name in ("STORE_FAST_STORE_FAST", "STORE_FAST_LOAD_FAST"):  # two in one, from 3.13 on
                numbers = [argument >> 4, argument & 15] if name == "STORE_FAST_STORE_FAST" else [argument >> 4]
            found.update(code.co_varnames[n] if name_of is None else name_of(n) for n in numbers)
        elif name in ("STORE_DEREF", "DELETE_DEREF"):
            found.add(cells[argument] if name_of is None else name_of(argument))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):  # a function inside, with `nonlocal`
            found.update(_assigned(constant).intersection(code.co_cellvars))
    return found
