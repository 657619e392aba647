"""Which format a file is, by its content and never by its name; and, for what is not read, what to do instead.

`recognise(head)` looks at the first bytes alone. Formats that are known and refused are refused by name, with the
command that converts them where there is one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from tracelens_indexer.traces import (
    agenttrace,
    appmap,
    captureflow,
    chrome,
    collapsed,
    coverage,
    fluxloop,
    jaeger_zipkin,
    junit,
    mojo,
    monkeytype,
    otlp,
    pprof,
    pstats,
    pyinstrument,
    pyspy_dump,
    reflexruntime,
    sampling,
    scalene,
    sentry,
    speedscope,
    tracebacks,
)
from tracelens_indexer.traces.records import Record
from tracelens_indexer.traces.report import Report

HEAD = 1 << 16
"""Bytes that are looked at."""

Reader = Callable[[BinaryIO, Report], Iterator[Record]]


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is read."""

    name: str
    """"pstats", "chrome", "otlp", …: short, and the same for all encodings of a format."""
    title: str
    """What a person calls it."""
    read: Reader
    made_by: str = ""
    """A command that makes one, or the tool that does."""


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


PSTATS = Format("pstats", "pstats (cProfile, yappi)", pstats.read, "python -m cProfile -o shop.pstats run.py")
CHROME = Format(
    "chrome",
    "VizTracer or Chrome trace JSON",
    chrome.read,
    "viztracer --log_func_args --log_func_retval -o shop.json -- run.py",
)
SPEEDSCOPE = Format(
    "speedscope", "speedscope JSON", speedscope.read, "py-spy record --format speedscope -o shop.json -- python run.py"
)
TRACEBACKS = Format("traceback", "text with Python tracebacks", tracebacks.read, "python app.py 2> app.log")
JUNIT = Format("junit", "JUnit XML", junit.read, "pytest --junit-xml=report.xml -l")
COLLAPSED = Format(
    "collapsed",
    "collapsed stacks, Austin text",
    collapsed.read,
    "py-spy record --format raw -o shop.raw -- python run.py",
)
MOJO = Format("mojo", "Austin MOJO", mojo.read, "austin -b -o shop.mojo python run.py")
PPROF = Format("pprof", "pprof", pprof.read, "austin2pprof shop.austin shop.pprof")
OTLP_PROTOBUF = Format("otlp", "OpenTelemetry OTLP, protocol buffers", otlp.read_protobuf, "collector: file, proto")
REFLEX = Format("reflexruntime", "a ReflexRuntime debug session", reflexruntime.read, "ReflexRuntime: debug/*.md")
COVERAGE = Format("coverage", "coverage.py data", coverage.read_database, "coverage run -m pytest")
COVERAGE_XML = Format("coverage", "coverage.py or Cobertura XML", coverage.read_xml, "coverage xml")
COVERAGE_LCOV = Format("coverage", "lcov coverage", coverage.read_lcov, "coverage lcov")
MONKEYTYPE = Format("monkeytype", "MonkeyType SQLite", monkeytype.read, "monkeytype run run.py")

Recognises = Callable[[frozenset[str], bytes], bool]
"""Given the keys of the outermost object (or of the first item of an array, or of the first line) and the text."""

_JSON_FORMATS: tuple[tuple[Recognises, Format], ...] = (
    (lambda keys, _: chrome.recognises_keys(keys), CHROME),
    (speedscope.recognises_keys, SPEEDSCOPE),
    (
        lambda keys, _: otlp.recognises_json(keys),
        Format("otlp", "OpenTelemetry OTLP JSON", otlp.read_json, "collector: exporters: file"),
    ),
    (
        lambda keys, _: otlp.recognises_console(keys),
        Format("otlp", "OpenTelemetry console spans", otlp.read_console, "Python SDK: ConsoleSpanExporter"),
    ),
    (
        lambda keys, _: captureflow.recognises_keys(keys),
        Format("captureflow", "captureflow v1 JSON", captureflow.read, "CAPTUREFLOW_DEV_SERVER=true"),
    ),
    (appmap.recognises_keys, Format("appmap", "AppMap", appmap.read, "appmap-python --record tests pytest")),
    (
        lambda keys, _: pyinstrument.recognises_report(keys),
        Format(
            "pyinstrument", "pyinstrument JSON", pyinstrument.read_report, "pyinstrument -r json -o shop.json run.py"
        ),
    ),
    (
        lambda keys, _: pyinstrument.recognises_session(keys),
        Format(
            "pyinstrument",
            "pyinstrument session",
            pyinstrument.read_session,
            "pyinstrument -r session -o shop.pyisession run.py",
        ),
    ),
    (
        sentry.recognises_envelope,
        Format("sentry", "Sentry envelope", sentry.read_envelope, "a transport or relay that keeps envelopes"),
    ),
    (
        sentry.recognises_event,
        Format("sentry", "Sentry event, transaction or profile", sentry.read_event, "Sentry: the issue's page, JSON"),
    ),
    (
        jaeger_zipkin.recognises_jaeger,
        Format("jaeger", "Jaeger JSON", jaeger_zipkin.read_jaeger, "Jaeger: the trace's page, Trace JSON"),
    ),
    (
        lambda keys, _: jaeger_zipkin.recognises_zipkin(keys),
        Format("zipkin", "Zipkin v2 JSON", jaeger_zipkin.read_zipkin, "Zipkin: the trace's page, JSON"),
    ),
    (
        scalene.recognises_keys,
        Format("scalene", "Scalene JSON", scalene.read, "scalene run --json --outfile shop.json run.py"),
    ),
    (
        coverage.recognises_json,
        Format("coverage", "coverage.py JSON", coverage.read_json, "coverage json --show-contexts"),
    ),
    (
        lambda keys, _: pyspy_dump.recognises_keys(keys),
        Format("py-spy dump", "py-spy dump", pyspy_dump.read, "py-spy dump --locals --json --pid PID > dump.json"),
    ),
    (
        sampling.recognises_gecko,
        Format("gecko", "Firefox (gecko) profile", sampling.read_gecko, "python -m profiling.sampling run --gecko …"),
    ),
    (
        sampling.recognises_lines,
        Format(
            "profiling.sampling",
            "profiling.sampling JSON lines",
            sampling.read_lines,
            "python -m profiling.sampling run --jsonl …",
        ),
    ),
    (
        lambda keys, _: fluxloop.recognises_arguments(keys),
        Format("fluxloop", "FluxLoop arguments", fluxloop.read_arguments, "FluxLoop: args.jsonl"),
    ),
    (
        lambda keys, _: fluxloop.recognises_observations(keys),
        Format("fluxloop", "FluxLoop observations", fluxloop.read_observations, "FluxLoop: observations.jsonl"),
    ),
    (
        lambda keys, _: agenttrace.recognises_keys(keys),
        Format(
            "agenttrace", "AgentTrace events", agenttrace.read, "agenttrace-sdk: .agenttrace/traces/ID/events.jsonl"
        ),
    ),
)

