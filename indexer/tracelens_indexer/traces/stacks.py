"""Weighted stacks from whatever sampler: equal ones are put together, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tracelens_indexer.traces.records import Frame, Sample

MAX_STACKS = 100_000
"""Different stacks that are held before they are handed on."""
MAX_DEPTH = 1_000
"""Frames of one stack that are kept: the outermost and the innermost half."""

Unit = Literal["seconds", "samples"]


class Stacks:
    """Collects stacks, root first; `full()` says when to `take()` what there is."""

    def __init__(self, unit: Unit) -> None:
        self.unit: Unit = unit
        self.total = 0.0
        self._weights: dict[tuple[Frame, ...], float] = {}

    def add(self, stack: tuple[Frame, ...], weight: float) -> None:
        if weight <= 0 or not stack:
            return
        if len(stack) > MAX_DEPTH:
            stack = (*stack[: MAX_DEPTH // 2], *stack[-MAX_DEPTH // 2 :])
        self.total += weight
        self._weights[stack] = self._weights.get(stack, 0.0) + weight

    def full(self) -> bool:
        return len(self._weights) >= MAX_STACKS

    def take(self) -> Iterator[Sample]:
        weights, self._weights = self._weights, {}
        for stack, weight in weights.items():
            yield Sample(stack, weight, self.unit)


def spread(stack: list[Frame], frame: Frame, depth: int) -> tuple[Frame, ...]:
    """`stack` becomes the way to a node of a tree that is walked from the root: `frame` at `depth`."""
    del stack[depth:]
    stack.append(frame)
    if len(stack) > MAX_DEPTH:
        return (*stack[: MAX_DEPTH // 2], *stack[-MAX_DEPTH // 2 :])
    return tuple(stack)
