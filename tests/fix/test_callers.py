"""A patch that moves a failure up the stack mends nothing, and one that makes something up says so."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.fix.recorded import Program
from tracelens.fix.checking import STOPS
from tracelens.fix.engine import propose
from tracelens.fix.invented import makes_up
from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox

PROGRAM = """
def ends(line):
    return (line[0], line[-1])

def both(line):
    first, last = ends(line)
    return first + last
"""


@pytest.mark.skipif(isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine")
def test_recorded_calls_further_up_have_to_be_mended_too(tmp_path: Path) -> None:
    program = Program(tmp_path, PROGRAM)
    program.record("both", ("ab",), ("cd",))
    program.record("ends", ("ab",), ("cd",), ("",))
    failure = program.record("both", ("",))
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    moved = [one for one in report.fixes if one.title.startswith("return ()")]
    assert all(one.verdict.kind != "fixed" for one in moved), moved
    for one in report.fixes:
        if one.verdict.kind == "fixed" and one.patch.content.count(b"return") > PROGRAM.count("return"):
            raise AssertionError(f"made up, and called fixed: {one.title}")
        assert one.verdict.kind != "stops" or one.verdict.words.startswith(STOPS)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("return a / b", "if not b:\n    return 0\nreturn a / b", True),
        ("x = d[k]", "x = d.get(k, 0)", True),
        ("for k in d: f(k)", "for k in list(d): f(k)", False),
        ("x = nam", "x = name", False),
        ("if a / b > 1: x = 2", "if b and a / b > 1: x = 2", False),
        ("if a > 1: f()", "if a >= 2: f()", False),
    ],
)
def test_what_is_made_up_is_told(before: str, after: str, expected: bool) -> None:
    assert makes_up(ast.parse(before), ast.parse(after)) is expected
