"""Trace files are untrusted: whatever is in them, a reader ends with records, a report, or one clear line."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import marshal
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traces import conftest
from tests.traces.conftest import Shop
from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import chrome, junit, pstats, speedscope, tracebacks
from tracelens_indexer.traces.importing import import_file
from tracelens_indexer.traces.marshal_reader import MarshalError, loads
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.sniff import Format, Refusal, recognise

keys = st.tuples(st.text(max_size=30), st.integers(0, 2**31 - 1), st.text(max_size=10))
counts = st.integers(0, 2**40)
times = st.floats(allow_nan=True)
callers = st.dictionaries(keys, st.tuples(counts, counts, times, times), max_size=4)
profiles = st.dictionaries(keys, st.tuples(counts, counts, times, times, callers), max_size=6)

VIZTRACER = json.dumps(
    {
        "traceEvents": [
            {"ph": "M", "pid": 1, "tid": 1, "name": "process_name", "args": {"name": "MainProcess"}},
            *(
                {
                    "ph": "X",
                    "cat": "fee",
                    "pid": 1,
                    "tid": 1,
                    "ts": 10.0 * n,
                    "dur": 4.5,
                    "name": "line_total (/srv/shop/shop/pricing.py:23)",
                    "args": {"func_args": {"item": f"Item({n})"}, "return_value": str(n)},
                }
                for n in range(20)
            ),
        ],
        "viztracer_metadata": {"overflow": True, "version": "1.1.1"},
        "file_info": {"files": {"/srv/shop/shop/pricing.py": ["x = 1\n", 1]}, "functions": {}},
    }
).encode()

FILES = conftest.FILES | {
    "viztracer.json": VIZTRACER,
    "profile.pstats": marshal.dumps({("a.py", 1, "f"): (1, 1, 0.5, 0.5, {("a.py", 9, "g"): (1, 1, 0.5, 0.5)})}),
}


def read_all(data: bytes) -> int:
    """What an import does with a file's bytes, up to the records."""
    found = recognise(data[: 1 << 16])
    if isinstance(found, Refusal):
        assert found.message("x")
        return 0
    try:
        return sum(1 for _ in found.read(io.BytesIO(data), Report()))
    except NotATrace as error:
        assert "\n" not in str(error)
        return 0


@given(profiles)
def test_the_marshal_reader_agrees_with_marshal(data: dict[object, object]) -> None:
    assert repr(loads(marshal.dumps(data))) == repr(data)


@given(profiles, st.integers(0, 2))
def test_the_marshal_reader_knows_old_versions(data: dict[object, object], version: int) -> None:
    assert repr(loads(marshal.dumps(data, version))) == repr(marshal.loads(marshal.dumps(data, version)))


@given(profiles)
def test_pstats_with_any_numbers_gives_sane_records(data: dict[object, object]) -> None:
    for record in pstats.read(io.BytesIO(marshal.dumps(data)), Report()):
        for name in ("calls", "total_ns", "self_ns"):
            assert 0 <= getattr(record, name, 0) < 2**63


@given(st.binary(max_size=300))
def test_the_marshal_reader_raises_nothing_else(data: bytes) -> None:
    with contextlib.suppress(MarshalError):
        loads(data)


@pytest.mark.parametrize(
    "value",
    [compile("1", "x", "eval"), b"bytes", {1, 2}, frozenset((1,)), [1], 1j, Ellipsis, 10**5000],
    ids=lambda value: type(value).__name__,
)
def test_the_marshal_reader_refuses_what_pstats_never_holds(value: object) -> None:
    with pytest.raises(MarshalError):
        loads(marshal.dumps({("a", 1, "f"): value}))


