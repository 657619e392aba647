"""Joining a frame of a trace to a unit of the source.

The rule (it joined every in-app frame of samples of 18 formats): the path names the file; of the units whose name is
the last segment of the frame's name, take the one whose first line is the frame's line, else the one whose `def` line
it is, else the smallest that contains the line. Formats seldom say which of the line conventions they use, so the rule
tries all. Where a qualified name is given, it decides between units that are otherwise equal. Two units that are
still equal are ambiguous, which is reported and never guessed. Frames that name no file are found by names.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tracelens_indexer.source.facts import MODULE_SCOPE, Parameter
from tracelens_indexer.traces.names import Names
from tracelens_indexer.traces.paths import OUTSIDE, Ambiguous, External, Paths
from tracelens_indexer.traces.records import Frame


class UnitLike(Protocol):
    """What the join needs of a unit; facts.Unit and the store's UnitRecord both are one."""

    @property
    def scope(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def ordinal(self) -> int: ...
    @property
    def first_line(self) -> int: ...
    @property
    def def_line(self) -> int: ...
    @property
    def end_line(self) -> int: ...
    @property
    def body_hash(self) -> str: ...
    @property
    def parameters(self) -> tuple[Parameter, ...]: ...
    @property
    def resumes(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Joined:
    path: str
    """Relative to the workspace."""
    unit: UnitLike


@dataclass(frozen=True, slots=True)
class Unjoined:
    """A file of the workspace, but no unit in it."""

    reason: str


JoinResult = Joined | External | Ambiguous | Unjoined


@dataclass(frozen=True, slots=True)
class JoinSummary:
    """What became of the distinct frames of a trace."""

    joined: int = 0
    external: dict[str, int] = field(default_factory=dict)
    ambiguous: dict[str, int] = field(default_factory=dict)
    unjoined: dict[str, int] = field(default_factory=dict)
    """Reason to number of distinct frames."""
    examples: tuple[str, ...] = ()
    """Some frames that are ambiguous or unjoined: "shop/feed.py:12 make_orders: …"."""
    files: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """File of the workspace to (its path as the trace names it, frames joined, frames not): MAX_FILES at most."""
    outside: tuple[str, ...] = ()
    """Paths that are no library's and of no file here, MAX_OUTSIDE at most: perhaps this workspace, elsewhere."""
    lost: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """File to some of its frames that are in no unit, or could be in several: "12 make_orders: the reason"."""


MAX_FILES = 2_000
MAX_OUTSIDE = 100
MAX_LOST = 8
"""In one file."""


class Joiner:
    """Joins frames; each distinct frame is worked out once."""

    def __init__(
        self,
        units_by_path: Callable[[str], Sequence[UnitLike]],
        paths: Paths,
        lines_hold: Callable[[str], bool] = lambda path: True,
        names: Names | None = None,
    ) -> None:
        """`units_by_path` gives the units of an indexed path as they were when the trace was recorded. `lines_hold`
        says whether that is certain: where it is not, the only unit of a name is taken wherever it stands now."""
        self._units_by_path = units_by_path
        self._lines_hold = lines_hold
        self._paths = paths
        self._names = names
        self._files: dict[str, dict[str, list[UnitLike]]] = {}
        self._known: dict[Frame, JoinResult] = {}

    def join(self, frame: Frame) -> JoinResult:
        result = self._known.get(frame)
        if result is None:
            result = self._known[frame] = self._join(frame)
        return result

    def test(self, name: str) -> str:
        """A pytest id with its file as the workspace names it: traces may name it by its absolute path, or by its
        module and name alone."""
        file, colons, rest = name.partition("::")
        if not colons and "." in name and self._names is not None:
            return self._names.test(name)
        found = self._paths.find(file) if colons else None
        return f"{found}::{rest}" if isinstance(found, str) else name

    def summary(self) -> JoinSummary:
        joined = 0
        external: Counter[str] = Counter()
        ambiguous: Counter[str] = Counter()
        unjoined: Counter[str] = Counter()
        examples: list[str] = []
        files: dict[str, tuple[str, int, int]] = {}
        outside: dict[str, None] = {}
        lost: dict[str, list[str]] = {}
        for frame, result in self._known.items():
            path = (
                result.path if isinstance(result, Joined) else self._paths.find(frame.path) if frame.path else OUTSIDE
            )
            if isinstance(path, str) and (path in files or len(files) < MAX_FILES):
                raw, known, not_known = files.get(path, (frame.path, 0, 0))
                files[path] = (raw, known + isinstance(result, Joined), not_known + (not isinstance(result, Joined)))
                if not isinstance(result, Joined) and len(told := lost.setdefault(path, [])) < MAX_LOST:
                    told.append(f"{frame.line} {frame.name[:100]}: {result.reason}")
            match result:
                case Joined():
                    joined += 1
                case External(reason):
                    external[reason] += 1
                    if result == OUTSIDE and frame.path.endswith(".py") and len(outside) < MAX_OUTSIDE:
                        outside[frame.path[-500:]] = None
                case Ambiguous(reason) | Unjoined(reason):
                    (ambiguous if isinstance(result, Ambiguous) else unjoined)[reason] += 1
                    if len(examples) < 20:
                        examples.append(f"{frame.path}:{frame.line} {frame.name}: {reason}")
        return JoinSummary(
            joined,
            dict(external.most_common()),
            dict(ambiguous.most_common(50)),
            dict(unjoined.most_common(50)),
            tuple(examples),
            files,
            tuple(outside),
            {path: tuple(told) for path, told in lost.items()},
        )

    def functions(self, raw_path: str) -> tuple[str, Sequence[UnitLike]]:
        """(indexed path, its units) of a path in the trace; ("", ()) when it is no file of the workspace, which the
        summary then tells."""
        path = self._paths.find(raw_path)
        if not isinstance(path, str):
            self.join(Frame(raw_path, MODULE_SCOPE, 1))
            return "", ()
        return path, self._units_by_path(path)

    def _by_name(self, frame: Frame) -> JoinResult:
        """A frame without a file: the place that its name means, and the unit there as it was recorded."""
        if self._names is None:
            return External("no file is named")
        found = self._names.find(frame)
        if not isinstance(found, tuple):
            return found
        path, scope = found
        units = [unit for unit in self._units_by_path(path) if unit.scope == scope]
        if frame.line > 0 and len(units) > 1:
            units = list(_at_line(units, frame.line))
        if len(units) > 1:
            return Ambiguous("defined more than once in its module")
        return Joined(path, units[0]) if units else Unjoined("no unit of that name in its module")

    def _join(self, frame: Frame) -> JoinResult:
        if frame.kind != "code" and not frame.path:
            return self._by_name(frame)
        path = self._paths.find(frame.path)
        if not isinstance(path, str):
            return path
        by_name = self._files.get(path)
        if by_name is None:
            by_name = self._files[path] = {}
            for unit in self._units_by_path(path):
                by_name.setdefault(unit.name, []).append(unit)
        if not by_name:
            return Unjoined("the file has no units in the index")
        last = frame.name.rpartition(".")[2]
        if last:
            units = by_name.get(last, [])
            if not units:
                return Unjoined("no unit of that name in the file")
            found = _at_line(units, frame.line)
            if not found and not self._lines_hold(path):
                found = [unit for unit in units if unit.scope == frame.name] or units
        else:
            # pytest's long tracebacks do not always name the function.
            found = _around([unit for several in by_name.values() for unit in several], frame.line)
        if len(found) > 1 and "." in frame.name:
            found = [unit for unit in found if _same_scope(unit.scope, frame.name)] or found
        if len(found) > 1:
            return Ambiguous("several units of that name on the line")
        return Joined(path, found[0]) if found else Unjoined("the line is in no unit of that name")


def _at_line(units: Sequence[UnitLike], line: int) -> Sequence[UnitLike]:
    if line <= 0:
        # Module code objects have line 0 in some formats; a single unit of that name is meant in any case.
        return units
    first = [unit for unit in units if unit.first_line == line and unit.kind != "module"]
    if first:
        return first
    at_def = [unit for unit in units if unit.def_line == line and unit.kind != "module"]
    if at_def:
        return at_def
    return _around(units, line)


def _around(units: Sequence[UnitLike], line: int) -> Sequence[UnitLike]:
    """The smallest units that contain the line."""
    around = [unit for unit in units if unit.first_line <= line <= unit.end_line or unit.kind == "module"]
    smallest = min((_size(unit) for unit in around), default=0)
    return [unit for unit in around if _size(unit) == smallest]


def _size(unit: UnitLike) -> int:
    """Lines of a unit; a module is larger than all that is in it, also where it is a single line."""
    return unit.end_line - unit.first_line if unit.kind != "module" else 1 << 30


def _same_scope(scope: str, name: str) -> bool:
    return scope == name or scope.endswith("." + name) or name.endswith("." + scope)
