"""A body hash changes exactly when the code does: formatting never makes anything stale."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.source.corpus import STANDARD_LIBRARY, sample
from tracelens_indexer.source.lower import lower
from tracelens_indexer.source.outline import outline

PRICING = '''\
"""Prices."""
from .models import Order, Item as I

@timed(limit=3)
def price(order, *, tier="basic", rate=0.5):
    """What an order costs."""
    total = sum(line.price * line.count for line in order.lines)
    if tier == 'gold' and (total > 100 or order.first):
        total -= max(total * rate, key=lambda x: -x)
    elif tier not in ("basic", "silver",):
        raise ValueError(f"unknown tier {tier!r}")
    for a, (b, c) in order.pairs:
        with open(a) as f, lock:
            yield f.read(), b[c:1], {"k": [1, 2]}
    return total
'''


def hashes(source: str | bytes) -> dict[tuple[str, int], str]:
    text = source.encode() if isinstance(source, str) else source
    return {(unit.scope, unit.ordinal): unit.body_hash for unit in outline(text)}


def body(source: str, scope: str = "f") -> str:
    return hashes(textwrap.dedent(source))[scope, 0]


@pytest.mark.parametrize("width", [40, 88, 160])
def test_a_formatter_changes_no_hash_of_the_standard_library(width: int, tmp_path: Path) -> None:
    originals: dict[str, bytes] = {}
    for number, path in enumerate(sample(25, seed=width)):
        try:
            source = path.read_bytes()
            compile(source, str(path), "exec", dont_inherit=True)
        except (SyntaxError, ValueError):
            continue
        name = f"m{number}.py"
        originals[name] = source
        (tmp_path / name).write_bytes(source)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet", "--line-length", str(width)]
    subprocess.run([*command, str(tmp_path)], check=False, capture_output=True)
    compared = 0
    for name, source in originals.items():
        formatted = (tmp_path / name).read_bytes()
        compared += formatted != source
        assert hashes(formatted) == hashes(source), name
    assert compared > 10


@pytest.mark.parametrize("path", sample(15, seed=3), ids=lambda path: str(path.relative_to(STANDARD_LIBRARY)))
def test_outline_and_lowering_say_the_same_units(path: Path) -> None:
    source = path.read_bytes()
    assert outline(source) == lower(source).units


COMMENTS = st.sampled_from(["# why", "#", "# type: ignore", "#!/x", "# def f(): pass", "# é"])


@given(st.data())
def test_comments_and_blank_lines_change_no_hash(data: st.DataObject) -> None:
    lines = PRICING.split("\n")
    changed = []
    for index, line in enumerate(lines):
        if index and data.draw(st.booleans()):
            indent = data.draw(st.sampled_from(["", "  ", "\t", " " * 12]))
            changed.append(data.draw(st.sampled_from(["", indent, indent + data.draw(COMMENTS)])))
        ending = data.draw(st.sampled_from(["", " ", "  " + data.draw(COMMENTS)])) if line else ""
        changed.append(line + ending)
    assert hashes("\n".join(changed)) == hashes(PRICING)


@given(st.sampled_from([" ", "  ", "\t", "        "]), st.sampled_from(["\n", "\r\n"]))
def test_indentation_and_line_ends_change_no_hash(unit: str, newline: str) -> None:
    lines = []
    for line in PRICING.split("\n"):
        depth = (len(line) - len(line.lstrip(" "))) // 4
        lines.append(unit * depth + line.lstrip(" "))
    assert hashes(newline.join(lines)) == hashes(PRICING)


@given(st.text(alphabet=st.characters(exclude_characters='\\"\r\0', categories=("L", "N", "P", "S", "Z", "M"))))
def test_docstrings_change_no_hash(docstring: str) -> None:
    before = 'def f():\n    """Old."""\n    return 1\n'
    after = f'"""New module."""\ndef f():\n    """{docstring}"""\n    return 1\n'
    assert hashes(after) == hashes(before) == hashes("def f():\n    return 1\n")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(): return 'it'", 'def f(): return "it"'),
        ("def f(): return 'it\\'s'", 'def f(): return "it\'s"'),
        ("def f(): return 'a' 'b'", 'def f(): return "ab"'),
        ("def f(): return f'{a}' f'{b}c' 'd'", "def f(): return f'{a}{b}cd'"),
        ("def f(): return u'x'", "def f(): return 'x'"),
        ("def f(): return RB'x\\d'", "def f(): return rb'x\\d'"),
        ("def f(a, b,): g(a, b,)", "def f(\n  a,\n  b\n): g(\n a, b)"),
        ("def f(): return (a + b)", "def f(): return a + b"),
        ("def f(): return (a, b)", "def f(): return a, b"),
        ("def f():\n  for (a, b) in c: pass", "def f():\n  for a, b in c: pass"),
        ("def f():\n  if (a and\n      b): c", "def f():\n  if a and b:\n    c"),
        ("def f(): x = 1; y = 2", "def f():\n  x = 1\n  y = 2;"),
        ("def f(): x = a + \\\n  b", "def f(): x = a + b"),
        ("def f():\n  from a import (b, c,)", "def f():\n  from a import b, c"),
        ("def f():\n  class A(): pass", "def f():\n  class A: pass"),
        ("def f(): return 0XFF + 1_000 + .5 + 1E+3J", "def f(): return 0xff + 1000 + 0.5 + 1e3j"),
        ("def f(): return -(2 ** n)", "def f(): return -2 ** n"),
        ("def f():\n  for x in (a, b),: pass", "def f():\n  for x in ((a, b),): pass"),
    ],
)
def test_what_formatters_do_changes_no_hash(one: str, other: str) -> None:
    assert body(one) == body(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f():\n  if a:\n    b\n    c", "def f():\n  if a:\n    b\n  c"),
        ("def f():\n  a\n  (b)", "def f():\n  a(b)"),
        ("def f(): return (a + b) * c", "def f(): return a + b * c"),
        ("def f(): return -(a + b)", "def f(): return -a + b"),
        ("def f(): return (a,)", "def f(): return a"),
        ("def f(): return x[a,]", "def f(): return x[a]"),
        ("def f(): return ()", "def f(): return"),
        ("def f(): g((a, b))", "def f(): g(a, b)"),
        ("def f(): g(k=(a, b))", "def f(): g(k=a, b)"),
        ("def f(): g(lambda: (a, b))", "def f(): g(lambda: a, b)"),
        ("def f(): g(k := (a, b))", "def f(): g(k := a, b)"),
        ("def f(): assert (a, b)", "def f(): assert a, b"),
        ("def f():\n  with (a, b) as c: pass", "def f():\n  with a, b as c: pass"),
        ("def f():\n  for x in (a, b),: pass", "def f():\n  for x in (a, b): pass"),
        ("def f(): return 'a b'", "def f(): return 'ab'"),
        ("def f(): return 'a', 'b'", "def f(): return 'a' 'b'"),
        ("def f(): return r'\\n'", "def f(): return '\\n'"),
        ("def f(): return b'x'", "def f(): return 'x'"),
        ("def f(): return f'{a}'", "def f(): return '{a}'"),
        ("def f(): return f'{a:>3}'", "def f(): return f'{a:<3}'"),
        ("def f(): return f'{{a}}'", "def f(): return f'{a}'"),
        ("def f(): return 1", "def f(): return 1.0"),
        ("def f(a=1): pass", "def f(a=2): pass"),
        ("@a\ndef f(): pass", "@b\ndef f(): pass"),
        ("def f(): pass", "async def f(): pass"),
        ("def f(): x = 'not a docstring'", "def f(): x = 'other'"),
        ("def f():\n  def g(): return 1\n  return g", "def f():\n  def g(): return 2\n  return g"),
        ("def f(): return lambda: 1", "def f(): return lambda: 2"),
        ("def f(): return [a for a in b]", "def f(): return [a for a in c]"),
        ("def f():\n  def g(): pass", "def f():\n  def h(): pass"),
        ("def f(): return a is not b", "def f(): return a is (not b)"),
    ],
)
def test_what_python_distinguishes_has_another_hash(one: str, other: str) -> None:
    assert body(one) != body(other)


def test_a_renamed_function_keeps_its_body() -> None:
    assert hashes("def f(a): return a\n")["f", 0] == hashes("def g(a): return a\n")["g", 0]


def test_a_change_stays_in_its_unit_and_those_around_it() -> None:
    before = "class A:\n    def f(self): return 1\n    def g(self): return 2\ndef h(): pass\n"
    old, new = hashes(before), hashes(before.replace("return 1", "return 3"))
    assert {scope for scope, _ in old if old[scope, 0] != new[scope, 0]} == {"<module>", "A", "A.f"}
