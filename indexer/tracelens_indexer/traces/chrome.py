"""Chrome trace JSON: VizTracer, and other tools that write the Trace Event Format with Python functions in it.

    viztracer --log_func_args --log_func_retval --ignore_c_function --ignore_frozen -o shop.json -- run.py

{"traceEvents": [{"ph": "X", "pid", "tid", "ts", "dur", "name": "apply_discount (/app/shop/pricing.py:29)", "args":
{"func_args": {name: repr}, "return_value": repr}}], "viztracer_metadata": {"overflow"}, "file_info": {"files": {path:
[source, lines]}}}, or a bare array whose closing bracket may be missing. ts and dur are microseconds of a clock that is
not the calendar's. VizTracer writes an event when a function ends. B/E pairs of other tools are read as well; py-spy's
are merged samples, so their numbers are estimated.

It has the best content of all formats: every call with times, arguments and results, and the source as it was. Traps:
- a generator or coroutine is one event per resume, with what it yielded as the return value;
- an exception is the return value: its repr on Python 3.12+, "<NULL>" below. What looks like the repr of an exception
  (a built-in one, or named …Error, …Exception, …Warning) is taken as raised;
- "overflow": the ring buffer dropped the oldest events, so that counts are lower bounds (`--tracer_entries` helps);
- `viztracer --include_files … -m package` records nothing: runpy is outside, and hides all below it.
"""

from __future__ import annotations

import builtins
import codecs
import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, TypeGuard

from msgspec import Struct

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.json_stream import Broken, JsonStream
from tracelens_indexer.traces.records import (
    Call,
    Counting,
    Frame,
    Observed,
    Outcome,
    Raised,
    Record,
    Returned,
    RunFacts,
)
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.spans import Spans
from tracelens_indexer.traces.values import observed

MAX_SPANS = 20_000_000
_NOTHING = Returned(None)
_NUMBERS = (int, float)
MAX_NAMES = 300_000
MAX_SOURCE = 2 * 1024 * 1024
MAX_MESSAGE = 500
_MAX_ARGUMENTS = 60
_TAIL = 64 * 1024 * 1024
_NAME = re.compile(r"(.*) \((.+):(\d{1,9})\)$", re.DOTALL)
_TORCH_NAME = re.compile(r"(.+\.py)\((\d{1,9})\): (.+)$", re.DOTALL)
_EXCEPTION = re.compile(r"((?:[^\W\d]\w*\.)*([^\W\d]\w*))\((.*)\)$", re.DOTALL)
_QUOTED = re.compile(r"('[^'\\]*'|\"[^\"\\]*\"),?$")
_BUILTIN = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)
_ENDINGS = ("Error", "Exception", "Warning")


def recognises_keys(keys: frozenset[str]) -> bool:
    """Of the outermost object, or of the first item of the outermost array."""
    return "traceEvents" in keys or {"ph", "ts"} <= keys or {"ph", "pid", "name"} <= keys


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """Calls with values as they stream by (their numbers are in the Counts that follow), then Counts, EdgeCounts and
    Failures. A document that breaks off is used up to that place."""
    overflow, texts = _tail(stream)
    yield RunFacts(tool="viztracer" if texts or overflow is not None else "chrome", texts=texts, calls_are_resumes=True)
    del texts
    events = _Events(report)
    document = JsonStream(stream, report.advance)
    try:
        if document.start() == "[":
            yield from events.read(document)
        else:
            for key in document.members():
                if key == "traceEvents" and document.start() == "[":
                    yield from events.read(document)
                elif key == "viztracer_metadata":
                    metadata = document.value()
                    overflow = overflow or (isinstance(metadata, dict) and metadata.get("overflow") is True)
                else:
                    document.value()
    except Broken:
        report.broke_off()
    unfinished = events.unfinished()
    if unfinished:
        report.skip("start without an end", unfinished)
    if not len(events.spans):
        raise NotATrace("a Chrome trace without a single finished Python function. See docs/formats.md on VizTracer")
    notes = []
    if overflow:
        notes.append("VizTracer's buffer overflowed: the oldest calls are missing, counts are at least")
    if events.unnamed_exceptions:
        notes.append("recorded below Python 3.12: VizTracer does not say which exception was raised")
    yield RunFacts(tool="", duration_ns=events.spans.extent_ns(), notes=tuple(notes))
    counting: Counting = "estimated" if events.sampled else "at least" if overflow else "exact"
    yield from events.spans.records(counting)


