"""Answers as Markdown for editors and as plain text for terminals and clients without Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from urllib.parse import quote

from tracelens.answers import words
from tracelens.answers.text import Bars, Block, Line, Link, Piece

_BAR_CELLS = 16
_EIGHTHS = " ▏▎▍▌▋▊▉"


def markdown(
    blocks: Sequence[Block], bars: Bars | None = None, links: Sequence[Link] = (), *, commands: bool = False
) -> str:
    """Markdown that also reads well where it is not rendered: no tables, no headings, no HTML.

    `commands` puts links to commands into it: only for a client that is known to restrict them.
    """
    # Two spaces at the end of a line are a line break.
    parts = ["  \n".join(_markdown_line(line) for line in block) for block in blocks if block]
    if bars and bars.rows:
        text = "\n".join(_bar_lines(bars))
        fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
        parts.append(f"{fence}text\n{text}\n{fence}")
    if commands and links:
        parts.append(" · ".join(_markdown_link(link) for link in links))
    return "\n\n".join(parts)


def plain(blocks: Sequence[Block], bars: Bars | None = None) -> str:
    """Plain text, labels of a block in one column."""
    parts = []
    for block in blocks:
        width = max((len(line.label) for line in block), default=0)
        if block:
            parts.append("\n".join(_plain_line(line, width) for line in block))
    if bars and bars.rows:
        parts.append("\n".join(_bar_lines(bars)))
    return "\n\n".join(parts)


def plain_line(line: Line) -> str:
    return _plain_line(line, len(line.label))


def _plain_line(line: Line, width: int) -> str:
    text = "".join(f'"{p.text}"' if p.style == "quoted" else p.text for p in line.pieces)
    return f"{line.label:<{width}}  {text}" if line.label else text


def _markdown_line(line: Line) -> str:
    text = "".join(_markdown_piece(piece) for piece in line.pieces)
    if not line.label:
        return text
    label = line.label if line.label == "→" else words.code_span(line.label)
    return f"{label} {text}"


def _markdown_piece(piece: Piece) -> str:
    match piece.style:
        case "code":
            return words.code_span(piece.text)
        case "strong":
            return f"**{words.code_span(piece.text)}**"
        case "quoted":
            return f'"{words.escaped(piece.text)}"'
        case _:
            return piece.text


def _markdown_link(link: Link) -> str:
    arguments = quote(json.dumps(list(link.arguments)), safe="")
    return f"[{words.escaped(link.title)}](command:{link.command}?{arguments})"


def _bar_lines(bars: Bars) -> list[str]:
    width = max(len(value) for value, _, _ in bars.rows)
    return [f"{value:<{width}}  {_bar(fraction):<{_BAR_CELLS}}  {note}".rstrip() for value, fraction, note in bars.rows]


def _bar(fraction: float) -> str:
    eighths = max(1, round(min(1.0, fraction) * _BAR_CELLS * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
