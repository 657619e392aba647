"""The workspace's own tests that run through a failing unit, examples in docstrings too: what they say about a patch.

They are the one place where somebody wrote down what is wanted. A test that failed with the code as it is and passes
with a patch supports it; a test that passed and fails now speaks against it, also where it expects the exception.
Which run through the unit is known from the recording; where none of those fails, others are looked for and run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from tracelens.fix import found_tests
from tracelens.fix.evidence import Evidence, Replayable
from tracelens.fix.patch import Patch
from tracelens.fix.search.oracle import CollectedTests
from tracelens.fix.search.session import Opened, Talk, converse
from tracelens.fix.search.survey import Ended, ask_again, by_chance, read_survey
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.replay.verdict import Verdict
from tracelens_indexer.workspace import is_collected

_MOST = 12
"""Tests that are run with each patch: half of them such that the failing calls were made in."""
_STEPS = 2_000_000
_SECONDS = 10.0
"""CPU seconds of one test, for what takes no steps."""
_MOST_FOUND = 60
"""That fail, and that pass, of those that were found: each costs little, and few leave room for a wrong patch."""
_MOST_LOOKED_AT = 300
"""Tests that are run to find those that run through the unit."""
_WATCHED = 300
_EVENTS = 20_000
_LOOK_SECONDS = 2.0
_FIND_SECONDS = 40.0
"""CPU seconds of all that."""
_OF_EXAMPLES = ("UnexpectedException", "DocTestFailure", "MultipleDoctestFailures")
"""What the exception of an example in a docstring stands in."""
_NAMEABLE = re.compile(r"[\w./:-]{1,200}(?:\[[ -~]{0,200}\])?", re.ASCII)
"""Names of tests that pytest finds again when it is given them."""
_CHANCE_SECONDS = 2.0
"""CPU seconds of running them again, to see which pass by chance."""
_PASSED = ("passed", "skipped")


class RelatedTests:
    def __init__(self, root: Path, python: str, rung: Rung | NoSandbox, evidence: Evidence) -> None:
        self.root = root
        self.python = python
        self.rung = rung
        failing = _known(root, [*evidence.failure.tests, *(one.test for one in evidence.failing)])[: _MOST // 2]
        passing = _known(root, [one.test for one in evidence.passing])
        self.names = list(dict.fromkeys([*failing, *passing]))[:_MOST]
        self.evidence = evidence

    @cached_property
    def before(self) -> dict[str, bool]:
        """Whether each passes with the code as it is; {} when there are none, or they cannot be run."""
        known = self._run(None)
        if not all(known.values()):
            return known
        found = self._found()
        self.names += [name for name in found if name not in self.names]
        return {**known, **found}

    @property
    def arguments(self) -> tuple[str, ...]:
        """For pytest."""
        examples = any(not is_collected(name.partition("::")[0]) for name in self.names)
        return (*(["--doctest-modules"] if examples else []), *self.names)

    def _found(self) -> dict[str, bool]:
        """Of the tests that name the unit: those that run through it and pass, and those that fail as it did."""
        arguments = found_tests.arguments(self.root, [one.unit for one in self._units()])
        found: dict[str, bool] = {}
        if not arguments or isinstance(self.rung, NoSandbox):
            return found

        def talk(opened: Opened) -> Talk:
            names = opened.names
            chosen = self._chosen(names)
            request = {"do": "survey", "fuel": _STEPS, "seconds": _LOOK_SECONDS, "events": _EVENTS, "watched": _WATCHED}
            survey = read_survey((yield {**request, "only": chosen}), names, opened.root)
            failing = [one for one in survey.failing if one.kind != "out of fuel" and self._fails_so(one)]
            passing = [one for one in survey.passing if self._runs_through(one.lines)]
            kept = [one for one in (*failing[:_MOST_FOUND], *passing[:_MOST_FOUND]) if _NAMEABLE.fullmatch(one.name)]
            kinds = ["skipped"] * len(names)
            for one in kept:
                kinds[one.at] = one.kind
            chance = by_chance(kinds, (yield ask_again(kinds, _STEPS // 10, _SECONDS, _CHANCE_SECONDS)))
            found.update({one.name: not one.failed for one in kept if one.at not in chance})

        converse(
            self.root,
            self.python,
            CollectedTests(arguments),
            talk,
            rung=self.rung,
            wall_seconds=120.0,
            cpu_seconds=_FIND_SECONDS,
        )
        return found

    def _units(self) -> Sequence[Replayable | Evidence]:
        return [self.evidence, *self.evidence.replayable]

    def _chosen(self, names: list[str]) -> list[int]:
        """Numbers of the tests that are run to see whether they are of use: all, or those that name the unit, and some
        of each part of the rest."""
        if len(names) <= _MOST_LOOKED_AT:
            return list(range(len(names)))
        words = {part.strip("_").lower() for one in self._units() for part in one.unit.scope.split(".")}
        named = [at for at, name in enumerate(names) if any(word and word in name.lower() for word in words)]
        half = _MOST_LOOKED_AT // 2
        some = named[:: -(-len(named) // half) or 1] if named else []
        return sorted({*some, *range(0, len(names), -(-len(names) // half))})

    def _runs_through(self, lines: frozenset[tuple[str, int]]) -> bool:
        path, node = self.evidence.unit.path, self.evidence.node
        return any(where == path and node.lineno < line <= (node.end_lineno or 0) for where, line in lines)

    def _fails_so(self, one: Ended) -> bool:
        """Whether a test fails as the unit did: through it, and with its exception."""
        said = self.evidence.failure.type.rpartition(".")[2]
        return self._runs_through(frozenset(one.crash)) or (
            self._runs_through(one.lines) and (said in one.words or one.words.startswith(_OF_EXAMPLES))
        )

    @property
    def failing(self) -> bool:
        """Whether one of them fails with the code as it is: then they say what is wanted."""
        return not all(self.before.values())

    def judge(self, patch: Patch, verdict: Verdict) -> Verdict | None:
        """What they say of a patch that stops the failure; None when none of them failed before and none fails now."""
        if not self.before:
            return None
        after = self._run(patch)
        compared = [name for name in self.before if name in after]
        if not compared:
            words = "undetermined: no longer raises, and the tests that ran through it cannot be run with it"
            return replace(verdict, kind="undetermined", words=words)
        passing = sum(after[name] for name in compared)
        matrix = replace(verdict.matrix, tests_passed=passing, tests=len(compared))
        for name in compared:
            if self.before[name] and not after[name]:
                return replace(verdict, kind="regressed", words=f"the test {name} fails with it", matrix=matrix)
        mended = [name for name in compared if after[name] and not self.before[name]]
        if mended and passing == len(compared):
            words = f"re-ran: no longer raises, and {_listed(mended)} passes"
            return replace(verdict, kind="fixed", words=words, matrix=matrix)
        failing = [name for name in compared if not after[name]]
        if failing:
            words = f"undetermined: no longer raises, and the test {failing[0]} still fails"
            return replace(verdict, kind="undetermined", words=words, matrix=matrix)
        return None

    def all_pass(self, patch: Patch) -> bool:
        """Whether every one of them passes with a patch."""
        after = self._run(patch)
        return all(after.get(name, False) for name in self.before)

    def _run(self, patch: Patch | None) -> dict[str, bool]:
        found: dict[str, bool] = {}
        if not self.names or isinstance(self.rung, NoSandbox):
            return found

        def talk(opened: Opened) -> Talk:
            said = yield {"do": "survey", "fuel": _STEPS, "seconds": _SECONDS, "events": 0, "watched": 0}
            kinds = [str(one["kind"]) for one in said["checks"]]
            chance = by_chance(kinds, (yield ask_again(kinds, _STEPS // 10, _SECONDS, _CHANCE_SECONDS)))
            # One that passes and fails with the code as it is says nothing; with a patch, it did not pass.
            for at, kind in enumerate(kinds):
                if at not in chance:
                    found[opened.names[at]] = kind in _PASSED
                elif patch is not None:
                    found[opened.names[at]] = False

        converse(
            self.root,
            self.python,
            CollectedTests(self.arguments),
            talk,
            rung=self.rung,
            wall_seconds=120.0,
            cpu_seconds=60.0,
            patch=patch,
        )
        return found


def _known(root: Path, tests: list[str]) -> list[str]:
    """Tests, parameters left out, whose files are in the workspace."""
    found = []
    for one in dict.fromkeys(test.partition("[")[0] for test in tests if test):
        path = PurePosixPath(one.partition("::")[0])
        if not one.startswith("-") and not path.is_absolute() and ".." not in path.parts and (root / path).is_file():
            found.append(one)
    return found


def _listed(names: list[str]) -> str:
    return names[0] + (f" (and {len(names) - 1} more)" if len(names) > 1 else "")
