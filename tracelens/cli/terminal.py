"""Tables for a terminal: aligned, within its width, the same text in a pipe (where nothing is cut)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len

_GAP = "   "


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    align: Literal["left", "right"] = "left"
    shrinks: bool = False
    """Whether it gives way when the table is wider than the terminal; cut at the front, where names say least."""


def terminal_width() -> int:
    """Columns of the terminal; 0 in a pipe: no limit."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


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
    for row in ([column.title for column in columns], *rows):
        cells = [
            _fitted(cell, widths[i], column) if i < len(columns) - 1 or column.align == "right" else cell
            for i, (cell, column) in enumerate(zip(row, columns, strict=True))
        ]
        lines.append("  " + _GAP.join(cells).rstrip())
    return lines


def _fitted(cell: str, width: int, column: Column) -> str:
    if _cells(cell) > width:
        cell = "…" + cell[-(width - 1) :]
    pad = " " * (width - _cells(cell))
    return pad + cell if column.align == "right" else cell + pad


def _cells(text: str) -> int:
    """Columns that a text takes on a terminal: wide characters take two."""
    return cell_len(text)
