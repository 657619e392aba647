"""What the recorder may not do to the program: fail in it, block it, grow in it; and what a kill may cost."""

from __future__ import annotations

import signal
import textwrap
from pathlib import Path

import pytest

from tests.recorder.conftest import INTERPRETERS, Recording
from tracelens_recorder.launch import Options

CORES = ["0", "1"]
"""Without and with the accelerator, where it is built."""

WORK = """
    import sys

    def f(n):
        if n % 10 == 3:
            raise ValueError(n)
        return [n, "x" * 50]

    def g(n):
        try:
            return f(n)
        except ValueError:
            return None

    total = sum(g(n) is not None for n in range(3000))
    print(total)
"""


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("exact", [False, True])
def test_a_folder_that_is_not_there_stops_nobody(
    python: str, record: Recording, tmp_path: Path, exact: bool, core: str
) -> None:
    nowhere = {"TRACELENS_OUT": str(tmp_path / "not" / "there"), "TRACELENS_ACCELERATOR": core}
    recorded = record(python, WORK, options=Options(exact=exact), env=nowhere)
    assert (recorded.process.returncode, recorded.process.stdout, recorded.process.stderr) == (0, "2700\n", "")
    assert not recorded.files


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("exact", [False, True])
def test_a_disk_that_is_full_stops_nobody(python: str, record: Recording, exact: bool, core: str) -> None:
    """A file may not grow beyond 20,000 bytes: writing fails in the middle of a frame."""
    full = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
    recorded = record(
        python,
        full + textwrap.dedent(WORK),
        options=Options(exact=exact),
        env={"TRACELENS_ACCELERATOR": core},
    )
    assert (recorded.process.returncode, recorded.process.stdout, recorded.process.stderr) == (0, "2700\n", "")
    (file,) = recorded.files
    assert file.stat().st_size <= 20_000
    assert recorded.records(), "what was written before is readable"


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "broken",
    [
        "captures.Captures.begin",
        "captures.Captures.end",
        "session.Session.choose",
        "session.Session.add",
        "session.Session.raised",
        "failures.Failures.prepare",
        "observed.ObservedValues._entry",
        "writing.RecordingFile.write",
    ],
)
def test_no_error_of_the_recorder_reaches_the_program(
    modern_python: str, record: Recording, tmp_path: Path, broken: str, exact: bool, core: str
) -> None:
    module, kind, name = broken.split(".")
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults/sitecustomize.py").write_text(
        f"from tracelens_recorder import {module}\n"
        "def broken(*args, **kwargs):\n"
        "    raise ZeroDivisionError('injected')\n"
        f"{module}.{kind}.{name} = broken\n"
    )
    environment = {"PYTHONPATH": str(tmp_path / "faults"), "TRACELENS_ACCELERATOR": core}
    recorded = record(modern_python, WORK, options=Options(exact=exact), env=environment)
    assert (recorded.process.returncode, recorded.process.stdout, recorded.process.stderr) == (0, "2700\n", "")


def test_what_was_done_a_while_before_a_kill_is_there(python: str, record: Recording, tmp_path: Path) -> None:
    """The program says what it did, and is killed in the middle. The recorder writes every 200 ms; the test leaves
    it a second, for machines that are busy (benchmarks/recorder.py measures what is lost)."""
    recorded = record(
        python,
        """
        import os, signal, time

        def step(n):
            return n

        said = open("said.txt", "w")
        began = time.monotonic()
        n = 0
        while time.monotonic() - began < 2.5:
            step(n)
            n += 1
            said.write(f"{time.monotonic()}\\n")
            time.sleep(0.002)
        said.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        options=Options(budget=1.0),
    )
    assert recorded.process.returncode == -signal.SIGKILL
    times = list(map(float, (tmp_path / "project/said.txt").read_text().split()))
    there = recorded.counts["step"].calls
    assert there <= len(times)
    assert there >= sum(time < times[-1] - 1.0 for time in times)


MANY = """
    import resource, sys, threading

    def take(text, number, items, **more):
        return text

    def work(base):
        for n in range(200):
            take(f"{base} {n} " + "x" * 150, base * 1000 + n, [n] * (n % 50), key=str(n))

    functions = {}
    exec("\\n".join(f"def f{i}(a, b=None, *c): return [a, b, {i}]" for i in range(2000)), functions)

    for base in range(300):
        thread = threading.Thread(target=work, args=(base,))
        thread.start()
        thread.join()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("exact", [False, True])
def test_it_stays_small_beside_many_threads_and_values(
    modern_python: str, record: Recording, exact: bool, core: str
) -> None:
    plain = record(modern_python, MANY, env={"TRACELENS_OUT": ""})
    recorded = record(modern_python, MANY, options=Options(exact=exact), env={"TRACELENS_ACCELERATOR": core})
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert int(recorded.process.stdout) - int(plain.process.stdout) <= 64
    if exact:
        assert recorded.counts["take"].calls == 60_000


THREADS = """
    import sys, threading

    sys.setswitchinterval(1e-6)

    def take(value): return value
    def bring(value): return value
    def send(value): return value

    gate = threading.Barrier(4)

    def work():
        gate.wait()
        for n in range(60):
            take(n), bring(n), send(n)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


@pytest.mark.parametrize("core", CORES)
def test_threads_that_bring_new_values_at_once_are_counted_in_full(
    modern_python: str, record: Recording, core: str
) -> None:
    recorded = record(
        modern_python, THREADS, options=Options(exact=True, sample_interval=0), env={"TRACELENS_ACCELERATOR": core}
    )
    counts = {name: (recorded.counts[name].calls, recorded.counts[name].counting) for name in ("take", "bring", "send")}
    assert counts == dict.fromkeys(counts, (240, "exact"))


@pytest.mark.skipif("3.12" not in INTERPRETERS and "3.13" not in INTERPRETERS, reason="no sys.monitoring here")
@pytest.mark.parametrize("core", CORES)
def test_other_tools_keep_what_is_theirs(modern_python: str, record: Recording, core: str) -> None:
    """A debugger, a coverage tool and a profiler hold their ids, before and after; what they switch off stays off."""
    recorded = record(
        modern_python,
        """
        import sys
        m = sys.monitoring
        for tool, name in ((0, "debugger"), (1, "coverage"), (2, "profiler")):
            m.use_tool_id(tool, name)
        seen = []
        def line(code, number):
            if code.co_name == "f":
                seen.append(number)
            return m.DISABLE
        m.register_callback(1, m.events.LINE, line)
        m.set_events(1, m.events.LINE)

        def f(n):
            a = n
            return a

        for n in range(5000):
            f(n)
        print(sorted(seen), [m.get_tool(tool) for tool in range(3)], len({m.get_tool(tool) for tool in range(6)}))
        """,
        env={"TRACELENS_ACCELERATOR": core},
    )
    assert recorded.process.stdout == "[15, 16] ['debugger', 'coverage', 'profiler'] 5\n", recorded.process.stderr
    assert recorded.counts["f"].calls == 5000
