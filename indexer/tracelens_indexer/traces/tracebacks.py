"""Python tracebacks in text: logs, console output, pytest's output, JSON logs.

    python app.py 2> app.log          pytest --tb=short -l > pytest.txt          docker compose logs > app.log

The text is read line by line, so a log may be of any size. Understood are: plain tracebacks; chains ("direct cause",
"During handling": each exception counts by itself); exception groups with their `|` margins (the group and every
exception in it); "[Previous line repeated N more times]"; messages of several lines and notes; the caret lines of
3.11+ and sources over several lines of 3.13+; a missing source line; the place of a SyntaxError (a place in a text, not
a frame: it is left out); a prefix before every line (docker compose, syslog) or before the first alone; times that CI
systems and kubectl put first; JSON logs with the traceback in any string (exc_info, exception, stack_trace, …) and
docker's json-file format; pytest's short, long and native styles, with locals where `-l` printed them.

A frame is a path, the line that was executing and `co_name`. A message has no marked end in Python: it ends at an empty
line, at the next traceback, or at a line that begins as log records do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import loglines
from tracelens_indexer.traces.loglines import HEADER
from tracelens_indexer.traces.pytest_output import (
    CHAINED,
    EXCEPTION,
    MAX_FRAMES,
    MAX_MESSAGE,
    SECTION,
    PytestSection,
)
from tracelens_indexer.traces.records import Failure, FailureFrame, Frame, Record, RunFacts
from tracelens_indexer.traces.report import Report

_FRAME = re.compile(r'\s*File "(.{1,4096}?)", line (\d{1,9})(?:, in (.{1,1000}))?$')
_REPEATED = re.compile(r"\s*\[Previous line repeated \d+ more times?\]$")
_SEPARATOR = re.compile(r"[\s|]*\+[-+]{3,}[\s\d.]*-*\+?\s*$")
_PREFIX = re.compile(r"(.*?)([\s|+]*)(?:Exception Group )?$", re.DOTALL)
_RECORD = re.compile(
    r"\[?\d{4}[-/]\d\d[-/]\d\d[T ]|\[?\d\d:\d\d:\d\d|(?:DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL|TRACE)\b[: ]|"
    r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |[IWEF]\d{4} \d\d:|\{\"|={3,}|-{3,}|_{3,}"
)
_PYTEST = re.compile(r"=+ (?:FAILURES|ERRORS) =+$")
_MAX_FOREIGN = 5
_MAX_MESSAGE_LINES = 40


def recognises(head: bytes) -> bool:
    """Text that shows a traceback at its start. Other text is read too, and refused when none is found."""
    return HEADER.encode() in head


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Failure for each exception. Raises NotATrace when the whole text holds none."""
    yield RunFacts(tool="traceback", started_ns=loglines.first_time_ns(stream))
    parser = TextParser(report)
    any_found = False
    for line in loglines.lines(stream, report):
        parser.feed(line)
        if parser.found:
            any_found = True
            yield from parser.found
            parser.found.clear()
    parser.end()
    yield from parser.found
    if not any_found and not parser.found:
        raise NotATrace(
            "text without a Python traceback, and of no other format that TraceLens reads. "
            "They are listed by:  tracelens import --list-formats"
        )


class TextParser:
    """Takes the lines of a text and finds exceptions in it; complete ones are in `found`."""

    def __init__(self, report: Report, at_ns: int = 0, test: str = "") -> None:
        self.found: list[Failure] = []
        self._report = report
        self._at_ns = at_ns
        self._test = test
        self._previous = ""
        self._traceback: _Traceback | None = None
        self._section: PytestSection | None = None

    def feed(self, line: str) -> None:
        stamp, line = loglines.without_ci_prefix(line)
        if line.startswith("{") and self._json(line):
            return
        if self._traceback is not None and self._traceback.takes(line):
            return
        if self._traceback is not None:
            self._end_traceback()
        at = line.find(HEADER)
        if at >= 0:
            context = stamp or line[:at]
            at_ns = self._at_ns or loglines.time_ns(context) or loglines.time_ns(self._previous)
            self._traceback = _Traceback(line[:at], at_ns, self._test)
            return
        self._outside(line)
        if line and line not in CHAINED and not line.lstrip().startswith(("+", "|")):
            self._previous = stamp + line if stamp else line

    def _outside(self, line: str) -> None:
        """A line that is in no traceback of Python's own."""
        if line.startswith("__") and (match := SECTION.match(line)):
            self._end_section()
            self._section = PytestSection(match[1])
        elif self._section is not None:
            if line.startswith(("=====", "-----")):
                self._end_section()
            else:
                self._section.feed(line)

    def _json(self, line: str) -> bool:
        """Take a record of a JSON log; False when the line is not one."""
        docker = line.startswith('{"log":')
        if not docker and HEADER not in line:
            # Nothing to find in it, but it ends a traceback in plain text before it.
            return False
        record = loglines.json_record(line)
        if record is None:
            self._report.skip("damaged JSON line")
            return False
        if docker and isinstance(record.get("log"), str):
            for part in record["log"].rstrip("\n").split("\n"):
                if not part.startswith('{"log":'):
                    self.feed(part)
            return True
        if self._traceback is not None:
            self._end_traceback()
        at_ns = loglines.record_time_ns(record)
        for text in loglines.texts_with_tracebacks(record):
            inner = TextParser(self._report, at_ns, self._test)
            for part in text.split("\n"):
                # A JSON text inside a JSON text is not followed further.
                if not part.startswith("{"):
                    inner.feed(part)
            inner.end()
            self.found += inner.found
        return True

    def _end_traceback(self) -> None:
        assert self._traceback is not None
        failure = self._traceback.failure()
        if failure is not None:
            if self._section is not None and not failure.test:
                # pytest's native style, and exception groups in any style.
                failure = replace(failure, test=self._section.test_of(failure.stack))
            self.found.append(failure)
        else:
            self._report.skip("traceback without an end")
        self._traceback = None

    def _end_section(self) -> None:
        if self._section is not None:
            self._section.end()
            self.found += self._section.failures
            self._section = None

    def end(self) -> None:
        """The text is over."""
        if self._traceback is not None:
            self._end_traceback()
        self._end_section()


