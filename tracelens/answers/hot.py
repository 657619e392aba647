"""What counts as hot, as the person has set it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hot:
    """What counts as hot, for lenses, hints and what is told of functions that matter."""

    functions: int = 5
    """So many of the workspace, by their own time."""
    least_share: float = 0.02
    """Below this share of a run nothing is called hot, however little else ran."""
