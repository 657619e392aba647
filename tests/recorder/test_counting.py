"""Numbers against programs whose numbers are known by reading them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.recorder.conftest import INTERPRETERS, Recording
from tracelens_recorder.launch import Options

MODERN = [INTERPRETERS[version] for version in ("3.12", "3.13") if version in INTERPRETERS]
"""The interpreters that have sys.monitoring, and a budget."""

KNOWN = """
    import asyncio
    import functools
    import threading


    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)


    def numbers(n):
        for i in range(n):
            yield i


    def delegating(n):
        got = yield from numbers(n)
        return got


    async def leaf(i):
        await asyncio.sleep(0)
        return i


    async def branch():
        return await asyncio.gather(*(leaf(i) for i in range(7)))


    async def ticks(n):
        for i in range(n):
            await asyncio.sleep(0)
            yield i


    async def top():
        total = [i async for i in ticks(3)]
        return await branch(), total


    def deco(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper


    @deco
    def decorated(x):
        return x


    double = lambda x: x * 2


    def worker(n):
        for _ in range(n):
            double(1)


    def raises():
        raise ValueError("no")


    def passes():
        raises()


    def handles():
        try:
            passes()
        except ValueError:
            return "handled"


    class Thing:
        @property
        def size(self):
            return 1

        def method(self):
            return [self.size for _ in range(4)]


    fib(10)
    list(numbers(5))
    list(delegating(3))
    abandoned = numbers(3)
    next(abandoned)
    abandoned.close()
    asyncio.run(top())
    decorated(1)
    decorated(2)
    threads = [threading.Thread(target=worker, args=(500,)) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for _ in range(6):
        handles()
    Thing().method()
"""


def test_every_call_is_counted_and_no_resume_is_a_call(python: str, record: Recording) -> None:
    recorded = record(python, KNOWN)
    assert recorded.process.returncode == 0, recorded.process.stderr
    counts = recorded.counts
    assert {name: count.calls for name, count in counts.items()} == {
        "fib": 177,
        "numbers": 3,
        "delegating": 1,
        "leaf": 7,
        "branch": 1,
        "ticks": 1,
        "top": 1,
        "deco": 1,
        "wrapper": 2,
        "decorated": 2,
        "<lambda>": 2000,
        "worker": 4,
        "raises": 6,
        "passes": 6,
        "handles": 6,
        "size": 4,
        "method": 1,
    }
    assert {name for name, count in counts.items() if count.counting != "exact"} == set()
    assert {name: count.errors for name, count in counts.items() if count.errors} == {"raises": 6, "passes": 6}
    assert counts["leaf"].resumes == 7
    assert counts["fib"].resumes == 0
    assert counts["numbers"].resumes >= 8
    assert sum(n for _, n in counts["fib"].durations) == 177
    assert counts["worker"].total_ns >= counts["worker"].self_ns > 0
    assert 0 <= counts["fib"].min_ns <= counts["fib"].max_ns == counts["fib"].total_ns, "recursion is counted once"


def test_edges_name_the_caller_and_the_line_of_the_call(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """\
        def callee():
            return 1

        def caller():
            callee()
            return [callee() for _ in range(3)]

        caller()
        sorted([3, 1], key=lambda x: callee())
        """,
    )
    assert recorded.edges == {
        ("caller", "callee", 5): 1,
        ("caller", "callee", 6): 3,
        ("<module>", "caller", 8): 1,
        ("<module>", "<lambda>", 9): 2,
        ("<lambda>", "callee", 9): 2,
    }


OFTEN = """
    def often(i):
        if i == 899:
            raise KeyError(i)

    for i in range(%d):
        try:
            often(i)
        except KeyError:
            pass
"""


def test_a_parked_function_says_at_least(python: str, record: Recording) -> None:
    modern = python in MODERN
    calls = 300_000 if modern else 900
    recorded = record(python, OFTEN % calls, options=Options(limit=100, budget=0.01))
    count = recorded.counts["often"]
    assert count.counting == "at least"
    assert count.calls < calls if modern else 99 <= count.calls <= 100
    assert count.errors == 1
    assert any("at least" in note for note in recorded.facts.notes)


def test_exact_never_parks(python: str, record: Recording) -> None:
    recorded = record(python, "def f(): pass\nfor _ in range(900): f()", options=Options(limit=100, exact=True))
    assert (recorded.counts["f"].calls, recorded.counts["f"].counting) == (900, "exact")


def test_early_calls_are_captured_and_later_ones_drawn(python: str, record: Recording) -> None:
    recorded = record(python, "def f(n): return -n\nfor n in range(1, 3000): f(n)")
    calls = {int(dict(call.arguments)["n"].number or 0): call for call in recorded.calls}
    assert set(range(1, 17)) < set(calls)
    assert {call.chosen for n, call in calls.items() if n <= 16} == {"early"}
    late = [call for n, call in calls.items() if n > 16]
    assert 5 <= len(late) <= 200
    assert {call.chosen for call in late} == {"reservoir"}
    assert max(calls) > 1000, "late values are seen"
    assert 500 < sum(call.represents for call in calls.values()) < 10_000, "they stand for nearly all calls"


def test_other_peoples_code_is_not_recorded(python: str, record: Recording, tmp_path: Path) -> None:
    for folder in ("site-packages", "env/lib", "node_modules", "build/lib"):
        place = tmp_path / "project" / folder
        place.mkdir(parents=True)
        (place / (folder.replace("/", "_").replace("-", "_") + ".py")).write_text("def other(): return 1\n")
    (tmp_path / "project/env/pyvenv.cfg").write_text("")
    recorded = record(
        python,
        """
        import json, sys, os
        sys.path += ["site-packages", "env/lib", "node_modules", "build/lib"]
        import site_packages, env_lib, node_modules, build_lib
        for module in (site_packages, env_lib, node_modules, build_lib):
            module.other()
        exec("def made_up(): return 1\\nmade_up()")
        def ours(): return json.dumps({"a": 1})
        ours()
        """,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert set(recorded.counts) == {"ours"}


def test_the_blob_id_is_gits(python: str, record: Recording, tmp_path: Path) -> None:
    recorded = record(python, "def f(): pass\nf()\n")
    git = subprocess.run(["git", "hash-object", tmp_path / "project/program.py"], capture_output=True, text=True)
    assert dict(recorded.facts.blobs) == {"program.py": git.stdout.strip()}


def test_samples_find_where_the_time_goes(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import time
        def slow():
            end = time.perf_counter() + 0.4
            while time.perf_counter() < end:
                pass
        def quick():
            return 1
        slow()
        quick()
        """,
    )
    seconds: dict[str, float] = {}
    for sample in recorded.samples:
        name = sample.stack[-1].name
        seconds[name] = seconds.get(name, 0) + sample.weight
        assert sample.unit == "seconds"
    assert max(seconds, key=lambda name: seconds[name]) == "slow"


def test_time_in_which_the_program_did_not_run_is_nobodys(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import os, subprocess, time
        def stopped():
            stop = f"kill -STOP {os.getpid()}; sleep 1; kill -CONT {os.getpid()}"
            begun = time.perf_counter()
            stopper = subprocess.Popen(["sh", "-c", stop])
            while time.perf_counter() < begun + 1.2:
                pass
            stopper.wait()
        stopped()
        """,
    )
    assert recorded.counts["stopped"].total_ns > 1_000_000_000
    assert sum(sample.weight for sample in recorded.samples) < 0.8


def test_threads_that_meet_a_function_at_once_lose_no_call(python: str, record: Recording) -> None:
    names = [f"f{i}" for i in range(60)]
    source = "import sys, threading\nsys.setswitchinterval(1e-6)\nstart = threading.Barrier(8)\n"
    source += "".join(f"def {name}(): pass\n" for name in names)
    source += "def work():\n    start.wait()\n" + "".join(f"    {name}()\n" for name in names)
    source += (
        "ts = [threading.Thread(target=work) for _ in range(8)]\n[t.start() for t in ts]\n[t.join() for t in ts]\n"
    )
    counts = record(python, source).counts
    assert {name: counts[name].calls for name in names} == dict.fromkeys(names, 8)


def test_what_the_event_loop_runs_is_not_called_by_whoever_started_it(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """\
        import asyncio

        async def awaited():
            await asyncio.sleep(0)

        async def task():
            await awaited()

        async def main():
            await asyncio.gather(task(), task())

        asyncio.run(main())
        """,
    )
    assert recorded.edges == {("task", "awaited", 7): 2}
    assert recorded.counts["awaited"].calls == 2


def test_a_script_started_through_a_link_is_in_scope(python: str, record: Recording, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "project")
    (tmp_path / "project/linked.py").write_text("def f(): pass\nf()\n")
    recorded = record(python, command=[str(tmp_path / "link/linked.py")])
    assert recorded.counts["f"].frame.path == "linked.py"
