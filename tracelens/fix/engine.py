"""From a recorded failure to fixes with verdicts: gather, propose, make the recorded calls again, rank.

Strategies are tried in order (templates, then a model, if the user configured an endpoint); what each proposes goes
through the same check. Nothing here writes to the user's files: that is `patch.apply`, on request.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from tracelens.fix import answer, prompt, templates
from tracelens.fix.evidence import Evidence, FixIndex, Replayable, Search, gather
from tracelens.fix.explain import Cause, explain
from tracelens.fix.invented import NOTE, makes_up
from tracelens.fix.llm import Cancelled, LlmError, Message, ask
from tracelens.fix.patch import Patch, make_patch
from tracelens.fix.templates.problem import Problem
from tracelens.replay import sandbox
from tracelens.replay.rerun import replay
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.replay.verdict import Matrix, Oracle, Verdict, judge, oracle
from tracelens.settings import LlmEndpoint
from tracelens_indexer.store.answers import FailureRecord, UnitRecord

Strategy = Literal["template", "llm"]
Progress = Callable[[str], None]

_MOST_TEMPLATES = 12
"""Candidates that are run; the rest are not worth a second each."""
_ENOUGH_FIXED = 3
_ROUNDS = 3
_MOST_CALLERS = 2
"""Units further up the stack that a patch is held against."""
_RANKS = {"fixed": 0, "not verified": 1, "undetermined": 2, "same": 3, "regressed": 4}

NO_ENDPOINT = "templates only: no endpoint configured, see `tracelens fix --help` and docs/fixing.md"


@dataclass(frozen=True, slots=True)
class Fix:
    """A candidate patch with its verdict."""

    title: str
    strategy: Strategy
    patch: Patch
    verdict: Verdict
    evidence: tuple[str, ...]
    """Ids of what it rests on."""
    preference: float = 0.0
    sure: bool = False
    """Proved, and nothing in it is made up: passing calls were there to compare, callers fail no more either."""


@dataclass(frozen=True, slots=True)
class FixReport:
    failure: FailureRecord
    unit: UnitRecord
    """That was edited."""
    fixes: tuple[Fix, ...]
    """Best first; of those that failed their check only the ones worth seeing."""
    statements: tuple[str, ...]
    """What a person should know: no endpoint, no sandbox, no call that can be re-run, what the endpoint said."""
    sandbox: str
    """Name of the rung; "" when nothing was run."""
    tried: int
    """Candidates that were made."""
    evidence: tuple[str, ...]
    cause: Cause | None = None
    """None for a failure of a test."""

    @property
    def best(self) -> Fix | None:
        return self.fixes[0] if self.fixes and self.fixes[0].verdict.kind in ("fixed", "not verified") else None


class _Check:
    """Holds a failure's recorded calls against patches."""

    def __init__(self, evidence: Evidence, root: Path, python: str, rung: Rung | NoSandbox) -> None:
        self.root = root
        self.python = python
        self.rung = rung
        self.before = evidence.source.tree
        self.held, self.through, self.unwrap = self._oracle(evidence)
        self.callers = self._callers(evidence)

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
        return first or nothing, None, False

    def _callers(self, evidence: Evidence) -> list[tuple[Replayable, Oracle]]:
        """Units further up the stack whose failing calls fail again: a patch has to mend these calls as well."""
        found: list[tuple[Replayable, Oracle]] = []
        if self.through is None or self.unwrap:
            return found
        at = evidence.replayable.index(self.through)
        for one in evidence.replayable[at + 1 : at + 1 + _MOST_CALLERS]:
            before = replay(self.root, self.python, one.place, one.calls, rung=self.rung)
            held = oracle(one.calls, before)
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
        return verdict

    def is_sure(self, patch: Patch, verdict: Verdict) -> bool:
        return (
            verdict.kind == "fixed"
            and verdict.matrix.passing_same > 0
            and not makes_up(self.before, ast.parse(patch.content))
        )

    def check(self, patch: Patch) -> tuple[Verdict, set[str]]:
        """The verdict, and the types that the failing calls return with the patch."""
        if self.through is None:
            return Verdict("not verified", f"not verified: {self.held.problem}", Matrix(), self.held.sandbox), set()
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
        if verdict.kind == "fixed":
            verdict = self._above(patch, verdict)
        if verdict.kind == "fixed" and makes_up(self.before, ast.parse(patch.content)):
            verdict = replace(verdict, notes=(*verdict.notes, NOTE))
        return verdict, {one.type for one in failing if one.kind == "returned"}

    def usual_type(self, evidence: Evidence) -> str:
        """The type that the failing calls should return: that of the passing ones; "" unknown."""
        types = {self.held.before[one.id].type for one in self.held.passing}
        return types.pop() if len(types) == 1 else evidence.result_type()


