"""What is told of a unit, a parameter or a call site: on hover, and by `tracelens show` in the same words."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tracelens.answers import headline, nothing, places, values, words
from tracelens.answers.document import DocumentSnapshot, Position, Span, placed, state_now
from tracelens.answers.sites import Site, imported_unit, site_at
from tracelens.answers.snapshot import IndexSnapshot, raised_here
from tracelens.answers.text import Bars, Block, Line, Link, Piece, code, joined, line
from tracelens_indexer.profiles.rows import RESULT, AnchorState
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import FailureRecord, ObservedEdge, Profile, RunRecord, UnitRecord

SHOW_CALLS = "tracelens.showCalls"
FIX = "tracelens.fix"
WHY = "tracelens.why"

_NEIGHBOURS = 3
_SLOTS_HERE = 3
_TESTS = 2
_FAILURES = 3


@dataclass(frozen=True, slots=True)
class UnitAnswer:
    """All that is told of one unit, in the order it is read."""

    unit_id: int
    headline: Line
    site: tuple[Line, ...]
    """What this call site did, when the question was about one."""
    values: tuple[Line, ...]
    failures: tuple[Line, ...]
    neighbours: tuple[Line, ...]
    run: Line
    links: tuple[Link, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        return ((self.headline, *self.site), self.values, (*self.failures, *self.neighbours), (self.run,))


@dataclass(frozen=True, slots=True)
class ParameterAnswer:
    line: Line
    bars: Bars
    state: AnchorState

    @property
    def blocks(self) -> tuple[Block, ...]:
        if self.state == "stale":
            return ((line("changed since recorded:"), self.line),)
        return ((self.line,),)


@dataclass(frozen=True, slots=True)
class NothingAnswer:
    """Of a function that no run reached, where it is defined: that, and what to do, in one line."""

    line: Line
    links: tuple[Link, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        return ((self.line,),)


@dataclass(frozen=True, slots=True)
class Hover:
    answer: UnitAnswer | ParameterAnswer | NothingAnswer
    span: Span
    """The name in the document that the answer is about."""


def hover(
    document: DocumentSnapshot,
    snapshot: IndexSnapshot,
    position: Position,
    now_ns: int = 0,
    opened: Mapping[str, DocumentSnapshot] | None = None,
) -> Hover | None:
    """The answer at a position of a document; None, silently, where nothing was recorded.

    Who points at the name of a function where it is defined asks about this one: where there are runs, and none
    reached it, that is said in a line.

    `opened`: other open documents of the workspace by path, since what is called may be edited there.
    """
    records = snapshot.units_in(document.path)
    place = document.place(position) if records else None
    if place is None or place.kind not in ("definition", "parameter", "call", "raise", "import"):
        return None
    in_buffer = placed(document, records)
    identities = {id(unit): identity for identity, unit in in_buffer.items()}
    unit = document.units[place.unit]
    span = Span(Position(place.start_line - 1, place.start_column), Position(place.end_line - 1, place.end_column))
    if place.kind == "call":
        found = site_at(document, snapshot, in_buffer, place)
        profile = snapshot.profile(found.callee.id) if found else None
        if found is None or profile is None:
            return None
        there = {**(opened or {}), document.path: document}.get(found.callee.path)
        callee = placed(there, snapshot.units_in(there.path)).get(found.callee.id) if there else None
        about = about_unit(profile, snapshot.index, now_ns, snapshot, there, callee)
        return Hover(replace(about, site=_here(found, profile, snapshot)), span)
    if place.kind == "import":
        imported = imported_unit(snapshot, document.path, place.name)
        profile = snapshot.profile(imported.id) if imported else None
        return Hover(about_unit(profile, snapshot.index, now_ns, snapshot), span) if profile else None

    identity = identities.get(id(unit), 0)
    profile = snapshot.profile(identity)
    if profile is None:
        asked = place.kind == "definition" and unit.kind in ("function", "method") and snapshot.run_records
        record = next((one for one in records if one.id == identity), None) if asked else None
        return Hover(_never(snapshot, record), span) if record else None
    if place.kind == "parameter":
        annotation = next((p.annotation for p in unit.parameters if p.name == place.name), "")
        answer = about_parameter(profile, place.name, annotation, state_now(profile, unit))
        return Hover(answer, span) if answer else None
    if place.kind == "raise":
        lines = [places.line_of(document, unit, failure) for failure in raised_here(profile)]
        if not any(place.start_line <= line <= place.end_line for line in lines):
            return None
    return Hover(about_unit(profile, snapshot.index, now_ns, snapshot, document, unit), span)


def _never(snapshot: IndexSnapshot, record: UnitRecord) -> NothingAnswer:
    name = Piece(words.clean(record.name, words.LONGEST_NAME), "strong")
    if snapshot.index.test:
        pieces = [
            name,
            Piece(" — not called by "),
            code(words.test_name(snapshot.index.test)),
            Piece(", which is shown"),
        ]
    else:
        missing = nothing.why(snapshot, record.path, record)
        pieces = [name, Piece(" — "), *_as_code(missing.missing)]
        if missing.todo:
            pieces += [Piece(". "), code(" ".join(missing.todo.split()))]
    return NothingAnswer(line(*pieces), (Link("Why?", WHY, (f"u:{record.id:x}",)),))


def _as_code(told: str) -> list[Piece]:
    """Our words, which may hold a name of a run or a path: as words only where nothing in them can be acted upon."""
    return [Piece(told)] if re.fullmatch(r"[\w ,.:;-]*", told) and "_" not in told else [code(told)]


def about_unit(
    profile: Profile,
    index: Index,
    now_ns: int = 0,
    snapshot: IndexSnapshot | None = None,
    document: DocumentSnapshot | None = None,
    unit: Unit | None = None,
) -> UnitAnswer:
    """All that the profile's runs say about its unit.

    With the document that is open and the unit as it is there, lines and freshness are those of the buffer.
    `now_ns` is the time that "2 min ago" counts from; 0 is the clock's.
    """
    snapshot = snapshot or IndexSnapshot(index, profile.runs)
    state = state_now(profile, unit)
    record = profile.unit
    numbers = headline.parts(profile)
    stale = "changed since recorded: " if state == "stale" else ""
    name = record.name if record.kind != "module" else record.module
    told = f" — {' · '.join(numbers)}" if numbers else ""
    return UnitAnswer(
        unit_id=record.id,
        headline=line(stale, Piece(words.clean(name, words.LONGEST_NAME), "strong"), told),
        site=(),
        values=tuple(
            values.slot_line(
                observation,
                _annotation(profile, observation.slot),
                values.biased(profile),
                values.some_only(profile),
            )
            for observation in profile.observations
            if observation.slot not in ("self", "cls")
            and not (observation.slot == RESULT and record.name == "__init__")
        ),
        failures=tuple(_failure_lines(profile, document, unit, now_ns)),
        neighbours=tuple(_neighbour_lines(profile, snapshot)),
        run=_run_line(profile, snapshot.run_records, state, now_ns),
        links=tuple(_links(profile)),
    )


def about_parameter(
    profile: Profile, name: str, annotation: str, state: AnchorState | None = None
) -> ParameterAnswer | None:
    """One parameter's values; None when none were kept."""
    for observation in profile.observations:
        if observation.slot == name and observation.values:
            return ParameterAnswer(
                values.slot_line(observation, annotation, values.biased(profile), values.some_only(profile)),
                values.histogram(observation, values.biased(profile)),
                state or profile.state,
            )
    return None


