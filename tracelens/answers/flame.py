"""Where the time went, as a tree of observed calls: what a flame (or icicle) graph draws.

Profiles keep edges, not stacks: how long A called B in all. A unit that is reached on several ways gets of its time, on
each, the share that this way has of all of it; so every bar is exact where a unit has one caller and estimated where it
has several, and the widths below a bar never add up to more than it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.store.answers import Profile, UnitRecord

_DEEPEST = 40
_LEAST_SHARE = 0.001
_MOST_BARS = 3_000


@dataclass(frozen=True, slots=True)
class Bar:
    unit: UnitRecord
    depth: int
    start: float
    """From the left edge, as a share of the whole, 0…1."""
    width: float
    nanoseconds: float
    calls: int
    """On this way; estimated where `estimated`."""
    estimated: bool


def bars(snapshot: IndexSnapshot, profiles: list[Profile]) -> list[Bar]:
    """Bars in the order they are drawn: parents before children, left to right by time. Empty without timed edges."""
    known = {profile.unit.id: profile for profile in profiles if profile.total_ns > 0}
    inward: dict[int, float] = {}
    for unit_id in known:
        for edge in snapshot.observed_callees(unit_id):
            if edge.unit.id != unit_id:
                inward[edge.unit.id] = inward.get(edge.unit.id, 0.0) + edge.total_ns
    # What nobody of ours was seen calling starts at the left: entry points, threads, callbacks.
    roots = [
        (own, profile)
        for profile in known.values()
        if (own := profile.total_ns - inward.get(profile.unit.id, 0.0)) > profile.total_ns * 0.01
    ]
    whole = sum(own for own, _ in roots)
    if whole <= 0:
        return []
    drawn: list[Bar] = []
    at = 0.0
    for own, profile in sorted(roots, key=lambda pair: (-pair[0], pair[1].unit.qualname)):
        several = own < profile.total_ns
        calls = round(profile.calls * own / profile.total_ns) or 1
        _draw(snapshot, known, drawn, profile, at, own, whole, 0, calls, several, ())
        at += own / whole
    return drawn


def _draw(
    snapshot: IndexSnapshot,
    known: dict[int, Profile],
    drawn: list[Bar],
    profile: Profile,
    start: float,
    nanoseconds: float,
    whole: float,
    depth: int,
    calls: int,
    estimated: bool,
    path: tuple[int, ...],
) -> None:
    width = nanoseconds / whole
    if width < _LEAST_SHARE or depth >= _DEEPEST or len(drawn) >= _MOST_BARS:
        return
    unit = profile.unit
    drawn.append(Bar(unit, depth, start, width, nanoseconds, calls, estimated))
    share = min(1.0, nanoseconds / profile.total_ns)
    inside: dict[int, tuple[float, int]] = {}
    for edge in snapshot.observed_callees(unit.id):
        # A unit that calls itself is drawn once: its time is in its first bar already.
        if edge.unit.id in known and edge.unit.id != unit.id and edge.unit.id not in path:
            took, n = inside.get(edge.unit.id, (0.0, 0))
            inside[edge.unit.id] = (took + edge.total_ns * share, n + edge.calls)
    below = sum(took for took, _ in inside.values())
    squeeze = min(1.0, nanoseconds / below) if below else 1.0
    at = start
    for unit_id, (took, n) in sorted(inside.items(), key=lambda item: (-item[1][0], item[0])):
        took *= squeeze
        guessed = estimated or share < 1.0 or squeeze < 1.0
        next_calls = max(1, round(n * share))
        _draw(snapshot, known, drawn, known[unit_id], at, took, whole, depth + 1, next_calls, guessed, (*path, unit.id))
        at += took / whole
