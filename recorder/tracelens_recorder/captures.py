"""Calls kept with their values: arguments as they were at entry, and how the call ended."""

from __future__ import annotations

import itertools
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

from tracelens_recorder import payloads
from tracelens_recorder.code import Function
from tracelens_recorder.context import NOTHING, current
from tracelens_recorder.counters import Call, Counter
from tracelens_recorder.spans import end_of_call, of_call
from tracelens_recorder.values import FULL, observe

if TYPE_CHECKING:
    from tracelens_recorder.session import Session

MAX_REPLAY = 64 * 1024 * 1024
"""Bytes of replayable arguments in one recording."""
MAX_REPLAY_OF_FUNCTION = 256 * 1024
"""Bytes of them of one function; calls that were captured because they raised may go beyond."""
MAX_VAIN = 8
"""Calls of a function in a row that cannot be replayed, after which no more is tried."""
MAX_NODES = 5000
"""Values in the replayable arguments of one call."""
LEAN_REPLAY = 24
"""The same where the budget is spent; then only the first call of a function is tried, and no instance is."""
_PLAIN = frozenset(map(id, (type(None), bool, int, float, str, bytes, list, tuple, dict, set, frozenset)))
"""By identity: a metaclass may define `__eq__`."""

Encoder = Callable[[Dict[str, Any], Tuple[str, ...], int], Optional[Tuple[Any, int]]]


class Captures:
    """Makes the records of captured calls. `call.capture` holds what is known of one until it ends."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids = itertools.count(1)
        options = session.options
        self._values = options.values
        self._replay_left = MAX_REPLAY
        self._replay_spent: Dict[int, Tuple[int, int]] = {}
        """By function: bytes so far, and calls in a row that could not be encoded."""
        self._encode = _replay_encoder() if options.values and options.replay else None

    def begin(self, call: Call, frame: FrameType) -> None:
        """At the entry of a call."""
        parameters = call.function.parameters
        capture = call.capture = self._new(call)
        if call.function.mark:
            self._mark(call, capture)
        if not self._values:
            return
        arguments: Dict[str, Any] = {}
        if parameters:
            values = frame.f_locals
            arguments = {name: values[name] for name in parameters if name in values}
            if sys.version_info[:2] == (3, 12):
                # The snapshot stays on the frame, and would keep alive what the function deletes. Nobody else has it
                # yet. Before 3.12 the interpreter writes it back after a trace function; from 3.13 on there is none.
                values.clear()
        # What is defined inside a function cannot be called again from outside.
        self._put(capture, arguments, replayable="<" not in call.function.name)
        if "replay" in capture:
            self._session.boundaries.begin(call)

    def begin_late(self, call: Call, frame: FrameType) -> None:
        """At the end of a call that turned out to be worth it: only the parameters that it did not rebind, and what
        they refer to as it is now."""
        capture = call.capture = self._new(call)
        capture["late"] = True
        parameters = call.function.parameters
        if self._values and parameters:
            values = frame.f_locals
            names = call.function.never_rebound()
            arguments = {name: values[name] for name in names if name in values}
            self._put(capture, arguments, replayable=len(names) == len(parameters) and "<" not in call.function.name)

    def end(self, call: Call, outcome: List[Any]) -> None:
        """`outcome`: ["returned", value or None], ["raised", type, message, line] or ["unfinished"]."""
        capture, call.capture = call.capture, None
        if call.span is not None:
            end_of_call(call, outcome)
        if call.world is not None and capture is not None and not self._session.boundaries.end(call, capture["replay"]):
            del capture["replay"]
        if capture is not None:
            capture["duration_ns"] = call.duration
            capture["self_ns"] = call.self
            capture["outcome"] = outcome
            self._session.record(payloads.CAPTURES, capture)

    def _mark(self, call: Call, capture: Dict[str, Any]) -> None:
        if call.function.mark != "function":
            capture["kind"] = call.function.mark
        of_call(call, capture)

    def explicit(self, function: Function, arguments: Dict[str, Any], iteration: int, caller: FrameType) -> None:
        """A call that the program tells of (`record_call`): nothing is known of its end."""
        session = self._session
        call = Call(function, session.thread(), Counter())
        call.chosen, call.represents, call.duration, call.self = "explicit", 0.0, -1, -1
        above = session.functions.get(id(caller.f_code))
        if above is not None:
            call.caller = (above.index, caller.f_lasti)
        capture = call.capture = self._new(call)
        capture["iteration"] = iteration
        if self._values:
            capture["arguments"] = [[name, *self.observed(value, name)] for name, value in arguments.items()]
        function.captures += 1
        self.end(call, ["unfinished"])

    def returned(self, call: Call, value: object) -> None:
        detail = self._session.governor.detail()
        self.end(call, ["returned", self.observed(value, detail=detail) if self._values else None])

    def observed(self, value: object, name: str = "", detail: int = FULL) -> List[Any]:
        """[type, text, number, size] of a value that goes under a name."""
        kind, text, number, size, found = observe(value, name, detail)
        self._session.redacted += found
        return [kind, text, number, size]

    def _new(self, call: Call) -> Dict[str, Any]:
        session = self._session
        parent = call.parent.capture if call.parent is not None else None
        capture = {
            "id": str(next(self._ids)),
            "parent": parent["id"] if parent is not None else "",
            "code": call.function.index,
            "started_ns": session.started_ns + session.clock() - session.started_clock,
            "thread": call.thread.name,
            "test": session.test,
            "chosen": call.chosen,
            "represents": round(call.represents, 2),
        }
        context = current.get()
        if context is not NOTHING:
            number = session.context_number(context)
            if number:
                capture["context"] = number
        if call.caller is not None:
            index, offset = call.caller
            capture["caller"] = [index, session.table[index].line_at(offset)]
        return capture

    def _put(self, capture: Dict[str, Any], arguments: Dict[str, Any], replayable: bool) -> None:
        lean = self._session.governor.detail()
        if arguments:
            capture["arguments"] = [[name, *self.observed(value, name, lean)] for name, value in arguments.items()]
        if replayable and self._encode is not None and self._replay_left > 0:
            before = self._session.cpu()
            self._put_replayable(self._encode, capture, arguments, lean)
            self._session.governor.replaying += self._session.cpu() - before

    def _put_replayable(self, encode: Encoder, capture: Dict[str, Any], arguments: Dict[str, Any], detail: int) -> None:
        session, code = self._session, capture["code"]
        spent, vain = self._replay_spent.get(code, (0, 0))
        failed = "late" in capture
        if (spent > MAX_REPLAY_OF_FUNCTION and not failed) or vain >= MAX_VAIN:
            return
        nodes = MAX_NODES
        if session.frugal:
            if detail and not failed and (spent or not all(id(type(value)) in _PLAIN for value in arguments.values())):
                return
            nodes = session.governor.replay_nodes(MAX_NODES)
            # What was too large twice is not tried at that size again.
            nodes = min(nodes, LEAN_REPLAY) if vain > 1 or (detail and not failed) else nodes
            if not nodes:
                return
        measured = encode(arguments, session.scope.roots, nodes)
        if measured is None:
            self._replay_spent[code] = (spent, vain + 1)
            return
        encoded, size = measured
        self._replay_spent[code] = (spent + size, 0)
        self._replay_left -= size
        capture["replay"] = encoded


def _replay_encoder() -> Optional[Encoder]:
    try:
        from tracelens_recorder.replayable import encode_measured
    except ImportError:
        return None
    return encode_measured
