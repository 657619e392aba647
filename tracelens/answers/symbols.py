"""Workspace symbols: units by name, and by what they do where search is ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.source.facts import UnitKind
from tracelens_indexer.store.answers import UnitRecord

MOST = 50


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str
    kind: UnitKind
    container: str
    path: str
    line: int
    """0-based line of the name."""
    column: int
    """0-based byte column of the name."""


def named(snapshot: IndexSnapshot, query: str) -> list[UnitRecord]:
    """Units whose name holds the words of the query."""
    return snapshot.index.units_named(query, MOST)


def symbols(snapshot: IndexSnapshot, query: str, found_by_search: Sequence[int] = ()) -> list[Symbol]:
    """Units named so first, then those that search found, in its order."""
    by_name = named(snapshot, query)
    known = {unit.id for unit in by_name}
    searched = snapshot.index.units_by_id(identity for identity in found_by_search if identity not in known)
    return [symbol(unit) for unit in (*by_name, *searched.values())][:MOST]


def symbol(unit: UnitRecord) -> Symbol:
    """A unit as a symbol; its container is the module or class it is in."""
    container = unit.qualname.rpartition(".")[0] if unit.kind != "module" else ""
    return Symbol(
        name=unit.name if unit.kind != "module" else unit.module,
        kind=unit.kind,
        container=container,
        path=unit.path,
        line=max(unit.name_line - 1, 0),
        column=unit.name_column,
    )
