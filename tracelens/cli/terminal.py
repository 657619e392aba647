"""Tables and colours for a terminal; in a pipe the same text, not cut and not coloured."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import click
from rich.cells import cell_len

_GAP = "   "
Style = Literal["", "bold", "dim", "red", "green"]
_OF_MARKS: dict[str, Style] = {"✓": "green", "✗": "red", "→": "bold", "next:": "dim"}
"""How a line is shown that begins so."""


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    align: Literal["left", "right"] = "left"
    shrinks: bool = False
    """Whether it gives way when the table is wider than the terminal; cut at the front, where names say least."""
    style: Style = ""


def terminal_width() -> int:
    """Columns of the terminal; 0 in a pipe: no limit."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def styled(text: str, style: Style) -> str:
    """A text in a style, on a terminal whose user has not asked for none (no-color.org)."""
    wanted = style and sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if not wanted:
        return text
    return click.style(text, bold=style == "bold", dim=style == "dim", fg=style if style in ("red", "green") else None)


def marked(line: str) -> str:
    """A line of text in the style of the mark that it begins with."""
    mark = line.split(None, 1)[0] if line.strip() else ""
    return styled(line, _OF_MARKS.get(mark, ""))


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int = 0) -> list[str]:
    """Lines of a table, two spaces from the left."""
    widths = [
        max(_cells(column.title), *(_cells(row[i]) for row in rows)) if rows else _cells(column.title)
        for i, column in enumerate(columns)
    ]
    excess = 2 + sum(widths) + len(_GAP) * (len(columns) - 1) - width
    if width and excess > 0:
        for i, column in enumerate(columns):
            if column.shrinks:
                widths[i] = max(12, widths[i] - excess)
    lines = []
    for number, row in enumerate(([column.title for column in columns], *rows)):
        cells = [
            _fitted(cell, widths[i], column) if i < len(columns) - 1 or column.align == "right" else cell
            for i, (cell, column) in enumerate(zip(row, columns, strict=True))
        ]
        if number:
            cells = [styled(cell, column.style) for cell, column in zip(cells, columns, strict=True)]
        line = "  " + _GAP.join(cells).rstrip()
        lines.append(line if number else styled(line, "dim"))
    return lines


def _fitted(cell: str, width: int, column: Column) -> str:
    if _cells(cell) > width:
        cell = "…" + cell[-(width - 1) :]
    pad = " " * (width - _cells(cell))
    return pad + cell if column.align == "right" else cell + pad


def _cells(text: str) -> int:
    """Columns that a text takes on a terminal: wide characters take two."""
    return cell_len(text)
