"""Calls counted in C, where the extension `_tracelens_core` is there (recorder-accelerator/; never needed).

The extension takes the callbacks of sys.monitoring and does what session.py does, to the same numbers. What is rare it
hands back to the session: calls that are captured, exceptions, values that are met for the first time.
"""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from tracelens_recorder import classes, payloads
from tracelens_recorder.classes import is_enum, type_name
from tracelens_recorder.code import NEVER, Function
from tracelens_recorder.counters import Call, Counter
from tracelens_recorder.failures import FULL_RAISES, kind_of
from tracelens_recorder.observed import MAX_PARAMETERS, RESULT, describe
from tracelens_recorder.redact import is_secret_name

if TYPE_CHECKING:
    from tracelens_recorder.session import Session

API = 2
"""The extension's, that this module speaks."""
NAME = "_tracelens_core"
VARIABLE = "TRACELENS_ACCELERATOR"
"""Environment: "0" leaves the extension alone."""
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "accelerators")
"""Where `recorder-accelerator/build.sh` puts what it builds."""


def load() -> Optional[ModuleType]:
    """The extension for this interpreter, from beside the recorder or from where packages are installed; None where
    there is none. Never from the working directory, nor from what the program puts on its path."""
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in ((3, 12), (3, 13)):
        return None
    if os.environ.get(VARIABLE) == "0":
        return None
    from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec

    installed = [one for one in sys.path if os.path.basename(one) in ("site-packages", "dist-packages")]
    for folder in (FOLDER, *installed):
        path = os.path.join(folder, NAME + EXTENSION_SUFFIXES[0])
        if os.path.exists(path):
            try:
                loader = ExtensionFileLoader(NAME, path)
                core = loader.create_module(ModuleSpec(NAME, loader, origin=path))
                loader.exec_module(core)
            except ImportError:
                continue
            if core.__dict__.get("API") == API:
                return core
    return None


CALL_NS = 250
"""CPU nanoseconds of one call that the extension counts and times, start and end."""
PATIENCE = 64
"""Calls after which the governor is asked whether too much is spent, while it is not."""
HASTE = 16
"""The same while it is: to ask costs as much as to count seven calls."""


def accelerate(session: Session) -> Optional[Accelerated]:
    """Let the extension count for a session; None where it cannot."""
    environment = getattr(os.environ, "_data", None)
    if type(environment) is not dict:
        return None
    core = load()
    try:
        return Accelerated(session, core, environment) if core is not None else None
    except Exception as problem:
        session.notes.append(f"the accelerator could not start ({type(problem).__name__}): recorded without it")
        return None


