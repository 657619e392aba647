"""How hot the lines of a file are, in a few steps, for editors that can paint them; and the hottest units of all."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tracelens.answers import headline
from tracelens.answers.document import DocumentSnapshot, in_document, placed, state_now
from tracelens.answers.snapshot import IndexSnapshot, unexpected_here
from tracelens_indexer.store.answers import Profile

STEPS = 8
_LEAST_SHARE = 0.005


@dataclass(frozen=True, slots=True)
class Heat:
    """One function of a file."""

    first_line: int
    last_line: int
    """0-based, both included."""
    step: int
    """1 … 8; 0 for one that only failed."""
    failed: bool
    stale: bool
    told: str
    """The headline's numbers in one line."""


def heat(document: DocumentSnapshot, snapshot: IndexSnapshot) -> list[Heat]:
    """The functions of a file that are warm or failed, in source order."""
    found = []
    units = placed(document, snapshot.units_in(document.path))
    for unit, profile in in_document(snapshot.profiles_in(document.path), units):
        step, failed = step_of(profile), bool(unexpected_here(profile))
        if unit.kind in ("function", "method") and (step or failed):
            told = " · ".join(headline.parts(profile))
            stale = state_now(profile, unit) == "stale"
            found.append(Heat(unit.first_line - 1, unit.end_line - 1, step, failed, stale, told))
    return found


def step_of(profile: Profile) -> int:
    """1 for half a per cent of the time in itself, 8 for half of it, by doubling and a little; 0 below."""
    share = profile.self_share or 0.0
    if share < _LEAST_SHARE:
        return 0
    return max(1, min(STEPS, 1 + int(math.log2(share / _LEAST_SHARE) * (STEPS - 1) / math.log2(100))))
