"""Sentry: events, transactions and profiles, one by one or in envelopes.

An event is downloaded from an issue's page ("JSON"), or kept by a transport or a relay. {exception: {values: [{type,
value, module, stacktrace: {frames: [{abs_path, filename, function, module, lineno, context_line, vars}]}}]}}: the
oldest cause first, frames outermost first, lines those that were executing, `vars` the repr of each local (of
containers, of each item). The page wraps the values as entries: [{type: "exception", data: {values}}] with camelCase
keys. A transaction has `spans` with names and times; a profile has `samples` of `stacks` of `frames`, the leaf first.
An envelope is a header line, then for each item a header line {"type", "length"?} and its bytes; several may follow
one another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.documents import objects
from tracelens_indexer.traces.loglines import record_time_ns, time_ns
from tracelens_indexer.traces.records import Failure, FailureFrame, Frame, Observed, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.stacks import Stacks
from tracelens_indexer.traces.telemetry import Span, read_spans
from tracelens_indexer.traces.values import observed
from tracelens_recorder.redact import REDACTED, is_secret_name

MAX_ITEM = 64 * 1024 * 1024
MAX_MESSAGE = 2_000
MAX_FRAMES = 400
_MAX_VARIABLES = 200
_CLIENTS = ("db", "http.client", "cache", "redis", "queue.publish", "grpc.client")


def recognises_envelope(keys: frozenset[str], head: bytes) -> bool:
    """Its header, followed by the header of an item."""
    first, _, rest = head.partition(b"\n")
    if not (keys <= {"event_id", "dsn", "sdk", "sent_at", "trace"}) or b"{" not in first:
        return False
    second = rest.partition(b"\n")[0][:1000]
    return second.startswith(b"{") and b'"type"' in second


def recognises_event(keys: frozenset[str], head: bytes) -> bool:
    if {"entries", "eventID"} <= keys or {"event_id", "spans", "transaction"} <= keys:
        return True
    if {"profile", "event_id", "transaction"} <= keys:
        return True
    if {"event_id", "exception"} <= keys:
        return True
    return "exception" in keys and (b'"stacktrace"' in head or b'"values"' in head) and b'"exception": "' not in head


def read_event(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """Failures of each event, spans of each transaction, samples of each profile."""
    return _read(objects(stream, report), report)


def read_envelope(stream: BinaryIO, report: Report) -> Iterator[Record]:
    return _read(_payloads(stream, report), report)


def _read(payloads: Iterator[dict[str, Any]], report: Report) -> Iterator[Record]:
    found = False
    for payload in payloads:
        for record in _payload(payload, report):
            found = found or not isinstance(record, RunFacts)
            yield record
    if not found:
        raise NotATrace("Sentry data without an exception, a transaction or a profile")


def _payloads(stream: BinaryIO, report: Report) -> Iterator[dict[str, Any]]:
    read = 0
    while line := stream.readline(MAX_ITEM):
        read += len(line)
        report.advance(read)
        if not line.strip():
            continue
        header = _object(line)
        if header is None:
            report.skip("damaged line")
            continue
        if "type" not in header:
            # The header of an envelope.
            continue
        length = header.get("length")
        if type(length) is int and length >= 0:
            data = stream.read(min(length, MAX_ITEM))
            if length > MAX_ITEM:
                report.skip("item over 64 MB")
                stream.seek(length - MAX_ITEM, 1)
                continue
        else:
            data = stream.readline(MAX_ITEM)
        read += len(data)
        if header["type"] in ("event", "transaction", "profile", "profile_chunk"):
            payload = _object(data)
            if payload is None:
                report.skip("damaged item")
            else:
                yield payload
        else:
            report.skip("item of another kind")


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data.decode("utf-8", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _payload(payload: dict[str, Any], report: Report) -> Iterator[Record]:
    at_ns = _time(payload.get("timestamp")) or time_ns(shapes.text(payload.get("dateCreated")))
    release = payload.get("release")
    release = shapes.text(release) or shapes.text(shapes.mapping(release).get("version"))
    runtime = shapes.mapping(shapes.mapping(payload.get("contexts")).get("runtime"))
    yield RunFacts(
        tool="sentry",
        started_ns=_time(payload.get("start_timestamp")) or at_ns,
        commit=release.rpartition("@")[2],
        environment=shapes.text(payload.get("environment"), 500),
        service=shapes.text(payload.get("server_name"), 200),
        interpreter=f"{shapes.text(runtime.get('name'))} {shapes.text(runtime.get('version'))}".strip(),
    )
    for exception in _exceptions(payload):
        failure = _failure(exception, at_ns)
        if failure is None:
            report.skip("exception without frames")
        else:
            yield failure
    if isinstance(payload.get("spans"), list):
        try:
            yield from read_spans("sentry", _spans(payload), report)
        except NotATrace:
            report.skip("transaction without spans")
    if isinstance(payload.get("profile"), dict):
        yield from _profile(payload["profile"], report)


def _time(value: Any) -> int:
    """Seconds since the epoch, or ISO; 0 unknown."""
    return record_time_ns({"ts": value})


# -- events ------------------------------------------------------------------------------------------------------------


def _exceptions(payload: dict[str, Any]) -> list[Any]:
    values = payload.get("exception")
    if isinstance(values, dict):
        values = values.get("values")
    if not isinstance(values, list):
        values = next(
            (
                shapes.mapping(entry.get("data")).get("values")
                for entry in shapes.items(payload.get("entries"))
                if isinstance(entry, dict) and entry.get("type") == "exception"
            ),
            [],
        )
    return shapes.items(values)[:100]


def _failure(exception: Any, at_ns: int) -> Failure | None:
    entry = shapes.mapping(exception)
    frames = shapes.items(shapes.mapping(entry.get("stacktrace")).get("frames"))
    frames = frames[: MAX_FRAMES // 2] + frames[MAX_FRAMES // 2 :][-MAX_FRAMES // 2 :]
    stack = tuple(_frame(frame) for frame in frames if isinstance(frame, dict))
    name, module = shapes.text(entry.get("type"), 200), shapes.text(entry.get("module"), 200)
    if not stack or not name:
        return None
    if module and module != "builtins" and "." not in name:
        name = f"{module}.{name}"
    return Failure(name, shapes.text(entry.get("value"), MAX_MESSAGE), stack, at_ns=at_ns)


def _frame(frame: dict[str, Any]) -> FailureFrame:
    path = shapes.path(frame.get("abs_path")) or shapes.path(frame.get("absPath")) or shapes.path(frame.get("filename"))
    line = shapes.line(frame.get("lineno")) or shapes.line(frame.get("lineNo"))
    source = shapes.text(frame.get("context_line")).strip()
    if not source:
        # The page's form: context is [[line, text], …].
        source = next(
            (
                shapes.text(pair[1]).strip()
                for pair in shapes.items(frame.get("context"))
                if isinstance(pair, list) and len(pair) == 2 and pair[0] == line
            ),
            "",
        )
    variables = shapes.mapping(frame.get("vars"))
    return FailureFrame(
        Frame(path, shapes.text(frame.get("function")), line, "executing", shapes.text(frame.get("module"))),
        tuple(_variable(name, value) for name, value in list(variables.items())[:_MAX_VARIABLES]),
        source[:500],
    )


def _variable(name: str, value: Any) -> tuple[str, Observed]:
    text = _written(value, 0)[:5_000]
    return name[:200], Observed("", REDACTED) if text in ("[Filtered]", "'[Filtered]'") else observed(text)


def _written(value: Any, depth: int) -> str:
    """What Python would show of a local: Sentry keeps containers as such, and the repr of what is in them."""
    if isinstance(value, str):
        return value
    if depth > 6:
        return "…"
    if isinstance(value, dict):
        shown = (
            f"{str(key)[:200]!r}: {REDACTED if is_secret_name(str(key)) else _written(item, depth + 1)}"
            for key, item in list(value.items())[:50]
        )
        return "{" + ", ".join(shown) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(item, depth + 1) for item in value[:50]) + "]"
    return repr(value)[:500]


# -- transactions ------------------------------------------------------------------------------------------------------


def _spans(payload: dict[str, Any]) -> Iterator[Span]:
    context = shapes.mapping(shapes.mapping(payload.get("contexts")).get("trace"))
    name = shapes.text(payload.get("transaction"))
    source = shapes.mapping(payload.get("transaction_info")).get("source")
    method = shapes.text(shapes.mapping(payload.get("request")).get("method"), 20)
    attributes = dict(shapes.mapping(context.get("data")))
    if source == "route" or (name.startswith("/") and source != "url"):
        attributes["http.route"] = name
        attributes["http.request.method"] = method
    elif shapes.text(context.get("op")).startswith("queue.task"):
        attributes["celery.task_name"] = name
    trace = shapes.text(context.get("trace_id"))
    yield Span(
        trace,
        shapes.text(context.get("span_id")),
        shapes.text(context.get("parent_span_id")),
        name,
        _time(payload.get("start_timestamp")),
        _time(payload.get("timestamp")) or -1,
        attributes,
        "server" if "http.route" in attributes or "celery.task_name" in attributes else "internal",
    )
    for entry in shapes.items(payload.get("spans")):
        span = shapes.mapping(entry)
        op = shapes.text(span.get("op"))
        yield Span(
            trace,
            shapes.text(span.get("span_id")),
            shapes.text(span.get("parent_span_id")),
            shapes.text(span.get("description")) or op,
            _time(span.get("start_timestamp")),
            _time(span.get("timestamp")) or -1,
            # The code attributes of a query or a request are where it was made.
            {} if op.startswith(_CLIENTS) else dict(shapes.mapping(span.get("data"))),
            "client" if op.startswith(_CLIENTS) else "internal",
        )


# -- profiles ----------------------------------------------------------------------------------------------------------


def _profile(profile: dict[str, Any], report: Report) -> Iterator[Record]:
    frames = [
        Frame(
            shapes.path(entry.get("abs_path")) or shapes.path(entry.get("filename")),
            shapes.text(entry.get("function")),
            shapes.line(entry.get("lineno")),
            "executing",
            shapes.text(entry.get("module")),
        )
        for entry in map(shapes.mapping, shapes.items(profile.get("frames")))
    ]
    ways = [
        tuple(frames[at] for at in reversed(way) if type(at) is int and 0 <= at < len(frames))
        for way in map(shapes.items, shapes.items(profile.get("stacks")))
    ]
    stacks = Stacks("seconds")
    last: dict[str, float] = {}
    for entry in map(shapes.mapping, shapes.items(profile.get("samples"))):
        elapsed = shapes.number(entry.get("elapsed_since_start_ns"))
        seconds = elapsed / 1e9 if elapsed is not None else shapes.number(entry.get("timestamp"))
        way = entry.get("stack_id")
        if seconds is None or type(way) is not int or not 0 <= way < len(ways):
            report.skip("malformed sample")
            continue
        thread = str(entry.get("thread_id"))[:40]
        # A sample stands for the time since the one before; a thread's first, for nothing that is known.
        weight = seconds - last[thread] if thread in last else 0.0
        last[thread] = seconds
        stacks.add(ways[way], min(weight, 1.0))
    yield from stacks.take()
