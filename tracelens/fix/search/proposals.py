"""The patches that a search proposes: single edits of the functions that may hold the fault, and pairs of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tracelens.fix.patch import Edit
from tracelens.fix.search.edits import Candidate, Context, candidates
from tracelens.fix.search.edits.delegates import callees
from tracelens.fix.search.edits.reached import reached, scores_by_line
from tracelens.fix.search.localise import Suspect
from tracelens.fix.search.survey import Survey

_MOST = 40_000
_EVERY_EDIT = 6
"""Functions of which every edit is proposed; of the others the likely ones."""
_LIKELY = 0.35
_ENOUGH = 120_000
"""Edits after which no more functions are looked at."""
_MOST_SIBLINGS = 6


@dataclass(frozen=True, slots=True)
class Proposal:
    suspect: Suspect
    candidate: Candidate
    score: float
    text: str
    """Of the whole function."""


def singles(found: Sequence[Suspect], survey: Survey) -> list[Proposal]:
    """Single edits of the suspects, likeliest first; none of statements that no failing check came to."""
    guesses: list[tuple[float, Suspect, Candidate]] = []
    for number, one in enumerate(found):
        if number >= _EVERY_EDIT and len(guesses) > _ENOUGH:
            break
        last = one.function.end_lineno or one.function.lineno
        first = min([one.function.lineno, *(each.lineno for each in one.function.decorator_list)])
        siblings = [other.function.name for other in found if other.source.path == one.source.path and not other.within]
        context = Context(
            one.source,
            one.function,
            survey.types_in(one.source.path, first, last),
            survey.attributes,
            tuple(siblings[:_MOST_SIBLINGS]),
            reached(one.function, one.lines),
            callees(one.source.tree, one.function, one.within),
        )
        scores = scores_by_line(one.function, one.lines)
        elsewhere = 0.1 * one.score
        least = _LIKELY if number >= _EVERY_EDIT else 0.0
        for candidate in candidates(context):
            if candidate.prior >= least:
                score = (0.15 + scores.get(candidate.line, elsewhere)) * candidate.prior
                guesses.append((score, one, candidate))
    # Texts are made of the likeliest alone: there may be ten times as many.
    items: dict[tuple[str, str], Proposal] = {}
    for score, one, candidate in sorted(guesses, key=lambda guess: -guess[0]):
        text = _spliced(one, candidate.edits)
        if text is not None and (one.key, text) not in items:
            items[one.key, text] = Proposal(one, candidate, score, text)
            if len(items) == _MOST:
                break
    return list(items.values())


def pairs(items: Sequence[Proposal], near: Sequence[Proposal]) -> Iterator[Proposal]:
    """Two edits at once: what helped a little with everything likely, then the likeliest with each other.

    near: single edits that helped a little.
    """
    seen: set[str] = set()
    helped = sorted(near, key=lambda one: -one.score)[:40]
    rounds = [
        (helped, items[:400]),
        (items[:90], items[:90]),
        (helped, items[400:2500]),
        (items[:300], items[:300]),
    ]
    for first, second in rounds:
        both_of = [
            (a.score * b.score, a, b)
            for a in first
            for b in second
            if a is not b and a.suspect.key == b.suspect.key and _apart(a.candidate, b.candidate)
        ]
        for score, a, b in sorted(both_of, key=lambda one: -one[0]):
            text = _spliced(a.suspect, (*a.candidate.edits, *b.candidate.edits))
            if text is None or text in seen:
                continue
            seen.add(text)
            both = Candidate(
                (*a.candidate.edits, *b.candidate.edits),
                f"{a.candidate.kind}, {b.candidate.kind}",
                f"{a.candidate.title}; {b.candidate.title}",
                min(a.candidate.line, b.candidate.line),
                a.candidate.prior * b.candidate.prior,
            )
            yield Proposal(a.suspect, both, score, text)


def _spliced(one: Suspect, edits: Sequence[Edit]) -> str | None:
    """The function's text with edits; None when they leave it or overlap."""
    start, end = one.span
    text = one.source.text[start:end]
    following = end + 1
    for edit in sorted(edits, key=lambda each: (each.start, each.end), reverse=True):
        if edit.start < start or edit.end > following:
            return None
        if edit.end > end:
            edit = replace(edit, end=end)
        text = text[: edit.start - start] + edit.text + text[edit.end - start :]
        following = edit.start
    return text if text != one.text else None


def _apart(a: Candidate, b: Candidate) -> bool:
    return all(x.end < y.start or y.end < x.start for x in a.edits for y in b.edits)