class Event(Struct, gc=False):
    """What is read of an event; everything may be of another type than it should."""

    ph: Any = None
    ts: Any = None
    dur: Any = None
    name: Any = None
    pid: Any = None
    tid: Any = None
    args: Any = None


class _Events:
    """Turns events into spans and calls."""

    def __init__(self, report: Report) -> None:
        self.spans = Spans()
        self.sampled = False
        self.unnamed_exceptions = False
        self._report = report
        self._frames: dict[str, int] = {}
        self._wanted: dict[int, bool] = {}
        self._threads: dict[tuple[Any, Any], int] = {}
        self._last: tuple[tuple[Any, Any] | None, int] = (None, -1)
        """The thread of the event before: key and number."""
        self._open: dict[int, list[tuple[int, float]]] = {}

    def read(self, document: JsonStream) -> Iterator[Call]:
        for event in document.items(Event):
            if type(event) is not Event:
                self._report.skip("malformed event")
                continue
            kind = event.ph
            if kind == "X":
                call = self._complete(event)
                if call is not None:
                    yield call
            elif kind == "B" or kind == "E":
                self._half(event, kind)

    def _complete(self, event: Event) -> Call | None:
        start, duration, name = event.ts, event.dur, event.name
        if not _is_time(start) or not _is_time(duration) or type(name) is not str:
            self._report.skip("malformed event")
            return None
        if duration < 0:
            self._report.skip("negative duration")
            duration = 0.0
        frame = self._frame_index(name, event)
        if frame < 0 or not self._add(event, frame, start, duration):
            return None
        values = event.args
        if type(values) is not dict:
            return None
        result = values.get("return_value")
        raised = _raised(result) if type(result) is str else None
        if raised is not None:
            self.unnamed_exceptions = self.unnamed_exceptions or result == "<NULL>"
            self.spans.last_raised(raised.type, raised.message)
        wanted = self._wanted.get(frame)
        if wanted is None:
            wanted = self._wanted[frame] = self._report.wants(self.spans.frames[frame])
        arguments = values.get("func_args")
        if not wanted or (type(result) is not str and type(arguments) is not dict):
            return None
        outcome: Outcome
        if raised is not None:
            outcome = raised
        elif type(result) is str:
            outcome = Returned(observed(result))
        else:
            outcome = _NOTHING
        return Call(
            self.spans.frames[frame],
            0,
            int(duration * 1000),
            -1,
            _arguments(arguments) if type(arguments) is dict else (),
            outcome,
            str(len(self.spans)),
            "",
            None,
            "" if event.tid is None else str(event.tid)[:40],
            counted=False,
        )

    def _half(self, event: Event, kind: str) -> None:
        at, name = event.ts, event.name
        if not _is_time(at):
            self._report.skip("malformed event")
            return
        stack = self._open.setdefault(self._thread(event), [])
        if kind == "B":
            frame = self._frame_index(name, event) if type(name) is str else -1
            if frame >= 0 and len(stack) < 100_000:
                stack.append((frame, at))
            else:
                self._report.skip("malformed event")
        elif stack:
            frame, start = stack.pop()
            self._add(event, frame, start, max(0.0, at - start))
        else:
            self._report.skip("end without a start")

    def _add(self, event: Event, frame: int, start: float, duration: float) -> bool:
        if len(self.spans) >= MAX_SPANS:
            self._report.skip("more than 20 million events")
            return False
        self.spans.add(frame, self._thread(event), start, duration)
        return True

    def _thread(self, event: Event) -> int:
        key = (event.pid, event.tid)
        if key == self._last[0]:
            return self._last[1]
        try:
            thread = self._threads.setdefault(key, len(self._threads))
        except TypeError:
            return -1
        self._last = key, thread
        return thread

    def _frame_index(self, name: str, event: Event) -> int:
        index = self._frames.get(name)
        if index is not None:
            return index
        if len(self._frames) >= MAX_NAMES:
            self._report.skip("more than 300,000 different names")
            return -1
        values = event.args
        if isinstance(values, dict) and type(values.get("filename")) is str and type(values.get("line")) is int:
            # py-spy: the same function at another line is another frame, told apart by its place.
            self.sampled = True
            frame = Frame(values["filename"], name, max(0, values["line"]), "executing")
            name = f"{name}\0{frame.path}\0{frame.line}"
            if name in self._frames:
                return self._frames[name]
        else:
            frame = _frame(name)
        self._frames[name] = len(self.spans.frames)
        self.spans.frames.append(frame)
        return self._frames[name]

    def unfinished(self) -> int:
        return sum(len(stack) for stack in self._open.values())


