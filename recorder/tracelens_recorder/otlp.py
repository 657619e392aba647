"""Spans shipped to a collector as OTLP/HTTP, JSON: off unless the user's own environment names an endpoint.

    TRACELENS_OTLP_ENDPOINT              http://host:4318 (/v1/traces is added where it is not there)
    TRACELENS_OTLP=1                     take the endpoint of OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or
                                         OTEL_EXPORTER_OTLP_ENDPOINT, which may be meant for the program itself
    OTEL_EXPORTER_OTLP_HEADERS           name=value,name=value

A workspace's file cannot set it: where data goes is the user's to say. Spans wait in a bounded queue and are sent in
batches by a thread of its own; where the queue is full they are dropped and counted. The program never waits, but at
its end for as long as `LAST_SECONDS`.
"""

from __future__ import annotations

import _thread
import json
import os
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Dict, List, Mapping, Optional, Tuple

if TYPE_CHECKING:
    from tracelens_recorder.session import Session
    from tracelens_recorder.spans import Span

MAX_QUEUE = 4096
"""Spans that wait."""
MAX_BATCH = 256
EVERY_SECONDS = 1.0
TIMEOUT_SECONDS = 5.0
"""Of one request."""
LAST_SECONDS = 2.0
"""That the end of the program may wait for the last batches."""
LONGEST_PAUSE = 30.0
"""Seconds between two tries of a collector that does not answer."""
_AGAIN = frozenset([408, 429, 502, 503, 504])


def endpoint(environ: Optional[Mapping[str, str]] = None) -> str:
    """Where spans are sent; "" nowhere."""
    environ = os.environ if environ is None else environ
    own = environ.get("TRACELENS_OTLP_ENDPOINT", "")
    if own:
        return own if own.rstrip("/").endswith("/v1/traces") else own.rstrip("/") + "/v1/traces"
    if environ.get("TRACELENS_OTLP", "") not in ("1", "true", "on"):
        return ""
    traces = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if traces:
        return traces
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    return base.rstrip("/") + "/v1/traces" if base else ""


