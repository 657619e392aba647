"""Keeps what recording costs within a share of the program's CPU time (Python 3.12 and newer).

What is spent is added up: measured where it is much (values, stacks, writing), a constant per event where measuring
would cost as much as the event. Once more is spent than the budget allows, the functions that are called most are
parked first: their starts and ends are not listened to any more. What the budget leaves later buys short looks at
parked functions, each in turn, so that values that come late are seen too.

All of it is without a lock: an addition that is lost between two threads costs less than keeping it.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from typing import Callable, Deque, List, Tuple

from tracelens_recorder.code import Function
from tracelens_recorder.values import BARE, FULL, LEAN

GRACE_NS = 50_000_000
"""CPU nanoseconds that may be spent beyond the share: every short program is recorded in full."""
CALL_NS = 2_000
"""CPU nanoseconds of one call that is counted and timed, start and end."""
SITE_NS = 1_000
"""Of one look at a call site."""
NODE_NS = 1_500
"""Of one value in the replayable encoding."""
LOOK_NS = 60_000
"""Of one look at a parked function, before any has been measured."""
LOOK_CALLS = 4
"""Calls that a look counts; one of them, chosen by lot, is captured."""
FEWEST = 4
"""Calls of every function that are seen before it may be parked."""
FEWEST_FAST = 200
"""The same where the accelerator counts: a call costs a tenth then, and who is called in passing (by an operator, an
attribute, a `with`) is only seen while a function is listened to."""
MOST = 1 << 20
PATIENCE_NS = 1_000_000_000
"""Nanoseconds after which a look that no call has come to is not held against the budget any more."""
MAX_LOOKS = 24
"""Looks that are begun at once."""


class Governor:
    """What was spent, what may be, and which functions are parked."""

    def __init__(self, share: float, clock: Callable[[], int]) -> None:
        """`share` of the CPU time, 0.03 for 3 %; infinite: never over, for exact recordings."""
        self.share = share
        self.grace = GRACE_NS
        self._clock = clock
        self._cpu: Callable[[], int] = time.process_time_ns
        self._began = self._cpu()
        self.fewest = FEWEST
        self.spent = 0
        """CPU nanoseconds, of the recorder's own."""
        self.allowed = self.grace if share != float("inf") else sys.maxsize
        self.replaying = 0
        """Of `spent`, on the replayable encoding of arguments."""
        self.failing = 0
        """Of `spent`, on the stacks of failures."""
        self.often = MOST
        """Functions with at least so many calls are parked while too much is spent."""
        self.parked: Deque[Function] = deque()
        self._looks: List[Tuple[Function, int, int]] = []
        """Begun, and not ended so far: (function, calls then, when)."""
        self._look_ns = LOOK_NS

    @property
    def cpu_ns(self) -> int:
        """CPU nanoseconds of the process since the recording began, ours included."""
        return self._cpu() - self._began

    def over(self) -> bool:
        """Whether more was spent than is allowed by now."""
        if self.spent <= self.allowed:
            return False
        self.allowed = self.grace + int(self.share * self.cpu_ns)
        return self.spent > self.allowed

    def replay_nodes(self, most: int) -> int:
        """How many values of one call's arguments may be encoded now: half of what is allowed is for that."""
        return min(most, max(0, (self.allowed >> 1) - self.replaying) // (8 * NODE_NS))

    def may_keep_failure(self) -> bool:
        """Whether one more failure of a kind that is known may be kept: a quarter of what is allowed is for them,
        whatever the rest was spent on."""
        return self.failing < self.allowed >> 2 or not self.over()

    def detail(self) -> int:
        """How much to say of a value now: values.FULL, LEAN or BARE."""
        if not self.over():
            return FULL
        return LEAN if self.spent < 2 * self.allowed else BARE

    def must_park(self, function: Function, number: int) -> bool:
        """Asked at the start of a call when too much seems to be spent: the functions that are called most go first."""
        if number < self.fewest or not self.over():
            return False
        if number >= self.often:
            return True
        self.often = max(self.fewest, self.often - (self.often >> 6) - 1)
        return False

    def was_parked(self, function: Function) -> None:
        function.parked_at = self._clock()
        self.parked.append(function)

    def looks(self) -> List[Function]:
        """The parked functions that the budget buys a look at now. Asked by the sampler's thread, often."""
        if self.spent > self.allowed and self.over():
            return []
        self.allowed = max(self.allowed, self.grace + int(self.share * self.cpu_ns)) if self.share < 1 else sys.maxsize
        self.often = min(MOST, self.often + (self.often >> 4) + 1)
        if not self.parked:
            return []
        now = self._clock()
        self._looks = [one for one in self._looks if not one[0].parked and one[0].stop and now - one[2] < PATIENCE_NS]
        left = self.allowed - self.spent - len(self._looks) * self._look_ns
        chosen: List[Function] = []
        while left > self._look_ns and self.parked and len(chosen) < MAX_LOOKS:
            function = self.parked.popleft()
            self._looks.append((function, function.calls, now))
            chosen.append(function)
            left -= self._look_ns
        return chosen

    def captured(self, cost_ns: int) -> None:
        """A call was captured: what it cost is spent, and says what the next look will cost."""
        self.spent += cost_ns
        self._look_ns += (cost_ns + LOOK_CALLS * CALL_NS - self._look_ns) >> 4
