"""captureflow v1: the call tree of one endpoint call, with values.

`CAPTUREFLOW_DEV_SERVER=true` makes its tracer write trace_<id>.json: {invocation_id, timestamp, endpoint,
execution_trace: [event], output?}, an event being {id, timestamp, event: call | line | return | exception, function,
caller_id, file, line, arguments: {args: [value], kwargs: {name: value}}, return_value, exception_info: {type, value,
traceback}} and a value {python_type: "<class 'float'>", json_serialized: "2.57"}. (Version 2 is an OpenTelemetry
distribution: read as OTLP.)

Read leniently: files of the server's schema differ, and its published samples break it. Traps:
- `caller_id` is the caller of a `call`, but the call itself in `return` and `exception`;
- after an exception the return value is null: a call raised when it returned null and its caller saw the exception too;
- awaiting raises StopIteration, which is no exception of the program;
- a coroutine or generator is a call per resume; times hold the tracer's own cost: they rank, they do not measure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
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
from tracelens_indexer.traces.trees import Threw, Trees
from tracelens_indexer.traces.values import observed, of_json

MAX_CALLS = 2_000_000
_MAX_ARGUMENTS = 60
_ENDS_LOOPS = frozenset(("StopIteration", "StopAsyncIteration", "GeneratorExit", "CancelledError"))


def recognises_keys(keys: frozenset[str]) -> bool:
    return "execution_trace" in keys or {"invocation_id", "endpoint"} <= keys


@dataclass(slots=True)
class _Call:
    frame: Frame
    parent: str
    started_ns: int
    arguments: tuple[tuple[str, Observed], ...]
    ended_ns: int = -1
    returned: Observed | None = None
    exception: Threw | None = None
    """The last one seen in it, whether it left it or not."""
    children: list[str] = field(default_factory=list)


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """Calls with values, then Counts, EdgeCounts and Failures."""
    first = True
    trees = Trees(report)
    for document in objects(stream, report):
        if first:
            first = False
            yield RunFacts(
                tool="captureflow",
                started_ns=time_ns(shapes.text(document.get("timestamp"))),
                command=shapes.text(document.get("endpoint")),
                calls_are_resumes=True,
                notes=("times hold the cost of captureflow's tracer: they rank calls, they do not measure them",),
            )
        yield from _calls(document, trees, report)
    if not len(trees):
        raise NotATrace("a captureflow trace without a single call")
    yield from trees.records("at least")


def _calls(document: dict[str, Any], trees: Trees, report: Report) -> Iterator[Call]:
    calls: dict[str, _Call] = {}
    for event in shapes.items(document.get("execution_trace")):
        entry = shapes.mapping(event)
        match entry.get("event"):
            case "call":
                _begin(entry, calls, report)
            case "return" | "exception":
                opened = calls.get(shapes.text(entry.get("caller_id")))
                if opened is None:
                    report.skip("end without a start")
                elif entry["event"] == "return":
                    opened.ended_ns = time_ns(shapes.text(entry.get("timestamp")))
                    opened.returned = _value(entry.get("return_value"))
                else:
                    opened.exception = _threw(entry) or opened.exception
            case "line":
                pass
            case _:
                report.skip("malformed event")
    whole = shapes.text(document.get("invocation_id"))
    for key, call in calls.items():
        threw = call.exception if _left_by_exception(call, calls) else None
        duration = max(0, call.ended_ns - call.started_ns) if call.ended_ns > 0 and call.started_ns > 0 else -1
        trees.add(
            f"{whole}:{key}",
            f"{whole}:{call.parent}" if call.parent else "",
            call.frame,
            call.started_ns,
            duration,
            threw,
        )
        if not report.wants(call.frame):
            continue
        outcome: Outcome = Unfinished()
        if threw is not None:
            outcome = Raised(threw.type, threw.message, threw.line)
        elif call.ended_ns > 0:
            outcome = Returned(call.returned)
        yield Call(
            call.frame,
            started_ns=call.started_ns,
            duration_ns=duration,
            arguments=call.arguments,
            outcome=outcome,
            id=key,
            parent=call.parent,
            counted=False,
        )


def _begin(entry: dict[str, Any], calls: dict[str, _Call], report: Report) -> None:
    key = shapes.text(entry.get("id"))
    if not key or key in calls or len(calls) >= MAX_CALLS:
        report.skip("call with an id that was seen before" if key in calls else "malformed event")
        return
    parent = shapes.text(entry.get("caller_id"))
    calls[key] = _Call(
        Frame(shapes.path(entry.get("file")), shapes.text(entry.get("function")), shapes.line(entry.get("line"))),
        parent,
        time_ns(shapes.text(entry.get("timestamp"))),
        _arguments(entry.get("arguments")),
        returned=_value(entry.get("return_value")),
    )
    if parent in calls:
        calls[parent].children.append(key)


def _left_by_exception(call: _Call, calls: dict[str, _Call]) -> bool:
    if call.exception is None or (call.returned is not None and call.returned.type != "NoneType"):
        return False
    parent = calls.get(call.parent)
    # The root's caller is not in the trace.
    return parent is None or (parent.exception is not None and parent.exception.message == call.exception.message)


def _threw(entry: dict[str, Any]) -> Threw | None:
    info = shapes.mapping(entry.get("exception_info"))
    name = shapes.text(info.get("type"), 200)
    if not name or name in _ENDS_LOOPS:
        return None
    return Threw(name, shapes.text(info.get("value"), 2_000), line=shapes.line(entry.get("line")))


def _arguments(arguments: Any) -> tuple[tuple[str, Observed], ...]:
    entry = shapes.mapping(arguments)
    named = [(name[:200], _value(value)) for name, value in shapes.mapping(entry.get("kwargs")).items()]
    # A parameter whose name begins with "arg" is in args without its name, so that no position can be told.
    return tuple((name, value) for name, value in named[:_MAX_ARGUMENTS] if value is not None)


def _value(value: Any) -> Observed | None:
    entry = shapes.mapping(value)
    text = entry.get("json_serialized")
    if type(text) is not str:
        return None
    kind = shapes.text(entry.get("python_type"), 200).removeprefix("<class '").removesuffix("'>")
    if kind in ("str", "int", "float", "bool", "NoneType", "list", "dict"):
        try:
            return of_json(json.loads(text[:100_000]))
        except (ValueError, RecursionError):
            pass
    found = observed(text[:10_000])
    return Observed(kind or found.type, found.text, found.number, found.size)
