"""Spans of distributed tracing, whichever format they come in: which code a span is, and what its exceptions say.

A span is an execution of a unit when its attributes name one (`code.function.name`, `code.file.path`,
`code.line.number`, and their older names), when its name is a dotted name or a name in the module of its
instrumentation scope, when it serves a route, or runs a task. Stock instrumentation sets no code attributes, and
those that some tools put on the spans of client libraries are the place of the call: such a span is no execution of
that function. A span that says nothing else but ended with an exception is the outermost function of the traceback,
and with it all spans of its name.

Exceptions come as events with a traceback; OpenTelemetry's own frames are left out. Sampling is usual and seldom
said, so that counts are lower bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.records import FailureFrame, Frame, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.tracebacks import TextParser
from tracelens_indexer.traces.trees import Threw, Trees

MAX_TRACEBACK = 200_000
"""Characters of one exception's traceback that are read."""
MAX_MESSAGE = 2_000
_MAX_ATTRIBUTES = 200
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.(?:<\w+>|[^\W\d]\w*))+$")
_REQUEST = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) \S+$")
_CALLS_OUT = ("db.", "http.", "rpc.", "messaging.", "net.peer")
_OWN_FRAMES = re.compile(r"[/\\]opentelemetry[/\\]|[/\\]sentry_sdk[/\\]|[/\\]wrapt[/\\]")
_STOCK = "opentelemetry.instrumentation"


@dataclass(slots=True)
class Span:
    """One span as its format gives it. Ids are text of any form."""

    trace: str
    id: str
    parent: str
    name: str
    started_ns: int
    ended_ns: int
    attributes: dict[str, Any] = field(default_factory=dict)
    kind: str = ""
    """"server", "client", "producer", "consumer", "internal" or ""."""
    scope: str = ""
    """Name of what made the span: a module, or an instrumentation library."""
    failed: bool = False
    message: str = ""
    """Of the status."""
    exceptions: list[dict[str, Any]] = field(default_factory=list)
    """Attributes of exception events."""
    resource: dict[str, Any] = field(default_factory=dict)


def read_spans(tool: str, spans: Iterator[Span], report: Report) -> Iterator[Record]:
    """Counts, edges and failures of all spans. Raises NotATrace when there are none."""
    first = list(islice(spans, 1_000))
    resource = next((span.resource for span in first if span.resource), {})
    yield RunFacts(
        tool=tool,
        started_ns=min((span.started_ns for span in first if span.started_ns > 0), default=0),
        service=shapes.text(resource.get("service.name"), 200),
        environment=shapes.text(resource.get("deployment.environment.name") or resource.get("deployment.environment")),
        commit=shapes.text(resource.get("vcs.ref.head.revision"), 64),
        interpreter=_interpreter(resource),
    )
    telemetry = _Telemetry(report)
    for span in chain(first, spans):
        telemetry.add(span)
    if not len(telemetry.trees):
        raise NotATrace("spans were expected and none could be read")
    telemetry.learn()
    started_ns, duration_ns = telemetry.trees.extent()
    yield RunFacts(tool="", started_ns=started_ns, duration_ns=duration_ns)
    yield from telemetry.trees.records("at least")


def _interpreter(resource: dict[str, Any]) -> str:
    name, version = resource.get("process.runtime.name"), resource.get("process.runtime.version")
    return f"{name} {version}"[:100] if isinstance(name, str) and isinstance(version, str) else ""