class Accelerated:
    """The extension at work for one session."""

    def __init__(self, session: Session, core: Any, environment: Any) -> None:
        self._session = session
        self.core = core
        self._frames: Dict[int, int] = {}
        """id() of calls that are captured to id() of their frames, by which the session knows them."""
        self._nobody = Counter()
        """Takes what the session would add to numbers that the extension has added up already."""
        options = session.options
        hooks = (self._begin, self._end, self._raised, self._value, self._test, self._type, self._consider, self._ended)
        core.setup(*hooks, options.exact and options.values, environment)
        core.wait(NEVER if options.exact else PATIENCE)
        classes.fields_in_place = core.fields
        self.looks = bool(core.can_look())
        """Whether stacks can be sampled without the interpreter's leave."""
        for hook in hooks:
            core.leave_out(hook.__code__)

    def leave_out(self, *codes: CodeType) -> None:
        """The time of these is the recorder's own: no sample is taken while they run."""
        for code in codes:
            self.core.leave_out(code)

    def add(self, function: Function) -> None:
        names = function.parameters[:MAX_PARAMETERS]
        secret = (*map(is_secret_name, names), False)
        self.core.add(function.code, function.index, function.kind, secret)

    def collect(self, settle: bool) -> List[Tuple[int, Any]]:
        """What was added since the last time, as records."""
        counts, edges, tests, values, failures = self.core.collect(settle)
        for group, n in failures:
            self._session.failures.add(group, n)
        table = self._session.table
        places: Dict[Tuple[int, int, int], List[int]] = {}
        for caller, offset, callee, calls, total in edges:
            known = places.setdefault((caller, table[caller].line_at(offset), callee), [0, 0])
            known[0] += calls
            known[1] += total
        rows: List[Tuple[int, Any]] = [(payloads.COUNTS, row) for row in counts]
        rows += [(payloads.EDGES, [*place, *edge]) for place, edge in places.items()]
        rows += [(payloads.TEST_COUNTS, row) for row in tests]
        rows += [(payloads.VALUE_COUNTS, row) for row in values]
        return rows

    def close(self) -> None:
        """Calls that are captured and have not ended."""
        self._unfinished(-1)

    def drop(self, function: Function) -> None:
        """The ends of a function's calls in progress will not be seen."""
        self._unfinished(function.index)
        self.core.drop(function.index)

    def tell(self, function: Function) -> None:
        """What the session has decided about a function."""
        self.core.park(function.index, function.stop, function.due, function.draining > 0)
        self.core.capture_next(function.index, function.next)

    def forget(self) -> None:
        """In a child after a fork."""
        self.core.reset()
        self.core.wait(NEVER if self._session.options.exact else PATIENCE)

    def _unfinished(self, index: int) -> None:
        for call, duration, own in self.core.unfinished(index):
            self._session.live.pop(self._frames.pop(id(call), 0), None)
            call.duration, call.self = duration, own
            self._session.captures.end(call, ["unfinished"])

    # What the extension asks. Errors of ours are caught here; what comes out is the program's.

    def _begin(
        self, index: int, frame: FrameType, number: int, caller: int, offset: int, above: Optional[Call]
    ) -> Optional[Call]:
        session = self._session
        try:
            function = session.table[index]
            function.calls = number
            call = self._call(function, caller, offset)
            call.parent = above
            chosen = session.choose(call, number) and not (session.gate is not None and session.gate())
            self.core.capture_next(index, function.next)
            if chosen:
                before = session.cpu()
                session.captures.begin(call, frame)
                session.governor.captured(session.cpu() - before)
                call.parent = None
                session.live[id(frame)] = call
                self._frames[id(call)] = id(frame)
                return call
        except BaseException as problem:
            session.fault(problem)
        return None

    def _end(self, call: Call, duration: int, own: int, value: object) -> None:
        try:
            session = self._session
            session.live.pop(self._frames.pop(id(call), 0), None)
            call.duration, call.self = duration, own
            before = session.cpu()
            session.captures.returned(call, value)
            session.governor.spent += session.cpu() - before
        except BaseException as problem:
            self._session.fault(problem)

    def _raised(
        self,
        index: int,
        frame: FrameType,
        exception: BaseException,
        known: object,
        duration: int,
        own: int,
        caller: int,
        offset: int,
        untold: int,
    ) -> Optional[Tuple[int, bool, object]]:
        """`known`: the captured call that is left, True for one that is not captured, None for none. `untold`: how many
        like it the extension has counted alone. Returns how many more it may, whether they are failures, and of which
        group."""
        session = self._session
        try:
            function = session.table[index]
            if type(known) is Call:
                self._frames.pop(id(known), None)
            if known is not None:
                call = known if type(known) is Call else self._call(function, caller, offset)
                call.duration, call.self = duration, own
                session.live[id(frame)] = call
            failed, kind = kind_of(exception)
            if not failed:
                session.left(function, frame, exception)
                return None
            group = session.failures.group_of(function, frame, exception)
            if group is not None and untold:
                session.failures.add(group, untold)
            session.raised(function, frame, exception)
            if session.raises.get((index, kind), 0) >= FULL_RAISES:
                return session.failures.quiet(function, frame, exception)
        except BaseException as problem:
            session.fault(problem)
        finally:
            session.live.pop(id(frame), None)
        return None

    def _consider(self, index: int, number: int, live: int) -> None:
        """Too much may be spent, or the call has come at which a function is to be parked."""
        session = self._session
        try:
            governor = session.governor
            function = session.table[index]
            function.calls, function.live = number, live
            governor.spent += self.core.wait(PATIENCE) * CALL_NS
            if (number >= function.stop or governor.spent > governor.allowed) and not function.mark:
                session.parking.consider(function, number)
                self.tell(function)
                if governor.spent > governor.allowed:
                    self.core.wait(HASTE)
        except BaseException as problem:
            session.fault(problem)

    def _ended(self, index: int, calls: int, live: int) -> None:
        """A call has ended, of a function that is to be parked or was parked while calls of it were in progress."""
        session = self._session
        try:
            function = session.table[index]
            function.calls, function.live = calls, live
            if function.due:
                session.parking.park(function)
            elif function.draining:
                session.parking.drain_one(function)
            self.tell(function)
        except BaseException as problem:
            session.fault(problem)

    def _value(self, number: int, index: int, slot: int, value: object, kind: int) -> None:
        try:
            function = self._session.table[index]
            describe(self._session, number, function, RESULT if slot < 0 else function.parameters[slot], value, kind)
        except BaseException as problem:
            self._session.fault(problem)

    def _test(self) -> int:
        session = self._session
        try:
            test = session.read_test()
            if test is not session.test_seen:
                session.switch_test(test)
        except BaseException as problem:
            session.fault(problem)
        return session.test

    def _type(self, kind: type) -> Tuple[str, bool]:
        try:
            return type_name(kind), is_enum(kind)
        except BaseException as problem:
            self._session.fault(problem)
        return "?", False

    def _call(self, function: Function, caller: int, offset: int) -> Call:
        call = Call(function, self._session.thread(), self._nobody)
        call.running = False
        if caller >= 0:
            call.caller = (caller, offset)
        return call
