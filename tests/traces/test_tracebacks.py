"""Tracebacks are found in any text, whatever stands before, between and after their lines."""

from __future__ import annotations

import io
import json

import pytest

from tests.traces.conftest import SAMPLES
from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import junit, tracebacks
from tracelens_indexer.traces.records import Failure
from tracelens_indexer.traces.report import Report

PLAIN = """\
Traceback (most recent call last):
  File "/srv/app/run.py", line 3, in <module>
    main()
  File "/srv/app/shop/pricing.py", line 25, in line_total
    raise OrderError(
    ~~~~~^^^^^^^^^^^^
  File "/srv/app/shop/nosource.py", line 7, in gone
shop.models.OrderError: bad quantity -1
"""


def failures(text: str | bytes, report: Report | None = None) -> list[Failure]:
    data = text.encode() if isinstance(text, str) else text
    return [r for r in tracebacks.read(io.BytesIO(data), report or Report()) if isinstance(r, Failure)]


def only(text: str | bytes) -> Failure:
    (failure,) = failures(text)
    return failure


def test_a_plain_traceback() -> None:
    failure = only(PLAIN)
    assert (failure.type, failure.message) == ("shop.models.OrderError", "bad quantity -1")
    assert [(f.frame.name, f.frame.line, f.source) for f in failure.stack] == [
        ("<module>", 3, "main()"),
        ("line_total", 25, "raise OrderError("),
        ("gone", 7, ""),
    ]


@pytest.mark.parametrize("prefix", ["api-1  | ", "    ", "Nov 21 09:32:39 host app[123]: ", "[worker 7] "])
def test_a_prefix_before_every_line(prefix: str) -> None:
    text = "".join(f"{prefix}{line}\n" for line in ["INFO before", *PLAIN.splitlines(), "INFO after"])
    assert len(only(text).stack) == 3
    assert only(text).message == "bad quantity -1"


def test_a_prefix_whose_time_runs() -> None:
    lines = [f"09:32:{n:02d} app: {line}" for n, line in enumerate(PLAIN.splitlines())]
    assert len(only("\n".join(lines)).stack) == 3


def test_a_prefix_before_the_header_alone() -> None:
    assert len(only("2026-11-21 09:32:39 ERROR x: " + PLAIN).stack) == 3
    assert only("2026-11-21 09:32:39Z ERROR x: " + PLAIN).at_ns == 1_795_253_559 * 10**9


def test_times_that_kubectl_and_ci_put_first() -> None:
    lines = [f"2026-11-21T09:32:39.1{n}Z stderr F {line}" for n, line in enumerate(PLAIN.splitlines())]
    failure = only("\n".join(lines))
    assert len(failure.stack) == 3
    assert failure.at_ns // 10**9 == 1_795_253_559


def test_another_containers_lines_in_between() -> None:
    lines: list[str] = []
    for line in PLAIN.splitlines():
        lines += [f"api-1  | {line}", "db-1   | LOG: checkpoint"]
    assert only("\n".join(lines)).type == "shop.models.OrderError"


def test_docker_json_file_logs() -> None:
    text = "".join(json.dumps({"log": line + "\n", "stream": "stderr"}) + "\n" for line in PLAIN.splitlines())
    assert len(only(text).stack) == 3


@pytest.mark.parametrize("key", ["exc_info", "exception", "stack_trace"])
def test_json_logs_hold_it_in_any_field(key: str) -> None:
    text = json.dumps({"ts": 1_795_253_559.5, key: PLAIN}) + "\n" + json.dumps({"a": {"b": [PLAIN]}}) + "\n"
    first, second = failures(text)
    assert first.at_ns == 1_795_253_559_500_000_000
    assert len(second.stack) == 3


