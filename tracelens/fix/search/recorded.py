"""The search for small edits with recorded calls as the oracle, or the tests they were made in, where no template does.

What it finds goes through the same check as a template, and is held for proved only where tests say so, or where a name
that does not exist becomes one that is like it: of all small edits some always stop a failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from difflib import SequenceMatcher

from tracelens.fix.checking import Check, Checked, doubted
from tracelens.fix.evidence import Evidence
from tracelens.fix.search.oracle import CollectedTests, MadeAgain, Oracle
from tracelens.fix.search.repair import Repair, repair
from tracelens.replay.rerun import RecordedCall

_MOST_CHECKED = 6
"""Repairs that are checked: the first of each group that does the same."""
_MOST_PASSING = 12
TRIED = "it was found by trying, and nothing that was recorded says that it is meant"
OTHERS = "the tests pass with other edits as well, which do something else"
_LIKE = 0.6
"""Of two names, where one can be a slip of the other."""


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
    oracle: Oracle = MadeAgain(
        check.through.place,
        tuple(calls),
        held.before,
        frozenset(held.before[one.id].type for one in held.passing),
        check.unwrap,
    )
    if check.tests.failing:
        oracle = CollectedTests(check.tests.arguments)
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
        like = _likeness(check.evidence, one)
        checked = check.check(one.patch)
        if checked.by_tests and not one.sure and isinstance(oracle, CollectedTests):
            checked = replace(checked, verdict=doubted(checked.verdict, OTHERS), by_tests=False)
        elif not like and not checked.by_tests and checked.verdict.kind == "fixed":
            checked = replace(checked, verdict=doubted(checked.verdict, TRIED))
        found.append((one.title, checked, max(0.1, 0.5 - 0.02 * number) + 0.4 * like))
    return found


def _likeness(evidence: Evidence, one: Repair) -> float:
    """How like a name that does not exist is to what the repair has in its place; 0 for other failures."""
    said = re.search(r"(?:attribute|name) '(\w+)'", evidence.failure.message)
    meant = re.search(r"`(?:[\w.]+\.)?(\w+)` instead of `(?:[\w.]+\.)?(\w+)`", one.title)
    if said is None or meant is None or meant.group(2) != said.group(1):
        return 0.0
    wrong, right = said.group(1).lower(), meant.group(1).lower()
    near = SequenceMatcher(None, wrong, right).ratio()
    return max(near, 0.7) if right in wrong or wrong in right else near if near >= _LIKE else 0.0


def _took_something(call: RecordedCall) -> bool:
    """Whether it was given answers of the outside world, which stay in a process; its clock alone is kept for each."""
    return bool(set(call.arguments.get("world") or ()) - {"clock"})


def _first_of_each(repairs: list[Repair]) -> list[Repair]:
    groups: dict[int, Repair] = {}
    for one in repairs:
        groups.setdefault(one.group, one)
    return list(groups.values())[:_MOST_CHECKED]
