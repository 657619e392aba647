"""The numbers that one thread adds up, and the calls that are in progress."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Tuple

from tracelens_recorder.code import Function
from tracelens_recorder.failures import Prepared


class Counter:
    """What one thread saw of one function. Only that thread adds to it; whoever writes the recording remembers in
    `written` what he has written of it, so that no addition is lost between two threads."""

    __slots__ = ("active", "calls", "durations", "ended", "errors", "max", "min", "resumes", "self", "settled",
                 "total", "written", "written_durations")  # fmt: skip

    def __init__(self) -> None:
        self.active = 0
        self.calls = 0
        self.settled = 0
        """Of `calls`, those that have been put down to a test (or to none)."""
        self.resumes = 0
        self.errors = 0
        self.ended = 0
        self.total = 0
        self.self = 0
        self.min = -1
        self.max = -1
        self.durations: Dict[int, int] = {}
        self.written = (0, 0, 0, 0, 0, 0)
        self.written_durations: Dict[int, int] = {}


class ThreadState:
    """The numbers of one thread."""

    __slots__ = ("counters", "edges", "name", "overhead")

    def __init__(self, name: str) -> None:
        self.name = name
        self.counters: Dict[int, Counter] = {}
        self.edges: Dict[Tuple[int, int, int], List[int]] = {}
        """(caller, offset of the call in it, callee) → [calls, ns, calls written, ns written]"""
        self.overhead = 0
        """Nanoseconds spent on capturing values: taken off the durations of the calls around."""


class Call:
    """A call in progress."""

    __slots__ = ("caller", "capture", "child", "counter", "duration", "edge", "function", "number", "overhead",
                 "parent", "pending", "running", "self", "start", "thread")  # fmt: skip

    def __init__(self, function: Function, thread: ThreadState, counter: Counter) -> None:
        self.function = function
        self.thread = thread
        self.counter = counter
        self.parent: Optional[Call] = None
        self.edge: Optional[List[int]] = None
        self.capture: Optional[Dict[str, Any]] = None
        self.number = 0
        self.caller: Optional[Tuple[int, int]] = None
        self.start = 0
        self.overhead = 0
        self.child = 0
        self.duration = 0
        self.self = 0
        self.running = True
        self.pending: Optional[Tuple[int, Unwinding]] = None
        """(offset, exception) for a collector that learns of an exception before it knows whether it is handled."""


class Unwinding:
    """An exception on its way out of a frame, in plain values: it may yet be handled there."""

    __slots__ = ("closing", "failed", "line", "message", "prepared", "type", "worth")

    def __init__(self) -> None:
        self.failed = False
        self.closing = False
        """A generator is being closed: nothing went wrong, and nothing was returned."""
        self.worth = False
        self.prepared: Optional[Prepared] = None
        self.type = ""
        self.message = ""
        self.line = 0
