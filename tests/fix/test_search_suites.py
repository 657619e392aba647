"""Repair by search in suites as they are: unittest, fixtures, tests that lean on others, faults far from the test."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tracelens.fix.search.edits.delegates import callees, calls
from tracelens.fix.search.edits.reached import reached
from tracelens.fix.search.oracle import CollectedTests
from tracelens.fix.search.repair import repair
from tracelens.fix.search.survey import KEPT_BACK, NOT_RUN, Ended, Survey, bounded
from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox

needs_sandbox = pytest.mark.skipif(
    isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine"
)

STOCK = """\
def clean(name):
    return name.rstrip()


def key(name):
    return clean(name).lower()


def place(name):
    return key(name)[0]


def shelf(name):
    return place(name) + "1"


def room(name):
    return "room " + shelf(name)


def house(name):
    return ("main", room(name))


def city(name):
    return [house(name)]


def half(n):
    return n + 2


class Stock:
    def __init__(self, most):
        pass

    def put(self, name, count):
        return None

    def _checked(self, name, count):
        return (key(name), count)

    def most_of_all(self):
        return None

    def room_for(self, count):
        return count <= self.most


seen = []
"""

TESTS = """\
import math
import unittest

import pytest

import stock


class HalfTest(unittest.TestCase):
    def test_half(self):
        self.assertEqual(stock.half(4), 2)
        # When it is right it takes many times the steps that were seen.
        self.assertEqual(sum(stock.half(n) for n in range(50_000)), sum(n // 2 for n in range(50_000)))

    @unittest.skip("not here")
    def test_skipped(self):
        self.fail()


def test_writes(tmp_path):
    (tmp_path / "a").write_text(stock.city(" Ada ")[0][1])


@pytest.mark.parametrize("given", [math, 3])
def test_given(given):
    assert given


def test_leaves_something():
    stock.seen.append(stock.key("A"))


def test_leans_on_what_was_left():
    assert stock.seen == ["a"]
"""


@needs_sandbox
def test_a_suite_is_seen_as_pytest_sees_it_and_slow_or_leaning_tests_do_not_hinder(tmp_path: Path) -> None:
    (tmp_path / "stock.py").write_text(STOCK)
    more = "".join(f"\n\ndef test_more_{n}():\n    assert stock.place('b') == 'b'\n" for n in range(4))
    (tmp_path / "test_stock.py").write_text(TESTS + more)
    report = repair(tmp_path, sys.executable, CollectedTests(), cpu_seconds=6)
    assert report.failing == ["test_stock.py::HalfTest::test_half"] and report.passing == 9, report
    assert report.repairs and "return n // 2" in report.repairs[0].patch.content.decode()
    assert report.not_run == 0 and not report.by_chance


@needs_sandbox
@pytest.mark.parametrize(
    ("right", "wrong", "test"),
    [
        # Eight functions are as suspicious as each other.
        ("name.strip()", "name.rstrip()", "assert stock.city('  Ada')[0][1] == 'room a1'"),
        ("self.most = most", "pass", "assert stock.Stock(3).room_for(2)"),
        ("return self.kept", "return None", "one = stock.Stock(3); one.kept = 1; assert one.most_of_all() == 1"),
        ("return self._checked(name, count)", "return None", "assert stock.Stock(3).put('A ', 2) == ('a', 2)"),
    ],
)
def test_a_fault_far_from_the_test_and_what_was_left_out_are_found(
    tmp_path: Path, right: str, wrong: str, test: str
) -> None:
    assert wrong in STOCK
    (tmp_path / "stock.py").write_text(STOCK)
    (tmp_path / "test_stock.py").write_text(f"import stock\n\n\ndef test_it():\n    {test}\n")
    report = repair(tmp_path, sys.executable, CollectedTests(), cpu_seconds=3)
    assert any(right in one.patch.content.decode() for one in report.repairs), report


def ended(at: int, kind: str, used: int = 1, spent: float = 0.1) -> Ended:
    return Ended(at, str(at), kind, used, spent, "", "", (), True, frozenset())


def test_a_large_suite_is_held_back_and_what_only_takes_long_is_no_failure() -> None:
    checks = [ended(0, "wrong"), ended(1, "passed", 9, 5.0), ended(2, "passed"), *(ended(n, "passed") for n in (3, 4))]
    survey = bounded(Survey(tuple(checks), {}, {}), 0.25)
    assert [one.kind for one in survey.checks] == ["wrong", KEPT_BACK, "passed", "passed", KEPT_BACK]
    endless = [ended(n, "out of fuel") for n in range(9)]
    assert len(bounded(Survey(tuple(endless), {}, {}), 1.0).failing) == 9
    assert [one.at for one in bounded(Survey((*endless, ended(9, "raised")), {}, {}), 1.0).failing] == [9]
    assert {one.kind for one in bounded(Survey((*endless, ended(9, "raised")), {}, {}), 1.0).checks} == {
        NOT_RUN,
        "raised",
    }


def test_statements_that_did_not_run_are_left_alone() -> None:
    tree = ast.parse("def f(x):\n    if x:\n        y = (1 +\n            2)\n    else:\n        y = 3\n    return y\n")
    function = tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    found = reached(function, {2, 4, 7})
    assert sorted(one.lineno for one in found) == [2, 3, 7]


def test_calls_that_may_be_missing_take_the_variables_of_their_names() -> None:
    tree = ast.parse(
        "def helper(a, b=2, *, c, d=4): ...\n\n\nclass K:\n    def one(self, a): ...\n\n    def two(self, a, c): ...\n"
    )
    klass = tree.body[1]
    assert isinstance(klass, ast.ClassDef)
    one = klass.body[0]
    assert isinstance(one, ast.FunctionDef)
    known = callees(tree, one, "K")
    assert [text for text, _ in calls(known, [("a", 1.0)])] == []
    texts = [text for text, _ in calls(known, [("a", 1.0), ("c", 1.0), ("d", 1.0)])]
    assert texts == ["self.two(a, c)", "helper(a, c=c, d=d)", "helper(a, c=c)"]
