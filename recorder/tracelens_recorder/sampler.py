"""Looks at all threads' stacks a few hundred times a second, so that shares of time do not hang on what is captured.

A sample is the part of a stack that is in scope, weighted with the time since the last one. Time is wall time: a
function that waits is on the stack too. But where more time has passed than was slept, only as much of the rest counts
as the program has run: a machine that is busy with others is not the fault of the function that it comes back to. The
thread is made with _thread, and so is not seen in threading.enumerate().

With the accelerator the stacks are read when their time has come (recorder-accelerator/src/look.c). Without, Python
must first let this thread in, which it does where functions begin, loops go round and calls into C end: the time is
put down to whoever comes next to such a place, and a share may be off by ten points and more.
"""

from __future__ import annotations

import _thread
import os
import sys
import time
from types import FrameType
from typing import Any, Dict, List, Tuple

from tracelens_recorder.code import INLINE
from tracelens_recorder.session import Session

MAX_SHARE = 0.015
"""Of the program's CPU time, that is spent on sampling and on writing; the interval is stretched to keep to it."""
GRACE_NS = 5_000_000
LONGEST_PAUSE = 0.04
"""Seconds, so that what is recorded is written in time."""
MAX_STACK = 128
"""Frames in scope of one stack, from the leaf."""
MAX_STACKS = 20_000
"""Different stacks of the accelerator's whose lines are remembered."""
SWITCH_NS = 30_000
"""CPU nanoseconds for which this thread takes the interpreter from the others."""
TICK = 0.04
"""Seconds between looks when there is nothing to sample: what is recorded is still to be written."""
ROUND = 0.04
"""Seconds that the accelerator samples on its own: to hand over what it has seen costs as much as five samples."""
LOOK_EVERY = 3
"""Rounds of this thread after which parked functions are thought of."""
LONGEST = 60_000_000_000
"""Nanoseconds that one sample may stand for: the machine may have been asleep."""

Stack = Tuple[Tuple[int, int], ...]