def _frame(name: str) -> Frame:
    if match := _NAME.match(name):
        return Frame(match[2], match[1], int(match[3]), "first")
    if match := _TORCH_NAME.match(name):
        return Frame(match[1], match[3], int(match[2]), "first")
    return Frame("", name[:200], 0)


def _arguments(arguments: dict[str, Any]) -> tuple[tuple[str, Observed], ...]:
    return tuple(
        [(name, observed(value)) for name, value in islice(arguments.items(), _MAX_ARGUMENTS) if type(value) is str]
    )


def _raised(text: str) -> Raised | None:
    """The exception that a return value is the repr of; None when it is an ordinary value."""
    if text == "<NULL>":
        return Raised("Exception", "")
    if not text.endswith(")") or not (text[0].isalpha() or text[0] == "_"):
        return None
    match = _EXCEPTION.match(text)
    if match is None or not (match[2] in _BUILTIN or match[2].endswith(_ENDINGS)):
        return None
    message = match[3]
    if quoted := _QUOTED.match(message):
        message = quoted[1][1:-1]
    return Raised(match[1], message[:MAX_MESSAGE])


def _is_time(value: Any) -> TypeGuard[float]:
    # NaN is neither.
    return type(value) in _NUMBERS and -1e18 < value < 1e18


def _tail(stream: BinaryIO) -> tuple[bool | None, tuple[tuple[str, str], ...]]:
    """(overflow, sources) from VizTracer's members after the events, without reading those: looked for from the end.

    A quote inside a JSON string always has a backslash before it, so the key found is a key.
    """
    start = stream.tell()
    head = stream.read(1 << 16)
    size = stream.seek(0, 2)
    overflow: bool | None = None
    texts: tuple[tuple[str, str], ...] = ()
    window = 1 << 20
    while b'"fee"' in head or b"viztracer" in head:
        stream.seek(max(start, size - window))
        tail = stream.read(window)
        info = _member(tail, b"file_info")
        metadata = _member(tail, b"viztracer_metadata")
        if isinstance(metadata, dict):
            overflow = metadata.get("overflow") is True
        if isinstance(info, dict):
            texts = _texts(info.get("files"))
        if isinstance(metadata, dict) or window >= min(_TAIL, size - start):
            break
        window *= 4
    stream.seek(start)
    return overflow, texts


def _member(tail: bytes, key: bytes) -> Any:
    places = [found.end() for found in re.finditer(rb'[,{]\s*"' + key + rb'"\s*:\s*(?=\{)', tail)]
    if not places:
        return None
    text = codecs.decode(tail[places[-1] :], "utf-8", "replace")
    try:
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def _texts(files: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(files, dict):
        return ()
    return tuple(
        (path, content[0])
        for path, content in files.items()
        if isinstance(content, list) and content and isinstance(content[0], str) and len(content[0]) <= MAX_SOURCE
    )
