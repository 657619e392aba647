"""What several runs saw of one unit's values, added up."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from tracelens_indexer.profiles.rows import SlotRow
from tracelens_indexer.store.answers import Observation, Range, UnitRecord, Value
from tracelens_indexer.store.packing import Observed

MIN_PAIRS = 8
"""Calls from which on it is said how time goes with a value."""


@dataclass(slots=True)
class _Sum:
    """Ranges of one type, added up."""

    n: int = 0
    low: float | None = None
    high: float | None = None
    measures: Literal["value", "size", ""] = ""
    sums: list[float] = field(default_factory=lambda: [0.0] * 6)
    """pairs, x, y, xx, xy, yy of SlotRow."""

    def add(self, row: SlotRow) -> None:
        self.n += row.n
        self.low = min((x for x in (self.low, row.low) if x is not None), default=None)
        self.high = max((x for x in (self.high, row.high) if x is not None), default=None)
        self.measures = row.measures or self.measures
        for at, n in enumerate((row.pairs, row.x, row.y, row.xx, row.xy, row.yy)):
            self.sums[at] += n

    def range(self, kind: str) -> Range:
        correlation, slope = _line(*self.sums)
        return Range(kind, self.n, self.low, self.high, self.measures, correlation, slope)


def observations(unit: UnitRecord, parts: Iterable[Observed]) -> tuple[Observation, ...]:
    """Slots in the order of the signature; "return" last."""
    values: dict[str, dict[tuple[str, str | None, str], int]] = {}
    ranges: dict[str, dict[str, _Sum]] = {}
    for part in parts:
        for row in part.values:
            counts = values.setdefault(row.slot, {})
            key = row.type, row.text, row.outcome
            counts[key] = counts.get(key, 0) + row.n
        for slot in part.slots:
            ranges.setdefault(slot.slot, {}).setdefault(slot.type, _Sum()).add(slot)
    order = {parameter.name: at for at, parameter in enumerate(unit.parameters)}
    slots = sorted({*ranges, *values}, key=lambda slot: (slot == "return", order.get(slot, len(order)), slot))
    return tuple(_observation(slot, values.get(slot, {}), ranges.get(slot, {})) for slot in slots)


def _observation(slot: str, counts: dict[tuple[str, str | None, str], int], sums: dict[str, _Sum]) -> Observation:
    values = [Value(*key, n) for key, n in counts.items()]
    values.sort(key=lambda value: (value.text is None, -value.n, value.type, value.text or ""))
    ranges = sorted((found.range(kind) for kind, found in sums.items()), key=lambda found: (-found.n, found.type))
    return Observation(
        slot=slot,
        n=sum(value.n for value in values) or sum(found.n for found in ranges),
        values=tuple(values),
        ranges=tuple(ranges),
    )


def _line(pairs: float, x: float, y: float, xx: float, xy: float, yy: float) -> tuple[float | None, float]:
    """(correlation, slope in nanoseconds for one more) of the straight line through the calls."""
    if pairs < MIN_PAIRS:
        return None, 0.0
    around_x, around_y, both = xx - x * x / pairs, yy - y * y / pairs, xy - x * y / pairs
    # Sums of squares leave no more than rounding where all values are the same.
    if around_x <= 1e-9 * xx or around_y <= 1e-9 * yy:
        return None, 0.0
    correlation = both / math.sqrt(around_x * around_y)
    return (max(-1.0, min(1.0, correlation)), both / around_x) if math.isfinite(correlation) else (None, 0.0)