def propose(
    index: FixIndex,
    failure_id: str,
    *,
    workspace: Path,
    python: str,
    llm: LlmEndpoint | None = None,
    progress: Progress = lambda line: None,
    cancelled: Callable[[], bool] = lambda: False,
    search: Search | None = None,
    rung: Rung | NoSandbox | None = None,
) -> FixReport:
    """Propose fixes for a recorded failure, each with its verdict.

    python: the project's interpreter, in which the calls are made again. llm: from the user's settings; None uses
    templates alone. rung: what `sandbox.probe` answered; asked for when it is None. progress gets one line at a time.
    When `cancelled()` turns true, what was found so far is returned. Raises TraceLensError when the failure or its
    unit cannot be found.
    """
    progress("gathering evidence")
    evidence = gather(index, failure_id, workspace, search)
    statements: list[str] = []
    if is_test(evidence.unit.path):
        statements.append(f"{evidence.unit.path} is a test: tests are not edited; fix what it tests")
        return FixReport(evidence.failure, evidence.unit, (), tuple(statements), "", 0, evidence.ids)
    progress("trying the sandbox")
    python = sandbox.real_interpreter(python, workspace)
    rung = rung if rung is not None else sandbox.probe(python)
    if not isinstance(rung, NoSandbox) and evidence.replayable:
        progress("re-running the recorded calls with the code as it is")
    check = _Check(evidence, workspace, python, rung)
    if check.held.problem:
        statements.append(f"fixes are not verified: {check.held.problem}")
    elif check.through is not None and check.through.unit.id != evidence.unit.id:
        statements.append(f"re-ran through {check.through.unit.qualname}, which called it")

    fixes, made = _from_templates(evidence, check, progress, cancelled)
    if not made:
        statements.append(_why_no_template(evidence))
    if llm is None:
        statements.append(NO_ENDPOINT)
    elif not cancelled():
        found, said = _from_model(evidence, check, llm, fixes, progress, cancelled)
        fixes += found
        made += len(found)
        statements += said
    ranked = rank(fixes)
    proved = [(one.title, str(one.verdict.matrix)) for one in ranked if one.verdict.kind == "fixed"]
    return FixReport(
        evidence.failure,
        evidence.unit,
        tuple(ranked),
        tuple(statements),
        "" if isinstance(rung, NoSandbox) else rung.name,
        made,
        evidence.ids,
        explain(index, evidence, check.held, proved),
    )


def rank(fixes: Iterable[Fix]) -> list[Fix]:
    """Verified first, then what is more likely meant, then the smaller change."""
    return sorted(fixes, key=lambda one: (_RANKS[one.verdict.kind], -one.preference, one.patch.size))


def is_test(path: str) -> bool:
    """Whether a file belongs to the tests or to what runs them: those are never edited."""
    pure = PurePosixPath(path)
    name = pure.name
    return (
        any(part in ("tests", "test", "testing", ".github", "ci") for part in pure.parts[:-1])
        or name in ("conftest.py", "noxfile.py", "setup.py")
        or name.startswith("test_")
        or name.endswith("_test.py")
    )


