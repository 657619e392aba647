"""What a number of a trace may be, so that the sums of a damaged one stay what the store holds and adds up."""

from __future__ import annotations

from typing import Final

MOST: Final = 1 << 58
"""Of any count, and of nanoseconds (nine years)."""


def bounded(number: int) -> int:
    return number if -MOST <= number <= MOST else MOST if number > 0 else -MOST
