"""Ways to start, to fork and to end; and that the program does not notice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recorder.conftest import INTERPRETERS, Recording
from tracelens_indexer.traces.records import Call, Count, RunFacts
from tracelens_recorder.launch import Options, environment


def test_kill_9_leaves_a_readable_file(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import os, signal, time

        def f(n):
            if n == 7:
                raise ValueError(n)
            return n

        for n in range(20):
            try:
                f(n)
            except ValueError:
                pass
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert recorded.process.returncode == -signal.SIGKILL
    assert recorded.counts["f"].calls == 20
    assert recorded.counts["f"].counting == "at least", "the end is missing, so there may have been more"
    assert any("no end" in note for note in recorded.facts.notes)
    assert [one.message for one in recorded.failures] == ["7"]


@pytest.mark.parametrize(
    ("ending", "code"),
    [("sys.exit(5)", 5), ("raise KeyboardInterrupt", -signal.SIGINT), ("os._exit(4)", 4), ("1 / 0", 1)],
)
def test_every_end_leaves_a_readable_file(python: str, record: Recording, ending: str, code: int) -> None:
    recorded = record(
        python,
        f"""
        import os, sys, time
        def f(): return 1
        f()
        time.sleep(0.5)
        {ending}
        """,
    )
    assert recorded.process.returncode == code
    assert recorded.counts["f"].calls == 1
    assert "tracelens" not in recorded.process.stderr


def test_children_record_themselves(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import multiprocessing, os, subprocess, sys

        def child(n):
            return n * 2

        def parent():
            for method in ("spawn", "fork"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    assert pool.map(child, [1, 2, 3]) == [2, 4, 6]
                    pool.close()
                    pool.join()
            subprocess.run([sys.executable, "-c", "import program; program.child(9)"], check=True)
            pid = os.fork()
            if pid == 0:
                child(5)
                sys.exit(0)
            os.waitpid(pid, 0)

        if __name__ == "__main__":
            parent()
        """,
        env={"PYTHONWARNINGS": "error", "PYTHONPATH": "."},
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    files = {file: recorded.records(file) for file in recorded.files}
    calls = sorted(
        one.calls
        for records in files.values()
        for one in records
        if isinstance(one, Count) and one.frame.name == "child"
    )
    assert calls == [1, 1, 3, 3]
    ended = [one for records in files.values() for one in records if isinstance(one, RunFacts)]
    assert not any("no end" in note for one in ended for note in one.notes)


def test_a_thread_is_not_seen_and_fork_does_not_warn(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import os, sys, threading, warnings
        warnings.simplefilter("error")
        def f():
            print(threading.active_count(), [p for p in sys.path if "tracelens" in p], sys.gettrace() is None or 1)
        f()
        for _ in range(5):
            pid = os.fork()
            if not pid:
                os._exit(0)
            os.waitpid(pid, 0)
        """,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert recorded.process.stdout.startswith("1 [] ")


def test_the_users_own_sitecustomize_runs_too(python: str, record: Recording, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sitecustomize.py").write_text(f"import builtins; builtins.SITE = {name!r}\n")
    recorded = record(
        python,
        "import sitecustomize\ndef f(): print(SITE, sitecustomize.__file__)\nf()",
        env={"PYTHONPATH": f"{tmp_path / 'first'}:{tmp_path / 'second'}"},
    )
    assert recorded.process.stdout.split() == ["first", str(tmp_path / "first/sitecustomize.py")]
    assert recorded.counts["f"].calls == 1


@pytest.mark.parametrize("flag", ["-S", "-I", "-E"])
def test_where_python_is_told_not_to_look_nothing_is_recorded_and_nothing_breaks(
    python: str, record: Recording, flag: str
) -> None:
    recorded = record(python, "def f(): print('ran')\nf()", command=[flag, "program.py"])
    assert (recorded.process.returncode, recorded.process.stdout, recorded.process.stderr) == (0, "ran\n", "")
    assert recorded.files == []


def test_the_recorder_is_never_imported_from_the_working_directory(
    python: str, record: Recording, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    for name in ("tracelens_recorder.py", "json.py.txt", "sitecustomize.py"):
        (project / name).write_text("raise SystemExit('hijacked')\n")
    recorded = record(python, "def f(): print('ran')\nf()")
    assert recorded.process.stdout == "ran\n", recorded.process.stderr
    assert recorded.counts["f"].calls == 1


def test_a_fault_of_the_recorder_does_not_reach_the_program(python: str, record: Recording, tmp_path: Path) -> None:
    (tmp_path / "faults").mkdir()
    (tmp_path / "faults/sitecustomize.py").write_text(
        "from tracelens_recorder import captures\n"
        "def broken(value, name=''):\n"
        "    raise ZeroDivisionError('injected')\n"
        "captures.observe = broken\n"
    )
    recorded = record(
        python,
        "def f(n): return n + 1\nprint(f(1), f(2))\ntry:\n    f('x')\nexcept TypeError:\n    print('own')",
        env={"PYTHONPATH": str(tmp_path / "faults")},
    )
    assert recorded.process.stdout.split() == ["2", "3", "own"], recorded.process.stderr
    assert recorded.process.stderr == ""
    assert any("recorder failed" in note for note in recorded.facts.notes)
    assert {count.counting for count in recorded.counts.values()} <= {"at least"}


def test_an_exception_from_a_signal_handler_reaches_the_program(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import signal
        class Alarm(Exception): pass
        def handler(*args): raise Alarm
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        def f(values): return values
        def loop():
            while True:
                f([1, {"a": 2}, "x" * 100])
        try:
            loop()
        except Alarm:
            print("alarm")
        """,
        options=Options(exact=True),
    )
    assert recorded.process.stdout == "alarm\n", recorded.process.stderr


