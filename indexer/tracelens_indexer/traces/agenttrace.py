"""AgentTrace (agenttrace-sdk 0.3): .agenttrace/traces/<id>/events.jsonl.

Each line {seq, type, payload, timestamp s, is_keyframe}: tool_invocation, tool_end, tool_failed and function_start,
function_end, function_failed name a function; step_start, step_end, step_failed a step, which is no function;
python_exception holds a traceback; all else is passed over. There are no ids: what begins last ends first. Arguments
are the text of the tuple of positional ones and of the dictionary of the others; results are `str`, not `repr`. A
function is known by its `__name__` alone. Checkpoints and keyframes beside it are never opened: they may hold a
pickle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.documents import objects
from tracelens_indexer.traces.records import Call, Failure, Frame, Observed, Outcome, Raised, Record, Returned, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.telemetry import stack_of
from tracelens_indexer.traces.trees import Threw, Trees
from tracelens_indexer.traces.values import observed

MAX_DEPTH = 100_000
MAX_ARGUMENTS_TEXT = 20_000
_STARTS = {"function_start": "function", "tool_invocation": "tool", "step_start": "step"}
_ENDS = {f"{name}_{how}": (name, how == "failed") for name in ("function", "tool", "step") for how in ("end", "failed")}


def recognises_keys(keys: frozenset[str]) -> bool:
    return {"seq", "type", "payload"} <= keys


@dataclass(slots=True)
class _Open:
    key: str
    kind: str
    name: str
    frame: Frame
    started_ns: int
    arguments: tuple[tuple[str, Observed], ...]


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """Calls with values, Failures of its python_exception events, then Counts and EdgeCounts."""
    trees = Trees(report)
    stack: list[_Open] = []
    first = True
    anything = False
    for number, entry in enumerate(objects(stream, report)):
        payload = shapes.mapping(entry.get("payload"))
        at_ns = max(0, shapes.nanoseconds(entry.get("timestamp"), 1e9))
        kind = entry.get("type")
        if first:
            first = False
            yield RunFacts(tool="agenttrace", started_ns=at_ns)
        if type(kind) is not str:
            report.skip("malformed event")
        elif kind in _STARTS:
            if len(stack) >= MAX_DEPTH:
                report.skip("call deeper than 100,000")
                continue
            name = shapes.text(payload.get("name")) or shapes.text(payload.get("tool"))
            frame = Frame("", name, 0, kind="name" if _STARTS[kind] == "step" else "function")
            arguments = _arguments(payload) if report.wants(frame) else ()
            stack.append(_Open(str(number), _STARTS[kind], name, frame, at_ns, arguments))
        elif kind in _ENDS:
            opened = _close(
                stack, *_ENDS[kind][:1], shapes.text(payload.get("name")) or shapes.text(payload.get("tool"))
            )
            if opened is None:
                report.skip("end without a start")
                continue
            anything = True
            # Which exception it was is not said: it is an error, and the python_exception event is the failure.
            threw = Threw("", shapes.text(payload.get("error"), 2_000)) if _ENDS[kind][1] else None
            parent = stack[-1].key if stack else ""
            duration = max(0, at_ns - opened.started_ns)
            trees.add(opened.key, parent, opened.frame, opened.started_ns, duration, threw)
            outcome: Outcome = Raised("Exception", threw.message) if threw else Returned(_result(payload))
            if opened.kind != "step" and report.wants(opened.frame):
                yield Call(
                    opened.frame,
                    opened.started_ns,
                    duration,
                    arguments=opened.arguments,
                    outcome=outcome,
                    id=opened.key,
                    parent=parent,
                    counted=False,
                )
        elif kind == "python_exception":
            frames = stack_of(shapes.text(payload.get("traceback"), 200_000), report)
            name = shapes.text(payload.get("error_type"), 200)
            if frames and name:
                anything = True
                yield Failure(name, shapes.text(payload.get("message"), 2_000), frames, at_ns=at_ns)
    if stack:
        report.skip("start without an end", len(stack))
    if not anything:
        raise NotATrace("AgentTrace events without a single function, tool or exception")
    yield from trees.records("at least")


def _close(stack: list[_Open], kind: str, name: str) -> _Open | None:
    """The innermost open one of that kind and name; what is open inside it was never ended."""
    for at in range(len(stack) - 1, max(-1, len(stack) - 200), -1):
        if stack[at].kind == kind and stack[at].name == name:
            opened = stack[at]
            del stack[at:]
            return opened
    return None


def _arguments(payload: dict[str, Any]) -> tuple[tuple[str, Observed], ...]:
    """Positional ones are "#0", "#1", …: the unit's parameters are known where the call is joined."""
    positional = _literal(payload.get("args"))
    named = _literal(payload.get("kwargs"))
    found: list[tuple[str, Observed]] = []
    if isinstance(positional, (tuple, list)):
        found += [(f"#{at}", observed(repr(value))) for at, value in enumerate(positional[:60])]
    if isinstance(named, dict):
        found += [(str(name)[:200], observed(repr(value))) for name, value in list(named.items())[:60]]
    return tuple(found)


def _literal(text: Any) -> Any:
    """The value of a literal; None when it is none. Only literals are read, nothing is evaluated."""
    if type(text) is not str or len(text) > MAX_ARGUMENTS_TEXT:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _result(payload: dict[str, Any]) -> Observed | None:
    result = payload.get("result")
    return observed(result) if type(result) is str else None
