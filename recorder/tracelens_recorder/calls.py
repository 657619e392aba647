"""Calls in progress: who runs what now, for how long, and who called it. Knows nothing of values, captures or files.

Calls are known by the identity of their frame, never by a reference to it: a frame that is held on to keeps the
program's objects alive. The parent of a call is found through `f_back`, not on a stack of our own, so that a missed
event cannot put later calls under the wrong parent.
"""

from __future__ import annotations

import _thread
import time
from types import FrameType
from typing import Callable, Dict

from tracelens_recorder.code import INLINE, Function
from tracelens_recorder.counters import Call, Numbers, ThreadState
from tracelens_recorder.histogram import bucket

MAX_CALLER_HOPS = 64
"""Frames out of scope that are climbed over to find the caller in scope."""
MAX_LIVE = 50_000
"""Calls in progress that are remembered; generators that were dropped without an event are among them."""


class CallsInProgress:
    """Of one process. A session is one: what each start and end of a call does is looked up in no second object."""

    def __init__(self) -> None:
        self.clock: Callable[[], int] = time.perf_counter_ns
        """Bound here, out of reach of libraries that replace the clocks in every module they find."""
        self.functions: Dict[int, Function] = {}
        """By id() of the code object."""
        self._none_in_progress()

    def _none_in_progress(self) -> None:
        """The state of a process in which nothing has run yet."""
        self.local = _thread._local()
        self.numbers = Numbers()
        self.live: Dict[int, Call] = {}
        """By id() of the frame."""

    def thread(self) -> ThreadState:
        try:
            thread: ThreadState = self.local.state
            return thread
        except AttributeError:
            return self._new_thread()

    def _new_thread(self) -> ThreadState:
        state = self.numbers.new_thread()
        self.local.state = state
        return state

    def suspended(self, frame: FrameType) -> None:
        """A generator or coroutine yielded."""
        call = self.live.get(id(frame))
        if call is not None and call.running:
            self._leave(call, self.clock())

    def resumed(self, function: Function, frame: FrameType) -> None:
        """A generator or coroutine went on. Not a call."""
        call = self.live.get(id(frame))
        if call is None or call.function is not function or call.running:
            return
        thread = self.thread()
        counter = thread.counter(function.index)
        counter.resumes += 1
        counter.active += 1
        call.thread, call.counter, call.running = thread, counter, True
        self._enter(call, frame, first=False)
        call.overhead = thread.overhead
        call.start = self.clock()

    def _enter(self, call: Call, frame: FrameType, first: bool) -> None:
        """Find who runs this frame now: the nearest function or module in scope on the stack."""
        functions = self.functions
        back = frame.f_back
        hops = 0
        caller = None
        while back is not None:
            code = back.f_code
            caller = functions.get(id(code))
            if caller is not None and caller.kind != INLINE:
                break
            caller = None
            hops += 1
            if hops > MAX_CALLER_HOPS or code.co_name == "_run_once":
                # asyncio's loop: what stands below it on the stack started the loop, not this callback
                return self._no_caller(call)
            back = back.f_back
        if caller is None or back is None:
            return self._no_caller(call)
        parent = self.live.get(id(back))
        call.parent = parent if parent is not None and parent.function is caller and parent.running else None
        if first:
            edges = call.thread.edges
            key = (caller.index, back.f_lasti, call.function.index)
            edge = edges.get(key)
            if edge is None:
                edge = edges[key] = [0, 0, 0, 0]
            edge[0] += 1
            call.edge = edge
            call.caller = (caller.index, back.f_lasti)
        return None

    def _no_caller(self, call: Call) -> None:
        call.parent = None

    def _leave(self, call: Call, now: int) -> int:
        """End a stretch of running; returns the wall time of the whole call so far."""
        thread, counter = call.thread, call.counter
        spent = now - call.start - (thread.overhead - call.overhead)
        if spent < 0:
            spent = 0
        own = spent - call.child
        if own < 0:
            own = 0
        call.duration += spent
        call.self += own
        call.child = 0
        call.running = False
        counter.self += own
        counter.active -= 1
        if counter.active <= 0:
            counter.active = 0
            counter.total += spent
        if call.edge is not None:
            call.edge[1] += spent
        parent = call.parent
        if parent is not None:
            parent.child += spent
            call.parent = None
        return call.duration

    def _finish(self, call: Call, now: int) -> None:
        duration = self._leave(call, now) if call.running else call.duration
        counter = call.counter
        call.function.live -= 1
        counter.ended += 1
        if counter.min < 0 or duration < counter.min:
            counter.min = duration
        if duration > counter.max:
            counter.max = duration
        place = bucket(duration)
        durations = counter.durations
        durations[place] = durations.get(place, 0) + 1

    def _forget_suspended(self) -> None:
        """Generators that were dropped leave no event on some versions: let go of the oldest that are not running."""
        for key, call in list(self.live.items())[: MAX_LIVE // 2]:
            if not call.running:
                self.live.pop(key, None)
                call.function.live -= 1

    def _count_error(self, function: Function) -> None:
        self.thread().counter(function.index).errors += 1
