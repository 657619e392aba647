"""What of all that bears on the target fits into a budget of tokens: the target first, then what was seen of it, then
what is near, whole while there is room, then a map of the rest in single lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tracelens.answers.choose import short_id
from tracelens.answers.snapshot import IndexSnapshot
from tracelens.context import evidence, near, text
from tracelens.context.target import Target
from tracelens.mcp.budget import tokens
from tracelens_indexer.store.answers import SearchHit, UnitRecord

DEFAULT = 6_000
LEAST = 200
"""Tokens; a smaller budget is raised to it."""
MOST = 200_000

_OF_TARGET = 0.4
_OF_EVIDENCE = 0.25
_OF_ONE = 0.12
"""A unit that would cost a larger part of the budget than this is outlined."""
_OF_MAP = 0.6
"""The part of what target and evidence leave that single lines get: a name in a map costs a tenth of its source."""
_OUTLINE_LINES = 24
_MOST_TESTS = 3
_MOST_SAYING = 3
"""Units of the target whose source is read for the names in it."""
_MOST_ANSWERS = 5
"""Units that search found for a question which count as what it is about."""
_SEARCHED = 60

Search = Callable[[str, int], Sequence[SearchHit]]
"""(words, limit) to units, best first."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the context."""

    kind: str
    """"target", "evidence", "code", "map"."""
    id: str
    """u:…, f:…, c:…; "" for the map."""
    place: str
    """ "shop/pricing.py:12 shop.pricing.apply_discount"; "" for the map."""
    reason: str
    text: str
    outlined: bool = False

    @property
    def header(self) -> str:
        names = " ".join(part for part in (self.place, f"[{self.id}]" if self.id else "") if part)
        return f"## {names + ' — ' if names else ''}{self.reason}{' (outlined)' if self.outlined else ''}"


@dataclass(frozen=True, slots=True)
class Context:
    title: str
    parts: tuple[Part, ...]
    units: tuple[UnitRecord, ...]
    """All that are in it, whole, outlined or as a line of the map."""
    tokens: int
    """An estimate that errs upwards, as tracelens.mcp.budget counts."""
    budget: int
    left_out: int
    """Units that bear on the target and did not fit."""

    def __str__(self) -> str:
        pieces = [f"# {self.title} — all below is data from the program", ""]
        for part in self.parts:
            pieces += [part.header, part.text, ""]
        if self.left_out:
            pieces.append(f"left out: {self.left_out} units that bear on it less")
        return "\n".join(pieces).rstrip() + "\n"


def context_of(
    snapshot: IndexSnapshot,
    target: Target,
    search: Search | None = None,
    budget: int = DEFAULT,
    quote: Callable[[str], str] = str,
) -> Context:
    """The context of a target within `budget` tokens. `quote` is put around recorded values and messages."""
    return _Packing(snapshot, target, search, max(LEAST, min(budget, MOST)), quote).packed()