class _Telemetry:
    def __init__(self, report: Report) -> None:
        self.trees = Trees(report)
        self._report = report
        self._learned: dict[Frame, Frame | None] = {}

    def add(self, span: Span) -> None:
        if not span.id or span.started_ns < 0:
            self._report.skip("malformed span")
            return
        duration = span.ended_ns - span.started_ns if span.ended_ns >= 0 else -1
        if span.ended_ns >= 0 and duration < 0:
            self._report.skip("negative duration")
            duration = 0
        frame = frame_of(span)
        threw = self._threw(span)
        if threw is not None and threw.stack and frame.kind != "code" and frame.kind != "route":
            outermost = threw.stack[0].frame
            place = Frame(outermost.path, outermost.name, outermost.line, "executing")
            known = self._learned.setdefault(frame, place)
            if known is not None and (known.path, known.name) != (place.path, place.name):
                self._learned[frame] = None
        parent = f"{span.trace}:{span.parent}" if span.parent.strip("0") else ""
        self.trees.add(f"{span.trace}:{span.id}", parent, frame, span.started_ns, duration, threw, trace=span.trace)

    def learn(self) -> None:
        """Spans that could not be placed by name are where their exceptions' tracebacks begin."""
        self.trees.rename(
            {
                index: place
                for index, frame in enumerate(self.trees.frames)
                if (place := self._learned.get(frame)) is not None and not self._report.wants(frame)
            }
        )

    def _threw(self, span: Span) -> Threw | None:
        for attributes in reversed(span.exceptions):
            type_name = shapes.text(attributes.get("exception.type"), 200)
            if type_name:
                stack = stack_of(shapes.text(attributes.get("exception.stacktrace"), MAX_TRACEBACK), self._report)
                return Threw(type_name, shapes.text(attributes.get("exception.message"), MAX_MESSAGE), stack)
        type_name = shapes.text(span.attributes.get("error.type"), 200)
        # Of HTTP spans it is the status code.
        if span.failed and type_name and not type_name.isdigit():
            return Threw(type_name, span.message[:MAX_MESSAGE])
        return None


def stack_of(text: str, report: Report) -> tuple[FailureFrame, ...]:
    """The frames of a traceback's last exception, without those of the tracer itself."""
    if not text:
        return ()
    parser = TextParser(report)
    for line in text.split("\n"):
        if not line.startswith("{"):
            parser.feed(line)
    parser.end()
    found = parser.found[-1].stack if parser.found else ()
    return tuple(entry for entry in found if not _OWN_FRAMES.search(entry.frame.path))


def frame_of(span: Span) -> Frame:
    """The code that a span is an execution of, as far as the span says it."""
    attributes = span.attributes
    name = shapes.text(attributes.get("code.function.name")) or shapes.text(attributes.get("code.function"))
    if name and not _is_call_out(span):
        namespace = shapes.text(attributes.get("code.namespace"))
        path = shapes.path(attributes.get("code.file.path")) or shapes.path(attributes.get("code.filepath"))
        line = shapes.line(attributes.get("code.line.number")) or shapes.line(attributes.get("code.lineno"))
        if path:
            return Frame(path, f"{namespace}.{name}" if namespace else name, line, "first")
        return Frame("", name, line, "first", module=namespace, kind="name")
    if span.kind in ("server", "consumer", "") or "celery.action" in attributes:
        task = shapes.text(attributes.get("celery.task_name"))
        if task and attributes.get("celery.action", "run") == "run":
            return Frame("", task, 0, kind="task")
        route = shapes.text(attributes.get("http.route"))
        if route:
            method = attributes.get("http.request.method") or attributes.get("http.method") or ""
            return Frame("", f"{method} {route}".strip()[: shapes.MAX_NAME], 0, kind="route")
        if _REQUEST.match(span.name):
            return Frame("", span.name, 0, kind="route")
    scope = span.scope if _DOTTED.match(f"x.{span.scope}") and not span.scope.startswith(_STOCK) else ""
    return Frame("", span.name, 0, module=scope, kind="name")


def _is_call_out(span: Span) -> bool:
    """Whether its code attributes are the place that a library was called from."""
    if span.kind in ("server", "consumer"):
        return False
    if span.scope.startswith(_STOCK):
        return True
    return span.kind in ("client", "producer") and any(key.startswith(_CALLS_OUT) for key in span.attributes)


def bounded(attributes: dict[str, Any]) -> dict[str, Any]:
    return dict(islice(attributes.items(), _MAX_ATTRIBUTES)) if len(attributes) > _MAX_ATTRIBUTES else attributes
