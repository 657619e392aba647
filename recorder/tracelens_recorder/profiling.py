"""Collects through sys.setprofile and sys.settrace (Python 3.9 to 3.11), which have no way to leave code alone.

Calls come from the profile function, in every thread. It is told of the end of a frame, but not whether that was a
return or an exception; the last instruction of the frame says which. The exceptions themselves come from a trace
function, which is on in frames in scope alone and has the events of lines switched off. Another tracer (a debugger,
coverage) may take its place: then exceptions are still counted, their type and values are missing, and the recording
says so.
"""

from __future__ import annotations

import opcode
import sys
import threading
from types import CodeType, FrameType
from typing import Any, Callable, Dict, Optional, Tuple

from tracelens_recorder import marked
from tracelens_recorder.code import FUNCTION, Function
from tracelens_recorder.session import Session

_RETURN = opcode.opmap["RETURN_VALUE"]
_YIELD = opcode.opmap["YIELD_VALUE"]
_YIELD_FROM = opcode.opmap.get("YIELD_FROM", -1)
_RESUME = opcode.opmap.get("RESUME", -1)

LOST_PROFILE = "another profiler took the place of the recorder: calls are counted up to that moment only"
LOST_TRACE = (
    "another tracer (debugger, coverage) took the place of the recorder: exceptions are counted without details"
)

_Local = Callable[[FrameType, str, Any], Any]


class Profiling:
    """Switches recording on and off in this process."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._profile: Optional[Callable[[FrameType, str, Any], None]] = None
        self._trace: Optional[_Local] = None
        self._paused = False

    def start(self) -> bool:
        session = self.session
        functions, marks = session.functions, marked.codes
        in_scope: Dict[str, bool] = {}
        opcodes: Dict[int, bytes] = {}
        add, started, suspended = session.add, session.started, session.suspended
        resumed, returned, fault = session.resumed, session.returned, session.fault

        def function_of(code: CodeType) -> Optional[Function]:
            """Decided by file name first: code objects out of scope come and go, and their ids with them."""
            known = in_scope.get(code.co_filename)
            if known is False and id(code) not in marks:
                return None
            function = functions.get(id(code))
            if function is None:
                function = add(code)
                if function is None or id(code) not in marks:
                    in_scope[code.co_filename] = function is not None
            return function

        def bytes_of(code: CodeType) -> bytes:
            known = opcodes.get(id(code))
            if known is None:  # of functions alone, which are never freed
                known = opcodes[id(code)] = code.co_code
            return known

        def how_it_ended(function: Function, frame: FrameType) -> int:
            """_RETURN, _YIELD, or -1 for an exception: from the last instruction that the frame ran."""
            instructions, last = bytes_of(function.code), frame.f_lasti
            if last < 0:
                return -1
            opcode = instructions[last]
            if opcode in (_RETURN, _YIELD):
                return opcode
            if last + 2 < len(instructions) and instructions[last + 2] == _YIELD_FROM:
                return _YIELD  # up to 3.10 the offset of a frame that waits stands before the instruction
            return -1

        def is_start(function: Function, frame: FrameType) -> bool:
            last = frame.f_lasti
            if _RESUME < 0:
                return last < 0
            instructions = bytes_of(function.code)
            return last < 0 or (instructions[last] == _RESUME and instructions[last + 1] & 3 == 0)

        def profile(frame: FrameType, event: str, value: Any) -> None:
            try:
                if self._paused:
                    return
                if event == "call":
                    function = function_of(frame.f_code)
                    if function is None or function.kind != FUNCTION or function.parked:
                        return
                    if is_start(function, frame):
                        started(function, frame)
                    else:
                        resumed(function, frame)
                elif event == "return":
                    code = frame.f_code
                    if in_scope.get(code.co_filename) is not True and id(code) not in marks:
                        return
                    function = functions.get(id(code))
                    if function is None:
                        return
                    end(function, frame, value)
            except BaseException as problem:
                fault(problem)

        def end(function: Function, frame: FrameType, value: Any) -> None:
            key = id(frame)
            pending = waiting.pop(key, None)
            how = how_it_ended(function, frame)
            if pending is not None and value is None and pending[0] == frame.f_lasti and how == _YIELD:
                how = -1  # thrown into a suspended generator: it stands on its yield still
            if how == _YIELD:
                suspended(frame)
            elif how == _RETURN:
                returned(frame, value)
            elif pending is not None:
                session.unwound(function, frame, pending[1])
            elif function.kind == FUNCTION:
                if sys.gettrace() is not trace:
                    lost()
                session.unwound_unseen(function, frame)

        waiting: Dict[int, Tuple[int, Any]] = {}
        """By id() of the frame: the last exception in a frame that has not ended, in plain values."""

        def lost() -> None:
            if LOST_TRACE not in session.notes:
                session.notes.append(LOST_TRACE)

        def trace(frame: FrameType, event: str, value: Any) -> Any:
            try:
                if not self._paused and function_of(frame.f_code) is not None:
                    frame.f_trace_lines = False
                    return trace_exceptions
            except BaseException as problem:
                fault(problem)
            return None

        def trace_exceptions(frame: FrameType, event: str, value: Any) -> Any:
            try:
                if event == "exception" and not self._paused:
                    function = functions.get(id(frame.f_code))
                    _, exception, traceback = value  # which the exception itself does not know yet
                    del value
                    if function is not None and issubclass(type(exception), BaseException):
                        waiting[id(frame)] = (frame.f_lasti, session.unwinding(function, frame, exception, traceback))
            except BaseException as problem:
                fault(problem)
            return trace_exceptions

        self._profile, self._trace = profile, trace
        threading.setprofile(profile)
        if sys.gettrace() is None:
            threading.settrace(trace)
            sys.settrace(trace)
        else:
            lost()
        sys.setprofile(profile)
        return True

    def pause(self) -> None:
        """Listen to nothing. The interpreter still tells of every call."""
        self._paused = True

    def resume(self) -> None:
        self._paused = False

    def stop(self) -> None:
        """In this thread; others notice when the session is closed."""
        self._paused = True
        if sys.getprofile() is self._profile:
            sys.setprofile(None)
        else:
            self.session.notes.append(LOST_PROFILE)
            for function in self.session.table:
                function.unfaithful = True
        if sys.gettrace() is self._trace:
            sys.settrace(None)
        threading.setprofile(None)
        threading.settrace(None)
