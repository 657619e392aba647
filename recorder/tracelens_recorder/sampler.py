"""Looks at all threads' stacks a few hundred times a second, so that shares of time do not hang on what is captured.

A sample is the part of a stack that is in scope, weighted with the time since the last one. Time is wall time: a
function that waits is on the stack too. But where more time has passed than was slept, only as much of the rest counts
as the program has run: a machine that is busy with others is not the fault of the function that it comes back to. The
thread is made with _thread, and so is not seen in threading.enumerate().
"""

from __future__ import annotations

import _thread
import os
import sys
import time
from types import FrameType
from typing import List, Tuple

from tracelens_recorder.code import INLINE
from tracelens_recorder.session import Session

MAX_SHARE = 0.01
"""Of the program's CPU time, that is spent on sampling and on writing; the interval is stretched to keep to it."""
GRACE_NS = 5_000_000
LONGEST_PAUSE = 0.04
"""Seconds, so that what is recorded is written in time."""
MAX_STACK = 128
"""Frames in scope of one stack, from the leaf."""
SWITCH_NS = 30_000
"""CPU nanoseconds for which this thread takes the interpreter from the others."""
TICK = 0.04
"""Seconds between looks when there is nothing to sample: what is recorded is still to be written."""
LOOK_EVERY = 3
"""Rounds of this thread after which parked functions are thought of."""
LONGEST = 60_000_000_000
"""Nanoseconds that one sample may stand for: the machine may have been asleep."""


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

    def start(self) -> None:
        if self._running:
            return
        self._wake = _thread.allocate_lock()
        self._wake.acquire()
        self._gone = _thread.allocate_lock()
        self._gone.acquire()
        self._stop = False
        self._running = True
        _thread.start_new_thread(self._run, (self._wake, self._gone))

    def stop(self) -> None:
        """End the thread, and wait until it is gone: Python warns of a fork beside another thread."""
        if not self._running:
            return
        self._running = False
        self._stop = True
        self._wake.release()
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

    _native = ""

    def _run(self, wake: _thread.LockType, gone: _thread.LockType) -> None:
        session = self.session
        self._native = str(_thread.get_native_id())
        me = _thread.get_ident()
        interval = session.options.sample_interval
        sampling = interval > 0
        pause = interval if sampling else TICK
        last, last_ran = session.clock(), self._ran()
        spent = round_ = 0
        try:
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
                        spent += session.cpu() - used + SWITCH_NS
                    session.tick()
                    round_ += 1
                    if not round_ % LOOK_EVERY:
                        session.parking.look()
                    session.governor.spent += session.cpu() - used + SWITCH_NS
                    if sampling:
                        too_much = spent > GRACE_NS + session.governor.cpu_ns * MAX_SHARE
                        pause = min(pause * 1.5, max(interval, LONGEST_PAUSE)) if too_much else interval
                except Exception as problem:
                    session.faults += 1
                    session.first_fault = session.first_fault or f"{type(problem).__name__} in sampler"
        finally:
            gone.release()

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
