"""Jaeger's JSON, as its page downloads it, and Zipkin v2 JSON.

Jaeger: {data: [{traceID, spans: [{spanID, operationName, references: [{refType, spanID}], startTime µs, duration µs,
tags: [{key, type, value}], logs: [{timestamp, fields: [{key, value}]}], processID}], processes: {id: {serviceName,
tags}}}]}. Zipkin: [{traceId, id, parentId, name, timestamp µs, duration µs, kind, localEndpoint: {serviceName}, tags:
{str: str}, annotations: [{timestamp, value}]}]; Python's exporter writes an exception as JSON in an annotation and
cuts all values at 128 characters, so its tracebacks are of no use: exceptions are placed by their spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.documents import objects
from tracelens_indexer.traces.json_stream import Broken, JsonStream
from tracelens_indexer.traces.loglines import json_record
from tracelens_indexer.traces.records import Record
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.telemetry import Span, bounded, read_spans

_MICROSECOND = 1e3
_ERROR = re.compile(r"([^\W\d][\w.]*): (.*)", re.DOTALL)


def recognises_jaeger(keys: frozenset[str], head: bytes) -> bool:
    return "data" in keys and b'"traceID"' in head and (keys == {"data"} or b'"spans"' in head)


def recognises_zipkin(keys: frozenset[str]) -> bool:
    return {"traceId", "localEndpoint"} <= keys or {"traceId", "id", "timestamp", "duration"} <= keys


def read_jaeger(stream: BinaryIO, report: Report) -> Iterator[Record]:
    return read_spans("jaeger", _jaeger_spans(stream, report), report)


def read_zipkin(stream: BinaryIO, report: Report) -> Iterator[Record]:
    return read_spans("zipkin", _zipkin_spans(stream, report), report)


def _jaeger_spans(stream: BinaryIO, report: Report) -> Iterator[Span]:
    document = JsonStream(stream, report.advance)
    try:
        document.start()
        for key in document.members():
            if key == "data" and document.start() == "[":
                for trace in document.items():
                    yield from _jaeger_trace(shapes.mapping(trace), report)
            else:
                document.value()
    except Broken:
        report.broke_off()


def _jaeger_trace(trace: dict[str, Any], report: Report) -> Iterator[Span]:
    processes = shapes.mapping(trace.get("processes"))
    for span in shapes.items(trace.get("spans")):
        if not isinstance(span, dict):
            report.skip("malformed span")
            continue
        tags = _tags(span.get("tags"))
        process = shapes.mapping(processes.get(shapes.text(span.get("processID"))))
        resource = {**_tags(process.get("tags")), "service.name": process.get("serviceName")}
        started_ns, length = _times(span.get("startTime"), span.get("duration"))
        parents = [
            shapes.text(reference.get("spanID"))
            for reference in shapes.items(span.get("references"))
            if isinstance(reference, dict) and reference.get("refType", "CHILD_OF") == "CHILD_OF"
        ]
        yield Span(
            shapes.text(span.get("traceID")),
            shapes.text(span.get("spanID")),
            parents[0] if parents else shapes.text(span.get("parentSpanID")),
            shapes.text(span.get("operationName")),
            started_ns,
            started_ns + length if length >= 0 else -1,
            tags,
            shapes.text(tags.get("span.kind")).lower(),
            shapes.text(tags.get("otel.scope.name")) or shapes.text(tags.get("otel.library.name")),
            tags.get("error") is True or tags.get("otel.status_code") == "ERROR",
            shapes.text(tags.get("otel.status_description")),
            [
                fields
                for log in shapes.items(span.get("logs"))
                if (fields := _tags(shapes.mapping(log).get("fields"))).get("exception.type")
            ],
            resource,
        )


def _times(start: Any, duration: Any) -> tuple[int, int]:
    """(start, duration) in nanoseconds; -1 unknown. A negative duration is 0 and told later."""
    return max(0, shapes.nanoseconds(start, _MICROSECOND)), shapes.nanoseconds(duration, _MICROSECOND)


def _tags(entries: Any) -> dict[str, Any]:
    return bounded(
        {
            entry["key"]: entry.get("value")
            for entry in shapes.items(entries)
            if isinstance(entry, dict) and type(entry.get("key")) is str
        }
    )


def _zipkin_spans(stream: BinaryIO, report: Report) -> Iterator[Span]:
    for span in objects(stream, report):
        tags = bounded(shapes.mapping(span.get("tags")))
        started_ns, length = _times(span.get("timestamp"), span.get("duration"))
        error = shapes.text(tags.get("error"))
        yield Span(
            shapes.text(span.get("traceId")),
            shapes.text(span.get("id")),
            shapes.text(span.get("parentId")),
            shapes.text(span.get("name")),
            started_ns,
            started_ns + length if length >= 0 else -1,
            tags,
            shapes.text(span.get("kind")).lower(),
            shapes.text(tags.get("otel.scope.name")) or shapes.text(tags.get("otel.library.name")),
            bool(error),
            error,
            _exceptions(span.get("annotations"), error),
            {**tags, "service.name": tags.get("service.name") or _service(span)},
        )


def _service(span: dict[str, Any]) -> Any:
    return shapes.mapping(span.get("localEndpoint")).get("serviceName")


def _exceptions(annotations: Any, error: str) -> list[dict[str, Any]]:
    """From the annotations that hold one, else from the error tag ("OrderError: bad quantity")."""
    found = []
    for annotation in shapes.items(annotations):
        record = json_record(shapes.text(shapes.mapping(annotation).get("value"), 100_000))
        exception = shapes.mapping((record or {}).get("exception"))
        if exception.get("exception.type"):
            found.append(exception)
    if not found and (match := _ERROR.match(error)):
        found.append({"exception.type": match[1], "exception.message": match[2]})
    return found