_SPEEDSCOPE = "Record with py-spy instead:  py-spy record --format speedscope -o shop.json -- python run.py"


def _convert(command: str) -> str:
    return f"Convert it first:  {command}"


# (what the file starts with, at which byte, what it is, what to do)
_MAGIC: tuple[tuple[bytes, int, str, str], ...] = (
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
_JSON_REFUSED: tuple[tuple[frozenset[str], str, str], ...] = tuple(
    (frozenset(keys.split()), what, advice)
    for keys, what, advice in (
        (
            "trace_id step_id agent_state",
            "an AgentTrace checkpoint, which may hold a pickle and is never opened",
            "Import events.jsonl, which is beside it",
        ),
        ("script_path script_content", "AgentTrace metadata", "Import events.jsonl, which is beside it"),
        (
            "task_id status result",
            "the result of a repair task: a proposed patch and runs of code that is not in this workspace",
            "Name the file itself: it is noted as a proposed fix. The log that it was given is a trace",
        ),
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
    if head.startswith(b"MOJ") and len(head) > 3 and head[3] < 32:
        later = head[3] > 3
        return Refusal("Austin MOJO of a later version", _convert("mojo2austin FILE shop.austin")) if later else MOJO
    if pprof.recognises(head):
        return PPROF
    if otlp.recognises_protobuf(head):
        return OTLP_PROTOBUF
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


def _sqlite(head: bytes) -> Format | Refusal:
    if monkeytype.recognises(head):
        return MONKEYTYPE
    if coverage.recognises_database(head):
        return COVERAGE
    return Refusal("a SQLite database of no known tool")


def _binary(head: bytes) -> Refusal:
    if head[0] == 0x0A:
        return Refusal("protobuf, but not OTLP or pprof", "Perfetto converts its own:  traceconv json FILE shop.json")
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
    for recognises, found in _JSON_FORMATS:
        if recognises(keys, text):
            return found
    for wanted, what, advice in _JSON_REFUSED:
        if wanted <= keys:
            return Refusal(what, advice)
    if not keys and tracebacks.recognises(text) is False and text.strip() in (b"{}", b"[]"):
        return Refusal("empty JSON")
    # A JSON log is text: its records may hold tracebacks.
    return None


def _text(text: bytes) -> Format | Refusal:
    if reflexruntime.recognises(text):
        return REFLEX
    if tracebacks.recognises(text):
        return TRACEBACKS
    if collapsed.recognises(text):
        return COLLAPSED
    if coverage.recognises_xml(text):
        return COVERAGE_XML
    if coverage.recognises_lcov(text):
        return COVERAGE_LCOV
    first = text[:500]
    if first.startswith((b"<svg", b"<!DOCTYPE html", b"<html")) or b"<svg" in text[:2000]:
        return Refusal("a flame graph or web page, made to be looked at", _SPEEDSCOPE)
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

    own = Format("tracelens", "a TraceLens recording", recording.read, "tracelens record -- pytest")
    text = (TRACEBACKS, JUNIT, COLLAPSED, REFLEX, COVERAGE_XML, COVERAGE_LCOV)
    binary = (PSTATS, MOJO, PPROF, OTLP_PROTOBUF, COVERAGE, MONKEYTYPE)
    return (own, *text, *binary, *(found for _, found in _JSON_FORMATS))
