"""A failure's recorded calls, held against patches: what makes a patch fixed, and what only stops the failure.

That failing calls return, and passing ones return what they did, is necessary and not enough: what the failing calls
return now has to be supported by something that was recorded or written down. What speaks for it, and what against:

- tests of the workspace that failed with the code as it is, and pass with the patch (they decide);
- else nothing may be made up (`invented.py`), passing calls have to be there to compare with, the failing calls have to
  return what passing calls return (by type), and no other small edit may stop the failure with another result.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tracelens.fix.evidence import Evidence, Replayable
from tracelens.fix.invented import leaves_out, makes_up, with_another_value
from tracelens.fix.patch import Patch
from tracelens.fix.related_tests import RelatedTests
from tracelens.replay.past import body_hash_now
from tracelens.replay.rerun import Outcome, RecordedCall, replay
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.replay.verdict import Matrix, Oracle, Verdict, judge, oracle

_MOST_CALLERS = 2
"""Units further up the stack that a patch is held against."""
_CALLS_OF_CALLER = 3
"""Of their failing calls, and of those that passed: they run all that is below them, and somebody waits."""

STOPS = "stops the failure; result not checked"
CHANGED = "was changed since it was recorded, and what failed goes otherwise now: record it again"
BY_CHANCE = "the calls that failed fail one time and return another, with the code as it is"
MADE_UP = "it makes up what to do instead"
ANY_VALUE = "the tests pass with any other value, too"
LEFT_OUT = "it leaves out what failed"
NO_PASSING = "no passing call was recorded to compare with"
_FAR = 0.25
"""How much less likely a patch is that says nothing against another."""
RIVAL = "another small edit stops it too, and gives another result"
LIKELIER = "another edit, far likelier to be meant, gives the same result"


@dataclass(frozen=True, slots=True)
class Checked:
    """A patch, and what making the recorded calls again with it says."""

    patch: Patch
    verdict: Verdict
    results: tuple[str, ...] = ()
    """What each failing call gives with the patch; equal when the results are."""
    types: frozenset[str] = frozenset()
    """Of those results."""
    by_tests: bool = False
    """Tests that failed before pass now: they say what is wanted."""
    made_up: bool = False


class Check:
    """Holds a failure's recorded calls against patches."""

    def __init__(self, evidence: Evidence, root: Path, python: str, rung: Rung | NoSandbox) -> None:
        self.root = root
        self.python = python
        self.rung = rung
        self.evidence = evidence
        self.held, self.through, self.unwrap = self._oracle(evidence)
        self.callers = self._callers(evidence)
        self.tests = RelatedTests(root, python, rung, evidence)

    def _oracle(self, evidence: Evidence) -> tuple[Oracle, Replayable | None, bool]:
        """The first unit, from the failing one outwards, whose failing calls fail again with the code as it is."""
        problem = ""
        if isinstance(self.rung, NoSandbox):
            problem = f"no sandbox on this machine: {self.rung.reason}"
        elif not evidence.replayable:
            problem = "no recorded call of it can be made again (its arguments were not recorded, or hold what cannot"
            problem += " be rebuilt)"
        nothing = Oracle((), (), {}, (), problem, "")
        if problem:
            return nothing, None, False
        first: Oracle | None = None
        for one in evidence.replayable:
            for unwrap in (False, True):
                before = replay(self.root, self.python, one.place, one.calls, unwrap=unwrap, rung=self.rung)
                held = oracle(one.calls, before)
                if not held.problem:
                    return held, one, unwrap
                first = first or held
        if first is not None and _changed(evidence, self.root):
            said = first.problem.partition(" (")[2]
            first = replace(first, problem=f"{evidence.unit.qualname} {CHANGED}{f' ({said}' if said else ''}")
        return first or nothing, None, False

    @cached_property
    def steady(self) -> bool:
        """Whether the failing calls fail each time: made once more, in another process, with the code as it is."""
        if self.through is None:
            return False
        calls = self.held.failing
        place = self.through.place
        again = replay(self.root, self.python, place, calls, unwrap=self.unwrap, rung=self.rung)
        return len(oracle(calls, again).failing) == len(calls)

    def _callers(self, evidence: Evidence) -> list[tuple[Replayable, Oracle]]:
        """Units further up the stack whose failing calls fail again: a patch has to mend these calls as well."""
        found: list[tuple[Replayable, Oracle]] = []
        if self.through is None or self.unwrap:
            return found
        at = evidence.replayable.index(self.through)
        for one in evidence.replayable[at + 1 : at + 1 + _MOST_CALLERS]:
            calls = one.failing[:_CALLS_OF_CALLER] + one.passing[:_CALLS_OF_CALLER]
            before = replay(self.root, self.python, one.place, calls, rung=self.rung)
            held = oracle(calls, before)
            if not held.problem:
                found.append((one, held))
        return found

    def _above(self, patch: Patch, verdict: Verdict) -> Verdict:
        """A verdict of "fixed" holds only when the calls above are mended and unchanged, too."""
        for one, held in self.callers:
            after = replay(self.root, self.python, one.place, held.calls, {patch.path: patch.content}, rung=self.rung)
            above = judge(held, after)
            if above.kind != "fixed":
                words = f"{above.words} in {one.unit.qualname}, which called it"
                kind = "undetermined" if above.kind == "same" else above.kind
                return replace(verdict, kind=kind, words=words)
            doubt = self._other_types(held, after.by_id())
            if doubt:
                return doubted(verdict, f"{doubt} in {one.unit.qualname}, which called it")
        return verdict

    def check(self, patch: Patch) -> Checked:
        if self.through is None:
            words = f"not verified: {self.held.problem}"
            return Checked(patch, Verdict("not verified", words, Matrix(), self.held.sandbox))
        after = replay(
            self.root,
            self.python,
            self.through.place,
            self.held.calls,
            {patch.path: patch.content},
            unwrap=self.unwrap,
            rung=self.rung,
        )
        outcomes = after.by_id()
        failing = [outcomes[call.id] for call in self.held.failing if call.id in outcomes]
        verdict = judge(self.held, after)
        if verdict.kind == "fixed" and not self.steady:
            return Checked(patch, replace(verdict, kind="undetermined", words=f"undetermined: {BY_CHANCE}"))
        if verdict.kind == "fixed":
            verdict = self._above(patch, verdict)
        types = frozenset(one.type for one in failing if one.kind == "returned")
        trees = self.evidence.source.tree, ast.parse(patch.content)
        dropped = patch.path == self.evidence.source.path and leaves_out(*trees)
        made_up = dropped or makes_up(*trees, self.evidence.node)
        checked = Checked(patch, verdict, tuple(map(_gives, failing)), types, made_up=made_up)
        if verdict.kind not in ("fixed", "stops"):
            return checked
        judged = self.tests.judge(patch, verdict)
        if judged is not None and judged.kind == "fixed" and made_up and self._any_value_does(patch):
            return replace(checked, verdict=doubted(judged, ANY_VALUE))
        if judged is not None:
            return replace(checked, verdict=judged, by_tests=judged.kind == "fixed")
        if made_up:
            verdict = doubted(verdict, LEFT_OUT if dropped else MADE_UP)
        elif not verdict.matrix.passing_same:
            verdict = doubted(verdict, NO_PASSING)
        elif doubt := self._other_types(self.held, outcomes):
            verdict = doubted(verdict, doubt)
        return replace(checked, verdict=verdict)

    def _any_value_does(self, patch: Patch) -> bool:
        """Whether the tests pass with another value as well in the place of the one that a patch makes up."""
        other = with_another_value(self.evidence.source.tree, patch.content.decode("utf-8", "replace"))
        return bool(other) and self.tests.all_pass(replace(patch, content=other.encode()))

    def _other_types(self, held: Oracle, outcomes: dict[str, Outcome]) -> str:
        """Whether failing calls return a type now that no passing call does."""
        usual = {held.before[one.id].type for one in held.passing}
        now = {outcomes[one.id].type for one in held.failing if one.id in outcomes}
        if not usual or now <= usual:
            return ""
        return f"the calls that failed return {_listed(now - usual)}, passing ones {_listed(usual)}"

    def usual_type(self) -> str:
        """The type that the failing calls should return: that of the passing ones; "" unknown."""
        types = {self.held.before[one.id].type for one in self.held.passing}
        return types.pop() if len(types) == 1 else self.evidence.result_type()

    @property
    def calls(self) -> tuple[RecordedCall, ...]:
        return self.held.calls


