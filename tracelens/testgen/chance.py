"""What a call drew from chance or read off the clock, as lines of a test that give it the same again.

The recording has the generator's state and the clock's reading at the entry of the call; what comes of them is worked
out here for draws with literal arguments. Whether a test with these lines gives what was recorded is found out by
running it: one that draws otherwise is left out there.
"""

from __future__ import annotations

import ast
import random
import struct
import zlib
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from tracelens.fix.evidence import Function
from tracelens.testgen.literals import Unwritable

_MANY = 8
"""Draws that are written down for one place in a loop."""
_MAX_STATE = 1 << 16
_TICK_NS = 1_000
"""By which each look at the clock moves it on when a call is made again (tracelens_recorder.replayable.outside)."""
_DRAWS = frozenset(["random", "uniform", "randint", "randrange", "gauss", "normalvariate", "triangular", "betavariate"])
_CLOCKS = {"time.time": 0, "time.monotonic": 1, "time.perf_counter": 2}


def stubs(node: Function, world: Mapping[str, Any]) -> list[str]:
    """Lines for `monkeypatch`. Raises Unwritable, with the reason for a person, where draws cannot be written down."""
    return [*_clock(node, world.get("clock")), *_random(node, world.get("random"))]


def _clock(node: Function, clock: Any) -> list[str]:
    lines: list[str] = []
    if type(clock) is not list or any(type(reading) is not int for reading in clock):
        return lines
    for name in dict.fromkeys(ast.unparse(one.func) for one in _calls(node)):
        if name in _CLOCKS and len(clock) > _CLOCKS[name]:
            seconds = (clock[_CLOCKS[name]] + _TICK_NS) / 1e9
            lines.append(f'monkeypatch.setattr("{name}", lambda: {seconds!r})')
    return lines


def _random(node: Function, state: Any) -> list[str]:
    if not state:
        return []
    sites = [one for one in _calls(node) if ast.unparse(one.func).startswith("random.")]
    names = {ast.unparse(one.func).partition(".")[2] for one in sites}
    if len(sites) != 1 or not names <= _DRAWS:
        raise Unwritable("it draws random numbers in another way than once, by a function of random with plain results")
    try:
        arguments = [ast.literal_eval(one) for one in sites[0].args]
        source = random.Random()  # noqa: S311 (the program's own generator, as it was)
        source.setstate(_unpacked(*state))
        drawn = [
            getattr(source, next(iter(names)))(*arguments) for _ in range(_MANY if _in_loop(node, sites[0]) else 1)
        ]
    except (ValueError, TypeError, OverflowError, struct.error, zlib.error) as error:
        raise Unwritable(f"what it draws cannot be written down ({error})") from None
    name = f"random.{next(iter(names))}"
    if len(drawn) == 1:
        return [f'monkeypatch.setattr("{name}", lambda *args: {drawn[0]!r})']
    return [f"draws = iter({drawn!r})", f'monkeypatch.setattr("{name}", lambda *args: next(draws))']


def _unpacked(version: int, packed: str, rest: float | None) -> tuple[Any, ...]:
    data = zlib.decompressobj().decompress(b64decode(packed), _MAX_STATE)
    return int(version), tuple(struct.unpack(f"<{len(data) // 4}I", data)), rest


def _calls(node: Function) -> list[ast.Call]:
    return [one for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)]


def _in_loop(node: Function, site: ast.Call) -> bool:
    loops = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    return any(isinstance(one, loops) and any(inner is site for inner in ast.walk(one)) for one in ast.walk(node))
