"""The search for small edits with recorded calls as the oracle, for what no template repairs.

What it finds goes through the same check as a template. It also finds rivals: where edits that make nothing up stop the
failure with different results, none of them is proved.
"""

from __future__ import annotations

from collections.abc import Callable

from tracelens.fix.checking import Check, Checked
from tracelens.fix.search.oracle import MadeAgain
from tracelens.fix.search.repair import Repair, repair
from tracelens.replay.rerun import RecordedCall

_MOST_CHECKED = 6
"""Repairs that are checked: the first of each group that does the same."""
_MOST_PASSING = 12


def searched(
    check: Check,
    seconds: float,
    progress: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> list[tuple[str, Checked, float]]:
    """(title, what its check says, preference) of the edits found."""
    held = check.held
    calls = [one for one in (*held.failing, *held.passing[:_MOST_PASSING]) if not _took_something(one)]
    if check.through is None or not any(one.outcome for one in calls):
        return []
    oracle = MadeAgain(
        check.through.place,
        tuple(calls),
        held.before,
        frozenset(held.before[one.id].type for one in held.passing),
        check.unwrap,
    )
    progress("searching small edits")
    report = repair(
        check.root,
        check.python,
        oracle,
        rung=check.rung,
        cpu_seconds=seconds,
        progress=progress,
        cancelled=cancelled,
    )
    found: list[tuple[str, Checked, float]] = []
    for number, one in enumerate(_first_of_each(report.repairs)):
        if cancelled():
            break
        progress(f"checking {one.title}")
        found.append((one.title, check.check(one.patch), max(0.1, 0.6 - 0.05 * number)))
    return found


def _took_something(call: RecordedCall) -> bool:
    """Whether it was given answers of the outside world, which stay in a process; its clock alone is kept for each."""
    return bool(set(call.arguments.get("world") or ()) - {"clock"})


def _first_of_each(repairs: list[Repair]) -> list[Repair]:
    groups: dict[int, Repair] = {}
    for one in repairs:
        groups.setdefault(one.group, one)
    return list(groups.values())[:_MOST_CHECKED]
