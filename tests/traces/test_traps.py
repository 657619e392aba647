"""What each format does that a reader could take for something else."""

from __future__ import annotations

import io
import json
import marshal
import sqlite3
import tempfile
from pathlib import Path

import pytest

from tests.traces.conftest import FILES, SAMPLES, Shop, index
from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import collapsed, mojo, pprof, pyinstrument, wire
from tracelens_indexer.traces.importing import import_file
from tracelens_indexer.traces.records import Count, Frame, Record, Sample, SampleTotal
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.sniff import Format, recognise


def records(data: bytes) -> list[Record]:
    found = recognise(data)
    assert isinstance(found, Format), found
    return list(found.read(io.BytesIO(data), Report()))


def write(tmp_path: Path, data: object, name: str = "trace.json") -> Path:
    path = tmp_path / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


# -- samplers ----------------------------------------------------------------------------------------------------------


def test_frames_of_all_samplers_are_taken_apart() -> None:
    stack = b"<module> (my app (2)/run me.py:3);f (C:\\\\x\\a.py:7);/srv/a:b.py:g:9;py::h:/srv/h.py;libc 4\n"
    (sample,) = (record for record in collapsed.read(io.BytesIO(stack), Report()) if isinstance(record, Sample))
    assert [(frame.path, frame.name, frame.line) for frame in sample.stack] == [
        ("my app (2)/run me.py", "<module>", 3),
        ("C:\\\\x\\a.py", "f", 7),
        ("/srv/a:b.py", "g", 9),
        ("/srv/h.py", "h", 0),
        ("", "libc", 0),
    ]
    assert (sample.weight, sample.unit) == (4.0, "samples")


def test_processes_and_threads_are_no_frames_and_austin_counts_microseconds() -> None:
    text = b"# austin: 3.7.0\n# mode: wall\n\nP1;T0:2;C:\\a.py:f:3 1500000\nP1;T0:2;a.py:f:3 500000,1,-20\nP1;T0:2 1\n"
    found = [record for record in collapsed.read(io.BytesIO(text), Report()) if isinstance(record, Sample)]
    assert [(sample.stack[0].path, sample.weight, sample.unit) for sample in found] == [
        ("C:\\a.py", 1.5, "seconds"),
        ("a.py", 0.5, "seconds"),
        ("", 1e-6, "seconds"),
    ]


@pytest.mark.parametrize("data", [b"# austin: 3.7.0\n# mode: memory\n\nP1;T2;a.py:f:3 15\n"])
def test_memory_is_refused_as_time(data: bytes) -> None:
    with pytest.raises(NotATrace, match="memory"):
        records(data)


def test_python_315_pstats_are_samples_not_calls() -> None:
    stats = {
        ("__sampled__",): True,
        ("a.py", 4, "f"): (2, 7, 0.2, 0.7, {("a.py", 9, "g"): 7}),
        ("a.py", 5, "f"): (3, 3, 0.3, 0.3, {}),
    }
    found = [record for record in records(marshal.dumps(stats)) if not hasattr(record, "tool")]
    assert found == [
        SampleTotal(Frame("a.py", "f", 4, "executing"), 2.0, 7.0),
        SampleTotal(Frame("a.py", "f", 5, "executing"), 3.0, 3.0),
    ]


def test_what_is_in_a_pyinstrument_node_but_not_in_its_children_is_its_own() -> None:
    def node(name: str, time: float, *children: object) -> dict[str, object]:
        return {"function": name, "file_path": "a.py", "line_no": 1, "time": time, "children": list(children)}

    tree = node("main", 10.0, node("f", 6.0, node("[self]", 2.0), node("g", 4.0)), node("[await]", 1.0))
    text = json.dumps({"duration": 10.0, "root_frame": tree}).encode()
    found = [record for record in pyinstrument.read_report(io.BytesIO(text), Report()) if isinstance(record, Sample)]
    own = {tuple(frame.name for frame in sample.stack): sample.weight for sample in found}
    assert own == {("main",): 1.0, ("main", "f"): 2.0, ("main", "f", "g"): 4.0} | {("main",): 1.0 + 3.0}


