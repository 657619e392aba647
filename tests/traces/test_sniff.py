"""A file is recognised by what is in it, and a file that is not read is refused by its name, with what to do."""

from __future__ import annotations

import json
import marshal
import pickle
import sqlite3
from pathlib import Path

import pytest

from tests.traces.conftest import FILES, Shop
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
        (b"MOJ\x03\x01", "mojo"),
        (b"# austin: 3.7.0\n# interval: 2000\n", "collapsed"),
        (b"main (a.py:1);f (a.py:2) 12\n", "collapsed"),
        (b"tid:1;a.py:main:1;a.py:f:2 12\n", "collapsed"),
        (b"SQLite format 3\x00....coverage_schema", "coverage"),
        (b"SQLite format 3\x00....monkeytype_call_traces", "monkeytype"),
        (b'{"resourceSpans": [', "otlp"),
        (b'{"resource_spans": [', "otlp"),
        (b'{"start_time": 1, "root_frame": {', "pyinstrument"),
        (b'{"frame_records": [', "pyinstrument"),
        (b'{"event_id": "1", "exception": {', "sentry"),
        (b'{"event_id":"9","sent_at":"2026-01-01"}\n{"type":"event"}', "sentry"),
        (b'{"version": "1.9", "classMap": [], "events": [', "appmap"),
        (b'{"execution_trace": [', "captureflow"),
        (b'{"_version":"1","iteration":0,"target":"a:b","kwargs":{}}', "fluxloop"),
        (b'{"seq":0,"type":"step_start","payload":{}}', "agenttrace"),
        (b'{"data":[{"traceID":"1","spans":[', "jaeger"),
        (b'[{"traceId":"1","id":"2","localEndpoint":{', "zipkin"),
        (b'[{"pid":1,"thread_id":2,"frames":[', "py-spy dump"),
        (b'{"meta":{"format":3},"files":{},"totals":{}}', "coverage"),
        (b"TN:\nSF:a.py\n", "coverage"),
        (b'<?xml version="1.0" ?>\n<coverage version="7">', "coverage"),
        (b'{"type":"meta","v":1,"run_id":"1"}', "profiling.sampling"),
        (b'{"meta":{"preprocessedProfileVersion":57},"threads":[', "gecko"),
        (b'{"elapsed_time_sec": 1.0, "alloc_samples": 0, "files": {', "scalene"),
        (b"# ReflexRuntime Debug Session - FAILED\n", "reflexruntime"),
    ],
)
def test_formats_are_recognised_by_content(head: bytes, name: str) -> None:
    found = recognise(head, "x.prof")
    assert isinstance(found, Format)
    assert found.name == name


EXPECTED = {
    "app": "traceback",
    "pytest_long": "traceback",
    "pytest_short": "traceback",
    "junit_long": "junit",
    "austin.txt": "collapsed",
    "austin.mojo": "mojo",
    "austin.pprof": "pprof",
    "austin.speedscope": "speedscope",
    "pyinstrument.speedscope": "speedscope",
    "pyspy.raw": "collapsed",
    "pyspy.full": "collapsed",
    "pyspy.dump": "py-spy dump",
    "pyspy.speedscope": "speedscope",
}


@pytest.mark.parametrize("sample", sorted(FILES))
def test_every_sample_is_recognised(sample: str) -> None:
    parts = sample.split(".")
    expected = EXPECTED.get(".".join(parts[:2])) or EXPECTED.get(parts[0]) or parts[0]
    found = recognise(FILES[sample][: 1 << 16], "x")
    assert isinstance(found, Format)
    assert found.name == expected


@pytest.mark.parametrize(
    ("head", "what", "advice"),
    [
        (b"\x04\x22\x4d\x18\x64\x40\xa7memray", "memray binary", "memray transform speedscope FILE"),
        (b"\x0a\x20\x08\x01\x12\x00\xff\xfe\x00", "protobuf", "traceconv json FILE"),
        (b"MOJ\x04\x01", "MOJO of a later version", "mojo2austin FILE"),
        (b'{"trace_id":"1","step_id":2,"agent_state":{}}', "pickle", "events.jsonl"),
        (b'{"task_id":"1","status":"ok","result":{"final_patch":{}}}', "proposed patch", "proposed fix"),
        (pickle.dumps({"line_profiler": 1}), "lprof", "never"),
        (pickle.dumps({"x": 1}), "pickle", "never"),
        (b"SQLite format 3\x00", "SQLite", ""),
        (b"\x28\xb5\x2f\xfd", "zstd", "zstd -d FILE"),
        (b"PK\x03\x04", "zip", "unzip FILE"),
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


def test_a_database_of_another_tool_is_refused(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "calls.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE something (created_at TEXT)")
    connection.commit()
    connection.close()
    with pytest.raises(NotATrace, match="no known tool"):
        import_file(shop, path)


def test_readable_formats_are_listed() -> None:
    forms = readable()
    assert forms[0].name == "tracelens"
    assert len({form.title for form in forms}) == len(forms)
    assert all(form.made_by for form in forms)
    assert {form.name for form in forms} >= {Path(sample).name.split(".")[0] for sample in ("otlp.x", "sentry.x")}
