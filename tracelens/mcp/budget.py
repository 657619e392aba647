"""Answers that fit: as many entries as the budget holds, and a last line that says what is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

DEFAULT = 1_500
LEAST = 120
"""Tokens that the frame of an answer needs: smaller budgets are raised to it."""
MOST = 50_000

_PIECE = re.compile(r"[a-z]{1,5}|[A-Z][a-z]{0,4}|\d{1,3}|[^\x00-\x7f]|[^\w\s]|_|\n|\s{4,}")
_TITLE = 240
_CUT = "… (cut)"


def tokens(text: str) -> int:
    """An estimate that errs upwards: five letters, three digits or one sign make a token; others than ASCII two."""
    return sum(1 if piece.isascii() else 2 for piece in _PIECE.findall(text))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool says, before it is cut."""

    title: str
    entries: tuple[str, ...]
    """In the order of their worth; each is shown whole or left out, the first may be cut."""
    noun: str = ""
    """What an entry is, in the plural."""
    more: Callable[[int], str] | None = None
    """The call that shows what comes after the first n entries."""
    total: int = 0
    """All entries there are, where more than these."""
    next: str = ""
    """What is worth asking next."""


def fit(answer: Answer, budget: int = DEFAULT) -> str:
    """The answer in at most `budget` tokens as `tokens` counts them, and never less than its title."""
    budget = max(LEAST, min(budget, MOST))
    title = _cut(answer.title, min(tokens(answer.title[:_TITLE]), budget // 3))
    total = max(answer.total, len(answer.entries))
    after = f"Next: {answer.next}" if answer.next else ""
    if after and tokens(after) > budget // 4:
        after = ""
    # What the tail needs at most: it is longest when everything is left out.
    reserve = max(tokens(_left(answer, n, total)) for n in {0, len(answer.entries)}) + 8
    if reserve > budget // 2:
        reserve = budget // 2
    room = budget - tokens(title) - tokens(after) - reserve - 2
    shown: list[str] = []
    for entry in answer.entries:
        cost = tokens(entry) + 1
        if cost > room:
            if not shown and room > 20:
                shown.append(_cut(entry, room - 1 - tokens(_CUT)) + _CUT)
            break
        shown.append(entry)
        room -= cost
    left = _left(answer, len(shown), total)
    if tokens(left) > reserve:
        left = f"left out: {total - len(shown):,} {answer.noun or 'entries'}"
    return "\n".join(part for part in (title, *shown, left, after) if part)


def whole(answer: Answer) -> str:
    """The answer without a budget."""
    total = max(answer.total, len(answer.entries))
    return "\n".join(
        part for part in (answer.title, *answer.entries, _left(answer, len(answer.entries), total)) if part
    )


def _left(answer: Answer, shown: int, total: int) -> str:
    if shown >= total:
        return ""
    how = f". To see: {answer.more(shown)}" if answer.more else ". Ask with a larger budget"
    return f"left out: {total - shown:,} {answer.noun or 'entries'}{how}"


def _cut(text: str, most: int) -> str:
    """As much of a text as costs at most so many tokens."""
    if tokens(text) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if tokens(text[:middle]) <= most:
            low = middle
        else:
            high = middle - 1
    return text[:low]
