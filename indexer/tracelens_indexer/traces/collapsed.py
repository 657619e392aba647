"""Collapsed stacks and Austin's text: one line per stack, frames divided by semicolons, then the weight.

    py-spy record --format raw -o shop.raw -- python run.py        austin -o shop.austin python run.py

A frame is, of py-spy, `OrderService.process (shop/service.py:16)` (names may hold spaces, paths may hold parentheses:
it is taken apart from the right); of Austin `path:function:line`, with up to three more numbers; of Python 3.15's
`profiling.sampling` `file:function:line` with the file's base name alone; of perf `py::function:path`. Threads and
processes (`P12;T0:34`, `tid:5`, `thread (0x…)`, `process 12:"…"`) are no frames. Lines are those that were executing.

py-spy's weights are samples at a rate that the file does not say. Austin's are microseconds, in its full mode with
`idle` and memory beside them; its memory mode is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.records import Frame, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.stacks import Stacks

MAX_LINE = 1 << 20
MAX_FRAMES = 300_000
_AUSTIN = b"# austin:"
_LINE = re.compile(rb"(|\S.*) (\d{1,18}(?:\.\d{1,9})?|\d{1,18},[01],-?\d{1,18})\s*$")
_PYSPY = re.compile(r"(.*?) \((.*):(\d{1,9})\)$", re.DOTALL)
_COLONS = re.compile(r"(.*[^:]):([^:]*[^:\d][^:]*):(\d{1,9})(?::\d{1,9}){0,3}$", re.DOTALL)
_PERF = re.compile(r"py::([^:]+):(.+)$", re.DOTALL)
_NO_FRAME = re.compile(r"P\d+$|T\d+:?[0-9a-f]*$|tid:\d+$|[Tt]hread \(?\d?|process \d+|Process \d+|\(idle\)$|:[A-Z]+:$")


def recognises(head: bytes) -> bool:
    """Austin's own first line; or lines that all end with a number, of which most hold frames with a place."""
    if head.lstrip().startswith(_AUSTIN):
        return True
    lines = [line for line in head.split(b"\n")[:-1][:20] if line.strip()] or [head.strip()]
    if not all(_LINE.match(line) for line in lines):
        return False
    return sum(line.count(b";") > 0 or b".py:" in line for line in lines) * 2 > len(lines)


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Sample per distinct stack. Raises NotATrace for Austin's memory mode, or when there is no stack."""
    parser = _Parser(report)
    austin = parser.preamble(stream)
    stacks = Stacks("seconds" if austin else "samples")
    yield RunFacts(tool="austin" if austin else "collapsed", environment=parser.version)
    read = 0
    cut = False
    while raw := stream.readline(MAX_LINE):
        if not read % 64:
            report.advance(stream.tell())
        read += 1
        if cut or (len(raw) >= MAX_LINE and not raw.endswith(b"\n")):
            # What follows of a line that is too long is no line of its own.
            report.skip("line longer than 1 MB") if not cut else None
            cut = not raw.endswith(b"\n")
            continue
        if raw.startswith(b"#") or not raw.strip():
            continue
        match = _LINE.match(raw)
        if match is None:
            report.skip("line without a weight")
            continue
        frames = parser.stack(match[1])
        weight = float(match[2].split(b",")[0])
        # A thread without frames was outside Python.
        stacks.add(frames or (Frame("", "", 0),), weight / 1e6 if austin else weight)
        if stacks.full():
            yield from stacks.take()
    yield from stacks.take()
    if not stacks.total:
        raise NotATrace("collapsed stacks without a single stack. Record again")


class _Parser:
    def __init__(self, report: Report) -> None:
        self.version = ""
        self._report = report
        self._frames: dict[str, Frame | None] = {}

    def preamble(self, stream: BinaryIO) -> bool:
        """Whether it is Austin's; its mode is looked at."""
        start = stream.tell()
        head = stream.read(1 << 12)
        stream.seek(start)
        if not head.lstrip().startswith(_AUSTIN):
            return False
        facts = dict(re.findall(r"^# (\w+): (.{0,100})$", head.decode("utf-8", "replace"), re.MULTILINE))
        self.version = f"austin {facts.get('austin', '').strip()}"
        if facts.get("mode", "").strip() == "memory" or facts.get("memory", "").strip() == "on":
            raise NotATrace("a memory profile of Austin: TraceLens reads times and samples, not bytes")
        return True

    def stack(self, raw: bytes) -> tuple[Frame, ...]:
        found = []
        for part in raw.decode("utf-8", "replace").split(";"):
            frame = self._frames.get(part)
            if frame is None and part not in self._frames:
                frame = _frame(part)
                if len(self._frames) < MAX_FRAMES:
                    self._frames[part] = frame
            if frame is not None:
                found.append(frame)
        return tuple(found)


def _frame(part: str) -> Frame | None:
    """None for a process or thread."""
    if match := _PYSPY.match(part):
        return Frame(match[2], match[1], int(match[3]), "executing")
    if _NO_FRAME.match(part) or not part:
        return None
    if match := _COLONS.match(part):
        return Frame(match[1], match[2], int(match[3]), "executing")
    if match := _PERF.match(part):
        return Frame(match[2], match[1], 0)
    return Frame("", part[:1000], 0)
