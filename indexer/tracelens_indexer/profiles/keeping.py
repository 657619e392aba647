"""Which calls of a unit are kept in full: the first, each exception's first and last, and some in between by lot."""

from __future__ import annotations

import math
import random
from collections import deque
from typing import Final

from tracelens_indexer.traces.records import Call

MAX_CAPTURES: Final = 24
_FIRST: Final = 4
_RAISED: Final = 2
_TYPES: Final = 4
_SPREAD: Final = 8

Kept = tuple[int, Call, str]
"""(number of the call, the call, what comes before its id)."""


class Keeping:
    """Chooses as the calls stream by. Seeded by the unit: the same trace gives the same choice."""

    __slots__ = ("_first", "_raised", "_seed", "_spread")

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._first: list[Kept] = []
        self._raised: dict[str, tuple[list[Kept], deque[Kept]]] = {}
        # A reservoir each for calls that can be replayed and for those that cannot.
        self._spread: dict[bool, _Reservoir] = {}

    def add(self, at: int, call: Call, outcome: str, source: str) -> None:
        """`at` is the number of the call; `outcome` "" or the exception type."""
        if outcome:
            found = self._raised.get(outcome)
            if found is None:
                if len(self._raised) >= _TYPES:
                    return
                found = self._raised[outcome] = ([], deque(maxlen=_RAISED))
            first, last = found
            if len(first) < _RAISED:
                first.append((at, call, source))
            else:
                last.append((at, call, source))
            return
        if len(self._first) < _FIRST:
            self._first.append((at, call, source))
            return
        replayable = call.replay is not None
        spread = self._spread.get(replayable)
        if spread is None:
            spread = self._spread[replayable] = _Reservoir(f"{self._seed}:{replayable}")
        spread.seen += 1
        if spread.seen == spread.next:
            spread.take((at, call, source))

    def kept(self) -> list[Kept]:
        """In the order of the calls, MAX_CAPTURES at most."""
        kept: list[Kept] = []
        for first, last in self._raised.values():
            kept += first
            kept += last
        kept += self._first
        for replayable in (True, False):
            spread = self._spread.get(replayable)
            if spread is not None:
                kept += spread.kept[: max(0, MAX_CAPTURES - len(kept))]
        return sorted(kept, key=lambda entry: entry[0])


class _Reservoir:
    """Every call has the same chance; how many are passed over is drawn once for each that is taken (Li, 1994,
    algorithm L), since drawing for every call costs more than reading it."""

    __slots__ = ("_random", "_seed", "_width", "kept", "next", "seen")

    def __init__(self, seed: str) -> None:
        self.kept: list[Kept] = []
        self.seen = 0
        self.next = 1
        self._seed = seed
        self._random: random.Random | None = None
        self._width = 1.0

    def take(self, entry: Kept) -> None:
        if len(self.kept) < _SPREAD:
            self.kept.append(entry)
            if len(self.kept) < _SPREAD:
                self.next += 1
                return
            self._random = random.Random(self._seed)  # noqa: S311  # a choice of examples, not a secret
        else:
            assert self._random is not None
            self.kept[self._random.randrange(_SPREAD)] = entry
        assert self._random is not None
        self._width *= math.exp(math.log(1.0 - self._random.random()) / _SPREAD)
        passed = math.log(1.0 - self._random.random()) / math.log1p(-self._width) if self._width > 1e-15 else 1e18
        self.next = self.seen + int(min(passed, 1e18)) + 1
