"""Functions that are not listened to for a while: when they are parked, what becomes of their calls in progress, and
the looks at them that the governor allows."""

from __future__ import annotations

from types import FrameType
from typing import TYPE_CHECKING

from tracelens_recorder import payloads
from tracelens_recorder.code import NEVER, Function
from tracelens_recorder.governor import CALL_NS, LOOK_CALLS

if TYPE_CHECKING:
    from tracelens_recorder.session import Session

DRAIN = 64
"""Ends that are listened to after a function was parked, for the sake of its calls in progress."""


class Parking:
    """Parks the functions of a session and listens to them again."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.draining = 0
        """Functions whose ends are still listened to."""

    def consider(self, function: Function, number: int) -> None:
        if function.due:
            if number >= function.stop + DRAIN:  # its calls do not end: generators, or endless recursion
                self.park(function)
        elif number >= function.stop:
            function.due = True
        elif not function.parked and self._session.governor.must_park(function, number):
            function.due = True
            function.stop = number

    def park(self, function: Function) -> None:
        """Listen to a function no more; to the ends of its calls in progress for a while."""
        function.due = False
        now = self._session.clock()
        if function.looking and self.is_rare(function, now):
            function.looking, function.stop = False, NEVER
            function.next = function.calls + 1
            return
        if not function.unfaithful:
            self._session.record(payloads.PARKED, function.index)
        function.parked = function.unfaithful = True
        function.looking = False
        function.seen_ns += now - function.armed_at
        if function.live > 0:
            function.draining = DRAIN
            self.draining += 1
            self._session.park(function, True)
        else:
            self.parked(function)

    def is_rare(self, function: Function, now: int) -> bool:
        """Whether listening to all its calls costs next to nothing."""
        return (now - function.armed_at) * self._session.options.budget > LOOK_CALLS * CALL_NS * 100

    def drain(self, frame: FrameType) -> None:
        """An end was listened to whose start was not."""
        function = self._session.functions.get(id(frame.f_code))
        if function is not None and function.draining:
            self.drain_one(function)

    def drain_one(self, function: Function) -> None:
        self._session.governor.spent += CALL_NS // 4
        function.draining -= 1
        if function.live <= 0 or not function.draining:
            self.drained(function)

    def drained(self, function: Function) -> None:
        function.draining = 0
        self.draining -= 1
        if function.live > 0 and self._session.accelerated is not None:
            self._session.accelerated.drop(function)
            function.live = 0
        elif function.live > 0:
            for key, call in list(self._session.live.items()):
                if call.function is function:
                    self._session.live.pop(key, None)
                    call.counter.active = 0
                    if call.capture is not None:
                        self._session.captures.end(call, ["unfinished"])
            function.live = 0
        self.parked(function)

    def parked(self, function: Function) -> None:
        self._session.park(function, False)
        if self._session.governed:
            self._session.governor.was_parked(function)

    def look(self) -> None:
        """Called by the sampler's thread, often: listen again to those parked functions that the budget allows."""
        for function in self._session.governor.looks():
            calls = function.calls = self._session.calls_of(function)
            function.next = calls + 1 + int(self._session.lot() * LOOK_CALLS)
            function.stop = calls + LOOK_CALLS
            function.looking, function.parked = True, False
            function.armed_at = self._session.clock()
            self._session.unpark(function)
