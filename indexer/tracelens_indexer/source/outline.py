"""The units of an open editor buffer, quickly: what lowering says of units, without the flow facts."""

from __future__ import annotations

from tree_sitter import Tree

from tracelens_indexer.source.drafts import Known
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.source.lower import Lowering
from tracelens_indexer.source.syntax import as_utf8, parse


def outline(source: bytes, tree: Tree | None = None, known: Known | None = None) -> tuple[Unit, ...]:
    """The units of a source in source order, the module first. `tree`: the source's tree, where there is one.

    `known` is what was read of the version before, and becomes what was read of this one: functions whose text is
    the same are only moved. The units are the same with it and without.
    """
    source = as_utf8(source)
    lowering = Lowering(source, None, known)
    lowering.run(tree or parse(source))
    if known is not None:
        known.next()
    units = lowering.units()
    lowering.forget()
    return units


def unit_at(units: tuple[Unit, ...], line: int, column: int = 0, *, source: bytes | None = None) -> int:
    """The index of the smallest unit that covers a place (1-based line, 0-based byte column).

    Without `source`, the smallest unit that covers the line; lambdas and comprehensions then count only when the
    line is all theirs.
    """
    best = 0
    offset = _offset(source, line, column) if source is not None else -1
    for index, unit in enumerate(units):
        if index and source is not None:
            inside = unit.start_byte <= offset <= unit.end_byte
        else:
            small = unit.kind in ("lambda", "comprehension")
            inside = unit.first_line <= line <= unit.end_line and not (small and unit.first_line == unit.end_line)
        if inside and unit.end_byte - unit.start_byte <= units[best].end_byte - units[best].start_byte:
            best = index
    return best


def _offset(source: bytes, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        end = source.find(b"\n", start)
        if end < 0:
            return len(source)
        start = end + 1
    end = source.find(b"\n", start)
    return min(start + column, end if end >= 0 else len(source))