class Sampler:
    """A thread that samples, and writes what is waiting to be written."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._wake = _thread.allocate_lock()
        self._gone = _thread.allocate_lock()
        self._stop = False
        self._running = False
        self._sleep = time.sleep
        self._ran = time.process_time_ns
        self._native = ""
        """The system's number of this thread."""
        self._core: Any = None
        self._spent = 0
        """CPU nanoseconds of this thread on samples."""
        self._rounds = 0
        self._stacks: Dict[Tuple[int, ...], Stack] = {}
        """(function, offset, function, offset, …) to (function, line)."""

    def start(self) -> None:
        if self._running:
            return
        self._wake = _thread.allocate_lock()
        self._wake.acquire()
        self._gone = _thread.allocate_lock()
        self._gone.acquire()
        self._stop = False
        self._running = True
        self._core = self._looking()
        _thread.start_new_thread(self._run, (self._wake, self._gone))

    def _looking(self) -> Any:
        """The accelerator, where it can read stacks; None where this thread must wait for Python."""
        fast = self.session.accelerated
        if fast is None or not fast.looks or self.session.options.sample_interval <= 0:
            return None
        try:
            fast.core.begin_looking()
        except RuntimeError:  # a thread that was given up looks still
            return None
        return fast.core

    def stop(self) -> None:
        """End the thread, and wait until it is gone: Python warns of a fork beside another thread."""
        if not self._running:
            return
        self._running = False
        self._stop = True
        self._wake.release()
        if self._core is not None:
            self._core.end_looking()
        self._gone.acquire(True, 0.5)
        if sys.version_info >= (3, 12):
            self._wait_for_the_system()

    def forget(self) -> None:
        """In a child after a fork: the thread is not there any more."""
        self._running = False

    def _wait_for_the_system(self) -> None:
        """The system counts a thread until shortly after its last line has run."""
        me = _thread.get_native_id()
        for _ in range(20):
            try:
                if self._native not in os.listdir("/proc/self/task") or str(me) == self._native:
                    return
            except OSError:
                return
            self._sleep(0.0005)

    def _run(self, wake: _thread.LockType, gone: _thread.LockType) -> None:
        self._native = str(_thread.get_native_id())
        self._spent = self._rounds = 0
        self._stacks = {}
        try:
            if self._core is not None:
                self._look(self._core)
            else:
                self._wait(wake)
        finally:
            gone.release()

    def _look(self, core: Any) -> None:
        """Until the end: take what the accelerator has seen, and tend what else there is."""
        session = self.session
        least = int(session.options.sample_interval * 1e9)
        interval = least
        while not self._stop and not session.closed:
            used = session.cpu()
            try:
                for places, weight_ns in core.looks(interval, int(ROUND * 1e9)):
                    session.numbers.sample(self._stacks.get(places) or self._lines(places), weight_ns)
                self._spent += session.cpu() - used + SWITCH_NS
                self._tend(used, LOOK_EVERY)
                interval = min(interval * 3 // 2, int(LONGEST_PAUSE * 1e9)) if self._too_much() else least
            except Exception as problem:
                self._fault(problem)
                self._sleep(ROUND)

    def _lines(self, places: Tuple[int, ...]) -> Stack:
        table = self.session.table
        pairs = zip(places[::2], places[1::2])  # noqa: B905 - not in 3.9
        stack = tuple((index, table[index].line_at(offset)) for index, offset in pairs)
        if len(self._stacks) < MAX_STACKS:
            self._stacks[places] = stack
        return stack

    def _wait(self, wake: _thread.LockType) -> None:
        """Until the end: sleep, sample as soon as Python lets this thread in, and tend what else there is."""
        session = self.session
        me = _thread.get_ident()
        sampling = session.options.sample_interval > 0
        least = session.options.sample_interval
        pause = least if sampling else TICK
        last, last_ran = session.clock(), self._ran()
        while not self._stop and not session.closed:
            if wake.acquire(True, pause):
                break
            try:
                used = session.cpu()
                if sampling:
                    before, ran = session.clock(), self._ran()
                    slept = int(pause * 1e9)
                    self._sample(me, min(before - last, slept + ran - last_ran, LONGEST))
                    last, last_ran = before, ran
                    self._spent += session.cpu() - used + SWITCH_NS
                self._tend(used, 1)
                if sampling:
                    pause = min(pause * 1.5, max(least, LONGEST_PAUSE)) if self._too_much() else least
            except Exception as problem:
                self._fault(problem)

    def _tend(self, used: int, rounds: int) -> None:
        """Write what is waiting, and think of parked functions. `used`: CPU time of this thread before the round, which
        lasted for so many of those in which it waits for each sample."""
        session = self.session
        session.tick()
        self._rounds += rounds
        if not self._rounds % LOOK_EVERY:
            session.parking.look()
        session.governor.spent += session.cpu() - used + SWITCH_NS

    def _too_much(self) -> bool:
        return self._spent > GRACE_NS + self.session.governor.cpu_ns * MAX_SHARE

    def _fault(self, problem: Exception) -> None:
        session = self.session
        session.faults += 1
        session.first_fault = session.first_fault or f"{type(problem).__name__} in sampler"

    def _sample(self, me: int, weight_ns: int) -> None:
        session = self.session
        functions = session.functions
        for ident, leaf in sys._current_frames().items():
            if ident == me:
                continue
            stack: List[Tuple[int, int]] = []
            frame: FrameType | None = leaf
            while frame is not None and len(stack) < MAX_STACK:
                function = functions.get(id(frame.f_code))
                if function is not None and function.kind != INLINE:
                    stack.append((function.index, frame.f_lineno or 0))
                frame = frame.f_back
            frame = None
            if stack:
                stack.reverse()
                session.numbers.sample(tuple(stack), weight_ns)
