"""What making recorded calls again says about a patch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tracelens.replay.rerun import Outcome, RecordedCall, Replayed

VerdictKind = Literal["fixed", "stops", "same", "regressed", "undetermined", "not verified"]
"""`fixed`: the failing calls return, and what was recorded speaks for what they return. `stops`: they return, and
nothing speaks for it (an undetermined result, never shown as verified)."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Calls counted by what became of them."""

    failing_fixed: int = 0
    failing: int = 0
    passing_same: int = 0
    passing: int = 0
    left_out: int = 0
    """Recorded calls that could not serve: they went otherwise when made again with the code as it is."""
    tests_passed: int = 0
    tests: int = 0
    """Of the workspace, known from the recording to run through the unit, and run again with the patch."""

    def __str__(self) -> str:
        parts = [f"failing {self.failing_fixed}/{self.failing} fixed"]
        parts.append(
            f"passing {self.passing_same}/{self.passing} same" if self.passing else "no passing call to compare"
        )
        if self.tests:
            parts.append(f"tests {self.tests_passed}/{self.tests}")
        if self.left_out:
            parts.append(f"{self.left_out} left out")
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Verdict:
    kind: VerdictKind
    words: str
    """One line for a person: "re-ran: no longer raises", "not verified: …"."""
    matrix: Matrix = Matrix()
    sandbox: str = ""
    notes: tuple[str, ...] = ()
    """What limits it: "compared by type alone in 2 calls"."""


@dataclass(frozen=True, slots=True)
class Oracle:
    """The recorded calls that went the same way again with the code as it is, and how: what a patch is held against."""

    failing: tuple[RecordedCall, ...]
    passing: tuple[RecordedCall, ...]
    before: dict[str, Outcome]
    left_out: tuple[str, ...]
    """Why a call cannot serve, one line each."""
    problem: str
    """Why nothing can be verified, as the end of "not verified: …"; "" when something can."""
    sandbox: str

    @property
    def calls(self) -> tuple[RecordedCall, ...]:
        return self.failing + self.passing


def oracle(calls: Sequence[RecordedCall], before: Replayed) -> Oracle:
    """Which of the recorded calls can serve, from what they do with the code as it is."""
    outcomes = before.by_id()
    failing, passing, left_out = [], [], []
    for call in calls:
        outcome = outcomes.get(call.id)
        why = "it was not made" if outcome is None else difference_from_recording(call, outcome)
        if why:
            left_out.append(f"{call.id}: {why}")
        elif call.outcome:
            failing.append(call)
        else:
            passing.append(call)
    problem = before.problem
    if not problem and not failing:
        reasons = [line for line, call in ((line, _named(calls, line)) for line in left_out) if call and call.outcome]
        problem = "the recorded failure does not reproduce outside its run"
        if reasons:
            problem += f" ({reasons[0].partition(': ')[2]})"
    return Oracle(tuple(failing), tuple(passing), outcomes, tuple(left_out), problem, before.sandbox)


def _named(calls: Sequence[RecordedCall], line: str) -> RecordedCall | None:
    identity = line.partition(": ")[0]
    return next((call for call in calls if call.id == identity), None)


def difference_from_recording(call: RecordedCall, outcome: Outcome) -> str:
    """How a call made again, with the code as it is, went otherwise than it was recorded; "" when it went the same."""
    if outcome.kind not in ("returned", "raised"):
        return outcome.why or outcome.kind
    if call.outcome:
        if outcome.kind == "returned":
            return f"it returns {outcome.text or outcome.type}"
        same_place = call.line and outcome.line == call.line
        if outcome.type != call.outcome or not (same_place or outcome.message == call.message or not call.line):
            return f"it raises {outcome.type}: {outcome.message}" if outcome.type != call.outcome else "elsewhere"
        return ""
    if outcome.kind == "raised":
        return f"it raises {outcome.type}: {outcome.message}"
    if call.result is not None and not call.redacted and differs(call, outcome):
        return f"it returns {outcome.text}, recorded was {call.result[1]}"
    return ""


