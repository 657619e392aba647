"""Lines of a log: decoding, the prefixes that containers and CI systems put before each line, and their times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, BinaryIO

from tracelens_indexer.traces.report import Report

MAX_LINE = 4 * 1024 * 1024
"""Bytes of one line that are read; JSON logs have long ones."""
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?(?!\d)",
)
_CI_PREFIX = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (?:std(?:out|err) [FP] )?")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TIME_KEYS = ("timestamp", "@timestamp", "time", "ts", "asctime", "date")
HEADER = "Traceback (most recent call last)"


def lines(stream: BinaryIO, report: Report) -> Iterator[str]:
    """The lines of a text file without their ends; UTF-8 or, by its mark, UTF-16. Undecodable bytes are replaced."""
    start = stream.read(2)
    if start in (b"\xff\xfe", b"\xfe\xff"):
        yield from _utf16_lines(stream, "utf-16-le" if start == b"\xff\xfe" else "utf-16-be", report)
        return
    pending = start
    read = len(start)
    while True:
        raw = stream.readline(MAX_LINE)
        read += len(raw)
        if pending:
            # The two bytes looked at may hold an end of line themselves.
            raw, pending = pending + raw, b""
            *whole, raw = raw.split(b"\n") if raw.count(b"\n") > 1 else [raw]
            for line in whole:
                yield _clean(line.decode("utf-8", "replace"))
        if not raw:
            return
        if len(raw) >= MAX_LINE and not raw.endswith(b"\n"):
            report.skip("line longer than 4 MB")
            while len(raw) >= MAX_LINE and not raw.endswith(b"\n"):
                raw = stream.readline(MAX_LINE)
                read += len(raw)
                report.advance(read)
            continue
        report.advance(read)
        yield _clean(raw.decode("utf-8", "replace"))


def _utf16_lines(stream: BinaryIO, encoding: str, report: Report) -> Iterator[str]:
    """What PowerShell's > writes."""
    rest = b""
    read = 2
    while block := stream.read(1 << 20):
        read += len(block)
        report.advance(read)
        rest += block
        even = len(rest) & ~1
        text, rest = rest[:even].decode(encoding, "replace"), rest[even:]
        *whole, last = text.split("\n")
        rest = last.encode(encoding, "replace") + rest
        for line in whole:
            yield _clean(line)
        if len(rest) > MAX_LINE:
            report.skip("line longer than 4 MB")
            rest = b""
    if rest:
        yield _clean(rest.decode(encoding, "replace"))


def _clean(line: str) -> str:
    line = line.rstrip("\r\n")
    if "\x1b" in line:
        line = _ANSI.sub("", line)
    return line


def without_ci_prefix(line: str) -> tuple[str, str]:
    """(prefix, rest): the time that GitHub Actions, kubectl and `docker logs -t` put before every line."""
    if line[4:5] == "-" and (match := _CI_PREFIX.match(line)):
        return match[0], line[match.end() :]
    return "", line


def time_ns(text: str) -> int:
    """The first date and time near the start of a line, in nanoseconds since the epoch; 0 when there is none.

    A time without a zone is taken as local time, which is what logging writes.
    """
    match = _TIME.search(text[:120])
    if match is None:
        return 0
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction = int((match[7] or "").ljust(9, "0") or 0) if match[7] else 0
    zone: timezone | None = None
    if match[8] == "Z":
        zone = UTC
    elif match[8]:
        digits = match[8][1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        try:
            zone = timezone(-offset if match[8][0] == "-" else offset)
        except ValueError:
            return 0
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return max(0, int(moment.timestamp()) * 1_000_000_000 + fraction)
    except (ValueError, OverflowError, OSError):
        return 0


def first_time_ns(stream: BinaryIO) -> int:
    """When a log begins: the first time in its first 64 KB; 0 when there is none. The stream stays where it was."""
    start = stream.tell()
    head = stream.read(1 << 16)
    stream.seek(start)
    text = head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "replace")
    for line in text.split("\n")[:500]:
        found = time_ns(line)
        if not found and line.startswith("{") and (record := json_record(line)):
            found = record_time_ns(record)
        if found:
            return found
    return 0


def json_record(line: str) -> dict[str, Any] | None:
    """The object of a line of a JSON log, or None."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def record_time_ns(record: dict[str, Any]) -> int:
    """When a JSON log record was written; numbers may be seconds, milli-, micro- or nanoseconds."""
    for key in _TIME_KEYS:
        value = record.get(key)
        if isinstance(value, str):
            return time_ns(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e20:
            for limit, factor in ((1e11, 1e9), (1e14, 1e6), (1e17, 1e3)):
                if value < limit:
                    return int(value * factor)
            return int(value)
    return 0


def texts_with_tracebacks(record: Any, depth: int = 0) -> Iterator[str]:
    """All strings of a JSON value that hold a traceback: exc_info, exception, stack_trace, error.stack, …"""
    if isinstance(record, str):
        if HEADER in record:
            yield record
    elif depth < 6:
        for value in record.values() if isinstance(record, dict) else record if isinstance(record, list) else ():
            yield from texts_with_tracebacks(value, depth + 1)
