"""Spans shipped to a collector that is well, slow or away; and the program that does not wait for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.recorder.test_in_code import run
from tracelens_recorder import otlp

PROGRAM = """
import time
import tracelens_recorder

@tracelens_recorder.agent
def plan(goal):
    with tracelens_recorder.tagged("vip", user="u-1"):
        try:
            return look_up(goal)
        except KeyError:
            return None

@tracelens_recorder.tool
def look_up(goal):
    if goal == "missing":
        raise KeyError("password=hunter2")
    return len(goal)

with tracelens_recorder.recording("agents"):
    for n in range(20):
        plan("goal %d" % n)
    plan("missing")
    before = time.perf_counter()
after = time.perf_counter()
print(after - before)
"""


@dataclass
class Collector:
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Answered in this order, then 200."""
    seconds: float = 0.0
    """Before each answer."""

    @property
    def spans(self) -> list[dict[str, Any]]:
        return [s for b in self.bodies for r in b["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]]


@pytest.fixture
def collector() -> Iterator[Collector]:
    it = Collector()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            return

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(it.seconds)
            status = it.statuses.pop(0) if it.statuses else 200
            if status == 200:
                it.bodies.append(json.loads(body))
                it.headers.append(dict(self.headers))
                assert self.path == "/v1/traces"
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    it.url = f"http://127.0.0.1:{server.server_port}"
    yield it
    server.shutdown()


def test_spans_arrive_as_a_tree_with_the_names_of_the_conventions(
    python: str, tmp_path: Path, collector: Collector
) -> None:
    recorded = run(
        python,
        tmp_path,
        PROGRAM,
        TRACELENS_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="x-team=shop%20one",
        OTEL_SERVICE_NAME="shop",
        TRACELENS_ENVIRONMENT="staging",
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    spans = collector.spans
    assert len(spans) == 42
    by_id = {span["spanId"]: span for span in spans}
    tools = [span for span in spans if span["name"] == "execute_tool look_up"]
    assert len(tools) == 21
    for span in tools:
        parent = by_id[span["parentSpanId"]]
        assert (parent["name"], parent["traceId"]) == ("invoke_agent plan", span["traceId"])
        said = {one["key"]: one["value"] for one in span["attributes"]}
        assert said["gen_ai.operation.name"] == {"stringValue": "execute_tool"}
        assert said["user.id"] == {"stringValue": "u-1"}
    (failed,) = [span for span in tools if "status" in span]
    assert failed["status"]["code"] == 2
    assert "hunter2" not in json.dumps(collector.bodies)
    resource = {one["key"]: one["value"] for one in collector.bodies[0]["resourceSpans"][0]["resource"]["attributes"]}
    assert resource["service.name"] == {"stringValue": "shop"}
    assert resource["deployment.environment.name"] == {"stringValue": "staging"}
    assert collector.headers[0]["x-team"] == "shop one"


def test_a_collector_that_is_busy_gets_the_batch_again(
    modern_python: str, tmp_path: Path, collector: Collector
) -> None:
    collector.statuses = [503]
    source = PROGRAM.replace("    before = ", "    time.sleep(3.5)\n    before = ")
    recorded = run(modern_python, tmp_path, source, TRACELENS_OTLP_ENDPOINT=collector.url)
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert len(collector.spans) == 42
    assert len({span["spanId"] for span in collector.spans}) == 42
    assert not any("shipped" in note for note in recorded.facts.notes)


@pytest.mark.parametrize("state", ["away", "refusing", "slow"])
def test_a_collector_that_fails_costs_the_program_no_more_than_the_end_and_drops_are_told(
    modern_python: str, tmp_path: Path, collector: Collector, state: str
) -> None:
    url = collector.url
    if state == "away":
        url = "http://127.0.0.1:9"
    elif state == "refusing":
        collector.statuses = [400] * 50
    else:
        collector.seconds = 30
    recorded = run(modern_python, tmp_path, PROGRAM, TRACELENS_OTLP_ENDPOINT=url)
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert float(recorded.process.stdout) < otlp.LAST_SECONDS + 3
    (note,) = [note for note in recorded.facts.notes if "shipped" in note]
    assert note.startswith("42 spans were not shipped to the collector, 0 were: ")


def test_the_queue_is_bounded_and_what_does_not_fit_is_counted(
    modern_python: str, tmp_path: Path, collector: Collector
) -> None:
    collector.seconds = 30
    recorded = run(
        modern_python,
        tmp_path,
        """
        import tracelens_recorder
        from tracelens_recorder import spans

        def work():
            for n in range(6000):
                with spans.Span("step", "step"):
                    pass

        with tracelens_recorder.recording():
            work()
            print(len(spans.exporter._queue))
        """,
        TRACELENS_OTLP_ENDPOINT=collector.url,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert int(recorded.process.stdout) <= otlp.MAX_QUEUE
    (note,) = [note for note in recorded.facts.notes if "shipped" in note]
    assert note.startswith("6000 spans were not shipped")


def test_nothing_is_shipped_unless_the_users_environment_says_so(tmp_path: Path) -> None:
    assert otlp.endpoint({}) == ""
    assert otlp.endpoint({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}) == "", "meant for the program"
    both = {"TRACELENS_OTLP": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318/"}
    assert otlp.endpoint(both) == "http://c:4318/v1/traces"
    assert otlp.endpoint({"TRACELENS_OTLP_ENDPOINT": "http://c:4318"}) == "http://c:4318/v1/traces"