def _changed(evidence: Evidence, root: Path) -> bool:
    """Whether the unit is not what it was when its failing calls were recorded."""
    now = body_hash_now(root, evidence.unit)
    return bool(now) and any(one.body_hash and one.body_hash != now for one in evidence.failing)


def settled(found: Sequence[tuple[Checked, float]]) -> list[Verdict]:
    """The verdicts of patches that were checked, in their order, each held against the others.

    found: with how likely each is meant, 0 to 1. Where several of about the same likelihood stop the failure, none
    makes anything up, and they do not give the same, nothing says which is meant, unless tests do.
    """
    stopping = [one for one in found if one[0].verdict.kind in ("fixed", "stops") and not one[0].made_up]
    most = max((likely for _, likely in stopping), default=0.0)
    rivals = {one.results for one, likely in stopping if likely > most - _FAR and one.results}
    by_tests = {one.results for one, likely in stopping if one.by_tests}
    if by_tests:  # they decide, unless they let pass what gives different results
        undecided = len(by_tests) > 1
        return [doubted(one.verdict, RIVAL) if undecided and one.by_tests else one.verdict for one, _ in found]
    verdicts = []
    for one, likely in found:
        unclear = one.verdict.kind == "fixed" and (len(rivals) > 1 or likely <= most - _FAR)
        doubt = LIKELIER if rivals == {one.results} else RIVAL
        verdicts.append(doubted(one.verdict, doubt) if unclear else one.verdict)
    return verdicts


def doubted(verdict: Verdict, doubt: str) -> Verdict:
    """A verdict of "fixed" that nothing speaks for."""
    return replace(verdict, kind="stops", words=f"{STOPS}: {doubt}")


def _gives(outcome: Outcome) -> str:
    after = outcome.after or ""
    return f"{outcome.kind} {outcome.type} {outcome.value or outcome.text or outcome.message} {after}"


def _listed(types: set[str]) -> str:
    return " or ".join(sorted(types)[:3])
