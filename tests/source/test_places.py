"""What is under the cursor, which unit it belongs to, and which statement a line is part of."""

from __future__ import annotations

import pytest

from tracelens_indexer.source.outline import outline, unit_at
from tracelens_indexer.source.place import Place, place_at
from tracelens_indexer.source.statements import statement_at, statement_hash
from tracelens_indexer.source.syntax import parse

SOURCE = """\
import os.path as p
from .models import Order, Item as I

@timed(3)
def f(price, *args, w: Warehouse = Warehouse(), tier="basic"):
    # hi
    total = self.warehouse.find(price,
                                tier)
    if total > len(
        args
    ):  # why
        raise OrderError("bad", price)
    elif total:
        x = 1; y = 2
    return [g(a) for a in args]

class A(B):
    def m(self): return super().m()
"""


def at(marked: str) -> Place:
    """The place of the | in a part of SOURCE."""
    before, after = marked.split("|")
    offset = SOURCE.index(before + after) + len(before)
    line = SOURCE.count("\n", 0, offset) + 1
    return place_at(SOURCE.encode(), line, offset - SOURCE.rfind("\n", 0, offset) - 1)


@pytest.mark.parametrize(
    ("marked", "kind", "name", "callee"),
    [
        ("import os.|path", "import", "os.path", ""),
        ("models import O|rder", "import", "Order", ""),
        ("Item as |I", "import", "Item", ""),
        ("@t|imed(3)", "call", "timed", "timed"),
        ("@timed(|3)", "call", "timed", "timed"),
        ("def |f(price", "definition", "f", ""),
        ("def f|(price", "definition", "f", ""),
        ("def f(pr|ice", "parameter", "price", ""),
        ("*a|rgs, w", "parameter", "args", ""),
        ("|w: Warehouse", "parameter", "w", ""),
        ("w: Ware|house", "name", "Warehouse", ""),
        ("= Ware|house()", "call", "Warehouse", "Warehouse"),
        ("to|tal = self", "name", "total", ""),
        ("self.|warehouse", "name", "warehouse", ""),
        ("warehouse.fi|nd(", "call", "find", "self.warehouse.find"),
        ("find(pr|ice", "parameter", "price", ""),
        ("|raise OrderError", "raise", "OrderError", ""),
        ("raise Order|Error", "call", "OrderError", "OrderError"),
        ('"b|ad"', "call", "OrderError", "OrderError"),
        ("# h|i", "none", "", ""),
        ("class |A(B)", "definition", "A", ""),
        ("class A(|B)", "name", "B", ""),
        ("sup|er().m()", "call", "super", "super"),
        ("super()|.m()", "none", "", ""),
        ("super().|m()", "call", "m", "super().m"),
    ],
)
def test_a_place_says_what_the_cursor_is_on(marked: str, kind: str, name: str, callee: str) -> None:
    place = at(marked)
    assert (place.kind, place.name, place.callee) == (kind, name, callee)


def test_a_call_is_marked_by_its_callee_and_found_by_its_site() -> None:
    place = at("warehouse.fi|nd(")
    assert (place.start_line, place.start_column, place.end_line, place.end_column) == (7, 12, 7, 31)
    assert (place.call_line, place.call_column) == (7, 12)


def test_a_place_knows_its_unit() -> None:
    source = SOURCE.encode()
    units = outline(source)
    tree = parse(source)
    scopes = [
        units[place_at(source, line, column, tree=tree, units=units).unit].scope
        for line, column in [(1, 0), (4, 2), (5, 4), (7, 8), (15, 13), (16, 0), (17, 6), (18, 30)]
    ]
    assert scopes == ["<module>", "f", "f", "f", "f.<locals>.<listcomp>", "<module>", "A", "A.m"]


def test_by_line_alone_the_smallest_unit_is_not_a_lambda_within_it() -> None:
    units = outline(SOURCE.encode())
    assert [units[unit_at(units, line)].scope for line in (1, 4, 15, 16, 17, 18)] == [
        "<module>", "f", "f", "<module>", "A", "A.m",
    ]  # fmt: skip


@pytest.mark.parametrize(("line", "column"), [(0, 0), (-3, -5), (1, 10_000), (10_000, 0)])
def test_places_outside_the_text_are_nothing_special(line: int, column: int) -> None:
    assert place_at(SOURCE.encode(), line, column).kind in ("none", "import", "name")


@pytest.mark.parametrize(
    ("line", "text", "first_line"),
    [
        (1, "import os.path as p", 1),
        (4, "@timed(3)", 4),
        (5, 'def f(price, *args, w: Warehouse = Warehouse(), tier="basic"):', 5),
        (7, "total = self.warehouse.find(price, tier)", 7),
        (8, "total = self.warehouse.find(price, tier)", 7),
        (9, "if total > len( args ):", 9),
        (11, "if total > len( args ):", 9),
        (12, 'raise OrderError("bad", price)', 12),
        (13, "elif total:", 13),
        (14, "y = 2", 14),
        (15, "return [g(a) for a in args]", 15),
        (18, "return super().m()", 18),
    ],
)
def test_a_line_belongs_to_its_smallest_statement(line: int, text: str, first_line: int) -> None:
    statement = statement_at(SOURCE.encode(), line)
    assert statement is not None
    assert (" ".join(statement.text.split()), statement.first_line) == (text, first_line)


@pytest.mark.parametrize("line", [0, 3, 6, 16, 99])
def test_a_line_without_a_statement_has_none(line: int) -> None:
    assert statement_at(SOURCE.encode(), line) is None


def test_wrapping_a_statement_keeps_its_hash() -> None:
    assert statement_hash("total = find(a,\n    b)") == statement_hash("total = find(a, b)")
    assert statement_hash("total = find(a)") != statement_hash("total = find(b)")
