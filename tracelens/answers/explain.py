"""A failure explained from what was recorded, every line with the id of what it rests on; no model is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tracelens.answers import calls, headline, values, words
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.profiles.rows import RESULT
from tracelens_indexer.store.answers import CaptureRecord, FailureRecord, Profile

_FRAMES = 12
_CALLS = 3


def explained(snapshot: IndexSnapshot, failure: FailureRecord) -> str:
    """Plain text: what failed and where, what the failing calls share, who passed it, the way there, the calls."""
    profile = snapshot.profile(failure.unit.id)
    kept = calls.of_failure(snapshot, failure)
    unit = failure.unit
    often = headline.of_calls(failure.n, profile) if profile else f"{failure.n:,} times"
    message = words.first_line(failure.message)
    place = f"{words.clean(unit.path, 200)}:{failure.line or unit.def_line}"
    parts = [
        f"{words.type_name(failure.type)}{f': {message}' if message else ''}   [{failure.id}]\n"
        f"in {words.clean(unit.qualname, 200)} ({place}), {often}"
    ]
    if profile is not None and (shared := _shared(profile, failure)):
        parts.append("What the failing calls have and the others do not\n" + "\n".join(shared))
    if passed := passed_by(kept):
        parts.append("Who called it so\n" + "\n".join(f"  {line}" for line in passed))
    if failure.stack:
        parts.append("The way there, the last time\n" + "\n".join(_frames(failure)))
    if failure.tests:
        parts.append("Seen in\n" + "\n".join(f"  {words.clean(test, 200)}" for test in failure.tests[:_CALLS]))
    if kept:
        parts.append("Calls that failed\n\n" + "\n\n".join(calls.one(one) for one in kept[:_CALLS]))
    if failure.state == "stale":
        parts.append("The code has changed since this was recorded: it says what was, not what is.")
    return "\n\n".join(parts) + "\n"


def callers(snapshot: IndexSnapshot, failure: FailureRecord) -> str:
    """Plain text: who called a unit with the values with which it failed."""
    kept = calls.of_failure(snapshot, failure)
    title = f"Callers of {words.clean(failure.unit.qualname, 200)} in its failing calls"
    return "\n".join([title, "", *(passed_by(kept) or ["No call was kept with its caller."])]) + "\n"


def passed_by(kept: Sequence[CaptureRecord]) -> list[str]:
    """ "service.py:41 checkout   3×   price=0.0, tier='gold'   [c:1f]", the most frequent first."""
    found = Counter[tuple[str, str]]()
    cited: dict[tuple[str, str], str] = {}
    for one in kept:
        if one.caller is None:
            continue
        path, name, line = one.caller
        who = f"{words.clean(path, 200)}:{line} {words.clean(name, words.LONGEST_NAME)}"
        given = ", ".join(
            f"{words.clean(n, 40)}={words.clean(text, 40)}" for n, _, text in one.arguments if n not in ("self", "cls")
        )
        found[who, given] += 1
        cited.setdefault((who, given), one.id)
    return [f"{who}   {n:,}×   {given}   [{cited[who, given]}]" for (who, given), n in found.most_common(20)]


def _shared(profile: Profile, failure: FailureRecord) -> list[str]:
    lines = []
    for name, text in values.common_to_failing(profile, failure):
        observation = next((o for o in profile.observations if o.slot == name), None)
        others = Counter[str]()
        for value in observation.values if observation else ():
            if value.outcome != failure.type and value.text is not None:
                others[words.clean(value.text)] += value.n
        usual = ", ".join(f"{other} {n:,}×" for other, n in others.most_common(_CALLS))
        lines.append(f"  {words.clean(name)} = {words.clean(text)}{f'   (elsewhere {usual})' if usual else ''}")
    results = [o for o in profile.observations if o.slot == RESULT and o.ranges]
    if lines and results:
        lines.append(f"  otherwise it returned {words.type_name(results[0].ranges[0].type)}")
    return lines


def _frames(failure: FailureRecord) -> list[str]:
    lines = []
    for _, path, name, line, source in failure.stack[-_FRAMES:]:
        lines.append(f"  {words.clean(path, 200)}:{line} {words.clean(name, words.LONGEST_NAME)}")
        if source.strip():
            lines.append(f"      {words.clean(source.strip(), 200)}")
    return lines
