"""MonkeyType's SQLite file: the types of arguments and results, one row per call.

    monkeytype run run.py        (writes monkeytype.sqlite3)

monkeytype_call_traces(created_at, module, qualname, arg_types, return_type, yield_type), a type being JSON {module,
qualname, elem_types?}. There are types alone, never values, and no times. Calls are real calls, also of generators,
but functions inside functions, lambdas and scripts run as `__main__` are not recorded, and a sampling rate may be
set: counts are lower bounds. A call that raised has neither a return nor a yield type, but from Python 3.12 on
neither has one that returned a constant, None included: so how such a call ended is not known, and no errors are
counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, BinaryIO

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import shapes
from tracelens_indexer.traces.loglines import time_ns
from tracelens_indexer.traces.records import (
    Call,
    Count,
    Frame,
    Observed,
    Outcome,
    Record,
    Returned,
    RunFacts,
    Unfinished,
)
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.user_sqlite import opened

TABLE = "monkeytype_call_traces"
_COLUMNS = "module, qualname, arg_types, return_type, yield_type"
_MAX_ARGUMENTS = 60
_MAX_FUNCTIONS = 300_000


def recognises(head: bytes) -> bool:
    return TABLE.encode() in head


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """A Call with types per row, then a Count per function."""
    with opened(stream, report) as database:
        first = next(database.rows(f"SELECT min(created_at) FROM {TABLE}", TABLE), (None,))[0]  # noqa: S608  # a constant
        yield RunFacts(tool="monkeytype", started_ns=time_ns(shapes.text(first)))
        calls: Counter[Frame] = Counter()
        for number, row in enumerate(database.rows(f"SELECT {_COLUMNS} FROM {TABLE}", TABLE)):  # noqa: S608  # constants
            if not number % 10_000:
                report.advance(0)
            module, name, arguments, returned, yielded = (value if isinstance(value, str) else "" for value in row)
            if not module or not name or len(calls) >= _MAX_FUNCTIONS:
                report.skip("malformed row")
                continue
            frame = Frame("", name[:1000], 0, module=module[:1000], kind="name")
            calls[frame] += 1
            outcome: Outcome = Unfinished()
            if returned or yielded:
                outcome = Returned(_type(returned) if returned else None)
            yield Call(
                frame,
                started_ns=0,
                duration_ns=-1,
                arguments=_arguments(arguments),
                outcome=outcome,
                counted=False,
            )
        if not calls:
            raise NotATrace("a MonkeyType file without a single call")
        for frame, n in calls.items():
            yield Count(frame, n, "at least")


@lru_cache(maxsize=10_000)
def _arguments(text: str) -> tuple[tuple[str, Observed], ...]:
    found = _decoded(text)
    return tuple((name[:200], Observed(_name(kind, 0), "")) for name, kind in list(found.items())[:_MAX_ARGUMENTS])


@lru_cache(maxsize=10_000)
def _type(text: str) -> Observed:
    return Observed(_name(_decoded(text), 0), "")


def _decoded(text: str) -> dict[str, Any]:
    try:
        return shapes.mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _name(kind: Any, depth: int) -> str:
    """ "int", "list[str]", "shop.models.Order" """
    entry = shapes.mapping(kind)
    module, name = shapes.text(entry.get("module"), 200), shapes.text(entry.get("qualname"), 200)
    if entry.get("is_typed_dict"):
        return "dict"
    if module and module not in ("builtins", "typing"):
        name = f"{module}.{name}"
    elements = shapes.items(entry.get("elem_types"))
    if elements and depth < 3:
        name += f"[{', '.join(_name(element, depth + 1) for element in elements[:10])}]"
    return name[:200]