def headers(environ: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
    from urllib.parse import unquote

    environ = os.environ if environ is None else environ
    said = environ.get("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    pairs = [pair.partition("=") for pair in said.split(",") if "=" in pair]
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}


class Exporter:
    """Takes ended spans, and sends them."""

    def __init__(self, url: str, more: Mapping[str, str], session: Session, every: float = EVERY_SECONDS) -> None:
        self.url = url
        self.headers = {"Content-Type": "application/json", **more}
        self.session = session
        self.every = every
        self.sent = 0
        self.dropped = 0
        """Spans that were not sent: the queue was full, or the collector refused or never took them."""
        self.problem = ""
        """The last reason for that."""
        self._queue: Deque[Dict[str, Any]] = deque()
        self._batch: List[Dict[str, Any]] = []
        self._pid = os.getpid()
        self._wake = _thread.allocate_lock()
        self._gone = _thread.allocate_lock()
        self._running = False
        self._stop = False
        self._deadline = float("inf")

    def __call__(self, span: Span) -> None:
        """Called in the program's threads: appends, or drops."""
        if os.getpid() != self._pid:
            self._forget()
        if len(self._queue) >= MAX_QUEUE:
            self.dropped += 1
            self.problem = self.problem or "the queue was full"
            return
        self._queue.append(encoded(span))
        if not self._running:
            self._begin()

    def stop(self) -> None:
        """Send what is left, for a short time; what does not get out is dropped and counted."""
        if self._running and os.getpid() == self._pid:
            self._deadline = time.monotonic() + LAST_SECONDS
            self._stop = True
            try:
                self._wake.release()
            except RuntimeError:  # it is awake
                pass
            self._gone.acquire(True, LAST_SECONDS + 0.5)
        left = len(self._queue) + len(self._batch)
        if left:
            self.dropped += left
            self.problem = self.problem or "the program ended before they were sent"

    def _forget(self) -> None:
        """In a child after a fork: what waits is the parent's, and the thread is not there."""
        self._pid = os.getpid()
        self._queue.clear()
        self._batch = []
        self._running = False
        self.sent = self.dropped = 0

    def _begin(self) -> None:
        self._running = True
        self._wake = _thread.allocate_lock()
        self._wake.acquire()
        self._gone = _thread.allocate_lock()
        self._gone.acquire()
        _thread.start_new_thread(self._run, (self._wake, self._gone))

    def _run(self, wake: _thread.LockType, gone: _thread.LockType) -> None:
        pause = self.every
        try:
            while True:
                if not self._stop:
                    wake.acquire(True, pause)
                answered = self._send_all()
                if self._stop and (not answered or not self._queue):
                    return
                pause = self.every if answered else min(LONGEST_PAUSE, max(pause, 0.1) * 2)
        except Exception as problem:
            self.problem = type(problem).__name__
        finally:
            self._running = False
            gone.release()

    def _send_all(self) -> bool:
        """False when the collector did not take a batch that is worth trying again."""
        while self._queue or self._batch:
            while self._queue and len(self._batch) < MAX_BATCH:
                self._batch.append(self._queue.popleft())
            left = self._deadline - time.monotonic()
            if left <= 0:
                return False
            status, self_said = self._post(body(self._batch, self.session), min(TIMEOUT_SECONDS, left))
            if 200 <= status < 300:
                self.sent += len(self._batch)
            elif status == 0 or status in _AGAIN:
                self.problem = self_said
                return False
            else:
                self.dropped += len(self._batch)
                self.problem = self_said
            self._batch = []
        return True

    def _post(self, data: bytes, seconds: float) -> Tuple[int, str]:
        from http.client import HTTPConnection, HTTPException, HTTPSConnection
        from urllib.parse import urlsplit

        parts = urlsplit(self.url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=seconds)
        try:
            connection.request("POST", parts.path or "/", data, self.headers)
            answer = connection.getresponse()
            answer.read(1 << 16)
            return answer.status, f"the collector answered {answer.status}"
        except (OSError, HTTPException, ValueError) as problem:
            return 0, f"the collector did not answer ({type(problem).__name__})"
        finally:
            connection.close()


def encoded(span: Span) -> Dict[str, Any]:
    """A span as OTLP has it."""
    said = span.context.describe()
    attributes: List[Tuple[str, Any]] = list(span.attributes)
    attributes += [("tracelens." + name, said[name]) for name in ("request", "task") if name in said]
    if "user" in said:
        attributes.append(("user.id", said["user"]))
    if "tags" in said:
        attributes.append(("tracelens.tags", ", ".join(said["tags"])))
    attributes += [(name, value) for name, value in said.get("metadata", ())]
    attributes.append(("tracelens.kind", span.what))
    made: Dict[str, Any] = {
        "traceId": span.trace,
        "spanId": span.id,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": str(span.started_ns),
        "endTimeUnixNano": str(span.started_ns + max(0, span.duration_ns)),
        "attributes": [{"key": name, "value": _value(value)} for name, value in attributes],
    }
    if span.parent:
        made["parentSpanId"] = span.parent
    if span.error:
        made["status"] = {"code": 2, "message": span.message}
        made["events"] = [
            {
                "timeUnixNano": made["endTimeUnixNano"],
                "name": "exception",
                "attributes": [
                    {"key": "exception.type", "value": _value(span.error)},
                    {"key": "exception.message", "value": _value(span.message)},
                ],
            }
        ]
    return made


def body(batch: List[Dict[str, Any]], session: Session) -> bytes:
    from tracelens_recorder import configuration, payloads

    environment, service = configuration.described()
    resource = [
        ("service.name", service or os.path.basename(session.scope.root) or "python"),
        ("telemetry.sdk.name", "tracelens"),
        ("telemetry.sdk.language", "python"),
        ("process.pid", session.pid),
        ("vcs.ref.head.revision", payloads.commit(session.scope.root)),
        ("deployment.environment.name", environment),
    ]
    attributes = [{"key": name, "value": _value(value)} for name, value in resource if value]
    said = {
        "resourceSpans": [
            {
                "resource": {"attributes": attributes},
                "scopeSpans": [{"scope": {"name": "tracelens_recorder"}, "spans": batch}],
            }
        ]
    }
    return json.dumps(said, separators=(",", ":")).encode("utf-8")


def _value(value: Any) -> Dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": str(value)}


def begin(session: Session) -> Optional[Exporter]:
    """The exporter that the environment asks for, taking spans from now on; None where it asks for none."""
    from tracelens_recorder import spans

    url = endpoint()
    if not url:
        return None
    exporter = Exporter(url, headers(), session)
    spans.exporter = exporter
    return exporter


def end(exporter: Exporter) -> None:
    from tracelens_recorder import spans

    if spans.exporter is exporter:
        spans.exporter = None
    exporter.stop()
    if exporter.dropped:
        exporter.session.notes.append(
            f"{exporter.dropped} spans were not shipped to the collector, {exporter.sent} were: {exporter.problem}"
        )
