"""pprof: what Google Cloud Profiler, Pyroscope, Parca and austin2pprof write for Python.

    austin2pprof shop.austin shop.pprof        (Pyroscope and Parca: "export pprof" in their pages)

A protocol buffer, mostly gzip-compressed: sample_type 1 {type, unit}, sample 2 {location ids, the leaf first;
values}, mapping 3, location 4 {id 1, line 4 {function id 1, line 2}}, function 5 {id 1, name 2, system name 3, file
4, start line 5}, string table 6, time 9, duration 10, period type 11, period 12. A location with several lines holds
inlined calls, the innermost first. Of the values the one in a unit of time is read, else counted samples; bytes alone
are refused. Names are `co_name` or qualified, by exporter; lines are those that were executing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import wire
from tracelens_indexer.traces.records import Frame, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.stacks import Stacks

MAX_BYTES = 256 * 1024 * 1024
_SECONDS = {"nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1.0} | {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,  # austin2pprof's
    "ms": 1e-3,
    "s": 1.0,
}
_COUNTS = ("count", "samples", "sample", "")


def recognises(head: bytes) -> bool:
    """Its first field, the type of the samples, is two small numbers."""
    if len(head) < 6 or head[0] != 0x0A or not 2 <= head[1] <= 12:
        return False
    try:
        inner = list(wire.fields(memoryview(head)[2 : 2 + head[1]]))
    except wire.NotProtobuf:
        return False
    second = head[2 + head[1] : 3 + head[1]]
    return (
        bool(inner)
        and len(inner) <= 2
        and all(number in (1, 2) and kind == wire.VARINT for number, kind, _ in inner)
        and second in (b"\x0a", b"\x12", b"\x1a", b"\x22", b"\x2a", b"\x32")
    )


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Sample per distinct stack. Raises NotATrace when the file is damaged: its tables come last."""
    data = stream.read(MAX_BYTES + 1)
    report.advance(len(data))
    if len(data) > MAX_BYTES:
        raise NotATrace(f"a pprof profile over {MAX_BYTES >> 20} MB; profile for a shorter time")
    try:
        profile = _Profile(memoryview(data))
    except wire.NotProtobuf as error:
        raise NotATrace("a pprof profile that is cut short or damaged. Export it again") from error
    index, scale = profile.value()
    stacks = Stacks("seconds" if scale else "samples")
    yield RunFacts(tool="pprof", started_ns=profile.started_ns, duration_ns=profile.duration_ns)
    for sample in profile.samples:
        try:
            places, values = _sample(sample)
        except wire.NotProtobuf:
            report.skip("malformed sample")
            continue
        if index >= len(values):
            report.skip("sample without its value")
            continue
        stack = [frame for place in reversed(places) for frame in profile.places.get(place, ())]
        stacks.add(tuple(stack), wire.signed(values[index]) * (scale or 1.0))
        if stacks.full():
            yield from stacks.take()
    yield from stacks.take()
    if not stacks.total:
        raise NotATrace("a pprof profile without a single sample of Python")


class _Profile:
    def __init__(self, data: memoryview) -> None:
        self.samples: list[memoryview] = []
        self.places: dict[int, tuple[Frame, ...]] = {}
        self.started_ns = 0
        self.duration_ns = 0
        types: list[memoryview] = []
        places: list[memoryview] = []
        functions: list[memoryview] = []
        self._strings: list[str] = []
        for number, _, value in wire.fields(data):
            match number:
                case 1:
                    types.append(wire.blob(value))
                case 2:
                    self.samples.append(wire.blob(value))
                case 4:
                    places.append(wire.blob(value))
                case 5:
                    functions.append(wire.blob(value))
                case 6:
                    self._strings.append(wire.text(value, 10_000))
                case 9 if isinstance(value, int):
                    self.started_ns = max(0, wire.signed(value))
                case 10 if isinstance(value, int):
                    self.duration_ns = max(0, wire.signed(value))
        self._types = [self._type(kind) for kind in types]
        named = dict(self._function(function) for function in functions)
        for place in places:
            number, frames = self._place(place, named)
            self.places[number] = frames

    def value(self) -> tuple[int, float]:
        """(index of the value to read, its unit in seconds; 0 for samples)"""
        for index, (_, unit) in enumerate(self._types):
            if unit in _SECONDS:
                return index, _SECONDS[unit]
        for index, (_, unit) in enumerate(self._types):
            if unit in _COUNTS:
                return index, 0.0
        raise NotATrace("a pprof profile of memory or of something else than time: TraceLens reads times and samples")

    def _text(self, index: int) -> str:
        return self._strings[index] if index < len(self._strings) else ""

    def _type(self, message: memoryview) -> tuple[str, str]:
        found = _numbers(message)
        return self._text(found.get(1, 0)), self._text(found.get(2, 0))

    def _function(self, message: memoryview) -> tuple[int, tuple[str, str]]:
        found = _numbers(message)
        return found.get(1, 0), (self._text(found.get(2, 0)), self._text(found.get(4, 0)))

    def _place(self, message: memoryview, functions: dict[int, tuple[str, str]]) -> tuple[int, tuple[Frame, ...]]:
        number = 0
        frames: list[Frame] = []
        for field, _, value in wire.fields(message):
            if field == 1 and isinstance(value, int):
                number = value
            elif field == 4:
                line = _numbers(wire.blob(value))
                name, path = functions.get(line.get(1, 0), ("", ""))
                at = line.get(2, 0)
                frames.append(Frame(path, name, at if at < 2**31 else 0, "executing"))
        # Inlined calls: the innermost is first, stacks are root first.
        return number, tuple(reversed(frames))


def _numbers(message: memoryview) -> dict[int, int]:
    return {number: value for number, _, value in wire.fields(message) if isinstance(value, int)}


def _sample(message: memoryview) -> tuple[list[int], list[int]]:
    places: list[int] = []
    values: list[int] = []
    for number, kind, value in wire.fields(message):
        if number == 1:
            places += wire.integers(kind, value)
        elif number == 2:
            values += wire.integers(kind, value)
    return places, values
