"""Code actions: what can be done about what was seen. Everything here works in every client; nothing is computed yet
when the menu opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tracelens.answers import ignored, places, words
from tracelens.answers.document import DocumentSnapshot, Position, Span, placed, state_now
from tracelens.answers.hover import SHOW_CALLS, WHY
from tracelens.answers.snapshot import IndexSnapshot, on_purpose, raised_here
from tracelens_indexer.profiles.rows import RESULT
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.store.answers import CaptureRecord, FailureRecord, Profile

Kind = Literal["fix", "make", "show", "ignore"]
MAKE = "tracelens.make"
REPLAY = "tracelens.replay"
CHOOSE = "tracelens.chooseRun"
SHOW = "tracelens.show"
EXPLAIN = "tracelens.explain"
CALLERS = "tracelens.showCallers"
SIMILAR = "tracelens.similar"

_MOST_FAILURES = 3
_LEAST_ANNOTATED = 5
"""Calls with values from which on an annotation is worth proposing."""
_LARGEST_CACHED = 400_000
"""Bytes of a file that is read for whether a function of it can be cached."""


@dataclass(frozen=True, slots=True)
class Edit:
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    title: str
    kind: Kind
    """fix and make: resolve to an edit; show: runs the command; ignore: has its edits with it."""
    command: str
    arguments: tuple[str, ...]
    """Of "make": what is made, and the id of what it is about."""
    failure: str = ""
    """Id of the failure that the action is about, "" none."""
    edits: tuple[Edit, ...] = ()
    by_model: bool = False
    """Whether a language model writes what it makes."""


def actions(
    document: DocumentSnapshot, snapshot: IndexSnapshot, selection: Span, *, asked: bool = True, model: str = ""
) -> list[Action]:
    """What can be done at a selection: on a failing line, on the `def` line of a unit, or on a call site's line.

    `asked` says that a person opened the menu: then a unit without data offers to say why it has none. `model`: name
    of the language model that the user configured, "" none.
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
            found += _for_failure(failure, model, _again(snapshot.kept_calls(identity), failure.type))
        if on_definition or failures:
            name = words.clean(unit.name)
            found.append(Action(f"Show what was recorded of {name}", "show", SHOW, (f"u:{identity:x}",)))
        if asked and on_definition and unit.kind in ("function", "method"):
            found += _of_calls(document, snapshot, identity, unit)
            found.append(Action(f"Show code like {words.clean(unit.name)}", "show", SIMILAR, (f"u:{identity:x}",)))
            found += _of_test(snapshot, identity)
    return found


def _of_test(snapshot: IndexSnapshot, identity: int) -> list[Action]:
    """To look at one test alone, one that failed before others; or back from one."""
    if snapshot.index.test:
        return [Action("Show every test again", "show", CHOOSE, ("",))]
    profile = snapshot.profile(identity)
    failed = [test for failure in (profile.failures if profile else ()) for test in failure.tests]
    tests = [*failed, *(test for test, _ in (profile.tests if profile else ()))]
    return [
        Action(f"Show only what {words.test_name(test)} did", "show", CHOOSE, (f"test:{test}",)) for test in tests[:1]
    ]


def _of_calls(document: DocumentSnapshot, snapshot: IndexSnapshot, identity: int, unit: Unit) -> list[Action]:
    """What the recorded calls of a unit are good for."""
    name, about = words.clean(unit.name), f"u:{identity:x}"
    kept = snapshot.kept_calls(identity)
    found = []
    if again := _again(kept):
        calls = words.counted(again, "recorded call")
        found.append(Action(f"Make {calls} of {name} again", "show", REPLAY, (about,)))
        found.append(Action(f"Make tests of {name} from {calls}", "make", MAKE, ("tests", about)))
    profile = snapshot.profile(identity)
    if profile is None or state_now(profile, unit) == "stale":
        return found
    if profile.captured >= _LEAST_ANNOTATED and _can_be_annotated(profile, unit):
        title = f"Annotate {name} from {words.counted(profile.captured, 'observed call')}"
        found.append(Action(title, "make", MAKE, ("annotate", about)))
    return [*found, *_cache(document, kept, unit, about)]


def _again(kept: Sequence[CaptureRecord], outcome: str | None = None) -> int:
    """How many of the kept calls were recorded so that they can be made again."""
    return sum(
        one.replay is not None or not (one.unit.parameters or one.arguments)
        for one in kept
        if outcome in (None, one.outcome)
    )


def _can_be_annotated(profile: Profile, unit: Unit) -> bool:
    seen = {one.slot for one in profile.observations if one.values or one.ranges}
    bare = {p.name for p in unit.parameters if not p.annotation and p.name not in ("self", "cls")}
    return bool(bare & seen) or (RESULT in seen and not unit.returns and not unit.resumes)


def _cache(document: DocumentSnapshot, kept: Sequence[CaptureRecord], unit: Unit, about: str) -> list[Action]:
    """Where calls repeat and the source shows that nothing else matters: a cache, which is tried when it is chosen."""
    from tracelens.fix import caching
    from tracelens.fix.evidence import find_function
    from tracelens.fix.patch import Source
    from tracelens_indexer.errors import TraceLensError

    seen = caching.repeated(kept) if unit.kind == "function" and len(document.text) <= _LARGEST_CACHED else ""
    if isinstance(seen, str):
        return []
    source = Source(document.path, document.text, "utf-8", document.text.decode(errors="replace"))
    try:
        node = find_function(source, unit.scope, unit.ordinal)
        if node is None or caching.impure(source.tree, node):
            return []
    except TraceLensError:
        return []
    calls = words.counted(seen.calls, "kept call")
    title = f"Cache {words.clean(unit.name)}: {seen.again} of {calls} repeat others"
    return [Action(title, "make", MAKE, ("cache", about))]


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


def _for_failure(failure: FailureRecord, model: str, again: int) -> list[Action]:
    """`again`: how many of the failing calls can be made again."""
    kind, name = words.type_name(failure.type), words.clean(failure.unit.name)
    calls = "the failing call" if failure.n == 1 else f"the {failure.n:,} failing calls"
    show = Action(f"Show {calls}", "show", SHOW_CALLS, (failure.id,), failure.id)
    explain = Action(f"Explain {kind} with evidence", "show", EXPLAIN, (failure.id,), failure.id)
    if on_purpose(failure):
        return [show, explain]
    found = [Action(f"Fix: {kind} in {name}", "fix", MAKE, ("fix", failure.id), failure.id)]
    if model:
        title = f"Fix with {words.clean(model)}: {kind} in {name}"
        found.append(Action(title, "fix", MAKE, ("ai", failure.id), failure.id, by_model=True))
    if again:
        title = f"Make a regression test from {'this failing call' if again == 1 else 'these failing calls'}"
        found.append(Action(title, "make", MAKE, ("tests", failure.id), failure.id))
    show_callers = Action("Show callers with these values", "show", CALLERS, (failure.id,), failure.id)
    return [*found, show, show_callers, explain]
