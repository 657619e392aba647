"""Diagnostics beyond failures: what the code says and the recorded values deny, calls that repeat, values that changed,
code that never ran. Each with its evidence in the message, and only where that is more than a guess."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tracelens.answers import diff, values, words
from tracelens.answers.diagnostics import Diagnostic, Rule, Severity
from tracelens.answers.document import DocumentSnapshot, Position, Span, state_now
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.profiles.rows import RESULT
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.store.answers import ObservedEdge, Profile, UnitRecord

_REPEATED = 20
"""Calls from one place for each call of the function around, from which on they are worth a word."""
_LEAST_SHARE = 0.05
"""The share of the run that a function takes with all it calls, from which on its calls are looked at."""
_LEAST_PART = 0.3
"""And the part of the function's time that they take."""


def findings(
    document: DocumentSnapshot,
    snapshot: IndexSnapshot,
    pairs: list[tuple[Unit, Profile]],
    units: Mapping[int, Unit],
    *,
    unreached: bool,
) -> Iterator[Diagnostic]:
    """`pairs`: the buffer's units that have data; `units`: all of them, by id."""
    drifted = snapshot.drifted(document.path)
    for unit, profile in pairs:
        if unit.kind not in ("function", "method"):
            continue
        sure = state_now(profile, unit) in ("fresh", "moved")
        if sure:
            yield from _contradicted(snapshot, unit, profile)
            yield from _repeated(document, snapshot, unit, profile)
            yield from _drifted(document, unit, profile, drifted.get(profile.unit.id, ()))
    if unreached and pairs:
        seen = {profile.unit.id for _, profile in pairs}
        for record in snapshot.units_in(document.path):
            if record.id not in seen and record.id in units:
                yield from _unreached(document, record, units[record.id], len(snapshot.run_records))


def _contradicted(snapshot: IndexSnapshot, unit: Unit, profile: Profile) -> Iterator[Diagnostic]:
    """ "Observed None for tier: str in 19 calls"."""
    if not any(values.understood(p.annotation) for p in unit.parameters):
        return
    full = snapshot.profile(profile.unit.id)
    observed = {observation.slot: observation for observation in full.observations} if full else {}
    for parameter in unit.parameters:
        annotation = parameter.annotation
        observation = observed.get(parameter.name)
        if observation is None or parameter.kind in ("variadic", "keywords"):
            continue
        denied = values.denied_by(annotation, observation)
        # `x: str = None` says Optional in the way that was once allowed.
        denied = {kind: n for kind, n in denied.items() if not (kind in values.NONE and parameter.default == "None")}
        if denied:
            kinds = " and ".join("None" if kind in values.NONE else words.type_name(kind) for kind in list(denied)[:2])
            calls = words.counted(sum(denied.values()), "kept call")
            start = Position(parameter.line - 1, parameter.column)
            yield _diagnostic(
                Span(start, Position(start.line, start.column + len(parameter.name.encode()))),
                "information",
                "contract",
                f"Observed {kinds} for {words.clean(parameter.name)}: {words.clean(annotation)} in {calls}",
                profile.unit,
            )


def _repeated(
    document: DocumentSnapshot, snapshot: IndexSnapshot, unit: Unit, profile: Profile
) -> Iterator[Diagnostic]:
    """ "Warehouse.find was called up to 31 times here by one call of checkout: 64 % of its time"."""
    matters = profile.unit.id in snapshot.hottest or (profile.total_share or 0.0) >= _LEAST_SHARE
    if not matters or not profile.calls or unit.body_hash != profile.unit.body_hash:
        return
    for edge in snapshot.observed_callees(profile.unit.id):
        line = unit.first_line + edge.site_line - profile.unit.first_line
        # What one call did at most, where the recording knows it, else what all did on average.
        each = edge.most or edge.calls / profile.calls
        part = edge.total_ns / profile.total_ns if profile.total_ns else 0.0
        if not edge.site_line or each < _REPEATED or part < _LEAST_PART or edge.unit.id == profile.unit.id:
            continue
        name = words.clean(words.near(edge.unit.qualname, profile.unit.module), words.LONGEST_NAME)
        same = ", always with the same arguments" if _always_the_same(snapshot, edge) else ""
        yield _diagnostic(
            document.whole_line(line - 1),
            "information",
            "repeated",
            f"{name} was called {'up to ' if edge.most else ''}{each:,.0f} times here by one call of"
            f" {words.clean(unit.name)}{same}:"
            f" {words.share(min(1.0, part), edge.counting)} of its time",
            profile.unit,
        )


def _always_the_same(snapshot: IndexSnapshot, edge: ObservedEdge) -> bool:
    profile = snapshot.profile(edge.unit.id)
    slots = [o for o in profile.observations if o.slot not in (RESULT, "self", "cls")] if profile else []
    return bool(slots) and all(len(o.values) == 1 and o.values[0].text is not None for o in slots)


def _drifted(
    document: DocumentSnapshot, unit: Unit, profile: Profile, changed: tuple[diff.ChangedValue, ...]
) -> Iterator[Diagnostic]:
    """ "Values differ from the run before: price up to 900, was 120.5"."""
    if changed:
        told = " · ".join(f"{words.clean(one.slot)}: {one.told}" for one in changed[:3])
        yield _diagnostic(
            document.name_span(unit), "hint", "drift", f"Values differ from the run before: {told}", profile.unit
        )


def _unreached(document: DocumentSnapshot, record: UnitRecord, unit: Unit, runs: int) -> Iterator[Diagnostic]:
    if record.kind in ("function", "method") and unit.body_hash == record.body_hash:
        where = "the run that is shown" if runs == 1 else f"any of the {runs:,} runs that are shown"
        told = f"{words.clean(unit.name)} was not reached in {where}"
        yield _diagnostic(document.name_span(unit), "hint", "unreached", told, record)


def _diagnostic(span: Span, severity: Severity, rule: Rule, message: str, unit: UnitRecord) -> Diagnostic:
    return Diagnostic(span, severity, rule, message, (), f"u:{unit.id:x}")
