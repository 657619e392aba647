"""The process in which another's reader runs: the trace is its standard input, records leave as lines `Kind {json}`."""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import entry_points
from typing import Any, BinaryIO

import msgspec

from tracelens_indexer.traces.plugins import GROUP
from tracelens_indexer.traces.report import Report

MEMORY = 2 * 1024**3
SECONDS = 1800
"""Of CPU time."""
HEAD = 1 << 16


def main() -> None:
    name, what = sys.argv[1:3]
    out = os.fdopen(os.dup(1), "wb")
    # What the reader prints must not be taken for records.
    os.dup2(2, 1)
    _limit()
    stream = io.BufferedReader(io.FileIO(0, closefd=False))
    try:
        _run(name, what, stream, out)
    except Exception as error:
        _send(out, "error", f"{type(error).__name__}: {error}"[:1_000])
    out.flush()


def _run(name: str, what: str, stream: BinaryIO, out: BinaryIO) -> None:
    found = list(entry_points(group=GROUP, name=name))
    if len(found) != 1:
        _send(out, "error", "it is not installed" if not found else "two packages offer it")
        return
    reader: Any = found[0].load()
    if what == "recognise":
        _send(out, "yes" if reader.recognises(stream.read(HEAD)) else "no", "")
        return
    report = _Report(out)
    for record in reader.read(stream, report):
        _send(out, type(record).__name__, record)
    _send(out, "end", "")


class _Report(Report):
    """A report that is told at the other end."""

    def __init__(self, out: BinaryIO) -> None:
        super().__init__()
        self._out = out

    def skip(self, reason: str, n: int = 1) -> None:
        _send(self._out, "skip", (reason, n))

    def note(self, text: str) -> None:
        _send(self._out, "note", text)


def _send(out: BinaryIO, kind: str, content: object) -> None:
    out.write(kind.encode() + b" " + msgspec.json.encode(content) + b"\n")


def _limit() -> None:
    """No files written, no more memory and time than a large trace takes; where the system can say so."""
    try:
        import resource
    except ImportError:
        return
    limits = ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_FSIZE, 0))
    for which, most in limits:
        resource.setrlimit(which, (most, most))


if __name__ == "__main__":
    main()
