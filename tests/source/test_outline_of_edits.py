"""The outline of an edited buffer takes over what did not change, and is the outline of the text all the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tracelens.answers.document import DocumentSnapshot, following
from tracelens_indexer.source.drafts import Known
from tracelens_indexer.source.outline import outline

SOURCES = sorted((Path(__file__).resolve().parents[2] / "indexer/tracelens_indexer").rglob("*.py"))[::6]
PIECES = [
    b"", b"\n", b"    ", b"def g(a=lambda: (yield)):\n    return [x for x in a]\n", b"class C:\n", b'"""', b"(", b"#",
    b"global f\n", b"@decorated\n", b"\xf0\x9d\x92\xb3", b"if x:\n    ", b"async ", b"x = lambda y: y\n", b"\t",
]  # fmt: skip
TRICKY = b'''\
def f(a=lambda: 1, *b):
    def inner(): return [c for c in b]
    return inner

class A:
    global moved
    def moved(self): return 1
    def f(self, x=(yield)): return (y for y in x)
    def f(self): return 2

@register(lambda: 0)
def f(): return """
def not_one(): pass
"""
'''


@pytest.mark.parametrize("seed", range(12))
def test_after_any_edit_the_outline_is_that_of_the_text(seed: int) -> None:
    chance = random.Random(seed)
    text = TRICKY if seed % 3 == 0 else chance.choice(SOURCES).read_bytes()[:12_000]
    document = DocumentSnapshot("m.py", text)
    known = Known()
    assert outline(text, known=known) == outline(text)
    for version in range(60):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice([0, 0, 1, 5, 60]))
        text = text[:start] + chance.choice(PIECES) + text[end:]
        if chance.random() < 0.1:
            text = TRICKY + text
        assert outline(text, known=known) == outline(text)
        # As the server does it, with a tree that is parsed again only where it changed; not every version is asked.
        document = following(document, text, version)
        if chance.random() < 0.7 and not document.tree.root_node.has_error:
            assert document.units == outline(text, document.tree)


def test_functions_that_read_the_same_keep_their_places_apart() -> None:
    known = Known()
    text = b"if a:\n    def f(x): return x\nelse:\n    def f(x): return x\n"
    first = outline(text, known=known)
    assert first == outline(text)
    again = outline(b"import b\n" + text, known=known)
    assert [(u.ordinal, u.def_line, u.parameters[0].line) for u in again[1:]] == [(0, 3, 3), (1, 5, 5)]
