"""Any JSON in the shape of any format, and numbers, circles and depths that no tool writes: records or one line."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traces.conftest import FILES
from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import agenttrace
from tracelens_indexer.traces.records import Call, Count, EdgeCount, Record, Sample
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.sniff import Format, Refusal, recognise

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),
    st.just(-(2**63)),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["1795253306921844171", "2026-11-21T09:30:11Z", "9" * 300, "-5", "nan", "a.b.c", "GET /x", "\0"]),
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def sane(record: Record) -> None:
    """What every record has to keep: numbers that a database can hold, text that is bounded."""
    if isinstance(record, (Count, EdgeCount)):
        assert 0 <= record.calls < 2**63
        assert 0 <= record.total_ns < 2**63
        assert 0 <= record.self_ns < 2**63
    if isinstance(record, Call):
        assert -1 <= record.duration_ns < 2**63
        assert 0 <= record.started_ns < 2**63
    if isinstance(record, Sample):
        assert record.weight > 0
    frame = getattr(record, "frame", None)
    if frame is not None:
        assert len(frame.name) <= 4_096
        assert 0 <= frame.line < 2**31


def read_all(data: bytes) -> None:
    found = recognise(data[: 1 << 16])
    if isinstance(found, Refusal):
        assert found.message("x")
        return
    try:
        for record in found.read(io.BytesIO(data), Report()):
            sane(record)
    except NotATrace as error:
        assert "\n" not in str(error)


def mutated(value: Any, choose: Callable[[int], int], other: Any, depth: int = 0) -> Any:
    """The document with one place in it replaced."""
    if isinstance(value, dict) and value and choose(4):
        key = list(value)[choose(len(value))]
        return {**value, key: mutated(value[key], choose, other, depth + 1)}
    if isinstance(value, list) and value and choose(4):
        at = choose(len(value))
        return [*value[:at], mutated(value[at], choose, other, depth + 1), *value[at + 1 :]]
    return other if depth else value


JSON = sorted(name for name in FILES if ".json" in name)


@settings(max_examples=20, deadline=None)
@given(st.data())
@pytest.mark.parametrize("sample", JSON)
def test_any_value_anywhere_in_a_sample_is_survived(sample: str, data: st.DataObject) -> None:
    text = FILES[sample][:400_000]
    lines = text.splitlines() if ".jsonl" in sample else [text]
    at = data.draw(st.integers(0, len(lines) - 1))
    try:
        document = json.loads(lines[at])
    except ValueError:
        # Objects one after the other: the first is enough.
        document = json.JSONDecoder().raw_decode(lines[at].decode())[0]
    for _ in range(data.draw(st.integers(1, 4))):
        other = data.draw(trees)
        document = mutated(document, lambda n: data.draw(st.integers(0, n - 1)), other)
    lines[at] = json.dumps(document).encode()
    read_all(b"\n".join(lines))


def nested(depth: int) -> dict[str, object]:
    """A pyinstrument tree that is deeper than any stack."""
    text = '{"function":"f","file_path":"a.py","line_no":1,"time":1,"children":['
    return {"text": '{"root_frame":' + text * depth + "]}" * depth + ',"duration":1}'}


def test_a_tree_deeper_than_the_decoder_is_refused() -> None:
    read_all(str(nested(100_000)["text"]).encode())


def test_calls_nested_without_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agenttrace, "MAX_DEPTH", 2_000)
    lines = [
        json.dumps({"seq": n, "type": "function_start", "payload": {"name": "f"}, "timestamp": n * 1e-6})
        for n in range(3_000)
    ]
    lines += [
        json.dumps({"seq": n, "type": "function_end", "payload": {"name": "f"}, "timestamp": 1 + n * 1e-6})
        for n in range(3_000)
    ]
    found = recognise(lines[0].encode())
    assert isinstance(found, Format)
    report = Report()
    counts = [
        record for record in found.read(io.BytesIO("\n".join(lines).encode()), report) if isinstance(record, Count)
    ]
    assert counts[0].calls == 2_000
    assert report.skipped == {"call deeper than 100,000": 1_000, "end without a start": 1_000}


def test_long_lines_and_long_names_are_bounded() -> None:
    read_all(b"main (a.py:1);" + b"x" * 5_000_000 + b" 4\nmain (a.py:1);f (a.py:2) 3\n")
    name = "n" * 3_000_000
    span = {"traceId": "1", "spanId": "2", "name": name, "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    read_all(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode())


@pytest.mark.parametrize("times", [(5, 1), (-5, -1), ("nan", "inf"), (10**30, 10**31), (None, None), (1.5, [2])])
def test_times_that_no_clock_gives_are_survived(times: tuple[Any, Any]) -> None:
    span = {"traceId": "1", "spanId": "2", "name": "a.b", "startTimeUnixNano": times[0], "endTimeUnixNano": times[1]}
    read_all(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode())
    zipkin = {"traceId": "1", "id": "2", "name": "a.b", "timestamp": times[0], "duration": times[1]}
    read_all(json.dumps([{**zipkin, "localEndpoint": {}}]).encode())


@pytest.mark.parametrize("sample", ["austin.mojo", "austin.pprof.gz", "otlp.request.pb.gz", "otlp.collector.pb.gz"])
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_binary_formats_survive_any_bytes_after_their_start(sample: str, data: st.DataObject) -> None:
    whole = FILES[sample]
    kept = data.draw(st.integers(4, min(len(whole), 3000)))
    read_all(whole[:kept] + data.draw(st.binary(max_size=200)) + whole[kept : kept + data.draw(st.integers(0, 500))])


@given(st.lists(st.text(max_size=40), max_size=12))
def test_any_lines_are_survived_by_the_readers_of_lines(lines: list[str]) -> None:
    from tracelens_indexer.traces import collapsed, coverage, reflexruntime

    text = "\n".join(lines)
    starts = {
        collapsed.read: "# austin: 3.7.0\nP1;T2;a.py:f:1 5\n",
        coverage.read_lcov: "SF:a.py\nDA:1,1\n",
        coverage.read_xml: "<coverage><class filename='a.py'><line number='1' hits='1'/>",
        reflexruntime.read: "# ReflexRuntime Debug Session\n**File:** a.py\n**Line:** 3\n",
    }
    for reader, start in starts.items():
        with contextlib.suppress(NotATrace):
            for record in reader(io.BytesIO((start + text).encode("utf-8", "replace")), Report()):
                sane(record)


def test_a_coverage_report_with_entities_is_refused() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE c [<!ENTITY a "aaaa">]><coverage><class filename="&a;"/></coverage>'
    with pytest.raises(NotATrace, match="entities"):
        found = recognise(bomb)
        assert isinstance(found, Format)
        list(found.read(io.BytesIO(bomb), Report()))
