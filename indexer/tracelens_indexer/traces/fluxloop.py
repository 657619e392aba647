"""FluxLoop: recorded arguments (args.jsonl), observations (observations.jsonl) and traces (traces.jsonl).

args.jsonl: {_version, iteration, target: "module:Class.method", kwargs, timestamp}. observations.jsonl: {id,
trace_id, parent_observation_id?, type, name, start_time, end_time, input: {parameter: value}, output, error?,
metadata: {error_type?, traceback?}}, children before parents; it names no file and no module: a name is that of a
decorator (`@fluxloop.tool(name=…)`), else of the only function that is called so. traces.jsonl names runs, which are
no functions. Objects are the text of their repr. Secrets are masked in args.jsonl and not in the observations:
TraceLens masks both. One run of the program writes one line of args per call, so that counts are lower bounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.documents import objects
from tracelens_indexer.traces.loglines import time_ns
from tracelens_indexer.traces.records import (
    Call,
    Frame,
    Observed,
    Outcome,
    Raised,
    Record,
    Returned,
    RunFacts,
    Unfinished,
)
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.telemetry import stack_of
from tracelens_indexer.traces.trees import Threw, Trees
from tracelens_indexer.traces.values import observed, of_json
from tracelens_recorder.redact import REDACTED

_MAX_ARGUMENTS = 60


def recognises_arguments(keys: frozenset[str]) -> bool:
    return {"target", "kwargs", "_version"} <= keys


def recognises_observations(keys: frozenset[str]) -> bool:
    """Observations, or traces."""
    if {"start_time", "trace_id", "type"} <= keys or {"parent_observation_id", "trace_id"} <= keys:
        return "name" in keys or "id" in keys
    return {"id", "name", "start_time", "end_time", "tags", "metadata"} <= keys


def read_arguments(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """A Call per line, then Counts."""
    trees = Trees(report)
    first = True
    for number, entry in enumerate(objects(stream, report)):
        module, _, name = shapes.text(entry.get("target")).partition(":")
        if not name:
            report.skip("record without a target")
            continue
        at_ns = time_ns(shapes.text(entry.get("timestamp")))
        if first:
            first = False
            yield RunFacts(tool="fluxloop", started_ns=at_ns)
        frame = Frame("", name, 0, module=module, kind="name")
        trees.add(str(number), "", frame, at_ns, -1)
        if report.wants(frame):
            yield Call(
                frame,
                started_ns=at_ns,
                duration_ns=-1,
                arguments=_arguments(entry.get("kwargs")),
                id=str(number),
                counted=False,
            )
    if not len(trees):
        raise NotATrace("FluxLoop arguments without a single call")
    yield from trees.records("at least")


def read_observations(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """A Call per observation, then Counts, EdgeCounts and Failures."""
    trees = Trees(report)
    first = True
    for entry in objects(stream, report):
        key, name = shapes.text(entry.get("id")), shapes.text(entry.get("name"))
        if not key or not name:
            report.skip("malformed observation")
            continue
        started_ns = time_ns(shapes.text(entry.get("start_time")))
        ended_ns = time_ns(shapes.text(entry.get("end_time")))
        if first:
            first = False
            yield RunFacts(tool="fluxloop", started_ns=started_ns)
        duration = ended_ns - started_ns if started_ns and ended_ns else -1
        if duration < -1:
            report.skip("negative duration")
            duration = 0
        # A trace is a run of the whole program under a name of its own.
        frame = Frame("", name, 0, kind="function" if "trace_id" in entry or "type" in entry else "name")
        threw = _threw(entry, report)
        parent = shapes.text(entry.get("parent_observation_id"))
        trees.add(key, parent, frame, started_ns, duration, threw)
        if not report.wants(frame):
            continue
        outcome: Outcome = Unfinished()
        if threw is not None:
            outcome = Raised(threw.type or "Exception", threw.message)
        elif ended_ns:
            outcome = Returned(of_json(entry["output"]) if "output" in entry else None)
        yield Call(
            frame,
            started_ns=started_ns,
            duration_ns=duration,
            arguments=_arguments(entry.get("input")),
            outcome=outcome,
            id=key,
            parent=parent,
            counted=False,
        )
    if not len(trees):
        raise NotATrace("FluxLoop observations without a single one")
    yield from trees.records("at least")


def _arguments(values: Any) -> tuple[tuple[str, Observed], ...]:
    return tuple((name[:200], _value(value)) for name, value in list(shapes.mapping(values).items())[:_MAX_ARGUMENTS])


def _value(value: Any) -> Observed:
    if value == "***":
        return Observed("", REDACTED)
    if isinstance(value, str) and value.startswith("<") and value.endswith(">"):
        return observed(value)
    return of_json(value)


def _threw(entry: dict[str, Any], report: Report) -> Threw | None:
    metadata = shapes.mapping(entry.get("metadata"))
    error, kind = entry.get("error"), shapes.text(metadata.get("error_type"), 200)
    if not error and not kind:
        return None
    stack = stack_of(shapes.text(metadata.get("traceback"), 200_000), report)
    return Threw(kind, shapes.text(error, 2_000), stack)
