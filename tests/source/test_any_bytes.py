"""Lowering never fails: any bytes give facts, and no depth overflows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.source.test_body_hash import PRICING
from tracelens_indexer.graph.link import link
from tracelens_indexer.source.lower import lower
from tracelens_indexer.source.outline import outline
from tracelens_indexer.source.place import place_at
from tracelens_indexer.source.statements import statement_at

PIECES = ["def f(", "class A:", "lambda", "[x for x in ", "\n", "    ", "\t", ")", "]", "}", "{", "(", "@", "'", '"""',
          "f'{", ":", "=", "import", "from . import *", "global x", "async ", "yield", "super()", "\0", "\r", "\f", "é",
          "match x:", "case A(b=c):", "except* E as e:", "with a as (b, c):", "x: int = ", "__all__ += ", ";", "\\\n",
          "a.b.c()", "type X[T] = ", "print 'x'", "*", "**k", "/", "#"]  # fmt: skip


def survives(source: bytes) -> None:
    facts = lower(source)
    assert facts.units[0].scope == "<module>"
    assert facts.units == outline(source)
    assert all(0 <= unit.parent < index for index, unit in enumerate(facts.units) if index)
    assert len({(unit.scope, unit.ordinal) for unit in facts.units}) == len(facts.units)
    links = link({"a.py": ("a", facts)})
    assert len(links.resolutions) == len(facts.sites)
    line = source.count(b"\n") // 2 + 1
    place_at(source, line, 3, units=facts.units)
    statement_at(source, line)


@given(st.binary(max_size=300))
def test_arbitrary_bytes(source: bytes) -> None:
    survives(source)


@given(st.lists(st.sampled_from(PIECES), max_size=40))
@settings(max_examples=300)
def test_pieces_of_python_in_any_order(pieces: list[str]) -> None:
    survives("".join(pieces).encode())


@given(st.data())
@settings(max_examples=200)
def test_mutilated_source(data: st.DataObject) -> None:
    source = bytearray(PRICING.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(source)))
        end = min(len(source), start + data.draw(st.integers(0, 30)))
        source[start:end] = data.draw(st.binary(max_size=4) | st.sampled_from([piece.encode() for piece in PIECES]))
    survives(bytes(source))


DEPTH = 5_000
DEEP = {
    "parentheses": "(" * DEPTH + ")" * DEPTH,
    "unclosed calls": "f(" * DEPTH,
    "calls in calls": "f(" * DEPTH + ")" * DEPTH,
    "a chain of calls": "a" + ".b()" * DEPTH,
    "operators": "x = 1" + " + 1" * DEPTH,
    "or": "x = " + " or ".join(["a"] * DEPTH),
    "lambdas": "lambda: " * DEPTH + "0",
    "comprehensions": "[x for x in " * DEPTH + "y" + "]" * DEPTH,
    "elif": "if a: x = 1\n" + "elif b: x = 2\n" * DEPTH,
    "assignments": "a = " * DEPTH + "C()",
    "targets": "(" * DEPTH + "a" + ",)" * DEPTH + " = b",
    "annotations": "def f(x: " + "A[" * DEPTH + "B" + "]" * DEPTH + "): x.y()",
    "blocks": "".join(" " * level + "for a in b:\n" for level in range(1000)) + " " * 1000 + "a()\n",
    "functions": "".join(" " * level + "def f():\n" for level in range(400)) + " " * 400 + "g()\n",
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_depth_does_not_overflow(source: str) -> None:
    survives(source.encode())


def test_errors_are_counted_and_units_around_them_are_whole() -> None:
    facts = lower(b"def f():\n    return 1\n\ndef g():\n    x = = 2\n\ndef h(a):\n    return f(a)\n")
    assert facts.errors > 0
    scopes = {unit.scope: unit for unit in facts.units}
    assert {"f", "h"} <= set(scopes)
    assert scopes["f"].body_hash == lower(b"def f(): return 1").units[1].body_hash


@pytest.mark.parametrize(
    "source",
    [
        b"\xef\xbb\xbfdef f():\r\n\treturn 1\r\n",
        b"\x0cdef f():\n\treturn 1\n",
        b"def f():\r\treturn 1\r",
        b"# -*- coding: latin-1 -*-\ndef f():\n    return 1 # \xe9\n",
        b"# coding: no-such-codec\ndef f():\n    return 1 # \xe9\n",
        b"def f():\n    return 1 # \xff\xfe\x00\n",
    ],
)
def test_encodings_and_line_ends_do_not_matter(source: bytes) -> None:
    facts = lower(source)
    assert [unit.scope for unit in facts.units] == ["<module>", "f"]
    assert facts.errors == 0
    assert facts.units[1].body_hash == lower(b"def f(): return 1").units[1].body_hash


def test_a_declared_encoding_is_read() -> None:
    facts = lower('# coding: latin-1\ndef f(): "é"\n'.encode("latin-1"))
    assert facts.units[1].docstring == "é"


def test_an_empty_file_is_a_module() -> None:
    (module,) = lower(b"").units
    assert (module.first_line, module.end_line, module.kind) == (1, 1, "module")
