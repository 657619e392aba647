"""Recorded calls, as a person reads them: what "Calls" and "Failing calls" lead to."""

from __future__ import annotations

from collections.abc import Sequence

from tracelens.answers import words
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store.answers import CaptureRecord, FailureRecord, UnitRecord

MOST = 50
_LONGEST = 200


def of_failure(snapshot: IndexSnapshot, failure: FailureRecord) -> list[CaptureRecord]:
    """The calls that were kept of those that failed so."""
    captures = snapshot.index.captures(failure.unit.id, snapshot.runs, failure.type, MOST)
    if not failure.line:
        return captures
    at_line = [c for c in captures if not c.line or c.line == failure.line or failure.unit.body_hash != c.body_hash]
    return at_line or captures


def of_unit(snapshot: IndexSnapshot, unit: UnitRecord) -> list[CaptureRecord]:
    return snapshot.index.captures(unit.id, snapshot.runs, None, MOST)


def listing(title: str, captures: Sequence[CaptureRecord]) -> str:
    """Plain text, one call after the other."""
    if not captures:
        return f"{title}\n\nNo call was kept with its values. Calls are kept by: tracelens record -- …\n"
    return "\n\n".join([title, *(_one(capture) for capture in captures)]) + "\n"


def _one(capture: CaptureRecord) -> str:
    arguments = ", ".join(
        f"{words.clean(name, words.LONGEST_NAME)}={words.clean(text, _LONGEST)}" for name, _, text in capture.arguments
    )
    told = [f"{words.clean(capture.unit.name, words.LONGEST_NAME)}({arguments})   {capture.id}"]
    if capture.outcome:
        message = words.clean(capture.message, _LONGEST)
        told.append(f"  raised {words.type_name(capture.outcome)}{f': {message}' if message else ''}")
    elif capture.result:
        told.append(f"  → {words.clean(capture.result[1], _LONGEST)}")
    about = []
    if capture.duration_ns >= 0:
        about.append(words.duration(capture.duration_ns))
    if capture.caller:
        path, name, line = capture.caller
        about.append(f"from {words.clean(name, words.LONGEST_NAME)} ({words.clean(path, _LONGEST)}:{line})")
    if capture.test:
        about.append(f"in {words.test_name(capture.test)}")
    return "\n".join([*told, f"  {' · '.join(about)}"] if about else told)
