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

from tracelens_recorder.code import FUNCTION, Function
from tracelens_recorder.failures import is_failure
from tracelens_recorder.session import Session

_CANDIDATES = (3, 4, 2, 0, 1, 5)
"""Free ids first; 0, 1, 2 and 5 are by convention a debugger's, coverage's, a profiler's and an optimiser's."""

NO_TOOL_ID = "sys.monitoring has no two free tool ids: every one is taken by other tools; nothing was recorded"


class Monitoring:
    """Switches recording on and off in this process."""

    def __init__(self, session: Session) -> None:
        self.session = session
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
        functions, in_scope = session.functions, session.scope.known
        get_frame = sys._getframe
        fast = session.accelerated
        add, started, suspended, left = session.add, session.started, session.suspended, session.left
        resumed, returned, raised, fault = session.resumed, session.returned, session.raised, session.fault

        def discover(code: CodeType, offset: int) -> Any:
            try:
                if in_scope.get(code.co_filename, code) is None:
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
                if session.called(functions[id(code)], offset, callee, get_frame(1)):
                    return disable
            except BaseException as problem:
                fault(problem)
            return None

        def park(function: Function, draining: bool) -> None:
            if fast is not None:
                fast.tell(function)
            set_local_events(calls, function.code, ends if draining else sites)

        def unpark(function: Function) -> None:
            if fast is not None:
                fast.tell(function)
            set_local_events(calls, function.code, local)

        session.park, session.unpark = park, unpark
        callbacks: Tuple[Tuple[int, Any], ...] = (
            (events.PY_START, on_start),
            (events.PY_RETURN, on_return),
            (events.PY_YIELD, on_yield),
            (events.PY_RESUME, on_resume),
            (events.PY_THROW, on_throw),
            (events.PY_UNWIND, on_unwind),
            (events.CALL, on_call),
        )
        if fast is not None:
            core = fast.core
            callbacks = (
                (events.PY_START, core.on_start),
                (events.PY_RETURN, core.on_return),
                (events.PY_YIELD, core.on_yield),
                (events.PY_RESUME, core.on_resume),
                (events.PY_THROW, core.on_throw),
                (events.PY_UNWIND, core.on_unwind),
                (events.CALL, on_call),
            )
        for event, callback in callbacks:
            m.register_callback(calls, event, callback)
        m.register_callback(discovery, events.PY_START, discover)
        m.set_events(calls, events.PY_UNWIND | events.PY_THROW)
        m.set_events(discovery, events.PY_START)
        return True

    def stop(self) -> None:
        if self.ids is None:
            return
        m = self.monitoring
        for tool in self.ids:
            m.set_events(tool, 0)
            for event in ("PY_START", "PY_RETURN", "PY_YIELD", "PY_RESUME", "PY_THROW", "PY_UNWIND", "CALL"):
                m.register_callback(tool, getattr(m.events, event), None)
            m.free_tool_id(tool)
        self.ids = None
