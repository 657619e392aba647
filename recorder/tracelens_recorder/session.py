"""One recording of one process: what the collectors report goes in, frames of the recording come out.

The collectors (monitoring.py, profiling.py) say which in-scope function started, was suspended, resumed, returned or
raised; sampler.py adds stacks. Counters are kept per thread, because adding to a number that threads share loses
counts; they are summed when they are written. What is written is what was added since the last time, so that a
recording is whole at every moment.

Calls are known by the identity of their frame, never by a reference to it: a frame that is held on to keeps the
program's objects alive. The parent of a call is found through `f_back`, not on a stack of our own, so that a missed
event cannot put later calls under the wrong parent.
"""

from __future__ import annotations

import _thread
import itertools
import json
import os
import sys
import time
from types import CodeType, FrameType, TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple

from tracelens_recorder import container, payloads
from tracelens_recorder.code import FUNCTION, INLINE, Function
from tracelens_recorder.failures import Failures, Prepared, is_failure
from tracelens_recorder.histogram import bucket
from tracelens_recorder.launch import Options
from tracelens_recorder.redact import is_secret_name, redact_text
from tracelens_recorder.scope import Scope
from tracelens_recorder.values import clean, message_of, observe, type_name

FULL = 16
"""Calls of each function that are captured in full; from then on, those whose number is a power of two."""
FULL_RAISES = 5
"""Calls of each function that end in an exception of one type, captured whatever their number."""
FLUSH_RECORDS = 64
FLUSH_NS = 200_000_000
MAX_CALLER_HOPS = 64
"""Frames out of scope that are climbed over to find the caller in scope."""
MAX_LIVE = 50_000
"""Calls in progress that are remembered; generators that were dropped without an event are among them."""

_traceback_of = BaseException.__dict__["__traceback__"].__get__


