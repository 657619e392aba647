"""Answers as structured lines, before they are Markdown, plain text or a terminal's.

A line is a row of pieces. Words are ours; names and values come from programs and are shown as code, so that no
renderer acts on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Style = Literal["words", "code", "strong", "quoted"]
"""words: ours, as they are; code: a name or value of the program; strong: the name that the answer is about;
quoted: a name that a person or a tool gave (of a run)."""


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    style: Style = "words"


@dataclass(frozen=True, slots=True)
class Line:
    pieces: tuple[Piece, ...]
    label: str = ""
    """What the line is about, in a column of its own where lines are aligned: a parameter's name, "→"."""


@dataclass(frozen=True, slots=True)
class Bars:
    """Values with how often each was taken, as a small histogram."""

    rows: tuple[tuple[str, float, str], ...]
    """(value, share 0…1, note)."""


@dataclass(frozen=True, slots=True)
class Link:
    """Something to do, for the one client that may show commands in text."""

    title: str
    command: str
    arguments: tuple[str, ...]
    """Opaque ids only: never a name, a value or a path."""


Block = tuple[Line, ...]


def line(*pieces: str | Piece, label: str = "") -> Line:
    """A line of pieces; a bare string is ours."""
    return Line(tuple(Piece(p) if isinstance(p, str) else p for p in pieces), label)


def code(text: str) -> Piece:
    return Piece(text, "code")


def joined(groups: Iterable[Piece | Sequence[Piece]], separator: str = ", ") -> list[Piece]:
    """All pieces in a row, with our separator between the groups."""
    out: list[Piece] = []
    for group in groups:
        if out:
            out.append(Piece(separator))
        out += [group] if isinstance(group, Piece) else group
    return out
