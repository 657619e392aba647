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
from typing import TYPE_CHECKING, Any

from tracelens_indexer.profiles.bounds import MOST
from tracelens_indexer.profiles.histogram import buckets
from tracelens_indexer.profiles.rows import REPEATED
from tracelens_indexer.traces.records import Count, Counting, EdgeCount, Failure, FailureFrame, Frame, Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_RAISED = 200_000
"""Spans that raised which are told apart; the errors of all are counted."""
MAX_STACK = 200
_BLOCK = 1 << 16
_SLOTS = 1 << 12
"""More than there are buckets of durations."""


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
        import numpy

        start = numpy.frombuffer(self._start, dtype=numpy.float64)
        ends = start + numpy.frombuffer(self._duration, dtype=numpy.float64)
        return int((ends.max() - start.min()) * 1000)

    def records(self, counting: Counting) -> Iterator[Record]:
        """Counts per frame, edges, and failures with the stack they passed through."""
        if not len(self):
            return
        nested = self._nested()
        yield from self._failures(nested)
        yield from self._counts(nested, counting)
        yield from self._edges(nested, counting)

    def _nested(self) -> _Nested:
        import numpy

        start = numpy.frombuffer(self._start, dtype=numpy.float64)
        duration = numpy.frombuffer(self._duration, dtype=numpy.float64)
        frame = numpy.frombuffer(self._frame, dtype=numpy.int32)
        thread = numpy.frombuffer(self._thread, dtype=numpy.int32)
        # Of two equal spans the one written later is the outer one, where spans are written as they end.
        order = numpy.lexsort((-numpy.arange(len(start), dtype=numpy.int32), -duration, start, thread))
        nested = _Nested(order, frame[order], duration[order], len(self.frames))
        for at in range(0, len(order), _BLOCK):
            part = order[at : at + _BLOCK]
            begins = start[part]
            nested.take(thread[part].tolist(), begins.tolist(), (begins + duration[part]).tolist())
        nested.finish()
        return nested

    def _counts(self, nested: _Nested, counting: Counting) -> Iterator[Count]:
        import numpy

        n = len(self.frames)
        frame, duration = nested.frame, nested.duration
        calls = numpy.bincount(frame, minlength=n)
        own = numpy.bincount(frame, nested.own, n)
        # Recursion is counted once.
        total = numpy.bincount(frame, duration * nested.outermost, n)
        nanoseconds = numpy.minimum(duration * 1000, MOST).astype(numpy.int64)
        shortest = numpy.full(n, numpy.iinfo(numpy.int64).max)
        longest = numpy.full(n, -1)
        numpy.minimum.at(shortest, frame, nanoseconds)
        numpy.maximum.at(longest, frame, nanoseconds)
        durations: dict[int, dict[int, int]] = defaultdict(dict)
        for at in range(0, len(frame), _BLOCK):
            part = slice(at, at + _BLOCK)
            slots = frame[part].astype(numpy.int64) * _SLOTS + buckets(nanoseconds[part])
            for key, many in zip(*(found.tolist() for found in numpy.unique(slots, return_counts=True)), strict=True):
                of_frame = durations[key // _SLOTS]
                of_frame[key % _SLOTS] = of_frame.get(key % _SLOTS, 0) + many
        for index in numpy.flatnonzero(calls).tolist():
            yield Count(
                self.frames[index],
                int(calls[index]),
                counting,
                errors=self._errors[index],
                total_ns=int(total[index] * 1000),
                self_ns=int(own[index] * 1000),
                min_ns=int(shortest[index]),
                max_ns=int(longest[index]),
                durations=tuple(durations[index].items()),
            )

    def _edges(self, nested: _Nested, counting: Counting) -> Iterator[EdgeCount]:
        import numpy

        frames = len(self.frames)
        child = numpy.flatnonzero(nested.parent >= 0)
        parent, frame = nested.parent[child].astype(numpy.int64), nested.frame[child]
        # One call's calls of one callee.
        pairs, n = numpy.unique(parent * frames + frame, return_counts=True)
        callers = nested.frame[pairs // frames].astype(numpy.int64)
        keys, place = numpy.unique(callers * frames + pairs % frames, return_inverse=True)
        most = numpy.zeros(len(keys), numpy.int64)
        numpy.maximum.at(most, place, n)
        repeats = numpy.bincount(place, n >= REPEATED, len(keys))
        calls = numpy.bincount(place, n, len(keys))
        at = numpy.searchsorted(keys, nested.frame[parent].astype(numpy.int64) * frames + frame)
        total = numpy.bincount(at, nested.duration[child], len(keys))
        own = numpy.bincount(at, nested.own[child], len(keys))
        for key, *sums in zip(*(column.tolist() for column in (keys, calls, total, own, most, repeats)), strict=True):
            caller, callee = divmod(key, frames)
            yield EdgeCount(
                self.frames[caller],
                self.frames[callee],
                int(sums[0]),
                counting,
                total_ns=int(sums[1] * 1000),
                self_ns=int(sums[2] * 1000),
                most=sums[3],
                repeats=int(sums[4]),
            )

    def _failures(self, nested: _Nested) -> Iterator[Failure]:
        """Of each span that raised first; those around it that raised the same were passed through."""
        import numpy

        places = numpy.flatnonzero(numpy.isin(nested.order, numpy.fromiter(self._raised, numpy.int64))).tolist()
        raised = {place: self._raised[int(nested.order[place])] for place in places}
        located = [bool(frame.path) for frame in self.frames]
        places = [place for place in places if located[nested.frame[place]]]
        above: dict[int, int] = {}

        def around(place: int) -> int:
            """The next span around one that has a place; -1 none. Each step through others is made once for all."""
            through = [place]
            while (at := nested.around(through[-1])) >= 0 and not located[nested.frame[at]]:
                if at in above:
                    at = above[at]
                    break
                through.append(at)
            above.update(dict.fromkeys(through, at))
            return at

        inside = {around(place): raised[place] for place in places}
        """What a span's children raised last, seen through those that have no place."""
        for place in places:
            what = raised[place]
            if what == inside.get(place):
                continue
            passed = [FailureFrame(self.frames[nested.frame[place]])]
            outer = around(place)
            while outer >= 0 and raised.get(outer) == what and len(passed) < MAX_STACK:
                passed.append(FailureFrame(self.frames[nested.frame[outer]]))
                outer = around(outer)
            yield Failure(what[0], what[1], tuple(reversed(passed)))


class _Nested:
    """Which span lies in which, by their place in `order`: by thread and start, parents before their children."""

    def __init__(self, order: NDArray[Any], frame: NDArray[Any], duration: NDArray[Any], frames: int) -> None:
        import numpy

        self.order = order
        self.frame = frame
        self.duration = duration
        """Microseconds. A child never outlives its parent: clocks are rounded."""
        self.parent = numpy.full(len(order), -1, numpy.int32)
        self.outermost = numpy.ones(len(order), numpy.bool_)
        """Of the spans of its frame that are open at once."""
        self.own = duration
        self._at = 0
        self._thread = -1
        self._ends: list[float] = []
        self._open: list[int] = []
        self._depth = [0] * frames
        self._frames: list[int] = []

    def around(self, place: int) -> int:
        """The place of the span that it lies in; -1 none."""
        return int(self.parent[place])

    def take(self, threads: list[int], starts: list[float], finishes: list[float]) -> None:
        """The next spans in order. One pass in Python, of as little as nesting needs; all sums are numpy's."""
        ends, opened, frames, depth = self._ends, self._open, self._frames, self._depth
        parents, inner, cut = [], [], []
        at = begin = self._at
        for thread, start, end, frame in zip(
            threads, starts, finishes, self.frame[at : at + len(starts)].tolist(), strict=True
        ):
            if thread != self._thread:
                self._thread = thread
                ends.clear()
                opened.clear()
                for left in frames:
                    depth[left] -= 1
                frames.clear()
            while ends and ends[-1] <= start:
                ends.pop()
                opened.pop()
                depth[frames.pop()] -= 1
            if opened:
                parents.append(opened[-1])
                if end > ends[-1]:
                    end = ends[-1]
                    cut.append((at, end - start))
            else:
                parents.append(-1)
            if depth[frame]:
                inner.append(at)
            depth[frame] += 1
            ends.append(end)
            opened.append(at)
            frames.append(frame)
            at += 1
        self._at = at
        self.parent[begin:at] = parents
        self.outermost[inner] = False
        for place, duration in cut:
            self.duration[place] = duration

    def finish(self) -> None:
        """Own times, when all are taken."""
        import numpy

        child = self.parent >= 0
        self.own = self.duration.copy()
        numpy.subtract.at(self.own, self.parent[child], self.duration[child])
        numpy.maximum(self.own, 0.0, out=self.own)
