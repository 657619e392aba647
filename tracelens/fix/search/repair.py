"""The search: survey, localise, try single edits likeliest first, then pairs, confirm, group, rank."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tracelens.fix.patch import Patch, make_patch
from tracelens.fix.search import ranking
from tracelens.fix.search.localise import Suspect, suspects
from tracelens.fix.search.oracle import Oracle
from tracelens.fix.search.proposals import Proposal, pairs, singles
from tracelens.fix.search.ranking import Passing
from tracelens.fix.search.session import Answer, Opened, Talk, converse
from tracelens.fix.search.survey import (
    CHANCE,
    KEPT_BACK,
    NOT_RUN,
    Ended,
    Survey,
    ask_again,
    bounded,
    by_chance,
    read_survey,
)
from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens_indexer.errors import TraceLensError

_FUEL = 200_000
_LEAST_FUEL = 5_000
_LEAST_SECONDS = 0.04
_MOST_SECONDS = 8.0
"""CPU seconds of one check with a candidate that may only be slow."""
_SECONDS = 1.0
"""CPU seconds of one check, for what takes no steps."""
_BATCH = 32
_ASKED = 512
"""Candidates in one request."""
_MOST_PASSING = 60
_PROBES = 90
_AT_LEAST = 700
"""Candidates that are tried beyond twice those up to the first that passed: the likeliest is not always first."""
_SURE = 0.6
_SPENT_ON_SURVEY = 0.2
"""Share of the budget after which, once some check failed, no more checks are run with the code as it is."""
_SPENT_ON_PASSING = 0.03
"""Share of the budget that all passing checks that candidates are held against may take, run once."""
_LEAST_ON_PASSING = 1.0
_LEANING = 0.2
"""Share of the passing checks that may lean on others: they are kept back."""
_HELD_AGAINST_ALL = 3
"""Repairs that are held against the checks that were kept back too."""
_SPENT_ON_CHANCE = 0.1
"""Share of the budget for running the checks more than twice with the code as it is."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Repair:
    """A patch that passes every check, alone in a fresh process."""

    title: str
    patch: Patch
    line: int
    cost: float
    """Steps on the checks that passed before, with it over without it."""
    group: int
    """Repairs of one group do the same with every input that was probed."""
    sure: bool
    """Whether nothing that was tried speaks against it: other repairs that pass do the same, enough was checked."""


@dataclass
class SearchReport:
    repairs: list[Repair] = field(default_factory=list)
    """Best first."""
    failing: list[str] = field(default_factory=list)
    passing: int = 0
    by_chance: list[str] = field(default_factory=list)
    """Checks that passed one time and failed another, with the code as it is: they are left out."""
    not_run: int = 0
    """Checks that would have taken too long: nothing is known of them."""
    suspects: list[tuple[str, int, float]] = field(default_factory=list)
    """(path, line, suspiciousness), most suspicious first."""
    tried: int = 0
    to_first: int = 0
    """Candidates tried up to the first that passed; 0 none."""
    cpu: float = 0.0
    """Seconds, in the sandbox."""
    confidence: float = 0.0
    problem: str = ""
    """Why nothing could be searched; "" when it could."""
    sandbox: str = ""


