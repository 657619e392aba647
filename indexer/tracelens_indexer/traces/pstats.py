"""pstats: what cProfile, yappi and pyinstrument's `-r pstats` write.

    python -m cProfile -o shop.pstats run.py

The file is marshal of {(file, first line, name): (cc, nc, tt, ct, callers)}: cc primitive calls (recursion counted
once), nc all calls, tt seconds in the function itself, ct seconds with its callees, and callers {key of the caller:
(nc, cc, tt, ct)}. Note that the tuples of callers begin with nc, the reverse of the top level (read from CPython's
`Modules/_lsprof.c` and `cProfile.Profile.snapshot_stats`). Names are `co_name`; yappi writes qualified names. Lines are
`co_firstlineno`, the first decorator's. Built-in functions are ('~', 0, '<built-in method …>').

It holds exact counts, times and a genuine call graph with counts; no values, no exceptions, no clock, and only the
thread that was profiled. A generator or coroutine is counted once per resume. The profiler inflates small functions.

Python 3.15's `profiling.sampling` writes a variant of samples: it has the key ('__sampled__',), the counts are
samples with the function innermost (cc) and anywhere (nc) on the stack, callers are plain numbers, and lines are
those that were executing, so that a function has many rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, BinaryIO

from msgspec import structs

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.marshal_reader import MarshalError, loads
from tracelens_indexer.traces.records import Count, EdgeCount, Frame, Record, RunFacts, SampleTotal
from tracelens_indexer.traces.report import Report

MAX_BYTES = 256 * 1024 * 1024
_MAX_NS = 2**62


def recognises(head: bytes) -> bool:
    """A marshalled dictionary that is empty or whose first key is a tuple; JSON never has { before ( or )."""
    return len(head) >= 2 and head[0] & 0x7F == 0x7B and head[1] & 0x7F in b"()0"


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """Counts per function, then edges. Raises NotATrace when the file is damaged: marshal cannot be read in part."""
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NotATrace(f"a pstats file over {MAX_BYTES >> 20} MB; profile a smaller part of the program")
    try:
        stats = loads(data)
    except MarshalError as error:
        raise NotATrace(f"looks like a pstats file, but is damaged ({error}). Write it again") from error
    if not isinstance(stats, dict):
        raise NotATrace("looks like a pstats file, but holds no dictionary. Write it again")
    if ("__sampled__",) in stats:
        yield from _sampled(stats, report)
        return
    yield RunFacts(tool="pstats", calls_are_resumes=True)
    frames: dict[Any, Frame | None] = {}
    for key, value in stats.items():
        callee = _frame(key, frames)
        totals = _totals(value, 5)
        if callee is None or totals is None or not isinstance(value[4], dict):
            report.skip("malformed entry")
            continue
        _, calls, self_ns, total_ns = totals
        yield Count(callee, calls, total_ns=total_ns, self_ns=self_ns)
        for caller_key, edge in value[4].items():
            caller = _frame(caller_key, frames)
            counts = _totals(edge, 4)
            if caller is None or counts is None:
                report.skip("malformed caller")
                continue
            calls, _, edge_self_ns, edge_total_ns = counts
            yield EdgeCount(caller, callee, calls, total_ns=edge_total_ns, self_ns=edge_self_ns)


def _sampled(stats: dict[Any, Any], report: Report) -> Iterator[Record]:
    yield RunFacts(tool="pstats", notes=("samples of Python's profiling.sampling, not calls",))
    for key, value in stats.items():
        if key == ("__sampled__",):
            continue
        frame = _frame(key, {})
        totals = _totals(value, 5)
        if frame is None or totals is None:
            report.skip("malformed entry")
            continue
        own, total = totals[:2]
        frame = structs.replace(frame, line_kind="executing")
        yield SampleTotal(frame, float(own), float(max(own, total)), "samples")


def _frame(key: Any, known: dict[Any, Frame | None]) -> Frame | None:
    """The frame of a (file, line, name) key; None when it is none."""
    try:
        return known[key]
    except KeyError:
        pass
    except TypeError:
        return None
    frame = None
    if isinstance(key, tuple) and len(key) == 3:
        path, line, name = key
        if isinstance(path, str) and type(line) is int and isinstance(name, str) and 0 <= line < 2**31:
            # '~' is how cProfile spells "not from a file".
            frame = Frame("" if path == "~" else path, name, line, "first")
    known[key] = frame
    return frame


def _totals(value: Any, size: int) -> tuple[int, int, int, int] | None:
    """Two counts and two times in nanoseconds, all sane; None otherwise."""
    if not isinstance(value, tuple) or len(value) != size:
        return None
    first, second, own, total = value[:4]
    if type(first) is not int or type(second) is not int or first < 0 or second < 0 or max(first, second) >= _MAX_NS:
        return None
    return first, second, _nanoseconds(own), _nanoseconds(total)


def _nanoseconds(seconds: Any) -> int:
    """A clock that went backwards gives negative times: they are counted as 0."""
    if type(seconds) not in (int, float) or not math.isfinite(seconds) or seconds <= 0:
        return 0
    return int(min(seconds * 1e9, _MAX_NS))
