"""The JSON shapes of a TraceLens recording's payloads (docs/recording-format.md): what does not fit them is skipped."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tracelens_indexer.traces.records import Raised, Returned, Unfinished

NamedValue = tuple[str, str, str, float | None, int | None]


class Run(msgspec.Struct, frozen=True):
    format: int
    started_ns: int = 0
    command: str = ""
    interpreter: str = ""
    mode: str = ""
    commit: str = ""
    environment: str = ""
    service: str = ""


class End(msgspec.Struct, frozen=True):
    duration_ns: int = 0
    redacted: int = 0
    sampled: int = 0
    faults: int = 0
    first_fault: str = ""
    missed: list[int] = []
    budget: float | None = None
    """Share of CPU time; None: every call was recorded."""
    cpu_ns: int = 0
    spent_ns: int = 0
    functions: int = 0
    """That ran."""
    captured: int = 0
    """Of these, with at least one call in full."""


class Capture(msgspec.Struct, frozen=True):
    id: str
    code: int
    outcome: Returned | Raised | Unfinished
    started_ns: int = 0
    duration_ns: int = -1
    self_ns: int = -1
    parent: str = ""
    caller: tuple[int, int] | None = None
    thread: str = ""
    test: int = 0
    arguments: list[NamedValue] = []
    chosen: Literal["", "early", "reservoir", "failure", "marked", "explicit", "span"] = ""
    represents: float = 1.0
    context: int = 0
    kind: str = ""
    """What the program marked the function as: "tool"."""
    iteration: int = 0
    replay: dict[str, Any] | None = None


class Seen(msgspec.Struct, frozen=True):
    """A failure."""

    type: str
    message: str
    stack: list[tuple[int, str, str, int, str, list[NamedValue]]]
    group: int = -1
    at_ns: int = 0
    test: int = 0
    call: str = ""


class Said(msgspec.Struct, frozen=True):
    """What the program said about the work it did."""

    user: str = ""
    request: str = ""
    route: str = ""
    task: str = ""
    tags: list[str] = []
    metadata: list[tuple[str, str]] = []


class Span(msgspec.Struct, frozen=True):
    """A step that the program or a library that it uses has told of."""

    name: str
    call: str = ""
    """The captured call that it happened in."""
    duration_ns: int = 0
    error: str = ""
    attributes: list[tuple[str, str | int | float | bool]] = []


Contexts = list[tuple[int, Said]]
Codes = list[tuple[int, str, str, int, int, str]]
Counts = list[tuple[int, int, int, int, int, int, int, int, int, list[tuple[int, int]]]]
Edges = list[tuple[int, int, int, int, int]]
Tests = list[tuple[int, str]]
TestCounts = list[tuple[int, int, int]]
Samples = list[tuple[list[tuple[int, int]], int, int]]
Repeated = list[tuple[int, int, str, int, int]]
Values = list[tuple[int, int, str, str, str | None, float | None, int | None]]
ValueCounts = list[tuple[int, str, int, float | None, float | None]]
