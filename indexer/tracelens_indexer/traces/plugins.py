"""Readers that others add: found by the entry point `tracelens.readers`, run in a process of their own, under limits.

    [project.entry-points."tracelens.readers"]
    acme = "acme_tracelens"

The module has `recognises(head: bytes) -> bool`, given the first 64 KB, and `read(stream, report)`, which yields the
records of records.py as our own readers do. Only readers that the user's own configuration names are started, and their
code runs nowhere but in that process: it has no way to the store, and what it sends is checked like any trace.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

import msgspec

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import records
from tracelens_indexer.traces.records import Record
from tracelens_indexer.traces.report import Report

GROUP = "tracelens.readers"
MAX_LINE = 16 * 1024 * 1024
MAX_RECORDS = 20_000_000
_KINDS: dict[str, msgspec.json.Decoder[Any]] = {
    kind.__name__: msgspec.json.Decoder(kind)
    for kind in (
        records.RunFacts,
        records.Call,
        records.Count,
        records.EdgeCount,
        records.Sample,
        records.SampleTotal,
        records.Failure,
        records.Executed,
    )
}
_SKIP = msgspec.json.Decoder(tuple[str, int])
_TEXT = msgspec.json.Decoder(str)


def recognises(name: str, stream: BinaryIO) -> bool:
    """Whether the reader takes the file. Raises NotATrace when the reader cannot be run."""
    with _worker(name, stream, "recognise") as process:
        assert process.stdout is not None
        kind, content = _line(process.stdout)
        process.kill()
    if kind == "error":
        raise NotATrace(f"the reader {name} cannot be used: {_TEXT.decode(content)}")
    return kind == "yes"


def read(name: str, stream: BinaryIO, report: Report) -> Iterator[Record]:
    """The reader's records, as they come. What it sends that is no record is skipped."""
    with _worker(name, stream, "read") as process:
        assert process.stdout is not None
        try:
            for _ in range(MAX_RECORDS):
                report.advance(0)
                kind, content = _line(process.stdout)
                if kind == "end":
                    return
                if kind == "error":
                    report.note(f"the reader {name} stopped: {_TEXT.decode(content)[:300]}")
                    return
                try:
                    if kind in _KINDS:
                        yield _KINDS[kind].decode(content)
                    elif kind == "skip":
                        reason, n = _SKIP.decode(content)
                        report.skip(reason[:100], max(0, n))
                    elif kind == "note":
                        report.note(_TEXT.decode(content)[:300])
                    else:
                        break
                except (msgspec.MsgspecError, RecursionError):
                    report.skip("record that is none")
            report.note(f"the reader {name} ended before it was done, or sent what is no record")
        finally:
            process.kill()


def _worker(name: str, stream: BinaryIO, what: str) -> subprocess.Popen[bytes]:
    stream.flush() if stream.writable() else None
    stream.seek(0)
    os.lseek(stream.fileno(), 0, os.SEEK_SET)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "tracelens_indexer.traces.plugin_worker", name, what],
        stdin=stream.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _line(stdout: IO[bytes]) -> tuple[str, bytes]:
    line = stdout.readline(MAX_LINE)
    if not line.endswith(b"\n"):
        return "", b""
    kind, _, content = line.partition(b" ")
    return kind.decode("ascii", "replace").strip(), content.strip()