def _from_templates(
    evidence: Evidence, check: _Check, progress: Progress, cancelled: Callable[[], bool]
) -> tuple[list[Fix], int]:
    candidates = templates.candidates(evidence)
    fixes: list[Fix] = []
    usual = check.usual_type(evidence)
    for number, one in enumerate(candidates[:_MOST_TEMPLATES], 1):
        if cancelled():
            break
        enough = sum(fix.verdict.kind == "fixed" for fix in fixes) >= _ENOUGH_FIXED
        if enough and one.preference < 0.6:
            break
        progress(f"checking {one.title} ({number} of {min(len(candidates), _MOST_TEMPLATES)})")
        patch = make_patch(evidence.source, one.edits)
        verdict, returned = check.check(patch)
        # What passing calls look like: a fix whose calls return the same type is what was meant more often.
        fits = 0.2 if returned and returned == {usual} else 0.0
        sure = check.is_sure(patch, verdict)
        fixes.append(Fix(one.title, "template", patch, verdict, evidence.ids, one.preference + fits, sure))
    return fixes, len(candidates)


def _why_no_template(evidence: Evidence) -> str:
    problem = Problem.of(evidence)
    kind = evidence.failure.type
    if problem is None:
        return f"no template: the line in {evidence.unit.qualname} that raised {kind} is not known any more"
    if problem.raised_on_purpose:
        return f"no template: {evidence.unit.qualname} raises {kind} on purpose; look at what its callers pass"
    return f"no template fits this {kind}"


def _from_model(
    evidence: Evidence,
    check: _Check,
    endpoint: LlmEndpoint,
    near: list[Fix],
    progress: Progress,
    cancelled: Callable[[], bool],
) -> tuple[list[Fix], list[str]]:
    """Up to three rounds: ask, check, and tell the model what came of it."""
    text = prompt.prompt_for(evidence, endpoint.send_values)
    messages: list[Message] = [{"role": "user", "content": text}]
    fixes: list[Fix] = []
    said: list[str] = []
    seen = {one.patch.content for one in near}
    for number in range(1, _ROUNDS + 1):
        if cancelled():
            break
        progress(f"asking {endpoint.model}: round {number} of {_ROUNDS}, about {prompt.estimate_tokens(text):,} tokens")
        try:
            replied = ask(endpoint, messages, cancelled=cancelled, progress=lambda one: progress(f"answer: {one}"))
        except LlmError as error:
            said.append(str(error))
            break
        except Cancelled:
            break
        try:
            patch = answer.patch_from(replied, evidence.source, evidence.node)
        except answer.Refused as refusal:
            said.append(f"{endpoint.model}, round {number}: the answer was refused: {refusal}")
            feedback = f"Your answer was refused: {refusal}."
        else:
            if patch.content in seen:
                same = next((one for one in near + fixes if one.patch.content == patch.content), None)
                if same is not None and same.verdict.kind in ("fixed", "not verified"):
                    said.append(f"{endpoint.model} proposes the same as “{same.title}”")
                    break
                feedback = "That was tried already and does not repair it."
            else:
                seen.add(patch.content)
                progress("checking the answer")
                verdict, _ = check.check(patch)
                sure = check.is_sure(patch, verdict)
                fixes.append(Fix(f"Fix with {endpoint.model}", "llm", patch, verdict, evidence.ids, 0.8, sure))
                if verdict.kind in ("fixed", "not verified"):
                    break
                feedback = f"Checked: {_words_for_model(verdict, endpoint)}."
        messages = [
            messages[0],
            {"role": "assistant", "content": replied[:20_000]},
            {"role": "user", "content": feedback + " Answer again in the same form."},
        ]
    return fixes, said


def _words_for_model(verdict: Verdict, endpoint: LlmEndpoint) -> str:
    """What a verdict says without the values in it, where those may not be sent."""
    if endpoint.send_values in ("redacted", "full"):
        return f"{prompt.show_message(verdict.words, endpoint.send_values)} ({verdict.matrix})"
    return f"{verdict.kind} ({verdict.matrix})"
