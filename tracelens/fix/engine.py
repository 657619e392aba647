"""From a recorded failure to fixes with verdicts: gather, propose, make the recorded calls again, rank.

Strategies are tried in order (templates, then a model, if the user configured an endpoint); what each proposes goes
through the same check. Nothing here writes to the user's files: that is `patch.apply`, on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from tracelens.fix import answer, prompt, templates
from tracelens.fix.checking import Check, Checked, settled
from tracelens.fix.evidence import Evidence, FixIndex, Search, gather
from tracelens.fix.explain import Cause, explain
from tracelens.fix.invented import NOTE
from tracelens.fix.llm import Cancelled, LlmError, Message, ask
from tracelens.fix.patch import Patch, make_patch
from tracelens.fix.search.recorded import searched
from tracelens.fix.templates.problem import Problem
from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.replay.verdict import Verdict
from tracelens.settings import LlmEndpoint
from tracelens_indexer.store.answers import FailureRecord, UnitRecord
from tracelens_indexer.workspace import is_test

Strategy = Literal["template", "llm"]
Progress = Callable[[str], None]

_MOST_TEMPLATES = 12
"""Candidates that are run; the rest are not worth a second each."""
_ENOUGH_FIXED = 3
_ROUNDS = 3
SEARCH_SECONDS = 6.0
_RANKS = {"fixed": 0, "stops": 1, "not verified": 2, "undetermined": 3, "same": 4, "regressed": 5}
_WORTH_SEEING = ("fixed", "stops", "not verified")

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

    @property
    def sure(self) -> bool:
        """Whether what was recorded speaks for what it does, too; else a person has to look at it."""
        return self.verdict.kind == "fixed"


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
        """The first of `fixes`, unless its check speaks against it; it need not be proved."""
        return self.fixes[0] if self.fixes and self.fixes[0].verdict.kind in _WORTH_SEEING else None


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
    seconds: float = SEARCH_SECONDS,
) -> FixReport:
    """Propose fixes for a recorded failure, each with its verdict.

    python: the project's interpreter, in which the calls are made again. llm: from the user's settings; None uses
    templates alone. seconds: of CPU time for the search of small edits when no template is proved; 0 leaves it out.
    rung: what `sandbox.probe` answered; asked for when it is None. progress gets one line at a time.
    When `cancelled()` turns true, what was found so far is returned. Raises TraceLensError when the failure or its
    unit cannot be found.
    """
    progress("gathering evidence")
    evidence = gather(index, failure_id, workspace, search)
    statements: list[str] = []
    if _is_never_edited(evidence.unit.path):
        statements.append(f"{evidence.unit.path} is a test: tests are not edited; fix what it tests")
        return FixReport(evidence.failure, evidence.unit, (), tuple(statements), "", 0, evidence.ids)
    progress("trying the sandbox")
    python = sandbox.real_interpreter(python, workspace)
    rung = rung if rung is not None else sandbox.probe(python)
    if not isinstance(rung, NoSandbox) and evidence.replayable:
        progress("re-running the recorded calls with the code as it is")
    check = Check(evidence, workspace, python, rung)
    if check.held.problem:
        statements.append(f"fixes are not verified: {check.held.problem}")
    elif check.through is not None and check.through.unit.id != evidence.unit.id:
        statements.append(f"re-ran through {check.through.unit.qualname}, which called it")

    found, made = _from_templates(evidence, check, progress, cancelled)
    if not made:
        statements.append(_why_no_template(evidence))
    proved_already = any(
        verdict.kind == "fixed" for verdict in settled([(one.checked, one.preference) for one in found])
    )
    problem = Problem.of(evidence)
    meant = problem is not None and problem.raised_on_purpose and not check.tests.failing
    if seconds and not proved_already and not meant and not cancelled():
        more = searched(check, seconds, progress, cancelled)
        found += [_Proposal(title, "template", checked, preference) for title, checked, preference in more]
        made += len(more)
    if llm is None:
        statements.append(NO_ENDPOINT)
    elif not cancelled():
        answers, said = _from_model(evidence, check, llm, found, progress, cancelled)
        found += answers
        made += len(answers)
        statements += said
    verdicts = settled([(one.checked, one.preference) for one in found])
    fixes = [one.fix(verdict, evidence.ids) for one, verdict in zip(found, verdicts, strict=True)]
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


def _is_never_edited(path: str) -> bool:
    """Whether a file belongs to the tests or to what runs them."""
    pure = PurePosixPath(path)
    runs_them = any(part in (".github", "ci") for part in pure.parts[:-1]) or pure.name in ("noxfile.py", "setup.py")
    return runs_them or is_test(path)


@dataclass(frozen=True, slots=True)
class _Proposal:
    title: str
    strategy: Strategy
    checked: Checked
    preference: float

    def fix(self, verdict: Verdict, evidence: tuple[str, ...]) -> Fix:
        if self.checked.made_up and verdict.kind in ("fixed", "stops"):
            verdict = replace(verdict, notes=(*verdict.notes, NOTE))
        return Fix(self.title, self.strategy, self.checked.patch, verdict, evidence, self.preference)


def _from_templates(
    evidence: Evidence, check: Check, progress: Progress, cancelled: Callable[[], bool]
) -> tuple[list[_Proposal], int]:
    candidates = templates.candidates(evidence)
    found: list[_Proposal] = []
    usual = check.usual_type()
    for number, one in enumerate(candidates[:_MOST_TEMPLATES], 1):
        if cancelled():
            break
        enough = sum(each.checked.verdict.kind in ("fixed", "stops") for each in found) >= _ENOUGH_FIXED
        if enough and one.preference < 0.6:
            break
        progress(f"checking {one.title} ({number} of {min(len(candidates), _MOST_TEMPLATES)})")
        checked = check.check(make_patch(evidence.source, one.edits))
        # What passing calls look like: a fix whose calls return the same type is what was meant more often.
        fits = 0.2 if checked.types and checked.types == {usual} else 0.0
        found.append(_Proposal(one.title, "template", checked, one.preference + fits))
    return found, len(candidates)


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
    check: Check,
    endpoint: LlmEndpoint,
    near: list[_Proposal],
    progress: Progress,
    cancelled: Callable[[], bool],
) -> tuple[list[_Proposal], list[str]]:
    """Up to three rounds: ask, check, and tell the model what came of it."""
    text = prompt.prompt_for(evidence, endpoint.send_values)
    messages: list[Message] = [{"role": "user", "content": text}]
    found: list[_Proposal] = []
    said: list[str] = []
    seen = {one.checked.patch.content for one in near}
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
                same = next((one for one in near + found if one.checked.patch.content == patch.content), None)
                if same is not None and same.checked.verdict.kind in _WORTH_SEEING:
                    said.append(f"{endpoint.model} proposes the same as “{same.title}”")
                    break
                feedback = "That was tried already and does not repair it."
            else:
                seen.add(patch.content)
                progress("checking the answer")
                checked = check.check(patch)
                found.append(_Proposal(f"Fix with {endpoint.model}", "llm", checked, 0.8))
                if checked.verdict.kind in _WORTH_SEEING:
                    break
                feedback = f"Checked: {_words_for_model(checked.verdict, endpoint)}."
        messages = [
            messages[0],
            {"role": "assistant", "content": replied[:20_000]},
            {"role": "user", "content": feedback + " Answer again in the same form."},
        ]
    return found, said


def _words_for_model(verdict: Verdict, endpoint: LlmEndpoint) -> str:
    """What a verdict says without the values in it, where those may not be sent."""
    if endpoint.send_values in ("redacted", "full"):
        return f"{prompt.show_message(verdict.words, endpoint.send_values)} ({verdict.matrix})"
    return f"{verdict.kind} ({verdict.matrix})"
