"""tracelens annotate: what was seen becomes annotations that a program still runs with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = '''
"""Bare."""
import datetime
import functools
from decimal import Decimal


def loud(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)
    return inner


class Cart:
    def __init__(self, lines, owner=None):
        self.lines = lines

    def total(self, rate=1.0, *, rounded=False):  # a comment: here
        return sum(line * rate for line in self.lines)


def first(carts, default=None):
    return carts[0] if carts else default

def shout(text):
    return text.upper()

def when(day, price):
    return [day, price]

@loud
def registered(n):
    return n

def stated(tier: str):
    return tier

if __name__ == "__main__":
    cart = Cart([1, 2.5], "ann")
    cart.total()
    cart.total(2)
    first([cart, Cart([])])
    first([])
    shout("a")
    try:
        shout(None)
    except AttributeError:
        pass
    when(datetime.date(2020, 1, 1), Decimal("1"))
    registered(1)
    stated(None)
'''


def test_what_was_seen_is_written_and_nothing_else_changes(tmp_path: Path) -> None:
    root = tmp_path / "bare"
    root.mkdir()
    file = root / "bare.py"
    file.write_text(textwrap.dedent(PROGRAM).lstrip())
    before = file.read_text()
    environment = {**os.environ, "TRACELENS_CONFIG": str(tmp_path / "config.toml")}

    def tracelens(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tracelens.cli", *arguments]
        return subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=90
        )

    assert tracelens("record", "--python", sys.executable, "--", "python", "bare.py").returncode == 0
    told = json.loads(tracelens("annotate", "bare.py", "--json").stdout)
    assert file.read_text() == before
    added = {(unit.rpartition("bare.")[2], slot): text for unit, slot, text in (one.values() for one in told["added"])}
    assert added["Cart.__init__", "lines"] == "list[float]"
    assert added["Cart.__init__", "owner"] == '"str | None"'
    assert added["Cart.total", "rounded"] == "bool" and added["Cart.total", "return"] == "float"
    assert added["first", "carts"] == '"list[Cart]"'
    assert added["shout", "text"] == "str", "None was only seen in a call that raised"
    assert added["when", "day"] == '"date"'
    assert ("first", "default") not in added and not any(unit == "registered" for unit, _ in added)
    assert any("tier: str took None" in note for note in told["notes"])
    assert any("might act upon annotations" in note for note in told["notes"])

    assert tracelens("annotate", "bare.py", "--apply").returncode == 0
    text = file.read_text()
    assert "rate: float = 1.0, *, rounded: bool = False) -> float:  # a comment: here" in text
    assert subprocess.run([sys.executable, str(file)], check=False).returncode == 0
    assert "nothing to annotate" in tracelens("annotate", "bare.py").stdout
