"""One recording of one process: what the collectors report goes in, frames of the recording come out.

The collectors (monitoring.py, profiling.py) say which in-scope function started, was suspended, resumed, returned or
raised; sampler.py adds stacks. Counters are kept per thread, because adding to a number that threads share loses
counts; they are summed when they are written. What is written is what was added since the last time, so that a
recording is whole at every moment.

How calls in progress are known and timed is said in calls.py.
"""

from __future__ import annotations

import _random
import _thread
import itertools
import os
import time
from types import CodeType, FrameType, TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple

from tracelens_recorder import current_test, payloads
from tracelens_recorder.accelerated import accelerate
from tracelens_recorder.boundaries import Boundaries
from tracelens_recorder.calls import MAX_LIVE, CallsInProgress
from tracelens_recorder.captures import Captures
from tracelens_recorder.classes import type_name
from tracelens_recorder.code import FUNCTION, INLINE, NEVER, Function
from tracelens_recorder.context import Context
from tracelens_recorder.counters import Call, Counter, ThreadState, Unwinding
from tracelens_recorder.failures import FULL_RAISES, Failures, kind_of
from tracelens_recorder.faults import is_the_programs, place_of
from tracelens_recorder.governor import CALL_NS, FEWEST_FAST, LOOK_CALLS, SITE_NS, Governor
from tracelens_recorder.launch import Options
from tracelens_recorder.marked import kind_of as kind_of_code
from tracelens_recorder.observed import ObservedValues
from tracelens_recorder.parking import Parking
from tracelens_recorder.scope import Scope
from tracelens_recorder.sites import Sites, around
from tracelens_recorder.values import message_of
from tracelens_recorder.writing import RecordingFile

EARLY = 16
"""Calls of each function that are captured in full, one and all; from then on one is drawn now and then."""
DRAWN = 16
"""Calls that are drawn of each stretch in which the number of calls grows e-fold, where there is a budget."""
DRAWN_UNGOVERNED = 4
DISCOVERY_NS = 10_000
"""CPU nanoseconds of meeting a function."""
UNWIND_NS = 500
MAX_UNWIND_NS = 5_000_000
"""More was not spent on an exception: the thread had to wait."""
FLUSH_RECORDS = 64
MAX_HELD = 20_000
"""Records of one test that wait until it is known whether it fails; of more the oldest are dropped."""
FLUSH_NS = 150_000_000
"""Nanoseconds after which records are written, and at least as long between two writings of numbers: with the sampler's
pause no more than 200 ms are lost when the process is killed."""

_traceback_of = BaseException.__dict__["__traceback__"].__get__


