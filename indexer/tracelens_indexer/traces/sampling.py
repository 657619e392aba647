"""Python 3.15's `profiling.sampling` as JSON lines, and processed Firefox (gecko) profiles.

    python -m profiling.sampling run --jsonl -o shop.jsonl run.py        … --gecko -o shop.json run.py

JSON lines: `meta` {run_id, sample_interval_usec, mode}, `str_def` {defs: [{str_id, value}]}, `frame_def` {defs:
[{frame_id, path_str_id, func_str_id, line, synthetic?}]}, `agg` {kind: "frame", scope: "final", samples_total,
entries: [{frame_id, self, cumulative}]}, `end`. It holds full paths and sums per function and line, no stacks.

Gecko: {meta: {preprocessedProfileVersion, interval ms}, shared: {stringArray}, threads: [{samples: {stack, weight?,
timeDeltas}, stackTable: {frame, prefix}, frameTable: {func, line}, funcTable: {name, fileName}}]}; tables may be the
threads' own or shared. `fileName` is the base name alone, so that two files of one name cannot be told apart. Written
after the sources of CPython and the format's documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.documents import objects, whole
from tracelens_indexer.traces.records import Frame, Record, RunFacts, SampleTotal
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.stacks import Stacks

MAX_DEFINITIONS = 2_000_000


def recognises_lines(keys: frozenset[str], head: bytes) -> bool:
    return {"type", "run_id"} <= keys and b'"meta"' in head[:1000]


def recognises_gecko(keys: frozenset[str], head: bytes) -> bool:
    return {"meta", "threads"} <= keys and (b"preprocessedProfileVersion" in head or b"stackTable" in head)


def read_lines(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One SampleTotal per function and line."""
    yield RunFacts(tool="profiling.sampling")
    strings: dict[int, str] = {}
    frames: dict[int, Frame] = {}
    found = False
    for record in objects(stream, report):
        match record.get("type"):
            case "str_def":
                for entry in _definitions(record, report):
                    key = entry.get("str_id")
                    if type(key) is int and len(strings) < MAX_DEFINITIONS:
                        strings[key] = shapes.path(entry.get("value"))
            case "frame_def":
                for entry in _definitions(record, report):
                    key = entry.get("frame_id")
                    if type(key) is int and len(frames) < MAX_DEFINITIONS:
                        frames[key] = _frame(entry, strings)
            case "agg" if record.get("kind") == "frame" and record.get("scope", "final") == "final":
                for entry in shapes.items(record.get("entries")):
                    key = shapes.mapping(entry).get("frame_id")
                    frame = frames.get(key) if type(key) is int else None
                    own = shapes.number(shapes.mapping(entry).get("self"))
                    total = shapes.number(shapes.mapping(entry).get("cumulative"))
                    if frame is None or own is None or total is None or own < 0 or total < 0:
                        report.skip("malformed sample")
                        continue
                    found = True
                    yield SampleTotal(frame, own, max(own, total), "samples")
    if not found:
        raise NotATrace("profiling.sampling lines without their sums: the recording did not end. Record again")


def _definitions(record: dict[str, Any], report: Report) -> Iterator[dict[str, Any]]:
    for entry in shapes.items(record.get("defs")):
        if isinstance(entry, dict):
            yield entry
        else:
            report.skip("malformed definition")


def _frame(entry: dict[str, Any], strings: dict[int, str]) -> Frame:
    path, name = entry.get("path_str_id"), entry.get("func_str_id")
    known_path = strings.get(path, "") if type(path) is int else ""
    known_name = strings.get(name, "") if type(name) is int else ""
    return Frame(known_path, known_name, shapes.line(entry.get("line")), "executing")


def read_gecko(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Sample per distinct stack of each thread."""
    document = shapes.mapping(whole(stream, report, "a Firefox profile"))
    meta = shapes.mapping(document.get("meta"))
    shared = shapes.mapping(document.get("shared"))
    interval = shapes.number(meta.get("interval")) or 0.0
    yield RunFacts(tool="gecko", started_ns=max(0, shapes.nanoseconds(meta.get("startTime"), 1e6)))
    stacks = Stacks("seconds" if interval > 0 else "samples")
    for thread in shapes.items(document.get("threads")):
        if not isinstance(thread, dict):
            report.skip("malformed thread")
            continue
        _thread({**shared, **thread}, interval / 1e3 if interval > 0 else 1.0, stacks, report)
        yield from stacks.take()
    if not stacks.total:
        raise NotATrace("a Firefox profile without samples")


def _thread(tables: dict[str, Any], seconds: float, stacks: Stacks, report: Report) -> None:
    strings = shapes.items(tables.get("stringArray")) or shapes.items(tables.get("stringTable"))
    functions, frames, ways = (shapes.mapping(tables.get(name)) for name in ("funcTable", "frameTable", "stackTable"))
    samples = shapes.mapping(tables.get("samples"))
    weights = shapes.items(samples.get("weight"))
    known: dict[int, Frame] = {}

    def text(index: Any) -> str:
        return shapes.path(_at(strings, index))

    def frame(index: int) -> Frame:
        found = known.get(index)
        if found is None:
            function = _at(shapes.items(frames.get("func")), index)
            found = known[index] = Frame(
                text(_at(shapes.items(functions.get("fileName")), function)),
                text(_at(shapes.items(functions.get("name")), function)),
                shapes.line(_at(shapes.items(frames.get("line")), index)),
                "executing",
            )
        return found

    prefixes, leaves = shapes.items(ways.get("prefix")), shapes.items(ways.get("frame"))
    for number, way in enumerate(shapes.items(samples.get("stack"))):
        weight = shapes.number(_at(weights, number)) if weights else 1.0
        stack: list[Frame] = []
        # A table of prefixes can be a circle in a damaged file.
        while type(way) is int and 0 <= way < len(leaves) and len(stack) < 10_000:
            leaf = leaves[way]
            if type(leaf) is int:
                stack.append(frame(leaf))
            way = _at(prefixes, way)
        if not stack or weight is None:
            report.skip("sample without a stack")
            continue
        stacks.add(tuple(reversed(stack)), weight * seconds)


def _at(values: list[Any], index: Any) -> Any:
    return values[index] if type(index) is int and 0 <= index < len(values) else None
