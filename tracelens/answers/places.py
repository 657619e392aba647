"""Where in the buffer a failure belongs now: found again by its statement, not by its old line number."""

from __future__ import annotations

from tracelens.answers.document import DocumentSnapshot
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.source.statements import statement_hash
from tracelens_indexer.store.answers import FailureRecord


def line_of(document: DocumentSnapshot | None, unit: Unit | None, failure: FailureRecord) -> int:
    """1-based line of a failure's statement; 0 when it is not known or no longer there.

    In a document: the line of the unit that reads like the recorded one, the nearest if several do. Without one: the
    line of the index.
    """
    if document is None or unit is None:
        return failure.line
    expected = unit.first_line + failure.line - failure.unit.first_line if failure.line else 0
    if not failure.statement_hash:
        # Only an unchanged unit still has its lines where they were.
        return expected if failure.unit.body_hash == unit.body_hash else 0
    same = [
        number
        for number in range(unit.first_line, unit.end_line + 1)
        if statement_hash(document.line(number - 1).decode("utf-8", "replace")) == failure.statement_hash
    ]
    return min(same, key=lambda number: abs(number - expected), default=0)
