"""Code actions: what can be done about what was seen. Everything here works in every client; nothing is computed yet
when the menu opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tracelens.answers import ignored, places, words
from tracelens.answers.annotate import Edit, observed_annotations
from tracelens.answers.document import DocumentSnapshot, Position, Span, placed, state_now
from tracelens.answers.hover import FIX, SHOW_CALLS, WHY
from tracelens.answers.snapshot import IndexSnapshot, on_purpose, raised_here
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.store.answers import FailureRecord

Kind = Literal["fix", "show", "edit", "ignore"]
SHOW = "tracelens.show"
EXPLAIN = "tracelens.explain"
CALLERS = "tracelens.showCallers"
SIMILAR = "tracelens.similar"

_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Action:
    title: str
    kind: Kind
    """fix: resolves to an edit; show: runs the command; edit and ignore: have their edits with them."""
    command: str
    arguments: tuple[str, ...]
    failure: str = ""
    """Id of the failure that the action is about, "" none."""
    edits: tuple[Edit, ...] = ()


def actions(
    document: DocumentSnapshot, snapshot: IndexSnapshot, selection: Span, *, asked: bool = True
) -> list[Action]:
    """What can be done at a selection: on a failing line, on the `def` line of a unit, or on a call site's line.

    `asked` says that a person opened the menu: then a unit without data offers to say why it has none.
    """
    found: list[Action] = []
    units = placed(document, snapshot.units_in(document.path))
    profiles = snapshot.profiles_in(document.path)
    first, last = selection.start.line, selection.end.line
    for identity, unit in units.items():
        if unit.kind == "module" or not (unit.first_line - 1 <= last and unit.end_line - 1 >= first):
            continue
        on_definition = unit.first_line - 1 <= last and unit.def_line - 1 >= first
        profile = profiles.get(identity)
        if profile is None:
            if asked and on_definition and unit.kind in ("function", "method"):
                title = f"Why is nothing shown for {words.clean(unit.name)}?"
                found.append(Action(title, "show", WHY, (f"u:{identity:x}",)))
            continue
        failures = [
            failure
            for failure in raised_here(profile)
            if on_definition or _on(places.place_of(document, unit, failure), first, last)
        ]
        for failure in failures[:_MOST_FAILURES]:
            found += _for_failure(failure)
        if on_definition or failures:
            name = words.clean(unit.name)
            found.append(Action(f"Show what was recorded of {name}", "show", SHOW, (f"u:{identity:x}",)))
        if asked and on_definition and unit.kind in ("function", "method"):
            found += _annotate(document, snapshot, identity, unit)
            found.append(Action(f"Show code like {words.clean(unit.name)}", "show", SIMILAR, (f"u:{identity:x}",)))
    return found


def _annotate(document: DocumentSnapshot, snapshot: IndexSnapshot, identity: int, unit: Unit) -> list[Action]:
    profile = snapshot.profile(identity)
    if profile is None or state_now(profile, unit) == "stale":
        return []
    edits = tuple(observed_annotations(document, unit, profile))
    title = f"Annotate {words.clean(unit.name)} from {words.counted(profile.captured, 'observed call')}"
    return [Action(title, "edit", "", (), edits=edits)] if edits else []


def ignoring(document: DocumentSnapshot, rules: Sequence[tuple[str, int]]) -> list[Action]:
    """For diagnostics at hand, (rule, 0-based line): a comment that leaves them out."""
    found = []
    for rule, number in dict.fromkeys(rules):
        line = document.line(number)
        end = Position(number, len(line))
        # A comment is none in a string or behind a backslash.
        if line.endswith(b"\\") or _in_string(document, end):
            continue
        text = ignored.comment_for(line, rule).decode()
        found.append(Action(f"Ignore {rule} on this line", "ignore", "", (), edits=(Edit(Span(end, end), text),)))
    return found


def _in_string(document: DocumentSnapshot, at: Position) -> bool:
    point = (at.line, max(0, at.column - 1))
    end = (at.line, at.column)
    node = document.tree.root_node.descendant_for_point_range(end, end)
    while node is not None:
        if node.type == "string" and node.end_point > end:
            return (node.start_point.row, node.start_point.column) <= point
        node = node.parent
    return False


def without_index(document: DocumentSnapshot, selection: Span, uri: str) -> list[Action]:
    """Where the workspace has no index to ask: on a `def` line, why there is nothing."""
    for unit in document.units:
        on_definition = unit.first_line - 1 <= selection.end.line and unit.def_line - 1 >= selection.start.line
        if unit.kind in ("function", "method") and on_definition:
            return [Action(f"Why is nothing shown for {words.clean(unit.name)}?", "show", WHY, (uri,))]
    return []


def _on(place: places.Place | None, first: int, last: int) -> bool:
    """Whether a statement has a line between two 0-based ones."""
    return place is not None and place.first_line - 1 <= last and place.last_line - 1 >= first


def _for_failure(failure: FailureRecord) -> list[Action]:
    kind = words.type_name(failure.type)
    calls = "the failing call" if failure.n == 1 else f"the {failure.n:,} failing calls"
    show = Action(f"Show {calls}", "show", SHOW_CALLS, (failure.id,), failure.id)
    show_callers = Action("Show callers with these values", "show", CALLERS, (failure.id,), failure.id)
    explain = Action(f"Explain {kind} with evidence", "show", EXPLAIN, (failure.id,), failure.id)
    if on_purpose(failure):
        return [show, explain]
    return [
        Action(f"Fix: {kind} in {words.clean(failure.unit.name)}", "fix", FIX, (failure.id,), failure.id),
        show,
        show_callers,
        explain,
    ]
