"""Span trees: timed executions that name their parent, from whatever format, in any order and in bounded memory.

Spans of distributed traces arrive child first and spread over a file, so they are kept in columns (48 bytes a span) and
put together later: those of traces that have been quiet for a while as soon as there are many, the others at the end.
Self time is a span's duration without the union of its children's intervals: children may overlap (threads, tasks) and
may outlast their parent (they are cut). Recursion counts once in totals. A span whose parent is missing, or is itself
through a circle, is a root. Of spans with the same id the first counts.

An exception passes through spans and each reports it: the deepest one counts, with the longest stack any of them saw.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec import structs

from tracelens_indexer.profiles.histogram import bucket
from tracelens_indexer.profiles.rows import REPEATED
from tracelens_indexer.traces.records import Count, Counting, EdgeCount, Failure, FailureFrame, Frame, Record
from tracelens_indexer.traces.report import Report

if TYPE_CHECKING:
    from numpy import ndarray

MAX_SPANS = 20_000_000
"""That are held at once."""
HELD = 600_000
"""Spans from which on quiet traces are put together."""
QUIET = 200_000
"""A trace is quiet when none of this many spans was of it. What still comes is counted, as roots."""
MAX_FRAMES = 300_000
MAX_RAISED = 50_000
"""Spans that raised which are told apart; the errors of all are counted."""
MAX_DEPTH = 64
"""Ancestors that are looked at for recursion and passed-through exceptions: a circle ends here."""
_LONGEST = 1 << 55
"""Nanoseconds, a year: longer durations are damage."""


@dataclass(frozen=True, slots=True)
class Threw:
    """The exception that a span ended with."""

    type: str
    """"" when the trace does not say: then it is an error, and no failure that could be told from others."""
    message: str
    stack: tuple[FailureFrame, ...] = ()
    """As far as the span's trace shows it, outermost first."""
    line: int = 0
    """The line that was executing in the span's own frame; 0 unknown."""


