"""Why nothing is shown: there is always an answer, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import commonpath
from typing import Any

from tracelens.answers import words
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store.answers import Profile, RunRecord, UnitRecord

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
    def missing(self) -> str:
        """The first thing that is missing."""
        return next((check.told for check in self.checks if not check.passed), "there is something to show")

    @property
    def line(self) -> str:
        """The first thing that is missing and what to do, in one line."""
        about = f"{self.about}: {self.missing}"
        return f"{about}. {self.todo}".rstrip(". ") if self.todo else about

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
    checks.append(Check(True, f"{_runs(len(runs))} shown", _run_details(runs, notes=True)))
    return Nothing(snapshot.root.name, tuple(checks), "")


def why(snapshot: IndexSnapshot, path: str, unit: UnitRecord | None, now_ns: int = 0) -> Nothing:
    """What is known about a file or one of its units, step by step."""
    record = snapshot.index.file(path)
    where = f"{unit.qualname} ({path}:{unit.def_line})" if unit else path
    where = words.clean(where, 200)
    if record is None:
        if not (snapshot.root / path).is_file():
            return Nothing(where, (Check(False, "there is no such file in this workspace"),), _alike(snapshot, path))
        told = Check(False, "not in the index: it is ignored by git, outside the packages, or newer than the index")
        return Nothing(where, (told,), "tracelens index")
    indexed = words.ago(snapshot.index.state().indexed_ns, now_ns or None) or "at an unknown time"
    if _edited(snapshot, path, record.blob):
        checks = [Check(False, f"indexed {indexed}, and the file has changed since")]
        return Nothing(where, tuple(checks), "tracelens index   (an editor with TraceLens does it when you save)")
    checks = [Check(True, f"indexed {indexed}")]
    if record.errors:
        checks.append(Check(True, f"{record.errors} places of the file could not be parsed; the rest is indexed"))
    runs = snapshot.run_records
    if not runs:
        checks.append(Check(False, "no runs yet"))
        return Nothing(where, tuple(checks), _RECORD)
    profiles = snapshot.profiles_in(path)
    profile = profiles.get(unit.id) if unit else None
    if profile is None and snapshot.index.test and unit is not None:
        checks.append(Check(False, f"not called by {words.test_name(snapshot.index.test)}, the test that is shown"))
        return Nothing(where, tuple(checks), "choose other runs")
    if profile is None and (unit is not None or not profiles):
        missing = _unseen(snapshot, path, unit, runs, len(profiles))
        checks += missing.checks
        return Nothing(where, tuple(checks), missing.todo or _record(snapshot, path, unit))
    checks.append(_named(path, runs))
    if profile is None:
        checks.append(Check(True, f"{len(profiles):,} of its units have data"))
        return Nothing(where, tuple(checks), "")
    return _seen(snapshot, where, path, profile, runs, checks)


def _seen(
    snapshot: IndexSnapshot, where: str, path: str, profile: Profile, runs: Sequence[RunRecord], checks: list[Check]
) -> Nothing:
    """Of a unit that has data."""
    by_id = {run.id: run for run in runs}
    counted = words.counted(profile.calls, "call", profile.counting)
    if profile.calls or profile.resumes or profile.errors:
        checks.append(Check(True, f"{counted} in {_runs(len(profile.runs))}"))
    elif profile.samples_total:
        checks.append(
            Check(True, f"seen in samples of {_runs(len(profile.runs))}: these tell time, not calls or values")
        )
    else:
        checks.append(Check(True, f"it ran in {_runs(len(profile.runs))}, which do not say how often"))
    if profile.counting == "at least" and profile.calls and not profile.captured:
        checks.append(
            Check(True, "none of its calls was kept with values: it was called too often to be watched for long")
        )
    if profile.not_added:
        names = ", ".join(words.clean(by_id[run].name) for run in profile.not_added if run in by_id)
        checks.append(
            Check(True, f"counted by {names} too, and not added up: most likely the same program, seen twice")
        )
    if profile.state == "moved":
        checks.append(Check(True, f"recorded as {words.clean(profile.moved_from, 200)}, and followed by its code"))
    if profile.state == "stale":
        checks.append(Check(False, "its code has changed since it was recorded"))
        return Nothing(where, tuple(checks), _record(snapshot, path, profile.unit))
    if profile.state == "unverified":
        checks.append(Check(False, "the run does not say what the code was when it was recorded"))
        todo = f"{_record(snapshot, path, profile.unit)}   (a recording says which source it saw)"
        return Nothing(where, tuple(checks), todo)
    return Nothing(where, tuple(checks), "")


@dataclass(frozen=True, slots=True)
class _Missing:
    checks: tuple[Check, ...]
    todo: str = ""


def _unseen(
    snapshot: IndexSnapshot, path: str, unit: UnitRecord | None, runs: Sequence[RunRecord], beside: int
) -> _Missing:
    """Why a unit, or all of a file, has no data: what each run said of the file, and what came nearest."""
    named = [run for run in runs if path in _files(run)]
    if not named:
        near = _nearest(path, runs)
        if near:
            run, raw = near
            told = f'run "{words.clean(run.name)}" names {words.clean(raw, 300)}, which is not taken for this file'
            old, new = _prefixes(raw, path)
            todo = (
                f'say what the prefix is in pyproject.toml, and import again:  [tool.tracelens.paths] "{old}" = "{new}"'
            )
            return _Missing((Check(False, told),), words.clean(todo, 500))
        if unit is None:
            told = f"no data in {_runs(len(runs))}: none names this file"
            return _Missing((Check(False, told, _run_details(runs)),))
        return _Missing(
            (Check(False, f"no calls in {_runs(len(runs))}", ("none names the file", *_run_details(runs))),)
        )
    details = [_raw_path(path, run) for run in named[:3]]
    if unit is None:
        return _Missing((Check(False, f"no data in {_runs(len(runs))}", (*details, *_run_details(runs))),))
    for run in named:
        for lost in _lost(run, path):
            line, _, rest = lost.partition(" ")
            name, _, reason = rest.partition(": ")
            if name.rpartition(".")[2] == unit.name and reason:
                told = f'run "{words.clean(run.name)}" has {words.clean(name)} at line {line}: {words.clean(reason)}'
                return _Missing((Check(False, told, tuple(details)),))
    others = _others(beside) if beside else "nor has any unit of the file"
    if all(run.sample_weight and not snapshot.index.counts_calls(run.id) for run in named):
        told = f"no sample of {_runs(len(named))} has it: samples miss what is quick or seldom called"
        return _Missing((Check(False, told, (*details, others)),))
    if unit.kind in ("lambda", "comprehension"):
        details.append("what a lambda or comprehension does is mostly counted with the function around it")
    told = f"no calls in {_runs(len(runs))}"
    return _Missing((Check(False, told, (others, *details, *_run_details(runs))),))


def _edited(snapshot: IndexSnapshot, path: str, blob: str) -> bool:
    try:
        content = (snapshot.root / path).read_bytes()
    except OSError:
        return True
    from tracelens_indexer.traces.anchors import blob_id

    return bool(blob) and blob_id(content, len(blob)) != blob


def _files(run: RunRecord) -> dict[str, Any]:
    found = run.joined.get("files")
    return found if isinstance(found, dict) else {}


def _lost(run: RunRecord, path: str) -> list[str]:
    found = run.joined.get("lost")
    told = found.get(path) if isinstance(found, dict) else None
    return [one for one in told if isinstance(one, str)] if isinstance(told, list) else []


def _named(path: str, runs: Sequence[RunRecord]) -> Check:
    named = [run for run in runs if path in _files(run)]
    if not named:
        return Check(True, "its code was found by names or by what it looks like: no run names this file")
    return Check(
        True,
        f"{_runs(len(named))} of {len(runs):,} shown {'names' if len(named) == 1 else 'name'} it",
        tuple(_raw_path(path, run) for run in named[:3]),
    )


def _raw_path(path: str, run: RunRecord) -> str:
    found = _files(run).get(path)
    raw, joined, lost = found if isinstance(found, list) and len(found) == 3 else ("", 0, 0)
    told = f'run "{words.clean(run.name)}" saw {joined:,} of its functions'
    told += f" as {words.clean(str(raw), 300)}" if raw and raw != path else ""
    return told + (f"; {lost:,} frames fit none" if lost else "")


def _nearest(path: str, runs: Sequence[RunRecord]) -> tuple[RunRecord, str] | None:
    """A path outside the workspace that ends as this one does."""
    name = path.rpartition("/")[2]
    for run in runs:
        outside = run.joined.get("outside")
        for raw in outside if isinstance(outside, list) else ():
            if isinstance(raw, str) and raw.replace("\\", "/").rpartition("/")[2] == name:
                return run, raw
    return None


def _prefixes(raw: str, path: str) -> tuple[str, str]:
    """What differs at the beginning of two paths that end alike."""
    theirs, ours = raw.replace("\\", "/").split("/"), path.split("/")
    while len(theirs) > 1 and len(ours) > 1 and theirs[-1] == ours[-1]:
        theirs.pop()
        ours.pop()
    if theirs[-1:] == ours[-1:]:
        theirs.pop()
        ours.pop()
    return "/".join(theirs) or "/", "/".join(ours) or "."


def _runs(n: int) -> str:
    return f"{n:,} run{'' if n == 1 else 's'}"


def _others(n: int) -> str:
    return "one other unit of the file has data" if n == 1 else f"{n:,} other units of the file have data"


def _run_details(runs: Sequence[RunRecord], *, notes: bool = False) -> tuple[str, ...]:
    details = []
    for run in runs[:5]:
        told = f'run "{words.clean(run.name, words.LONGEST_NAME)}" has data of {run.units:,} units'
        details.append(f"{told}; {words.clean(run.notes, words.LONGEST_MESSAGE)}" if run.notes and notes else told)
    return tuple(details)


def _record(snapshot: IndexSnapshot, path: str, unit: UnitRecord | None = None) -> str:
    """The command that would most likely show it: with the tests that are named after the file, else those that call
    the unit, else those beside it, else all."""
    name = path.rpartition("/")[2]
    if name.startswith("test_"):
        return f"tracelens record -- pytest {path}"
    stem = name.removesuffix(".py").strip("_")
    paths = snapshot.index.paths()
    tests = [one for one in paths if one.rpartition("/")[2] in (f"test_{stem}.py", f"{stem}_test.py")]
    if not tests and unit is not None:
        callers = {caller.path for caller, _ in snapshot.index.callers(unit.id)}
        tests = sorted(one for one in callers if one.rpartition("/")[2].startswith("test_"))
    if not tests:
        beside = f"{path.rpartition('/')[0]}/tests".lstrip("/")
        tests = [beside] if any(one.startswith(f"{beside}/") for one in paths) else []
    # The one that lies nearest.
    nearest = max(tests, key=lambda one: (len(commonpath([one, path])), -len(one), one), default="")
    return f"tracelens record -- pytest {words.clean(nearest, 300)}".rstrip()


def _alike(snapshot: IndexSnapshot, path: str) -> str:
    name = path.replace("\\", "/").rpartition("/")[2]
    same = [one for one in snapshot.index.paths() if one.rpartition("/")[2] == name]
    if len(same) != 1:
        return "name it from the root of the workspace"
    return f"tracelens doctor {words.clean(same[0], 300)}   (is this meant?)"
