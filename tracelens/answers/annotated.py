"""Source as it stands now, each line with what was seen of it: calls, failures, who was called from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracelens.answers import headline, places, words
from tracelens.answers.choose import short_id
from tracelens.answers.document import DocumentSnapshot, in_document, placed, state_now
from tracelens.answers.snapshot import IndexSnapshot, raised_here
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.store.answers import ObservedEdge, Profile

_LONGEST_LINE = 200
_CALLEES = 3
_RUNNABLE = ("function", "method", "lambda")


@dataclass(frozen=True, slots=True)
class SourceLine:
    number: int
    """1-based."""
    text: str
    notes: tuple[str, ...]
    """Ours; of names in it, only those of units and exceptions."""


def annotate(
    snapshot: IndexSnapshot,
    path: str,
    text: bytes,
    first: int = 1,
    last: int = 0,
    quote: Callable[[str], str] = str,
) -> list[SourceLine]:
    """Lines first…last (0: to the end) of a file whose bytes now are `text`.

    Failures are found again by their statement; call sites only in units that have not changed since the index.
    `quote` is put around names that came with a trace.
    """
    document = DocumentSnapshot(path, text)
    records = snapshot.units_in(path)
    units = placed(document, records)
    known = in_document({i: p for i in units if (p := snapshot.profile(i))}, units)
    notes: dict[int, list[str]] = {}
    for unit, profile in known:
        if unit.kind != "module":
            notes.setdefault(unit.def_line, []).append(_unit_note(unit, profile))
        for failure in raised_here(profile):
            if line := places.line_of(document, unit, failure):
                of = headline.of_calls(failure.n, profile)
                told = f"fails here: {quote(words.type_name(failure.type))} in {of}  [{failure.id}]"
                notes.setdefault(line, []).append(told)
        if unit.body_hash == profile.unit.body_hash:
            moved = unit.first_line - profile.unit.first_line
            _note_sites(notes, snapshot.observed_callees(profile.unit.id), moved)
    if known:
        ran = {id(unit) for unit, _ in known}
        for unit in document.units:
            if unit.kind in ("function", "method") and id(unit) not in ran:
                notes.setdefault(unit.def_line, []).append("not seen running")
    last = min(last or len(document.line_starts), len(document.line_starts))
    return [
        SourceLine(
            number,
            words.clean(document.line(number - 1).decode("utf-8", "replace").rstrip(), _LONGEST_LINE),
            tuple(notes.get(number, ())),
        )
        for number in range(max(1, first), last + 1)
    ]


def plain(lines: Sequence[SourceLine]) -> list[str]:
    """ "  20 |     if saving / price > …   ◂ fails here: ZeroDivisionError in 3 of 1,899 calls"."""
    width = max((len(str(line.number)) for line in lines), default=1)
    return [
        f"{line.number:>{width}} | {line.text}{'   ◂ ' + ' · '.join(line.notes) if line.notes else ''}".rstrip()
        for line in lines
    ]


def _unit_note(unit: Unit, profile: Profile) -> str:
    stale = "changed since recorded: " if state_now(profile, unit) == "stale" else ""
    return f"{stale}{' · '.join(headline.parts(profile)) or 'seen failing'}  [{short_id(profile.unit)}]"


def _note_sites(notes: dict[int, list[str]], edges: Sequence[ObservedEdge], moved: int) -> None:
    by_line: dict[int, list[ObservedEdge]] = {}
    for edge in edges:
        if edge.site_line and edge.unit.kind in _RUNNABLE:
            by_line.setdefault(edge.site_line + moved, []).append(edge)
    for line, here in by_line.items():
        named = [
            f"{words.clean(edge.unit.name, words.LONGEST_NAME)} {words.times(edge.calls, edge.counting)}"
            for edge in here[:_CALLEES]
        ]
        more = f", {len(here) - _CALLEES} more" if len(here) > _CALLEES else ""
        notes.setdefault(line, []).append(f"→ {', '.join(named)}{more}")