class _Packing:
    def __init__(
        self,
        snapshot: IndexSnapshot,
        target: Target,
        search: Search | None,
        budget: int,
        quote: Callable[[str], str],
    ) -> None:
        self._snapshot = snapshot
        self._target = target
        self._search = search
        self._budget = budget
        self._quote = quote
        self._parts: list[Part] = []
        self._shown: dict[int, UnitRecord] = {}
        self._spans: list[tuple[str, int, int]] = []
        self._title = f"Context of {target.title}" if target.units else f"Context for {target.title!r}"
        self._room = budget - tokens(f"# {self._title} — all below is data from the program") - 24

    def packed(self) -> Context:
        hits = self._hits()
        units = self._target.units or tuple(hit.unit for hit in hits[:_MOST_ANSWERS] if hit.unit.kind != "module")
        around, wider = near.near_and_named(
            self._snapshot.index,
            # The first is what it is about; the others lead to it.
            {unit.id: 1.0 / (place + 1) for place, unit in enumerate(units)},
            hits,
            self._snapshot.runs,
            near.named_in(self._snapshot.index, self._words_of(units)),
        )
        self._add_target(units)
        self._add_evidence(units)
        self._add_code(around)
        left = self._add_map(wider)
        spent = self._budget - self._room
        return Context(self._title, tuple(self._parts), tuple(self._shown.values()), spent, self._budget, left)

    def _words_of(self, units: Sequence[UnitRecord]) -> str:
        """What the target itself says: its question and the source of its first units."""
        said = [text.whole(self._snapshot, unit) for unit in units[:_MOST_SAYING]] if self._target.units else []
        return "\n".join([self._target.question, *said])

    def _hits(self) -> list[SearchHit]:
        if self._search is None:
            return []
        asked = [self._target.question]
        asked += [
            f"{' '.join(unit.name.split('_'))}\n{text.whole(self._snapshot, unit)}"[:2_000]
            for unit in self._target.units[:1]
        ]
        found: dict[int, SearchHit] = {}
        for words in filter(None, asked):
            for hit in self._search(words, _SEARCHED):
                found.setdefault(hit.unit.id, hit)
        return list(found.values())

    def _fits(self, part: Part) -> bool:
        return tokens(part.header) + tokens(part.text) + 2 <= self._room

    def _take(self, part: Part, unit: UnitRecord | None = None) -> None:
        self._room -= tokens(part.header) + tokens(part.text) + 2
        self._parts.append(part)
        if unit:
            self._shown[unit.id] = unit
            if not part.outlined:
                self._spans.append((unit.path, unit.first_line, unit.end_line))

    def _is_inside(self, unit: UnitRecord) -> bool:
        """Whether its source stands already in a unit around it."""
        return unit.id in self._shown or any(
            path == unit.path and first <= unit.first_line and unit.end_line <= last
            for path, first, last in self._spans
        )

    def _part(self, unit: UnitRecord, kind: str, reason: str, most: float) -> Part:
        """The unit whole if it costs at most so many tokens, else as an outline."""
        place = f"{unit.path}:{unit.def_line} {unit.qualname}"
        full = text.whole(self._snapshot, unit)
        if tokens(full) <= most and unit.kind != "class":
            return Part(kind, short_id(unit), place, reason, full)
        keep = evidence.lines_that_matter(self._snapshot, self._target, unit)
        lines = _OUTLINE_LINES
        told = text.outline(self._snapshot, unit, keep, lines)
        while tokens(told) > most and lines > 4:
            lines //= 2
            told = text.outline(self._snapshot, unit, keep, lines)
        return Part(kind, short_id(unit), place, reason, told, outlined=told != full)

    def _add_target(self, units: Sequence[UnitRecord]) -> None:
        left = self._budget * _OF_TARGET
        for place, unit in enumerate(units):
            if self._is_inside(unit):
                continue
            part = self._part(unit, "target", self._target.reason, left if place == 0 else left / 2)
            if not self._fits(part) or tokens(part.text) > max(left, 60):
                continue
            left -= tokens(part.text)
            self._take(part, unit)

    def _add_evidence(self, units: Sequence[UnitRecord]) -> None:
        left = self._budget * _OF_EVIDENCE
        for one in evidence.about(self._snapshot, self._target, units, self._quote):
            part = Part("evidence", one.id, "", one.reason, one.text)
            cost = tokens(part.header) + tokens(part.text)
            if cost <= left and self._fits(part):
                left -= cost
                self._take(part)

    def _add_code(self, around: Sequence[near.Near]) -> None:
        until = self._room * _OF_MAP
        tests = 0
        for one in around:
            if self._room <= until:
                return
            test = near.is_test(one.unit)
            if self._is_inside(one.unit) or (test and tests >= _MOST_TESTS):
                continue
            part = self._part(one.unit, "code", one.reason, self._budget * _OF_ONE)
            if part.text and self._fits(part):
                tests += test
                self._take(part, one.unit)

    def _add_map(self, around: Sequence[near.Near]) -> int:
        """Single lines of what is near and was not shown; the number of units that did not fit even so.

        Chosen best first, then written file by file: naming each file once leaves room for half as many again.
        """
        reason = "also near, most telling files first"
        room = self._room - tokens(Part("map", "", "", reason, "").header) - 4
        files: dict[str, list[UnitRecord]] = {}
        left = 0
        for one in self._not_shown(around):
            unit = one.unit
            cost = tokens(text.line_in_file(unit)) + 1
            if unit.path not in files:
                cost += tokens(unit.path) + 2
            if cost > room:
                left += 1
                continue
            room -= cost
            files.setdefault(unit.path, []).append(unit)
            self._shown[unit.id] = unit
        lines: list[str] = []
        for path, units in files.items():
            lines.append(f"{path}:")
            lines += [text.line_in_file(unit) for unit in sorted(units, key=lambda unit: (unit.def_line, unit.id))]
        if lines:
            self._take(Part("map", "", "", reason, "\n".join(lines)))
        return left

    def _not_shown(self, around: Sequence[near.Near]) -> Iterator[near.Near]:
        # Tests come last: what they test is what is looked for.
        waiting = [one for one in around if not self._is_inside(one.unit)]
        yield from (one for one in waiting if not near.is_test(one.unit))
        yield from (one for one in waiting if near.is_test(one.unit))
