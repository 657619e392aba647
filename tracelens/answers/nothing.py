"""Why nothing is shown: there is always an answer, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracelens.answers import words
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store.answers import RunRecord, UnitRecord

_RECORD = "tracelens record -- pytest   or: tracelens import FILE"


@dataclass(frozen=True, slots=True)
class Check:
    passed: bool
    told: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """What was looked at, in order, and the next step."""

    about: str
    checks: tuple[Check, ...]
    todo: str
    """A command to run or a thing to do; "" when data is there."""

    @property
    def line(self) -> str:
        """The first thing that is missing and what to do, in one line."""
        missing = next((check.told for check in self.checks if not check.passed), "there is something to show")
        return f"{self.about}: {missing}. {self.todo}".rstrip(". ") if self.todo else f"{self.about}: {missing}"

    @property
    def lines(self) -> list[str]:
        shown = [self.about]
        for check in self.checks:
            shown.append(f"  {'✓' if check.passed else '✗'} {check.told}")
            shown += [f"    {detail}" for detail in check.details]
        return [*shown, f"  → {self.todo}"] if self.todo else shown


def no_index(reason: str, where: str) -> Nothing:
    """There is no index, or it cannot be used; `reason` is the store's own line, which says what to do."""
    told, _, todo = reason.partition(". ")
    # The store names the folder first, which `where` has said.
    told = told.rpartition(": ")[2] if told.endswith("not indexed yet") else told
    return Nothing(where, (Check(False, told),), todo.removeprefix("Run: ") or "tracelens index")


def about_workspace(snapshot: IndexSnapshot, now_ns: int = 0) -> Nothing:
    """What there is to show in a whole workspace."""
    state = snapshot.index.state()
    indexed = words.ago(state.indexed_ns, now_ns or None) or "at an unknown time"
    checks = [Check(True, f"{state.files:,} files, {state.units:,} units, indexed {indexed}")]
    runs = snapshot.run_records
    if not runs:
        return Nothing(snapshot.root.name, (*checks, Check(False, "no runs yet")), _RECORD)
    checks.append(Check(True, f"{_runs(len(runs))} shown", _run_details(runs)))
    return Nothing(snapshot.root.name, tuple(checks), "")


def why(snapshot: IndexSnapshot, path: str, unit: UnitRecord | None, now_ns: int = 0) -> Nothing:
    """What is known about a file or one of its units, step by step."""
    record = snapshot.index.file(path)
    where = f"{unit.qualname} ({path}:{unit.def_line})" if unit else path
    where = words.clean(where, 200)
    if record is None:
        told = Check(False, "not in the index: it is ignored by git, outside the packages, or newer than the index")
        return Nothing(where, (told,), "tracelens index")
    indexed = words.ago(snapshot.index.state().indexed_ns, now_ns or None) or "at an unknown time"
    checks = [Check(True, f"indexed {indexed}")]
    runs = snapshot.run_records
    if not runs:
        checks.append(Check(False, "no runs yet"))
        return Nothing(where, tuple(checks), _RECORD)
    profiles = snapshot.profiles_in(path)
    if unit is None:
        checks.append(
            Check(True, f"{len(profiles):,} of its units have data")
            if profiles
            else Check(False, f"no data in {_runs(len(runs))}", _run_details(runs))
        )
        return Nothing(where, tuple(checks), "" if profiles else _record(path))
    profile = profiles.get(unit.id)
    if profile is None:
        beside = f"{len(profiles):,} other units of the file have data" if profiles else "nor has any unit of the file"
        checks.append(Check(False, f"no calls in {_runs(len(runs))}", (beside, *_run_details(runs))))
        return Nothing(where, tuple(checks), _record(path))
    checks.append(
        Check(True, f"{words.counted(profile.calls, 'call', profile.counting)} in {_runs(len(profile.runs))}")
    )
    if profile.state == "stale":
        checks.append(Check(False, "its code has changed since it was recorded"))
        return Nothing(where, tuple(checks), _record(path))
    if profile.state == "unverified":
        checks.append(Check(False, "the run does not say what the code was when it was recorded"))
    return Nothing(where, tuple(checks), "")


def _runs(n: int) -> str:
    return f"{n:,} run{'' if n == 1 else 's'}"


def _run_details(runs: Sequence[RunRecord]) -> tuple[str, ...]:
    details = []
    for run in runs[:5]:
        told = f'run "{words.clean(run.name, words.LONGEST_NAME)}" has data of {run.units:,} units'
        details.append(f"{told}; {words.clean(run.notes, words.LONGEST_MESSAGE)}" if run.notes else told)
    return tuple(details)


def _record(path: str) -> str:
    name = path.rpartition("/")[2]
    return f"tracelens record -- pytest {path}" if name.startswith("test_") else "tracelens record -- pytest"
