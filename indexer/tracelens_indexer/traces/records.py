"""What a trace says, in one vocabulary for all formats. Readers yield these; the join and the profiles consume them.

Nothing here refers to units: a `Frame` is what the trace itself names. Times are nanoseconds; clocks are wall clocks
since the epoch, or 0 where a format has none. What a trace has one of for each call is a msgspec Struct, which is made
in a third of the time of a frozen dataclass, and hashed in C; values and outcomes have the form that our own recordings
write them in, so that these are decoded to records at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from msgspec import Struct

LineKind = Literal["first", "executing", "def", "unknown"]
"""first: `co_firstlineno`, the first decorator's line; executing: somewhere inside; def: the `def` line."""

FrameKind = Literal["code", "name", "function", "route", "task"]
"""What a frame's name is. code: that of a code object. The others come from spans that say no place: name: a dotted
name of a module and what is in it, or a name in `module`; function: a bare function name, or the name given to a
decorator; route: "POST /orders/{id}"; task: a task's name."""

Counting = Literal["exact", "at least", "estimated"]


class Frame(Struct, frozen=True, cache_hash=True, gc=False):
    """A code object or a place in one, as the trace names it."""

    path: str
    name: str
    """`co_name` or a qualified name: the join uses the last segment."""
    line: int
    """1-based; 0 when the format has none."""
    line_kind: LineKind = "unknown"
    module: str = ""
    kind: FrameKind = "code"


class Observed(Struct, frozen=True, gc=False, array_like=True):
    """The bounded summary of one value."""

    type: str
    """"int", "builtins.str" shortened to "str"; "shop.models.Order" for classes of the program; "" unknown."""
    text: str
    """Bounded, redacted text as a person would write it: 9.99, 'gold', Order(order_id=3, …). "": the type alone is
    known."""
    number: float | None = None
    """The value itself when it is a finite int, float or bool."""
    size: int | None = None
    """Length of a str, bytes or container."""


class Returned(Struct, frozen=True, gc=False, array_like=True, tag="returned", tag_field="ended"):
    value: Observed | None
    """None when the trace does not hold the value."""


class Raised(Struct, frozen=True, gc=False, array_like=True, tag="raised", tag_field="ended"):
    type: str
    """"ZeroDivisionError", "shop.models.OrderError"."""
    message: str
    line: int = 0
    """The line that was executing in the frame that this call is, 1-based; 0 unknown."""


class Unfinished(Struct, frozen=True, gc=False, array_like=True, tag="unfinished", tag_field="ended"):
    """No end was recorded, or the format does not say how the call ended."""


Outcome = Returned | Raised | Unfinished


class Call(Struct, frozen=True, gc=False):
    """One recorded execution of a unit, with what the trace knows of its values."""

    frame: Frame
    started_ns: int
    duration_ns: int
    """Wall, children included; -1 unknown."""
    self_ns: int = -1
    """Wall without recorded children; -1 unknown."""
    arguments: tuple[tuple[str, Observed], ...] = ()
    """By parameter name; "#0", "#1", … where the format has the position alone."""
    outcome: Outcome = Unfinished()
    id: str = ""
    parent: str = ""
    """Ids are unique within one file; "" none."""
    caller: Frame | None = None
    """The frame that called, with its executing line, where the trace says it."""
    thread: str = ""
    test: str = ""
    resume: bool = False
    """A resume of a generator or coroutine, not a call."""
    counted: bool = True
    """False when a `Count` of the same file already counts this call: then it adds values, not calls and times."""
    chosen: Literal["", "early", "reservoir", "failure", "marked", "explicit", "span"] = ""
    """Why the format kept this call: one of the first, drawn by lot, because it raised, because the program says so of
    all calls of the function or of this one, or because of a span in it; "" all calls are kept."""
    represents: float = 1.0
    """How many calls it stands for; 0 for one that was kept because it raised, beside those drawn by lot."""
    replay: dict[str, Any] | None = None
    """Arguments in the replayable encoding of tracelens_recorder.replayable, where recorded."""
    about: tuple[tuple[str, str], ...] = ()
    """What the program said about the work it did: "request", "route", "task", "user", "tags" (joined by ", "), "kind",
    "span" (one for each call of a model or tool in it), and names of its own. Redacted and bounded."""
    valued: bool = True
    """False when the `ValueCount`s of the same file count its values already: then it is an example of them."""


