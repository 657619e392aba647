"""Why a failure came about: its class, and what recorded calls say of the value."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tests.fix.recorded import Program
from tracelens.fix.causes import CLASSES, classify
from tracelens.fix.engine import propose
from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox


@pytest.mark.parametrize(
    ("kind", "message", "statement", "expected"),
    [
        ("KeyError", "'a'", "x = d['a']", "missing key"),
        ("KeyError", "'HOME'", "x = os.environ['HOME']", "configuration"),
        ("AttributeError", "'NoneType' object has no attribute 'upper'", "x.upper()", "None"),
        ("AttributeError", "'Cart' object has no attribute 'totl'", "x.totl", "missing attribute"),
        ("TypeError", "'coroutine' object is not subscriptable", "x[0]", "missing await"),
        ("TypeError", 'can only concatenate str (not "int") to str', "a + b", "type mismatch"),
        ("IndexError", "list index out of range", "x[3]", "boundary"),
        ("ValueError", "max() arg is an empty sequence", "max(x)", "boundary"),
        ("ValueError", "math domain error", "math.sqrt(x)", "arithmetic"),
        ("ZeroDivisionError", "division by zero", "a / b", "arithmetic"),
        ("UnicodeDecodeError", "'utf-8' codec can't decode byte", "b.decode()", "encoding"),
        ("ValueError", "invalid literal for int() with base 10: 'x'", "int(x)", "bad input"),
        ("json.decoder.JSONDecodeError", "Expecting value", "json.loads(x)", "bad input"),
        ("FileNotFoundError", "[Errno 2]", "open(p)", "resource"),
        ("urllib.error.URLError", "timed out", "urlopen(u)", "API"),
        ("NameError", "name 'x' is not defined", "eval(text)", "security"),
        ("sqlite3.OperationalError", "near x: syntax error", "db.execute(f'select {x}')", "security"),
        ("shop.OrderError", "quantity -1", "raise OrderError('x')", "bad input"),
        ("UnicodeDecodeError", "'ascii' codec can't decode", "raise ValueError(b.decode('ascii'))", "encoding"),
        ("RuntimeError", "dictionary changed size during iteration", "for k in d: pass", "logic"),
        ("RecursionError", "maximum recursion depth exceeded", "return f(n)", "logic"),
        ("ModuleNotFoundError", "No module named 'yaml'", "import yaml", "configuration"),
    ],
)
def test_the_class_of_a_failure(kind: str, message: str, statement: str, expected: str) -> None:
    found = classify(kind, message, ast.parse(statement).body[0])
    assert found.name == expected and found.name in CLASSES and found.why


@pytest.mark.skipif(isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine")
def test_the_value_is_followed_up_the_stack(tmp_path: Path) -> None:
    program = Program(
        tmp_path,
        """
        def share(total, parts):
            return total / parts

        def split(order):
            return share(order["total"], order["parts"])
        """,
    )
    program.record("split", ({"total": 9, "parts": 3},), ({"total": 8, "parts": 100},))
    program.record("share", (9, 3), (8, 100))
    program.record("share", (9, 0))
    failure = program.record("split", ({"total": 9, "parts": 0},))
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    cause = report.cause
    assert cause is not None and cause.kind == "arithmetic"
    first, *rest = cause.hypotheses
    assert first.says == "it fails because parts is 0" and first.holds == "supported" and first.evidence
    assert "1 of 1 failing calls and 0 of 2 passing ones" in first.because
    assert cause.passing == "parts is 3, 100 in passing calls"
    assert cause.came_from[0].startswith("program.share got parts=0  [c:")
    outside = next(one for one in rest if "outside" in one.says)
    assert outside.holds == "refuted"
    # What to return for no parts is made up by any patch: none is called a repair.
    assert any("repairs it" in one.says and one.holds == "open" for one in rest)
