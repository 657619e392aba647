"""Inlay hints: what was seen of a unit, in at most 30 characters, at the end of its `def` line, and what its
parameters took, behind each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tracelens.answers import headline, values
from tracelens.answers.document import DocumentSnapshot, Position, in_document, placed, state_now
from tracelens.answers.hover import ParameterAnswer, UnitAnswer, about_parameter, about_unit
from tracelens.answers.snapshot import IndexSnapshot, unexpected_here
from tracelens_indexer.source.facts import Parameter, Unit
from tracelens_indexer.source.syntax import kind

Which = Literal["off", "hot", "all"]

_MOST_PARAMETERS = 4
"""Of one `def`: more would push its end out of sight."""
_ROOM = 43 - len("was ")
"""Characters of all hints on one line together: VS Code cuts off what is beyond them, which would be the end."""
_LISTS = (kind("parameters"), kind("lambda_parameters"))


@dataclass(frozen=True, slots=True)
class Hint:
    position: Position
    label: str
    unit_id: int
    """For the tooltip, which is asked for when somebody points at the hint."""
    parameter: str = ""
    """Of the parameter that it is about; "" the unit."""


def hints(
    document: DocumentSnapshot,
    snapshot: IndexSnapshot,
    which: Which,
    first_line: int = 0,
    last_line: int = 1 << 30,
    parameters: Which = "off",
) -> list[Hint]:
    """Hints on `def` lines between two 0-based lines: of hot and failing units, or of all that were seen.

    `parameters`: of which units the parameters have one too.
    """
    if which == parameters == "off":
        return []
    found: list[Hint] = []
    units = placed(document, snapshot.units_in(document.path))
    for unit, profile in in_document(snapshot.profiles_in(document.path), units):
        if unit.kind not in ("function", "method") or not first_line <= unit.def_line - 1 <= last_line:
            continue
        failures = unexpected_here(profile)
        telling = bool(failures) or profile.unit.id in snapshot.hottest
        fresh = headline.short(profile, "fresh", sum(failure.n for failure in failures))
        if parameters == "all" or (parameters == "hot" and telling):
            found += _of_parameters(document, snapshot, unit, profile.unit.id, _ROOM - len(fresh))
        if which == "all" or (which == "hot" and telling):
            label = headline.short(profile, state_now(profile, unit), sum(failure.n for failure in failures))
            if label:
                found.append(Hint(document.def_line_end(unit), label, profile.unit.id))
    return found


def _of_parameters(
    document: DocumentSnapshot, snapshot: IndexSnapshot, unit: Unit, unit_id: int, room: int
) -> list[Hint]:
    """What the first few parameters took, behind each as it is written; as much as leaves room for the end of the line.

    After an edit they stay as they are, so that no text moves while it is typed: the end of the line says "was".
    """
    profile = snapshot.profile(unit_id)
    observed = {one.slot: one for one in profile.observations} if profile else {}
    found: list[Hint] = []
    for parameter in unit.parameters:
        observation = observed.get(parameter.name)
        if profile is None or observation is None or parameter.name in ("self", "cls"):
            continue
        label = values.short(observation, profile)
        end = _end_of(document, parameter)
        if end is None or not 0 < len(label) <= headline.LONGEST_HINT:
            continue
        if end.line == unit.def_line - 1:
            room -= len(label)
            if room < 0:
                break
        found.append(Hint(end, label, unit_id, parameter.name))
    return found[:_MOST_PARAMETERS]


def _end_of(document: DocumentSnapshot, parameter: Parameter) -> Position | None:
    """Behind a parameter's name, annotation and default; None where the text does not parse so far."""
    start = (parameter.line - 1, parameter.column)
    node = document.tree.root_node.descendant_for_point_range(start, start)
    while node is not None and node.parent is not None and node.parent.kind_id not in _LISTS:
        node = node.parent
    if node is None or node.parent is None or node.has_error:
        return None
    return Position(node.end_point.row, node.end_point.column)


def tooltip(
    document: DocumentSnapshot, snapshot: IndexSnapshot, unit_id: int, parameter: str = "", now_ns: int = 0
) -> UnitAnswer | ParameterAnswer | None:
    """What a hint leads to: the same as hover."""
    profile = snapshot.profile(unit_id)
    if profile is None:
        return None
    unit = placed(document, snapshot.units_in(document.path)).get(unit_id)
    if parameter:
        annotation = next((p.annotation for p in (unit or profile.unit).parameters if p.name == parameter), "")
        return about_parameter(profile, parameter, annotation, state_now(profile, unit))
    return about_unit(profile, snapshot.index, now_ns, snapshot, document, unit)
