"""Where the time goes: what a run within the budget says of it, and the accelerator's way of looking at stacks."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from tests.recorder.conftest import Recording
from tests.recorder.test_accelerator import core_of, fast_python
from tracelens.cli.main import cli
from tracelens_recorder.launch import Options

__all__ = ["fast_python"]

PROGRAM = """\
import threading
import time

def hot(n):
    return (
        sum(range(n))
        + len(sorted(range(n), reverse=True))
    )

def cheap(n):
    return n

def middle(n):
    return [hot(200 + n % 2) for _ in range(3)] + [cheap(n) for _ in range(30)]

def run(seconds):
    end = time.thread_time() + seconds
    n = 0
    while time.thread_time() < end:
        n += 1
        middle(n)

def waits(event):
    event.wait()

event = threading.Event()
other = threading.Thread(target=waits, args=(event,))
other.start()
run(0.9)
event.set()
other.join()
"""
CHAINS = {
    ("<module>", "run", "middle", "hot"), ("<module>", "run", "middle", "cheap"), ("<module>", "run", "middle"),
    ("<module>", "run"), ("<module>",), ("waits",),
}  # fmt: skip


@pytest.mark.parametrize("core", ["0", "1"], ids=["python", "c"])
def test_a_function_that_is_called_too_often_to_be_listened_to_is_listed_first(
    fast_python: str, record: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str], core: str
) -> None:
    source = PROGRAM[: PROGRAM.index("event =")] + "run(0.9)\n"
    recorded = record(fast_python, source, options=Options(budget=0.0), env={"TRACELENS_ACCELERATOR": core})
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert core_of(recorded) == ("c" if core == "1" else "python")
    assert recorded.counts["hot"].counting == "at least", "it was parked"
    root = ["--root", str(tmp_path / "project")]
    cli.main(["index", str(tmp_path / "project")], standalone_mode=False)
    cli.main(["import", *map(str, recorded.files), *root], standalone_mode=False)
    capsys.readouterr()
    cli.main(["hot", *root], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    first = next(line for line in lines if "program." in line)
    assert "program.hot" in first and first.split()[0].startswith("~") and "≥" in first
    assert any("~ estimated from samples · ≥ at least" in line for line in lines)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="stacks are read through a call that Linux alone has")
def test_the_accelerator_reads_whole_stacks_of_all_threads(fast_python: str, record: Recording) -> None:
    recorded = record(fast_python, PROGRAM, options=Options(sample_interval=0.001))
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert core_of(recorded) == "c"
    lines = textwrap.dedent(PROGRAM).splitlines()
    seen = set()
    for sample in recorded.samples:
        assert sample.weight > 0
        seen.add(tuple(frame.name for frame in sample.stack))
        for frame in sample.stack:
            if frame.name != "<module>":
                first = next(i for i, line in enumerate(lines, 1) if line.startswith(f"def {frame.name}("))
                after = next(i for i, line in enumerate([*lines, ""], 1) if i > first and not line.strip())
                assert first <= frame.line < after, (frame, "a line of the function's own")
    assert seen <= CHAINS
    assert {("<module>", "run", "middle", "hot"), ("waits",)} <= seen
    by_line: dict[str, float] = {}
    for sample in recorded.samples:
        if sample.stack[-1].name == "hot":
            text = lines[sample.stack[-1].line - 1].strip()
            by_line[text] = by_line.get(text, 0.0) + sample.weight
    assert {"sum(range(n))", "+ len(sorted(range(n), reverse=True))"} <= set(by_line), "not only where functions begin"


FIELDS = """\
import gc

class Plain:
    default = 3
    def __init__(self, **fields):
        for name, value in fields.items():
            setattr(self, name, value)
    def touch(self):
        return self

class Slotted:
    __slots__ = ("a", "never", "__dict__")

class Heir(Slotted, Plain):
    pass

class Text(str):
    pass

def take(value):
    return value

def hold(values):
    return values

def made(value):
    "Whether the instance has a dictionary of its own by now."
    return any(type(one) is dict for one in gc.get_referents(value))

values = [Plain(), Plain(a=1), Plain(b=2, a=1), Plain(a=1, b=2, c=[3]), Plain(**{f"n{i}": i for i in range(40)})]
gone = Plain(a=1, b=2, c=3)
del gone.b
gone.b = 4
del gone.a
values.append(gone)
heir = Heir()
heir.a = 1
heir.z = 2
heir.y = 3
values.append(heir)
text = Text("text")
text.more = 1
values.append(text)
asked = Plain(first=1)
asked.__dict__["second"] = 2
values.append(asked)
changed = Plain(x=1)
changed.__class__ = type("Other", (Plain,), {})
values.append(changed)
before = [made(value) for value in values]
for value in values:
    take(value)
    hold([value])
    if hasattr(value, "touch"):
        value.touch()
print([made(value) for value in values] == before, sum(before))
"""


def test_fields_are_read_where_they_are(fast_python: str, record: Recording) -> None:
    """To ask an instance for its `__dict__` slows it down for as long as it lives."""
    said = []
    for core in ("1", "0"):
        recorded = record(fast_python, FIELDS, options=Options(budget=1.0), env={"TRACELENS_ACCELERATOR": core})
        assert recorded.process.returncode == 0, recorded.process.stderr
        if core == "1":
            assert core_of(recorded) == "c"
            assert recorded.process.stdout.startswith("True")
        calls = sorted(recorded.calls, key=lambda call: int(call.id))
        calls = [call for call in calls if call.chosen == "early" and call.frame.name != "made"]
        kept = [(call.replay or {}).get("arguments") for call in calls]
        said.append(
            [(call.frame.name, call.arguments, call.outcome, one) for call, one in zip(calls, kept, strict=True)]
        )
        for file in recorded.files:
            file.unlink()
    assert said[0] == said[1]
    assert len(said[0]) > 20 and any(one for *_, one in said[0])
