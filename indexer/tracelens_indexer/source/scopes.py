"""Scopes while a file is being lowered: which bindings a name has, and which of them reach each use.

Bindings are followed in source order. A *region* is code that may not run (a loop, an except clause): after it, a name
has the bindings that it had before and those that it got inside. A *choice* is a set of regions of which one runs: when
one of them must (an `else` is there), what was before is forgotten. In a loop, what is bound further down reaches uses
further up.

An item with a constant key of a container in a variable (`d["a"]`) is followed as if it were a variable, as long as
nothing else is done with the container.
"""

from __future__ import annotations

from typing import Final, Literal

ScopeKind = Literal["module", "class", "function", "comprehension"]

MAX_BINDINGS: Final = 32
"""Bindings of one name that are followed; beyond, the name is opaque."""
MAX_LOOPS: Final = 16
"""Loops within loops in which uses are revisited."""

Names = dict[str, tuple[int, ...]]


class Scope:
    """One namespace. `unit` is the index of the unit that owns it, `code` the one whose code has its nodes."""

    __slots__ = ("all", "choices", "code", "globals", "items", "kind", "nonlocals", "now", "parent", "regions", "unit")

    def __init__(self, unit: int, kind: ScopeKind, parent: Scope | None) -> None:
        self.unit = unit
        self.kind = kind
        self.parent = parent
        self.code: int = parent.code if kind == "comprehension" and parent is not None else unit
        self.now: Names = {}
        """The bindings that reach the place which is being lowered."""
        self.all: dict[str, list[int]] = {}
        self.regions: list[Names] = []
        """For each open region: what names that it has bound had before it."""
        self.choices: list[list[Names | None]] = []
        """For each open choice: what each finished region bound; None for one that returns or raises."""
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()
        self.items: dict[str, set[str]] = {}
        """Container to its items that are followed."""

    def set(self, name: str, bindings: tuple[int, ...]) -> None:
        if self.regions:
            self.regions[-1].setdefault(name, self.now.get(name, ()))
        self.now[name] = bindings

    def forget_items(self, name: str) -> None:
        for item in self.items.pop(name, ()):
            self.set(item, ())

    # Regions and choices

    def enter_region(self) -> None:
        self.regions.append({})

    def leave_region(self, *, ends: bool = False, chosen: bool = False) -> None:
        """`ends`: the region returns or raises, so nothing that it bound is seen after it. `chosen`: it is part of
        the innermost choice, which settles what is seen after it."""
        before = self.regions.pop()
        now = self.now
        if chosen:
            self.choices[-1].append(None if ends else {name: now[name] for name in before})
        outer = self.regions[-1] if self.regions else None
        for name, had in before.items():
            if ends or chosen:
                now[name] = had
            else:
                now[name] = _either(name, had, now[name])
            if outer is not None:
                outer.setdefault(name, had)

    def enter_choice(self) -> None:
        self.choices.append([])

    def leave_choice(self, *, exhaustive: bool) -> None:
        outcomes = self.choices.pop()
        running = [outcome for outcome in outcomes if outcome is not None]
        if exhaustive and not running:
            return
        for name in dict.fromkeys(name for outcome in running for name in outcome):
            had = self.now.get(name, ())
            merged: tuple[int, ...] | None = None if exhaustive else had
            for outcome in running:
                got = outcome.get(name, had)
                merged = got if merged is None else _either(name, merged, got)
            self.set(name, merged or ())


def _either(name: str, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    if "[" in name and not (first and second):
        return ()
    return merge(first, second)


def merge(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    if not first or first == second:
        return second
    merged = first + tuple(number for number in second if number not in first)
    return merged[: MAX_BINDINGS + 1]
