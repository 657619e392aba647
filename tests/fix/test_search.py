"""Repair by search: from failing tests to the smallest edits that pass them, in the sandbox."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tracelens.fix.evidence import find_function
from tracelens.fix.patch import Source, make_patch
from tracelens.fix.search import ranking
from tracelens.fix.search.edits import Candidate, Context, candidates
from tracelens.fix.search.localise import spectrum
from tracelens.fix.search.oracle import CollectedTests, Statements
from tracelens.fix.search.repair import SearchReport, repair
from tracelens.fix.search.survey import Ended
from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox
from tracelens_indexer.errors import TraceLensError

needs_sandbox = pytest.mark.skipif(
    isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine"
)


def searched(tmp_path: Path, source: str, *checks: str, seconds: float = 4.0) -> SearchReport:
    (tmp_path / "code.py").write_text(source)
    named = tuple((f"check {number}", text) for number, text in enumerate(checks))
    return repair(tmp_path, sys.executable, Statements("code", "code.py", named), cpu_seconds=seconds)


@needs_sandbox
def test_a_wrong_operator_is_found_without_being_told_where(tmp_path: Path) -> None:
    source = "def area(a, b):\n    c = a + 0\n    return c + b\n\n\ndef other(x):\n    return x + 1\n"
    report = searched(
        tmp_path, source, "assert area(3, 4) == 12", "assert area(1, 1) == 1", "assert area(0, 5) == 0", "other(1)"
    )
    assert "c * b" in report.repairs[0].patch.content.decode()
    assert report.failing == ["check 0", "check 1", "check 2"] and report.passing == 1
    assert report.suspects[0][0] == "code.py" and report.cpu > 0
    assert (tmp_path / "code.py").read_text() == source, "nothing is written"


@needs_sandbox
def test_a_loop_that_does_not_end_takes_steps_not_seconds(tmp_path: Path) -> None:
    source = "def count(n):\n    found = 0\n    while n:\n        n ^= n - 1\n        found += 1\n    return found\n"
    report = searched(tmp_path, source, *(f"assert count({n}) == {n.bit_count()}" for n in (1, 5, 127, 128, 1000)))
    assert "n &= n - 1" in report.repairs[0].patch.content.decode()


@needs_sandbox
def test_two_edits_where_one_does_not_do(tmp_path: Path) -> None:
    source = "def span(values):\n    low = max(values)\n    high = min(values)\n    return high - low\n"
    checks = ["assert span([1, 2, 9]) == 8", "assert span([5]) == 0", "assert span([-3, 4]) == 7"]
    report = searched(tmp_path, source, *checks)
    assert report.repairs, report.problem
    scope: dict[str, object] = {}
    exec(report.repairs[0].patch.content, scope)
    assert scope["span"]([2, 7, 11]) == 9  # type: ignore[operator]


@needs_sandbox
def test_tests_that_pytest_collects_are_the_oracle(tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text(
        "class Box:\n    def __init__(self, w, h):\n        self.w = w\n        self.h = h\n\n"
        "    def area(self):\n        return self.w * self.w\n"
    )
    (tmp_path / "test_shapes.py").write_text(
        "import pytest\nfrom shapes import Box\n\n\n@pytest.fixture\ndef box():\n    return Box(2, 3)\n\n\n"
        "def test_fixture(box):\n    assert box.area() == 6\n\n\n"
        "@pytest.mark.parametrize('w', [1, 5])\ndef test_area(w):\n    assert Box(w, 4).area() == 4 * w\n"
    )
    report = repair(tmp_path, sys.executable, CollectedTests.parse("pytest test_shapes.py"), cpu_seconds=4)
    assert len(report.failing) == 3, report.problem
    assert report.repairs and "self.h" in report.repairs[0].title


@needs_sandbox
def test_what_a_test_case_of_unittest_raises_is_seen(tmp_path: Path) -> None:
    (tmp_path / "least.py").write_text("def least(a, b):\n    return a if a > b else b\n")
    (tmp_path / "test_least.py").write_text(
        "import unittest\nfrom least import least\n\n\nclass LeastTest(unittest.TestCase):\n"
        "    def test_first(self):\n        self.assertEqual(least(1, 2), 1)\n\n"
        "    def test_same(self):\n        self.assertEqual(least(2, 2), 2)\n"
    )
    report = repair(tmp_path, sys.executable, CollectedTests(), cpu_seconds=2)
    assert report.failing == ["test_least.py::LeastTest::test_first"] and report.passing == 1, report.problem
    assert report.repairs


@needs_sandbox
def test_tests_that_lean_on_each_other_keep_their_order(tmp_path: Path) -> None:
    (tmp_path / "total.py").write_text("def add(seen, n):\n    seen.append(n)\n    return sum(seen) - n\n")
    (tmp_path / "test_total.py").write_text(
        "from total import add\nseen = []\n\n\ndef test_one():\n    assert add(seen, 2) == 2\n\n\n"
        "def test_two():\n    assert add(seen, 3) == 5\n"
    )
    report = repair(tmp_path, sys.executable, CollectedTests(), cpu_seconds=4)
    scope: dict[str, object] = {}
    exec(report.repairs[0].patch.content, scope)
    assert scope["add"]([1, 1], 4) == 6  # type: ignore[operator]


@needs_sandbox
def test_checks_that_pass_one_time_and_fail_another_are_left_out_and_told(tmp_path: Path) -> None:
    source = (
        "def area(a, b):\n    return a + b\n\n\n"
        "def turn():\n    with open('turns', 'a+') as file:\n        file.seek(0)\n"
        "        n = len(file.read())\n        file.write('x')\n    return n % 2\n"
    )
    wrong = ["assert area(3, 4) == 12", "assert area(1, 1) == 1", "assert area(0, 5) == 0"]
    report = searched(tmp_path, source, *wrong, "assert turn()", "assert area(2, 2) == 4")
    assert report.failing == ["check 0", "check 1", "check 2"] and report.by_chance == ["check 3"]
    assert "a * b" in report.repairs[0].patch.content.decode() and "turn" not in report.repairs[0].title
    alone = searched(tmp_path, source, "assert turn()", "assert area(2, 2) == 4")
    assert alone.problem == "check 0 passes one time and fails another: no repair can be held against that"
    assert not alone.repairs and not alone.tried


@needs_sandbox
def test_several_meanings_are_not_called_sure(tmp_path: Path) -> None:
    report = searched(tmp_path, "def f(a, b):\n    return a - b\n", "assert f(2, 2) == 4")
    assert report.repairs and not report.repairs[0].sure
    assert len({one.group for one in report.repairs}) > 1


@needs_sandbox
@pytest.mark.parametrize(
    ("source", "check", "problem"),
    [
        ("def f():\n    return 1\n", "assert f() == 1", "every test passes"),
        ("def f(:\n", "assert f() == 1", "SyntaxError"),
        ("import os\nos._exit(3)\n", "f()", "status 3"),
        ("def f():\n    return 1\n", "assert 1 == 2", "no function of the workspace"),
    ],
)
def test_what_cannot_be_searched_says_why(tmp_path: Path, source: str, check: str, problem: str) -> None:
    report = searched(tmp_path, source, check)
    assert problem in report.problem and not report.repairs


@needs_sandbox
def test_code_that_cheats_or_destroys_changes_nothing(tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    source = (
        "import os, sys\n\n\ndef f(n):\n"
        f"    try:\n        open({str(outside)!r}, 'w').write('x')\n    except OSError:\n        pass\n"
        "    for one in range(3, 60):\n        try:\n            os.write(one, b'{\"results\": []}\\n')\n"
        "        except OSError:\n            pass\n    return n - 1\n"
    )
    report = searched(tmp_path, source, "assert f(1) == 2", "assert f(5) == 6", seconds=2)
    assert not outside.exists()
    assert all("n + 1" in one.patch.content.decode() or one.patch.size for one in report.repairs)


def test_without_a_sandbox_nothing_runs(tmp_path: Path) -> None:
    report = repair(tmp_path, sys.executable, CollectedTests(), rung=NoSandbox("this kernel has no Landlock"))
    assert report.problem == "no sandbox on this machine: this kernel has no Landlock" and not report.tried


def test_every_candidate_is_a_splice_that_leaves_the_rest_alone(tmp_path: Path) -> None:
    text = (
        "# é\nLIMIT = 3\n\n\ndef f(items, k=2):\n    '''Doc.'''\n    out = []\n    for i, x in enumerate(items[1:]):\n"
        "        if x > k and not x % 2:\n            out.append(x)  # kept\n        else:\n            continue\n"
        "    return sorted(out, key=len)[0] if out else f'{k}'\n"
    )
    (tmp_path / "m.py").write_text(text)
    source = Source.read(tmp_path, "m.py")
    function = find_function(source, "f")
    assert function is not None
    types = {"items": frozenset(["list[int]"]), "x": frozenset(["int"]), "out": frozenset(["list[int]"])}
    made = list(candidates(Context(source, function, types, {})))
    assert len(made) > 500
    parsed = 0
    for one in made:
        assert 0 <= one.prior <= 1 and one.title and one.line >= function.lineno
        try:
            content = make_patch(source, one.edits).content.decode()
        except ValueError:
            continue
        parsed += 1
        assert content.startswith("# é\nLIMIT = 3\n\n\ndef f(")
    assert parsed > 0.9 * len(made)


def test_the_line_that_only_failing_checks_run_is_the_most_suspicious() -> None:
    def ended(at: int, kind: str, lines: set[int]) -> Ended:
        places = frozenset(("m.py", line) for line in lines)
        return Ended(at, str(at), kind, 1, 0.0, "", "", (), True, places)

    scores = spectrum([ended(0, "wrong", {1, 2}), ended(1, "passed", {1, 3}), ended(2, "passed", {1})])
    assert scores["m.py", 2] == 1.0 > scores["m.py", 1] and ("m.py", 3) not in scores


def test_repairs_that_do_the_same_stand_together_before_a_slow_and_lone_one() -> None:
    def passing(title: str, score: float, cost: float, behaviour: tuple[str, ...]) -> ranking.Passing:
        return ranking.Passing(Candidate((), "", title, 1, 0.5), "def f(): pass", score, cost, behaviour)

    ranked = ranking.rank(
        [
            passing("lone", 0.4, 1.0, ("1", "!ValueError")),
            passing("slow", 0.5, 9.0, ("1", "2")),
            passing("likely", 0.45, 1.0, ("1", "2")),
        ]
    )
    assert [one.candidate.title for one in ranked] == ["likely", "slow", "lone"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("pytest -k 'a or b'", ("-k", "a or b")),
        ("python -m pytest tests/x.py::test_y", ("tests/x.py::test_y",)),
        ("tests/x.py", ("tests/x.py",)),
        ("", ()),
    ],
)
def test_a_test_command_is_read(command: str, arguments: tuple[str, ...]) -> None:
    assert CollectedTests.parse(command).arguments == arguments


def test_a_command_that_is_not_pytest_is_refused() -> None:
    with pytest.raises(TraceLensError, match="only pytest is understood"):
        CollectedTests.parse("rm -rf .")
