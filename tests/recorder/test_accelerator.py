"""The accelerator against its reference: the same program, recorded by both, gives the same facts."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.recorder.conftest import INTERPRETERS, Recorded, Recording
from tests.recorder.test_counting import KNOWN
from tracelens_indexer.traces.records import Count, EdgeCount, ValueCount
from tracelens_recorder import container, payloads
from tracelens_recorder.launch import Options

BUILD = Path(__file__).resolve().parents[2] / "recorder-accelerator/build.py"
EXACT = Options(exact=True, sample_interval=0)


@pytest.fixture(params=[one for one in ("3.12", "3.13") if one in INTERPRETERS], scope="module")
def fast_python(request: pytest.FixtureRequest) -> str:
    python = INTERPRETERS[request.param]
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("NO C COMPILER: the accelerator is neither built nor tested")
    built = subprocess.run([python, BUILD, "--required"], capture_output=True, text=True)
    if built.returncode and "headers" in built.stderr:
        pytest.skip(f"the accelerator cannot be built: {built.stderr}")
    assert built.returncode == 0, built.stderr
    return python


Facts = dict[str, Any]


def facts(recorded: Recorded) -> Facts:
    """What does not hang on the clock, from the one process that says the most."""
    assert recorded.process.returncode == 0, recorded.process.stderr
    records = max((recorded.records(file) for file in recorded.files), key=len)
    counts = {
        one.frame: (one.calls, one.resumes, one.errors, one.counting, sum(n for _, n in one.durations), one.tests)
        for one in records
        if isinstance(one, Count)
    }
    edges = {
        (one.caller.name, one.site_line, one.callee.name): one.calls for one in records if isinstance(one, EdgeCount)
    }
    values = {
        (one.frame.name, one.slot, one.value, one.outcome, one.low, one.high): one.calls
        for one in records
        if isinstance(one, ValueCount)
    }
    failures = sorted((one.type, one.message, len(one.stack), one.count) for one in recorded.failures)
    return {"counts": counts, "edges": edges, "values": values, "failures": failures}


def both(record: Recording, python: str, source: str) -> tuple[Facts, Facts, Recorded]:
    fast = record(python, source, options=EXACT)
    said = fast.process.stdout
    assert core_of(fast) == "c"
    found = facts(fast)
    for file in fast.files:
        file.unlink()
    slow = record(python, source, options=EXACT, env={"TRACELENS_ACCELERATOR": "0"})
    assert core_of(slow) == "python"
    assert slow.process.stdout == said
    return found, facts(slow), slow


def core_of(recorded: Recorded) -> str:
    with recorded.files[0].open("rb") as stream:
        return next(json.loads(data)["core"] for kind, data in container.frames(stream) if kind == payloads.RUN)


def test_it_counts_what_the_reference_counts(fast_python: str, record: Recording, tmp_path: Path) -> None:
    fast, slow, _ = both(record, fast_python, KNOWN)
    assert fast["counts"] == slow["counts"]
    assert fast["edges"] == slow["edges"]
    assert fast["values"] == slow["values"]
    assert fast["failures"] == slow["failures"]
    assert any(name == "fib" for name, *_ in fast["values"])


VALUES = '''
import collections, dataclasses, enum

class Color(enum.Enum):
    RED = 1
    BLUE = 2

class Loud:
    """Says so when anything of it runs."""
    def __repr__(self): print("repr"); return "loud"
    def __len__(self): print("len"); return 1
    def __eq__(self, other): print("eq"); return True
    def __hash__(self): print("hash"); return 1
    def __bool__(self): print("bool"); return True
    def __getattr__(self, name): print("getattr", name); raise AttributeError

class Text(str):
    def __len__(self): print("len"); return 1
    def __hash__(self): print("hash"); return 1

def take(value, password=None, *more, only=1, **rest):
    def inner():
        return value
    return inner()

def many(n):
    return n * 0.5

def fails(n):
    if n % 3 == 0:
        raise (KeyError if n % 2 else ValueError)(n)
    return n

def unpacks(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z):
    return a

values = [None, True, False, 0, 1, -1, 2**63 - 1, -2**63, 2**63, 2**200, 0.0, -0.0, float("nan"), float("inf"), 1.5,
          "", "a", "é", "x" * 200, "y" * 201, b"", b"ab", b"z" * 300, bytearray(b"q"), [], [1], (), (1, 2), {}, {1: 2},
          set(), {1}, frozenset([3]), Color.RED, Color.BLUE, Loud(), Text("abc"), int, len, take, object(),
          collections.OrderedDict(a=1), 1j, range(3), "ann@example.com", "4111111111111111", 4111111111111111]
for value in values:
    take(value)
    take(value, "hunter2", value, only=value, key=value)
for n in range(300):
    many(n)
    many(str(n))
    many([0] * n) if False else None
for n in range(12):
    try:
        fails(n)
    except (KeyError, ValueError):
        pass
unpacks(*range(26))
for n in range(100):
    take(type(f"T{n}", (), {})())
'''


def test_values_are_told_apart_by_the_same_rules(fast_python: str, record: Recording, tmp_path: Path) -> None:
    source = VALUES.replace("return n * 0.5", "return n * 2")
    fast, slow, recorded = both(record, fast_python, source)
    assert recorded.process.stdout == "", "nothing of the program's ran"
    assert fast["values"] == slow["values"]
    assert fast["counts"] == slow["counts"]
    found = fast["values"]
    assert {key[2].text for key in found if key[1] == "password"} == {"None", "[redacted]"}
    assert not [key for key in found if "hunter2" in key[2].text or "ann@" in key[2].text or "41111111" in key[2].text]
    raised = {(key[2].text, key[3]) for key in found if key[0] == "fails" and key[1] == "n"}
    assert {("3", "KeyError"), ("6", "ValueError"), ("1", "")} <= raised
    others = [key for key in found if key[0] == "many" and key[1] == "n" and not key[2].text and key[2].type == "int"]
    assert [(key[4], key[5], found[key]) for key in others] == [(32.0, 299.0, 268)]
    calls = {key[1]: 0 for key in found if key[0] == "take"}
    for key, n in found.items():
        if key[0] == "take":
            calls[key[1]] += n
    assert set(calls.values()) == {fast["counts"][next(f for f in fast["counts"] if f.name == "take")][0]}


PROCESS = """
import asyncio, os, sys, threading

