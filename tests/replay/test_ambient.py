"""What a call reads besides its arguments: told from the code that ran, whatever it gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tracelens.replay.ambient import Watch

PROGRAM = """
import contextvars
import itertools

LIMIT = 3
NAMES = {"a": 1}
SEEN = {}
TOTAL = 0
USER = contextvars.ContextVar("user", default="")
NUMBERS = itertools.count()

class Box:
    made = 0

    def __init__(self):
        Box.made += 1
        self.held = []

    def put(self, one):
        self.held.append(one)

class Plain:
    def __init__(self, n):
        self.n = n

    def twice(self):
        return self.n * 2

SHARED = Box()
FIXED = Plain(4)

def pure(n):
    return n + LIMIT + NAMES["a"] + FIXED.twice()

def remembers(n):
    return SEEN.get(n, n)

def remember(n):
    SEEN[n] = n

def rebound(n):
    return n + TOTAL

def rebind(n):
    global TOTAL
    TOTAL = n

def asked():
    return USER.get()

def next_one():
    return next(NUMBERS)

def shared():
    return len(SHARED.held)

def counted():
    return Box.made

def through(n):
    return [remembers(one) for one in (n,)]

def local(n):
    SEEN = {}
    SEEN[n] = 1
    return SEEN
"""


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("pure", (1,), []),
        ("local", (1,), []),
        ("remembers", (1,), ["SEEN"]),
        ("through", (1,), ["SEEN"]),
        ("rebound", (1,), ["TOTAL"]),
        ("asked", (), ["USER"]),
        ("next_one", (), ["NUMBERS"]),
        ("shared", (), ["SHARED"]),
        ("counted", (), ["Box"]),
    ],
)
def test_globals_that_the_program_changes_are_told(
    name: str, arguments: tuple[int, ...], expected: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "state.py"
    file.write_text(PROGRAM)
    spec = importlib.util.spec_from_file_location("state", file)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with Watch(str(tmp_path)) as watch:
        getattr(module, name)(*arguments)
    assert watch.read() == expected
