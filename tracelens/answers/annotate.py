"""Annotations as they were observed: edits that write the types of recorded values into a `def` line.

Only builtin types are written, which need no import; a parameter that took anything else is left as it is, and so is
every annotation that stands there already.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracelens.answers.document import DocumentSnapshot, Position, Span
from tracelens_indexer.profiles.rows import RESULT
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.source.syntax import field
from tracelens_indexer.store.answers import Observation, Profile

_BUILTIN = ("bool", "int", "float", "complex", "str", "bytes", "list", "dict", "tuple", "set", "frozenset", "bytearray")
_WIDER = {"bool": "int", "int": "float", "float": "complex"}
_NONE = ("None", "NoneType")
_MOST_TYPES = 3
LEAST_CALLS = 5
"""Calls with values from which on an annotation is worth proposing."""

_PARAMETERS = field("parameters")
_RETURN_TYPE = field("return_type")


@dataclass(frozen=True, slots=True)
class Edit:
    span: Span
    text: str


def observed_annotations(document: DocumentSnapshot, unit: Unit, profile: Profile) -> list[Edit]:
    """What to write, in source order; empty where nothing new is known."""
    if unit.kind not in ("function", "method") or profile.captured < LEAST_CALLS:
        return []
    observed = {observation.slot: observation for observation in profile.observations}
    unions = b"from __future__ import annotations" in document.text
    edits = []
    for parameter in unit.parameters:
        observation = observed.get(parameter.name)
        if parameter.annotation or observation is None or parameter.kind in ("variadic", "keywords"):
            continue
        if parameter.name in ("self", "cls") or parameter.default == "None":
            continue
        kind = _written(observation, unions=unions)
        if kind:
            end = Position(parameter.line - 1, parameter.column + len(parameter.name.encode()))
            edits.append(_beside(document, end, kind, default=bool(parameter.default)))
    result = observed.get(RESULT)
    if result is not None and not unit.returns and not unit.resumes and not profile.errors:
        kind = _written(result, unions=unions)
        place = _behind_parameters(document, unit)
        if kind and place is not None:
            edits.append(Edit(Span(place, place), f" -> {kind}"))
    return edits


def _written(observation: Observation, *, unions: bool) -> str:
    """ "float", "str | None"; "" where it cannot be said with builtins."""
    seen = {value.type for value in observation.values} | {found.type for found in observation.ranges}
    seen.discard("")
    none = any(kind in _NONE for kind in seen)
    kinds = [kind for kind in _BUILTIN if kind in seen]
    if not seen or len(kinds) + len(seen & set(_NONE)) != len(seen):
        return ""
    # An int is welcome where a float is, and said by it.
    kinds = [kind for kind in kinds if _WIDER.get(kind) not in kinds] + (["None"] if none else [])
    if len(kinds) > _MOST_TYPES:
        return ""
    text = " | ".join(kinds)
    # Before Python 3.10 a union with | is an error unless it is not evaluated.
    return text if unions or len(kinds) == 1 else f'"{text}"'


def _beside(document: DocumentSnapshot, end: Position, kind: str, *, default: bool) -> Edit:
    if default:
        rest = document.line(end.line)[end.column :]
        stripped = rest.lstrip()
        if stripped.startswith(b"="):
            width = len(rest) - len(stripped[1:].lstrip())
            return Edit(Span(end, Position(end.line, end.column + width)), f": {kind} = ")
    return Edit(Span(end, end), f": {kind}")


def _behind_parameters(document: DocumentSnapshot, unit: Unit) -> Position | None:
    """Where the return annotation goes."""
    point = (unit.name_line - 1, unit.name_column)
    node = document.tree.root_node.descendant_for_point_range(point, point)
    definition = node.parent if node else None
    if definition is None or definition.child_by_field_id(_RETURN_TYPE) is not None:
        return None
    parameters = definition.child_by_field_id(_PARAMETERS)
    if parameters is None or definition.has_error:
        return None
    return Position(parameters.end_point.row, parameters.end_point.column)
