"""Diagnostics: what went wrong at a place, with the frames that led there, and what findings.py has. Only with
evidence; what a person has chosen to ignore is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tracelens.answers import headline, ignored, places, values, words
from tracelens.answers.document import DocumentSnapshot, Span, in_document, placed, state_now
from tracelens.answers.snapshot import IndexSnapshot, on_purpose, raised_here
from tracelens_indexer.store.answers import FailureRecord, Profile

Severity = Literal["warning", "information", "hint"]
Rule = Literal["failure", "contract", "repeated", "drift", "unreached"]

_MOST = 100
_MOST_FRAMES = 20


@dataclass(frozen=True, slots=True)
class RelatedFrame:
    """A frame of the stack that led to a failure."""

    path: str
    """Relative to the workspace."""
    line: int
    """0-based."""
    message: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    span: Span
    severity: Severity
    rule: Rule
    message: str
    related: tuple[RelatedFrame, ...]
    about: str
    """Id of the failure or, for the other rules, of the unit: for actions."""


def diagnostics(
    document: DocumentSnapshot, snapshot: IndexSnapshot, ignore: Sequence[str] = (), *, unreached: bool = False
) -> list[Diagnostic]:
    """What is to be told of a file, where it is now. A failure whose statement is gone is not told.

    `ignore`: the project's list, as in ignored.py. `unreached`: also the functions that no run reached.
    """
    from tracelens.answers.findings import findings

    found: list[Diagnostic] = []
    units = placed(document, snapshot.units_in(document.path))
    pairs = in_document(snapshot.profiles_in(document.path), units)
    for unit, profile in pairs:
        for failure in raised_here(profile):
            place = places.place_of(document, unit, failure)
            if place is None:
                continue
            sure = state_now(profile, unit) in ("fresh", "moved")
            found.append(
                Diagnostic(
                    span=place.span(document),
                    severity="hint" if on_purpose(failure) else "warning" if sure else "information",
                    rule="failure",
                    message=_message(failure, snapshot.profile(profile.unit.id) or profile, stale=not sure),
                    related=_frames(failure, snapshot),
                    about=failure.id,
                )
            )
    found += findings(document, snapshot, pairs, units, unreached=unreached)
    told = [
        one
        for one in found
        if not ignored.on_line(document.line(one.span.start.line), one.rule)
        and not ignored.by_project(ignore, document.path, one.rule)
    ]
    return sorted(told, key=lambda diagnostic: diagnostic.span.start)[:_MOST]


def _message(failure: FailureRecord, profile: Profile, *, stale: bool) -> str:
    """ "ZeroDivisionError seen here in 3 of 1,884 calls (price = 0.0)"."""
    often = headline.of_calls(failure.n, profile)
    when = ", ".join(
        f"{words.clean(name)} = {words.clean(value)}" for name, value in values.common_to_failing(profile, failure)
    )
    said = words.first_line(failure.message)
    text = f"{words.type_name(failure.type)} seen here in {often}"
    text += f" ({when})" if when else ""
    text += f": {said}" if said else ""
    return f"{text} [changed since recorded]" if stale else text


def _frames(failure: FailureRecord, snapshot: IndexSnapshot) -> tuple[RelatedFrame, ...]:
    """The frames in the workspace, innermost first, without the failing place itself."""
    frames: list[RelatedFrame] = []
    for unit_id, _, name, line, source in reversed(failure.stack[-_MOST_FRAMES:]):
        unit = snapshot.index.unit(unit_id) if unit_id else None
        if unit is None or (unit.id == failure.unit.id and not frames):
            continue
        at = _line_now(snapshot, unit.path, unit.first_line, unit.end_line, line, source)
        what = words.clean(source.strip(), words.LONGEST_NAME)
        frames.append(RelatedFrame(unit.path, at - 1, f"{words.clean(name)}: {what}" if what else words.clean(name)))
    return tuple(frames)


def _line_now(snapshot: IndexSnapshot, path: str, first: int, last: int, recorded: int, source: str) -> int:
    """The line of a unit that reads like the recorded one, else the recorded line if it is within the unit."""
    wanted = source.strip()
    if wanted:
        lines = snapshot.lines_of(path)
        same = [n for n in range(first, min(last, len(lines)) + 1) if lines[n - 1].strip() == wanted]
        if same:
            return min(same, key=lambda n: abs(n - recorded))
    return recorded if first <= recorded <= last else first
