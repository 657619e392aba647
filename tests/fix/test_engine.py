"""From a failure to a report that says what was verified, what was not, and why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fix.recorded import Program
from tracelens.fix import apply, propose
from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox
from tracelens_indexer.errors import TraceLensError

needs_sandbox = pytest.mark.skipif(
    isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine"
)
MEAN = "def mean(values):\n    return sum(values) / len(values)\n"


@needs_sandbox
def test_an_accepted_fix_repairs_the_file(tmp_path: Path) -> None:
    program = Program(tmp_path, MEAN)
    failure = program.record("mean", ([1.0, 2.0],), ([],))
    lines: list[str] = []
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, progress=lines.append)
    assert report.best and failure in report.best.evidence and "c:1" in report.best.evidence
    assert report.sandbox and lines[0] == "gathering evidence"
    apply(tmp_path, report.best.patch)
    assert program.record("mean", ([],)) == ""


def test_without_a_sandbox_nothing_runs_and_it_says_so(tmp_path: Path) -> None:
    program = Program(tmp_path, MEAN)
    failure = program.record("mean", ([1.0],), ([],))
    program.file.write_text(program.file.read_text() + f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    rung = NoSandbox("this kernel has no Landlock")
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, rung=rung)
    assert report.fixes and {one.verdict.kind for one in report.fixes} == {"not verified"}
    assert report.fixes[0].verdict.words == "not verified: no sandbox on this machine: this kernel has no Landlock"
    assert not (tmp_path / "ran").exists()


@needs_sandbox
def test_without_a_replayable_call_it_is_not_verified(tmp_path: Path) -> None:
    program = Program(tmp_path, MEAN)
    failure = program.record("mean", ([],), replayable=False)
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert report.best and report.best.verdict.kind == "not verified"
    assert "no recorded call of it can be made again" in report.best.verdict.words


@needs_sandbox
def test_a_failure_that_needs_its_run_is_not_verified(tmp_path: Path) -> None:
    program = Program(tmp_path, "LIMIT = 0\n\ndef share(n):\n    return n / LIMIT\n")
    failure = program.record("share", (1,))
    program.file.write_text("LIMIT = 2\n\ndef share(n):\n    return n / LIMIT\n")
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert report.best and "does not reproduce outside its run (it returns 0.5)" in report.best.verdict.words


@needs_sandbox
def test_a_call_without_arguments_needs_no_recording_of_them(tmp_path: Path) -> None:
    program = Program(tmp_path, "PRICES = {}\n\ndef first():\n    return PRICES['a']\n")
    failure = program.record("first", (), replayable=False)
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert report.best and report.best.verdict.kind == "stops"


@needs_sandbox
def test_a_caller_up_the_stack_can_prove_it(tmp_path: Path) -> None:
    text = """
    def outer(values):
        return inner(iter(values), len(values))

    def inner(items, n):
        return sum(items) / n
    """
    program = Program(tmp_path, text)
    failure = program.record("outer", ([1.0, 3.0],), ([],))
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert report.unit.scope == "inner"
    assert report.best and report.best.verdict.kind == "stops", report.statements
    assert any("re-ran through program.outer" in one for one in report.statements)


def test_tests_are_not_edited(tmp_path: Path) -> None:
    program = Program(tmp_path, "def test_it(x=0):\n    return 1 / x\n", "test_program.py")
    failure = program.record("test_it", (0,))
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert report.fixes == () and "tests are not edited" in report.statements[0]


@needs_sandbox
def test_what_is_raised_on_purpose_is_left_alone(tmp_path: Path) -> None:
    program = Program(tmp_path, "def find(rows, k):\n    for r in rows:\n        pass\n    raise KeyError(k)\n")
    failure = program.record("find", ([], "k"))
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert report.fixes == () and any("raises KeyError on purpose" in one for one in report.statements)


@needs_sandbox
def test_a_cancelled_search_gives_what_it_has(tmp_path: Path) -> None:
    program = Program(tmp_path, MEAN)
    failure = program.record("mean", ([1.0],), ([],))
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, cancelled=lambda: True)
    assert report.fixes == ()


def test_an_unknown_failure_and_a_vanished_function_are_one_line(tmp_path: Path) -> None:
    program = Program(tmp_path, MEAN)
    failure = program.record("mean", ([],))
    with pytest.raises(TraceLensError, match="no such failure"):
        propose(program.index, "f:none", workspace=tmp_path, python=sys.executable, seconds=0)
    for text, why in (("x = 1\n", "is not a function in program.py now"), ("def mean(:\n", "does not parse")):
        program.file.write_text(text)
        with pytest.raises(TraceLensError, match=why):
            propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)


@needs_sandbox
def test_the_real_store_answers_what_fixing_asks() -> None:
    from tracelens.fix.evidence import FixIndex
    from tracelens_indexer.store import Index

    def takes(index: FixIndex) -> FixIndex:
        return index

    assert all(hasattr(Index, name) for name in FixIndex.__dict__ if not name.startswith("_"))
    assert callable(takes)