def test_chains_groups_recursion_notes_and_syntax_errors() -> None:
    found = failures((SAMPLES / "app.log").read_bytes())
    assert [failure.type.rpartition(".")[2] for failure in found] == [
        "OrderError",
        *("KeyError", "RuntimeError"),
        *("KeyError", "ValueError"),
        *("ExceptionGroup", "OrderError", "OrderError"),
        "OrderError",
        "SyntaxError",
        "ValueError",
    ]
    assert found[2].message == "wrapped\nmultiline message"
    assert found[10].message == "noted\nsee ticket 12"
    assert all(failure.at_ns for failure in found)
    assert [f.frame.path for f in found[9].stack] == ["/srv/demo/traceback/gen.py"], "<cfg> was not running"


def test_a_message_ends_where_the_next_record_begins() -> None:
    assert only(PLAIN + "2026-11-21 09:33:00,000 INFO next\n").message == "bad quantity -1"
    assert only(PLAIN + "INFO:root:next\n").message == "bad quantity -1"
    assert only(PLAIN + "\nanother text\n").message == "bad quantity -1"
    assert [f.message for f in failures(PLAIN + PLAIN)] == ["bad quantity -1"] * 2


def test_an_exception_without_a_message() -> None:
    assert only('Traceback (most recent call last):\n  File "a.py", line 1, in f\nKeyboardInterrupt\n').message == ""


def test_a_traceback_that_breaks_off_is_told() -> None:
    report = Report()
    assert len(failures(PLAIN + PLAIN[:100], report)) == 1
    assert report.skipped == {"traceback without an end": 1}


def test_a_text_without_a_traceback_is_refused_in_one_line() -> None:
    with pytest.raises(NotATrace, match="without a Python traceback"):
        failures("hello\n")


def test_utf16_windows_line_ends_and_colours() -> None:
    assert len(only(PLAIN.encode("utf-16")).stack) == 3
    assert len(only(PLAIN.replace("\n", "\r\n")).stack) == 3
    assert len(only(PLAIN.replace("line_total", "\x1b[35mline_total\x1b[0m")).stack) == 3


def test_pytest_short_and_long_say_the_same() -> None:
    short, long = (only((SAMPLES / name).read_bytes()) for name in ("pytest_short.txt", "pytest_long.txt"))
    assert [f.frame.line for f in short.stack] == [f.frame.line for f in long.stack] == [5, 15, 11, 18, 18, 25]
    assert [f.source for f in short.stack] == [f.source for f in long.stack]
    assert short.type == long.type == "shop.models.OrderError"
    assert short.message == long.message == "bad quantity -1 for  sku-3"
    assert short.test == long.test == "test_fail.py::test_fail"
    assert dict(long.stack[1].locals)["tier"].text == "'none'"


def test_junit_says_what_pytest_says() -> None:
    data = (SAMPLES / "junit_long.xml").read_bytes()
    (failure,) = [r for r in junit.read(io.BytesIO(data), Report()) if isinstance(r, Failure)]
    long = only((SAMPLES / "pytest_long.txt").read_bytes())
    assert (failure.type, failure.message, failure.test) == (long.type, long.message, long.test)
    assert [f.frame for f in failure.stack] == [f.frame for f in long.stack]
    assert failure.at_ns


def test_pytests_plain_asserts_and_native_style() -> None:
    text = """\
=================================== FAILURES ===================================
____________________________ TestOrders.test_a[1.5] ____________________________
tests/test_x.py:5: in test_a
    assert f() == 2
E   assert 1 == 2
E    +  where 1 = f()
___________________________________ test_b _____________________________________
Traceback (most recent call last):
  File "/srv/tests/test_x.py", line 9, in test_b
    f(1)
ZeroDivisionError: division by zero
=========================== short test summary info ============================
"""
    first, second = failures(text)
    assert (first.type, first.test) == ("AssertionError", "tests/test_x.py::TestOrders::test_a[1.5]")
    assert first.message == "assert 1 == 2\n+  where 1 = f()"
    assert second.type == "ZeroDivisionError"
