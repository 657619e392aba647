"""What linking the facts of all files yields: edges between units, and what became of every call site.

Nothing is dropped silently: each call site of each file has exactly one `Resolution`, and a resolved one has at
least one edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EdgeKind = Literal["call", "decorates", "implicit"]
"""`implicit`: Python calls it where no call is written: `__enter__`, `__iter__`, a property, an operator's method."""
Confidence = Literal["certain", "likely"]
Status = Literal["resolved", "external", "unresolved"]


@dataclass(frozen=True, slots=True)
class Edge:
    """A call (or the application of a decorator) that the source says can happen."""

    caller: int
    callee: int
    """Unit ids."""
    kind: EdgeKind
    line: int
    """1-based line of the call site in the caller's file."""
    column: int
    """0-based byte column of the call site."""
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of one call site."""

    unit: int
    """Unit id of the caller."""
    line: int
    column: int
    callee: str
    """The called expression as written, shortened."""
    status: Status
    reason: str
    """"" when resolved; else why not: "builtin", "module json", "dynamic attribute", "too many candidates"."""
    externals: tuple[str, ...] = ()
    """Dotted names outside the workspace that the call may mean: "builtins.len", "builtins.str.join", "json.loads"."""


@dataclass(frozen=True, slots=True)
class FileLinks:
    """What the calls of one file came to."""

    edges: tuple[Edge, ...]
    """By line, column, kind and callee."""
    resolutions: tuple[Resolution, ...]
    """In the order of the file's call sites."""


@dataclass(frozen=True, slots=True)
class Links:
    edges: tuple[Edge, ...]
    resolutions: tuple[Resolution, ...]
    partial: bool = False
    """Whether the bound on work cut something off: edges may then be missing, none is wrong for it. A call site whose
    candidates are too many says so itself."""