def test_no_free_tool_id_is_said(modern_python: str, record: Recording, tmp_path: Path) -> None:
    recorded = record(
        modern_python,
        "def f(): pass\nf()",
        command=[
            "-c",
            "import sys, os, tracelens_recorder.process as p\n"
            "p._recorder.stop(); p._recorder = None\n"
            "for i in range(6): sys.monitoring.use_tool_id(i, 'x')\n"
            "p.start_from_environment()\n",
        ],
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert any("no two free tool ids" in note for file in recorded.files for note in recorded.records(file)[0].notes)  # type: ignore[union-attr]


def test_modules_and_options(python: str, record: Recording, tmp_path: Path) -> None:
    package = tmp_path / "project/pack"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("def f(x): return x\nf('v')\n")
    recorded = record(python, command=["-m", "pack"], options=Options(values=False))
    assert recorded.counts["f"].calls == 1
    (call,) = recorded.calls
    assert call.arguments == () and call.frame.path == "pack/__main__.py"


def test_no_secret_reaches_the_disk(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        class Login:
            def __init__(self, user, password):
                self.user, self.password = user, password

        def log_in(login, headers, url, api_key="k-9f8e7d6c"):
            if login.password:
                raise PermissionError(f"password=hunter2 for {url}")
            return login

        try:
            log_in(Login("ann@example.com", "hunter2"), {"Cookie": "c00kie!"}, "postgres://u:dsnpw@h/d")
        except PermissionError:
            pass
        """,
    )
    data = recorded.files[0].read_bytes()
    for secret in (b"hunter2 for", b"'hunter2'", b"ann@example.com", b"c00kie!", b"dsnpw", b"k-9f8e7d6c"):
        assert secret not in data, secret
    assert recorded.facts.redacted >= 5


def _pytest_path(tmp_path: Path) -> str:
    """A folder with pytest alone, for interpreters that have none: it is pure Python."""
    folder = tmp_path / "pytest_only"
    folder.mkdir()
    for name in ("pytest", "_pytest", "py.py", "pluggy", "iniconfig", "packaging", "pygments", "xdist", "execnet",
                 "exceptiongroup", "tomli", "typing_extensions.py", "pytest_xdist"):  # fmt: skip
        for place in (Path(one) for one in sys.path if one.endswith("site-packages")):
            for found in (place / name, *place.glob(f"{name}-*.dist-info")):
                if found.exists() and not (folder / found.name).exists():
                    (folder / found.name).symlink_to(found)
    return str(folder)


@pytest.mark.parametrize("workers", [[], ["-n2", "-p", "xdist"]], ids=["plain", "xdist"])
@pytest.mark.parametrize("version", [one for one in ("3.11", "3.12", "3.13") if one in INTERPRETERS])
def test_tests_are_named(version: str, workers: list[str], record: Recording, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "test_it.py").write_text(
        "import pytest\nfrom code_under import half\n"
        "@pytest.fixture\ndef two(): return half(4)\n"
        "def test_a(two): assert half(two) == 1\n"
        "@pytest.mark.parametrize('n', [2, 4])\ndef test_b(n): assert half(n)\n"
        "def test_fails():\n    with pytest.raises(TypeError): half('x')\n"
        "@pytest.mark.skip\ndef test_skipped(): half(1)\n"
    )
    (project / "code_under.py").write_text("def half(n): return n / 2\n")
    recorded = record(
        INTERPRETERS[version],
        command=["-m", "pytest", "-q", "-p", "no:cacheprovider", *workers],
        env={"PYTHONPATH": _pytest_path(tmp_path), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
    )
    assert recorded.process.returncode == 0, recorded.process.stdout + recorded.process.stderr
    by_test: dict[str, int] = {}
    named = []
    for file in recorded.files:
        for one in recorded.records(file):
            if isinstance(one, Count) and one.frame.name == "half":
                for test, n in one.tests:
                    by_test[test] = by_test.get(test, 0) + n
            if isinstance(one, Call) and one.frame.name == "half":
                named.append(one.test)
    assert by_test == {
        "test_it.py::test_a": 2, "test_it.py::test_b[2]": 1, "test_it.py::test_b[4]": 1, "test_it.py::test_fails": 1,
    }  # fmt: skip
    assert sorted(named) == sorted(test for test, n in by_test.items() for _ in range(n))
    (failure,) = recorded.failures
    assert (failure.test, failure.type) == ("test_it.py::test_fails", "TypeError")


def test_what_it_costs(python: str, record: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = """
        import time
        def small(a, b):
            return a + b
        def run():
            for i in range(30_000):
                small(i, 1)
        started = time.process_time()
        run()
        print(time.process_time() - started)
    """
    exact = float(record(python, source, options=Options(exact=True)).process.stdout)
    parked = float(record(python, source, options=Options(limit=1000)).process.stdout)
    plain = subprocess.run([python, "program.py"], cwd=tmp_path / "project", capture_output=True, text=True).stdout
    with capsys.disabled():
        costs = f"plain {float(plain) * 1e3:.1f} ms, exact {exact * 1e3:.0f} ms, parked {parked * 1e3:.0f} ms"
        print(f"\n  {python}: 30,000 calls: {costs}")


def test_a_python_path_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", "/one:/two")
    added = environment(str(tmp_path), str(tmp_path), Options())
    assert added["PYTHONPATH"].split(":")[1:] == ["/one", "/two"]
    assert Options.from_json(added["TRACELENS_OPTIONS"]) == Options()
    assert Options.from_json('{"limit": "x", "exact": 1, "unknown": 2}') == Options()


def test_a_debugger_in_the_program_works_and_the_loss_is_said(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        import sys

        lines = []

        def tracer(frame, event, arg):
            if frame.f_code.co_name == "traced" and event == "line":
                lines.append(frame.f_lineno)
            return tracer

        def traced(n):
            if n:
                raise ValueError(n)

        def run():
            for n in (0, 1):
                try:
                    traced(n)
                except ValueError:
                    pass

        sys.settrace(tracer)
        run()
        sys.settrace(None)
        print(len(lines))
        """,
    )
    assert recorded.process.stdout == "3\n", recorded.process.stderr
    counts = recorded.counts
    assert (counts["traced"].calls, counts["traced"].errors) == (2, 1)
    assert recorded.failures or any("tracer" in note for note in recorded.facts.notes)


def test_the_clock_may_be_replaced(python: str, record: Recording) -> None:
    """As freezegun does it: in every module that has it."""
    recorded = record(
        python,
        """
        import sys, time
        real = {name: getattr(time, name) for name in ("time_ns", "perf_counter_ns", "sleep")}
        for module in list(sys.modules.values()):
            for name, value in list(vars(module).items()) if hasattr(module, "__dict__") else ():
                for clock, function in real.items():
                    if value is function:
                        setattr(module, name, lambda *args: 0)
        def f():
            real["sleep"](0.02)
        f()
        """,
    )
    assert recorded.counts["f"].total_ns > 15_000_000


def test_the_programs_modules_are_found_before_the_standard_librarys(
    python: str, record: Recording, tmp_path: Path
) -> None:
    """As they are without us: what the recorder has imported would be found in place of them."""
    names = ("token", "inspect", "dis", "ast", "code", "queue", "platform", "tokenize", "linecache", "random", "copy")
    for name in names:
        (tmp_path / f"project/{name}.py").write_text("mine = True\n")
    recorded = record(
        python,
        f"def f():\n    for name in {names}:\n        print(name, hasattr(__import__(name), 'mine'))\nf()",
    )
    plain = subprocess.run([python, "program.py"], cwd=tmp_path / "project", capture_output=True, text=True)
    assert recorded.process.stdout == plain.stdout
    assert recorded.counts["f"].calls == 1


def test_only_what_a_function_never_rebinds_is_told_of_a_late_capture(python: str, record: Recording) -> None:
    recorded = record(
        python,
        """
        def f(kept, rebound, deleted, cell, looped):
            rebound = rebound + 1
            del deleted
            for looped in (5, 6):
                pass
            def inner():
                nonlocal cell
                cell = 0
            if kept > 400:
                raise ValueError(kept)

        for n in range(1, 440):
            try:
                f(n, n, n, n, n)
            except ValueError:
                pass
        """,
    )
    late = [call for call in recorded.calls if call.chosen == "failure"]
    assert late, "forty calls of which each is drawn with one chance in thirty"
    for call in late:
        assert [name for name, _ in call.arguments] == ["kept"]
        assert (call.replay, call.represents) == (None, 0)
