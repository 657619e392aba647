"""Small real workspaces with recorded calls: written, indexed, joined and stored by the real pipeline.

A recorded call is a dictionary, so that a marker file can hold it as a line of JSON:

    {"call": "pricing.py:apply_discount", "args": {"price": 0.0}, "raises": "ZeroDivisionError: division by zero",
     "at": "saving / price", "ms": 0.2, "times": 3, "from": "service.py:checkout", "site": "apply_discount("}

A call with `"counted": false` adds values only, and {"count": "pricing.py:apply_discount", "calls": 1884, "errors": 3}
counts; {"sample": ["pricing.py:apply_discount"], "weight": 310} is a sample.

`at` and `site` name a line of the unit and of the caller by a piece of its text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tracelens_indexer.indexing import index_workspace
from tracelens_indexer.profiles.aggregate import aggregate
from tracelens_indexer.profiles.rows import RunRow
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.source.outline import outline
from tracelens_indexer.store import Index, Writer
from tracelens_indexer.traces.anchors import Anchors
from tracelens_indexer.traces.join import Joiner
from tracelens_indexer.traces.paths import Paths
from tracelens_indexer.traces.records import (
    Call,
    Count,
    Failure,
    FailureFrame,
    Frame,
    Observed,
    Raised,
    Record,
    Returned,
    RunFacts,
    Sample,
)
from tracelens_indexer.traces.report import Report

NOW = 1_780_000_000_000_000_000
"""The time that answers are asked at in tests, nanoseconds since the epoch."""
STARTED = NOW - 120_000_000_000


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def index(root: Path) -> None:
    index_workspace(root, searchable=False)


def record(
    root: Path,
    calls: Iterable[Mapping[str, Any]],
    name: str = "pytest",
    started: int = STARTED,
    *,
    environment: str = "",
    commit: str = "",
) -> None:
    """Store calls as one run of the code that is on disk now."""
    calls = list(calls)
    with Writer(root) as writer:
        facts = RunFacts(tool="test", started_ns=started, texts=tuple(_texts(root)))
        modules = {path: (file.module if (file := writer.index.file(path)) else "") for path in writer.index.paths()}
        paths = Paths(modules, str(root))

        def indexed(path: str) -> tuple[str, list[Any]]:
            file = writer.index.file(path)
            return (file.blob if file else "", writer.index.units_in(path))

        anchors = Anchors(root, paths, facts, indexed, started)
        joiner = Joiner(anchors.units, paths)
        records = [made for number, call in enumerate(calls) for made in _records(root, call, number)]
        result = aggregate(records, joiner, anchors, facts, Report())
        identity = blake2b(json.dumps([name, calls]).encode(), digest_size=16).hexdigest()
        run = RunRow(
            name=name,
            tool="test",
            file="",
            content_hash=identity,
            started_ns=started,
            imported_ns=started,
            duration_ns=0,
            command="",
            commit=commit,
            interpreter="",
            environment=environment,
            service="",
            redacted=0,
            sample_weight=result.sample_weight,
            sample_unit=result.sample_unit,
            joined="{}",
            notes="",
        )
        writer.add_run(run, result.profiles)


def workspace(root: Path, files: Mapping[str, str], calls: Iterable[Mapping[str, Any]]) -> Index:
    """A workspace that is written, indexed and recorded; the caller closes the index."""
    write(root, files)
    index(root)
    record(root, calls)
    return Index.open(root)


def _texts(root: Path) -> Iterable[tuple[str, str]]:
    for path in sorted(root.rglob("*.py")):
        yield str(path), path.read_text(encoding="utf-8")


def _records(root: Path, call: Mapping[str, Any], number: int) -> Iterable[Record]:
    if "sample" in call:
        stack = tuple(
            Frame(str(root / p), u.name, u.first_line, "first") for p, u in (_unit(root, n) for n in call["sample"])
        )
        yield Sample(stack, float(call.get("weight", 1)))
        return
    if "count" in call:
        path, unit = _unit(root, call["count"])
        frame = Frame(str(root / path), unit.name, unit.first_line, "first")
        yield Count(frame, call["calls"], errors=call.get("errors", 0))
        return
    path, unit = _unit(root, call["call"])
    frame = Frame(str(root / path), unit.name, unit.first_line, "first")
    outcome: Returned | Raised = Returned(observed(call["returns"]) if "returns" in call else None)
    caller = _caller(root, call)
    arguments = tuple((name, observed(value)) for name, value in call.get("args", {}).items())
    duration = math.floor(call.get("ms", -1e-6) * 1e6)
    for repeat in range(call.get("times", 1)):
        test = call.get("test", "")
        if "raises" in call:
            kind, _, message = call["raises"].partition(": ")
            line = _line(root, path, unit, call["at"])
            outcome = Raised(kind, message, line)
            source = (root / path).read_text().splitlines()[line - 1].strip()
            inner = FailureFrame(Frame(str(root / path), unit.name, line, "executing"), source=source)
            outer = (FailureFrame(caller),) if caller else ()
            yield Failure(kind, message, (*outer, inner), at_ns=STARTED, test=test)
        yield Call(
            frame,
            STARTED,
            duration,
            duration,
            arguments,
            outcome,
            id=f"{number}.{repeat}",
            caller=caller,
            test=test,
            counted=call.get("counted", True),
        )


def _caller(root: Path, call: Mapping[str, Any]) -> Frame | None:
    if "from" not in call:
        return None
    path, unit = _unit(root, call["from"])
    line = _line(root, path, unit, call["site"]) if "site" in call else 0
    return Frame(str(root / path), unit.name, line or unit.first_line, "executing" if line else "first")


def _unit(root: Path, name: str) -> tuple[str, Unit]:
    path, _, scope = name.partition(":")
    return path, next(unit for unit in outline((root / path).read_bytes()) if unit.scope == scope)


def _line(root: Path, path: str, unit: Unit, piece: str) -> int:
    lines = (root / path).read_text(encoding="utf-8").split("\n")
    return next(n for n in range(unit.first_line, unit.end_line + 1) if piece in lines[n - 1])


def observed(value: Any) -> Observed:
    number = float(value) if isinstance(value, (int, float)) else None
    size = len(value) if isinstance(value, (str, list, dict)) else None
    return Observed(type(value).__name__, repr(value), number, size)