class Session(CallsInProgress):
    """The recording of this process. Its methods are called from any thread, inside callbacks that catch all."""

    def __init__(self, out: str, scope: Scope, options: Options, mode: str) -> None:
        self.scope = scope
        self.options = options
        self.mode = mode
        self.out = out
        super().__init__()
        # Bound here, like the clock: out of reach of libraries that replace them in every module they find.
        self.wall: Callable[[], int] = time.time_ns
        self.cpu: Callable[[], int] = time.thread_time_ns
        self.park: Callable[[Function, bool], None] = lambda function, draining: None
        """Listen to the starts of a function no more, and to its ends only while it drains."""
        self.watch: Callable[[CodeType], None] = lambda code: None
        """Listen to what code of another package returns."""
        self.unpark: Callable[[Function], None] = lambda function: None
        self.governed = mode == "monitoring" and not options.exact
        self.limit = NEVER if options.exact or self.governed else options.limit
        self.drawn = DRAWN if self.governed else DRAWN_UNGOVERNED
        self.lot: Callable[[], float] = _random.Random().random
        self.table: List[Function] = []
        self.notes: List[str] = []
        self.read_test = current_test.reader()
        self.marks: Callable[[CodeType], str] = kind_of_code
        """What the program has marked a code object as; "" not at all."""
        self.gate: Optional[Callable[[], bool]] = None
        """Says of what runs now that it is not to be recorded: requests that were not chosen."""
        self.holding = False
        """What is recorded waits until it is known whether the test fails (keeping.py)."""
        self.accelerated = accelerate(self) if mode == "monitoring" else None
        self.frugal = self.governed or self.accelerated is not None
        """Values are kept within the budget."""
        self._reset()

    def _reset(self) -> None:
        """The state of a process in which nothing has run yet; again in a child after a fork."""
        self.pid = os.getpid()
        self.started_ns = self.wall()
        self.started_clock = self.clock()
        self.lock = _thread.RLock()
        self._none_in_progress()
        self.governor = Governor(self.options.budget if self.frugal else float("inf"), self.clock)
        if self.accelerated is not None:
            self.governor.fewest = FEWEST_FAST
        self.captures = Captures(self)
        self.failures = Failures(self)
        self.raises: Dict[Tuple[int, str], int] = {}
        """How often a function let out an exception of a type: decides which of those calls are captured."""
        self.tests: List[str] = [""]
        self.test_index = {"": 0}
        self.test = 0
        """Index into `tests` of the one that runs; 0 none."""
        self.test_seen: object = None
        self.redacted = 0
        self.contexts: List[Tuple[int, Dict[str, Any]]] = []
        """(number, what it says) of contexts that captures refer to, not written yet."""
        self.contexts_seen = 0
        self.span_ids = itertools.count(1)
        self.described: List[List[Any]] = []
        """What each number stands for under which values are counted: rows of VALUES, which every file needs."""
        self.boundaries = Boundaries(self)
        self.parking = Parking(self)
        self.sites = Sites(self.functions)
        self.observed = ObservedValues(self) if self.options.exact and self.options.values else None
        self.faults = 0
        self.first_fault = ""
        self.records: List[Tuple[int, Any]] = []
        self.closed = False
        self._last_flush = self.started_clock
        self._next_counts = 0
        path = os.path.join(self.out, f"{self.started_ns:016x}-{self.pid}.tlrec")
        self.file = RecordingFile(path, 0, self.started_clock)

    # What ran

    def add(self, code: CodeType) -> Optional[Function]:
        """The function of a code object that is met for the first time; None when it is out of scope."""
        file = self.scope.file(code.co_filename)
        if file is None:
            if not self.marks(code):
                return None
            file = self.scope.take(code.co_filename)
        with self.lock:
            known = self.functions.get(id(code))
            if known is None:
                known = Function(len(self.table), code, file)
                known.stop = self.limit
                known.mark = self.marks(code)
                known.armed_at = self.clock()
                self.boundaries.read_names(known)
                self.governor.spent += DISCOVERY_NS
                self.table.append(known)
                if self.accelerated is not None:
                    self.accelerated.add(known)
                self.functions[id(code)] = known
            return known

    def started(self, function: Function, frame: FrameType) -> None:
        if self.gate is not None and self.gate():
            function.unfaithful = True
            return
        now = self.clock()
        # `thread()` and `counter()` written out: this runs for each call.
        try:
            thread: ThreadState = self.local.state
        except AttributeError:
            thread = self._new_thread()
        counter = thread.counters.get(function.index)
        if counter is None:
            counter = thread.counters[function.index] = Counter()
        test = self.read_test()
        if test is not self.test_seen:
            self.switch_test(test)
        if counter.test != self.test:
            thread.settle(function.index, counter, self.test)
        counter.calls += 1
        counter.active += 1
        number = function.calls = function.calls + 1
        function.live += 1
        governor = self.governor
        governor.spent += CALL_NS
        call = Call(function, thread, counter)
        self._enter(call, frame, first=True)
        if self.observed is not None:
            call.values = self.observed.arguments(function, frame)
        if number >= function.next and self.choose(call, number):
            before = self.cpu()
            self.captures.begin(call, frame)
            governor.captured(self.cpu() - before)
            call.start = self.clock()
            thread.overhead += call.start - now
        else:
            call.start = now
        call.overhead = thread.overhead
        live = self.live
        if len(live) >= MAX_LIVE:
            self._forget_suspended()
        live[id(frame)] = call
        if (number >= function.stop or governor.spent > governor.allowed) and not function.mark:
            self.parking.consider(function, number)

    def choose(self, call: Call, number: int) -> bool:
        """Whether a call whose turn it is gets captured, and whose turn is next.

        Early calls are captured one and all. Of later ones so many are drawn that each stretch in which the number of
        calls grows e-fold gives as many, wherever the run ends: call i is taken with 1 - ((i-1)/i)^drawn, and stands
        for the inverse of that. In a look at a parked function one call stands for those since it was parked.
        """
        function = call.function
        if function.mark:
            function.next = number + 1
            function.captures += 1
            call.chosen = "marked"
            return True
        if function.looking:
            function.next = NEVER
            rate = function.calls / max(function.seen_ns, 1)
            unseen = rate * max(0, function.armed_at - function.parked_at)
            call.chosen, call.represents = "reservoir", LOOK_CALLS + unseen
            function.captures += 1
            return True
        if number < EARLY:
            function.next = number + 1
        else:
            function.next = int(number * (1.0 - self.lot()) ** (-1.0 / self.drawn)) + 1
        if number > EARLY:
            call.chosen, call.represents = "reservoir", 1.0 / (1.0 - ((number - 1) / number) ** self.drawn)
        governor = self.governor
        if function.captures and governor.spent > governor.allowed and governor.over():
            if self.accelerated is not None:  # which counts the calls between, and does not ask at each
                function.next = max(function.next, number + (number >> 1) + 1)
            return False
        function.captures += 1
        return True

    def returned(self, frame: FrameType, value: object) -> None:
        call = self.live.pop(id(frame), None)
        if call is None:
            if self.parking.draining:
                self.parking.drain(frame)
            return
        now = self.clock()
        self._finish(call, now)
        if self.observed is not None:
            self.observed.returned(call, value)
        if call.capture is not None:
            before = self.cpu()
            self.captures.returned(call, value)
            self.governor.spent += self.cpu() - before
            call.thread.overhead += self.clock() - now
        if call.function.due:
            self.parking.park(call.function)

    def raised(self, function: Function, frame: FrameType, exception: BaseException) -> None:
        """An exception left a frame in scope."""
        traceback = _traceback_of(exception)
        before = self.clock()
        call = self.live.get(id(frame)) if function.kind == FUNCTION else None
        if (
            (call is None or call.capture is None)
            and self.raises.get((function.index, kind_of(exception)[1]), 0) >= FULL_RAISES
            and self.failures.repeats(function, frame, exception, traceback)
        ):
            self.left(function, frame, exception)
            if function.kind == FUNCTION:
                self._count_error(function)
            self.governor.spent += UNWIND_NS * 4
            return
        self.unwound(function, frame, self.unwinding(function, frame, exception, traceback))
        self.governor.spent += min(self.clock() - before, MAX_UNWIND_NS) + UNWIND_NS

    def left(self, function: Function, frame: FrameType, exception: BaseException) -> None:
        """A frame in scope was left by what is no failure: StopIteration, cancellation."""
        call = self.live.get(id(frame)) if function.kind == FUNCTION else None
        if call is not None and call.capture is not None:
            self.raised(function, frame, exception)
        elif call is not None:
            self.live.pop(id(frame), None)
            self._finish(call, self.clock())
            if call.values:
                self.observed_raised(call, kind_of(exception)[1])
            if function.due:
                self.parking.park(function)

    def unwinding(
        self, function: Function, frame: FrameType, exception: BaseException, traceback: Optional[TracebackType]
    ) -> Unwinding:
        """What there is to say of an exception that is about to leave a frame, without holding on to it."""
        failed, kind = kind_of(exception)
        call = self.live.get(id(frame)) if function.kind == FUNCTION else None
        it = Unwinding()
        it.failed, it.kind = failed, kind
        it.closing = issubclass(type(exception), GeneratorExit)
        if failed:
            it.prepared = self.failures.prepare(function, frame, exception, traceback)
        if call is not None or (function.parked and failed and function.kind == FUNCTION):
            captured = call is not None and call.capture is not None
            it.worth = captured or (failed and self._worth_capturing(function, exception))
            if it.worth:
                it.type = type_name(type(exception))
                it.message, found = message_of(exception)
                self.redacted += found
                ours = traceback is not None and traceback.tb_frame is frame
                it.line = (traceback.tb_lineno if traceback is not None and ours else frame.f_lineno) or 0
        return it

    def unwound(self, function: Function, frame: FrameType, exception: Unwinding) -> None:
        """A frame in scope was left by an exception."""
        now = self.clock()
        call = self.live.pop(id(frame), None) if function.kind == FUNCTION else None
        if call is not None:
            self._finish(call, now)
            if call.values:
                self.observed_raised(call, exception.kind)
        if exception.failed and function.kind == FUNCTION:
            self._count_error(function)
        failure = self.failures.commit(exception.prepared) if exception.prepared is not None else None
        if call is None and exception.worth:
            call = self._unseen(function)
        if call is not None and call.capture is None and exception.worth:
            call.chosen, call.represents = "failure", 0.0
            function.captures += 1
            self.captures.begin_late(call, frame)
        if call is not None and call.capture is not None:
            if failure is not None:
                failure["call"] = call.capture["id"]
            if exception.closing:
                self.captures.end(call, ["unfinished"])
            else:
                self.captures.end(call, ["raised", exception.type, exception.message, exception.line])
        if failure is not None:
            self.record(payloads.FAILURES, failure)
            self._last_flush -= FLUSH_NS // 2  # written sooner
        if call is not None:
            call.thread.overhead += self.clock() - now
            if function.due:
                self.parking.park(function)

    def calls_of(self, function: Function) -> int:
        return function.calls if self.accelerated is None else self.accelerated.core.calls(function.index)

    def observed_raised(self, call: Call, kind: str) -> None:
        if self.observed is not None:
            self.observed.raised(call, kind)

    def _unseen(self, function: Function) -> Call:
        """A call of a parked function, whose start was not listened to."""
        thread = self.thread()
        call = Call(function, thread, Counter())
        call.duration = call.self = -1
        call.running = False
        return call

    def _worth_capturing(self, function: Function, exception: BaseException) -> bool:
        key = (function.index, kind_of(exception)[1])
        n = self.raises[key] = self.raises.get(key, 0) + 1
        if self.governor.over():
            return not function.captures
        return n <= FULL_RAISES or not n & (n - 1)

    def unwound_unseen(self, function: Function, frame: FrameType) -> None:
        """A frame in scope was left by an exception, and nobody told which."""
        call = self.live.pop(id(frame), None)
        self._count_error(function)
        if call is not None:
            self._finish(call, self.clock())
            if call.capture is not None:
                self.captures.end(call, ["raised", "", "", frame.f_lineno or 0])

    def called(self, function: Function, offset: int, callee: object, first: object, frame: FrameType) -> bool:
        """A call site of code in scope calls something; `first`: its first argument, or sys.monitoring.MISSING. Returns
        whether it may be left alone from now on."""
        self.governor.spent += SITE_NS
        if self.boundaries.open:
            code = self.boundaries.called(callee)
            if code is not None:
                self.watch(code)
        target, done = self.sites.called(function, offset, callee, first)
        if target is not None and target.parked:  # else its start says who called it
            caller: Optional[Function] = function
            if function.kind == INLINE:
                caller, offset = around(function, frame, self.functions)
            if caller is not None:
                edges = self.thread().edges
                key = (caller.index, offset, target.index)
                edge = edges.get(key)
                if edge is None:
                    edge = edges[key] = [0, 0, 0, 0]
                edge[0] += 1
        return done

    def switch_test(self, seen: object) -> None:
        with self.lock:
            self.test_seen = seen
            said = current_test.said()
            index = self.test_index.get(said)
            if index is None:
                index = self.test_index[said] = len(self.tests)
                self.tests.append(current_test.name(said))
            self.test = index

    # What the program says about its work

    def context_number(self, context: Context) -> int:
        """The number under which captures refer to a context; 0 for one that says nothing."""
        if context.session is not self.file or not context.number:
            said = context.describe()
            if not said:
                return 0
            with self.lock:
                self.contexts_seen += 1
                context.number, context.session = self.contexts_seen, self.file
                self.contexts.append((context.number, said))
        return context.number

    def missed_some(self) -> None:
        """From here on what was in progress is not known any more, and no count is exact."""
        with self.lock:
            for call in list(self.live.values()):
                if call.capture is not None:
                    self.captures.end(call, ["unfinished"])
            self.live.clear()
            for function in self.table:
                function.live = 0
                function.unfaithful = True
            for thread in list(self.numbers.threads):
                for counter in list(thread.counters.values()):
                    counter.active = 0

    # Writing

    def record(self, kind: int, payload: Any) -> None:
        if self.closed:
            return
        self.records.append((kind, payload))
        if len(self.records) >= FLUSH_RECORDS:
            self.flush()

    def tick(self) -> None:
        """Called by the sampler's thread, often: writes what is waiting."""
        now = self.clock()
        if now - self._last_flush >= FLUSH_NS:
            counts = now >= self._next_counts
            self.flush(counts)
            if counts:  # never more than two hundredths of the time on writing numbers
                done = self.clock()
                self._next_counts = done + max(FLUSH_NS, (done - now) * 50)

    def flush(self, counts: bool = False, closing: bool = False) -> None:
        with self.lock:
            if self.closed or os.getpid() != self.pid:
                return
            self._last_flush = self.clock()
            if self.holding and not closing:
                del self.records[:-MAX_HELD]
                return
            records, self.records = self.records, []
            if counts:
                records += self.counted(closing)
            try:
                self.file.write(self, records, closing)
                if not closing and self.file.is_full(self):
                    self.file = self.file.next(self)
            except OSError as problem:
                self.closed = True
                self.fault(problem)

    def counted(self, closing: bool) -> List[Tuple[int, Any]]:
        """What was counted since the last time, as records."""
        records: List[Tuple[int, Any]] = []
        if self.observed is not None:
            records += self.observed.collect(list(self.numbers.threads))
        records += self.numbers.collect(self.table)
        if self.accelerated is not None:
            records += self.accelerated.collect(closing)
        records += [(payloads.REPEATED, row) for row in self.failures.repeated()]
        return records

    def close(self) -> None:
        """Write all there is, and the end of the file. A second time does nothing."""
        with self.lock:
            if self.closed or os.getpid() != self.pid:
                return
            for call in list(self.live.values()):
                if call.capture is not None:
                    self.captures.end(call, ["unfinished"])
            if self.accelerated is not None:
                self.accelerated.close()
            self.numbers.settle()
            if self.table or self.notes:
                self.flush(counts=True, closing=True)
            self.closed = True

    def in_child(self) -> None:
        """After a fork: what was counted so far is the parent's. This process writes a file of its own."""
        self._reset()
        if self.accelerated is not None:
            self.accelerated.forget()
        for function in self.table:
            listened = not function.parked
            function.forget()
            function.unfaithful = False
            function.stop, function.armed_at = self.limit, self.clock()
            if not listened:
                self.unpark(function)

    # When the recorder itself fails

    def fault(self, problem: BaseException) -> None:
        """Take note of an error of the recorder's own. Raises what is not its own: an exception from a signal handler
        of the program, which ran while we did."""
        if is_the_programs(problem):
            raise problem
        self.faults += 1
        if not self.first_fault:
            self.first_fault = f"{type(problem).__name__} in {place_of(problem)}"
