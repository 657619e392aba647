"""coverage.py: which lines ran, and with contexts, in which test.

    coverage run -m pytest                                   (writes .coverage, a SQLite file)
    coverage json --show-contexts; coverage xml; coverage lcov
    pytest --cov=shop --cov-context=test                     or in .coveragerc: [run] dynamic_context = test_function

.coverage: file(id, path), context(id, context), line_bits(file_id, context_id, numbits: bit n of byte n // 8 is line
n), or with --branch arc(file_id, context_id, fromno, tono). JSON: {files: {path: {executed_lines, contexts: {line:
[context]}}}}. XML (Cobertura) and lcov name lines with hits, which are 0 or 1. In none of them is it known how often:
a function whose body ran is one that ran, never one that was called so many times. A static context
(`--context=demo`) is no test.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.json_stream import Broken, JsonStream
from tracelens_indexer.traces.loglines import time_ns
from tracelens_indexer.traces.records import Executed, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.user_sqlite import Database, opened
from tracelens_indexer.traces.xml_stream import XmlReader

MAX_LINE = 10_000_000
_MAX_BITS = MAX_LINE // 8
_PHASE = re.compile(r"\|(?:run|setup|teardown)$")
_TEST = re.compile(r"(?:^|\.)[Tt]est")


def recognises_database(head: bytes) -> bool:
    return b"coverage_schema" in head


def recognises_json(keys: frozenset[str], head: bytes) -> bool:
    return {"files", "meta"} <= keys and ("totals" in keys or b"executed_lines" in head)


def recognises_xml(head: bytes) -> bool:
    return head.startswith(b"<") and b"<coverage" in head[:2000]


def recognises_lcov(head: bytes) -> bool:
    return re.match(rb"\s*(?:TN:[^\n]*\r?\n\s*)?SF:", head) is not None


def test_of(context: str) -> str:
    """The test that a context names, "" when it names none: "tests/test_a.py::test_b|run", "test_a.TestB.test_c",
    "static|test_a.test_b"."""
    context = _PHASE.sub("", context[:1000])
    if "::" in context:
        return context
    return next((part for part in context.split("|") if "." in part and _TEST.search(part)), "")


# -- .coverage ---------------------------------------------------------------------------------------------------------


def read_database(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """The lines of each file and context."""
    yield RunFacts(tool="coverage")
    with opened(stream, report) as database:
        files = {row[0]: row[1] for row in database.rows("SELECT id, path FROM file", "file") if type(row[1]) is str}
        contexts = {
            row[0]: test_of(row[1])
            for row in database.rows("SELECT id, context FROM context", "context")
            if type(row[1]) is str
        }
        found = False
        for executed in (*_bits(database, files, contexts, report), *_arcs(database, files, contexts)):
            found = True
            yield executed
    if not found:
        raise NotATrace("coverage data without a single line that ran. Run the program first:  coverage run …")


def _bits(database: Database, files: dict[Any, str], contexts: dict[Any, str], report: Report) -> Iterator[Executed]:
    if "line_bits" not in database.tables:
        return
    for file, context, bits in database.rows("SELECT file_id, context_id, numbits FROM line_bits", "line_bits"):
        if file not in files or not isinstance(bits, bytes) or len(bits) > _MAX_BITS:
            report.skip("malformed row")
            continue
        lines = tuple(at * 8 + bit for at, byte in enumerate(bits) if byte for bit in range(8) if byte >> bit & 1)
        yield Executed(files[file], lines, contexts.get(context, ""))


def _arcs(database: Database, files: dict[Any, str], contexts: dict[Any, str]) -> Iterator[Executed]:
    """An arc leads from a line to a line; negative ones are the ways into and out of a code object."""
    if "arc" not in database.tables:
        return
    lines: set[int] = set()
    last: tuple[Any, Any] | None = None
    query = "SELECT file_id, context_id, fromno, tono FROM arc ORDER BY file_id, context_id"
    for file, context, start, end in database.rows(query, "arc"):
        if last is not None and last != (file, context):
            if last[0] in files:
                yield Executed(files[last[0]], tuple(sorted(lines)), contexts.get(last[1], ""))
            lines = set()
        last = (file, context)
        lines.update(line for line in (start, end) if type(line) is int and 0 < line < MAX_LINE)
    if last is not None and last[0] in files and lines:
        yield Executed(files[last[0]], tuple(sorted(lines)), contexts.get(last[1], ""))


# -- reports -----------------------------------------------------------------------------------------------------------


def read_json(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """The lines of each file, by test where contexts were asked for; a report that breaks off is used up to there."""
    document = JsonStream(stream, report.advance)
    found = False
    started = 0
    first = True
    try:
        document.start()
        for key in document.members():
            if key == "files" and document.start() == "{":
                if first:
                    yield RunFacts(tool="coverage", started_ns=started)
                    first = False
                for path in document.members():
                    for executed in _file(path, shapes.mapping(document.value())):
                        found = True
                        yield executed
            else:
                value = document.value()
                if key == "meta":
                    started = time_ns(shapes.text(shapes.mapping(value).get("timestamp")))
    except Broken:
        report.broke_off()
    if not found:
        raise NotATrace("a coverage report without a single line that ran")


def _file(path: str, file: dict[str, Any]) -> Iterator[Executed]:
    executed = tuple(line for entry in shapes.items(file.get("executed_lines")) if (line := shapes.line(entry)))
    if executed:
        yield Executed(path, executed)
    by_test: defaultdict[str, list[int]] = defaultdict(list)
    for key, contexts in shapes.mapping(file.get("contexts")).items():
        line = shapes.line(key)
        for context in shapes.items(contexts):
            test = test_of(context) if type(context) is str else ""
            if test and line:
                by_test[test].append(line)
    for test, lines in by_test.items():
        yield Executed(path, tuple(lines), test)


def read_lcov(stream: BinaryIO, report: Report) -> Iterator[Record]:
    yield RunFacts(tool="coverage")
    path = ""
    lines: list[int] = []
    found = False
    for number, raw in enumerate(iter(lambda: stream.readline(1 << 16), b"")):
        if not number % 10_000:
            report.advance(stream.tell())
        kind, _, rest = raw.decode("utf-8", "replace").strip().partition(":")
        if kind == "SF":
            path, lines = rest[: shapes.MAX_PATH], []
        elif kind == "DA":
            line, _, hits = rest.partition(",")
            count = shapes.number(hits.partition(",")[0])
            if not shapes.line(line) or count is None:
                report.skip("malformed line")
            elif count > 0 and len(lines) < MAX_LINE:
                lines.append(shapes.line(line))
        elif kind == "end_of_record" and path and lines:
            found = True
            yield Executed(path, tuple(lines))
            path, lines = "", []
    if path and lines:
        found = True
        report.skip("end of the file is missing or damaged")
        yield Executed(path, tuple(lines))
    if not found:
        raise NotATrace("an lcov file without a single line that ran")


def read_xml(stream: BinaryIO, report: Report) -> Iterator[Record]:
    document = _Cobertura(report)
    start = stream.tell()
    head = stream.read(2_000).decode("utf-8", "replace")
    stream.seek(start)
    stamp = re.search(r'timestamp="(\d{10,13})"', head)
    milliseconds = int(stamp[1]) * (1_000 if stamp and len(stamp[1]) == 10 else 1) if stamp else 0
    yield RunFacts(tool="coverage", started_ns=milliseconds * 1_000_000)
    found = False
    for executed in document.read(stream):
        found = True
        yield executed
    if not found:
        raise NotATrace("a coverage report without a single line that ran")


class _Cobertura(XmlReader[Executed]):
    has_doctype = True

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._path = ""
        self._lines: list[int] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "class":
            self._path, self._lines = attributes.get("filename", "")[: shapes.MAX_PATH], []
        elif name == "line" and self._path:
            hits = shapes.number(attributes.get("hits", "0"))
            line = shapes.line(attributes.get("number", ""))
            if hits is None or not line:
                self.report.skip("malformed line")
            elif hits > 0 and len(self._lines) < MAX_LINE:
                self._lines.append(line)

    def end(self, name: str) -> None:
        if name == "class" and self._path:
            if self._lines:
                self.found.append(Executed(self._path, tuple(self._lines)))
            self._path, self._lines = "", []