def _annotation(profile: Profile, slot: str) -> str:
    return next((p.annotation for p in profile.unit.parameters if p.name == slot), "")


def _here(site: Site, profile: Profile, snapshot: IndexSnapshot) -> tuple[Line, ...]:
    """ "here: 23 calls, price 0.0 … 9.99, tier 'gold'": the values that were given from this place."""
    if site.calls is None:
        return ()
    pieces = [Piece(f"here: {words.counted(site.calls, 'call', site.counting)}")]
    given = values.from_site(profile, site.caller.id, site.line)
    for name, told in (given or values.from_caller(snapshot.kept_calls(site.callee.id), site.caller))[:_SLOTS_HERE]:
        pieces += [Piece(", "), code(words.clean(name, words.LONGEST_NAME)), Piece(" "), code(told)]
    return (line(*pieces),)


def _failure_lines(profile: Profile, document: DocumentSnapshot | None, unit: Unit | None, now_ns: int) -> list[Line]:
    lines = [_failure_line(profile, failure, document, unit, now_ns) for failure in profile.failures[:_FAILURES]]
    if len(profile.failures) > _FAILURES:
        lines.append(line(f"and {len(profile.failures) - _FAILURES} other failures"))
    return lines


def _failure_line(
    profile: Profile, failure: FailureRecord, document: DocumentSnapshot | None, unit: Unit | None, now_ns: int
) -> Line:
    kind = words.type_name(failure.type)
    message = words.first_line(failure.message)
    pieces = [code(f"{kind}: {message}" if message else kind)]
    place = places.line_of(document, unit, failure)
    if not failure.origin:
        raiser = words.clean(failure.stack[-1][2], words.LONGEST_NAME) if failure.stack else ""
        if raiser and raiser != profile.unit.name:
            pieces += [Piece(" from "), code(raiser)]
        if place:
            pieces.append(Piece(f", called at line {place}"))
        return line("Passes on ", *pieces, f"   {words.times(failure.n)}")
    if place:
        pieces.append(Piece(f"   at line {place}"))
    elif document is not None and failure.line:
        pieces.append(Piece("   at a line that is gone"))
    if common := values.common_to_failing(profile, failure):
        pieces.append(Piece(", when "))
        pieces += joined(([code(words.clean(n)), Piece(" = "), code(words.clean(v))] for n, v in common), " and ")
    if failure.tests:
        pieces += [Piece("   last: "), code(words.test_name(failure.tests[0]))]
    elif last := words.ago(failure.last_ns, now_ns or None):
        pieces.append(Piece(f"   last: {last}"))
    return line("Fails with ", *pieces)


