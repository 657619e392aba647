"""What the store answers: plain records of units, profiles, failures and runs, joined and ready to be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from tracelens_indexer.profiles.rows import AnchorState
from tracelens_indexer.source.facts import Parameter, UnitKind
from tracelens_indexer.traces.records import Counting


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """A unit of the index as it is now."""

    id: int
    path: str
    module: str
    scope: str
    ordinal: int
    qualname: str
    name: str
    kind: UnitKind
    parent: int | None
    """Unit id of the enclosing unit."""
    first_line: int
    def_line: int
    end_line: int
    name_line: int
    name_column: int
    body_hash: str
    signature: str
    docstring: str
    parameters: tuple[Parameter, ...]
    returns: str
    resumes: bool
    """Whether a tracer's "calls" of it may be resumes (generator or coroutine)."""
    decorators: tuple[str, ...] = ()
    """Source text of each decorator's expression, without the @."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    id: int
    name: str
    tool: str
    file: str
    started_ns: int
    imported_ns: int
    duration_ns: int
    command: str
    commit: str
    interpreter: str
    environment: str
    service: str
    redacted: int
    sample_weight: float
    sample_unit: str
    joined: dict[str, Any]
    notes: str
    units: int
    """Number of units that have data from this run."""


@dataclass(frozen=True, slots=True)
class Value:
    type: str
    text: str | None
    """None: the values beyond the cap, together."""
    outcome: str
    n: int


@dataclass(frozen=True, slots=True)
class Range:
    type: str
    n: int
    low: float | None
    high: float | None
    measures: Literal["value", "size", ""]
    correlation: float | None = None
    """-1…1: whether calls take longer the larger the value, or the longer what was given; None: not known."""
    slope_ns: float = 0.0
    """Nanoseconds for one more, by the straight line through the calls."""


@dataclass(frozen=True, slots=True)
class Observation:
    """All that was seen in one slot: a parameter, or "return"."""

    slot: str
    n: int
    values: tuple[Value, ...]
    """Most frequent first."""
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class ObservedEdge:
    unit: UnitRecord
    """The other end."""
    calls: int
    counting: Counting
    total_ns: int
    site_line: int
    """Line of the call site in the caller's file as it is now, 1-based; 0 unknown."""
    most: int = 0
    """Most calls of the callee by one call of the caller; 0 unknown."""
    repeats: int = 0
    """Calls of the caller that called the callee rows.REPEATED times or more."""


@dataclass(frozen=True, slots=True)
class SiteValues:
    """What one parameter was given from one call site, where there are several."""

    caller: UnitRecord
    site_line: int
    """1-based, in the caller's file as it is now."""
    slot: str
    values: tuple[tuple[str | None, int], ...]
    """(text, calls), most frequent first; None: others."""


@dataclass(frozen=True, slots=True)
class ObservedPair:
    """Calls of one unit by another at one place, summed over the chosen runs."""

    caller: int
    callee: int
    """Unit ids."""
    calls: int
    counting: Counting
    total_ns: int
    site_line: int
    """As in `ObservedEdge`."""


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """Exceptions of one type at one place of a unit, over the chosen runs."""

    id: str
    """Short, stable, citable: "f:3fa9c1"."""
    unit: UnitRecord
    type: str
    message: str
    line: int
    """1-based line in the file as it is now; 0 unknown."""
    statement_hash: str
    n: int
    calls: int
    """Calls of the unit in the same runs, 0 unknown."""
    counting: Counting
    """Of `calls`."""
    last_ns: int
    origin: bool
    state: AnchorState
    stack: tuple[tuple[int, str, str, int, str], ...]
    """(unit id or 0, path, name, line when recorded, source), outermost first."""
    tests: tuple[str, ...]
    run: int


@dataclass(frozen=True, slots=True)
class CaptureRecord:
    """One call kept with its values."""

    id: str
    """"c:1f3"."""
    unit: UnitRecord
    run: int
    call: str
    started_ns: int
    duration_ns: int
    outcome: str
    arguments: tuple[tuple[str, str, str], ...]
    """(name, type, text)"""
    result: tuple[str, str] | None
    message: str
    line: int
    caller: tuple[str, str, int] | None
    test: str
    replay: dict[str, Any] | None
    body_hash: str
    """Of the unit when it was recorded; "" unknown."""
    about: tuple[tuple[str, str], ...] = ()
    """What the program said about the work it did then: (name, text), as in records.Call."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What the chosen runs say about one unit."""

    unit: UnitRecord
    state: AnchorState
    counting: Counting
    """Of `calls`."""
    calls: int
    resumes: int
    errors: int
    timed: int
    total_ns: int
    self_ns: int
    min_ns: int | None
    max_ns: int | None
    p50_ns: float | None
    p95_ns: float | None
    samples_total: float
    samples_self: float
    total_share: float | None
    """Share of the run, 0…1; from samples where there are any (then `share_counting` is "estimated")."""
    self_share: float | None
    share_counting: Counting
    captured: int
    observations: tuple[Observation, ...] = ()
    failures: tuple[FailureRecord, ...] = ()
    tests: tuple[tuple[str, int], ...] = ()
    sites: tuple[SiteValues, ...] = ()
    runs: tuple[int, ...] = ()
    not_added: tuple[int, ...] = ()
    """Runs of other tools that counted it too, whose calls and times are left out: the same program, seen twice."""
    moved_from: str = ""
    """"path:scope" it was recorded as, when it has moved."""


@dataclass(frozen=True, slots=True)
class CallSiteRecord:
    """A call site of the source, with what it resolves to and what was seen there."""

    caller: UnitRecord
    line: int
    column: int
    callee_text: str
    status: Literal["resolved", "external", "unresolved"]
    reason: str
    callees: tuple[tuple[UnitRecord, str], ...]
    """(unit, confidence)"""


@dataclass(frozen=True, slots=True)
class SearchHit:
    unit: UnitRecord
    score: float
    how: tuple[str, ...]
    """"words", "meaning": which of the two found it."""


@dataclass(frozen=True, slots=True)
class IndexState:
    files: int
    units: int
    sites: int
    resolved: int
    external: int
    unresolved: int
    indexed_ns: int
    embedder: str
    """Name of the embedder of the stored vectors; "" full text only."""
    runs: int
    extra: dict[str, Any] = field(default_factory=dict)
