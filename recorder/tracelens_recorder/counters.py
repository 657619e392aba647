"""What is added up while the program runs, and the calls that are in progress."""

from __future__ import annotations

import _thread
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from tracelens_recorder import payloads
from tracelens_recorder.boundaries import World
from tracelens_recorder.code import Function
from tracelens_recorder.failures import Prepared
from tracelens_recorder.observed import Entry


class Counter:
    """What one thread saw of one function. Only that thread adds to it; whoever writes the recording remembers in
    `written` what he has written of it, so that no addition is lost between two threads."""

    __slots__ = ("active", "calls", "durations", "ended", "errors", "max", "min", "resumes", "self", "settled",
                 "test", "total", "written", "written_durations")  # fmt: skip

    def __init__(self) -> None:
        self.active = 0
        self.calls = 0
        self.settled = 0
        """Of `calls`, those that have been put down to a test (or to none)."""
        self.test = 0
        """The test that the others belong to; 0 none."""
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

    __slots__ = ("counters", "edges", "ident", "name", "observed", "overhead", "settled")

    def __init__(self, name: str, ident: int) -> None:
        self.name = name
        self.ident = ident
        self.counters: Dict[int, Counter] = {}
        self.edges: Dict[Tuple[int, int, int], List[int]] = {}
        """(caller, offset of the call in it, callee) → [calls, ns, calls written, ns written]"""
        self.observed: Dict[Tuple[int, str], List[int]] = {}
        """(value, outcome) → [calls, calls written]"""
        self.overhead = 0
        """Nanoseconds spent on capturing values: taken off the durations of the calls around."""
        self.settled: List[Tuple[int, int, int]] = []
        """(function, test, calls) that are not written yet. This thread appends, who writes takes from the front."""

    def counter(self, index: int) -> Counter:
        """Of a function."""
        found = self.counters.get(index)
        if found is None:
            found = self.counters[index] = Counter()
        return found

    def settle(self, index: int, counter: Counter, test: int) -> None:
        """From now on the calls of a function belong to another test."""
        new = counter.calls - counter.settled
        if new:
            counter.settled += new
            if counter.test:
                self.settled.append((index, counter.test, new))
        counter.test = test

    def settle_all(self) -> None:
        for index, counter in list(self.counters.items()):
            if counter.test:
                self.settle(index, counter, 0)


class Call:
    """A call in progress."""

    __slots__ = ("caller", "capture", "child", "chosen", "counter", "duration", "edge", "function", "number",
                 "overhead", "parent", "pending", "represents", "running", "self", "span", "start",
                 "thread", "values", "world")  # fmt: skip

    def __init__(self, function: Function, thread: ThreadState, counter: Counter) -> None:
        self.function = function
        self.thread = thread
        self.counter = counter
        self.parent: Optional[Call] = None
        self.edge: Optional[List[int]] = None
        self.capture: Optional[Dict[str, Any]] = None
        self.chosen = "early"
        self.represents = 1.0
        """How many calls it stands for, where it is captured."""
        self.world: Optional[World] = None
        """What it takes from outside of its arguments, where these are replayable (boundaries.py)."""
        self.span: Any = None
        """Of a call of a marked function (spans.py)."""
        self.number = 0
        self.caller: Optional[Tuple[int, int]] = None
        self.start = 0
        self.overhead = 0
        self.child = 0
        self.duration = 0
        self.self = 0
        self.running = True
        self.values: Optional[List[Entry]] = None
        """What it was made with, where the values of every call are counted."""
        self.pending: Optional[Tuple[int, Unwinding]] = None
        """(offset, exception) for a collector that learns of an exception before it knows whether it is handled."""


class Unwinding:
    """An exception on its way out of a frame, in plain values: it may yet be handled there."""

    __slots__ = ("closing", "failed", "kind", "line", "message", "prepared", "type", "worth")

    def __init__(self) -> None:
        self.failed = False
        self.kind = ""
        self.closing = False
        """A generator is being closed: nothing went wrong, and nothing was returned."""
        self.worth = False
        self.prepared: Optional[Prepared] = None
        self.type = ""
        self.message = ""
        self.line = 0


MAX_THREADS = 32
"""Threads beyond which those that have ended are let go of, when what they counted is written."""
MAX_STACKS = 50_000
"""Different stacks that are kept between two writings."""


class Numbers:
    """Counts, edges and samples of all threads. Only `collect` needs the session's lock."""

    def __init__(self) -> None:
        self.threads: List[ThreadState] = []
        self.samples: Dict[Tuple[Tuple[int, int], ...], List[int]] = {}
        """Stack, outermost first, of (code, line) → [samples, ns]. Only the sampler adds to it."""
        self.sampled = 0

    def new_thread(self) -> ThreadState:
        """For the thread that calls."""
        ident = _thread.get_ident()
        threading = sys.modules.get("threading")
        main = threading.__dict__.get("_main_thread") if threading is not None else None
        state = ThreadState("main" if main is None or getattr(main, "_ident", ident) == ident else str(ident), ident)
        self.threads.append(state)
        return state

    def sample(self, stack: Tuple[Tuple[int, int], ...], weight_ns: int) -> None:
        known = self.samples.get(stack)
        if known is None:
            if len(self.samples) >= MAX_STACKS:
                stack = stack[-1:]
            known = self.samples.setdefault(stack, [0, 0])
        known[0] += 1
        known[1] += weight_ns
        self.sampled += 1

    def settle(self) -> None:
        """At the end: what is open still."""
        for thread in list(self.threads):
            thread.settle_all()

    def _test_rows(self) -> List[Tuple[int, Any]]:
        by_test: Dict[Tuple[int, int], int] = {}
        for thread in list(self.threads):
            n = len(thread.settled)
            for index, test, calls in thread.settled[:n]:
                by_test[index, test] = by_test.get((index, test), 0) + calls
            del thread.settled[:n]
        return [(payloads.TEST_COUNTS, [*key, n]) for key, n in by_test.items()]

    def collect(self, table: Sequence[Function]) -> List[Tuple[int, Any]]:
        """What was added since the last time, as records: (kind, one row)."""
        gone: List[ThreadState] = []
        if len(self.threads) > MAX_THREADS:
            running = sys._current_frames()
            gone = [thread for thread in self.threads if thread.ident not in running]
            for thread in gone:
                thread.settle_all()
        counts: Dict[int, List[Any]] = {}
        edges: Dict[Tuple[int, int, int], List[int]] = {}
        for thread in list(self.threads):
            for index, counter in list(thread.counters.items()):
                written = counter.written
                now = (counter.calls, counter.errors, counter.ended, counter.self)
                if now != (written[0], written[2], written[3], written[5]):
                    payloads.add_counts(counts, index, counter)
            for (caller, offset, callee), edge in list(thread.edges.items()):
                if edge[0] != edge[2] or edge[1] != edge[3]:
                    calls, total = edge[0] - edge[2], edge[1] - edge[3]
                    edge[2] += calls
                    edge[3] += total
                    place = (caller, table[caller].line_at(offset), callee)
                    known = edges.setdefault(place, [0, 0])
                    known[0] += calls
                    known[1] += total
        samples, self.samples = self.samples, {}
        rows: List[Tuple[int, Any]] = [(payloads.COUNTS, [index, *row]) for index, row in counts.items()]
        rows += [(payloads.EDGES, [*place, *edge]) for place, edge in edges.items()]
        rows += self._test_rows()
        rows += [(payloads.SAMPLES, [stack, *weight]) for stack, weight in samples.items()]
        for thread in gone:
            self.threads.remove(thread)
        return rows
