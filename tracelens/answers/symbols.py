"""Symbols of a workspace: units by name, and by what they do where search is ready; and of a document: its functions
and classes with what was seen of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tracelens.answers import headline, words
from tracelens.answers.document import DocumentSnapshot, placed, state_now
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.source.facts import Unit, UnitKind
from tracelens_indexer.store.answers import Profile, UnitRecord

MOST = 50
Which = Literal["off", "seen", "all"]
_LEAST_SHARE = 0.005
_KINDS = ("class", "function", "method")


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


def symbols(
    snapshot: IndexSnapshot,
    query: str,
    found_by_search: Sequence[int] = (),
    opened: Mapping[str, DocumentSnapshot] = MappingProxyType({}),
) -> list[Symbol]:
    """Units named so first, then those that search found, in its order; where they are now, in open documents."""
    by_name = named(snapshot, query)
    known = {unit.id for unit in by_name}
    searched = snapshot.index.units_by_id(identity for identity in found_by_search if identity not in known)
    units = [*by_name, *searched.values()][:MOST]
    now: dict[int, Unit] = {}
    for path in {unit.path for unit in units} & opened.keys():
        now |= placed(opened[path], snapshot.units_in(path))
    return [_symbol(unit, now.get(unit.id, unit)) for unit in units]


def _symbol(unit: UnitRecord, now: Unit | UnitRecord) -> Symbol:
    """A unit as a symbol; its container is the module or class it is in."""
    container = unit.qualname.rpartition(".")[0] if unit.kind != "module" else ""
    return Symbol(
        name=unit.name if unit.kind != "module" else unit.module,
        kind=unit.kind,
        container=container,
        path=unit.path,
        line=max(now.name_line - 1, 0),
        column=now.name_column,
    )


@dataclass(frozen=True, slots=True)
class Listed:
    """A function or class of a document, with those that are defined in it."""

    unit: Unit
    detail: str
    """ "1,884 calls · ~12 % of run · 3 failed"; "" when it was not seen."""
    inside: tuple[Listed, ...]


def listed(document: DocumentSnapshot, snapshot: IndexSnapshot, which: Which) -> list[Listed]:
    """The functions and classes of a document in source order: of those seen running with what they are in, or all;
    none where nothing of the file was seen."""
    profiles = snapshot.profiles_in(document.path) if which != "off" else {}
    units = placed(document, snapshot.units_in(document.path)) if profiles else {}
    details = {id(unit): _heat(profiles[one], unit) for one, unit in units.items() if one in profiles}
    if not details:
        return []
    children: dict[int, list[int]] = {}
    for at, unit in enumerate(document.units):
        around = unit.parent
        # What is in a lambda or a comprehension is shown in what that is in.
        while around > 0 and document.units[around].kind not in _KINDS:
            around = document.units[around].parent
        if unit.kind in _KINDS:
            children.setdefault(max(around, 0), []).append(at)

    def under(at: int) -> list[Listed]:
        found = []
        for child in children.get(at, ()):
            unit = document.units[child]
            detail, inside = details.get(id(unit), ""), tuple(under(child))
            if which == "all" or detail or inside:
                found.append(Listed(unit, detail, inside))
        return found

    return under(0)


def _heat(profile: Profile, unit: Unit) -> str:
    """How often, how much of the run, how many failed: what ranks it among its neighbours."""
    parts = [headline.how_often(profile)]
    if profile.self_share and profile.self_share >= _LEAST_SHARE:
        parts.append(headline.own_share(profile))
    if profile.errors:
        parts.append(f"{words.count(profile.errors, profile.counting)} failed")
    told = " · ".join(part for part in parts if part)
    return f"was {told}" if told and state_now(profile, unit) == "stale" else told