@pytest.mark.parametrize(
    "data",
    [
        b"\xfb\xa9\x03" + b"\xa9\x01" * 2_000,
        b"{(\xff\xff\xff\x7f",
        b"{r\x00\x00\x00\x00N0",
        b"\xfb\xa9\x01r\x01\x00\x00\x00N0",
        b"{{0N0",
    ],
    ids=["deep", "huge", "reference to nothing", "reference to itself", "unhashable"],
)
def test_the_marshal_reader_refuses_tricks(data: bytes) -> None:
    with pytest.raises(MarshalError):
        loads(data)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_cut_anywhere_is_read_in_part_or_refused(name: str) -> None:
    data = FILES[name]
    places = random.Random(name)
    for _ in range(25):
        read_all(data[: places.randrange(len(data))])


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_with_damaged_bytes_is_read_in_part_or_refused(name: str) -> None:
    places = random.Random(name)
    for _ in range(25):
        data = bytearray(FILES[name])
        for _ in range(places.randrange(1, 6)):
            data[places.randrange(len(data))] = places.randrange(256)
        read_all(bytes(data))


@settings(max_examples=200)
@given(st.binary(max_size=2000))
def test_garbage_is_refused(data: bytes) -> None:
    read_all(data)


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
)
event_keys = st.sampled_from(["ph", "ts", "dur", "pid", "tid", "name", "args"])
event_values = st.one_of(
    trees,
    st.sampled_from(["X", "B", "E", "f (/a.py:3)"]),
    st.just({"func_args": {"a": "1", "b": None}, "return_value": "KeyError('x')"}),
)
events = st.lists(st.dictionaries(event_keys, event_values, max_size=7), max_size=8)


@given(st.one_of(events, trees), st.booleans())
def test_any_json_is_survived_by_the_chrome_reader(data: object, bare: bool) -> None:
    text = json.dumps(data if bare else {"traceEvents": data}).encode()
    with contextlib.suppress(NotATrace):
        list(chrome.read(io.BytesIO(text), Report()))


@given(
    st.fixed_dictionaries(
        {
            "shared": st.one_of(trees, st.just({"frames": [{"name": "f"}, {"file": 3}, None]})),
            "profiles": st.lists(
                st.fixed_dictionaries(
                    {
                        "type": st.sampled_from(["sampled", "evented", "x"]),
                        "unit": st.sampled_from(["seconds", "none", "bytes", 3]),
                    },
                    optional={
                        "samples": st.one_of(trees, st.lists(st.lists(st.integers(-1, 3), max_size=4), max_size=4)),
                        "weights": st.one_of(trees, st.lists(scalars, max_size=4)),
                        "events": st.one_of(
                            trees,
                            st.lists(
                                st.fixed_dictionaries(
                                    {"type": st.sampled_from(["O", "C"]), "at": scalars, "frame": st.integers(-1, 3)}
                                ),
                                max_size=6,
                            ),
                        ),
                    },
                ),
                max_size=3,
            ),
        }
    )
)
def test_any_json_is_survived_by_the_speedscope_reader(data: object) -> None:
    with contextlib.suppress(NotATrace):
        list(speedscope.read(io.BytesIO(json.dumps(data).encode()), Report()))


LINES = st.sampled_from(
    [
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in f',
        '  File "a.py", line 99999999999999999999, in f',
        "    raise X",
        "    ~~~^^^",
        "ValueError: x",
        "E   ValueError: x",
        "a.py:3: in f",
        "a.py:3: ValueError",
        "____ test ____",
        "  | Traceback (most recent call last):",
        "  +-+---------------- 1 ----------------",
        "  [Previous line repeated 3 more times]",
        '{"exc_info": "Traceback (most recent call last):\\n  File \\"a.py\\", line 1, in f\\nKeyError: 1"}',
        '{"log": "x\\n"}',
        "{" * 50,
        "",
        "The above exception was the direct cause of the following exception:",
        "2026-11-21 09:32:39,900 ERROR x",
        "9999-99-99 99:99:99 x",
    ]
)


@given(st.lists(LINES | st.text(max_size=30), max_size=30))
def test_any_lines_are_survived_by_the_traceback_reader(lines: list[str]) -> None:
    data = "\n".join(lines).encode("utf-8", "replace")
    for reader in (tracebacks, junit):
        with contextlib.suppress(NotATrace):
            list(reader.read(io.BytesIO(data), Report()))


def test_an_xml_with_a_document_type_is_refused() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE t [<!ENTITY a "aaaa">]><testsuites><testsuite/></testsuites>'
    with pytest.raises(NotATrace, match="document type"):
        list(junit.read(io.BytesIO(bomb), Report()))


