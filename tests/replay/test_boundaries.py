"""Calls of a real program, recorded and made again, that look at the clock, draw, read the environment and call out."""

from __future__ import annotations

import os
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.recorder.conftest import INTERPRETERS, Recorded
from tracelens.replay import sandbox
from tracelens.replay.rerun import Outcome, Place, RecordedCall, replay
from tracelens.replay.sandbox import NoSandbox
from tracelens.replay.verdict import difference_from_recording
from tracelens_indexer.traces.records import Call, Raised, Returned
from tracelens_recorder.launch import Options, environment

PROGRAM = """
import asyncio, datetime, os, random, threading, time, uuid
from random import randint

LOCK = threading.Lock()

def year(): return datetime.datetime.now().year
def is_due(at): return time.time() > at
def until_midnight(day): return (datetime.date.today() - day).days
def waits(n):
    began = time.monotonic()
    time.sleep(n)
    return time.monotonic() - began >= n
def draw(k): return [random.random(), randint(1, 6), random.sample(range(100), k), random.gauss(0, 1)]
def greets(name): return os.environ.get("SHOP_GREETING", "hello") + " " + name
def names(n): return [str(uuid.uuid4()) for _ in range(n)]
def guarded(lock, x):
    with lock: return x
def passes(lock, x): return x + 1 if lock is not None else 0
async def later(x):
    await asyncio.sleep(0.01)
    return x + random.randint(1, 1000)
def fails(x):
    return x / (int(time.time()) * 0)

if __name__ == "__main__":
    random.seed(7)
    year(); is_due(5.0); is_due(1e12); until_midnight(datetime.date(2020, 1, 1)); waits(0.01)
    for k in range(3): draw(k)
    greets("ann"); names(2); guarded(LOCK, 1); passes(LOCK, 1); asyncio.run(later(1))
    try: fails(1)
    except ZeroDivisionError: pass
"""


def recorded_calls(python: str, folder: Path) -> list[Call]:
    workspace, out = folder / "shop", folder / "out"
    workspace.mkdir()
    out.mkdir()
    (workspace / "program.py").write_text(textwrap.dedent(PROGRAM))
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TRACELENS", "PYTEST", "PYTHONPATH"))}
    environ.update(environment(str(out), str(workspace), Options()), SHOP_GREETING="good morning")
    process = subprocess.run([python, "program.py"], cwd=workspace, env=environ, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return Recorded(process, sorted(out.glob("*.tlrec"))).calls


def again(python: str, workspace: Path, calls: list[Call]) -> dict[str, tuple[RecordedCall, Outcome]]:
    """By name and number: "draw 1"."""
    found: dict[str, tuple[RecordedCall, Outcome]] = {}
    for name in dict.fromkeys(call.frame.name for call in calls):
        of_name = [call for call in calls if call.frame.name == name and call.replay]
        made = [_recorded(call) for call in of_name]
        if not made:
            continue
        done = replay(workspace, python, Place("program", "program.py", name), made)
        assert not done.problem, done.problem
        for number, call in enumerate(made):
            found[f"{name} {number}"] = call, done.by_id()[call.id]
    return found


def _recorded(call: Call) -> RecordedCall:
    assert call.replay is not None
    outcome = call.outcome
    if isinstance(outcome, Raised):
        return RecordedCall(call.id, call.replay, outcome.type, outcome.message, outcome.line)
    value = outcome.value if isinstance(outcome, Returned) else None
    return RecordedCall(call.id, call.replay, "", result=(value.type, value.text) if value else None)


@pytest.mark.parametrize("version", [one for one in ("3.9", "3.12", "3.13") if one in INTERPRETERS])
def test_recorded_calls_go_the_same_way_again(version: str, tmp_path: Path) -> None:
    python = INTERPRETERS[version]
    if isinstance(sandbox.probe(python), NoSandbox):
        pytest.skip("no sandbox on this machine")
    calls = recorded_calls(python, tmp_path)
    found = again(python, tmp_path / "shop", calls)
    same = {name for name, (call, outcome) in found.items() if not difference_from_recording(call, outcome)}
    different = {name: difference_from_recording(*found[name]) for name in set(found) - same}
    expected = {"year 0", "is_due 0", "is_due 1", "until_midnight 0", "waits 0", "draw 0", "draw 1", "draw 2"}
    expected |= {"greets 0", "passes 0", "later 0", "fails 0"}
    assert expected <= same, different
    assert "it uses what was not recorded (_thread.lock)" in found["guarded 0"][1].why
    if version != "3.9":  # only where functions of other packages can be listened to
        assert "names 0" in same, different


def test_a_patch_that_calls_out_less_or_more_is_not_the_same(tmp_path: Path) -> None:
    python = INTERPRETERS.get("3.12") or INTERPRETERS.get("3.13")
    if python is None or isinstance(sandbox.probe(python), NoSandbox):
        pytest.skip("no sandbox or no Python 3.12 on this machine")
    calls = [call for call in recorded_calls(python, tmp_path) if call.frame.name == "names"]
    workspace = tmp_path / "shop"
    source = (workspace / "program.py").read_text()
    place = Place("program", "program.py", "names")
    made = [_recorded(call) for call in calls]
    before = replay(workspace, python, place, made).outcomes[0]
    fewer = source.replace("for _ in range(n)]", "for _ in range(n - 1)]").encode()
    after = replay(workspace, python, place, made, {"program.py": fewer}).outcomes[0]
    assert after.kind == "returned"
    assert after.after != before.after
    more = source.replace("for _ in range(n)]", "for _ in range(n + 1)]").encode()
    after = replay(workspace, python, place, made, {"program.py": more}).outcomes[0]
    assert (after.kind, after.why) == ("not called", "it uses what was not recorded (another result of uuid:uuid4)")
