"""When a cache is proposed: only where calls repeat and the source shows that nothing else matters."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.answers import recorded
from tracelens.fix.caching import Repeated, cached, impure, repeated
from tracelens.fix.evidence import find_function
from tracelens.fix.patch import Source
from tracelens_indexer.store.answers import CaptureRecord

HEAD = '''\
"""Prices."""

import math
import time
from functools import lru_cache

RATES = {"gold": 0.2}
CHANGED = {"gold": 0.2}
CHANGED["basic"] = 0.0
NESTED = {"gold": [0.2]}
SHARED = {"gold": 0.2}
GIVEN = {"gold": 0.2}
also = SHARED
seen = []


def fill(rates):
    rates["tin"] = 0.1


fill(GIVEN)


@lru_cache
def decorated(n):
    return n


def bound(n):
    return n


bound = time.perf_counter


def keeps(n, kept=[]):
    mine = kept
    mine.append(n)
    return len(mine)


def pure(n):
    return math.floor(n) + sum(RATES.values())


def reads_the_clock(n):
    return time.time() + n


'''
PURE = [
    "def f(n):\n    return pure(n) * 2\n",
    "def f(n):\n    found = []\n    for m in range(n):\n        found.append(m)\n    return sum(found)\n",
    "def f(tier):\n    if tier not in RATES:\n        raise KeyError(tier)\n    return RATES[tier]\n",
    "def f(text):\n    return '-'.join(sorted(text.lower().split()))\n",
    "def f(n):\n    return sum(map(pure, range(n)))\n",
    "def f(n):\n    return n if n < 2 else f(n - 1) + f(n - 2)\n",
    "def f(n):\n    return max(RATES) + sum(rate for rate in RATES.values() if rate in (0.1, n))\n",
]
IMPURE = {
    "def f(n):\n    return reads_the_clock(n)\n": "reads_the_clock: it calls time.time",
    "def f(n):\n    return sum(map(reads_the_clock, range(n)))\n": "reads_the_clock: it calls time.time",
    "def f(n):\n    return CHANGED['gold'] * n\n": "it reads CHANGED",
    "def f(n):\n    seen.append(n)\n    return n\n": "seen",
    "def f(n):\n    print(n)\n    return n\n": "print",
    "def f(n):\n    global seen\n    return n\n": "writes what is not its own",
    "def f(n):\n    n.total = 3\n    return n\n": "writes into a value",
    "def f(n):\n    rates = RATES\n    rates['new'] = n\n    return n\n": "another name",
    "def f(n):\n    yield n\n": "yields",
    "async def f(n):\n    return n\n": "coroutine",
    "@lru_cache\ndef f(n):\n    return n\n": "decorator",
    "class C:\n    def f(self, n):\n        return n\n": "method",
    "def f(n, call):\n    return call(n)\n": "it calls call",
    "def f(n):\n    return open(n).read()\n": "it",
    "def f(n):\n    rates = RATES or {}\n    rates['new'] = n\n    return n\n": "another name",
    "def f(n):\n    for one in NESTED.values():\n        one.append(n)\n    return n\n": "it reads NESTED",
    "def f(n):\n    return SHARED['gold'] * n\n": "it reads SHARED",
    "def f(n):\n    return GIVEN['gold'] * n\n": "it reads GIVEN",
    "def f(n):\n    return decorated(n)\n": "decorated: it has a decorator",
    "def f(n):\n    return bound(n)\n": "it calls bound",
    "def f(n):\n    return keeps(n)\n": "keeps: it has a default that can be changed",
}


def _why(source: str) -> str:
    tree = ast.parse(HEAD + source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return impure(tree, next(node for node in functions if node.name == "f"))


@pytest.mark.parametrize("source", PURE)
def test_what_depends_on_its_arguments_alone_can_be_cached(source: str) -> None:
    assert _why(source) == ""


@pytest.mark.parametrize(("source", "why"), IMPURE.items())
def test_in_doubt_it_cannot(source: str, why: str) -> None:
    assert why in _why(source)


def _kept(root: Path, calls: list[dict[str, object]]) -> list[CaptureRecord]:
    index = recorded.workspace(root, {"m.py": "def f(n):\n    return n\n"}, calls)
    found = index.captures(index.find("m.f")[0].id, None, None, 100)
    index.close()
    return found


def test_calls_speak_for_a_cache_only_when_they_repeat_and_agree(tmp_path: Path) -> None:
    call = {"call": "m.py:f", "args": {"n": 1}, "returns": 1, "ms": 1.0}
    other = {**call, "args": {"n": 2}, "returns": 2}
    assert repeated(_kept(tmp_path / "a", [{**call, "times": 4}, {**other, "times": 2}])) == Repeated(6, 2)
    assert repeated(_kept(tmp_path / "b", [call, other])) == "fewer than 5 calls were kept"
    told = {
        "different results": [{**call, "times": 4}, {**call, "returns": 3}],
        "can be changed": [{**call, "returns": [1], "times": 6}],
        "no key": [{**call, "args": {"n": [1]}, "times": 6}],
        "as quick": [{**call, "ms": 0.0005, "times": 6}],
        "seldom repeat": [{**call, "args": {"n": n}} for n in range(6)],
        "of several types": [{**call, "times": 4}, {**call, "args": {"n": 1.0}, "times": 4}],
        "not recorded in full": [{**call, "args": {"n": "token = [redacted]"}, "times": 6}],
    }
    for number, (why, calls) in enumerate(told.items()):
        assert why in str(repeated(_kept(tmp_path / str(number), calls)))


def test_the_decorator_is_written_with_the_import_it_needs(tmp_path: Path) -> None:
    for text, added in (
        ("def f(n):\n    return n\n", ["import functools", "@functools.cache"]),
        ("import functools as tools\n\n\ndef f(n):\n    return n\n", ["@tools.cache"]),
        ("from functools import cache\n\n\ndef f(n):\n    return n\n", ["@cache"]),
    ):
        (tmp_path / "m.py").write_text(text)
        source = Source.read(tmp_path, "m.py")
        node = find_function(source, "f")
        assert node is not None
        lines = cached(source, node).content.decode().splitlines()
        assert [line for line in lines if line and line not in text.splitlines()] == added
