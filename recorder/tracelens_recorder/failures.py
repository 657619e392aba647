"""Exceptions that left a frame of the program, each once, with the stack as it was.

An exception that passes through many frames is one failure: it is recorded in the deepest frame in scope, which is
where none of the traceback's deeper frames is in scope. No exception is held on to, for it holds the whole stack.
What a program uses for control flow (StopIteration, GeneratorExit, SystemExit, KeyboardInterrupt, cancellation, skipped
tests: all that is not an `Exception`, and three that are) is no failure.
"""

from __future__ import annotations

from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from tracelens_recorder import payloads
from tracelens_recorder.classes import clean, type_name
from tracelens_recorder.code import FUNCTION, Function
from tracelens_recorder.redact import redact_text
from tracelens_recorder.values import message_of

if TYPE_CHECKING:
    from tracelens_recorder.session import Session

FULL = 5
"""Failures of one kind at one place that are kept with their stack and locals; from then on the powers of two."""
FULL_RAISES = 5
"""Calls of each function that end in an exception of one type, captured whatever their number."""
MAX_FRAMES = 40
"""Frames of a stack, the innermost and the outermost: what is between is left out, and said to be."""
MAX_LOCALS = 16
MAX_WITH_LOCALS = 8
"""Frames of a stack, from the innermost, whose locals are kept."""
LEAN_WITH_LOCALS = 1
"""The same where the budget is spent."""
MAX_CHAIN = 5
MAX_GROUPS = 10_000

_traceback_of = BaseException.__dict__["__traceback__"].__get__
_cause_of = BaseException.__dict__["__cause__"].__get__
_context_of = BaseException.__dict__["__context__"].__get__
_suppresses = BaseException.__dict__["__suppress_context__"].__get__


_kinds: Dict[int, Tuple[bool, str, type]] = {}
"""By id() of an exception's class, which is held on to; a metaclass may define `__hash__`."""


def is_failure(exception: BaseException) -> bool:
    return kind_of(exception)[0]


def kind_of(exception: BaseException) -> Tuple[bool, str]:
    """Whether an exception is a failure, and the name of its type."""
    kind = type(exception)
    known = _kinds.get(id(kind))
    if known is None:
        if len(_kinds) >= 1000:
            _kinds.clear()
        name = type_name(kind)
        failed = issubclass(kind, Exception) and not issubclass(kind, (StopIteration, StopAsyncIteration))
        known = _kinds[id(kind)] = (failed and name != "unittest.case.SkipTest", name, kind)
    return known[:2]


class Prepared:
    """A failure of a group, and what is written of it if it is one of those that are kept in full."""

    __slots__ = ("causes", "group", "record")

    def __init__(self, group: List[int], record: Optional[Dict[str, Any]]) -> None:
        self.group = group
        self.record = record
        self.causes: List[Prepared] = []


