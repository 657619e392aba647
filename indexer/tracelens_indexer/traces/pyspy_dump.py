"""py-spy dump as JSON: where every thread of a program is at one moment, with its variables.

    py-spy dump --locals --json --pid 1234 > dump.json

[{pid, thread_id, thread_name, active, owns_gil, frames: [{name, filename, line, locals: [{name, arg, repr}]}]}], the
leaf first. It is the only file of a sampler with argument values. One moment says where a program hangs, not where
its time goes: each thread is one sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.documents import whole
from tracelens_indexer.traces.records import Call, Frame, Observed, Record, RunFacts, Sample
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.stacks import MAX_DEPTH
from tracelens_indexer.traces.values import observed

MAX_THREADS = 10_000
_MAX_ARGUMENTS = 60


def recognises_keys(keys: frozenset[str]) -> bool:
    return {"thread_id", "frames"} <= keys


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Sample per thread, and a Call for each frame whose arguments are shown; it has not ended."""
    threads = whole(stream, report, "a py-spy dump")
    yield RunFacts(tool="py-spy dump", notes=("one moment of the program: where it was, not where its time goes",))
    found = False
    for number, thread in enumerate(shapes.items(threads)[:MAX_THREADS]):
        entries = [entry for entry in shapes.items(shapes.mapping(thread).get("frames")) if isinstance(entry, dict)]
        if not entries:
            report.skip("thread without Python frames")
            continue
        found = True
        entries = entries[:MAX_DEPTH]
        frames = [_frame(entry) for entry in entries]
        yield Sample(tuple(reversed(frames)), 1.0, "samples")
        for at, (entry, frame) in enumerate(zip(entries, frames, strict=True)):
            arguments = _arguments(entry.get("locals")) if report.wants(frame) else ()
            if arguments:
                yield Call(
                    frame,
                    started_ns=0,
                    duration_ns=-1,
                    arguments=arguments,
                    id=f"{number}.{at}",
                    caller=frames[at + 1] if at + 1 < len(frames) else None,
                    thread=shapes.text(thread.get("thread_name"), 40),
                    counted=False,
                )
    if not found:
        raise NotATrace("a py-spy dump without Python frames")


def _frame(entry: dict[str, Any]) -> Frame:
    return Frame(
        shapes.path(entry.get("filename")), shapes.text(entry.get("name")), shapes.line(entry.get("line")), "executing"
    )


def _arguments(entries: Any) -> tuple[tuple[str, Observed], ...]:
    return tuple(
        (name, observed(entry["repr"]))
        for entry in shapes.items(entries)[:500]
        if isinstance(entry, dict)
        and entry.get("arg") is True
        and type(entry.get("repr")) is str
        and (name := shapes.text(entry.get("name")))
    )[:_MAX_ARGUMENTS]
