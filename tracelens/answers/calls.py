"""Recorded calls, as a person reads them: what "Calls" and "Failing calls" lead to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracelens import where
from tracelens.answers import words
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store.answers import CaptureRecord, FailureRecord, UnitRecord

MOST = 50
_LONGEST = 200
_MOST_LOOKED_AT = 20_000
"""Calls that a condition is held against; a recording keeps far fewer of one unit."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The kept calls of a unit that match a condition."""

    calls: tuple[CaptureRecord, ...]
    """The first of them, as many as were asked for."""
    matched: int
    looked_at: int
    not_told: int
    """Calls of which too little was recorded to tell."""

    @property
    def about(self) -> str:
        """ "2 of 24 kept calls match; of 3 too little was recorded to tell"."""
        told = f"{self.matched:,} of {words.counted(self.looked_at, 'kept call')} match"
        return f"{told}; of {self.not_told:,} too little was recorded to tell" if self.not_told else told


def matching(
    snapshot: IndexSnapshot, unit: UnitRecord, condition: str, outcome: str | None = None, limit: int = MOST
) -> Matching:
    """Calls of a unit for which a condition holds (see tracelens.where). Raises TraceLensError for a bad condition."""
    captures = snapshot.index.captures(unit.id, snapshot.runs, outcome, _MOST_LOOKED_AT)
    parameters = {parameter.name for parameter in unit.parameters}
    parameters.update(name for capture in captures for name, _, _ in capture.arguments)
    holds = where.compile_condition(condition, parameters)
    told = [holds(capture) for capture in captures]
    found = [capture for capture, true in zip(captures, told, strict=True) if true]
    return Matching(tuple(found[:limit]), len(found), len(captures), told.count(None))


def of_failure(snapshot: IndexSnapshot, failure: FailureRecord) -> list[CaptureRecord]:
    """The calls that were kept of those that failed so."""
    captures = snapshot.index.captures(failure.unit.id, snapshot.runs, failure.type, MOST)
    if not failure.line:
        return captures
    at_line = [c for c in captures if not c.line or c.line == failure.line or failure.unit.body_hash != c.body_hash]
    return at_line or captures


def of_unit(snapshot: IndexSnapshot, unit: UnitRecord) -> list[CaptureRecord]:
    return snapshot.index.captures(unit.id, snapshot.runs, None, MOST)


def listing(title: str, captures: Sequence[CaptureRecord], *, some_kept: bool = False) -> str:
    """Plain text, one call after the other. `some_kept`: none is shown only because none matches."""
    if not captures and some_kept:
        return f"{title}\n"
    if not captures:
        return f"{title}\n\nNo call was kept with its values. Calls are kept by: tracelens record -- …\n"
    return "\n\n".join([title, *(one(capture) for capture in captures)]) + "\n"


def one(capture: CaptureRecord, quote: Callable[[str], str] = str) -> str:
    """A call in two or three lines: arguments and id, what came of it, how long and from where.

    `quote` is put around what the program said: values, its message, names.
    """
    arguments = ", ".join(
        f"{quote(words.clean(name, words.LONGEST_NAME))}={quote(words.clean(text, _LONGEST))}"
        for name, _, text in capture.arguments
    )
    told = [f"{words.clean(capture.unit.name, words.LONGEST_NAME)}({arguments})   {capture.id}"]
    if capture.outcome:
        message = words.clean(capture.message, _LONGEST)
        told.append(f"  raised {quote(words.type_name(capture.outcome))}{f': {quote(message)}' if message else ''}")
    elif capture.result:
        told.append(f"  → {quote(words.clean(capture.result[1], _LONGEST))}")
    about = []
    if capture.duration_ns >= 0:
        about.append(words.duration(capture.duration_ns))
    if capture.caller:
        path, name, line = capture.caller
        place = f"{quote(words.clean(path, _LONGEST))}:{line}"
        about.append(f"from {quote(words.clean(name, words.LONGEST_NAME))} ({place})")
    if capture.test:
        about.append(f"in {quote(words.test_name(capture.test))}")
    about += [
        f"{words.clean(name, words.LONGEST_NAME)} {quote(words.clean(text, _LONGEST))}" for name, text in capture.about
    ]
    return "\n".join([*told, f"  {' · '.join(about)}"] if about else told)
