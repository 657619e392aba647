"""Collects through sys.monitoring (Python 3.12 and newer).

Two tool ids. One listens to the start of any code, decides once per code object whether it is in scope, and always
switches itself off there: code out of scope runs at full speed from its second call on. The other listens, in code in
scope alone, to starts, ends and suspensions; it can be parked for one function with set_local_events. Only unwinding
and throwing cannot be listened to in single code objects.

restart_events() is never called while recording: it would switch on what other tools have switched off.
"""

from __future__ import annotations

import sys
from types import CodeType
from typing import Any, List, Optional, Tuple

from tracelens_recorder import marked
from tracelens_recorder.code import FUNCTION, Function
from tracelens_recorder.failures import is_failure
from tracelens_recorder.session import Session

_CANDIDATES = (3, 4, 2, 0, 1, 5)
"""Free ids first; 0, 1, 2 and 5 are by convention a debugger's, coverage's, a profiler's and an optimiser's."""

NO_TOOL_ID = "sys.monitoring has no two free tool ids: every one is taken by other tools; nothing was recorded"


class Monitoring:
    """Switches recording on and off in this process."""

    _before = False
    """Whether this process has been recorded already."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._callbacks: Tuple[Tuple[int, int, Any], ...] = ()
        self._watched: List[CodeType] = []
        self.ids: Optional[Tuple[int, int]] = None
        self.monitoring: Any = sys.__dict__["monitoring"]

    def start(self) -> bool:
        """False, with a note in the recording, when no tool id is free."""
        m, session = self.monitoring, self.session
        taken: List[int] = []
        for tool in _CANDIDATES:
            if len(taken) < 2 and m.get_tool(tool) is None:
                try:
                    m.use_tool_id(tool, "tracelens")
                except ValueError:  # taken meanwhile
                    continue
                taken.append(tool)
        if len(taken) < 2:
            for tool in taken:
                m.free_tool_id(tool)
            session.notes.append(NO_TOOL_ID)
            return False
        # Of several tools the highest id hears of an event first: what `calls` has counted, `discovery` sees.
        discovery, calls = self.ids = (min(taken), max(taken))
        events = m.events
        # Where nothing is ever parked, the start of each callee says who called it.
        sites = events.CALL if session.governed else 0
        ends = events.PY_RETURN | events.PY_YIELD | events.PY_RESUME | sites
        local = events.PY_START | ends
        disable = m.DISABLE
        set_local_events = m.set_local_events
        functions, in_scope, marks = session.functions, session.scope.known, marked.codes
        get_frame = sys._getframe
        fast = session.accelerated
        add, started, suspended, left = session.add, session.started, session.suspended, session.left
        resumed, returned, raised, fault = session.resumed, session.returned, session.raised, session.fault

        def discover(code: CodeType, offset: int) -> Any:
            try:
                if in_scope.get(code.co_filename, code) is None and id(code) not in marks:
                    return disable
                function = functions.get(id(code)) or add(code)
                if function is None or function.parked:
                    return disable
                if function.kind != FUNCTION:
                    if sites:
                        set_local_events(calls, code, sites)
                    return disable
                # Takes effect from the next call on: this one is reported from here, and so are those of other threads
                # that were on their way here meanwhile. Each switches the events on before it says that it started, so
                # that its end is not missed.
                set_local_events(calls, code, local)
                if fast is not None:
                    fast.core.started(code)
                    return disable
                frame = get_frame(1)
                known = session.live.get(id(frame))
                if known is None or known.function is not function or not known.running:
                    started(function, frame)
            except BaseException as problem:
                fault(problem)
            return disable

        def on_start(code: CodeType, offset: int) -> None:
            try:
                started(functions[id(code)], get_frame(1))
            except BaseException as problem:
                fault(problem)

        def on_return(code: CodeType, offset: int, value: object) -> None:
            try:
                returned(get_frame(1), value)
            except BaseException as problem:
                fault(problem)

        def on_yield(code: CodeType, offset: int, value: object) -> None:
            try:
                suspended(get_frame(1))
            except BaseException as problem:
                fault(problem)

        def on_resume(code: CodeType, offset: int) -> None:
            try:
                resumed(functions[id(code)], get_frame(1))
            except BaseException as problem:
                fault(problem)

        def on_throw(code: CodeType, offset: int, exception: BaseException) -> None:
            try:
                function = functions.get(id(code))
                if function is not None:
                    resumed(function, get_frame(1))
            except BaseException as problem:
                fault(problem)

        def on_unwind(code: CodeType, offset: int, exception: BaseException) -> None:
            try:
                function = functions.get(id(code))
                if function is not None:
                    (raised if is_failure(exception) else left)(function, get_frame(1), exception)
            except BaseException as problem:
                fault(problem)

        def on_call(code: CodeType, offset: int, callee: object, argument: object) -> Any:
            try:
                if session.called(functions[id(code)], offset, callee, argument, get_frame(1)):
                    return disable
            except BaseException as problem:
                fault(problem)
            return None

        def on_return_outside(code: CodeType, offset: int, value: object) -> None:
            try:
                if session.boundaries.open:
                    session.boundaries.returned(get_frame(1), value)
            except BaseException as problem:
                fault(problem)

        def park(function: Function, draining: bool) -> None:
            if fast is not None:
                fast.tell(function)
            set_local_events(calls, function.code, ends if draining else sites)

        def unpark(function: Function) -> None:
            if fast is not None:
                fast.tell(function)
            set_local_events(calls, function.code, local)

        def watch(code: CodeType) -> None:
            # By the other id, whose callbacks are the same with the accelerator and without.
            set_local_events(discovery, code, events.PY_RETURN)
            watched.append(code)

        watched = self._watched
        session.park, session.unpark, session.watch = park, unpark, watch
        if Monitoring._before:
            # What an earlier recording of this process has switched off is off still. Other tools get again what they
            # have switched off; that is the lesser evil, once, and only here.
            m.restart_events()
        Monitoring._before = True
        counting = (on_start, on_return, on_yield, on_resume, on_throw, on_unwind)
        if fast is not None:
            core = fast.core
            counting = (core.on_start, core.on_return, core.on_yield, core.on_resume, core.on_throw, core.on_unwind)
        kinds = (
            events.PY_START,
            events.PY_RETURN,
            events.PY_YIELD,
            events.PY_RESUME,
            events.PY_THROW,
            events.PY_UNWIND,
        )
        self._callbacks = (
            (discovery, events.PY_START, discover),
            (discovery, events.PY_RETURN, on_return_outside),
            *((calls, event, callback) for event, callback in zip(kinds, counting)),  # noqa: B905 - not in 3.9
            (calls, events.CALL, on_call),
        )
        if fast is not None:
            fast.leave_out(discover.__code__, on_call.__code__, on_return_outside.__code__)
        self.resume()
        m.set_events(calls, events.PY_UNWIND | events.PY_THROW)
        m.set_events(discovery, events.PY_START)
        return True

    def pause(self) -> None:
        """Listen to nothing. What is instrumented stays so: an event without a callback costs a few nanoseconds, and
        switching back and forth, for single requests, nothing."""
        for tool, event, _ in self._callbacks:
            self.monitoring.register_callback(tool, event, None)

    def resume(self) -> None:
        for tool, event, callback in self._callbacks:
            self.monitoring.register_callback(tool, event, callback)

    def stop(self) -> None:
        if self.ids is None:
            return
        m = self.monitoring
        self.pause()
        for tool in self.ids:
            m.set_events(tool, 0)
        listened = [(self.ids[1], function.code) for function in self.session.table]
        listened += [(self.ids[0], code) for code in self._watched]
        for tool, code in listened:
            try:
                m.set_local_events(tool, code, 0)
            except Exception as problem:
                self.session.fault(problem)
        for tool in self.ids:
            m.free_tool_id(tool)
        self.ids = None