def test_a_mojo_integer_has_a_sign_and_a_later_version_is_refused() -> None:
    data = (
        b"MOJ\x01"
        + b"\x02\x05t\x00"
        + b"\x0b\x01a.py\x00\x0b\x02f\x00"
        + b"\x03\x01\x01\x02\x8a\x01\x05\x01\x09\x90\x4e"
    )
    found = [record for record in mojo.read(io.BytesIO(data), Report()) if isinstance(record, Sample)]
    assert [(sample.stack[0], round(sample.weight * 1e6)) for sample in found] == [
        (Frame("a.py", "f", 10 + (1 << 6), "executing"), 16 + (0x4E << 6))
    ]
    with pytest.raises(NotATrace, match="later version"):
        list(mojo.read(io.BytesIO(b"MOJ\x04\x01"), Report()))


def test_gecko_and_sampling_lines_are_read() -> None:
    gecko = {
        "meta": {"interval": 2, "preprocessedProfileVersion": 57, "startTime": 1.8e12},
        "shared": {
            "stringArray": ["a.py", "f", "g"],
            "funcTable": {"name": [1, 2], "fileName": [0, 0]},
            "frameTable": {"func": [0, 1], "line": [3, 9]},
            "stackTable": {"prefix": [None, 0, 2], "frame": [0, 1, 1]},
        },
        "threads": [{"samples": {"stack": [1, 1, 0, 2, None], "timeDeltas": [2, 2, 2, 2, 2]}}],
    }
    found = [record for record in records(json.dumps(gecko).encode()) if isinstance(record, Sample)]
    weights = {tuple(frame.name for frame in sample.stack[:3]): sample.weight for sample in found}
    assert weights[("f", "g")] == pytest.approx(0.004)
    assert weights[("f",)] == pytest.approx(0.002)
    lines = [
        {"type": "meta", "run_id": "1", "sample_interval_usec": 1000, "mode": "wall"},
        {"type": "str_def", "defs": [{"str_id": 1, "value": "/srv/a.py"}, {"str_id": 2, "value": "f"}]},
        {"type": "frame_def", "defs": [{"frame_id": 5, "path_str_id": 1, "func_str_id": 2, "line": 7}]},
        {"type": "agg", "kind": "frame", "scope": "final", "entries": [{"frame_id": 5, "self": 2, "cumulative": 9}]},
        {"type": "end"},
    ]
    text = "\n".join(json.dumps(line) for line in lines).encode()
    assert records(text)[1:] == [SampleTotal(Frame("/srv/a.py", "f", 7, "executing"), 2.0, 9.0)]


def test_scalene_gives_the_rank_of_functions(shop: Shop, tmp_path: Path) -> None:
    def function(name: str, line: int, share: float) -> dict[str, object]:
        return {"line": name, "lineno": line, "n_cpu_percent_python": share, "n_cpu_percent_c": 0, "n_sys_percent": 0}

    functions = [function("Warehouse.find", 8, 0.3), function("normalise", 24, 0.6)]
    files = {"/srv/shop/shop/inventory.py": {"functions": functions, "lines": []}}
    import_file(shop, write(tmp_path, {"alloc_samples": 0, "elapsed_time_sec": 2.0, "files": files}))
    assert shop.profile("normalise").unit.samples_self == pytest.approx(0.6)
    assert shop.run is not None
    assert shop.run.sample_unit == "samples"


# -- telemetry ---------------------------------------------------------------------------------------------------------


def test_zipkin_cuts_tracebacks_so_the_span_is_the_place(shop: Shop) -> None:
    import_file(shop, SAMPLES / "zipkin.json")
    (failure,) = shop.profile("line_total").failures
    assert (failure.type, failure.origin, failure.line) == ("shop.models.OrderError", True, -1)


