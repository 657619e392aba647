"""Inlay hints: what was seen of a unit, in at most 30 characters, at the end of its `def` line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tracelens.answers import headline
from tracelens.answers.document import DocumentSnapshot, Position, in_document, placed, state_now
from tracelens.answers.hover import UnitAnswer, about_unit
from tracelens.answers.snapshot import IndexSnapshot, unexpected_here

Which = Literal["off", "hot", "all"]


@dataclass(frozen=True, slots=True)
class Hint:
    position: Position
    label: str
    unit_id: int
    """For the tooltip, which is asked for when somebody points at the hint."""


def hints(
    document: DocumentSnapshot, snapshot: IndexSnapshot, which: Which, first_line: int = 0, last_line: int = 1 << 30
) -> list[Hint]:
    """Hints on `def` lines between two 0-based lines: of hot and failing units, or of all that were seen."""
    if which == "off":
        return []
    found = []
    units = placed(document, snapshot.units_in(document.path))
    for unit, profile in in_document(snapshot.profiles_in(document.path), units):
        if unit.kind not in ("function", "method") or not first_line <= unit.def_line - 1 <= last_line:
            continue
        failures = unexpected_here(profile)
        if which == "hot" and not failures and profile.unit.id not in snapshot.hottest:
            continue
        label = headline.short(profile, state_now(profile, unit), sum(failure.n for failure in failures))
        if label:
            found.append(Hint(document.def_line_end(unit), label, profile.unit.id))
    return found


def tooltip(document: DocumentSnapshot, snapshot: IndexSnapshot, unit_id: int, now_ns: int = 0) -> UnitAnswer | None:
    """What a hint leads to: the same as hover."""
    profile = snapshot.profile(unit_id)
    if profile is None:
        return None
    unit = placed(document, snapshot.units_in(document.path)).get(unit_id)
    return about_unit(profile, snapshot.index, now_ns, snapshot, document, unit)
