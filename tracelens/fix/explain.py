"""Why a failure came about, as far as recorded calls say: its class, the value that failing calls share, where it came
from along the stack, and a short table of hypotheses with what speaks for or against each. Each cites evidence by id.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tracelens.fix.causes import classify
from tracelens.fix.evidence import Evidence, FixIndex
from tracelens.fix.templates.problem import Problem
from tracelens.replay.verdict import Oracle
from tracelens_indexer.store.answers import CaptureRecord

Holds = Literal["supported", "refuted", "open"]
_TELLING = 3
"""Characters of a value that can be told apart when it is searched in others; shorter ones have to be equal."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    says: str
    holds: Holds
    because: str
    evidence: tuple[str, ...]
    """Ids."""


@dataclass(frozen=True, slots=True)
class Cause:
    kind: str
    """One of causes.CLASSES."""
    why: str
    evidence: tuple[str, ...]
    came_from: tuple[str, ...]
    """From the failing unit outwards, one line each: where the value that matters was before."""
    passing: str
    """What passing calls look like in contrast; "" when none is known."""
    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True)
class _Shared:
    """A parameter whose value the failing calls share, and the passing calls do not have."""

    name: str
    text: str
    failing: tuple[CaptureRecord, ...]
    passing: int
    passing_with: int
    others: tuple[str, ...]


def explain(index: FixIndex, evidence: Evidence, held: Oracle, proved: Sequence[tuple[str, str]]) -> Cause:
    """proved: (title, matrix) of the fixes that the recorded calls did prove."""
    problem = Problem.of(evidence)
    failure = evidence.failure
    found = classify(failure.type, failure.message, problem.statement if problem else None, evidence.line)
    failing = tuple(one.id for one in evidence.failing[:3])
    shared = _shared(evidence)
    hypotheses: list[Hypothesis] = []
    came_from: list[str] = []
    for one in shared[:2]:
        cited = tuple(call.id for call in one.failing[:3])
        because = f"it is in {len(one.failing)} of {len(evidence.failing)} failing calls"
        because += (
            f" and {one.passing_with} of {one.passing} passing ones" if one.passing else "; no passing call was kept"
        )
        holds: Holds = "supported" if one.passing and not one.passing_with else "open"
        hypotheses.append(Hypothesis(f"it fails because {one.name} is {one.text}", holds, because, cited))
    if shared:
        came_from = _origin(index, evidence, shared[0])
        above = sum(" got it " in line or " returned " in line for line in came_from[1:])
        says = f"{shared[0].name} has that value before {evidence.unit.name} is called"
        if above:
            hypotheses.append(Hypothesis(says, "supported", f"recorded calls above it hold it ({above})", failing))
    on_purpose = problem is not None and problem.raised_on_purpose
    if on_purpose:
        hypotheses.append(
            Hypothesis(
                "it is raised on purpose", "supported", "the statement is a raise: look at who calls it", (failure.id,)
            )
        )
    hypotheses.append(_outside(held, failing))
    for title, matrix in proved[:1]:
        hypotheses.append(Hypothesis(f"“{title}” repairs it", "supported", matrix, failing))
    if not proved and held.failing:
        hypotheses.append(Hypothesis("a small edit of this function repairs it", "open", "none was proved", failing))
    contrast = ""
    if shared and shared[0].others:
        contrast = f"{shared[0].name} is {', '.join(shared[0].others[:4])} in passing calls"
    elif evidence.passing:
        result = evidence.result_type()
        contrast = f"{len(evidence.passing)} passing calls were kept" + (f"; they return {result}" if result else "")
    return Cause(found.name, found.why, (failure.id, *failing), tuple(came_from), contrast, tuple(hypotheses))


def _outside(held: Oracle, failing: tuple[str, ...]) -> Hypothesis:
    says = "it depends on what is outside the call (clock, files, network, other threads)"
    if held.failing:
        cited = tuple(call.id for call in held.failing[:3])
        return Hypothesis(says, "refuted", "the recorded calls fail the same way again in the sandbox", cited)
    return Hypothesis(says, "open", held.problem or "no call could be made again", failing)


def _shared(evidence: Evidence) -> list[_Shared]:
    """The parameters whose values tell failing from passing calls, the most telling first."""
    if not evidence.failing:
        return []
    found: list[_Shared] = []
    for name, _, text in evidence.failing[0].arguments:
        if name in ("self", "cls"):
            continue
        same = tuple(one for one in evidence.failing if (name, text) in _values(one))
        if len(same) < max(1, (len(evidence.failing) + 1) // 2):
            continue
        passing = [value for one in evidence.passing for slot, value in _values(one) if slot == name]
        others = tuple(dict.fromkeys(value for value in passing if value != text))
        found.append(_Shared(name, text, same, len(passing), passing.count(text), others))
    telling = [one for one in found if not one.passing or one.passing_with < 0.2 * one.passing]
    line = evidence.source.line(evidence.line) if evidence.line else ""
    return sorted(telling, key=lambda one: (one.passing_with, one.name not in line, one.name))


def _values(call: CaptureRecord) -> set[tuple[str, str]]:
    return {(name, text) for name, _, text in call.arguments}


def _origin(index: FixIndex, evidence: Evidence, shared: _Shared) -> list[str]:
    """Where the value was before, from the failing unit up the stack, as far as recorded calls show it."""
    told = [f"{evidence.unit.qualname} got {shared.name}={shared.text}  [{shared.failing[0].id}]"]
    units = [index.unit(unit_id) for unit_id, *_ in reversed(evidence.failure.stack) if unit_id]
    for unit in units:
        if unit is None or unit.id == evidence.unit.id:
            continue
        calls = index.captures(unit.id, None, evidence.failure.type, 8)
        step = next((line for call in calls if (line := _holds(call, shared.text))), "")
        if step:
            told.append(step)
            continue
        if not calls:
            continue  # nothing of it was kept: it says neither yes nor no
        for edge in index.observed_callees(unit.id)[:8]:
            for call in index.captures(edge.unit.id, None, "", 20):
                if call.result and call.result[1] == shared.text and len(shared.text) >= _TELLING:
                    told.append(f"{edge.unit.qualname} returned {shared.text}  [{call.id}]")
                    return told
        told.append(f"{unit.qualname} made it, or took it from elsewhere: no recorded argument of it holds the value")
        break
    return told


def _holds(call: CaptureRecord, text: str) -> str:
    for name, _, value in call.arguments:
        if value == text:
            return f"{call.unit.qualname} got it as {name}  [{call.id}]"
    for name, _, value in call.arguments:
        if len(text) >= _TELLING and re.search(rf"(?<![\w.]){re.escape(text)}(?![\w.])", value):
            return f"{call.unit.qualname} got it inside {name}  [{call.id}]"
    return ""


def lines(cause: Cause) -> list[str]:
    """For a person; nothing in it is cleaned yet."""
    told = [f"cause: {cause.kind}: {cause.why}  [{', '.join(cause.evidence[:3])}]"]
    told += [f"  {'from' if number else 'seen'}: {line}" for number, line in enumerate(cause.came_from)]
    if cause.passing:
        told.append(f"  in contrast: {cause.passing}")
    for one in cause.hypotheses:
        cited = f"  [{', '.join(one.evidence)}]" if one.evidence else ""
        told.append(f"  {one.holds:<9}  {one.says}: {one.because}{cited}")
    return told
