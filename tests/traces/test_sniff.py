"""A file is recognised by what is in it, and a file that is not read is refused by its name, with what to do."""

from __future__ import annotations

import json
import marshal
import pickle
import sqlite3
from pathlib import Path

import pytest

from tests.traces.conftest import SAMPLES, Shop
from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.importing import import_file
from tracelens_indexer.traces.sniff import Format, Refusal, readable, recognise


def refusal(head: bytes) -> Refusal:
    found = recognise(head, "x")
    assert isinstance(found, Refusal), found
    return found


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (marshal.dumps({}), "pstats"),
        (marshal.dumps({("a", 1, "f"): (1, 1, 0.0, 0.0, {})}), "pstats"),
        (b'{"traceEvents": [{"ph"', "chrome"),
        (b'\xef\xbb\xbf{ "otherData": {"a": [1]}, "traceEvents": [', "chrome"),
        (b'[{"name": "f", "ph": "B", "ts": 1', "chrome"),
        (b'{"$schema": "https://www.speedscope.app/file-format-schema.json", "pro', "speedscope"),
        (b'{"shared": {"frames": []}, "profiles": [', "speedscope"),
        (b"Traceback (most recent call last):\n", "traceback"),
        (b"2026-01-01 INFO started\n", "traceback"),
        (b'{"level": "info", "event": "x"}\n{"level"', "traceback"),
        ("\ufeffTraceback (most".encode("utf-16-le"), "traceback"),
        (b'<?xml version="1.0"?><testsuites>', "junit"),
        (b"<testsuite name='x'>", "junit"),
    ],
)
def test_formats_are_recognised_by_content(head: bytes, name: str) -> None:
    found = recognise(head, "x.prof")
    assert isinstance(found, Format)
    assert found.name == name


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir()))
def test_every_sample_is_recognised(sample: str) -> None:
    expected = {"xml": "junit", "json": "speedscope"}.get(sample.rpartition(".")[2], "traceback")
    found = recognise((SAMPLES / sample).read_bytes()[: 1 << 16], "x")
    assert isinstance(found, Format)
    assert found.name == expected


@pytest.mark.parametrize(
    ("head", "what", "advice"),
    [
        (b"\x04\x22\x4d\x18\x64\x40\xa7memray", "memray binary", "memray transform speedscope FILE"),
        (b"\x0a\x20\x08\x01\x12\x00\xff\xfe\x00", "Perfetto", "traceconv json FILE"),
        (pickle.dumps({"line_profiler": 1}), "lprof", "never"),
        (pickle.dumps({"x": 1}), "pickle", "never"),
        (b"MOJ\x03\x01", "Austin MOJO", "mojo2austin FILE"),
        (b"# austin: 3.7.0\n# interval: 2000\n", "Austin text", "austin2speedscope FILE"),
        (b"SQLite format 3\x00....coverage_schema", "coverage.py", "not read yet"),
        (b"SQLite format 3\x00....monkeytype_call_traces", "MonkeyType", "not read yet"),
        (b"SQLite format 3\x00", "SQLite", ""),
        (b"\x28\xb5\x2f\xfd", "zstd", "zstd -d FILE"),
        (b"PK\x03\x04", "zip", "unzip FILE"),
        (b'{"resourceSpans": [', "OTLP", "not read yet"),
        (b'{"start_time": 1, "root_frame": {', "pyinstrument JSON", "pyinstrument -r speedscope"),
        (b'{"frame_records": [', "pyinstrument session", "pyinstrument --load FILE -r speedscope"),
        (b'{"event_id": "1", "exception": {', "Sentry", "not read yet"),
        (b'{"event_id":"9","sent_at":"2026-01-01"}\n{"type":"event"}', "Sentry envelope", "not read yet"),
        (b'{"version": "1.9", "classMap": [], "events": [', "AppMap", "not read yet"),
        (b'{"execution_trace": [', "captureflow", "not read yet"),
        (b'{"_version":"1","iteration":0,"target":"a:b","kwargs":{}}', "FluxLoop", "not read yet"),
        (b'{"data":[{"traceID":"1","spans":[', "Jaeger", "not read yet"),
        (b'[{"traceId":"1","id":"2","localEndpoint":{', "Zipkin", "not read yet"),
        (b'[{"pid":1,"thread_id":2,"frames":[', "py-spy dump", "not read yet"),
        (b'{"meta":{"format":3},"files":{},"totals":{}}', "coverage.py", "not read yet"),
        (b"TN:\nSF:a.py\n", "lcov", "not read yet"),
        (b"main (a.py:1);f (a.py:2) 12\n", "collapsed stacks", "speedscope"),
        (b"<svg xmlns=''>", "flame graph", "speedscope"),
        (b"\x7fELF\x02\x01", "program", ""),
        (b"\x00\x01\x02\x03", "binary", ""),
        (b"", "empty", ""),
    ],
)
def test_what_is_not_read_is_refused_by_name(head: bytes, what: str, advice: str) -> None:
    found = refusal(head)
    assert what in found.what
    assert advice in found.advice
    message = found.message("trace.bin")
    assert "\n" not in message
    assert "FILE" not in message


def test_the_message_is_the_one_of_the_screens() -> None:
    assert refusal(b"\x04\x22\x4d\x18memray").message("build.bin") == (
        "build.bin: not a trace I can read (memray binary). Convert it first:  memray transform speedscope build.bin"
    )


def test_words_inside_values_are_not_keys() -> None:
    line = json.dumps({"message": 'saw "traceEvents": [] and "resourceSpans"', "traces": {"traceEvents": 1}})
    found = recognise(line.encode(), "x")
    assert isinstance(found, Format)
    assert found.name == "traceback"


def test_the_real_formats_of_others_are_refused_by_name(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE monkeytype_call_traces (created_at TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(NotATrace, match="MonkeyType SQLite"):
        import_file(shop, path)


def test_readable_formats_are_listed() -> None:
    assert [form.name for form in readable()] == ["tracelens", "chrome", "pstats", "speedscope", "traceback", "junit"]
