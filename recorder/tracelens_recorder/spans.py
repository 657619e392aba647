"""Steps that are no calls of the program's own: a request that is served, a job, a call of a model, a tool.

A span is written into the recording, where it hangs on the captured call that it happened in, and is given to the
exporter (otlp.py) where one is configured. Spans know their parent through the context, so that they form a tree also
across tasks. Nothing here raises into the program.
"""

from __future__ import annotations

import os
import sys
from _contextvars import Token
from binascii import hexlify
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Tuple, Type

from tracelens_recorder import payloads
from tracelens_recorder.classes import clean, type_name
from tracelens_recorder.context import Context, current, leave, plain

if TYPE_CHECKING:
    from tracelens_recorder.counters import Call
    from tracelens_recorder.session import Session

MAX_ATTRIBUTES = 64
MAX_FRAMES = 64
"""Frames that are climbed to find the call that a span happens in."""

INTERNAL, SERVER, CLIENT = 1, 2, 3
"""Kinds of spans, as OTLP numbers them."""

exporter: Optional[Callable[[Span], None]] = None
"""Takes every span that has ended; set by otlp.py."""


class Span:
    """One step, from its making on until `finish`. As a context manager what happens inside is inside of it."""

    __slots__ = ("attributes", "call", "context", "duration_ns", "error", "id", "kind", "message", "name", "parent",
                 "session", "started", "started_ns", "token", "trace", "what")  # fmt: skip

    def __init__(
        self,
        name: str,
        what: str,
        attributes: Optional[Mapping[str, Any]] = None,
        caller: Optional[FrameType] = None,
        kind: int = INTERNAL,
        remote: Tuple[str, str] = ("", ""),
    ) -> None:
        """`what`: "request", "task", "model", "tool", … `caller`: the frame that it happens in; the captured call of it
        will tell of the span. `remote`: (trace, span) of the parent in another process, in hexadecimal."""
        self.session: Optional[Session] = _session()
        now = current.get()
        parent = now.span
        self.name = clean(name, 200)
        self.what = what
        self.kind = kind
        self.id = hexlify(os.urandom(8)).decode("ascii")
        self.trace = parent.trace if parent is not None else remote[0] or hexlify(os.urandom(16)).decode("ascii")
        self.parent = parent.id if parent is not None else remote[1]
        self.attributes: List[Tuple[str, Any]] = []
        self.error = ""
        """Name of the exception's type that ended it; "" none."""
        self.message = ""
        self.call = ""
        self.context: Context = now
        self.token: Optional[Token[Context]] = None
        self.duration_ns = -1
        if self.session is None:
            self.started = self.started_ns = 0
            return
        self.started = self.session.clock()
        self.started_ns = self.session.started_ns + self.started - self.session.started_clock
        for key, value in (attributes or {}).items():
            self.set(key, value)
        if caller is not None:
            self.call = capture_around(self.session, caller)

    def set(self, name: str, value: Any) -> None:
        """Say something of it. Numbers and truth values stay what they are, all else becomes bounded text."""
        if len(self.attributes) < MAX_ATTRIBUTES and value is not None:
            if type(value) not in (int, float, bool):
                value = plain(value, name)
            self.attributes.append((clean(name, 100), value))

    def enter(self) -> None:
        self.token = current.set(current.get().but(span=self))

    def finish(self, problem: Optional[BaseException] = None) -> None:
        """The step is over. A second time does nothing."""
        leave(self.token)
        self.token = None
        session = self.session
        if session is None or self.duration_ns >= 0:
            return
        self.duration_ns = max(0, session.clock() - self.started)
        if problem is not None:
            from tracelens_recorder.values import message_of

            self.error, self.message = type_name(type(problem)), message_of(problem)[0]
        if not session.closed:
            session.record(payloads.SPANS, self.row(session))
        if exporter is not None:
            exporter(self)

    def row(self, session: Session) -> Dict[str, Any]:
        return {
            "id": self.id,
            "parent": self.parent,
            "trace": self.trace,
            "name": self.name,
            "what": self.what,
            "started_ns": self.started_ns,
            "duration_ns": self.duration_ns,
            "error": self.error,
            "attributes": [list(one) for one in self.attributes],
            "context": session.context_number(self.context),
            "call": self.call,
        }

    def __enter__(self) -> Span:
        self.enter()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.finish(exception)


def _session() -> Optional[Session]:
    """Of this process; None when it is not recorded."""
    from tracelens_recorder import process  # which needs us first

    recorder = process.current()
    return recorder.session if recorder is not None else None


def capture_around(session: Session, frame: Optional[FrameType]) -> str:
    """Id of the captured call that a frame is in: the nearest of those in scope, captured from here on if it was not.
    "" where none is in scope, or none was listened to."""
    for _ in range(MAX_FRAMES):
        if frame is None:
            break
        call = session.live.get(id(frame))
        if call is not None and call.function is session.functions.get(id(frame.f_code)):
            if call.capture is None:
                call.chosen, call.represents = "span", 0.0
                call.function.captures += 1
                session.captures.begin_late(call, frame)
            return str(call.capture["id"]) if call.capture is not None else ""
        frame = frame.f_back
    return ""


def of_call(call: Call, capture: Dict[str, Any]) -> None:
    """A call of a marked function begins: it encloses the spans that follow. Its own record is its capture; the span
    is for the exporter, and for them."""
    function = call.function
    mark = function.mark
    name, attributes = function.name, {"code.function.name": function.name, "code.file.path": function.file.path}
    if mark == "tool":
        attributes.update({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": function.name})
        name = "execute_tool " + name
    elif mark == "agent":
        attributes.update({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": function.name})
        name = "invoke_agent " + name
    span = call.span = Span(name, mark, attributes)
    span.call = capture["id"]
    if not function.code.co_flags & _SUSPENDS:
        span.enter()


def end_of_call(call: Call, outcome: List[Any]) -> None:
    span, call.span = call.span, None
    if span is None:
        return
    leave(span.token)
    span.token = None
    session = span.session
    if session is None:
        return
    span.duration_ns = max(0, session.clock() - span.started)
    if outcome[0] == "raised":
        span.error, span.message = outcome[1], outcome[2]
    if exporter is not None:
        exporter(span)


_SUSPENDS = 0x20 | 0x200
"""Generators, synchronous and asynchronous: what runs between two of their items is their caller."""


def calling_frame(depth: int = 2) -> Optional[FrameType]:
    """The frame so many calls above."""
    try:
        return sys._getframe(depth)
    except ValueError:
        return None