def test_a_naive_dump_of_protobuf_and_snake_case_are_read(shop: Shop, tmp_path: Path) -> None:
    span = {
        "trace_id": "pQz6Yvf3HwdzROcb1gkzXg==",
        "span_id": "c17SPx5QFyM=",
        "name": "shop.pricing.line_total",
        "kind": "SPAN_KIND_INTERNAL",
        "start_time_unix_nano": 1_795_253_306_921_844_171,
        "end_time_unix_nano": "1795253306921844271",
        "unknown": {"fields": ["are", "ignored"]},
    }
    import_file(shop, write(tmp_path, {"resource_spans": [{"scope_spans": [{"spans": [span]}]}]}))
    unit = shop.profile("line_total").unit
    assert (unit.calls, unit.total_ns) == (1, 100)


# -- Sentry, AppMap, coverage, MonkeyType ------------------------------------------------------------------------------


def test_sentry_locals_are_the_arguments_of_the_failing_call(shop: Shop) -> None:
    import_file(shop, SAMPLES / "sentry.event.json")
    rows = {(row.slot, row.text, row.outcome) for row in shop.profile("OrderService.process").values}
    assert ("tier", "'gold'", "shop.models.OrderError") in rows
    raw = next(text for slot, text, _ in rows if slot == "raw" and text)
    assert raw.startswith("{'id': 16, 'customer': '[redacted]'"), "an address among them is redacted"


def test_the_sentry_page_writes_camel_case(shop: Shop, tmp_path: Path) -> None:
    frame = {"absPath": "/app/shop/pricing.py", "lineNo": 25, "function": "line_total", "inApp": True}
    frame |= {"context": [[24, "if"], [25, "    raise OrderError()"]], "vars": {"item": "[Filtered]"}}
    value = {"type": "OrderError", "module": "shop.models", "value": "x", "stacktrace": {"frames": [frame]}}
    event = {"eventID": "1", "entries": [{"type": "exception", "data": {"values": [value]}}]}
    import_file(shop, write(tmp_path, event))
    profile = shop.profile("line_total")
    assert [(f.type, f.line) for f in profile.failures] == [("shop.models.OrderError", 2)]
    assert {row.text for row in profile.values} == {"[redacted]"}


def test_appmap_without_display_gives_types_and_real_calls_and_the_test(shop: Shop) -> None:
    import_file(shop, SAMPLES / "appmap.test.json")
    feed = shop.profile("make_orders")
    assert (feed.unit.calls, feed.unit.resumes, feed.unit.counting) == (1, 0, "exact")
    assert {(row.slot, row.type, row.text) for row in feed.values} == {
        ("n", "int", None),
        ("return", "generator", None),
    }
    assert feed.unit.captured == 0, "types alone are no call to look at"
    assert feed.tests == {"tests/test_shop.py::test_bad_qty": 1}
    assert [f.origin for f in shop.profile("line_total").failures] == [True]
    assert [f.origin for f in shop.profile("OrderService.process").failures] == [False]


def test_appmap_values_and_self_times_without_a_clock(shop: Shop) -> None:
    import_file(shop, SAMPLES / "appmap.process.json.gz")
    assert ("tier", "str", "'gold'") in {(v.slot, v.type, v.text) for v in shop.profile("apply_discount").values}
    find = shop.profile("Warehouse.find")
    assert (find.unit.calls, sum(edge.calls for edge in find.edges)) == (3, 792)
    assert 0 < find.unit.self_ns < find.unit.total_ns
    assert all(capture.started_ns == 0 for capture in find.captures)


def test_lines_that_ran_are_no_calls_and_tell_the_tests(shop: Shop, tmp_path: Path) -> None:
    (shop.root / "tests").mkdir()
    (shop.root / "tests" / "test_shop.py").write_text("def test_ok(): ...\n\ndef test_bad_qty(): ...\n")
    index(shop.writer, shop.root)
    import_file(shop, SAMPLES / "coverage.contexts.sqlite.gz")
    find = shop.profile("Warehouse.find")
    assert (find.unit.calls, find.unit.errors, find.unit.counting, find.unit.timed) == (0, 0, "at least", 0)
    assert find.tests == {"tests/test_shop.py::test_ok": 0}
    assert set(shop.profile("line_total").tests) == {
        "tests/test_shop.py::test_ok",
        "tests/test_shop.py::test_bad_qty",
    }
    scopes = {key.scope for key in shop.profiles}
    assert not scopes & {"main", "OrderService.notify"}, "their def lines ran at import, they did not"
    assert not scopes & {"<module>", "Warehouse"}
    shown = shop.index.profile(
        next(u.id for u in shop.index.units_in("shop/inventory.py") if u.scope == "Warehouse.find")
    )
    assert shown is not None
    assert shown.tests == (("tests/test_shop.py::test_ok", 0),)