class Count(Struct, frozen=True, gc=False):
    """Totals of one code object over a run."""

    frame: Frame
    calls: int
    counting: Counting = "exact"
    resumes: int = 0
    errors: int = 0
    total_ns: int = 0
    """Wall, children included, recursion counted once where the format does so."""
    self_ns: int = 0
    min_ns: int = -1
    max_ns: int = -1
    durations: tuple[tuple[int, int], ...] = ()
    """(bucket, n) of the log histogram of profiles/histogram.py, where the format gives single durations."""
    tests: tuple[tuple[str, int], ...] = ()
    """(test id, calls of these that were made while it ran), where the format knows tests."""


class ValueCount(Struct, frozen=True, gc=False):
    """How often a parameter or result of one code object took a value, over all its calls."""

    frame: Frame
    slot: str
    """The parameter's name, or "return"."""
    value: Observed
    """Without a text: values of this type, or of this size, whatever they are."""
    outcome: str
    """"" for the calls that returned, else the type of the exception that they raised."""
    calls: int
    low: float | None = None
    high: float | None = None
    """Of values without a text: the range of the numbers, or lengths."""


class EdgeCount(Struct, frozen=True, gc=False):
    """How often one code object called another."""

    caller: Frame
    callee: Frame
    calls: int
    counting: Counting = "exact"
    total_ns: int = 0
    self_ns: int = 0
    """Of `total_ns`, what was spent in the callee itself."""
    site_line: int = 0
    """Line of the call site in the caller, 1-based; 0 unknown."""
    most: int = 0
    """Most calls of the callee by one call of the caller; 0 unknown."""
    repeats: int = 0
    """Calls of the caller that called the callee rows.REPEATED times or more."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A weighted stack, root first, leaf last. Never added up with calls."""

    stack: tuple[Frame, ...]
    weight: float
    """In `unit`."""
    unit: Literal["seconds", "samples"] = "samples"


@dataclass(frozen=True, slots=True)
class SampleTotal:
    """What samples say of one function, from a format that has added its stacks up already."""

    frame: Frame
    own: float
    """Weight of the samples with it innermost, in `unit`; what it called outside the workspace is not in it."""
    total: float
    """Weight of the samples with it anywhere on the stack."""
    unit: Literal["seconds", "samples"] = "samples"


@dataclass(frozen=True, slots=True)
class FailureFrame:
    frame: Frame
    locals: tuple[tuple[str, Observed], ...] = ()
    source: str = ""
    """The source line as the trace shows it, stripped: lets a moved or stale line be recognised."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that was seen, with its stack, outermost frame first."""

    type: str
    message: str
    stack: tuple[FailureFrame, ...]
    at_ns: int = 0
    count: int = 1
    test: str = ""
    call: str = ""
    """Id of the deepest recorded `Call` that raised it, where known."""


@dataclass(frozen=True, slots=True)
class Executed:
    """Lines of a file that ran, from coverage. How often is not known, so these are never calls."""

    path: str
    lines: tuple[int, ...]
    """1-based."""
    test: str = ""
    """The test that ran them; "" not known."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a trace says about its own recording. A reader yields it first; fields it cannot know stay empty."""

    tool: str
    """"pstats", "viztracer", "speedscope", "traceback", "tracelens", …"""
    started_ns: int = 0
    duration_ns: int = 0
    command: str = ""
    commit: str = ""
    interpreter: str = ""
    """"CPython 3.12.1"."""
    environment: str = ""
    service: str = ""
    blobs: tuple[tuple[str, str], ...] = ()
    """(path as the trace names it, git blob id of the file when it was recorded)."""
    sources: tuple[tuple[str, str], ...] = ()
    """(path, blake2b-16 hex of the file's bytes when it was recorded), where the trace holds the source."""
    texts: tuple[tuple[str, str], ...] = ()
    """(path, the source itself), where the trace holds it: anchors are taken from it; it is never stored."""
    calls_are_resumes: bool = False
    """The format counts each resume of a generator or coroutine as a call of it."""
    redacted: int = 0
    """Number of values the recorder redacted."""
    notes: tuple[str, ...] = ()
    """What a person must know: "ring buffer overflowed: counts are at least"."""


Record = RunFacts | Call | Count | ValueCount | EdgeCount | Sample | SampleTotal | Failure | Executed
