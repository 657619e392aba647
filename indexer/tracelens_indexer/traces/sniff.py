"""Which format a file is, by its content and never by its name; and, for what is not read, what to do instead.

`recognise(head)` looks at the first bytes alone. Formats that are known and refused are refused by name, with the
command that converts them where there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tracelens_indexer.traces import chrome, junit, pstats, speedscope, tracebacks
from tracelens_indexer.traces.records import Record
from tracelens_indexer.traces.report import Report

HEAD = 1 << 16
"""Bytes that are looked at."""

Reader = Callable[[BinaryIO, Report], Iterator[Record]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read."""

    name: str
    """"pstats", "chrome", "speedscope", "traceback", "junit", "tracelens"."""
    title: str
    """What a person calls it."""
    read: Reader


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that is not read: what it is, and what to do."""

    what: str
    """"memray binary", "empty", "binary, of no known format"."""
    advice: str = ""
    """A sentence or a command; "" when there is none."""

    def message(self, name: str) -> str:
        """The line that a person sees."""
        advice = f" {self.advice.replace('FILE', name)}" if self.advice else ""
        return f"{name}: not a trace I can read ({self.what}).{advice}"


PSTATS = Format("pstats", "pstats (cProfile, yappi)", pstats.read)
CHROME = Format("chrome", "VizTracer or Chrome trace JSON", chrome.read)
SPEEDSCOPE = Format("speedscope", "speedscope JSON", speedscope.read)
TRACEBACKS = Format("traceback", "text with Python tracebacks", tracebacks.read)
JUNIT = Format("junit", "JUnit XML", junit.read)

_NOT_YET = "This format is not read yet."
_SPEEDSCOPE = "Record with py-spy instead:  py-spy record --format speedscope -o shop.json -- python run.py"


def _convert(command: str) -> str:
    return f"Convert it first:  {command}"


# (what the file starts with, at which byte, what it is, what to do)
_MAGIC: tuple[tuple[bytes, int, str, str], ...] = (
    (b"MOJ", 0, "Austin MOJO", _convert("mojo2austin FILE shop.austin && austin2speedscope shop.austin shop.json")),
    (b"memray", 0, "memray binary", _convert("memray transform speedscope FILE")),
    (b"\x04\x22\x4d\x18", 0, "memray binary", _convert("memray transform speedscope FILE")),
    (b"\x28\xb5\x2f\xfd", 0, "zstd-compressed", "Unpack it first:  zstd -d FILE"),
    (b"\xfd7zXZ\x00", 0, "xz-compressed", "Unpack it first:  xz -dk FILE"),
    (b"BZh", 0, "bzip2-compressed", "Unpack it first:  bzip2 -dk FILE"),
    (b"PK\x03\x04", 0, "zip archive", "Unpack it first:  unzip FILE"),
    (b"ustar", 257, "tar archive", "Unpack it first:  tar -xf FILE"),
    (b"\x7fELF", 0, "a program, not a trace", ""),
    (b"\x89PNG", 0, "an image, not a trace", ""),
    (b"PAR1", 0, "Parquet", ""),
)

# (keys that the outermost object, or the first item of the outermost array, has; what it is; what to do)
_JSON: tuple[tuple[frozenset[str], str, str], ...] = tuple(
    (frozenset(keys.split()), what, advice)
    for keys, what, advice in (
        ("resourceSpans", "OpenTelemetry OTLP JSON", _NOT_YET),
        ("resource_spans", "OpenTelemetry OTLP JSON", _NOT_YET),
        ("context parent_id start_time", "OpenTelemetry console spans", _NOT_YET),
        ("execution_trace", "captureflow JSON", _NOT_YET),
        ("classMap events", "AppMap", _NOT_YET),
        ("root_frame", "pyinstrument JSON", "Save it as speedscope:  pyinstrument -r speedscope -o shop.json run.py"),
        (
            "frame_records",
            "pyinstrument session",
            _convert("pyinstrument --load FILE -r speedscope -o shop.json"),
        ),
        ("event_id exception", "Sentry event", _NOT_YET),
        ("event_id dsn", "Sentry envelope", _NOT_YET),
        ("event_id sent_at", "Sentry envelope", _NOT_YET),
        ("entries eventID", "Sentry event", _NOT_YET),
        ("exception platform", "Sentry event", _NOT_YET),
        ("traceId localEndpoint", "Zipkin JSON", _NOT_YET),
        ("files elapsed_time_sec", "Scalene JSON", _SPEEDSCOPE),
        ("elapsed_time_sec", "Scalene JSON", _SPEEDSCOPE),
        ("alloc_samples", "Scalene JSON", _SPEEDSCOPE),
        ("meta files totals", "coverage.py JSON", _NOT_YET),
        ("thread_id frames", "py-spy dump", _NOT_YET),
        ("meta threads", "Firefox (gecko) profile", _SPEEDSCOPE),
        ("type run_id", "profiling.sampling JSON lines", _SPEEDSCOPE),
        ("target kwargs _version", "FluxLoop arguments", _NOT_YET),
        ("parent_observation_id trace_id", "FluxLoop observations", _NOT_YET),
        ("type trace_id start_time", "FluxLoop observations", _NOT_YET),
        ("seq type payload", "AgentTrace events", _NOT_YET),
        ("nbformat cells", "a Jupyter notebook, not a trace", ""),
    )
)


def recognise(head: bytes, name: str = "") -> Format | Refusal:
    """The format of a file that begins with `head` (HEAD bytes, or all of a shorter file). `name` is not looked at."""
    if not head:
        return Refusal("empty")
    for magic, at, what, advice in _MAGIC:
        if head.startswith(magic, at):
            return Refusal(what, advice)
    if head.startswith(b"SQLite format 3\x00"):
        return _sqlite(head)
    own = _own(head)
    if own is not None:
        return own
    if pstats.recognises(head):
        return PSTATS
    if head[0] == 0x80 and len(head) > 1 and head[1] in range(2, 6):
        what = "line_profiler .lprof, a pickle" if b"line_profiler" in head else "a pickle"
        return Refusal(what, "Pickles can run code when they are opened, so TraceLens never does. Use cProfile instead")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return TRACEBACKS
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if b"\x00" in head or _undecodable(head):
        return _binary(head)
    if text[:1] in (b"{", b"["):
        known = _json(text)
        if known is not None:
            return known
    if junit.recognises(text):
        return JUNIT
    return _text(text)


def _own(head: bytes) -> Format | None:
    """Our own recordings. The reader is imported here: it needs the recorder's container, which nothing else does."""
    from tracelens_indexer.traces import recording

    return Format("tracelens", "a TraceLens recording", recording.read) if recording.recognises(head) else None