def test_all_reports_of_coverage_say_the_same(shop: Shop) -> None:
    ran = []
    for sample in ("coverage.json.gz", "coverage.xml", "coverage.lcov"):
        import_file(shop, SAMPLES / sample)
        ran.append({key.scope for key in shop.profiles})
    assert ran[0] == ran[1] == ran[2]
    assert "main" in ran[0]


def test_a_static_context_is_no_test() -> None:
    from tracelens_indexer.traces.coverage import test_of

    assert test_of("demo") == test_of("") == test_of("v1.2") == ""
    assert test_of("tests/test_a.py::test_b[x]|run") == "tests/test_a.py::test_b[x]"
    assert test_of("demo|tests.test_a.TestB.test_c") == "tests.test_a.TestB.test_c"


def test_monkeytype_gives_types_and_says_nothing_of_errors(shop: Shop) -> None:
    import_file(shop, SAMPLES / "monkeytype.sqlite.gz")
    total = shop.profile("line_total")
    assert (total.unit.calls, total.unit.counting, total.unit.errors) == (21, "at least", 0)
    assert ("return", "float", None, 20) in {(v.slot, v.type, v.text, v.n) for v in total.values}
    assert shop.profile("make_orders").unit.resumes == 0
    assert not total.captures


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE VIEW monkeytype_call_traces AS SELECT 1 AS created_at",
        "CREATE TABLE monkeytype_call_traces (created_at TEXT)",
        "CREATE VIEW line_bits AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c;"
        "CREATE TABLE coverage_schema (version INTEGER); CREATE TABLE file (id, path);"
        "CREATE VIEW context AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c",
    ],
)
def test_a_database_made_to_hurt_is_refused(shop: Shop, tmp_path: Path, schema: str) -> None:
    path = tmp_path / "evil.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(schema)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NotATrace, match="database"):
        import_file(shop, path)
    assert path.read_bytes() == before
    assert sorted(tmp_path.glob("evil*")) == [path], "no journal beside it"


def test_a_damaged_database_is_read_in_part_or_refused(shop: Shop, tmp_path: Path) -> None:
    data = FILES["coverage.contexts.sqlite.gz"]
    for at in range(100, len(data), 3001):
        with tempfile.NamedTemporaryFile(dir=tmp_path) as file:
            file.write(data[:at] + bytes(64) + data[at + 64 :])
            file.flush()
            try:
                import_file(shop, Path(file.name))
            except NotATrace as error:
                assert "\n" not in str(error)


# -- the tools TraceLens comes from ------------------------------------------------------------------------------------


def test_captureflow_raises_where_it_says_null(shop: Shop) -> None:
    import_file(shop, SAMPLES / "captureflow.raised.json")
    total = shop.profile("line_total")
    assert [(f.type, f.line, f.n, f.origin) for f in total.failures] == [("OrderError", 2, 1, True)]
    assert not [row for row in total.values if row.slot == "return"], "null after an exception is no None"
    assert [f.origin for f in shop.profile("OrderService.process").failures] == [False]
    assert shop.profile("Order.from_dict").unit.errors == 0
    rows = {(row.slot, row.type, row.text) for row in shop.profile("OrderService.process").values}
    assert ("tier", "str", "'gold'") in rows


def test_captureflow_awaits_are_resumes_and_no_errors(shop: Shop) -> None:
    import_file(shop, SAMPLES / "captureflow.async.json")
    notify = shop.profile("OrderService.notify")
    assert (notify.unit.calls, notify.unit.resumes, notify.unit.errors) == (0, 4, 0)
    assert not notify.failures, "StopIteration ends an await"


