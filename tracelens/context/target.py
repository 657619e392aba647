"""What is meant by the words that ask for context: a failure, a unit, a test, a traceback, or a question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tracelens.answers import choose
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import FailureRecord, UnitRecord

_FRAME = re.compile(r'^\s*File "(?P<path>[^"\n]{1,500})", line (?P<line>\d{1,7})', re.MULTILINE)
_PYTEST_FRAME = re.compile(r"^(?P<path>[^\s:][^:\n]{0,500}\.py):(?P<line>\d{1,7}): ", re.MULTILINE)
_RAISED = re.compile(
    r"^(?:E\s+)?(?P<raised>[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt)\b.*)$", re.MULTILINE
)
_MOST_FRAMES = 200
_MOST_UNITS = 8
_LONGEST = 200_000
"""Characters of a traceback that are read."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the context is about."""

    title: str
    units: tuple[UnitRecord, ...]
    """The most telling first: where it failed, then outwards. Empty for a question."""
    failure: FailureRecord | None
    question: str
    """What search is asked beside the units' own code; "" nothing."""
    reason: str
    """Why the units are in the context."""


def resolve(index: Index, named: str) -> Target:
    """Raises TraceLensError for nothing at all, an unknown failure, and a name that several units have."""
    text = named.strip()[:_LONGEST]
    if not text:
        raise TraceLensError("context of what? Name a unit, a test, a failure f:…, or ask in words")
    if re.fullmatch(r"f:[0-9a-f]{2,16}", text):
        return _of_failure(index, text)
    frames = list(_frames(text))
    if frames:
        return _of_traceback(index, text, frames)
    if "::" in text and " " not in text.partition("[")[0]:
        return _of_test(index, text)
    if not re.search(r"\s", text) and (index.find(text) or re.search(r"[.:/_]", text)):
        unit = choose.one_unit(index, text)
        return Target(unit.qualname, (unit,), None, "", "named")
    return Target(text[:120], (), None, text, "answers the question")


def _of_failure(index: Index, name: str) -> Target:
    failure = index.failure(name)
    if failure is None:
        raise TraceLensError(f"{name}: no such failure; `tracelens failures` lists them")
    units = [failure.unit]
    for unit_id, *_ in reversed(failure.stack):
        unit = index.unit(unit_id) if unit_id else None
        if unit is not None and all(unit.id != one.id for one in units):
            units.append(unit)
    title = f"{failure.id} in {failure.unit.qualname}"
    return Target(title, tuple(units[:_MOST_UNITS]), failure, failure.message[:300], "on the stack of the failure")


def _frames(text: str) -> Iterator[tuple[str, int]]:
    """(path, line) of each frame of a traceback, in the order in which they stand; none where there is none."""
    found = [*_FRAME.finditer(text), *_PYTEST_FRAME.finditer(text)]
    for match in sorted(found, key=lambda match: match.start())[-_MOST_FRAMES:]:
        yield match["path"], int(match["line"])


def _of_traceback(index: Index, text: str, frames: list[tuple[str, int]]) -> Target:
    units: list[UnitRecord] = []
    for path, line in reversed(frames):
        # The path may be of another machine: what its end names here is meant.
        parts = path.replace("\\", "/").split("/")
        for start in range(len(parts)):
            found = index.find(f"{'/'.join(parts[start:])}:{line}") if parts[start] else []
            if len(found) == 1:
                if found[0].kind != "module" and all(found[0].id != unit.id for unit in units):
                    units.append(found[0])
                break
    raised = [match["raised"] for match in _RAISED.finditer(text)]
    question = raised[-1][:300] if raised else ""
    if not units and not question:
        raise TraceLensError("none of the traceback's frames is in this workspace")
    title = f"traceback: {question}" if question else "traceback"
    return Target(title, tuple(units[:_MOST_UNITS]), None, question, "on the stack of the traceback")


def _of_test(index: Index, text: str) -> Target:
    """pytest's names: tests/test_shop.py::TestPrices::test_free[gold]."""
    path, *scope = text.partition("[")[0].split("::")
    wanted = ".".join(scope)
    files = index.find(path) if path.endswith(".py") else []
    units = [unit for file in files for unit in index.units_in(file.path) if unit.scope == wanted]
    if len(units) != 1:
        raise choose.NotFound(f"{text}: no such test here. Try: tracelens search {wanted!r}")
    return Target(units[0].qualname, (units[0],), None, "", "named")
