"""Every sample of every format: all frames of the application join, and every other frame says why not."""

from __future__ import annotations

import re

import pytest

from tests.traces.conftest import SAMPLES, Shop
from tracelens_indexer.traces import importing
from tracelens_indexer.traces.importing import import_file
from tracelens_indexer.traces.join import Joined, Joiner
from tracelens_indexer.traces.paths import External
from tracelens_indexer.traces.records import Frame

OF_APP = re.compile(r"(?:^|[/\\])(?:shop[/\\]\w+\.py|run\.py)$|^shop\.\w+\.")
"""What belongs to the application, told apart without the code under test: by file, or by dotted name."""

# (sample, frames that join, reasons of those that do not)
SAMPLE_FRAMES: list[tuple[str, int, set[str]]] = [
    ("agenttrace.events.jsonl", 5, {"outside the workspace", "a name that is not in this workspace"}),
    ("appmap.process.json.gz", 15, set()),
    ("appmap.test.json", 5, set()),
    ("austin.mojo", 16, {"standard library", "third party", "interpreter"}),
    ("austin.pprof.gz", 16, {"standard library", "third party", "interpreter"}),
    ("austin.txt.gz", 24, {"standard library", "third party", "interpreter"}),
    ("captureflow.async.json", 5, {"outside the workspace"}),
    ("captureflow.raised.json", 11, {"outside the workspace"}),
    ("coverage.branch.sqlite.gz", 21, set()),
    ("coverage.contexts.json.gz", 17, set()),
    ("coverage.contexts.sqlite.gz", 17, set()),
    ("coverage.json.gz", 21, set()),
    ("coverage.lcov", 21, set()),
    ("coverage.xml", 21, set()),
    (
        "fluxloop.observations.jsonl",
        5,
        {"third party", "outside the workspace", "a name that is not in this workspace"},
    ),
    ("jaeger.json.gz", 8, {"outside the workspace", "a route without a handler in this workspace"}),
    ("monkeytype.sqlite.gz", 17, set()),
    ("otlp.collector.pb.gz", 8, {"outside the workspace", "a route without a handler in this workspace"}),
    ("otlp.console.json.gz", 8, {"outside the workspace", "a route without a handler in this workspace"}),
    ("otlp.jsonl", 8, {"outside the workspace", "a route without a handler in this workspace"}),
    ("otlp.request.pb.gz", 8, {"outside the workspace", "a route without a handler in this workspace"}),
    ("pyinstrument.json", 8, {"standard library", "interpreter"}),
    ("pyinstrument.pyisession.gz", 12, {"standard library", "interpreter", "outside the workspace", "third party"}),
    ("pyspy.dump.json", 6, {"interpreter"}),
    ("pyspy.full.raw.gz", 20, {"standard library", "interpreter", "third party"}),
    ("pyspy.raw.gz", 42, {"outside the workspace", "interpreter"}),
    ("reflexruntime.md", 1, set()),
    ("sentry.envelope", 5, {"outside the workspace"}),
    ("sentry.event.json", 5, {"outside the workspace"}),
    ("sentry.profile.envelope.gz", 17, {"third party", "standard library", "outside the workspace"}),
    ("zipkin.json", 1, {"a route without a handler in this workspace"}),
]
ELSEWHERE = {
    "app.jsonl",
    "app.log",
    "austin.speedscope.json",
    "junit_long.xml",
    "pyinstrument.speedscope.json",
    "pyspy.speedscope.json",
    "pytest_long.txt",
    "pytest_short.txt",
}
"""Samples of test_samples.py."""
NOTHING = {"fluxloop.args.jsonl", "fluxloop.traces.jsonl"}
"""Recorded in a script that is not among the samples."""


def test_no_sample_is_forgotten() -> None:
    assert {name for name, _, _ in SAMPLE_FRAMES} | ELSEWHERE | NOTHING == {path.name for path in SAMPLES.iterdir()}


@pytest.mark.parametrize(("sample", "frames", "reasons"), SAMPLE_FRAMES)
def test_every_frame_of_the_application_joins(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, sample: str, frames: int, reasons: set[str]
) -> None:
    seen: dict[Frame, object] = {}

    class Watched(Joiner):
        def join(self, frame: Frame):  # type: ignore[no-untyped-def]
            seen[frame] = result = super().join(frame)
            return result

    monkeypatch.setattr(importing, "Joiner", Watched)
    summary = import_file(shop, SAMPLES / sample)
    of_app = {frame for frame in seen if OF_APP.search(frame.path or f"{frame.module}.{frame.name}".lstrip("."))}
    for frame, result in seen.items():
        if frame in of_app:
            assert isinstance(result, Joined), (frame, result)
            assert result.unit.name == frame.name.rpartition(".")[2]
        elif frame.kind == "code":
            assert not isinstance(result, Joined), (frame, result)
        else:
            assert isinstance(result, (Joined, External))
    assert summary.frames.joined == frames
    assert set(summary.frames.external) == reasons
    assert not summary.frames.ambiguous
    assert not summary.frames.unjoined
    assert summary.run is not None


@pytest.mark.parametrize("sample", sorted(NOTHING))
def test_a_trace_of_other_code_stores_nothing_and_says_so(shop: Shop, sample: str) -> None:
    summary = import_file(shop, SAMPLES / sample)
    assert summary.run is None
    assert any("no frame is code of this workspace" in note for note in summary.notes)


@pytest.mark.parametrize("sample", ["otlp.jsonl", "otlp.console.json.gz", "jaeger.json.gz"])
def test_one_trace_says_the_same_in_every_encoding(shop: Shop, sample: str) -> None:
    import_file(shop, SAMPLES / sample)
    process = shop.profile("OrderService.process")
    assert (process.unit.calls, process.unit.counting, process.unit.errors) == (20, "at least", 1)
    assert {(edge.callee.scope, edge.calls) for edge in process.edges} == {
        ("price_order", 20),
        ("Warehouse.reserve", 19),
    }
    assert process.unit.self_ns < process.unit.total_ns
    (origin,) = shop.profile("line_total").failures
    assert (origin.type, origin.line, origin.n, origin.origin) == ("shop.models.OrderError", 2, 1, True)
    (passed,) = process.failures
    assert not passed.origin, "the span inside reported the same exception"


def test_protobuf_framed_by_a_collector_is_the_request_it_frames(shop: Shop) -> None:
    import_file(shop, SAMPLES / "otlp.request.pb.gz")
    request = {key.scope: profile.unit for key, profile in shop.profiles.items()}
    import_file(shop, SAMPLES / "otlp.collector.pb.gz")
    framed = {key.scope: profile.unit for key, profile in shop.profiles.items()}
    assert request["OrderService.process"].calls == 34
    assert request["Warehouse.reserve"].calls == 32
    assert request == framed


def test_mojo_pprof_and_text_of_one_austin_file_weigh_the_same(shop: Shop) -> None:
    import_file(shop, SAMPLES / "austin.mojo")
    mojo = {key.scope: profile.unit.samples_total for key, profile in shop.profiles.items()}
    import_file(shop, SAMPLES / "austin.pprof.gz")
    pprof = {key.scope: profile.unit.samples_total for key, profile in shop.profiles.items()}
    assert mojo == pytest.approx(pprof)
    assert mojo["normalise"] > 0
