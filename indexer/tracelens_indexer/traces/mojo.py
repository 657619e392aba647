"""Austin MOJO, the binary form that `austin -b` writes, of versions 1 to 3.

    austin -b -o shop.mojo python run.py

`MOJ`, a version, then events of one byte and their fields: METADATA 1 (key, value), STACK 2 (process, from version 3
the interpreter, thread), FRAME 3 (key, file, name, line and from version 2 last line, column, last column),
FRAME_INVALID 4, FRAME_REF 5, FRAME_KERNEL 6, GC 7, IDLE 8, METRIC_TIME 9, METRIC_MEMORY 10, STRING 11 (key, text),
STRING_REF 12. Text ends with a zero byte; integers are 6 bits with a sign and then 7 bits a byte, low first. Strings
and frames belong to their process. Version 4 shares stacks between samples; it is refused with the command that
converts it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.records import Frame, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.stacks import MAX_DEPTH, Stacks

MAX_TEXT = 1 << 16
MAX_KNOWN = 1_000_000
_LATER = "Austin MOJO of a later version. Convert it first:  mojo2austin FILE shop.austin"


def recognises(head: bytes) -> bool:
    return head.startswith(b"MOJ") and len(head) > 3 and 0 < head[3] < 32


class _Cut(ValueError):
    """The file ends, or stops making sense, here."""


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Sample per distinct stack; a file that breaks off is used up to there."""
    head = stream.read(4)
    if head[3] > 3:
        raise NotATrace(_LATER)
    events = _Events(stream, head[3])
    yield RunFacts(tool="austin")
    number = 0
    try:
        while event := stream.read(1):
            number += 1
            if not number % 10_000:
                report.advance(stream.tell())
            events.take(event[0])
            if events.stacks.full():
                yield from events.stacks.take()
    except _Cut:
        report.broke_off()
    events.end_sample()
    if events.memory:
        report.skip("memory of a sample", events.memory)
    yield from events.stacks.take()
    if not events.stacks.total:
        raise NotATrace("Austin MOJO without a single timed sample. Record again")
    facts = events.metadata
    yield RunFacts(tool="", environment=f"austin {facts.get('austin', '')}".strip()[:100])


class _Events:
    def __init__(self, stream: BinaryIO, version: int) -> None:
        self.stacks = Stacks("seconds")
        self.metadata: dict[str, str] = {}
        self.memory = 0
        self._read = stream.read
        self._version = version
        self._process = 0
        self._strings: dict[tuple[int, int], str] = {}
        self._frames: dict[tuple[int, int], Frame] = {}
        self._stack: list[Frame] = []
        self._microseconds = 0

    def take(self, event: int) -> None:
        match event:
            case 1:
                name, value = self._text(), self._text()
                if len(self.metadata) < 100:
                    self.metadata[name] = value
            case 2:
                self.end_sample()
                self._process = self._integer()
                if self._version >= 3:
                    self._integer()
                self._text()
            case 3:
                self._push(self._frame())
            case 4 | 7:
                self._push(Frame("", "(invalid)" if event == 4 else "(garbage collector)", 0))
            case 5:
                self._push(self._frames.get((self._process, self._integer()), Frame("", "", 0)))
            case 6:
                self._push(Frame("", self._text()[:200], 0))
            case 8:
                pass
            case 9:
                self._microseconds += max(0, self._integer())
            case 10:
                self._integer()
                self.memory += 1
            case 11:
                key, text = self._integer(), self._text()
                if len(self._strings) < MAX_KNOWN:
                    self._strings[self._process, key] = text
            case 12:
                self._integer()
            case _:
                raise _Cut

    def end_sample(self) -> None:
        if self._microseconds:
            # A thread without frames was outside Python.
            self.stacks.add(tuple(self._stack) or (Frame("", "", 0),), self._microseconds / 1e6)
        self._stack.clear()
        self._microseconds = 0

    def _push(self, frame: Frame) -> None:
        if len(self._stack) >= 2 * MAX_DEPTH:
            del self._stack[MAX_DEPTH]
        self._stack.append(frame)

    def _frame(self) -> Frame:
        key, file, name, line = (self._integer() for _ in range(4))
        if self._version > 1:
            for _ in range(3):
                self._integer()
        path = self._strings.get((self._process, file), "")
        text = self._strings.get((self._process, name), "")
        frame = Frame(path, text, line if 0 < line < 2**31 else 0, "executing")
        if len(self._frames) < MAX_KNOWN:
            self._frames[self._process, key] = frame
        return frame

    def _integer(self) -> int:
        byte = self._byte()
        negative = byte & 0x40
        value = byte & 0x3F
        shift = 6
        while byte & 0x80:
            if shift > 70:
                raise _Cut
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
        return -value if negative else value

    def _byte(self) -> int:
        found = self._read(1)
        if not found:
            raise _Cut
        return found[0]

    def _text(self) -> str:
        text = bytearray()
        while byte := self._byte():
            text.append(byte)
            if len(text) > MAX_TEXT:
                raise _Cut
        return text.decode("utf-8", "replace")
