"""ReflexRuntime's debug sessions: debug/<program>_<function>_<time>.md, one exception each.

Fixed headings: **Status:**, **Timestamp:** (local), **Program:**, **Function:**, **File:**, **Line:**; `## Exception
Details` with **Type:** and **Message:**, `### Full Traceback` and `### Local Variables at Error` in fences; then the
code, an AI's analysis and what became of its patch, which are not read. File and line may be those of the outermost
frame: the traceback's last one counts, and the variables are its. Variables are JSON, else the repr of a dictionary.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.loglines import time_ns
from tracelens_indexer.traces.records import Failure, FailureFrame, Frame, Observed, Record, RunFacts
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.tracebacks import TextParser
from tracelens_indexer.traces.values import observed, of_json

MAX_BYTES = 16 * 1024 * 1024
_MAX_VARIABLES = 200
_TITLE = b"# ReflexRuntime Debug Session"
_FIELD = re.compile(r"^\*\*(\w+):\*\* `?(.*?)`?\s*$", re.MULTILINE)
_FENCE = r"\s*\n```\w*\n(.*?)\n```"


def recognises(head: bytes) -> bool:
    return head.lstrip().startswith(_TITLE)


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """The Failure of the session."""
    data = stream.read(MAX_BYTES)
    report.advance(len(data))
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    # What follows is what an AI wrote, which may look like anything.
    text = re.split(r"^## (?:AI Analysis|Patch Application|Session Summary)", text, maxsplit=1, flags=re.MULTILINE)[0]
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(text):
        fields.setdefault(match[1], match[2])
    at_ns = time_ns(fields.get("Timestamp", ""))
    yield RunFacts(tool="reflexruntime", started_ns=at_ns, command=fields.get("Program", "")[:200])
    failure = _failure(text, fields, report)
    if failure is None:
        raise NotATrace("a ReflexRuntime session without an exception that could be read")
    yield replace(failure, at_ns=at_ns)


def _failure(text: str, fields: dict[str, str], report: Report) -> Failure | None:
    parser = TextParser(report)
    fence = re.search(r"^### Full Traceback" + _FENCE, text, re.MULTILINE | re.DOTALL)
    for line in (fence[1] if fence else "").split("\n"):
        if not line.startswith("{"):
            parser.feed(line)
    parser.end()
    if parser.found:
        failure = parser.found[-1]
    else:
        name = fields.get("Function", "").rpartition(".")[2]
        line = fields.get("Line", "")
        path = fields.get("File", "")
        if not path or not (line.isascii() and line.isdigit() and len(line) < 10) or not fields.get("Type"):
            return None
        frame = Frame(path[:4096], name[:1000], int(line), "executing")
        failure = Failure(fields["Type"][:200], fields.get("Message", "")[:2_000], (FailureFrame(frame),))
    fence = re.search(r"^### Local Variables at Error" + _FENCE, text, re.MULTILINE | re.DOTALL)
    innermost = replace(failure.stack[-1], locals=_variables(fence[1]) if fence else ())
    return replace(failure, stack=(*failure.stack[:-1], innermost))


def _variables(text: str) -> tuple[tuple[str, Observed], ...]:
    found: Any
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        if len(text) > 20_000:
            return ()
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return ()
    if not isinstance(found, dict):
        return ()
    # A text may be a string, or what `str` made of an object: only the object is certain.
    return tuple(
        (str(name)[:200], observed(value) if isinstance(value, str) and "(" in value else of_json(value))
        for name, value in list(found.items())[:_MAX_VARIABLES]
    )