class Session:
    """The recording of this process. Its methods are called from any thread, inside callbacks that catch all."""

    def __init__(self, out: str, scope: Scope, options: Options, mode: str) -> None:
        self.scope = scope
        self.options = options
        self.mode = mode
        self.out = out
        self.clock: Callable[[], int] = time.perf_counter_ns
        """Bound here, out of reach of libraries that replace the clocks in every module they find."""
        self.wall: Callable[[], int] = time.time_ns
        self.park: Callable[[Function], None] = lambda function: None
        self.unpark: Callable[[Function], None] = lambda function: None
        self.limit = sys.maxsize if options.exact else options.limit
        self.functions: Dict[int, Function] = {}
        """By id() of the code object."""
        self.table: List[Function] = []
        self.notes: List[str] = []
        self.failures = Failures(self)
        self.encode_arguments = _replay_encoder() if options.replay and options.values else None
        try:
            environment: Any = os.environ._data  # type: ignore[attr-defined]
            self._test_key: Any = os.environ.encodekey("PYTEST_CURRENT_TEST")  # type: ignore[attr-defined]
            environment.get(self._test_key)
        except AttributeError:
            environment, self._test_key = os.environ, "PYTEST_CURRENT_TEST"
        self._environment_get = environment.get
        self._reset()

    def _reset(self) -> None:
        """The state of a process in which nothing has run yet; again in a child after a fork."""
        self.pid = os.getpid()
        self.started_ns = self.wall()
        self.started_clock = self.clock()
        self.local = _thread._local()
        self.threads: List[ThreadState] = []
        self.live: Dict[int, Call] = {}
        self.records: List[Tuple[int, Any]] = []
        self.samples: Dict[Tuple[Tuple[int, int], ...], List[int]] = {}
        self.sampled = 0
        self.redacted = 0
        self.faults = 0
        self.first_fault = ""
        self.call_ids = itertools.count(1)
        self.raises: Dict[Tuple[int, str], int] = {}
        """How often a function let out an exception of a type: decides which of those calls are captured."""
        self.tests: List[str] = [""]
        self.test_index: Dict[str, int] = {"": 0}
        self.test = 0
        self._test_raw: Any = None
        self.by_test: Dict[Tuple[int, int], int] = {}
        self.lock = _thread.RLock()
        self.closed = False
        self._last_flush = self.started_clock
        self._next_counts = 0
        self._written_codes = 0
        self._written_tests = 1
        self._written_notes = 0
        name = f"{self.started_ns:016x}-{self.pid}.tlrec"
        self.file = container.Appender(os.path.join(self.out, name))

    # What ran

    def add(self, code: CodeType) -> Optional[Function]:
        """The function of a code object that is met for the first time; None when it is out of scope."""
        file = self.scope.file(code.co_filename)
        if file is None:
            return None
        with self.lock:
            known = self.functions.get(id(code))
            if known is None:
                known = Function(len(self.table), code, file)
                self.table.append(known)
                self.functions[id(code)] = known
            return known

    def started(self, function: Function, frame: FrameType) -> None:
        now = self.clock()
        try:
            thread: ThreadState = self.local.state
        except AttributeError:
            thread = self._new_thread()
        counter = thread.counters.get(function.index)
        if counter is None:
            counter = thread.counters[function.index] = Counter()
        raw = self._environment_get(self._test_key)
        if raw is not self._test_raw:
            self._switch_test(raw)
        counter.calls += 1
        counter.active += 1
        number = function.calls = function.calls + 1
        call = Call(function, thread, counter)
        self._enter(call, frame, first=True)
        if number <= FULL or not number & (number - 1):
            self._capture(call, frame)
            call.start = self.clock()
            thread.overhead += call.start - now
        else:
            call.start = now
        call.overhead = thread.overhead
        live = self.live
        if len(live) >= MAX_LIVE:
            self._forget_suspended()
        live[id(frame)] = call
        if number >= self.limit and not function.parked:
            self._park(function)

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
        try:
            thread: ThreadState = self.local.state
        except AttributeError:
            thread = self._new_thread()
        counter = thread.counters.get(function.index)
        if counter is None:
            counter = thread.counters[function.index] = Counter()
        counter.resumes += 1
        counter.active += 1
        call.thread, call.counter, call.running = thread, counter, True
        self._enter(call, frame, first=False)
        call.overhead = thread.overhead
        call.start = self.clock()

    def returned(self, frame: FrameType, value: object) -> None:
        call = self.live.pop(id(frame), None)
        if call is None:
            return
        now = self.clock()
        self._finish(call, now)
        if call.capture is not None:
            outcome = ["returned", self.observed(value) if self.options.values else None]
            self._emit_capture(call, outcome)
            call.thread.overhead += self.clock() - now

    def raised(self, function: Function, frame: FrameType, exception: BaseException) -> None:
        """An exception left a frame in scope."""
        traceback = _traceback_of(exception)
        self.unwound(function, frame, self.unwinding(function, frame, exception, traceback))

    def unwinding(
        self, function: Function, frame: FrameType, exception: BaseException, traceback: Optional[TracebackType]
    ) -> Unwinding:
        """What there is to say of an exception that is about to leave a frame, without holding on to it."""
        failed = is_failure(exception)
        call = self.live.get(id(frame)) if function.kind == FUNCTION else None
        it = Unwinding()
        it.failed = failed
        it.closing = issubclass(type(exception), GeneratorExit)
        if failed:
            it.prepared = self.failures.prepare(function, frame, exception, traceback)
        if call is not None:
            it.worth = call.capture is not None or (failed and self._worth_capturing(function, exception))
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
        if exception.failed and function.kind == FUNCTION:
            self._count_error(function)
        failure = self.failures.commit(exception.prepared) if exception.prepared is not None else None
        if call is not None and call.capture is None and exception.worth:
            self._capture_late(call, frame)
        if call is not None and call.capture is not None:
            if failure is not None:
                failure["call"] = call.capture["id"]
            if exception.closing:
                self._emit_capture(call, ["unfinished"])
            else:
                self._emit_capture(call, ["raised", exception.type, exception.message, exception.line])
        if failure is not None:
            self.record(payloads.FAILURES, failure)
            self.flush()
        if call is not None:
            call.thread.overhead += self.clock() - now

    def _worth_capturing(self, function: Function, exception: BaseException) -> bool:
        key = (function.index, type_name(type(exception)))
        n = self.raises[key] = self.raises.get(key, 0) + 1
        return n <= FULL_RAISES or not n & (n - 1)

    def unwound_unseen(self, function: Function, frame: FrameType) -> None:
        """A frame in scope was left by an exception, and nobody told which."""
        call = self.live.pop(id(frame), None)
        self._count_error(function)
        if call is not None:
            self._finish(call, self.clock())
            if call.capture is not None:
                self._emit_capture(call, ["raised", "", "", frame.f_lineno or 0])

    def _count_error(self, function: Function) -> None:
        try:
            thread: ThreadState = self.local.state
        except AttributeError:
            thread = self._new_thread()
        counter = thread.counters.get(function.index)
        if counter is None:
            counter = thread.counters[function.index] = Counter()
        counter.errors += 1

    def _new_thread(self) -> ThreadState:
        ident = _thread.get_ident()
        threading = sys.modules.get("threading")
        main = threading.__dict__.get("_main_thread") if threading is not None else None
        name = "main" if main is None or getattr(main, "_ident", ident) == ident else str(ident)
        state = self.local.state = ThreadState(name)
        with self.lock:
            self.threads.append(state)
        return state

    # Times and edges

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
        counter.ended += 1
        if counter.min < 0 or duration < counter.min:
            counter.min = duration
        if duration > counter.max:
            counter.max = duration
        place = bucket(duration)
        durations = counter.durations
        durations[place] = durations.get(place, 0) + 1

    def _park(self, function: Function) -> None:
        function.parked = function.unfaithful = True
        self.park(function)
        for key, call in list(self.live.items()):
            if call.function is function:
                self.live.pop(key, None)
                call.counter.active = 0
                if call.capture is not None:
                    self._emit_capture(call, ["unfinished"])
        self.record(payloads.PARKED, function.index)

    def _forget_suspended(self) -> None:
        """Generators that were dropped leave no event on some versions: let go of the oldest that are not running."""
        for key, call in list(self.live.items())[: MAX_LIVE // 2]:
            if not call.running:
                self.live.pop(key, None)

    # Values

    def _emit_capture(self, call: Call, outcome: List[Any]) -> None:
        capture = call.capture
        if capture is None:
            return
        call.capture = None
        capture["duration_ns"] = call.duration
        capture["self_ns"] = call.self
        capture["outcome"] = outcome
        self.record(payloads.CAPTURES, capture)

    # Tests

    def _switch_test(self, raw: Any) -> None:
        """pytest says in the environment which test runs: "tests/test_a.py::test_b (call)"."""
        with self.lock:
            self._settle()
            self._test_raw = raw
            text = "" if raw is None else os.environ.get("PYTEST_CURRENT_TEST", "")
            if text.endswith(")") and " (" in text:
                text = text[: text.rindex(" (")]
            text = clean(redact_text(text)[0], 400)
            index = self.test_index.get(text)
            if index is None:
                index = self.test_index[text] = len(self.tests)
                self.tests.append(text)
            self.test = index

    def _settle(self) -> None:
        """Put the calls since the last time down to the test that ran meanwhile."""
        for thread in list(self.threads):
            for index, counter in list(thread.counters.items()):
                new = counter.calls - counter.settled
                if new:
                    counter.settled += new
                    if self.test:
                        key = (index, self.test)
                        self.by_test[key] = self.by_test.get(key, 0) + new

    # Writing

    def record(self, kind: int, payload: Any) -> None:
        self.records.append((kind, payload))
        if len(self.records) >= FLUSH_RECORDS:
            self.flush()

    def sample(self, stack: Tuple[Tuple[int, int], ...], weight_ns: int) -> None:
        known = self.samples.get(stack)
        if known is None:
            if len(self.samples) >= 20_000:
                self.flush(counts=True)
            known = self.samples[stack] = [0, 0]
        known[0] += 1
        known[1] += weight_ns
        self.sampled += 1

    def tick(self) -> None:
        """Called by the sampler a few times a second: writes what is waiting."""
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
            records, self.records = self.records, []
            frames: List[Tuple[int, Any]] = []
            if counts:
                frames = self._counts()
            if not records and not frames and not closing and not self.notes[self._written_notes :]:
                return
            try:
                self.file.append(self._encoded(records, frames, closing))
            except OSError as problem:
                self.closed = True
                self.fault(problem)

    def _encoded(
        self, records: List[Tuple[int, Any]], frames: List[Tuple[int, Any]], closing: bool
    ) -> List[container.Frame]:
        out: List[Tuple[int, Any]] = []
        if not self.file.size:
            out.append((payloads.RUN, payloads.run(self)))
        new = self.table[self._written_codes :]
        if new:
            out.append((payloads.CODES, [payloads.code(function) for function in new]))
            self._written_codes += len(new)
        tests = self.tests[self._written_tests :]
        if tests:
            out.append((payloads.TESTS, [[self._written_tests + i, test] for i, test in enumerate(tests)]))
            self._written_tests += len(tests)
        notes = self.notes[self._written_notes :]
        if notes:
            out.append((payloads.NOTES, notes))
            self._written_notes += len(notes)
        grouped: Dict[int, List[Any]] = {}
        for kind, payload in records:
            grouped.setdefault(kind, []).append(payload)
        out.extend(grouped.items())
        out.extend(frames)
        if closing:
            out.append((payloads.END, payloads.end(self)))
        return [(kind, json.dumps(payload, separators=(",", ":")).encode("ascii")) for kind, payload in out]

    def _counts(self) -> List[Tuple[int, Any]]:
        self._settle()
        counts: Dict[int, List[Any]] = {}
        edges: Dict[Tuple[int, int, int], List[int]] = {}
        for thread in list(self.threads):
            for index, counter in list(thread.counters.items()):
                payloads.add_counts(counts, index, counter)
            if thread.edges:
                for (caller, offset, callee), edge in list(thread.edges.items()):
                    calls, total = edge[0] - edge[2], edge[1] - edge[3]
                    if calls or total:
                        edge[2] += calls
                        edge[3] += total
                        key = (caller, self.table[caller].line_at(offset), callee)
                        known = edges.setdefault(key, [0, 0])
                        known[0] += calls
                        known[1] += total
        frames: List[Tuple[int, Any]] = []
        if counts:
            frames.append((payloads.COUNTS, [[index, *row] for index, row in counts.items()]))
        if edges:
            frames.append((payloads.EDGES, [[*key, *edge] for key, edge in edges.items()]))
        by_test, self.by_test = self.by_test, {}
        if by_test:
            frames.append((payloads.TEST_COUNTS, [[*key, n] for key, n in by_test.items()]))
        samples, self.samples = self.samples, {}
        if samples:
            frames.append((payloads.SAMPLES, [[stack, *weight] for stack, weight in samples.items()]))
        repeated = self.failures.repeated()
        if repeated:
            frames.append((payloads.REPEATED, repeated))
        return frames

    def close(self) -> None:
        """Write all there is, and the end of the file. A second time does nothing."""
        with self.lock:
            if self.closed or os.getpid() != self.pid:
                return
            for call in list(self.live.values()):
                if call.capture is not None:
                    self._emit_capture(call, ["unfinished"])
            if self.table or self.notes or self.file.size:
                self.flush(counts=True, closing=True)
            self.closed = True

    def in_child(self) -> None:
        """After a fork: what was counted so far is the parent's. This process writes a file of its own."""
        self._reset()
        self.failures = Failures(self)
        for function in self.table:
            function.calls = 0
            if function.parked:
                function.parked = function.unfaithful = False
                self.unpark(function)

    # When the recorder itself fails

    def fault(self, problem: BaseException) -> None:
        """Take note of an error of the recorder's own. Raises what is not its own: an exception from a signal handler
        of the program, which ran while we did."""
        if isinstance(problem, KeyboardInterrupt) or not is_ours(problem):
            raise problem
        self.faults += 1
        if not self.first_fault:
            self.first_fault = f"{type(problem).__name__} in {place_of(problem)}"


def _replay_encoder() -> Optional[Callable[[Dict[str, Any], Tuple[str, ...]], Any]]:
    try:
        from tracelens_recorder.replayable import encode_arguments
    except ImportError:
        return None
    encoder: Callable[[Dict[str, Any], Tuple[str, ...]], Any] = encode_arguments
    return encoder
