"""JSON traces as readers want them: one whole document of bounded size, or objects one after the other.

Objects come as JSON lines, as pretty-printed objects one after the other, or as the items of an array. A damaged one is
told to the report and the next is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.json_stream import Broken, JsonStream
from tracelens_indexer.traces.report import Report

MAX_DOCUMENT = 512 * 1024 * 1024
MAX_LINE = 64 * 1024 * 1024
_FIRST = 1 << 20


def whole(stream: BinaryIO, report: Report, what: str, limit: int = MAX_DOCUMENT) -> Any:
    """The document. Raises NotATrace when it is too large, cut short or damaged; `what` names it there."""
    data = stream.read(limit + 1)
    report.advance(len(data))
    if len(data) > limit:
        raise NotATrace(f"{what} over {limit >> 20} MB; record a smaller part of the program")
    try:
        return json.loads(data.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError) as error:
        raise NotATrace(f"{what} that is cut short or damaged. Export it again") from error


def objects(stream: BinaryIO, report: Report) -> Iterator[dict[str, Any]]:
    """The objects of a file, in whichever of the three ways it holds them."""
    start = stream.tell()
    head = stream.read(_FIRST)
    stream.seek(start)
    # A line that is longer than this is most likely one of JSON lines.
    first, newline, _ = head.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")
    if first.startswith(b"[") and not (newline and _decoded(first) is not None):
        found = _items(stream, report)
    elif newline and _decoded(first) is None:
        found = _one_after_the_other(stream, report)
    else:
        found = _lines(stream, report)
    for item in found:
        if isinstance(item, dict):
            yield item
        elif isinstance(item, list):
            # A line may hold a batch.
            yield from (inner for inner in item if isinstance(inner, dict))
        else:
            report.skip("record that is no object")


def _decoded(line: bytes) -> Any:
    """The value of a line, or None when it is no JSON."""
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        # Python writes NaN, and logs hold bytes that are not UTF-8.
        return json.loads(line.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):
        return None


def _lines(stream: BinaryIO, report: Report) -> Iterator[Any]:
    read = 0
    told = 0
    while line := stream.readline(MAX_LINE):
        read += len(line)
        if read - told > _FIRST:
            told = read
            report.advance(read)
        if not line.strip():
            continue
        found = _decoded(line)
        if found is None:
            report.skip("damaged line")
            if len(line) >= MAX_LINE:
                while line and not line.endswith(b"\n"):
                    line = stream.readline(MAX_LINE)
        else:
            yield found
    report.advance(read)


def _items(stream: BinaryIO, report: Report) -> Iterator[Any]:
    document = JsonStream(stream, report.advance)
    try:
        document.start()
        yield from document.items()
    except Broken:
        report.broke_off()


def _one_after_the_other(stream: BinaryIO, report: Report) -> Iterator[Any]:
    document = JsonStream(stream, report.advance)
    try:
        yield from document.documents()
    except Broken:
        report.broke_off()