def _sqlite(head: bytes) -> Refusal:
    if b"monkeytype_call_traces" in head:
        return Refusal("MonkeyType SQLite", _NOT_YET)
    if b"coverage_schema" in head:
        return Refusal("coverage.py data", _NOT_YET)
    return Refusal("a SQLite database")


def _binary(head: bytes) -> Refusal:
    if head[0] == 0x0A:
        return Refusal("protobuf: Perfetto, OTLP or pprof", "Perfetto converts it:  traceconv json FILE shop.json")
    if head[4:5] == b"\x0a" and int.from_bytes(head[:4], "big") < 1 << 28:
        return Refusal("OpenTelemetry collector protobuf", _NOT_YET)
    return Refusal("binary, of no known format")


def _undecodable(head: bytes) -> bool:
    """Whether too much of it is neither UTF-8 nor a plain control character to be a log."""
    text = head.decode("utf-8", "replace")
    strange = sum(
        1 for character in text if character == "\ufffd" or (character < " " and character not in "\t\n\r\x1b\f\b")
    )
    return strange > max(4, len(text) // 20)


def _json(text: bytes) -> Format | Refusal | None:
    keys = _keys(text.decode("utf-8", "replace"))
    if keys is None:
        return None
    if chrome.recognises_keys(keys):
        return CHROME
    if speedscope.recognises_keys(keys, text):
        return SPEEDSCOPE
    for wanted, what, advice in _JSON:
        if wanted <= keys:
            return Refusal(what, advice)
    if keys == {"data"} or ("data" in keys and b'"traceID"' in text):
        return Refusal("Jaeger JSON", _NOT_YET)
    if not keys and tracebacks.recognises(text) is False and text.strip() in (b"{}", b"[]"):
        return Refusal("empty JSON")
    # A JSON log is text: its records may hold tracebacks.
    return None


def _text(text: bytes) -> Format | Refusal:
    if tracebacks.recognises(text):
        return TRACEBACKS
    first = text.split(b"\n", 1)[0][:500]
    if first.startswith(b"# austin:"):
        return Refusal("Austin text", _convert("austin2speedscope FILE shop.json"))
    if first.startswith((b"<svg", b"<!DOCTYPE html", b"<html")) or b"<svg" in text[:2000]:
        return Refusal("a flame graph or web page, made to be looked at", _SPEEDSCOPE)
    if b"<coverage " in text[:2000]:
        return Refusal("coverage.py XML", _NOT_YET)
    if first.startswith((b"TN:", b"SF:")):
        return Refusal("lcov coverage", _NOT_YET)
    if re.fullmatch(rb"[^;\n]+(?:;[^;\n]+)+ \d+\r?", first):
        return Refusal("collapsed stacks", _SPEEDSCOPE)
    # A log may come to its first traceback late; the reader says so when there is none.
    return TRACEBACKS


def _keys(text: str) -> frozenset[str] | None:
    """Keys of the outermost object, or of the first item of the outermost array, as far as the text goes; None when it
    does not look like JSON. Only the object's own keys count: words inside values say nothing."""
    decoder = json.JSONDecoder(strict=False)
    at = _skip_space(text, 0)
    if text[at : at + 1] == "[":
        at = _skip_space(text, at + 1)
        if text[at : at + 1] == "[":
            # A nested array is of no known format.
            return frozenset()
    if text[at : at + 1] == "]":
        return frozenset()
    if text[at : at + 1] != "{":
        return None
    keys: set[str] = set()
    at = _skip_space(text, at + 1)
    while at < len(text) and text[at] != "}":
        try:
            key, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        at = _skip_space(text, at)
        if not isinstance(key, str) or text[at : at + 1] != ":":
            return None if not keys else frozenset(keys)
        keys.add(key)
        end = _skip_value(text, _skip_space(text, at + 1), decoder)
        if end is None:
            break
        at = _skip_space(text, end)
        if text[at : at + 1] == ",":
            at = _skip_space(text, at + 1)
    return frozenset(keys)


def _skip_value(text: str, at: int, decoder: json.JSONDecoder) -> int | None:
    try:
        return decoder.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return None


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def readable() -> tuple[Format, ...]:
    """The formats that are read, for `--list-formats` and the documentation."""
    from tracelens_indexer.traces import recording

    own = Format("tracelens", "a TraceLens recording", recording.read)
    return (own, CHROME, PSTATS, SPEEDSCOPE, TRACEBACKS, JUNIT)
