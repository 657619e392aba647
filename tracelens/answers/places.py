"""Where in the buffer a failure belongs now: found again by its statement, not by its old line number."""

from __future__ import annotations

from dataclasses import dataclass

from tracelens.answers.document import DocumentSnapshot, Position, Span
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.source.statements import statement_at, statement_hash
from tracelens_indexer.store.answers import FailureRecord


@dataclass(frozen=True, slots=True)
class Place:
    """A statement; lines are 1-based."""

    line: int
    """Where in the statement it happened, as far as that is known."""
    first_line: int
    last_line: int

    def span(self, document: DocumentSnapshot) -> Span:
        """The statement's text in a document."""
        last = self.last_line - 1
        start = document.whole_line(self.first_line - 1).start
        return Span(start, Position(last, len(document.line(last).rstrip())))


def place_of(document: DocumentSnapshot, unit: Unit | None, failure: FailureRecord) -> Place | None:
    """A failure's statement in the buffer's unit, the nearest if several read the same; None when it is gone."""
    if unit is None:
        return None
    expected = unit.first_line + failure.line - failure.unit.first_line if failure.line else 0
    if not failure.statement_hash:
        # Only an unchanged unit still has its lines where they were.
        unchanged = failure.unit.body_hash == unit.body_hash
        return Place(expected, expected, expected) if expected and unchanged else None
    key = (unit.first_line, unit.end_line, expected, failure.statement_hash)
    known: dict[tuple[int, int, int, str], Place | None] = document.__dict__.setdefault("_places", {})
    if key not in known:
        known[key] = _search(document, unit, expected, failure.statement_hash)
    return known[key]


def line_of(document: DocumentSnapshot | None, unit: Unit | None, failure: FailureRecord) -> int:
    """1-based line of a failure; 0 when it is not known or no longer there. Without a document, the index's line."""
    if document is None or unit is None:
        return failure.line
    place = place_of(document, unit, failure)
    return place.line if place else 0


def _search(document: DocumentSnapshot, unit: Unit, expected: int, wanted: str) -> Place | None:
    lines = range(unit.first_line, unit.end_line + 1)
    # Outwards from where it was: mostly the first one looked at is the one.
    for number in sorted(lines, key=lambda line: abs(line - expected)):
        # The line alone is what a trace shows whose source was not known.
        if statement_hash(document.line(number - 1).decode("utf-8", "replace")) == wanted:
            return Place(number, number, number)
        statement = statement_at(document.text, number, tree=document.tree)
        if statement is not None and statement_hash(statement.text) == wanted:
            return Place(number, statement.first_line, statement.last_line)
    return None
