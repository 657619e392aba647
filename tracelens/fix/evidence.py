"""All that is known about one failure: what a fix rests on, each piece with an id that can be cited.

Gathering reads the index and the source; it decides nothing and sends nothing.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tracelens.context.near import near
from tracelens.fix.patch import Source
from tracelens.replay.rerun import Place, RecordedCall
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.graph.links import Edge
from tracelens_indexer.store.answers import (
    CaptureRecord,
    FailureRecord,
    ObservedEdge,
    Profile,
    SearchHit,
    UnitRecord,
)
from tracelens_recorder.replayable import VERSION

_MOST_FAILING = 8
_MOST_PASSING = 24
_MOST_RELATED = 6
_MOST_PROMPTED = 16
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Search = Callable[[str], Sequence[SearchHit]]
"""Units like the words given, best first."""


class FixIndex(Protocol):
    """What fixing asks of the index; the store's Index answers it."""

    def failure(self, failure_id: str, /) -> FailureRecord | None: ...
    def unit(self, unit_id: int, /) -> UnitRecord | None: ...
    def units_in(self, path: str) -> list[UnitRecord]: ...
    def profile(self, unit_id: int, /, runs: Sequence[int] | None = None) -> Profile | None: ...
    def captures(
        self, unit_id: int, runs: Sequence[int] | None = None, outcome: str | None = None, limit: int = 20
    ) -> list[CaptureRecord]: ...
    def observed_callers(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]: ...
    def observed_callees(self, unit_id: int, runs: Sequence[int] | None = None) -> list[ObservedEdge]: ...
    def callers(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]: ...
    def callees(self, unit_id: int) -> list[tuple[UnitRecord, Edge]]: ...


@dataclass(frozen=True, slots=True)
class Related:
    """Another unit that bears on the failure."""

    id: str
    unit: UnitRecord
    relation: str
    """"calls it, 1,880 times seen", "is called by it", "is like it"."""
    text: str
    """Its source, "" when it cannot be read."""


@dataclass(frozen=True, slots=True)
class Replayable:
    """Calls of one unit that can be made again: of the failing unit, or of one that called it."""

    unit: UnitRecord
    failing: tuple[RecordedCall, ...]
    passing: tuple[RecordedCall, ...]

    @property
    def place(self) -> Place:
        return Place(self.unit.module, self.unit.path, self.unit.scope)

    @property
    def calls(self) -> tuple[RecordedCall, ...]:
        return self.failing + self.passing


@dataclass(frozen=True)
class Evidence:
    failure: FailureRecord
    unit: UnitRecord
    """Where it was raised, the deepest unit of the workspace; edits stay inside it."""
    source: Source
    node: Function
    line: int
    """1-based line in `source` that raised; 0 unknown."""
    failing: tuple[CaptureRecord, ...]
    passing: tuple[CaptureRecord, ...]
    replayable: tuple[Replayable, ...]
    """Best first: the failing unit itself, then its callers up the stack. Empty: nothing can be re-run."""
    profile: Profile | None
    related: tuple[Related, ...]

    @property
    def span(self) -> tuple[int, int]:
        """Where the unit is in the text, decorators left out."""
        return self.source.span(self.node)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all that it holds, to be cited."""
        return (
            self.failure.id,
            *(one.id for one in self.failing[:3]),
            *(one.id for one in self.passing[:3]),
            *(one.id for one in self.related),
        )

    def values(self, name: str, failing: bool) -> list[tuple[str, str]]:
        """(type, text) that a parameter took in the failing or the passing calls."""
        calls = self.failing if failing else self.passing
        return [(kind, text) for one in calls for slot, kind, text in one.arguments if slot == name]

    def result_type(self) -> str:
        """The type that passing calls return, "" unknown or mixed."""
        types = Counter(one.result[0] for one in self.passing if one.result)
        if not types and self.profile:
            for slot in self.profile.observations:
                if slot.slot == "return":
                    for value in slot.values:
                        if not value.outcome:
                            types[value.type] += value.n
        if not types:
            return ""
        kind, n = types.most_common(1)[0]
        return kind if n >= 0.8 * sum(types.values()) else ""


def gather(index: FixIndex, failure_id: str, root: Path, search: Search | None = None) -> Evidence:
    """Raises TraceLensError when there is no such failure, or its unit is not in the source any more."""
    failure = index.failure(failure_id)
    if failure is None:
        raise TraceLensError(f"{failure_id}: no such failure; `tracelens failures` lists them")
    unit = _origin(index, failure)
    source = Source.read(root, unit.path)
    node = find_function(source, unit.scope, unit.ordinal)
    if node is None:
        what = unit.qualname if unit.kind in ("function", "method") else f"{unit.qualname} ({unit.kind})"
        raise TraceLensError(f"{what} is not a function in {unit.path} now: run `tracelens index`, or fix it by hand")
    captures = index.captures(unit.id, None, failure.type, _MOST_FAILING * 2)
    failing = [one for one in captures if not failure.message or one.message == failure.message] or captures
    passing = index.captures(unit.id, None, "", _MOST_PASSING * 2)
    return Evidence(
        failure=failure,
        unit=unit,
        source=source,
        node=node,
        line=_line(failure, unit, source, node),
        failing=tuple(failing[:_MOST_FAILING]),
        passing=tuple(passing[:_MOST_PASSING]),
        replayable=tuple(_replayable(index, failure, unit, source)),
        profile=index.profile(unit.id),
        related=tuple(_related(index, unit, root, search)),
    )


def _origin(index: FixIndex, failure: FailureRecord) -> UnitRecord:
    """The deepest unit of the workspace on the failure's stack."""
    if failure.origin:
        return failure.unit
    for unit_id, *_ in reversed(failure.stack):
        unit = index.unit(unit_id) if unit_id else None
        if unit is not None:
            return unit
    return failure.unit


