"""What was seen of the target when it ran, each piece with an id to cite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tracelens.answers import calls, headline, words
from tracelens.answers.choose import short_id
from tracelens.answers.snapshot import IndexSnapshot, raised_here
from tracelens.context.target import Target
from tracelens_indexer.store.answers import FailureRecord, Profile, UnitRecord

_MOST_FAILURES = 3
_FAILING, _PASSING = 3, 2
_MOST_VALUES = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    id: str
    reason: str
    text: str


def about(
    snapshot: IndexSnapshot, target: Target, units: Sequence[UnitRecord], quote: Callable[[str], str]
) -> Iterator[Evidence]:
    """The most telling first."""
    if target.failure:
        yield _failure(target.failure, quote)
    for place, unit in enumerate(units):
        profile = snapshot.profile(unit.id)
        if profile is None:
            continue
        known = target.failure.id if target.failure else ""
        for failure in raised_here(profile)[:_MOST_FAILURES]:
            if failure.id != known:
                yield _failure(failure, quote)
        yield Evidence(short_id(unit), f"what was seen of {unit.qualname}", "\n".join(_numbers(profile, quote)))
        if place == 0:
            yield from _calls(snapshot, unit, target.failure, quote)


def _numbers(profile: Profile, quote: Callable[[str], str]) -> Iterator[str]:
    state = "" if profile.state == "fresh" else f" · {profile.state}: recorded before an edit"
    yield " · ".join(headline.parts(profile)) + state
    for slot in profile.observations:
        seen = [f"{quote(words.clean(value.text))} {value.n:,}×" for value in slot.values[:_MOST_VALUES] if value.text]
        seen += [
            f"{words.type_name(one.type)} {one.low:g} … {one.high:g}"
            for one in slot.ranges[:1]
            if one.low is not None and one.high is not None and one.measures == "value"
        ]
        if seen:
            yield f"{quote(words.clean(slot.slot))}: {', '.join(seen)}"
    if profile.tests:
        yield "tests: " + ", ".join(quote(words.test_name(test)) for test, _ in profile.tests[:5])


def _failure(failure: FailureRecord, quote: Callable[[str], str]) -> Evidence:
    of = f" of {failure.calls:,} calls" if failure.calls else ""
    told = [f"{quote(words.type_name(failure.type))}: {quote(words.clean(failure.message, words.LONGEST_MESSAGE))}"]
    for _, path, name, line, source in failure.stack[-6:]:
        place = f"{quote(words.clean(path, 200))}:{line} in {quote(words.clean(name, 200))}"
        told.append(f"  {place}: {quote(words.clean(source, 160))}")
    if failure.tests:
        told.append("in " + ", ".join(quote(words.test_name(test)) for test in failure.tests[:3]))
    return Evidence(failure.id, f"failure seen {failure.n:,} times{of} in {failure.unit.qualname}", "\n".join(told))


def _calls(
    snapshot: IndexSnapshot, unit: UnitRecord, failure: FailureRecord | None, quote: Callable[[str], str]
) -> Iterator[Evidence]:
    wanted = failure.type if failure and failure.unit.id == unit.id else "*"
    for outcome, most, reason in ((wanted, _FAILING, "a call that failed"), ("", _PASSING, "a call that returned")):
        for capture in snapshot.index.captures(unit.id, snapshot.runs, outcome, most):
            yield Evidence(capture.id, reason, calls.one(capture, quote))


def lines_that_matter(snapshot: IndexSnapshot, target: Target, unit: UnitRecord) -> list[int]:
    """1-based lines of the unit's file at which failures of it were seen."""
    profile = snapshot.profile(unit.id)
    failures = list(profile.failures) if profile else []
    if target.failure and target.failure.unit.id == unit.id:
        failures.append(target.failure)
    return [failure.line for failure in failures if unit.first_line <= failure.line <= unit.end_line]
