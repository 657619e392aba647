"""Which runs and which unit are meant by the words that a person or an agent uses for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracelens.answers import words
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import RunRecord, UnitRecord

_LISTED = 20
"""Runs that can be chosen one by one."""


class NotFound(TraceLensError):
    """Nothing is called so, or several are."""

    exit_code = 1


def runs_named(index: Index, names: Sequence[str]) -> tuple[int, ...] | None:
    """Ids of the runs of these ids or names, "latest" for the last; None, the current ones, when none is named.

    Raises TraceLensError for an unknown one.
    """
    if not names:
        return None
    ids: list[int] = []
    runs = index.runs()
    for name in names:
        found = [run.id for run in runs if str(run.id) == name] or [run.id for run in runs if run.name == name][:1]
        if not found and name == "latest":
            found = [run.id for run in runs[:1]]
        if not found:
            raise TraceLensError(f"there is no run {name!r}. `tracelens runs` lists them")
        ids += found
    return tuple(ids)


@dataclass(frozen=True, slots=True)
class Choice:
    """Some of the runs, as a person chooses them."""

    id: str
    """"" the current ones, "all", "latest", "environment:NAME" or "run:ID"."""
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
        found.append(Choice(f"environment:{name}", f"Environment {words.clean(name)}", f"{n:,} run{'s'[: n != 1]}"))
    return found + [
        Choice(f"run:{run.id}", words.clean(run.name, words.LONGEST_NAME), _run_detail(run)) for run in runs[:_LISTED]
    ]


def chosen(index: Index, choice: str) -> tuple[int, ...] | None:
    """The ids of the runs of a choice; None, the current ones, also when what was chosen is there no more."""
    runs = index.runs() if choice else []
    kind, _, name = choice.partition(":")
    match kind:
        case "all":
            ids = [run.id for run in runs]
        case "latest":
            ids = [run.id for run in runs[:1]]
        case "environment":
            ids = [run.id for run in runs if run.environment == name]
        case "run":
            ids = [run.id for run in runs if str(run.id) == name]
        case _:
            ids = []
    return tuple(ids) or None


def told(snapshot: IndexSnapshot, now_ns: int = 0) -> str:
    """What is shown, in a few words: "pytest · 2 min ago", "pytest and app.log", "no runs yet"."""
    runs = snapshot.run_records
    if not runs:
        return "no runs yet"
    names = [words.clean(run.name, 40) for run in runs]
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
