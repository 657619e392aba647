"""Which runs and which unit are meant by the words that a person or an agent uses for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracelens.answers import words
from tracelens.answers.hot import Hot
from tracelens.answers.selecting import BadChoice, selected, word
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import RunRecord, UnitRecord

_LISTED = 20
"""Runs that can be chosen one by one."""
_MOST_TESTS = 2_000


class NotFound(TraceLensError):
    """Nothing is called so, or several are."""

    exit_code = 1


def runs_named(index: Index, choices: Sequence[str]) -> tuple[int, ...] | None:
    """Ids of the runs that are meant by any of these (selecting.py); None, the current ones, when none is given.

    Raises TraceLensError for what no run is.
    """
    if not choices:
        return None
    return tuple(dict.fromkeys(run for choice in choices for run in selected(index, choice)))


@dataclass(frozen=True, slots=True)
class Choice:
    """Some of the runs, as a person chooses them."""

    id: str
    """"" the current ones, "test:ID", else in the grammar of selecting.py: "all", "latest", "env:staging", "run:3"."""
    title: str
    detail: str


def choices(index: Index) -> list[Choice]:
    """What there is to choose, the current runs first."""
    runs = index.runs()
    found = [Choice("", "Current runs", "the latest of each name")]
    if len(runs) > 1:
        found.append(Choice("latest", "Latest run", _run_detail(runs[0])))
        found.append(Choice("all", "All runs", f"{len(runs):,} runs"))
    for name in dict.fromkeys(run.environment for run in runs if run.environment):
        n = sum(run.environment == name for run in runs)
        found.append(Choice(word("env", name), f"Environment {words.clean(name)}", f"{n:,} run{'s'[: n != 1]}"))
    found += [
        Choice(f"run:{run.id}", words.clean(run.name, words.LONGEST_NAME), _run_detail(run)) for run in runs[:_LISTED]
    ]
    return found + [
        Choice(f"test:{test}", f"Test {words.test_name(test)}", f"{words.clean(test, 200)} · {n:,} units")
        for test, n in index.tests()[:_MOST_TESTS]
    ]


def seen_through(index: Index, choice: str, hot: Hot | None = None) -> IndexSnapshot:
    """What every surface answers from when this is chosen."""
    kind, _, name = choice.partition(":")
    if kind != "test":
        return IndexSnapshot(index, chosen(index, choice), hot)
    from tracelens_indexer.store.during import DuringTest

    runs = _runs_of(index, name)
    return IndexSnapshot(DuringTest(index, name), runs, hot) if runs else IndexSnapshot(index, None, hot)


def _runs_of(index: Index, test: str) -> tuple[int, ...]:
    """The runs to ask about a test: the current ones, else, where it is in none of these, all; () it is in none."""
    for runs in (index.current_runs(), tuple(run.id for run in index.runs())):
        if any(name == test for name, _ in index.tests(runs)):
            return runs
    return ()


def during(index: Index, test: str, runs: tuple[int, ...] | None) -> tuple[Index, tuple[int, ...] | None]:
    """The index as the test that is meant saw it, and the runs to ask it about. Raises NotFound."""
    from tracelens_indexer.store.during import DuringTest

    name = test_named(index, test)
    return DuringTest(index, name), runs or _runs_of(index, name)


def test_named(index: Index, text: str) -> str:
    """The id of the one test that is meant. Raises NotFound when there is none or when several could be meant."""
    found = index.tests_named(text)
    if text in found:
        return text
    tests = [test for test, _ in index.tests([run.id for run in index.runs()])]
    found = found or [test for test in tests if text in test]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"no test of the recorded runs is called {text!r}; {len(tests):,} tests were recorded")
    shown = "\n".join(f"  {test}" for test in found[:12])
    more = f"\n  … and {len(found) - 12} more" if len(found) > 12 else ""
    raise NotFound(f"{text!r} could be any of {len(found)} tests; name one:\n{shown}{more}")


def chosen(index: Index, choice: str) -> tuple[int, ...] | None:
    """The ids of the runs of a choice; None, the current ones, also when what was chosen is there no more."""
    try:
        return selected(index, choice) if choice else None
    except BadChoice:
        return None


def told(snapshot: IndexSnapshot, now_ns: int = 0) -> str:
    """What is shown, in a few words: "pytest · 2 min ago", "pytest and app.log", "no runs yet"."""
    runs = snapshot.run_records
    if not runs:
        return "no runs yet"
    names = [words.clean(run.name, 40) for run in runs]
    if snapshot.index.test:
        return f"{words.test_name(snapshot.index.test)} · {names[0]}"
    if len(runs) == 1:
        when = words.ago(runs[0].started_ns or runs[0].imported_ns, now_ns or None)
        return f"{names[0]} · {when}" if when else names[0]
    return f"{names[0]} and {names[1]}" if len(runs) == 2 else f"{names[0]} and {len(runs) - 1} more"


def _run_detail(run: RunRecord) -> str:
    parts = (
        words.ago(run.started_ns or run.imported_ns),
        words.clean(run.environment, 40),
        words.clean(run.commit[:8]),
        f"{run.units:,} units",
    )
    return " · ".join(part for part in parts if part)


def short_id(unit: UnitRecord) -> str:
    """A name for a unit that is short to cite and enough to find it again: "u:7223b2c6"."""
    return f"u:{unit.id:x}"[:10]


def one_unit(index: Index, text: str) -> UnitRecord:
    """The unit that is named. Raises NotFound when there is none or when several could be meant."""
    found = index.find(text)
    if not found:
        raise NotFound(f"nothing here is called {text!r}. Try: tracelens search {text!r}")
    if len(found) > 1:
        shown = "\n".join(f"  {unit.qualname}   {unit.path}:{unit.def_line}" for unit in found[:12])
        more = f"\n  … and {len(found) - 12} more" if len(found) > 12 else ""
        raise NotFound(f"{text!r} could be any of {len(found)}; name one:\n{shown}{more}")
    return found[0]
