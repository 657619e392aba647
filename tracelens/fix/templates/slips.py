"""Names that a misspelt one can have been meant for, and how likely each is."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

_NEAR = 0.7
_SLIP = 0.9
"""From here on a name differs by a slip of the finger: what is less like it is far less likely to be meant."""
_LESS = 0.35


def meant_by(name: str, known: Iterable[str], preference: float) -> list[tuple[str, float]]:
    """(name, how likely it is meant), likeliest first; `preference` for the likeliest."""
    near = get_close_matches(name, sorted(set(known) - {name}), 3, _NEAR)
    found = []
    for number, other in enumerate(near):
        likely = preference - 0.05 * number
        if number and _like(name, near[0]) >= _SLIP > _like(name, other):
            likely -= _LESS
        found.append((other, likely))
    return found


def _like(one: str, other: str) -> float:
    return SequenceMatcher(None, other, one).ratio()