class _Traceback:
    """One traceback, from its header to the end of its message."""

    def __init__(self, prefix: str, at_ns: int, test: str) -> None:
        match = _PREFIX.match(prefix)
        assert match is not None  # it matches anything
        log, margin = match[1], match[2]
        self._log = re.compile(re.sub(r"\d+", r"\\d+", re.escape(log[-200:]))) if log else None
        self._log_length = max(0, len(log) - 200)
        self._prefixed: bool | None = None if log else False
        self._bars = sum(margin.count(bar) for bar in "|+")
        self._indent = 0 if self._bars else len(margin)
        self._at_ns = at_ns
        self._test = test
        self._stack: list[FailureFrame] = []
        self._type = ""
        self._message: list[str] = []
        self._foreign = 0
        self._frames = 0
        self._over = False

    def takes(self, line: str) -> bool:
        """Whether the line belongs to this traceback; once False it is over."""
        if self._over or HEADER in line:
            return False
        rest = self._without_prefix(line)
        if rest is None:
            # Another container's line in between.
            self._foreign += 1
            return self._foreign <= 200
        if _SEPARATOR.match(rest):
            return False
        content = self._without_margin(rest)
        return self._message_line(content) if self._type else self._stack_line(content)

    def _without_prefix(self, line: str) -> str | None:
        if self._prefixed is False or self._log is None:
            return line
        match = self._log.match(line, self._log_length)
        if self._prefixed is None:
            # Decided by the first frame: does it carry the prefix too?
            if match is not None:
                self._prefixed = True
            elif _FRAME.match(line):
                self._prefixed = False
                self._indent = 0
                return line
        return line[match.end() :] if match else None

    def _without_margin(self, line: str) -> str:
        at = 0
        for _ in range(self._bars):
            bar = at
            while bar < len(line) and line[bar] == " ":
                bar += 1
            if bar >= len(line) or line[bar] not in "|+":
                break
            at = bar + 1
            if line[at : at + 1] == " ":
                at += 1
        while at < len(line) and at < self._indent and line[at] in " \t":
            at += 1
        return line[at:]

    def _stack_line(self, line: str) -> bool:
        if match := _FRAME.match(line):
            self._frames += 1
            self._foreign = 0
            if len(self._stack) >= MAX_FRAMES:
                # The ends of a very deep stack say what happened.
                del self._stack[MAX_FRAMES // 2]
            name = match[3]
            if name is None:
                # Where a SyntaxError is, not a frame.
                self._stack.append(FailureFrame(Frame("", "", 0)))
            else:
                self._stack.append(FailureFrame(Frame(match[1], name, int(match[2]), "executing")))
            return True
        if line.startswith("   ") or _REPEATED.match(line):
            last = self._stack[-1] if self._stack else None
            if last and not last.source and last.frame.line and line.strip("^~ ") and line.startswith("    "):
                self._stack[-1] = FailureFrame(last.frame, (), line.strip()[:500])
            return True
        stripped = line.strip()
        if not stripped:
            self._foreign += 1
            return self._foreign <= _MAX_FOREIGN
        if self._frames and not line.startswith(" ") and (match := EXCEPTION.match(line)):
            self._type = match[1]
            self._message.append(match[2] or "")
            return True
        self._foreign += 1
        return self._foreign <= _MAX_FOREIGN and not _RECORD.match(line)

    def _message_line(self, line: str) -> bool:
        if not line.strip() or line in CHAINED or _RECORD.match(line):
            return False
        if len(self._message) >= _MAX_MESSAGE_LINES:
            self._over = True
            return False
        self._message.append(line)
        return True

    def failure(self) -> Failure | None:
        """The exception, or None when the text broke off before its type."""
        stack = tuple(entry for entry in self._stack if entry.frame.line)
        if not self._type or not stack:
            return None
        message = "\n".join(self._message).strip()[:MAX_MESSAGE]
        return Failure(self._type, message, stack, at_ns=self._at_ns, test=self._test)
