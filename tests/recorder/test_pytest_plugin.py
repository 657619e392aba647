"""pytest --tracelens."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.recorder.conftest import Recorded
from tracelens_recorder.launch import Options, environment

RECORDER = Path(__file__).parents[2] / "recorder"
TESTS = """
import pytest

def price(qty, each=2):
    return qty * each

def total(quantities):
    return sum(price(one) for one in quantities)

@pytest.mark.parametrize("n", range(20))
def test_passes(n):
    assert price(n) == 2 * n

def test_catches():
    with pytest.raises(TypeError):
        price(None)

def test_fails():
    assert total([7, 8]) == 0

@pytest.fixture
def broken():
    return price(None)

def test_cannot_begin(broken):
    pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_shop.py").write_text(textwrap.dedent(TESTS))
    (tmp_path / "pyproject.toml").touch()
    return tmp_path


def run_pytest(project: Path, *arguments: str, under: dict[str, str] | None = None) -> Recorded:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TRACELENS", "PYTEST", "PYTHONPATH"))}
    environ["PYTHONPATH"] = str(RECORDER)
    environ.update(under or {})
    # As the entry point does, which is there only where the recorder is installed.
    plugin = ["-p", "tracelens_recorder.pytest_plugin", "-p", "no:cacheprovider"]
    installed = "tracelens_recorder.pytest_plugin" in _entry_points()
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *(plugin[2:] if installed else plugin), *arguments],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return Recorded(process, sorted([*project.glob(".tracelens/incoming/*/*.tlrec"), *project.glob("out/*.tlrec")]))


def _entry_points() -> set[str]:
    from importlib.metadata import entry_points

    return {one.value for one in entry_points(group="pytest11")}


def test_tests_are_recorded_with_their_names(project: Path) -> None:
    recorded = run_pytest(project, "--tracelens", "--tracelens-exact")
    assert "21 passed" in recorded.process.stdout, recorded.process.stdout + recorded.process.stderr
    assert "TraceLens: the tests are recorded" in recorded.process.stdout
    assert recorded.counts["price"].calls == 24
    assert dict(recorded.counts["price"].tests)["test_shop.py::test_passes[3]"] == 1
    assert {call.test for call in recorded.calls} >= {"test_shop.py::test_passes[0]", "test_shop.py::test_fails"}


def test_of_passing_tests_nothing_is_kept_where_failing_ones_are_asked_for(project: Path) -> None:
    recorded = run_pytest(project, "--tracelens=failed")
    assert {call.test for call in recorded.calls} == {"test_shop.py::test_fails", "test_shop.py::test_cannot_begin"}
    given = [dict(call.arguments)["qty"].text for call in recorded.calls if call.frame.name == "price"]
    assert given == ["7", "8", "None"], "all their calls, though the function was called often before"
    assert (recorded.counts["price"].calls, recorded.counts["price"].counting) == (3, "at least")
    assert {one.type for one in recorded.failures} == {"AssertionError", "TypeError"}
    assert {one.test for one in recorded.failures} == {"test_shop.py::test_fails", "test_shop.py::test_cannot_begin"}


def test_workers_of_xdist_record_into_one_folder(project: Path) -> None:
    pytest.importorskip("xdist")
    recorded = run_pytest(project, "--tracelens", "--tracelens-exact", "-n", "2")
    assert "21 passed" in recorded.process.stdout, recorded.process.stdout + recorded.process.stderr
    assert len(recorded.files) == 2
    assert len({file.parent for file in recorded.files}) == 1
    calls = sum(Recorded(recorded.process, [file]).counts["price"].calls for file in recorded.files)
    assert calls == 24


def test_a_process_that_is_recorded_already_is_not_recorded_twice(project: Path) -> None:
    out = project / "out"
    out.mkdir()
    recorded = run_pytest(project, "--tracelens=failed", under=environment(str(out), str(project), Options(exact=True)))
    assert [file.parent.name for file in recorded.files] == ["out"]
    assert {call.test for call in recorded.calls} == {"test_shop.py::test_fails", "test_shop.py::test_cannot_begin"}
    assert "warning" not in recorded.process.stdout


def test_without_the_option_nothing_happens(project: Path) -> None:
    recorded = run_pytest(project)
    assert not (project / ".tracelens").exists()
    assert "TraceLens" not in recorded.process.stdout
