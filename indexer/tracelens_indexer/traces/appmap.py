"""AppMap: every call of a test or a program, with values where they were asked for.

    APPMAP_DISPLAY_PARAMS=true appmap-python --record tests pytest

{metadata: {language, client, git: {commit}, recorder: {type}, source_location, name}, classMap, events: [{event:
"call", id, thread_id, defined_class, method_id, path, lineno, receiver, parameters: [{name, class, value}]} | {event:
"return", id, parent_id, elapsed s, return_value: {class, value}, exceptions: [{class, message}]}]}. Lines are first
lines, paths relative to the recorded project. Calls are real calls, also of generators. Without APPMAP_DISPLAY_PARAMS
a value is "<builtins.int object at 0x…>", of which the type is kept. A property is "total (get)". There is one file
per test, so import the folder's archive; the test is known from the file. There is no clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.json_stream import Broken, JsonStream
from tracelens_indexer.traces.records import Call, Frame, Observed, Outcome, Raised, Record, Returned, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.trees import Threw, Trees
from tracelens_indexer.traces.values import observed

MAX_DEPTH = 100_000
_MAX_ARGUMENTS = 60
_OPAQUE = re.compile(r"<[\w.]+ object at 0x[0-9a-fA-F]+>$")


def recognises_keys(keys: frozenset[str], head: bytes) -> bool:
    if {"events", "metadata"} <= keys or {"classMap", "events"} <= keys:
        return b"defined_class" in head or b'"classMap"' in head or b'"recorder"' in head
    return "classMap" in keys


@dataclass(slots=True)
class _Open:
    id: str
    parent: str
    frame: Frame
    start: int
    arguments: tuple[tuple[str, Observed], ...]


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """Calls with values as they stream by, then Counts, EdgeCounts and Failures."""
    metadata = _metadata(stream)
    yield _facts(metadata)
    events = _Events(report, _test(metadata))
    document = JsonStream(stream, report.advance)
    try:
        document.start()
        for key in document.members():
            if key == "events" and document.start() == "[":
                for event in document.items():
                    call = events.take(event)
                    if call is not None:
                        yield call
            else:
                document.value()
    except Broken:
        report.broke_off()
    events.end()
    if not len(events.trees):
        raise NotATrace("an AppMap without a single call")
    yield from events.trees.records("exact")


class _Events:
    def __init__(self, report: Report, test: str) -> None:
        self.trees = Trees(report, clock=False)
        self._report = report
        self._test = test
        self._threads: dict[str, list[_Open]] = {}
        self._clocks: dict[str, int] = {}

    def take(self, event: Any) -> Call | None:
        entry = shapes.mapping(event)
        thread = str(entry.get("thread_id", ""))[:40]
        if entry.get("event") == "call":
            self._call(entry, thread)
        elif entry.get("event") == "return":
            return self._return(entry, thread)
        else:
            self._report.skip("malformed event")
        return None

    def _call(self, entry: dict[str, Any], thread: str) -> None:
        stack = self._threads.setdefault(thread, [])
        if len(stack) >= MAX_DEPTH:
            self._report.skip("call deeper than 100,000")
            return
        frame = _frame(entry)
        stack.append(
            _Open(
                str(entry.get("id", ""))[:40],
                stack[-1].id if stack else "",
                frame,
                self._clocks.get(thread, 0),
                _arguments(entry) if self._report.wants(frame) else (),
            )
        )

    def _return(self, entry: dict[str, Any], thread: str) -> Call | None:
        stack = self._threads.get(thread, [])
        wanted = str(entry.get("parent_id", ""))[:40]
        if not any(opened.id == wanted for opened in stack[-100:]):
            self._report.skip("end without a start")
            return None
        while stack[-1].id != wanted:
            self._end(stack.pop(), thread, -1, None)
        opened = stack.pop()
        exceptions = shapes.items(entry.get("exceptions"))
        threw = None
        outcome: Outcome
        if exceptions:
            # An exception and its causes: the last is the one that was raised.
            last = shapes.mapping(exceptions[0])
            kind = shapes.text(last.get("class"), 200).removeprefix("builtins.") or "Exception"
            threw = Threw(kind, shapes.text(last.get("message"), 2_000))
            outcome = Raised(kind, threw.message)
        else:
            returned = entry.get("return_value")
            outcome = Returned(_value(returned) if isinstance(returned, dict) else None)
        elapsed = shapes.nanoseconds(entry.get("elapsed"), 1e9)
        self._end(opened, thread, elapsed, threw)
        if not self._report.wants(opened.frame):
            return None
        return Call(
            opened.frame,
            started_ns=0,
            duration_ns=elapsed,
            arguments=opened.arguments,
            outcome=outcome,
            id=opened.id,
            parent=opened.parent,
            thread=thread,
            test=self._test,
            counted=False,
        )

    def _end(self, opened: _Open, thread: str, elapsed: int, threw: Threw | None) -> None:
        self.trees.add(opened.id, opened.parent, opened.frame, opened.start, elapsed, threw, self._test)
        # The file has no clock: calls of one thread are laid one after the other.
        self._clocks[thread] = min(max(self._clocks.get(thread, 0), opened.start + max(0, elapsed)), 1 << 60)

    def end(self) -> None:
        for thread, stack in self._threads.items():
            if stack:
                self._report.skip("start without an end", len(stack))
            while stack:
                self._end(stack.pop(), thread, -1, None)


def _frame(entry: dict[str, Any]) -> Frame:
    request = shapes.mapping(entry.get("http_server_request"))
    if request:
        path = shapes.text(request.get("normalized_path_info")) or shapes.text(request.get("path_info"))
        return Frame("", f"{shapes.text(request.get('request_method'), 20)} {path}".strip(), 0, kind="route")
    method = shapes.text(entry.get("method_id")).partition(" (")[0]
    owner = shapes.text(entry.get("defined_class"))
    path = shapes.path(entry.get("path"))
    if not path:
        kind = next((key for key in ("sql_query", "http_client_request", "message") if key in entry), "")
        return Frame("", method or kind or "unknown", 0)
    return Frame(path, f"{owner}.{method}" if owner else method, shapes.line(entry.get("lineno")), "first")


def _arguments(entry: dict[str, Any]) -> tuple[tuple[str, Observed], ...]:
    parameters = shapes.items(entry.get("parameters"))[:_MAX_ARGUMENTS]
    receiver = entry.get("receiver")
    # The receiver of a property is written as None, which it is not.
    if isinstance(receiver, dict) and receiver.get("class") != "builtins.NoneType":
        parameters = [receiver, *parameters]
    return tuple(
        (name, _value(parameter))
        for parameter in parameters
        if isinstance(parameter, dict) and (name := shapes.text(parameter.get("name"), 200))
    )


def _value(entry: dict[str, Any]) -> Observed:
    kind = shapes.text(entry.get("class"), 200).removeprefix("builtins.")
    text = shapes.text(entry.get("value"), 10_000)
    if kind == "str" and not _OPAQUE.match(text):
        return Observed("str", repr(text)[:600], size=len(text))
    if kind == "NoneType":
        return Observed("NoneType", "None")
    if _OPAQUE.match(text) or not text:
        return Observed(kind, "")
    found = observed(text)
    return Observed(kind or found.type, found.text, found.number, found.size)


def _metadata(stream: BinaryIO) -> dict[str, Any]:
    """From the start of the file, where it stands in all that is written today."""
    start = stream.tell()
    document = JsonStream(stream)
    try:
        document.start()
        for number, key in enumerate(document.members()):
            if key == "metadata":
                return shapes.mapping(document.value())
            if key in ("events", "classMap") or number > 10:
                break
            document.value()
    except Broken:
        pass
    finally:
        stream.seek(start)
    return {}


def _facts(metadata: dict[str, Any]) -> RunFacts:
    language = shapes.mapping(metadata.get("language"))
    name = f"{shapes.text(language.get('engine'))} {shapes.text(language.get('version'))}"
    return RunFacts(
        tool="appmap",
        commit=shapes.text(shapes.mapping(metadata.get("git")).get("commit"), 64),
        interpreter=name.strip(),
        command=shapes.text(metadata.get("name")),
    )


def _test(metadata: dict[str, Any]) -> str:
    """The test that was recorded, as pytest names it: AppMap writes test_bad_quantity as "bad quantity"."""
    if shapes.mapping(metadata.get("recorder")).get("type") != "tests":
        return ""
    file = re.sub(r":\d+$", "", shapes.text(metadata.get("source_location")))
    name = re.sub(r"\W+", "_", shapes.text(metadata.get("name")).strip())
    if not file or not name:
        return ""
    return f"{file}::{name if name.startswith('test') else 'test_' + name}"
