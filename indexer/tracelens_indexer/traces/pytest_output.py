"""pytest's own tracebacks, in its terminal output and in JUnit XML: the styles `short` and `long`, with locals.

short (`--tb=short`): `shop/pricing.py:25: in line_total`, the source line indented, `E   shop.models.OrderError: …`.
long (the default for the first and last frame, `--tb=long` for all): the function's source with `>` before the line
that was executing and `E` before the message, then, with `-l`, the locals as `name   = repr`, and last
`shop/pricing.py:25: OrderError` (or nothing after the line for frames that were passed through); frames are divided by
`_ _ _`.
The long style does not name the function: it is the first `def` of the source shown; comprehensions have none, and are
joined by their line alone. Paths are relative to the folder that pytest was started in.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tracelens_indexer.traces.records import Failure, FailureFrame, Frame, Observed
from tracelens_indexer.traces.values import observed

SECTION = re.compile(r"_{2,} (.+?) _{2,}$")
RULE = re.compile(r"(=+|-+) ?.* ?\1?$")
CHAINED = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
EXCEPTION = re.compile(r"((?:[^\W\d]\w*|<locals>|<unknown>)(?:\.(?:[^\W\d]\w*|<locals>))*)(?:: (.*)|:)?$", re.DOTALL)
MAX_FRAMES = 400
MAX_MESSAGE = 2_000
_PLACE = re.compile(r"((?:[A-Za-z]:)?[^:]{1,1000}\.pyx?|<[^<>]{1,200}>):(\d{1,9}): ?(?:in (.+)|([\w.]+))?$")
_DEF = re.compile(r"\s*(?:async\s+)?def\s+(\w+)\s*[(\[]")
_LOCAL = re.compile(r"(\.?[^\W]\w*)\s+= (.+)$")
_SEVERAL = re.compile(r", \w+ = ")
_TITLE_PREFIX = re.compile(r"ERROR (?:at (?:setup|teardown) of|collecting) ")


class PytestSection:
    """The exceptions of one test: feed it the lines, then `end()` it and take its `failures`."""

    def __init__(self, title: str, file: str = "") -> None:
        self.failures: list[Failure] = []
        self.title = _TITLE_PREFIX.sub("", title)
        self._file = file
        self._stack: list[FailureFrame] = []
        self._errors: list[str] = []
        self._clear()

    def _clear(self) -> None:
        self._name = ""
        self._source = ""
        self._locals: dict[str, Observed] = {}

    def feed(self, line: str) -> None:
        if line.startswith("E ") or line == "E":
            if len(self._errors) < 50:
                self._errors.append(line[1:])
        elif line in CHAINED:
            self._end_one()
        elif match := _PLACE.match(line):
            self._place(match[1], int(match[2]), match[3] or "", match[4] or "")
        elif line.startswith(">"):
            self._source = line[1:].strip()
        elif match := _LOCAL.match(line):
            if not _SEVERAL.search(match[2]):
                self._locals.setdefault(match[1], observed(match[2]))
        elif not self._name and (match := _DEF.match(line)):
            self._name = match[1]
        elif line.startswith("    ") and self._stack and not self._stack[-1].source and line.strip("^~ "):
            # Short style: the source follows its place.
            self._stack[-1] = FailureFrame(self._stack[-1].frame, (), line.strip())

    def _place(self, path: str, line: int, name: str, type_name: str) -> None:
        if len(self._stack) >= MAX_FRAMES:
            return
        if name:
            self._stack.append(FailureFrame(Frame(path, name, line, "executing")))
        else:
            frame = Frame(path, self._name, line, "executing")
            self._stack.append(FailureFrame(frame, tuple(self._locals.items())[:50], self._source))
        self._clear()
        if type_name:
            self._finish(type_name)

    def _finish(self, type_name: str) -> None:
        first = self._errors[0].strip() if self._errors else ""
        message = "\n".join(text.strip() for text in self._errors).strip()
        match = EXCEPTION.match(first)
        if match and (match[2] is not None or not type_name) and _is_named(match[1], type_name):
            type_name = match[1]
            message = message[len(match[1]) :].removeprefix(":").strip()
        elif not type_name:
            # `assert x == y` is shown without its type.
            type_name = "AssertionError"
        elif first == type_name:
            message = message[len(first) :].strip()
        if self._stack:
            self.failures.append(Failure(type_name, message[:MAX_MESSAGE], tuple(self._stack)))
        self._stack = []
        self._errors = []

    def _end_one(self) -> None:
        if self._stack and self._errors:
            self._finish("")
        self._stack = []
        self._errors = []
        self._clear()

    def end(self) -> None:
        """The section is over: what is pending is complete, and every exception gets the test's id."""
        self._end_one()
        # Of a chain, only the last exception's stack begins in the test.
        test = next((name for failure in reversed(self.failures) if (name := self.test_of(failure.stack))), "")
        if not test and self.failures:
            test = test_id(self.title, self._file or self.failures[-1].stack[0].frame.path)
        self.failures = [replace(failure, test=test) for failure in self.failures]

    def test_of(self, stack: tuple[FailureFrame, ...]) -> str:
        """The id of this section's test, if its function is in the stack; else ""."""
        function = self.title.partition("[")[0].rpartition(".")[2]
        found = next((entry.frame.path for entry in stack if entry.frame.name == function), "")
        return test_id(self.title, self._file or found) if found else ""


def test_id(title: str, file: str) -> str:
    """ "tests/test_shop.py::TestOrders::test_a[1.5]" of pytest's title "TestOrders.test_a[1.5]"."""
    head, bracket, parameters = title.partition("[")
    if head.endswith(".py"):
        return title
    return f"{file}::{head.replace('.', '::')}{bracket}{parameters}"


def _is_named(full: str, last: str) -> bool:
    """Whether "shop.models.OrderError" is what pytest calls "OrderError" at the place."""
    if last:
        return full == last or full.endswith("." + last)
    return not full.startswith("assert")
