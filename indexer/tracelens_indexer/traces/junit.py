"""JUnit XML as pytest writes it: the text of each <failure> and <error>, with the test it belongs to.

    pytest --junit-xml=report.xml -l

Document types and entities are refused before they can grow. What the text says is what pytest prints
(pytest_output.py) or a plain traceback (tracebacks.py). Values of passing tests are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from tracelens_indexer.traces.loglines import HEADER, time_ns
from tracelens_indexer.traces.pytest_output import PytestSection
from tracelens_indexer.traces.records import Failure, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.tracebacks import TextParser
from tracelens_indexer.traces.xml_stream import XmlReader

_MAX_TEXT = 4 * 1024 * 1024
"""Characters of one failure's text."""


def recognises(head: bytes) -> bool:
    start = head.lstrip()[:2000]
    return start.startswith((b"<?xml", b"<testsuite")) and b"<testsuite" in start


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Failure for each exception in the report; a damaged end is told to `report`."""
    yield RunFacts(tool="traceback", started_ns=_timestamp(stream))
    yield from _Document(report).read(stream)


def _timestamp(stream: BinaryIO) -> int:
    """When the tests began, from the first testsuite's attribute."""
    start = stream.tell()
    head = stream.read(1 << 14).decode("utf-8", "replace")
    stream.seek(start)
    found = re.search(r'timestamp="([^"]{1,40})"', head)
    return time_ns(found[1]) if found else 0


class _Document(XmlReader[Failure]):
    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._test: dict[str, str] = {}
        self._text: list[str] | None = None
        self._length = 0
        self._at_ns = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "testsuite":
            self._at_ns = time_ns(attributes.get("timestamp", ""))
        elif name == "testcase":
            self._test = attributes
        elif name in ("failure", "error"):
            self._text = []
            self._length = 0

    def data(self, text: str) -> None:
        if self._text is not None and self._length < _MAX_TEXT:
            self._text.append(text)
            self._length += len(text)

    def end(self, name: str) -> None:
        if self._text is None or name not in ("failure", "error"):
            return
        text = "".join(self._text)
        self._text = None
        found = _failures(text, self._test, self.report)
        if not found:
            self.report.skip("failure without frames")
        for failure in found:
            self.found.append(replace(failure, at_ns=failure.at_ns or self._at_ns))


def _failures(text: str, test: dict[str, str], report: Report) -> list[Failure]:
    title = test.get("name", "")
    owner = test.get("classname", "").rpartition(".")[2]
    if owner[:1].isupper():
        title = f"{owner}.{title}"
    section = PytestSection(title, test.get("file", ""))
    for line in text.split("\n"):
        section.feed(line)
    section.end()
    if section.failures or HEADER not in text:
        return section.failures
    parser = TextParser(report)
    for line in text.split("\n"):
        parser.feed(line)
    parser.end()
    unknown = f"{test.get('classname', '')}::{test.get('name', '')}"
    tests = [section.test_of(failure.stack) for failure in parser.found]
    test_name = next(filter(None, tests), unknown)
    return [replace(failure, test=test_name) for failure in parser.found]