def test_a_caught_exception_did_not_leave_the_function(shop: Shop, tmp_path: Path) -> None:
    def event(number: int, kind: str, of: int | None, **more: object) -> dict[str, object]:
        place = {"file": "/srv/shop/shop/pricing.py", "function": "line_total", "line": 23}
        if of == 2 or number == 2:
            place = {"file": "/srv/shop/shop/pricing.py", "function": "tax_rate", "line": 31}
        moment = f"2026-11-21T09:30:11.{number:06}"
        return {"id": str(number), "event": kind, "caller_id": of and str(of), "timestamp": moment, **place, **more}

    info = {"exception_info": {"type": "KeyError", "value": "'x'"}}
    null = {"return_value": {"python_type": "<class 'NoneType'>", "json_serialized": "null"}}
    events = [event(1, "call", None), event(2, "call", 1), event(3, "exception", 2, **info)]
    events += [event(4, "return", 2, **null), event(5, "return", 1, **null)]
    import_file(shop, write(tmp_path, {"invocation_id": "1", "endpoint": "f", "execution_trace": events}))
    assert all(profile.unit.errors == 0 and not profile.failures for profile in shop.profiles.values())


def test_fluxloop_secrets_are_masked_here(shop: Shop) -> None:
    (shop.root / "gen.py").write_text(
        "class Agent:\n    def handle(self, raw, tier, callback, api_token, order): ...\n"
    )
    (shop.root / "agent.py").write_text("@fluxloop.agent(name='OrderAgent')\ndef run(raw, api_token): ...\n")
    index(shop.writer, shop.root)
    for sample, scope in (("fluxloop.args.jsonl", "Agent.handle"), ("fluxloop.observations.jsonl", "run")):
        import_file(shop, SAMPLES / sample)
        profile = shop.profile(scope)
        assert profile.unit.calls == 4
        assert {row.text for row in profile.values if row.slot == "api_token"} == {"[redacted]"}
        assert "s3cret" not in repr(shop.profiles)


def test_agenttrace_positions_get_their_parameters_names(shop: Shop) -> None:
    (shop.root / "gen.py").write_text("def price(raw): ...\n\ndef handle(raw): ...\n")
    index(shop.writer, shop.root)
    import_file(shop, SAMPLES / "agenttrace.events.jsonl")
    price = shop.profile("price")
    assert (price.unit.calls, price.unit.errors) == (3, 1)
    assert {row.slot for row in price.values} == {"raw", "return"}
    assert [(f.type, f.n, f.origin) for f in price.failures] == [("OrderError", 1, False)], (
        "of the exception event alone"
    )
    assert shop.profile("line_total").failures
    assert [(edge.callee.scope, edge.calls) for edge in shop.profile("handle").edges] == []


def test_reflexruntime_takes_the_tracebacks_last_frame_and_its_variables(shop: Shop) -> None:
    import_file(shop, SAMPLES / "reflexruntime.md")
    total = shop.profile("line_total")
    assert [(f.type, f.line, f.origin) for f in total.failures] == [("shop.models.OrderError", 2, True)]
    assert {(row.slot, row.text) for row in total.values} == {("item", "Item(sku=' sku-3 ', qty=-1, unit_price=1.5)")}


# -- the wire ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"\x00\x01", b"\x0a\xff", b"\x0a\x05abc", b"\x0b", b"\x08" + b"\xff" * 10, b"\x09\x01", b"\x0d\x01"]
)
def test_what_is_no_message_is_told(data: bytes) -> None:
    with pytest.raises(wire.NotProtobuf):
        list(wire.fields(memoryview(data)))


def test_a_pprof_profile_of_memory_is_refused() -> None:
    strings = [b"", b"space", b"bytes"]
    data = b"\x0a\x04\x08\x01\x10\x02" + b"".join(b"\x32" + bytes([len(text)]) + text for text in strings)
    assert pprof.recognises(data)
    with pytest.raises(NotATrace, match="memory"):
        list(pprof.read(io.BytesIO(data), Report()))


def test_counts_of_spans_are_lower_bounds() -> None:
    assert all(record.counting == "at least" for record in records(FILES["otlp.jsonl"]) if isinstance(record, Count))
