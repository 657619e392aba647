"""Call trees from intervals: which of many timed spans were nested in which, in bounded memory.

Spans may come in any order: VizTracer writes them when they end, others when they start. They are kept in columns (24
bytes a span), sorted once by (thread, start, longest first), and walked with a stack. A span lies inside the one that
was open when it began; self time is its duration without its children's. What remains is per code object: counts, times
and histograms, edges with counts, and the exceptions that spans are known to have raised.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from tracelens_indexer.profiles.histogram import bucket
from tracelens_indexer.profiles.rows import REPEATED
from tracelens_indexer.traces.records import Count, Counting, EdgeCount, Failure, FailureFrame, Frame, Record

MAX_RAISED = 200_000
"""Spans that raised which are told apart; the errors of all are counted."""
MAX_STACK = 200
_BLOCK = 1 << 16


class Spans:
    """Collects spans, then yields what they add up to. Times are in microseconds, as Chrome's format has them."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._start = array("d")
        self._duration = array("d")
        self._frame = array("i")
        self._thread = array("i")
        self._raised: dict[int, tuple[str, str]] = {}
        self._errors: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._start)

    def add(self, frame: int, thread: int, start: float, duration: float) -> None:
        """`frame` is an index into `frames`; `thread` any small integer."""
        self._start.append(start)
        self._duration.append(duration)
        self._frame.append(frame)
        self._thread.append(thread)

    def last_raised(self, type_name: str, message: str) -> None:
        """The span added last ended with an exception."""
        self._errors[self._frame[-1]] += 1
        if len(self._raised) < MAX_RAISED:
            self._raised[len(self._start) - 1] = (type_name, message)

    def extent_ns(self) -> int:
        """From the first start to the last end."""
        if not self._start:
            return 0
        ends = max(start + duration for start, duration in zip(self._start, self._duration, strict=True))
        return int((ends - min(self._start)) * 1000)

    def records(self, counting: Counting) -> Iterator[Record]:
        """Counts per frame, edges, and failures with the stack they passed through."""
        walk = _Walk(self.frames, self._raised)
        for span in self._sorted():
            yield from walk.begin(*span)
        yield from walk.finish()
        for frame, total in walk.totals.items():
            yield Count(
                self.frames[frame],
                total.calls,
                counting,
                errors=self._errors[frame],
                total_ns=int(total.total * 1000),
                self_ns=int(total.own * 1000),
                min_ns=total.shortest,
                max_ns=total.longest,
                durations=tuple(total.durations.items()),
            )
        for (caller, callee), (calls, total_us, own_us, most, repeats) in walk.edges.items():
            yield EdgeCount(
                self.frames[caller],
                self.frames[callee],
                int(calls),
                counting,
                total_ns=int(total_us * 1000),
                self_ns=int(own_us * 1000),
                most=int(most),
                repeats=int(repeats),
            )

    def _sorted(self) -> Iterator[tuple[int, int, float, float, int]]:
        """(thread, index, start, end, frame), parents before their children."""
        import numpy

        start = numpy.frombuffer(self._start, dtype=numpy.float64)
        duration = numpy.frombuffer(self._duration, dtype=numpy.float64)
        frame = numpy.frombuffer(self._frame, dtype=numpy.int32)
        thread = numpy.frombuffer(self._thread, dtype=numpy.int32)
        if not len(start):
            return
        # Of two equal spans the one written later is the outer one, where spans are written as they end.
        order = numpy.lexsort((-numpy.arange(len(start), dtype=numpy.int32), -duration, start, thread))
        for at in range(0, len(order), _BLOCK):
            part = order[at : at + _BLOCK]
            starts = start[part]
            yield from zip(
                thread[part].tolist(),
                part.tolist(),
                starts.tolist(),
                (starts + duration[part]).tolist(),
                frame[part].tolist(),
                strict=True,
            )


class _Total:
    __slots__ = ("calls", "durations", "longest", "own", "shortest", "total")

    def __init__(self) -> None:
        self.calls = 0
        self.total = 0.0
        self.own = 0.0
        self.shortest = -1
        self.longest = -1
        self.durations: dict[int, int] = {}


class _Walk:
    """The stack of open spans of one thread after the other."""

    def __init__(self, frames: list[Frame], raised: dict[int, tuple[str, str]]) -> None:
        self.totals: dict[int, _Total] = defaultdict(_Total)
        self.edges: dict[tuple[int, int], list[float]] = {}
        self._frames = frames
        self._raised = raised
        self._thread = -1
        # An open span: [end, frame, start, time of its children, what it raised, what a child raised, its
        # callees with how often].
        self._stack: list[list[Any]] = []
        self._depth: Counter[int] = Counter()

    def begin(self, thread: int, index: int, start: float, end: float, frame: int) -> Iterator[Failure]:
        stack = self._stack
        if thread != self._thread:
            yield from self.finish()
            self._thread = thread
        while stack and stack[-1][0] <= start:
            failure = self._close()
            if failure is not None:
                yield failure
        if stack and end > stack[-1][0]:
            # Clocks are rounded: a child never outlives its parent.
            end = stack[-1][0]
        stack.append([end, frame, start, 0.0, self._raised.get(index), None, None])
        self._depth[frame] += 1

    def finish(self) -> Iterator[Failure]:
        while self._stack:
            failure = self._close()
            if failure is not None:
                yield failure

    def _close(self) -> Failure | None:
        end, frame, start, children, raised, child_raised, called = self._stack.pop()
        duration = end - start
        own = max(0.0, duration - children)
        total = self.totals[frame]
        total.calls += 1
        total.own += own
        self._depth[frame] -= 1
        if self._depth[frame] == 0:
            # Recursion is counted once.
            total.total += duration
        nanoseconds = int(duration * 1000)
        slot = bucket(nanoseconds)
        total.durations[slot] = total.durations.get(slot, 0) + 1
        if nanoseconds > total.longest:
            total.longest = nanoseconds
        if total.shortest < 0 or nanoseconds < total.shortest:
            total.shortest = nanoseconds
        if called:
            self._repeated(frame, called)
        located = bool(self._frames[frame].path)
        passed = raised if located else child_raised
        if self._stack:
            parent = self._stack[-1]
            parent[3] += duration
            if passed is not None:
                parent[5] = passed
            calls = parent[6]
            if calls is None:
                parent[6] = {frame: 1}
            else:
                calls[frame] = calls.get(frame, 0) + 1
            edge = self.edges.get((parent[1], frame))
            if edge is None:
                self.edges[parent[1], frame] = [1, duration, own, 1, 0]
            else:
                edge[0] += 1
                edge[1] += duration
                edge[2] += own
        if raised is None or raised == child_raised or not located:
            return None
        return self._failure(frame, raised)

    def _repeated(self, frame: int, called: dict[int, int]) -> None:
        for callee, n in called.items():
            if n > 1:
                edge = self.edges[frame, callee]
                edge[3] = max(edge[3], n)
                edge[4] += n >= REPEATED

    def _failure(self, frame: int, raised: tuple[str, str]) -> Failure:
        """The span just closed raised first; those around it that raised the same were passed through."""
        passed = [FailureFrame(self._frames[frame])]
        for span in reversed(self._stack):
            around = self._frames[span[1]]
            if not around.path:
                continue
            if span[4] != raised or len(passed) >= MAX_STACK:
                break
            passed.append(FailureFrame(around))
        return Failure(raised[0], raised[1], tuple(reversed(passed)))