def test_a_million_deep_stack_is_bounded() -> None:
    lines = ["Traceback (most recent call last):"]
    lines += ['  File "a.py", line 3, in f'] * 100_000
    lines += ["RecursionError: maximum recursion depth exceeded"]
    (failure,) = list(tracebacks.read(io.BytesIO("\n".join(lines).encode()), Report()))[1:]
    assert len(failure.stack) <= 400  # type: ignore[union-attr]


def test_hostile_names_and_values_reach_the_store_bounded_and_as_text(shop: Shop, tmp_path: Path) -> None:
    name = "x'; DROP TABLE runs; --" * 50
    events = [
        {
            "ph": "X",
            "pid": 1,
            "tid": 1,
            "ts": float(n),
            "dur": 0.5,
            "name": "line_total (/srv/shop/shop/pricing.py:23)",
            "args": {"func_args": {name: "[" * 5000, "item": "'" + "a" * 100_000}, "return_value": "**bold** `x`"},
        }
        for n in range(3)
    ]
    trace = tmp_path / "trace.json"
    trace.write_text(json.dumps({"traceEvents": events}))
    assert import_file(shop, trace).run is not None
    unit = shop.profile("line_total")
    assert all(len(row.text or "") <= 200 for row in unit.values)
    assert all(len(row.slot) <= 200 for row in unit.values)
    assert all(len(capture.detail) < 20_000 for capture in unit.captures)


def test_a_gzip_bomb_is_refused(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelens_indexer.traces.opening.FREE", 1 << 20)
    bomb = tmp_path / "bomb.json.gz"
    bomb.write_bytes(gzip.compress(b"\0" * (32 << 20), 9))
    with pytest.raises(NotATrace, match="unpacks to over"):
        import_file(shop, bomb)


def test_an_unknown_reader_name_is_never_taken_from_the_file_name() -> None:
    found = recognise(FILES["app.log"][: 1 << 16], "app.pstats")
    assert isinstance(found, Format)
    assert found.name == "traceback"


MEASURE = """
import io, json, resource, sys
from tracelens_indexer.traces import chrome
from tracelens_indexer.traces.report import Report

class Generated(io.RawIOBase):
    '''A VizTracer file of N events that never lies anywhere as a whole.'''
    def __init__(self, n):
        self.n, self.at, self.rest, self.where = n, 0, b'{"traceEvents": [', 0
    def readable(self): return True
    def seekable(self): return True
    def tell(self): return self.where
    def seek(self, at, whence=0):
        if whence == 2: return 0
        self.__init__(self.n)
        return 0
    def read(self, size=-1):
        while len(self.rest) < size and self.at < self.n:
            part = [json.dumps({"pid": 1, "tid": i % 3, "ts": i * 2.0, "ph": "X", "cat": "fee", "dur": 1.5,
                "name": "line_total (/srv/shop/shop/pricing.py:%d)" % (i % 50),
                "args": {"func_args": {"item": "Item(sku='%d')" % i}, "return_value": str(i)}})
                for i in range(self.at, self.at + 1000)]
            self.at += 1000
            self.rest += (", " if self.at > 1000 else "").encode() + ", ".join(part).encode()
            if self.at >= self.n: self.rest += b']}'
        out, self.rest = self.rest[:size], self.rest[size:]
        return out

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
calls = sum(1 for record in chrome.read(Generated(int(sys.argv[1])), Report()) if type(record).__name__ == "Call")
print(calls, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_grows_by_columns_not_by_events(tmp_path: Path) -> None:
    """200,000 events are some 40 MB of JSON; as decoded objects they would be several hundred."""
    script = tmp_path / "measure.py"
    script.write_text(MEASURE)
    done = subprocess.run(
        [sys.executable, str(script), "200000"], capture_output=True, text=True, timeout=100, check=True
    )
    calls, grown_mb = (int(part) for part in done.stdout.split())
    assert calls == 200_000
    # numpy itself, the remembered values, a window of text, and 24 bytes an event.
    assert grown_mb < 120
