"""The workspace's own tests that a recording saw run through a failing unit: what they say about a patch.

They are the one place where somebody wrote down what is wanted. A test that failed with the code as it is and passes
with a patch supports it; a test that passed and fails now speaks against it, also where it expects the exception.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from tracelens.fix.evidence import Evidence
from tracelens.fix.patch import Patch
from tracelens.fix.search.oracle import CollectedTests
from tracelens.fix.search.session import Opened, Talk, converse
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.replay.verdict import Verdict

_MOST = 12
"""Tests that are run with each patch: half of them such that the failing calls were made in."""
_STEPS = 2_000_000
_SECONDS = 10.0
"""CPU seconds of one test, for what takes no steps."""
_PASSED = ("passed", "skipped")


class RelatedTests:
    def __init__(self, root: Path, python: str, rung: Rung | NoSandbox, evidence: Evidence) -> None:
        self.root = root
        self.python = python
        self.rung = rung
        failing = _known(root, [*evidence.failure.tests, *(one.test for one in evidence.failing)])[: _MOST // 2]
        passing = _known(root, [one.test for one in evidence.passing])
        self.names = list(dict.fromkeys([*failing, *passing]))[:_MOST]

    @cached_property
    def before(self) -> dict[str, bool]:
        """Whether each passes with the code as it is; {} when there are none, or they cannot be run."""
        return self._run(None)

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

    def _run(self, patch: Patch | None) -> dict[str, bool]:
        found: dict[str, bool] = {}
        if not self.names or isinstance(self.rung, NoSandbox):
            return found

        def talk(opened: Opened) -> Talk:
            said = yield {"do": "survey", "fuel": _STEPS, "seconds": _SECONDS, "events": 0, "watched": 0}
            for one in said["checks"]:
                found[opened.names[int(one["at"])]] = one["kind"] in _PASSED

        converse(
            self.root,
            self.python,
            CollectedTests(tuple(self.names)),
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