def repair(
    workspace: Path,
    python: str,
    oracle: Oracle,
    *,
    rung: Rung | NoSandbox | None = None,
    cpu_seconds: float = 10.0,
    progress: Progress = lambda line: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> SearchReport:
    """Search for small edits that make failing checks pass and keep the others passing. Writes nothing.

    cpu_seconds: after which no more candidates are tried. Without a sandbox nothing is run, and `problem` says so.
    """
    python = sandbox.real_interpreter(python, workspace)
    rung = rung if rung is not None else sandbox.probe(python)
    report = SearchReport()
    if isinstance(rung, NoSandbox):
        report.problem = f"no sandbox on this machine: {rung.reason}"
        return report
    report.sandbox = rung.name
    search = _Search(workspace, report, cpu_seconds, progress, cancelled)
    problem = converse(
        workspace,
        python,
        oracle,
        search.talk,
        rung=rung,
        wall_seconds=cpu_seconds * 12 + 120,
        cpu_seconds=cpu_seconds * 4 + 60,
    )
    report.problem = report.problem or problem
    return report


class _Search:
    def __init__(
        self,
        workspace: Path,
        report: SearchReport,
        budget: float,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        self.workspace = workspace
        self.report = report
        self.budget = budget
        self.progress = progress
        self.cancelled = cancelled
        self.survey: Survey = Survey((), {}, {})
        self.suspects: dict[str, Suspect] = {}
        self.passed: list[Proposal] = []
        self.slow: list[tuple[int, Proposal]] = []
        """(checks passed, candidate): ran out of fuel on a failing check: they may only be slower."""
        self.near: list[Proposal] = []
        """Made some failing check pass, or failed it otherwise and broke nothing before it."""
        self.root = ""
        self.in_order = False

    def talk(self, opened: Opened) -> Talk:
        self.root = opened.root
        if not opened.names:
            self.report.problem = "no test was collected"
            return
        self.progress(f"running {len(opened.names)} checks with the code as it is")
        said = yield {
            "do": "survey",
            "fuel": _FUEL,
            "seconds": _SECONDS,
            "events": 200_000,
            "watched": 40,
            "spend": self.budget * _SPENT_ON_SURVEY,
        }
        self._spent(said)
        most = max(_LEAST_ON_PASSING, self.budget * _SPENT_ON_PASSING)
        self.survey = bounded(read_survey(said, opened.names, opened.root), most)
        self.report.not_run = sum(one.kind == NOT_RUN for one in self.survey.checks)
        if self.survey.failing:
            yield from self._leave_out_chance()
        self.report.failing = [one.name for one in self.survey.failing]
        self.report.passing = sum(one.kind in ("passed", KEPT_BACK) for one in self.survey.checks)
        if not self.report.failing:
            self.report.problem = "every test passes: there is nothing to repair"
            if self.report.by_chance:
                self.report.problem = f"{_listed(self.report.by_chance)}: no repair can be held against that"
            return
        found = suspects(self.survey, self.workspace)
        self.suspects = {one.key: one for one in found}
        self.report.suspects = sorted(
            ((one.source.path, line, score) for one in found for line, score in one.lines.items()),
            key=lambda place: -place[2],
        )[:20]
        if not found:
            self.report.problem = "the failing tests run through no function of the workspace"
            return
        said = yield {"do": "find", "targets": {key: self._target(one) for key, one in self.suspects.items()}}
        yield from self._verify()
        items = singles([one for one in found if one.key in said["found"]], self.survey)
        likeliest = iter(items)
        # What only ran out of steps gets its turn before the unlikely ones have used all time up.
        yield from self._try(likeliest, "single edits", 0.4)
        if not self.passed and self.slow and self._more():
            yield from self._try_slow(0.9)
        if not self.passed and self._more():
            yield from self._try(likeliest, "single edits")
        if not self.passed and self._more():
            yield from self._try(pairs(items, self.near), "pairs of edits")
        if self.passed:
            yield from self._judge()

    def _verify(self) -> Talk:
        """Tests that leave something behind for each other have to keep their order, and candidates their own process.

        Where it is a few that pass, they are kept back instead.
        """
        for _ in range(2):
            order, _, _ = self._order()
            kinds = [[at, self.survey.checks[at].kind] for at in order if self.survey.checks[at].kind != "out of fuel"]
            said = yield {"do": "verify", "order": kinds, "fuel": _FUEL * 10, "wall": 30.0}
            self._spent(said)
            if said["same"]:
                return
            others = set(said["others"] or ())
            passing = {one.at for one in self.survey.passing}
            if not others or not others <= passing or len(others) > _LEANING * len(passing):
                break
            leaning = (replace(one, kind=KEPT_BACK) if one.at in others else one for one in self.survey.checks)
            self.survey = replace(self.survey, checks=tuple(leaning))
        self.in_order = True

    def _leave_out_chance(self) -> Talk:
        """Checks that end otherwise when they are run again say nothing of a candidate that they pass with."""
        self.progress("running the checks again, for those that hang on chance")
        kinds = [one.kind for one in self.survey.checks]
        said = yield ask_again(kinds, _FUEL, _SECONDS, self.budget * _SPENT_ON_CHANCE)
        self._spent(said)
        chance = by_chance(kinds, said)
        checks = tuple(replace(one, kind=CHANCE) if one.at in chance else one for one in self.survey.checks)
        self.survey = replace(self.survey, checks=checks)
        self.report.by_chance = [one.name for one in checks if one.kind == CHANCE]

    def _spent(self, said: Answer) -> None:
        self.report.cpu += float(said.get("cpu", 0.0))

    def _more(self, share: float = 1.0) -> bool:
        return self.report.cpu < self.budget * share and not self.cancelled()

    def _target(self, one: Suspect) -> dict[str, Any]:
        first = min([one.function.lineno, *(each.lineno for each in one.function.decorator_list)])
        line = one.source.line(one.function.lineno)
        return {
            "path": f"{self.root}/{one.source.path}",
            "name": one.function.name,
            "line": one.function.lineno,
            "first": first,
            "within": one.within,
            "indented": line[:1] in (" ", "\t"),
        }

    # Trying.

    def _order(self) -> tuple[list[int], list[int], list[float]]:
        """The checks, failing ones first and cheap ones before dear ones; the steps and seconds that each may take."""
        failing = sorted(self.survey.failing, key=lambda one: (one.kind == "out of fuel", one.used))
        passing = sorted(self.survey.passing, key=lambda one: one.used)
        usual = sorted(one.used for one in self.survey.passing) or [0]
        middle = usual[len(usual) // 2]
        ordered = [*failing, *passing]
        if self.in_order:
            ordered = [one for one in self.survey.checks if one.takes_part]
        most = max(usual)
        longest = max((one.spent for one in passing), default=0.0)
        limits = [_fuel_for(one, middle, most) for one in ordered]
        seconds = [_seconds_for(one, longest) for one in ordered]
        return [one.at for one in ordered], limits, seconds

    def _request(self, part: Sequence[Proposal], factor: int) -> dict[str, Any]:
        order, limits, seconds = self._order()
        # How long it takes when it is right is known of those that came to their end.
        factors = [factor if self.survey.checks[at].failed else 1 for at in order]
        cheap = [one for one in self.survey.passing if one.used < 2000][:3] + [
            one for one in self.survey.failing if one.used < 2000
        ][:1]
        return {
            "do": "try",
            "targets": {key: self._target(one) for key, one in self.suspects.items()},
            "items": [[one.suspect.key, one.text] for one in part],
            "order": order,
            "limits": [limit * each for limit, each in zip(limits, factors, strict=True)],
            "fuel": _FUEL,
            "seconds": [
                second if each == 1 else max(second, min(second * each, _MOST_SECONDS))
                for second, each in zip(seconds, factors, strict=True)
            ],
            "batch": _BATCH if factor == 1 else 1,
            "canaries": [[one.at, one.kind] for one in cheap],
        }

    def _try(self, items: Iterator[Proposal], what: str, share: float = 1.0) -> Talk:
        failing = len(self.survey.failing)
        size = 64
        begun = self.report.tried
        stop_at = 0.0
        while self._more(1.0 if self.passed else share):
            part = [one for _, one in zip(range(size), items, strict=False)]
            if not part:
                break
            said = yield self._request(part, 1)
            self._spent(said)
            for number, (one, result) in enumerate(zip(part, said["results"], strict=True)):
                if result[0] == "passed":
                    self.passed.append(one)
                    if not self.report.to_first:
                        self.report.to_first = self.report.tried + number + 1
                elif result[0] == "out of fuel" and result[1] < failing:
                    self.slow.append((int(result[1]), one))
                elif result[0] == "failed" and (result[1] > 0 or result[2] != self._first_digest()):
                    self.near.append(one)
            self.report.tried += len(part)
            self.progress(f"{what}: {self.report.tried - begun:,} tried, {len(self.passed)} pass")
            if self.passed and not stop_at:
                # What is less likely by far than the first that passes is not worth the time.
                stop_at = self.passed[0].score * 0.5
            enough = part[-1].score < stop_at and self.report.tried >= 2 * self.report.to_first + _AT_LEAST
            if self.passed and (enough or len(self.passed) >= _MOST_PASSING):
                break
            size = min(size * 2, _ASKED)

    def _first_digest(self) -> str:
        order, _, _ = self._order()
        return self.survey.checks[order[0]].digest

    def _try_slow(self, share: float) -> Talk:
        """What ran out of steps may only be slow: again with more of them."""
        ordered = [one for _, one in sorted(self.slow, key=lambda each: (-each[0], -each[1].score))]
        for factor, most, at_once in ((10, 100, 4), (1000, 10, 1)):
            rest = ordered[:most]
            again: list[Proposal] = []
            while rest and self._more(share) and not self.passed:
                part, rest = rest[:at_once], rest[at_once:]
                said = yield self._request(part, factor)
                self._spent(said)
                for one, result in zip(part, said["results"], strict=True):
                    if result[0] == "passed":
                        self.passed.append(one)
                    elif result[0] == "out of fuel":
                        again.append(one)
                self.report.tried += len(part)
                if self.passed and not self.report.to_first:
                    self.report.to_first = self.report.tried
            ordered = again

    # Judging.

    def _judge(self) -> Talk:
        self.progress(f"confirming {len(self.passed)} that pass")
        best = sorted(self.passed, key=lambda one: -one.score)[:_MOST_PASSING]
        targets = {key: self._target(one) for key, one in self.suspects.items()}
        taking_part = [one for one in self.survey.checks if one.takes_part]
        confirmed = yield from self._confirm(best, taking_part)
        before = {one.at: one.used for one in self.survey.passing}
        found: list[tuple[Proposal, Passing]] = []
        for one, ended in zip(best, confirmed, strict=True):
            if not _all_pass(ended, taking_part):
                continue
            used = sum(steps for at, _, steps in ended if at in before)
            total = sum(before.values())
            cost = (used + 20) / (total + 20) if total else 1.0
            more = ranking.unused_variables(one.text) - ranking.unused_variables(one.suspect.text)
            found.append((one, Passing(one.candidate, one.text, one.score, cost, (), more)))
        probed: list[tuple[Proposal, Passing]] = []
        for key in {item.suspect.key for item, _ in found}:
            part = [pair for pair in found if pair[0].suspect.key == key]
            said = yield {
                "do": "probe",
                "target": key,
                "targets": targets,
                "items": [item.text for item, _ in part],
                "checks": [one.at for one in [*self.survey.failing, *self.survey.passing]],
                "most": _PROBES,
                "fuel": max([20_000, *(2 * one.used for one in self.survey.passing)]),
                "wall": 60.0,
            }
            self._spent(said)
            answers = said["probed"]
            for number, (item, passing) in enumerate(part):
                answer = answers[number] if number < len(answers) else []
                behaviour = tuple(str(text) for text, _ in answer)
                probed.append((item, replace(passing, behaviour=(key, *behaviour) if behaviour else ())))
        items = {id(passing.candidate): item for item, passing in probed}
        ranked = ranking.rank([passing for _, passing in probed])
        if any(one.kind == KEPT_BACK for one in self.survey.checks):
            every = [one for one in self.survey.checks if one.kind == KEPT_BACK or one.takes_part]
            ranked = yield from self._held_against(every, ranked, items)
        self._report(ranked, items)

    def _confirm(
        self, items: Sequence[Proposal], checks: Sequence[Ended]
    ) -> Generator[dict[str, Any], Answer, list[list[Any]]]:
        """How the checks end with each repair alone: [number, how, steps] of each check, as far as it came."""
        said = yield {
            "do": "confirm",
            "targets": {key: self._target(one) for key, one in self.suspects.items()},
            "items": [[one.suspect.key, one.text] for one in items],
            "only": [one.at for one in checks],
            "limits": [max(_FUEL * (10 if one.failed else 1), 100 * one.used) for one in self.survey.checks],
            "seconds": 5.0,
            "wall": 60.0,
        }
        self._spent(said)
        confirmed: list[list[Any]] = said["confirmed"]
        return confirmed

    def _held_against(
        self, every: Sequence[Ended], ranked: Sequence[Passing], items: Mapping[int, Proposal]
    ) -> Generator[dict[str, Any], Answer, list[Passing]]:
        """The best repairs that pass the checks that were kept back too, all in their own order; no others are told."""
        self.progress(f"holding the best against all {len(every)} checks")
        found: list[Passing] = []
        for one in ranked[: 2 * _HELD_AGAINST_ALL]:
            if len(found) == _HELD_AGAINST_ALL or (found and not self._more()):
                break
            confirmed = yield from self._confirm([items[id(one.candidate)]], every)
            if _all_pass(confirmed[0], every):
                found.append(one)
        return found

    def _report(self, ranked: Sequence[Passing], items: Mapping[int, Proposal]) -> None:
        checks = len(self.survey.checks)
        self.report.confidence = ranking.confidence(ranked, checks)
        for number, one in enumerate(ranked):
            item = items[id(one.candidate)]
            try:
                patch = make_patch(item.suspect.source, one.candidate.edits)
            except (ValueError, TraceLensError):
                continue
            sure = number == 0 and self.report.confidence >= _SURE
            self.report.repairs.append(
                Repair(one.candidate.title, patch, one.candidate.line, one.cost, one.group, sure)
            )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more} pass{'' if more else 'es'} one time and fail{'' if more else 's'} another"


def _all_pass(ended: Sequence[Any], checks: Sequence[Ended]) -> bool:
    return len(ended) == len(checks) and all(kind in ("passed", "skipped") for _, kind, _ in ended)


def _fuel_for(check: Ended, usual: int, most: int) -> int:
    """Steps that a candidate may take: what stopped early says little of how long it takes when it is right.

    usual, most: that passing checks take.
    """
    if check.kind == "out of fuel":
        return max(_LEAST_FUEL, 10 * usual)
    if check.failed:
        return max(6 * _LEAST_FUEL, 10 * usual, 10 * check.used, min(2 * most, _FUEL))
    return max(_LEAST_FUEL, 10 * check.used)


def _seconds_for(check: Ended, longest: float) -> float:
    """CPU seconds that a candidate may take. longest: that a passing check takes."""
    if check.kind == "out of fuel":
        return _LEAST_SECONDS
    if check.failed:  # it may have stopped at once
        return max(_LEAST_SECONDS, 10 * check.spent, min(2 * longest, _SECONDS))
    return max(_LEAST_SECONDS, 10 * check.spent)
