"""How a unit is written down for a reader with little room: whole, as an outline, or in one line."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection

from tracelens.answers.snapshot import IndexSnapshot
from tracelens.answers.words import clean
from tracelens_indexer.store.answers import UnitRecord

_HEAD = 6
"""First lines of an outline that stand whatever they say: decorators, the header, the beginning of the docstring."""
_TELLS = re.compile(
    r"^\s*(async\s+def|def|class|return|raise|yield|except|if|elif|else|for|while|with|assert|@)\b|\braise\b"
)
_LONGEST_LINE = 400


def whole(snapshot: IndexSnapshot, unit: UnitRecord) -> str:
    """Its source as it is now, moved to the left margin; "" when it cannot be read."""
    lines = snapshot.lines_of(unit.path)[unit.first_line - 1 : unit.end_line]
    return textwrap.dedent("\n".join(line.rstrip()[:_LONGEST_LINE] for line in lines)).strip("\n")


def outline(snapshot: IndexSnapshot, unit: UnitRecord, keep: Collection[int], most: int) -> str:
    """At most about `most` lines of it: the header, the lines numbered in `keep` (1-based, of the file) with their
    neighbours, then those that say where control goes. What is left out is marked by … ."""
    lines = snapshot.lines_of(unit.path)[unit.first_line - 1 : unit.end_line]
    if len(lines) <= most:
        return whole(snapshot, unit)
    chosen = set(range(min(_HEAD, len(lines))))
    for number in keep:
        at = number - unit.first_line
        chosen |= {place for place in range(at - 2, at + 3) if 0 <= place < len(lines)}
    for place, line in enumerate(lines):
        if len(chosen) >= most:
            break
        if _TELLS.search(line):
            chosen.add(place)
    told: list[str] = []
    last = -1
    for place in sorted(chosen):
        if place > last + 1:
            told.append(re.match(r"\s*", lines[place])[0] + "…")  # type: ignore[index]  # it always matches
        told.append(lines[place].rstrip()[:_LONGEST_LINE])
        last = place
    if last < len(lines) - 1:
        told.append(re.match(r"\s*", lines[last])[0] + "…")  # type: ignore[index]
    return textwrap.dedent("\n".join(told)).strip("\n")


def line(unit: UnitRecord) -> str:
    """ "shop/pricing.py:12 apply_discount(price, tier='basic')": its place in a list."""
    signature = " ".join(unit.signature.split()) or unit.name
    return f"{unit.path}:{unit.def_line} {_named(unit, signature, 110)}"


def line_in_file(unit: UnitRecord) -> str:
    """ " 12 apply_discount(price, tier)": its place in a map that names its file above, half as long as a `line`."""
    names = ", ".join(one.name for one in unit.parameters if one.name not in ("self", "cls"))
    return f" {unit.def_line} {_named(unit, unit.name if unit.kind == 'class' else f'{unit.name}({names})', 70)}"


def _named(unit: UnitRecord, said: str, most: int) -> str:
    owner = unit.scope.rpartition(".")[0].removesuffix(".<locals>")
    return f"{'class ' if unit.kind == 'class' else ''}{clean(f'{owner}.{said}' if owner else said, most)}"
