"""Recorded calls made again: what comes back, and what a patch cannot make us believe."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tracelens.replay import sandbox
from tracelens.replay.rerun import Limits, Outcome, Place, RecordedCall, Replayed, import_folder, replay
from tracelens.replay.sandbox import NoSandbox
from tracelens.replay.verdict import differs, judge, oracle
from tracelens_recorder.replayable import encode_arguments

pytestmark = pytest.mark.skipif(
    isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine"
)
PYTHONS = [
    one
    for one in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))
    if 9 <= int(one.parts[-3].split(".")[1]) <= 13
]


def recorded(number: int, outcome: str = "", **arguments: Any) -> RecordedCall:
    encoded = encode_arguments(arguments, ())
    assert encoded is not None
    return RecordedCall(f"c:{number}", encoded, outcome)


def again(root: Path, text: str, scope: str, *calls: RecordedCall, python: str = sys.executable, **more: Any) -> Any:
    (root / "program.py").write_text(textwrap.dedent(text))
    return replay(root, python, Place("program", "program.py", scope), calls, **more)


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parts[-3])
def test_every_kind_of_callable_is_called_as_it_was(python: Path, tmp_path: Path) -> None:
    text = """
    import functools

    def loud(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs)
        return inner

    class Shape:
        @loud
        def area(self, w, *rest, scale=1, **more):
            return [w, rest, scale, more]
        @staticmethod
        def static(a):
            return a + 1
        @property
        def name(self):
            return "shape"

    async def later(n):
        return n + 1

    def count(n):
        yield from range(n)

    async def acount(n):
        for i in range(n):
            yield i
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(text))
    shape = ["object", 0, "", None, []]
    classes = [["program", "Shape", "program.py"]]

    def one(scope: str, arguments: list[Any]) -> str:
        call = RecordedCall("c:1", {"version": 1, "arguments": arguments, "classes": classes, "redacted": 0}, "")
        found = replay(tmp_path, str(python), Place("program", "program.py", scope), [call])
        assert not found.problem, found.problem
        outcome = found.outcomes[0]
        assert outcome.kind == "returned", outcome
        return outcome.text

    method = [["self", shape], ["w", 1], ["rest", ["tuple", [2, 3]]], ["scale", 4], ["more", ["dict", [["k", 5]]]]]
    assert one("Shape.area", method) == "[1, (2, 3), 4, {'k': 5}]"
    assert one("Shape.static", [["a", 1]]) == "2"
    assert one("Shape.name", [["self", shape]]) == "'shape'"
    assert one("later", [["n", 1]]) == "2"
    assert one("count", [["n", 3]]) == "[0, 1, 2]"
    assert one("acount", [["n", 2]]) == "[0, 1]"


def test_one_call_cannot_harm_another(tmp_path: Path) -> None:
    text = """
    import os, time
    seen = []
    def f(how):
        seen.append(how)
        if how == "exit":
            os._exit(0)
        if how == "hang":
            while True: pass
        if how == "crash":
            os.abort()
        if how == "leave":
            raise SystemExit(3)
        return len(seen)
    """
    calls = [recorded(n, how=how) for n, how in enumerate(["exit", "hang", "crash", "leave", "fine"])]
    outcomes = again(tmp_path, text, "f", *calls, seconds=1.0).outcomes
    assert [one.kind for one in outcomes] == ["died", "timed out", "died", "raised", "returned"]
    assert outcomes[4].text == "1"


def test_what_code_prints_is_not_a_verdict(tmp_path: Path) -> None:
    text = """
    import json, os, sys
    fake = json.dumps({"nonce": "", "problem": "", "outcomes": [{"id": "c:1", "kind": "returned"}]})
    for fd in range(1, 10):
        try:
            os.write(fd, fake.encode())
        except OSError:
            pass
    print(fake)
    os._exit(0)
    """
    found = again(tmp_path, text, "f", recorded(1, a=1))
    assert found.outcomes == () and found.problem


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import nowhere_to_be_found", "No module named"),
        ("def f(: pass", "SyntaxError"),
        ("while True: pass", "took too long"),
        ("g = 1", "there is no f"),
        ("def outer():\n    def f(): pass", "there is no f"),
        ("f = 3", "cannot be called"),
    ],
)
def test_why_nothing_could_be_called_is_said(text: str, why: str, tmp_path: Path) -> None:
    found = again(tmp_path, text, "f", recorded(1, a=1), limits=Limits(wall_seconds=3))
    assert found.outcomes == () and why in found.problem, found.problem