class Failures:
    """Which failures were seen how often, and which are worth their stack."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.groups: Dict[Tuple[str, int, int], List[int]] = {}
        """(type, code, line) → [number, seen, kept, written as repeated, prepared]"""
        self.sources: Dict[Tuple[str, int], str] = {}
        """(path, line) → the line, scrubbed."""
        self.read: Dict[str, List[str]] = {}
        """Files that were read lately."""

    def forget(self) -> None:
        """As if none had been seen so far; the groups keep their numbers."""
        with self.session.lock:
            for group in self.groups.values():
                group[1:] = [0, 0, 0, 0]

    def prepare(
        self, function: Function, frame: FrameType, exception: BaseException, traceback: Optional[TracebackType]
    ) -> Optional[Prepared]:
        """What to keep of an exception that may be about to leave a frame; None where a deeper frame has had it."""
        if traceback is None or traceback.tb_frame is not frame or self._in_scope(traceback.tb_next):
            return None
        prepared = self._group(function, frame, exception, traceback)
        if prepared is not None:
            self._causes(function, frame, exception, prepared)
        return prepared

    def repeats(
        self, function: Function, frame: FrameType, exception: BaseException, traceback: Optional[TracebackType]
    ) -> bool:
        """Count an exception that leaves a frame, and is one of a kind of which enough was kept. The short way:
        some programs raise thousands in place of returning."""
        if traceback is None or traceback.tb_frame is not frame:
            return traceback is not None  # a deeper frame has had it
        deeper = traceback.tb_next
        if deeper is not None and self._in_scope(deeper):
            return True
        group = self.groups.get((kind_of(exception)[1], function.index, traceback.tb_lineno or 0))
        if group is None or _context_of(exception) is not None:
            return False
        n = group[4] + 1
        if n <= FULL or not n & (n - 1):
            return False
        with self.session.lock:
            group[4] = n
            group[1] += 1
        return True

    def group_of(self, function: Function, frame: FrameType, exception: BaseException) -> Optional[List[int]]:
        """The group of an exception that leaves the deepest frame in scope; None where it is not, or is new."""
        traceback = _traceback_of(exception)
        if traceback is None or traceback.tb_frame is not frame or self._in_scope(traceback.tb_next):
            return None
        return self.groups.get((kind_of(exception)[1], function.index, traceback.tb_lineno or 0))

    def quiet(
        self, function: Function, frame: FrameType, exception: BaseException
    ) -> Optional[Tuple[int, bool, Optional[List[int]]]]:
        """(how many more like this are only counted, that they are failures, their group): what `repeats` decides one
        by one. A deeper frame in scope has the group."""
        traceback = _traceback_of(exception)
        if traceback is None:
            return None
        if traceback.tb_frame is not frame or self._in_scope(traceback.tb_next):
            return 1 << 40, True, None
        group = self.group_of(function, frame, exception)
        if group is None or group[4] < FULL:
            return None
        return (1 << group[4].bit_length()) - group[4] - 1, True, group

    def add(self, group: List[int], n: int) -> None:
        """Failures of a group that were counted elsewhere."""
        with self.session.lock:
            group[4] += n
            group[1] += n

    def commit(self, prepared: Prepared) -> Optional[Dict[str, Any]]:
        """Count a prepared exception that did leave its frame. Returns what to write, if it is kept in full."""
        with self.session.lock:
            prepared.group[1] += 1
            if prepared.record is not None:
                prepared.group[2] += 1
        for cause in prepared.causes:
            kept = self.commit(cause)
            if kept is not None:
                self.session.record(payloads.FAILURES, kept)
        return prepared.record

    def _in_scope(self, traceback: Optional[TracebackType]) -> bool:
        functions = self.session.functions
        while traceback is not None:
            if id(traceback.tb_frame.f_code) in functions:
                return True
            traceback = traceback.tb_next
        return False

    def _causes(self, function: Function, frame: FrameType, exception: BaseException, prepared: Prepared) -> None:
        """Prepare the exceptions behind this one that were handled where they were raised: they left no frame."""
        for _ in range(MAX_CHAIN):
            cause = _cause_of(exception)
            if cause is None and not _suppresses(exception):
                cause = _context_of(exception)
            if cause is None:
                return
            exception = cause
            traceback = _traceback_of(cause)
            if traceback is None or traceback.tb_frame is not frame or self._in_scope(traceback.tb_next):
                continue
            if is_failure(cause):
                one = self._group(function, frame, cause, traceback)
                if one is not None:
                    if one.record is not None:
                        one.record["handled"] = True
                    prepared.causes.append(one)

    def _group(
        self, function: Function, frame: FrameType, exception: BaseException, traceback: TracebackType
    ) -> Optional[Prepared]:
        kind = kind_of(exception)[1]
        key = (kind, function.index, traceback.tb_lineno or 0)
        with self.session.lock:
            group = self.groups.get(key)
            if group is None:
                if len(self.groups) >= MAX_GROUPS:
                    return None
                group = self.groups[key] = [len(self.groups), 0, 0, 0, 0]
            group[4] += 1
            prepared = group[4]
        session = self.session
        if prepared > FULL and prepared & (prepared - 1):
            return Prepared(group, None)
        if prepared > 1 and not session.governor.may_keep_failure():
            return Prepared(group, None)
        before = session.cpu()
        message, found = message_of(exception)
        session.redacted += found
        record = {
            "group": group[0],
            "type": kind,
            "message": message,
            "at_ns": session.started_ns + session.clock() - session.started_clock,
            "test": session.test,
            "stack": self._stack(frame, traceback),
        }
        session.governor.failing += session.cpu() - before
        return Prepared(group, record)

    def repeated(self) -> List[List[Any]]:
        """[group, failures of it since the last time that were counted and not kept, type, code, line]"""
        rows: List[List[Any]] = []
        for (kind, index, line), group in list(self.groups.items()):
            new = group[1] - group[2] - group[3]
            if new > 0:
                group[3] += new
                rows.append([group[0], new, kind, index, line])
        return rows

    def _stack(self, frame: FrameType, traceback: TracebackType) -> List[Any]:
        """Outermost first: [code or -1, path, name, line, source, locals]."""
        places: List[Tuple[FrameType, int]] = []
        deeper: Optional[TracebackType] = traceback
        while deeper is not None and len(places) < 2000:
            places.append((deeper.tb_frame, deeper.tb_lineno or 0))
            deeper = deeper.tb_next
        outer: List[Tuple[FrameType, int]] = []
        back = frame.f_back
        while back is not None and len(outer) < 2000:
            outer.append((back, back.f_lineno or 0))
            back = back.f_back
        functions = self.session.functions
        while outer and id(outer[-1][0].f_code) not in functions:
            outer.pop()
        outer.reverse()
        whole = outer + places
        left_out = len(whole) - MAX_FRAMES
        if left_out > 0:
            half = MAX_FRAMES // 2
            first = outer[:half]
            last = whole[-(MAX_FRAMES - len(first)) :]
            stack = [self._frame(one, line, False) for one, line in first]
            stack.append([-1, "", f"… {len(whole) - len(first) - len(last)} frames left out", 0, "", []])
            whole = last
        else:
            stack = []
        deep = MAX_WITH_LOCALS if not self.session.governor.over() else LEAN_WITH_LOCALS
        with_locals = len(whole) - len(places) + 1 - deep
        stack += [self._frame(one, line, index >= with_locals) for index, (one, line) in enumerate(whole)]
        return stack

    def _frame(self, frame: FrameType, line: int, with_locals: bool) -> List[Any]:
        code = frame.f_code
        function = self.session.functions.get(id(code))
        if function is None:
            return [-1, clean(code.co_filename, 400), clean(code.co_name), line, "", []]
        found: List[Any] = []
        if with_locals and self.session.options.values and function.kind == FUNCTION:
            lean = self.session.governor.detail()
            for name, value in list(frame.f_locals.items()):
                if len(found) == MAX_LOCALS:
                    break
                if name[:1] != "@":  # pytest's rewritten assertions
                    found.append([name, *self.session.captures.observed(value, name, lean)])
        # The indexer has the line too, as long as it finds the file as it was.
        said = self._source(function, line) if with_locals or not self.session.governor.over() else ""
        return [function.index, "", "", line, said, found]

    def _source(self, function: Function, line: int) -> str:
        path = function.file.absolute
        known = self.sources.get((path, line))
        if known is not None:
            return known
        lines = self.read.get(path)
        if lines is None:
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    lines = file.read(4_000_000).split("\n")
            except OSError:
                lines = []
            if len(self.read) >= 16:
                self.read.clear()
            self.read[path] = lines
        text = clean(redact_text(lines[line - 1].strip())[0]) if 0 < line <= len(lines) else ""
        if len(self.sources) >= 10_000:
            self.sources.clear()
        self.sources[path, line] = text
        return text
