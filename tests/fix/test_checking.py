"""When a patch counts as fixed: what was written or recorded speaks for its result. Else it only stops the failure."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.fix.recorded import Program
from tracelens.fix import propose
from tracelens.fix.checking import ANY_VALUE, BY_CHANCE, MADE_UP, RIVAL, STOPS, Check, Checked, settled
from tracelens.fix.evidence import gather
from tracelens.fix.invented import leaves_out, makes_up
from tracelens.fix.patch import Edit, Patch, make_patch
from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox
from tracelens.replay.verdict import Matrix, Verdict

needs_sandbox = pytest.mark.skipif(
    isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine"
)
MEAN = "def mean(values):\n    return sum(values) / len(values)\n"
TESTS = """
import pytest
from program import mean

def test_some():
    assert mean([1.0, 2.0]) == 1.5

def test_nothing():
    assert mean([]) == 0.0

def test_refused():
    with pytest.raises(TypeError):
        mean(None)
"""


@needs_sandbox
def test_tests_of_the_workspace_say_which_result_is_meant(tmp_path: Path) -> None:
    program = Program(tmp_path, MEAN)
    program.record("mean", ([1.0, 2.0],), test="test_program.py::test_some")
    failure = program.record("mean", ([],), test="test_program.py::test_nothing")
    alone = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert alone.best is not None and alone.best.verdict.kind == "stops" and not alone.best.sure
    assert alone.best.verdict.words == f"{STOPS}: {MADE_UP}"

    (tmp_path / "test_program.py").write_text(TESTS)
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    best = report.best
    assert best is not None and best.sure and "0.0" in best.patch.diff, [one.verdict for one in report.fixes]
    assert best.verdict.words == "re-ran: no longer raises, and test_program.py::test_nothing passes"
    assert "tests 2/2" in str(best.verdict.matrix)

    (tmp_path / "test_program.py").write_text(TESTS.replace("mean([]) == 0.0", "mean([]) == 'nothing'"))
    other = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert other.fixes and not any(one.sure for one in other.fixes)
    assert "test_nothing still fails" in other.fixes[0].verdict.words

    refused = "def test_nothing():\n    with pytest.raises(ZeroDivisionError):\n        mean([])\n"
    (tmp_path / "test_program.py").write_text(TESTS.partition("def test_nothing")[0] + refused)
    wanted = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert {one.verdict.kind for one in wanted.fixes} == {"regressed"}, "a test wants the exception"


@needs_sandbox
def test_tests_and_examples_that_no_recording_saw_are_found(tmp_path: Path) -> None:
    documented = MEAN.replace("    return", '    """\n    >>> mean([])\n    0.0\n    """\n    return')
    for folder, code, tests, said in (
        ("tests", MEAN, TESTS.partition("def test_refused")[0], "test_program.py::test_nothing passes"),
        ("examples", documented, "", "program.py::program.mean passes"),
    ):
        root = tmp_path / folder
        root.mkdir()
        program = Program(root, code)
        failure = program.record("mean", ([1.0, 2.0],), ([],))
        if tests:
            (root / "test_program.py").write_text(tests)
            (root / "test_other.py").write_text("import program\n\ndef test_it():\n    assert program is None\n")
        report = propose(program.index, failure, workspace=root, python=sys.executable, seconds=0)
        assert report.best is not None and report.best.sure, [one.verdict for one in report.fixes]
        assert said in report.best.verdict.words and "test_other" not in report.best.verdict.words


@needs_sandbox
def test_a_call_that_does_not_fail_each_time_proves_nothing(tmp_path: Path) -> None:
    program = Program(tmp_path, MEAN)
    failure = program.record("mean", ([1.0, 2.0],), ([],))
    evidence = gather(program.index, failure, tmp_path)
    check = Check(evidence, tmp_path, sys.executable, sandbox.probe(sys.executable))
    patch = make_patch(evidence.source, [Edit(0, 0, "LIMIT = 1\n\n\n")])
    program.file.write_text(MEAN.replace("len(values)", "max(1, len(values))"))
    mended = Patch(patch.path, patch.diff, program.file.read_bytes(), patch.made_for)
    verdict = check.check(mended).verdict
    assert verdict.kind == "undetermined" and BY_CHANCE in verdict.words


@needs_sandbox
def test_a_patch_with_which_the_tests_cannot_be_run_is_not_fixed(tmp_path: Path) -> None:
    """The calls say nothing of it: what the tests import is gone."""
    code = "UNIT = 1\n\n\ndef share(n, d):\n    return n / d\n"
    program = Program(tmp_path, code)
    (tmp_path / "test_program.py").write_text(
        "from program import UNIT, share\n\ndef test_half():\n    assert share(UNIT, 2) == 0.5\n\n"
        "def test_none():\n    assert share(1, 0) == 0.0\n"
    )
    program.record("share", (1, 2), test="test_program.py::test_half")
    failure = program.record("share", (1, 0), test="test_program.py::test_none")
    evidence = gather(program.index, failure, tmp_path)
    check = Check(evidence, tmp_path, sys.executable, sandbox.probe(sys.executable))
    assert check.tests.failing
    mended = code.replace("n / d", "n / d if d else 0.0")
    verdicts = {}
    for text in (mended, mended.removeprefix("UNIT = 1\n\n\n")):
        edits = [Edit(0, len(code), text)]
        verdicts[text] = check.check(make_patch(evidence.source, edits)).verdict
    assert [one.kind for one in verdicts.values()] == ["fixed", "undetermined"]
    assert "cannot be run with it" in verdicts[text].words


@needs_sandbox
def test_a_test_that_any_value_passes_says_nothing_of_the_one_made_up(tmp_path: Path) -> None:
    program = Program(tmp_path, MEAN)
    failure = program.record("mean", ([1.0, 2.0],), ([],))
    (tmp_path / "test_program.py").write_text("from program import mean\n\ndef test_nothing():\n    mean([])\n")
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    assert report.best is not None and report.best.verdict.kind == "stops"
    assert report.best.verdict.words == f"{STOPS}: {ANY_VALUE}"


def checked(kind: str, *results: str, made_up: bool = False, by_tests: bool = False) -> Checked:
    verdict = Verdict(kind, "re-ran: no longer raises", Matrix(1, 1, 2, 2))  # type: ignore[arg-type]
    return Checked(Patch("p.py", "", b"", ""), verdict, results, frozenset(), by_tests, made_up)


def test_edits_with_other_results_are_rivals_unless_tests_decide_or_one_is_far_less_likely() -> None:
    one, other = checked("fixed", "a"), checked("fixed", "b")
    assert [each.kind for each in settled([(one, 0.8), (other, 0.7)])] == ["stops", "stops"]
    assert RIVAL in settled([(one, 0.8), (other, 0.7)])[0].words
    assert [each.kind for each in settled([(one, 0.8), (checked("fixed", "a"), 0.7)])] == ["fixed", "fixed"]
    assert [each.kind for each in settled([(one, 0.9), (other, 0.4)])] == ["fixed", "stops"]
    same = settled([(one, 0.9), (checked("fixed", "a"), 0.4)])
    assert [each.kind for each in same] == ["fixed", "stops"] and RIVAL not in same[1].words, "it gives the same result"
    assert [each.kind for each in settled([(one, 0.8), (checked("stops", "b", made_up=True), 0.8)])] == [
        "fixed",
        "stops",
    ]
    by_tests = checked("fixed", "b", by_tests=True)
    other_way = checked("fixed", "c", by_tests=True)
    assert [each.kind for each in settled([(by_tests, 0.9), (other_way, 0.2)])] == ["stops", "stops"]
    assert [each.kind for each in settled([(by_tests, 0.3), (checked("stops", "a"), 0.9)])] == ["fixed", "stops"]


@pytest.mark.parametrize(
    ("function", "after", "expected"),
    [
        ('def f(u):\n    x = u.a or ""\n    x += u.b', 'def f(u):\n    x = u.a or ""\n    x += u.b or ""', False),
        ('def f(u):\n    x = u.a or ""\n    x += u.b', 'def f(u):\n    x = u.a or ""\n    x += u.b or "-"', True),
        ("c = 0 if a is None else a[1]\nd = b[1]", "c = 0 if a is None else a[1]\nd = 0 if b is None else b[1]", False),
        ("c = f(a, 1)\nd = f(b, 1)", "c = f(a, 1)\nd = f(b or [], 1)", True),
        ("c = [a] if a else []\nd.append(1)", "c = [a] if a else []\n(d or []).append(1)", True),
        ("c = int(a, 16)\nd = int(b)", "c = int(a, 16)\nd = int(b, 16)", False),
        ("c = a.get(b, 0)\nd = a[1]", "c = a.get(b, 0)\nd = a.pop(1, 7)", True),
    ],
)  # fmt: skip
def test_what_the_function_does_elsewhere_is_not_made_up(function: str, after: str, expected: bool) -> None:
    before = ast.parse(function)
    assert makes_up(before, ast.parse(after), before) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('x = u.b or ""', 'x = ""', True),
        ("x = f(a[1])", "x = f(a)", True),
        ("x = f(a)", "x = f(b)", False),
        ("for k in d: f(k)", "for k in list(d): f(k)", False),
    ],
)
def test_leaving_out_what_failed_is_no_repair(before: str, after: str, expected: bool) -> None:
    assert leaves_out(ast.parse(before), ast.parse(after)) is expected
