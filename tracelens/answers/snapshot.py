"""The index as the answers ask it: the chosen runs, and what several answers need, read once per generation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tracelens.answers.hot import Hot
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import (
    CallSiteRecord,
    CaptureRecord,
    FailureRecord,
    ObservedEdge,
    Profile,
    RunRecord,
    UnitRecord,
)

if TYPE_CHECKING:
    from tracelens.answers.diff import ChangedValue

_MOST_FILES = 64
_MOST_KEPT = 200
_MOST_COMPARED = 200
"""Units of one file whose values are compared with those of the run before."""


K = TypeVar("K")
V = TypeVar("V")


class IndexSnapshot:
    """One generation of one workspace's index, for the chosen runs (None: the current ones).

    Used by one thread. It remembers what it was asked for open files; make another when the generation changed.
    """

    def __init__(self, index: Index, runs: Sequence[int] | None = None, hot: Hot | None = None) -> None:
        self.index = index
        self.hot = hot or Hot()
        self.runs = None if runs is None else tuple(runs)
        self.generation = index.generation
        self._units: dict[str, list[UnitRecord]] = {}
        self._profiles: dict[str, dict[int, Profile]] = {}
        self._full: dict[int, Profile | None] = {}
        self._sites: dict[str, list[CallSiteRecord]] = {}
        self._callees: dict[int, list[ObservedEdge]] = {}
        self._kept: dict[int, list[CaptureRecord]] = {}
        self._lines: dict[str, list[str]] = {}
        self._drifted: dict[str, dict[int, tuple[ChangedValue, ...]]] = {}
        self._hottest: dict[int, Profile] | None = None
        self._run_records: list[RunRecord] | None = None

    @property
    def root(self) -> Path:
        return self.index.root

    def units_in(self, path: str) -> list[UnitRecord]:
        if path not in self._units:
            _bounded(self._units)[path] = self.index.units_in(path)
        return self._units[path]

    def profiles_in(self, path: str) -> dict[int, Profile]:
        """Profiles of a file by unit id, without observations."""
        if path not in self._profiles:
            _bounded(self._profiles)[path] = self.index.profiles_in(path, self.runs)
        return self._profiles[path]

    def profile(self, unit_id: int) -> Profile | None:
        """All of one unit's profile."""
        if unit_id not in self._full:
            _bounded(self._full, 512)[unit_id] = self.index.profile(unit_id, self.runs)
        return self._full[unit_id]

    def sites_in(self, path: str) -> list[CallSiteRecord]:
        if path not in self._sites:
            _bounded(self._sites, 8)[path] = self.index.sites_in(path)
        return self._sites[path]

    def observed_callees(self, unit_id: int) -> list[ObservedEdge]:
        if unit_id not in self._callees:
            _bounded(self._callees, 512)[unit_id] = self.index.observed_callees(unit_id, self.runs)
        return self._callees[unit_id]

    def observed_callers(self, unit_id: int) -> list[ObservedEdge]:
        return self.index.observed_callers(unit_id, self.runs)

    def kept_calls(self, unit_id: int) -> list[CaptureRecord]:
        """The calls of a unit that were kept with their values, as many as say something of each caller."""
        if unit_id not in self._kept:
            _bounded(self._kept, 64)[unit_id] = self.index.captures(unit_id, self.runs, None, _MOST_KEPT)
        return self._kept[unit_id]

    def lines_of(self, path: str) -> list[str]:
        """The lines of a file on disk; none when it cannot be read."""
        if path not in self._lines:
            try:
                text = (self.root / path).read_text("utf-8", "replace")
            except OSError:
                text = ""
            _bounded(self._lines, 32)[path] = text.split("\n")
        return self._lines[path]

    def drifted(self, path: str) -> dict[int, tuple[ChangedValue, ...]]:
        """How the values of a file's units differ between the latest of the chosen runs and the one before it of the
        same name; by unit id, empty where there is no run before."""
        if path not in self._drifted:
            _bounded(self._drifted)[path] = self._compared(path)
        return self._drifted[path]

    def _compared(self, path: str) -> dict[int, tuple[ChangedValue, ...]]:
        from tracelens.answers.diff import changed_values

        latest = self.run_records[0] if self.run_records else None
        earlier = next(
            (
                run
                for run in self.index.runs()
                if latest and (run.name, run.tool) == (latest.name, latest.tool) and run.id < latest.id
            ),
            None,
        )
        if latest is None or earlier is None:
            return {}
        both = self.index.profiles_in(path, (latest.id,)).keys() & self.index.profiles_in(path, (earlier.id,)).keys()
        return {
            unit: tuple(changed)
            for unit in sorted(both)[:_MOST_COMPARED]
            if (
                changed := changed_values(
                    self.index.profile(unit, (earlier.id,)), self.index.profile(unit, (latest.id,))
                )
            )
        }

    @property
    def hottest(self) -> dict[int, Profile]:
        """The units of the workspace where most time goes, by id."""
        if self._hottest is None:
            self._hottest = {
                profile.unit.id: profile
                for profile in self.index.hot(self.runs, self.hot.functions)
                if (profile.self_share or 0.0) >= self.hot.least_share
            }
        return self._hottest

    @property
    def run_records(self) -> list[RunRecord]:
        """The chosen runs, latest first."""
        if self._run_records is None:
            chosen = set(self.index.current_runs() if self.runs is None else self.runs)
            self._run_records = [run for run in self.index.runs() if run.id in chosen]
        return self._run_records


def raised_here(profile: Profile) -> list[FailureRecord]:
    """The failures that began in a unit; those that only passed through it are told where they began."""
    return [failure for failure in profile.failures if failure.origin]


_PROTOCOL = {
    "__getitem__": ("KeyError", "IndexError"),
    "__delitem__": ("KeyError", "IndexError"),
    "__missing__": ("KeyError",),
    "__getattr__": ("AttributeError",),
    "__getattribute__": ("AttributeError",),
}
"""Methods that say "there is none" with an exception, and which."""


def on_purpose(failure: FailureRecord) -> bool:
    """Whether the code means to raise here: by a `raise` statement, or as the answer of a mapping or attribute.

    That such an exception was seen is told when asked about; it is no problem of this place.
    """
    source = failure.stack[-1][4] if failure.stack else ""
    if source.lstrip().startswith("raise"):
        return True
    return failure.type.rpartition(".")[2] in _PROTOCOL.get(failure.unit.name, ())


def unexpected_here(profile: Profile) -> list[FailureRecord]:
    """The failures that began in a unit without being meant."""
    return [failure for failure in raised_here(profile) if not on_purpose(failure)]


def _bounded(cache: dict[K, V], most: int = _MOST_FILES) -> dict[K, V]:
    """The cache with room for one more: the oldest entry goes."""
    while len(cache) >= most:
        del cache[next(iter(cache))]
    return cache