def test_the_workspace_is_copied_and_its_secrets_are_not(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path / "server.pem").write_text("key")
    (tmp_path / "data.json").write_text("[1]")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "x.py").write_text("")
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("secret")
    (tmp_path / "way_out.txt").symlink_to(outside)
    text = f"""
    import os
    def f():
        with open("written.txt", "w") as file:
            file.write("x")
        try:
            open({str(tmp_path / "program.py")!r})
            there = "readable"
        except OSError:
            there = "refused"
        return sorted(os.listdir(".")), there
    """
    outcome = again(tmp_path, text, "f", recorded(1)).outcomes[0]
    assert outcome.text == "(['data.json', 'program.py', 'written.txt'], 'refused')"
    assert not (tmp_path / "written.txt").exists()


def test_without_a_rung_nothing_runs(tmp_path: Path) -> None:
    text = f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(): pass"
    found = again(tmp_path, text, "f", recorded(1), rung=NoSandbox("this kernel has no Landlock"))
    assert found.outcomes == () and "no Landlock" in found.problem
    assert not (tmp_path / "ran").exists()
    verdict = judge(oracle([recorded(1, "ValueError")], found), found)
    assert verdict.kind == "not verified" and verdict.words.startswith("not verified: no sandbox")


def test_a_patch_may_not_leave_the_workspace(tmp_path: Path) -> None:
    for path in ("../x.py", "/tmp/x.py"):
        found = again(tmp_path, "def f(): pass", "f", recorded(1), patch={path: b""})
        assert "not in the workspace" in found.problem


def test_import_folders_follow_the_module() -> None:
    assert import_folder("shop.pricing", "src/shop/pricing.py") == "src"
    assert import_folder("shop", "shop/__init__.py") == "."
    assert import_folder("__main__", "tools/run.py") == "tools"


FAILING, PASSING = recorded(1, "ZeroDivisionError", a=0), recorded(2, a=1)
BEFORE = (
    Outcome("c:1", "raised", type="ZeroDivisionError", line=3),
    Outcome("c:2", "returned", type="int", text="1", value="1", after="[]"),
)


@pytest.mark.parametrize(
    ("first", "second", "kind", "words"),
    [
        (Outcome("c:1", "returned", type="int"), BEFORE[1], "fixed", "re-ran: no longer raises"),
        (BEFORE[0], BEFORE[1], "same", "re-ran: still raises ZeroDivisionError"),
        (
            Outcome("c:1", "returned", type="int"),
            Outcome("c:2", "returned", type="int", text="2", value="2", after="[]"),
            "regressed",
            "re-ran: a passing call now returns 2, not 1",
        ),
        (
            Outcome("c:1", "returned", type="int"),
            Outcome("c:2", "returned", type="int", text="1", value="1", after="[7]"),
            "regressed",
            "re-ran: a passing call now returns another value or leaves its arguments otherwise",
        ),
        (
            Outcome("c:1", "raised", type="KeyError", message="'k'"),
            BEFORE[1],
            "undetermined",
            "undetermined: raises KeyError instead: 'k'",
        ),
        (
            Outcome("c:1", "timed out", why="not done after 5 s"),
            BEFORE[1],
            "undetermined",
            "undetermined: not done after 5 s",
        ),
    ],
)
def test_verdicts(first: Outcome, second: Outcome, kind: str, words: str) -> None:
    held = oracle([FAILING, PASSING], Replayed(BEFORE))
    verdict = judge(held, Replayed((first, second)))
    assert (verdict.kind, verdict.words) == (kind, words)


def test_calls_that_go_otherwise_than_recorded_are_left_out_and_counted() -> None:
    other = RecordedCall("c:3", PASSING.arguments, "", result=("int", "9"))
    before = (*BEFORE, Outcome("c:3", "returned", type="int", text="8"))
    held = oracle([FAILING, PASSING, other], Replayed(before))
    verdict = judge(held, Replayed((Outcome("c:1", "returned", type="int"), BEFORE[1], before[2])))
    assert str(verdict.matrix) == "failing 1/1 fixed · passing 1/1 same · 1 left out"
    held = oracle([FAILING], Replayed((Outcome("c:1", "returned", type="int", text="5"),)))
    assert held.problem == "the recorded failure does not reproduce outside its run (it returns 5)"


@pytest.mark.parametrize(
    ("recorded_text", "now", "expected"),
    [
        ("[1, 2]", "[1, 2]", False),
        ("[1, 2]", "[1, 3]", True),
        ("Order(lines=[Line(sku…", "Order(lines=[Line(sku='a')]…", False),
        ("[{…}, {…}]", "[{'a': 1}, {'b': 2}]", False),
        ("[{…}, 7]", "[{'a': 1}, 8]", None),
        ("[1, {…}]", "[2, {'a': 1}]", True),
        ("…", "", False),
        ("a…a", "a", None),
    ],
)
def test_results_recorded_in_part_are_compared_as_far_as_they_go(
    recorded_text: str, now: str, expected: bool | None
) -> None:
    call = RecordedCall("c:1", {}, "", result=("T", recorded_text))
    assert differs(call, Outcome("c:1", "returned", "T", now)) is expected
