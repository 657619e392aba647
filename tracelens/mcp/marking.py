"""What came from a program or a trace is put between ⟦ and ⟧, so that an agent reads it as data.

A plain name or number needs no marks: it cannot say anything. The marks themselves are taken out of what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tracelens.answers.text import Bars, Block, Line
from tracelens.answers.words import clean

_PLAIN = re.compile(r"[\w.:/<>\[\]-]{1,60}")


def data(text: str) -> str:
    """One line of recorded text, marked and stripped of what a terminal or a model may act upon."""
    text = clean(text, 400).replace("⟦", "[").replace("⟧", "]")
    return text if _PLAIN.fullmatch(text) else f"⟦{text}⟧"


def block(lines: Block) -> str:
    """Lines of an answer, labels in a column, with what is not ours marked."""
    width = max((len(line.label) for line in lines), default=0)
    return "\n".join(_line(line, width) for line in lines)


def blocks(all_blocks: Sequence[Block], bars: Bars | None = None) -> list[str]:
    told = [block(lines) for lines in all_blocks if lines]
    if bars and bars.rows:
        told.append("\n".join(f"{data(value)}  {note}" for value, _, note in bars.rows))
    return told


def _line(line: Line, width: int) -> str:
    text = "".join(piece.text if piece.style == "words" else data(piece.text) for piece in line.pieces)
    return f"{line.label:<{width}}  {text}" if line.label else text
