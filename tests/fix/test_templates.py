"""Templates on small real programs, each verified by re-running its recorded calls in the sandbox."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fix.recorded import Program
from tracelens.fix import propose
from tracelens.replay import sandbox

pytestmark = pytest.mark.skipif(
    isinstance(sandbox.probe(sys.executable), sandbox.NoSandbox), reason="no sandbox on this machine"
)

CASES: dict[str, tuple[str, str, list[Any], str]] = {
    "division in a condition": (
        """
        HIGHEST = 0.15
        def discount(price, share):
            saving = price * share
            if saving / price > HIGHEST:
                saving = price * HIGHEST
            return round(price - saving, 2)
        """,
        "discount",
        [(9.99, 0.2), (100.0, 0.1), (0.0, 0.2)],
        "if price and saving / price > HIGHEST:",
    ),
    "mean of nothing": (
        """
        def mean(values):
            return sum(values) / len(values)
        """,
        "mean",
        [([1.0, 2.0],), ([],)],
        "sum(values) / len(values) if values else 0.0",
    ),
    "missing key": (
        """
        RATES = {"DE": 0.19, "FR": 0.2}
        def tax(country):
            rate = RATES[country]
            return rate
        """,
        "tax",
        [("DE",), ("FR",), ("XX",)],
        "RATES",
    ),
    "missing key, returned": (
        """
        NAMES = {1: "one"}
        def name(number):
            return NAMES[number]
        """,
        "name",
        [(1,), (2,)],
        'NAMES.get(number, "")',
    ),
    "counting from nothing": (
        """
        def count(words):
            seen = {}
            for word in words:
                seen[word] += 1
            return seen
        """,
        "count",
        [([],), (["a", "b", "a"],)],
        "seen[word] = seen.get(word, 0) + 1",
    ),
    "grouping from nothing": (
        """
        def group(pairs):
            found = {}
            for key, value in pairs:
                found[key].append(value)
            return found
        """,
        "group",
        [([],), ([("a", 1), ("a", 2)],)],
        "found.setdefault(key, []).append(value)",
    ),
    "first of nothing": (
        """
        def first(items):
            return items[0]
        """,
        "first",
        [(["x"],), ([],)],
        "items",
    ),
    "one too far": (
        """
        def pairs(items):
            found = []
            for i in range(len(items)):
                found.append((items[i], items[i + 1]))
            return found
        """,
        "pairs",
        [([],), ([1, 2, 3],)],
        "range(len(items) - 1)",
    ),
    "a method of None": (
        """
        def label(tier):
            return tier.upper()
        """,
        "label",
        [("gold",), ("basic",), (None,)],
        "tier",
    ),
    "text and number": (
        """
        def label(name, number):
            return name + number
        """,
        "label",
        [("a", "1"), ("b", 2)],
        "name + str(number)",
    ),
    "joining numbers": (
        """
        def line(values):
            return ",".join(values)
        """,
        "line",
        [(["a"],), ([1, 2],)],
        "join(map(str, values))",
    ),
    "an empty number": (
        """
        def quantity(text):
            return int(text)
        """,
        "quantity",
        [("3",), ("",)],
        "int(text) if text else 0",
    ),
    "a number with decimals": (
        """
        def quantity(text):
            return int(text)
        """,
        "quantity",
        [("3",), ("4.0",)],
        "int(float(text))",
    ),
    "the largest of nothing": (
        """
        def largest(values):
            return max(values)
        """,
        "largest",
        [([3, 4],), ([],)],
        "max(values, default=0)",
    ),
    "no value yet": (
        """
        def total(values):
            for value in values:
                result = value
            return result
        """,
        "total",
        [([3, 4],), ([],)],
        "result = ",
    ),
    "a missing await": (
        """
        import asyncio
        async def load(n):
            await asyncio.sleep(0)
            return [n]
        async def first(n):
            items = load(n)
            return items[0]
        """,
        "first",
        [(3,)],
        "items = await load(n)",
    ),
    "a misspelt attribute": (
        """
        def add(items, item):
            items.apend(item)
            return items
        """,
        "add",
        [([1], 2)],
        "items.append(item)",
    ),
    "a misspelt name": (
        """
        def double(value):
            return vlaue * 2
        """,
        "double",
        [(3,)],
        "return value * 2",
    ),
    "half an index": (
        """
        def middle(items):
            return items[len(items) / 2]
        """,
        "middle",
        [([1, 2, 3],)],
        "len(items) // 2",
    ),
    "a list as a key": (
        """
        def remember(seen, key):
            seen[key] = True
            return seen
        """,
        "remember",
        [({}, (1,)), ({}, [1])],
        "seen[tuple(key)]",
    ),
    "what the function does with its other values": (
        """
        class Url:
            def __init__(self, user, port):
                self.user = user
                self.port = port
        def show(url):
            shown = ":" + url.port if url.port else ""
            shown += url.user + "@"
            return shown
        """,
        "show",
        [lambda m: (m.Url("u", "1"),), lambda m: (m.Url("v", ""),), lambda m: (m.Url(None, "2"),)],
        'shown += url.user + "@" if url.user else ""',
    ),
    "an argument that the function passes elsewhere": (
        """
        def pair(text):
            low = int(text[2:], 16)
            return int(text[:2]), low
        """,
        "pair",
        [("0920",), ("0512",), ("0b0a",)],
        "return int(text[:2], 16), low",
    ),
    "what is put behind the last item": (
        """
        def merged(parts):
            every = sorted(sum(parts, []))
            if len(parts) > 1:
                del parts[:]
                parts[0] = every
            return len(parts)
        """,
        "merged",
        [([[2, 1]],), ([[3, 1], [2]],)],
        "parts.append(every)",
    ),
    "a slip of the finger beside a name that is less like it": (
        """
        def holds(one, other):
            if len(other) > 2:
                return False
            return one.issupserset(other)
        """,
        "holds",
        [({1, 2}, {1, 2, 3}), ({1, 2}, {1})],
        "one.issuperset(other)",
    ),
    "a method with its object": (
        """
        class Account:
            def __init__(self, balance):
                self.balance = balance
            def share(self, people):
                return self.balance / people
        """,
        "Account.share",
        [lambda module: (module.Account(10.0), 4), lambda module: (module.Account(10.0), 0)],
        "if people else 0.0",
    ),
}

PROVED = ("what is put behind the last item", "a slip of the finger beside a name that is less like it")


@pytest.mark.parametrize("name", CASES)
def test_a_template_repairs_it_and_the_calls_prove_it(name: str, tmp_path: Path) -> None:
    text, scope, calls, expected = CASES[name]
    program = Program(tmp_path, text)
    failure = program.record(scope, *calls)
    assert failure, "the program was meant to fail"
    before = program.file.read_bytes()
    report = propose(program.index, failure, workspace=tmp_path, python=sys.executable, seconds=0)
    best = report.best
    assert best is not None, (report.statements, [(one.title, one.verdict.words) for one in report.fixes])
    assert best.verdict.kind in ("fixed", "stops"), [(one.title, one.verdict) for one in report.fixes]
    assert best.verdict.words.startswith(("re-ran: no longer raises", "stops the failure; result not checked"))
    assert expected in best.patch.content.decode(), [(one.title, one.preference) for one in report.fixes]
    assert best.verdict.matrix.failing_fixed == best.verdict.matrix.failing >= 1
    assert any("no endpoint" in one for one in report.statements)
    assert program.file.read_bytes() == before
    assert "except" not in best.patch.diff
    if name in PROVED:
        assert best.sure, best.verdict