def find_function(source: Source, scope: str, ordinal: int = 0) -> Function | None:
    """The function of a qualified name; `ordinal` counts definitions of the same name."""
    found: list[Function] = []

    def walk(body: Sequence[ast.AST], prefix: str) -> None:
        for node in body:
            if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
                name = prefix + node.name
                if name == scope and isinstance(node, _FUNCTIONS):
                    found.append(node)
                walk(node.body, name + ("." if isinstance(node, ast.ClassDef) else ".<locals>."))
            else:
                walk(list(ast.iter_child_nodes(node)), prefix)

    walk(source.tree.body, "")
    if not found:
        return None
    return found[ordinal] if ordinal < len(found) else found[-1]


def _line(failure: FailureRecord, unit: UnitRecord, source: Source, node: Function) -> int:
    """The failing line in the source as it is now: by the stack's text of it, else by its distance from the start."""
    last = node.end_lineno or node.lineno
    if failure.unit.id == unit.id and node.lineno <= failure.line <= last:
        return failure.line
    said = next((frame for frame in reversed(failure.stack) if frame[0] == unit.id), None)
    if said is None:
        return 0
    if said[4]:
        same = [line for line in range(node.lineno, last + 1) if source.line(line).strip() == said[4].strip()]
        if len(same) == 1:
            return same[0]
    return said[3] if node.lineno <= said[3] <= last else 0


def _replayable(index: FixIndex, failure: FailureRecord, unit: UnitRecord, source: Source) -> list[Replayable]:
    units = [unit]
    for unit_id, *_ in reversed(failure.stack):
        caller = index.unit(unit_id) if unit_id else None
        if caller is not None and all(caller.id != one.id for one in units):
            units.append(caller)
    found = []
    for one in units:
        failing = recorded_calls(index.captures(one.id, None, failure.type, _MOST_FAILING * 2))[:_MOST_FAILING]
        if failing:
            passing = recorded_calls(index.captures(one.id, None, "", _MOST_PASSING * 2))[:_MOST_PASSING]
            found.append(Replayable(one, tuple(failing), tuple(passing)))
    return found


def recorded_calls(captures: Sequence[CaptureRecord]) -> list[RecordedCall]:
    """Those of the captured calls that can be made again; without parameters there is nothing to record for it."""
    found = []
    for one in captures:
        arguments = one.replay
        if arguments is None and not one.unit.parameters and not one.arguments:
            arguments = {"version": VERSION, "arguments": [], "classes": [], "redacted": 0}
        if arguments is not None:
            found.append(RecordedCall(one.id, arguments, one.outcome, one.message, one.line, one.result))
    return found


def _related(index: FixIndex, unit: UnitRecord, root: Path, search: Search | None) -> list[Related]:
    """What bears on it most, by the same walk as `tracelens context`."""
    words = f"{unit.name} {unit.signature} {unit.docstring}"[:300]
    hits = list(search(words))[:_MOST_RELATED] if search is not None else []
    found = [one for one in near(index, {unit.id: 1.0}, hits) if one.unit.kind in ("function", "method")]
    return [
        Related(f"u:{one.unit.id:x}"[:10], one.unit, one.reason, _text(root, one.unit))
        for one in found[:_MOST_PROMPTED]
    ]


def _text(root: Path, unit: UnitRecord) -> str:
    try:
        source = Source.read(root, unit.path)
        node = find_function(source, unit.scope, unit.ordinal)
    except TraceLensError:
        return ""
    return "" if node is None else source.of(node)