def differs(call: RecordedCall, outcome: Outcome) -> bool | None:
    """Whether a call returned another value than was recorded; None when what was recorded is too short to tell."""
    if call.result is None or outcome.items:
        return False
    if call.result[0] != outcome.type:
        return True
    recorded, now = call.result[1], outcome.text
    if recorded == now or _elided(recorded, now) or _elided(now, recorded):
        return False
    shared = min(len(one.partition("…")[0]) for one in (recorded, now))
    return True if "…" not in recorded + now or recorded[:shared] != now[:shared] else None


def _elided(short: str, long: str) -> bool:
    """Whether `short` is `long` with parts left out where … stands."""
    first, *rest = short.split("…")
    if not rest or not long.startswith(first):
        return False
    last = rest.pop()
    at = len(first)
    for part in rest:
        at = long.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return long.endswith(last) and len(long) - len(last) >= at


def judge(held: Oracle, after: Replayed) -> Verdict:
    """Compare what the patched code does with what the code did; "fixed" says nothing of the new results yet."""
    verdict = _judge(held, after)
    notes = []
    if not held.passing and verdict.kind == "fixed":
        notes.append("no passing call was recorded that could show a side effect of the patch")
    outcomes = after.by_id()
    vague = sum(1 for call in held.passing if call.id in outcomes and (held.before[call.id].value is None))
    if vague and verdict.kind in ("fixed", "same"):
        notes.append(f"results of {vague} calls could be compared by their summary alone")
    redacted = sum(call.redacted for call in held.calls)
    if redacted:
        notes.append(f"{redacted} calls were made with redacted values")
    return replace(verdict, sandbox=after.sandbox or held.sandbox, notes=tuple(notes))


def _judge(held: Oracle, after: Replayed) -> Verdict:
    left_out = len(held.left_out)
    matrix = Matrix(0, len(held.failing), 0, len(held.passing), left_out)
    if held.problem:
        return Verdict("not verified", f"not verified: {held.problem}", matrix)
    if after.problem:
        return Verdict("regressed", f"re-ran: {after.problem}", matrix)
    outcomes = after.by_id()
    missing = [call for call in held.calls if call.id not in outcomes]
    if missing:
        return Verdict("undetermined", f"undetermined: {len(missing)} calls were not made again", matrix)
    same = [call for call in held.passing if _same(held.before[call.id], outcomes[call.id])]
    fixed = [call for call in held.failing if outcomes[call.id].kind == "returned"]
    matrix = replace(matrix, failing_fixed=len(fixed), passing_same=len(same))
    changed = [call for call in held.passing if call not in same]
    if changed:
        return Verdict("regressed", f"re-ran: {_change(changed[0], held, outcomes[changed[0].id])}", matrix)
    rest = [outcomes[call.id] for call in held.failing if call not in fixed]
    if not rest:
        return Verdict("fixed", "re-ran: no longer raises", matrix)
    still = [one for one in rest if one.kind == "raised" and one.type == held.before[one.id].type]
    if len(still) == len(rest):
        words = f"re-ran: still raises {still[0].type}"
        return Verdict("same", words + (f" in {len(still)} of {len(held.failing)} calls" if fixed else ""), matrix)
    other = next(one for one in rest if one not in still)
    if other.kind == "raised":
        return Verdict("undetermined", f"undetermined: raises {other.type} instead: {other.message}", matrix)
    return Verdict("undetermined", f"undetermined: {other.why or other.kind}", matrix)


def _same(before: Outcome, after: Outcome) -> bool:
    if before.kind != after.kind or before.type != after.type:
        return False
    if before.value is not None and after.value is not None:
        if before.value != after.value:
            return False
    elif before.text != after.text or (before.value is None) != (after.value is None):
        return False
    return before.after is None or after.after is None or before.after == after.after


def _change(call: RecordedCall, held: Oracle, after: Outcome) -> str:
    before = held.before[call.id]
    if after.kind == "raised":
        return f"a passing call now raises {after.type}: {after.message}"
    if after.kind != "returned":
        return f"a passing call is {after.why or after.kind}"
    if (before.type, before.text) != (after.type, after.text):
        return f"a passing call now returns {after.text}, not {before.text}"
    return "a passing call now returns another value or leaves its arguments otherwise"