class Trees:
    """Collects spans, then yields what they add up to."""

    def __init__(self, report: Report, *, clock: bool = True) -> None:
        """`clock`: the starts are times since the epoch; otherwise they only order the spans."""
        self._clock = clock
        self.frames: list[Frame] = []
        self._report = report
        self._index: dict[Frame, int] = {}
        self._ids = array("q")
        self._parents = array("q")
        self._traces = array("q")
        self._starts = array("q")
        self._durations = array("q")
        self._frame = array("i")
        self._threw: dict[int, Threw] = {}
        self._errors: Counter[int] = Counter()
        self._tests: dict[int, Counter[str]] = {}
        self._added = 0
        self._next_look = HELD
        self._first = self._last = 0
        self._totals: dict[int, _Total] = {}
        self._edges: dict[tuple[int, int], list[int]] = {}
        self._raised: list[tuple[Threw, tuple[FailureFrame, ...], tuple[tuple[int, int], ...], int]] = []

    def __len__(self) -> int:
        return self._added

    def add(
        self,
        span: str,
        parent: str,
        frame: Frame,
        started_ns: int,
        duration_ns: int,
        threw: Threw | None = None,
        test: str = "",
        trace: str = "",
    ) -> None:
        """`span` and `parent` are ids, unique within the file; parent "" is none. duration_ns -1: unknown. `trace`: the
        id of the tree that it is of, where the file holds many."""
        if len(self._ids) >= MAX_SPANS:
            self._report.skip("more than 20 million spans")
            return
        index = self._index.get(frame)
        if index is None:
            if len(self.frames) >= MAX_FRAMES:
                self._report.skip("more than 300,000 different names")
                return
            index = self._index[frame] = len(self.frames)
            self.frames.append(frame)
        if threw is not None:
            self._errors[index] += 1
            if len(self._threw) + len(self._raised) < MAX_RAISED:
                self._threw[len(self._ids)] = threw
        if test:
            self._tests.setdefault(index, Counter())[test] += 1
        started_ns = max(0, min(started_ns, 1 << 62))
        duration_ns = duration_ns if duration_ns < _LONGEST else -1
        self._ids.append(hash(span))
        self._parents.append(hash(parent) if parent else 0)
        self._traces.append(hash(trace) if trace else 0)
        self._starts.append(started_ns)
        self._durations.append(duration_ns)
        self._frame.append(index)
        self._added += 1
        if started_ns:
            if not self._first or started_ns < self._first:
                self._first = started_ns
            if started_ns + duration_ns > self._last:
                self._last = started_ns + max(0, duration_ns)
        if len(self._ids) >= self._next_look:
            self._put_together_quiet()

    def extent(self) -> tuple[int, int]:
        """(first start, from there to the last end) in nanoseconds; 0 where the format has no clock."""
        return (self._first, self._last - self._first) if self._clock and self._first else (0, 0)

    def rename(self, frames: Mapping[int, Frame]) -> None:
        """Say more of frames, by their index in `frames`, than was known when their spans were read."""
        for index, frame in frames.items():
            self.frames[index] = frame

    def records(self, counting: Counting) -> Iterator[Record]:
        """Counts per frame, edges, and failures."""
        self._put_together()
        yield from self._counts(counting)
        yield from self._failures()

    def _put_together_quiet(self) -> None:
        """Add up the traces that none of the last spans was of, and let go of their spans."""
        import numpy

        traces = numpy.frombuffer(self._traces, dtype=numpy.int64)
        recent = numpy.unique(traces[-QUIET:])
        # Spans of no named trace are all of one.
        keep = numpy.isin(traces, recent) | (traces == 0)
        if keep.sum() < len(traces) * 3 // 4:
            kept = [column[keep] for column in self._columns()]
            kept_threw = {
                int(new): self._threw[old]
                for new, old in enumerate(numpy.flatnonzero(keep).tolist())
                if old in self._threw
            }
            gone = numpy.flatnonzero(~keep)
            threw = {new: self._threw[old] for new, old in enumerate(gone.tolist()) if old in self._threw}
            self._hold([column[~keep] for column in self._columns()], threw)
            del keep, gone, traces
            self._put_together()
            self._hold(kept, kept_threw)
        self._next_look = len(self._ids) + HELD

    def _columns(self) -> list[ndarray[Any, Any]]:
        import numpy

        wide = (self._ids, self._parents, self._traces, self._starts, self._durations)
        frames = numpy.frombuffer(self._frame, dtype=numpy.int32)
        return [*(numpy.frombuffer(column, dtype=numpy.int64) for column in wide), frames]

    def _hold(self, columns: list[ndarray[Any, Any]], threw: dict[int, Threw]) -> None:
        made = [array("i" if at == 5 else "q", column.tobytes()) for at, column in enumerate(columns)]
        self._ids, self._parents, self._traces, self._starts, self._durations, self._frame = made
        self._threw = threw

    def _put_together(self) -> None:
        if self._ids:
            parents = self._parent_indexes()
            self._add_up(parents)
            self._find_failures(parents)
        self._hold([column[:0] for column in self._columns()], {})

    def _parent_indexes(self) -> ndarray[Any, Any]:
        """For each span the index of its parent; -1 none, -2 a repetition of an id that is left out."""
        import numpy

        ids = numpy.frombuffer(self._ids, dtype=numpy.int64)
        wanted = numpy.frombuffer(self._parents, dtype=numpy.int64)
        order = numpy.argsort(ids, kind="stable")
        ordered = ids[order]
        at = numpy.searchsorted(ordered, wanted)
        at[at == len(ids)] = 0
        parents = numpy.where((ordered[at] == wanted) & (wanted != 0), order[at], -1)
        parents[parents == numpy.arange(len(ids))] = -1
        repeated = numpy.zeros(len(ids), dtype=bool)
        repeated[order[1:]] = ordered[1:] == ordered[:-1]
        if repeated.any():
            self._report.skip("span with an id that was seen before", int(repeated.sum()))
            parents[repeated] = -2
        return parents

    def _recursive(self, parents: ndarray[Any, Any]) -> ndarray[Any, Any]:
        """Which spans have a span of the same frame above them: its total holds theirs."""
        import numpy

        frame = numpy.frombuffer(self._frame, dtype=numpy.int32)
        inside = numpy.zeros(len(frame), dtype=bool)
        above = parents.copy()
        for _ in range(MAX_DEPTH):
            known = above >= 0
            if not known.any():
                break
            inside |= known & (frame[above] == frame)
            above = numpy.where(known, parents[above], -1)
        return inside

    def _add_up(self, parents: ndarray[Any, Any]) -> None:
        recursive = self._recursive(parents)
        covered = self._covered(parents)
        totals, edges = self._totals, self._edges
        for index, (frame, duration) in enumerate(zip(self._frame, self._durations, strict=True)):
            parent = int(parents[index])
            if parent == -2:
                continue
            total = totals.get(frame)
            if total is None:
                total = totals[frame] = _Total()
            own = max(0, duration - covered.get(index, 0))
            total.add(duration, own, recursive=bool(recursive[index]))
            if parent >= 0:
                edge = edges.setdefault((self._frame[parent], frame), [0, 0, 0, 1, 0])
                edge[0] += 1
                edge[1] += max(0, duration)
                edge[2] += own
        for key, most, repeats in self._repeats(parents):
            edge = edges[key]
            edge[3] = max(edge[3], most)
            edge[4] += repeats

    def _counts(self, counting: Counting) -> Iterator[Record]:
        for frame, total in self._totals.items():
            yield Count(
                self.frames[frame],
                total.calls,
                counting,
                errors=min(self._errors[frame], total.calls),
                total_ns=total.total,
                self_ns=total.own,
                min_ns=total.shortest,
                max_ns=total.longest,
                durations=tuple(total.durations.items()),
                tests=tuple(self._tests.get(frame, {}).items()),
            )
        for (caller, callee), (calls, total_ns, own_ns, most, repeats) in self._edges.items():
            yield EdgeCount(
                self.frames[caller],
                self.frames[callee],
                calls,
                counting,
                total_ns=total_ns,
                self_ns=own_ns,
                most=most,
                repeats=repeats,
            )

    def _repeats(self, parents: ndarray[Any, Any]) -> Iterator[tuple[tuple[int, int], int, int]]:
        """((caller, callee), calls by one span of the caller, 1 if REPEATED or more) where more than one."""
        import numpy

        children = numpy.flatnonzero(parents >= 0)
        frame = numpy.frombuffer(self._frame, dtype=numpy.int32)
        pairs, calls = numpy.unique(parents[children] * len(self.frames) + frame[children], return_counts=True)
        several = calls > 1
        for pair, n in zip(pairs[several].tolist(), calls[several].tolist(), strict=True):
            parent, callee = divmod(pair, len(self.frames))
            yield (self._frame[parent], callee), n, int(n >= REPEATED)

    def _covered(self, parents: ndarray[Any, Any]) -> dict[int, int]:
        """Nanoseconds of each span that at least one of its children was running."""
        import numpy

        children = numpy.flatnonzero(parents >= 0)
        starts = numpy.frombuffer(self._starts, dtype=numpy.int64)
        order = children[numpy.lexsort((starts[children], parents[children]))]
        covered: dict[int, int] = {}
        last_parent, reached = -1, 0
        for child in order.tolist():
            parent = int(parents[child])
            if parent != last_parent:
                last_parent, reached = parent, self._starts[parent]
            start = max(self._starts[child], reached)
            end = min(
                self._starts[child] + max(0, self._durations[child]),
                self._starts[parent] + max(0, self._durations[parent]),
            )
            if end > start:
                covered[parent] = covered.get(parent, 0) + end - start
                reached = end
        return covered

    def _find_failures(self, parents: ndarray[Any, Any]) -> None:
        passed: set[int] = set()
        for index, threw in self._threw.items():
            parent = int(parents[index])
            above = self._threw.get(parent) if parent >= 0 else None
            if above is not None and _same(threw, above):
                passed.add(parent)
        for index, threw in self._threw.items():
            if index in passed or parents[index] == -2 or not threw.type:
                continue
            chain = [index]
            while len(chain) < MAX_DEPTH:
                parent = int(parents[chain[-1]])
                if parent not in passed or not _same(self._threw[parent], threw):
                    break
                chain.append(parent)
            stack = max((self._threw[span].stack for span in chain), key=len)
            places = tuple((self._frame[span], self._threw[span].line) for span in reversed(chain))
            at_ns = self._starts[index] + max(0, self._durations[index]) if self._clock and self._starts[index] else 0
            self._raised.append((threw, stack, places, at_ns))

    def _failures(self) -> Iterator[Failure]:
        for threw, stack, places, at_ns in self._raised:
            if not stack:
                stack = tuple(self._place(*place) for place in places)
            elif not any(entry.frame.path for entry in stack):
                continue
            yield Failure(threw.type, threw.message, stack, at_ns=at_ns)

    def _place(self, index: int, line: int) -> FailureFrame:
        frame = self.frames[index]
        if line:
            return FailureFrame(structs.replace(frame, line=line, line_kind="executing"))
        # What line a span gives is where its function begins, not where it raised.
        return FailureFrame(structs.replace(frame, line_kind="first"))


def _same(one: Threw, other: Threw) -> bool:
    return (
        one.type.rpartition(".")[2] == other.type.rpartition(".")[2]
        and one.message[:100].strip() == other.message[:100].strip()
    )


class _Total:
    __slots__ = ("calls", "durations", "longest", "own", "shortest", "total")

    def __init__(self) -> None:
        self.calls = 0
        self.total = 0
        self.own = 0
        self.shortest = -1
        self.longest = -1
        self.durations: dict[int, int] = {}

    def add(self, duration: int, own: int, *, recursive: bool) -> None:
        self.calls += 1
        if duration < 0:
            return
        self.own += own
        if not recursive:
            self.total += duration
        slot = bucket(duration)
        self.durations[slot] = self.durations.get(slot, 0) + 1
        if duration > self.longest:
            self.longest = duration
        if self.shortest < 0 or duration < self.shortest:
            self.shortest = duration
