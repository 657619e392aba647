"""Profile rows: the small additive rows that one run leaves about the units it met.

Every row hangs on an anchor, (unit, body hash at record time) of one run, so that an edit can never attach old
numbers to new code unnoticed. Merging rows, of one run's batches or of many runs, is SUM, MIN and MAX.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from tracelens_indexer.traces.records import Counting

AnchorState = Literal["fresh", "moved", "stale", "unverified"]

RESULT = "return"
"""The slot of returned values, beside the parameters' names. A keyword: no parameter can have this name."""


class AnchorKey(Struct, frozen=True, array_like=True, cache_hash=True, gc=False):
    """A unit as it was when it was recorded."""

    path: str
    """Relative to the workspace, with /."""
    scope: str
    ordinal: int
    body_hash: str
    """"" when it is not known what the code looked like then: the anchor is unverified."""


@dataclass(frozen=True, slots=True)
class UnitRow:
    """Totals of one unit. `samples_*` come from sampling profiles and are never added to calls."""

    calls: int = 0
    counting: Counting = "exact"
    resumes: int = 0
    errors: int = 0
    timed: int = 0
    """Number of calls whose duration is in `total_ns`."""
    total_ns: int = 0
    self_ns: int = 0
    min_ns: int = -1
    max_ns: int = -1
    samples_total: float = 0.0
    samples_self: float = 0.0
    captured: int = 0
    """Number of calls whose values are known."""


class ValueRow(Struct, frozen=True, array_like=True, gc=False):
    """How often a slot took a value, with the outcome of those calls. text None: "others", beyond the cap."""

    slot: str
    type: str
    text: str | None
    outcome: str
    """"" returned; else the exception type."""
    n: int
    """Calls: where the recording drew calls by lot, those that the drawn ones stand for. One that was kept because it
    raised, beside those drawn, counts once, under its exception."""


class SlotRow(Struct, frozen=True, array_like=True, gc=False):
    """Range of the values of one type in a slot: of numbers the value, of sized ones the length; and how the duration
    of calls goes with it, as sums that add up."""

    slot: str
    type: str
    n: int
    """Calls, as in ValueRow."""
    low: float | None
    high: float | None
    measures: Literal["value", "size", ""]
    pairs: int = 0
    """Calls of which both the measure x and the duration y (nanoseconds) are known; the sums are over these."""
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    yy: float = 0.0


class SiteRow(Struct, frozen=True, array_like=True, gc=False):
    """Values that a slot was given from one call site. text None: others."""

    caller: AnchorKey
    site: int
    """Line of the call site counted from the caller's first line, 0-based."""
    slot: str
    text: str | None
    n: int


class EdgeRow(Struct, frozen=True, array_like=True, gc=False):
    callee: AnchorKey
    site: int
    """Line of the call site counted from the caller's first line, 0-based; -1 unknown."""
    calls: int
    counting: Counting
    total_ns: int
    most: int = 0
    """Most calls of the callee by one call of the caller; 0 unknown."""
    repeats: int = 0
    """Calls of the caller that called the callee REPEATED times or more."""


REPEATED = 5
"""Calls of the same callee from one call of its caller, from which on it is told: one query in place of many?"""


class FailureRow(Struct, frozen=True, array_like=True, gc=False):
    """Exceptions of one type at one place in a unit."""

    type: str
    line: int
    """Line of the statement counted from the unit's first line, 0-based; -1 unknown."""
    statement_hash: str
    """Hash of the statement's text without white space, "" unknown: the place is recognised after an edit above it."""
    message: str
    """The last one, redacted and bounded."""
    n: int
    last_ns: int
    origin: bool
    """True where the exception was raised (the deepest unit of the workspace), False where it passed through."""
    stack: str
    """JSON: frames of the last one, outermost first: [[unit id or 0, path, name, line, source], …]."""
    test: str = ""


class CaptureRow(Struct, frozen=True, array_like=True, gc=False):
    """One call kept with its values, for a person to look at and for replay."""

    call: str
    """The call's id in its trace."""
    started_ns: int
    duration_ns: int
    outcome: str
    """"" returned; else the exception type."""
    detail: str
    """JSON: {"arguments": [[name, type, text]…], "result": [type, text] | null, "message": str, "line": int,
    "caller": [path, name, line] | null, "test": str, "about": [[name, text]…]}."""
    replay: str
    """JSON in the replayable encoding, or ""."""


@dataclass(slots=True)
class UnitProfile:
    """All rows of one anchor."""

    unit: UnitRow
    durations: dict[int, int] = field(default_factory=dict)
    """Histogram bucket to number of calls (profiles/histogram.py)."""
    values: list[ValueRow] = field(default_factory=list)
    slots: list[SlotRow] = field(default_factory=list)
    sites: list[SiteRow] = field(default_factory=list)
    edges: list[EdgeRow] = field(default_factory=list)
    failures: list[FailureRow] = field(default_factory=list)
    captures: list[CaptureRow] = field(default_factory=list)
    tests: dict[str, int] = field(default_factory=dict)
    """Test id to number of calls made under it."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One recording or one imported file."""

    name: str
    """What a person calls it: "pytest", "app.log"."""
    tool: str
    file: str
    content_hash: str
    """blake2b-16 of the imported bytes: importing the same file twice is a no-op."""
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
    """Weight of all samples, the base of the shares; 0 where there are none."""
    sample_unit: str
    joined: str
    """JSON of the import's summary: counts of joined, external, ambiguous and unjoined frames with reasons."""
    notes: str
    """Lines a person must know."""