def work(n):
    return [leaf(i) for i in range(n)]

def leaf(i):
    if i == 7:
        raise LookupError("seven")
    return i

def numbers():
    try:
        yield 1
        yield 2
    except ValueError:
        yield 3

async def ticks():
    for i in range(3):
        await asyncio.sleep(0)
        yield i

async def waits():
    await asyncio.sleep(30)

async def top():
    task = asyncio.ensure_future(waits())
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    return [i async for i in ticks()]

def thread():
    for _ in range(200):
        work(5)

def deep(n):
    return n and deep(n - 1)

sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=thread) for _ in range(8)]
[one.start() for one in threads]
[one.join() for one in threads]
for _ in range(3):
    try:
        work(9)
    except LookupError:
        pass
it = numbers()
next(it)
print(it.throw(ValueError))
half = numbers()
next(half)
print(asyncio.run(top()))
deep(300)
try:
    deep(5000)
except RecursionError:
    print("too deep")
"""


def test_threads_tasks_and_exceptions_are_counted_alike(fast_python: str, record: Recording, tmp_path: Path) -> None:
    fast, slow, _ = both(record, fast_python, PROCESS.replace("deep(5000)", "deep(20)"))
    assert fast["counts"] == slow["counts"]
    assert fast["edges"] == slow["edges"]
    assert fast["values"] == slow["values"]
    assert fast["failures"] == slow["failures"]
    work = next(frame for frame in fast["counts"] if frame.name == "work")
    assert fast["counts"][work][:4] == (1603, 0, 3, "exact")


def test_a_recursion_without_end_is_survived(fast_python: str, record: Recording) -> None:
    recorded = record(fast_python, PROCESS, options=EXACT)
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert recorded.process.stdout.endswith("too deep\n")


def test_a_forked_child_begins_anew(fast_python: str, record: Recording) -> None:
    recorded = record(
        fast_python,
        """
        import os
        def f(n):
            return n
        for n in range(5):
            f(n)
        def parent():
            child = os.fork()
            if not child:
                f(7)
                f("seven")
                import sys
                sys.exit(0)
            os.waitpid(child, 0)
        parent()
        f(8)
        """,
        options=EXACT,
    )
    assert len(recorded.files) == 2
    seen = []
    for file in recorded.files:
        records = recorded.records(file)
        calls = {one.frame.name: one.calls for one in records if isinstance(one, Count)}
        texts = [one.value.text for one in records if isinstance(one, ValueCount) and one.slot == "n"]
        seen.append((calls["f"], sorted(texts)))
    assert sorted(seen) == [(2, ["'seven'", "7"]), (6, ["0", "1", "2", "3", "4", "8"])]


def test_it_is_not_taken_from_the_working_directory(fast_python: str, record: Recording, tmp_path: Path) -> None:
    name = "_tracelens_core.py"
    (tmp_path / "project").mkdir(exist_ok=True)
    (tmp_path / "project" / name).write_text("raise SystemExit('stolen')")
    recorded = record(fast_python, "def f(): return 1\nf()\n", options=EXACT)
    assert recorded.process.returncode == 0 and core_of(recorded) == "c"


def test_tests_are_named_by_it_too(fast_python: str, record: Recording, tmp_path: Path) -> None:
    source = """
        import os
        def half(n):
            return n / 2
        for name in ("tests/test_a.py::one (setup)", "tests/test_a.py::one (call)", "tests/test_a.py::two (call)"):
            os.environ["PYTEST_CURRENT_TEST"] = name
            half(2)
            half(4)
        del os.environ["PYTEST_CURRENT_TEST"]
        half(6)
        """
    fast, slow, _ = both(record, fast_python, source)
    assert fast["counts"] == slow["counts"]
    ((*_, tests),) = [one for frame, one in fast["counts"].items() if frame.name == "half"]
    assert dict(tests) == {"tests/test_a.py::one": 4, "tests/test_a.py::two": 2}
