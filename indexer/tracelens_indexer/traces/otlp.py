"""OpenTelemetry spans: OTLP as JSON lines and as protocol buffers, and what the Python SDK prints.

    exporters: {file: {path: spans.jsonl}}        in the collector's configuration: format json (its default) or proto
    ConsoleSpanExporter                           in a Python program: pretty-printed objects one after the other

JSON: each line {"resourceSpans": [{resource, scopeSpans: [{scope, spans}]}]}; ids are hexadecimal (base64 where a
protocol buffer was dumped naively), times decimal strings of nanoseconds, keys in camelCase or snake_case, attributes
lists of {key, value: {stringValue | intValue | …}}. A collector with `format: proto` or with compression puts the
length of each message, four bytes, the high ones first, before it; zstd may be on each. A request alone is read too.
The SDK's console output is of another shape: plain attributes, ISO times, `context` with the ids. Spans arrive child
first.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes, wire
from tracelens_indexer.traces.documents import objects
from tracelens_indexer.traces.loglines import time_ns
from tracelens_indexer.traces.records import Record
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.telemetry import Span, bounded, read_spans
from tracelens_indexer.traces.unpack import ZSTD, unpacked

MAX_MESSAGE = 256 * 1024 * 1024
_KINDS = ("", "internal", "server", "client", "producer", "consumer")


def recognises_json(keys: frozenset[str]) -> bool:
    return bool(keys & {"resourceSpans", "resource_spans"})


def recognises_console(keys: frozenset[str]) -> bool:
    return {"context", "parent_id", "start_time"} <= keys


def recognises_protobuf(head: bytes) -> bool:
    """A request whose first resource has attributes, or spans of a scope."""
    if head[:1] == b"\x0a":
        return _begins_as_request(head)
    size = int.from_bytes(head[:4], "big")
    return 8 < size < MAX_MESSAGE and (head[4:8] == ZSTD or (head[4:5] == b"\x0a" and _begins_as_request(head[4:])))


def read_json(stream: BinaryIO, report: Report) -> Iterator[Record]:
    return read_spans("otlp", _json_spans(stream, report), report)


def read_console(stream: BinaryIO, report: Report) -> Iterator[Record]:
    return read_spans("otlp", _console_spans(stream, report), report)


def read_protobuf(stream: BinaryIO, report: Report) -> Iterator[Record]:
    return read_spans("otlp", _protobuf_spans(stream, report), report)


# -- JSON --------------------------------------------------------------------------------------------------------------


def _either(entry: dict[str, Any], camel: str, snake: str) -> Any:
    found = entry.get(camel)
    return entry.get(snake) if found is None else found


def _json_spans(stream: BinaryIO, report: Report) -> Iterator[Span]:
    for document in objects(stream, report):
        groups = _either(document, "resourceSpans", "resource_spans")
        if groups is None:
            # The collector's file may hold metrics and logs as well.
            report.skip("record of another signal")
            continue
        for group in shapes.items(groups):
            entry = shapes.mapping(group)
            resource = _attributes(shapes.mapping(entry.get("resource")).get("attributes"))
            scopes = _either(entry, "scopeSpans", "scope_spans") or entry.get("instrumentationLibrarySpans")
            for scoped in shapes.items(scopes):
                scope = shapes.mapping(scoped)
                name = shapes.text(shapes.mapping(scope.get("scope")).get("name"))
                for span in shapes.items(scope.get("spans")):
                    if isinstance(span, dict):
                        yield _json_span(span, name, resource)
                    else:
                        report.skip("malformed span")


def _json_span(span: dict[str, Any], scope: str, resource: dict[str, Any]) -> Span:
    kind = span.get("kind")
    status = shapes.mapping(span.get("status"))
    events = shapes.items(span.get("events"))
    return Span(
        shapes.text(_either(span, "traceId", "trace_id")),
        shapes.text(_either(span, "spanId", "span_id")),
        shapes.text(_either(span, "parentSpanId", "parent_span_id")),
        shapes.text(span.get("name")),
        shapes.nanoseconds(_either(span, "startTimeUnixNano", "start_time_unix_nano"), 1),
        shapes.nanoseconds(_either(span, "endTimeUnixNano", "end_time_unix_nano"), 1),
        _attributes(span.get("attributes")),
        _KINDS[kind] if type(kind) is int and 0 <= kind < len(_KINDS) else _kind(kind),
        scope,
        status.get("code") in (2, "STATUS_CODE_ERROR"),
        shapes.text(status.get("message")),
        [_attributes(event.get("attributes")) for event in events if _is_exception(event)] if events else [],
        resource,
    )


def _kind(kind: Any) -> str:
    """ "SPAN_KIND_SERVER", "SpanKind.SERVER" """
    return shapes.text(kind).replace(".", "_").rpartition("_")[2].lower()


def _is_exception(event: Any) -> bool:
    return isinstance(event, dict) and event.get("name") == "exception"


def _attributes(entries: Any) -> dict[str, Any]:
    if not entries:
        return {}
    return bounded(
        {
            entry["key"]: _value(entry.get("value"))
            for entry in shapes.items(entries)
            if isinstance(entry, dict) and type(entry.get("key")) is str
        }
    )


def _value(value: Any) -> Any:
    """A plain value; of lists and mappings nothing that is read here needs more than that they are there."""
    if not isinstance(value, dict) or not value:
        return None
    kind, inner = next(iter(value.items()))
    if kind in ("intValue", "int_value"):
        return (
            int(inner) if type(inner) is int or (type(inner) is str and inner.isdigit() and len(inner) < 20) else None
        )
    return inner if type(inner) in (str, bool, float) else None


# -- the SDK's console output ------------------------------------------------------------------------------------------


def _console_spans(stream: BinaryIO, report: Report) -> Iterator[Span]:
    for span in objects(stream, report):
        context = shapes.mapping(span.get("context"))
        status = shapes.mapping(span.get("status"))
        yield Span(
            shapes.text(context.get("trace_id")),
            shapes.text(context.get("span_id")),
            shapes.text(span.get("parent_id")),
            shapes.text(span.get("name")),
            time_ns(shapes.text(span.get("start_time"))),
            time_ns(shapes.text(span.get("end_time"))) or -1,
            bounded(shapes.mapping(span.get("attributes"))),
            _kind(span.get("kind")),
            "",
            status.get("status_code") == "ERROR",
            shapes.text(status.get("description")),
            [shapes.mapping(e.get("attributes")) for e in shapes.items(span.get("events")) if _is_exception(e)],
            shapes.mapping(shapes.mapping(span.get("resource")).get("attributes")),
        )


# -- protocol buffers --------------------------------------------------------------------------------------------------


def _begins_as_request(head: bytes) -> bool:
    """Follows the first fields as far as they go: resource spans → resource → attribute → key, or scope → span."""
    message = memoryview(head)
    way: list[int] = []
    for _ in range(4):
        if len(message) < 2 or message[0] & 7 != wire.BYTES:
            break
        try:
            size, at = wire.varint(message, 1)
        except wire.NotProtobuf:
            return False
        way.append(message[0] >> 3)
        message = message[at : at + size]
        if way in ([1, 1, 1, 1], [1, 2, 1, 1]):
            key = bytes(message)
            return bool(key) and key.isascii() and key.decode("ascii").isprintable()
    return way == [1, 2, 2, 1] and len(message) == 16


def _protobuf_spans(stream: BinaryIO, report: Report) -> Iterator[Span]:
    for message in _messages(stream, report):
        try:
            for number, _, group in wire.fields(message):
                if number == 1:
                    yield from _resource_spans(wire.blob(group), report)
        except wire.NotProtobuf:
            report.skip("damaged message")


def _messages(stream: BinaryIO, report: Report) -> Iterator[memoryview]:
    start = stream.tell()
    head = stream.read(5)
    stream.seek(start)
    if head[:1] == b"\x0a":
        data = stream.read(MAX_MESSAGE + 1)
        if len(data) > MAX_MESSAGE:
            raise NotATrace(f"an OTLP request over {MAX_MESSAGE >> 20} MB. Let the collector's file exporter write it")
        report.advance(len(data))
        yield memoryview(data)
        return
    while len(prefix := stream.read(4)) == 4:
        size = int.from_bytes(prefix, "big")
        if size > MAX_MESSAGE:
            break
        data = stream.read(size)
        report.advance(stream.tell())
        if len(data) < size:
            break
        yield memoryview(unpacked(data, MAX_MESSAGE) if data[:4] == ZSTD else data)
    else:
        if not prefix:
            return
    report.broke_off()


def _resource_spans(group: memoryview, report: Report) -> Iterator[Span]:
    resource: dict[str, Any] = {}
    for number, _, value in wire.fields(group):
        if number == 1:
            resource = _pairs(wire.blob(value), 1)
        elif number == 2:
            scope = ""
            for inner, _, content in wire.fields(wire.blob(value)):
                if inner == 1:
                    scope = next((wire.text(v, 1_000) for n, _, v in wire.fields(wire.blob(content)) if n == 1), "")
                elif inner == 2:
                    try:
                        yield _protobuf_span(wire.blob(content), scope, resource)
                    except wire.NotProtobuf:
                        report.skip("malformed span")


def _protobuf_span(message: memoryview, scope: str, resource: dict[str, Any]) -> Span:
    span = Span("", "", "", "", 0, -1, scope=scope, resource=resource)
    for number, _, value in wire.fields(message):
        match number:
            case 1:
                span.trace = bytes(wire.blob(value)[:32]).hex()
            case 2:
                span.id = bytes(wire.blob(value)[:32]).hex()
            case 4:
                span.parent = bytes(wire.blob(value)[:32]).hex()
            case 5:
                span.name = wire.text(value, shapes.MAX_NAME)
            case 6 if isinstance(value, int):
                span.kind = _KINDS[value] if value < len(_KINDS) else ""
            case 7:
                span.started_ns = shapes.nanoseconds(value, 1)
            case 8:
                span.ended_ns = shapes.nanoseconds(value, 1)
            case 9:
                _pair(wire.blob(value), span.attributes)
            case 11:
                event = wire.blob(value)
                if any(n == 2 and wire.text(v, 20) == "exception" for n, k, v in wire.fields(event) if k == wire.BYTES):
                    span.exceptions.append(_pairs(event, 3))
            case 15:
                for inner, _, content in wire.fields(wire.blob(value)):
                    if inner == 3:
                        span.failed = content == 2
                    elif inner == 2:
                        span.message = wire.text(content, 2_000)
    return span


def _pairs(message: memoryview, field: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, _, value in wire.fields(message):
        if number == field:
            _pair(wire.blob(value), found)
    return found


def _pair(message: memoryview, into: dict[str, Any]) -> None:
    key = ""
    value: Any = None
    for number, _, content in wire.fields(message):
        if number == 1:
            key = wire.text(content, 1_000)
        elif number == 2:
            for kind, _, inner in wire.fields(wire.blob(content)):
                if kind == 1:
                    value = wire.text(inner)
                elif kind in (2, 3) and isinstance(inner, int):
                    value = bool(inner) if kind == 2 else wire.signed(inner)
                elif kind == 4 and isinstance(inner, int):
                    value = struct.unpack("<d", inner.to_bytes(8, "little"))[0]
    if key and len(into) < 200:
        into[key] = value