def _neighbour_lines(profile: Profile, snapshot: IndexSnapshot) -> list[Line]:
    lines = []
    callers = _by_unit(snapshot.observed_callers(profile.unit.id))
    callees = _by_unit(snapshot.observed_callees(profile.unit.id))
    for verb, edges in (("Called by ", callers), ("Calls ", callees)):
        if edges:
            groups = [
                [
                    code(words.near(edge.unit.qualname, profile.unit.module)),
                    Piece(f" {words.times(edge.calls, edge.counting)}"),
                ]
                for edge in edges[:_NEIGHBOURS]
            ]
            more = f", {len(edges) - _NEIGHBOURS} more" if len(edges) > _NEIGHBOURS else ""
            lines.append(line(verb, *joined(groups), more))
    if profile.tests:
        named = joined(code(words.test_name(test)) for test, _ in profile.tests[:_TESTS])
        more = f", {len(profile.tests) - _TESTS} more" if len(profile.tests) > _TESTS else ""
        lines.append(line("Tests ", *named, more))
    return lines


def _by_unit(edges: Sequence[ObservedEdge]) -> list[ObservedEdge]:
    """One edge for each unit at the other end, all sites together, the most frequent first."""
    merged: dict[int, ObservedEdge] = {}
    for edge in edges:
        known = merged.get(edge.unit.id)
        merged[edge.unit.id] = replace(known, calls=known.calls + edge.calls) if known else edge
    return sorted(merged.values(), key=lambda edge: -edge.calls)


def _run_line(profile: Profile, runs: Sequence[RunRecord], state: AnchorState, now_ns: int) -> Line:
    """'Run "pytest" · 2 min ago · values from 64 of 1,884 calls and every failure · fresh'."""
    now = now_ns or time.time_ns()
    mine = [run for run in runs if run.id in profile.runs]
    pieces: list[Piece] = []
    for run in mine[:2]:
        when = words.ago(run.started_ns or run.imported_ns, now)
        name = Piece(words.clean(run.name, words.LONGEST_NAME), "quoted")
        pieces += [Piece(" and " if pieces else "Run " if len(mine) == 1 else "Runs "), name]
        pieces += [Piece(f" · {when}" if len(mine) == 1 else f" {when}")] if when else []
    if len(mine) > 2:
        pieces.append(Piece(f" and {len(mine) - 2} more"))
    if kept := _kept(profile):
        pieces.append(Piece(f" · {kept}"))
    pieces.append(Piece(f" · {_freshness(profile, state)}" if pieces else _freshness(profile, state)))
    if state == "moved" and profile.moved_from:
        pieces += [Piece(" from "), code(words.clean(profile.moved_from.replace(":", " "), words.LONGEST_NAME))]
    return line(*pieces)


def _kept(profile: Profile) -> str:
    """How much of what happened the values stand on."""
    if not profile.captured or not any(o.values for o in profile.observations):
        return ""
    if profile.captured >= profile.calls and profile.counting == "exact":
        return "values from every call"
    failing = max((values.outcome_count(o.values) for o in profile.observations if o.slot != RESULT), default=0)
    every = " and every failure" if 0 < profile.errors <= failing else ""
    return f"values from {profile.captured:,} of {words.counted(profile.calls, 'call', profile.counting)}{every}"


def _freshness(profile: Profile, state: AnchorState) -> str:
    match state:
        case "stale":
            return "stale: the code has changed since"
        case "unverified":
            return "unverified: the run does not say what the code was"
        case _:
            return state


def _links(profile: Profile) -> list[Link]:
    unit = f"u:{profile.unit.id:x}"
    links = [Link("Calls", SHOW_CALLS, (unit,))] if profile.captured else []
    here = raised_here(profile)
    if here:
        links.append(Link("Failing calls", SHOW_CALLS, (here[0].id,)))
        links.append(Link("Fix…", FIX, (here[0].id,)))
    links.append(Link("Why?", WHY, (unit,)))
    return links
