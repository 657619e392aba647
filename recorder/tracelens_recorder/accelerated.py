"""Every call counted in C, where the extension `_tracelens_core` is there (recorder-accelerator/; never needed).

The extension takes the callbacks of sys.monitoring and does what session.py does, to the same numbers. What is rare it
hands back to the session: calls that are captured, exceptions, values that are met for the first time.
"""

from __future__ import annotations

import os
import sys
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

from tracelens_recorder import payloads
from tracelens_recorder.code import Function
from tracelens_recorder.counters import Call, Counter
from tracelens_recorder.failures import is_failure
from tracelens_recorder.observed import MAX_PARAMETERS, RESULT, describe
from tracelens_recorder.redact import is_secret_name
from tracelens_recorder.values import is_enum, type_name

if TYPE_CHECKING:
    from tracelens_recorder.session import Session

API = 1
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


def accelerate(session: Session) -> Optional[Accelerated]:
    """Let the extension count for a session that records every call; None where it cannot."""
    environment = getattr(os.environ, "_data", None)
    if type(environment) is not dict:
        return None
    core = load()
    return Accelerated(session, core, environment) if core is not None else None


class Accelerated:
    """The extension at work for one session."""

    def __init__(self, session: Session, core: Any, environment: Any) -> None:
        self._session = session
        self.core = core
        self._nobody = Counter()
        """Takes what the session would add to numbers that the extension has added up already."""
        core.setup(
            self._begin,
            self._end,
            self._raised,
            self._value,
            self._test,
            self._type,
            session.options.values,
            environment,
        )

    def add(self, function: Function) -> None:
        names = function.parameters[:MAX_PARAMETERS]
        secret = (*map(is_secret_name, names), False)
        self.core.add(function.code, function.index, function.kind, secret)

    def collect(self, settle: bool) -> List[Tuple[int, Any]]:
        """What was added since the last time, as records."""
        counts, edges, tests, values = self.core.collect(settle)
        table = self._session.table
        places: dict[Tuple[int, int, int], List[int]] = {}
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
        for call, duration, own in self.core.unfinished():
            call.duration, call.self = duration, own
            self._session.captures.end(call, ["unfinished"])

    # What the extension asks. Errors of ours are caught here; what comes out is the program's.

    def _begin(
        self, index: int, frame: FrameType, number: int, caller: int, offset: int, above: Optional[Call]
    ) -> Optional[Call]:
        session = self._session
        try:
            function = session.table[index]
            call = self._call(function, caller, offset)
            call.parent = above
            chosen = session.choose(call, number)
            self.core.capture_next(index, function.next)
            if chosen:
                session.captures.begin(call, frame)
                call.parent = None
                return call
        except BaseException as problem:
            session.fault(problem)
        return None

    def _end(self, call: Call, duration: int, own: int, value: object) -> None:
        try:
            call.duration, call.self = duration, own
            self._session.captures.returned(call, value)
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
    ) -> None:
        """`known`: the captured call that is left, True for one that is not captured, None for none."""
        session = self._session
        try:
            function = session.table[index]
            if known is not None:
                call = known if type(known) is Call else self._call(function, caller, offset)
                call.duration, call.self = duration, own
                session.live[id(frame)] = call
            (session.raised if is_failure(exception) else session.left)(function, frame, exception)
        except BaseException as problem:
            session.fault(problem)
        finally:
            session.live.pop(id(frame), None)

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
