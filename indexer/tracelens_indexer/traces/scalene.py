"""Scalene's JSON profile, for the rank of its functions.

    scalene run --json --outfile shop.json run.py

{elapsed_time_sec, files: {path: {functions: [{line: the function's qualified name, lineno, n_cpu_percent_python,
n_cpu_percent_c, n_sys_percent, …}], lines: […]}}, stacks, …}. What the percentages are percentages of differs between
its fields, so they are read as relative weights: the shares of functions among each other. The big `combined_stacks`
members are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.json_stream import Broken, JsonStream
from tracelens_indexer.traces.records import Frame, Record, RunFacts, SampleTotal
from tracelens_indexer.traces.report import Report

_PARTS = ("n_cpu_percent_python", "n_cpu_percent_c", "n_sys_percent")


def recognises_keys(keys: frozenset[str], head: bytes) -> bool:
    if {"files", "elapsed_time_sec"} <= keys or {"elapsed_time_sec", "alloc_samples"} <= keys:
        return True
    return "alloc_samples" in keys and b"n_cpu_percent" in head


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One SampleTotal per function; a file that breaks off is used up to there."""
    document = JsonStream(stream, report.advance)
    elapsed = 0
    found = False
    yield RunFacts(tool="scalene")
    try:
        document.start()
        for key in document.members():
            value = document.value()
            if key == "elapsed_time_sec":
                elapsed = max(0, shapes.nanoseconds(value, 1e9))
            elif key == "files":
                for path, file in shapes.mapping(value).items():
                    for total in _functions(path, file, report):
                        found = True
                        yield total
    except Broken:
        report.broke_off()
    if not found:
        raise NotATrace("a Scalene profile without functions that took time")
    yield RunFacts(tool="", duration_ns=elapsed)


def _functions(path: str, file: Any, report: Report) -> Iterator[SampleTotal]:
    for function in shapes.items(shapes.mapping(file).get("functions")):
        if not isinstance(function, dict):
            report.skip("malformed function")
            continue
        name = shapes.text(function.get("line"))
        weight = sum(max(0.0, shapes.number(function.get(part)) or 0.0) for part in _PARTS)
        if name and weight > 0:
            yield SampleTotal(Frame(path, name, shapes.line(function.get("lineno"))), weight, weight, "samples")
