"""pyinstrument: its JSON report and its session files.

    pyinstrument -r session -o shop.pyisession run.py        pyinstrument -r json -o shop.json run.py

A session, the better one, holds the samples: {start_time, duration, sample_count, target_description, frame_records:
[[[frame, …], seconds], …]}, a frame being `name NUL file NUL first line` and then attributes, each after \\x01: `c`
its class, `l` the line that was executing. The report is a tree {function, file_path, line_no, time, children} of
seconds with callees, in which library code is folded and fast functions are left out; `[self]` and `[await]` are
parts of their parent. Names are `co_name` in both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.documents import whole
from tracelens_indexer.traces.json_stream import Broken, JsonStream
from tracelens_indexer.traces.records import Frame, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.stacks import Stacks, spread

MAX_NODES = 5_000_000
MAX_FRAMES = 300_000


def recognises_report(keys: frozenset[str]) -> bool:
    return "root_frame" in keys and bool(keys & {"duration", "sample_count", "start_time"})


def recognises_session(keys: frozenset[str]) -> bool:
    return "frame_records" in keys or {"start_call_stack", "sample_count"} <= keys


def read_report(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Sample for each node's own time."""
    document = shapes.mapping(whole(stream, report, "a pyinstrument report"))
    yield _facts(document)
    stacks = Stacks("seconds")
    path: list[Frame] = []
    pending: list[tuple[Any, int]] = [(document.get("root_frame"), 0)]
    nodes = 0
    while pending and nodes < MAX_NODES:
        node, depth = pending.pop()
        nodes += 1
        if not isinstance(node, dict):
            report.skip("malformed frame")
            continue
        name = shapes.text(node.get("function"))
        seconds = shapes.number(node.get("time")) or 0.0
        if name.startswith("[") and name.endswith("]") and depth:
            # Its parent's own time: [self], [await].
            stacks.add(tuple(path[:depth]), seconds)
            continue
        frame = Frame(shapes.path(node.get("file_path")), name, shapes.line(node.get("line_no")), "first")
        stack = spread(path, frame, depth)
        children = shapes.items(node.get("children"))
        below = sum(shapes.number(child.get("time")) or 0.0 for child in children if isinstance(child, dict))
        stacks.add(stack, seconds - below if seconds - below > 1e-9 else 0.0)
        # A child's parts follow it at once, so that `path` is the way to it.
        pending.extend((child, depth + 1) for child in reversed(children))
        if stacks.full():
            yield from stacks.take()
    yield from stacks.take()
    if not stacks.total:
        raise NotATrace("a pyinstrument report without any time in it. Record again")


def read_session(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Sample per distinct stack; a session that breaks off is used up to there."""
    document = JsonStream(stream, report.advance)
    stacks = Stacks("seconds")
    frames: dict[str, Frame] = {}
    facts: dict[str, Any] = {}
    try:
        document.start()
        for key in document.members():
            if key != "frame_records":
                facts[key] = document.value()
                continue
            if document.start() != "[":
                raise Broken
            for record in document.items():
                found = _record(record, frames)
                if found is None:
                    report.skip("malformed sample")
                else:
                    stacks.add(*found)
                if stacks.full():
                    yield from stacks.take()
    except Broken:
        report.broke_off()
    yield _facts(facts)
    yield from stacks.take()
    if not stacks.total:
        raise NotATrace("a pyinstrument session without samples. Record again")


def _record(record: Any, frames: dict[str, Frame]) -> tuple[tuple[Frame, ...], float] | None:
    if not isinstance(record, list) or len(record) != 2 or not isinstance(record[0], list):
        return None
    seconds = shapes.number(record[1])
    if seconds is None or not all(type(entry) is str for entry in record[0]):
        return None
    stack = []
    for entry in record[0]:
        frame = frames.get(entry)
        if frame is None:
            frame = _frame(entry)
            if len(frames) < MAX_FRAMES:
                frames[entry] = frame
        stack.append(frame)
    return tuple(stack), seconds


def _frame(entry: str) -> Frame:
    identity, *attributes = entry[:10_000].split("\x01")
    name, path, line = (*identity.split("\0"), "", "", "")[:3]
    owner = next((attribute[1:] for attribute in attributes if attribute.startswith("c")), "")
    return Frame(path, f"{owner}.{name}" if owner else name, shapes.line(line), "first")


def _facts(document: dict[str, Any]) -> RunFacts:
    return RunFacts(
        tool="pyinstrument",
        started_ns=max(0, shapes.nanoseconds(document.get("start_time"), 1e9)),
        duration_ns=max(0, shapes.nanoseconds(document.get("duration"), 1e9)),
        command=shapes.text(document.get("target_description")),
    )
