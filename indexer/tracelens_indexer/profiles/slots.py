"""The values of one parameter, or of the result, while they stream by: how often each, with which outcome; their range;
and how the duration of the calls goes with them.

Texts are counted as they come and redacted when rows are made of the few that are kept. Numbers go into columns that
numpy adds up, a hundred at a time.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from tracelens_indexer.profiles.rows import SlotRow, ValueRow
from tracelens_indexer.profiles.scrubbing import MAX_TEXT, Scrubber
from tracelens_indexer.traces.records import Observed, ValueCount
from tracelens_recorder.redact import REDACTED, is_secret_name

MAX_SLOTS: Final = 60
MAX_NAME: Final = 100
MAX_VALUES: Final = 64
"""Distinct texts of a slot that are kept."""
MAX_SINGLE: Final = 8
"""Of values that were seen once, where there are more than MAX_VALUES: these are ids and amounts, and examples of them
are enough."""
_WORKING_VALUES: Final = 128
"""Distinct texts that are counted while reading."""
_PRUNINGS: Final = 6
_MAX_TYPES: Final = 20
_BLOCK: Final = 128
_FEW: Final = 64
"""Numbers that are added up faster without numpy than with it."""
_LARGEST: Final = 1e150
"""The square of a larger number is not finite."""
_LONGEST_NUMBER: Final = 12
"""Characters of a number that cannot be that of a card."""
_NOTHING: Final = ("None", "", "''", REDACTED)


class Slots:
    """All slots of one unit."""

    __slots__ = ("_by_name", "_scrub")

    def __init__(self, scrub: Scrubber) -> None:
        self._by_name: dict[str, Slot] = {}
        self._scrub = scrub

    def add(self, values: Iterable[tuple[str, Observed]], outcome: str, weight: float, duration_ns: int) -> bool:
        """The values of one call, by slot; whether any of them is known beyond its type. `outcome`: "" or the exception
        type; `weight`: calls it stands for; duration -1: unknown, and within what `bounds.bounded` lets through.

        Most of the time of an import is spent in this loop, which is why it calls nothing that it can do itself.
        """
        slots = self._by_name
        told = False
        for name, value in values:
            slot = slots.get(name)
            if slot is None:
                if len(slots) >= MAX_SLOTS:
                    continue
                slot = slots[name] = Slot(is_secret_name(name))
            if value.type != slot.type or outcome != slot.outcome:
                slot.turn(value.type, outcome)
            text = value.text
            if text:
                told = True
            if slot.secret and text not in _NOTHING:
                slot.hide(weight)
                self._scrub.redacted += 1
                continue
            counts = slot.counts
            if text in counts:
                counts[text] += weight
            elif text and (slot.room > 0 or slot.prune()):
                slot.room -= 1
                counts[text] = weight
            else:
                counts[None] = counts.get(None, 0.0) + weight
            slot.n += weight
            measure = value.number
            if measure is None:
                measure = value.size
                if measure is None:
                    continue
            elif len(text) > _LONGEST_NUMBER and self._scrub.hides(text):
                continue
            measured = slot.measured
            if len(measured) >= _BLOCK:
                slot.fold()
                measured = slot.measured
            try:
                measured.append(measure)
            except OverflowError:
                continue
            slot.durations.append(duration_ns)
            slot.is_number = value.number is not None
        return told

    def add_counted(self, counted: ValueCount) -> None:
        """A value, or a range of them, that the format has counted in every call."""
        name, value = counted.slot[:MAX_NAME], counted.value
        slot = self._by_name.get(name)
        if slot is None:
            if len(self._by_name) >= MAX_SLOTS:
                return
            slot = self._by_name[name] = Slot(is_secret_name(name))
        slot.turn(value.type, counted.outcome)
        if slot.secret and value.text not in _NOTHING:
            slot.hide(counted.calls)
            self._scrub.redacted += counted.calls
            return
        text: str | None = value.text or None
        if text is not None and text not in slot.counts:
            if slot.room > 0 or slot.prune():
                slot.room -= 1
            else:
                text = None
        slot.counts[text] = slot.counts.get(text, 0.0) + counted.calls
        slot.n += counted.calls
        measure = value.number if value.number is not None else value.size
        ends = [float(one) for one in (measure, counted.low, counted.high) if one is not None]
        if ends and not (value.number is not None and self._scrub.hides(value.text)):
            is_number = value.number is not None or (value.size is None and value.type in ("int", "float"))
            slot.widen(min(ends), max(ends), is_number)

    def rows(self) -> tuple[list[ValueRow], list[SlotRow]]:
        values: list[ValueRow] = []
        slots: list[SlotRow] = []
        for name, slot in self._by_name.items():
            name = name[:MAX_NAME]
            values += slot.values(name, self._scrub)
            slots += slot.ranges(name)
        return values, slots


class Slot:
    """What is collected of one slot: of the type and outcome that were met last in its attributes, where they are at
    hand, of all others in tables."""

    __slots__ = (
        "_counts",
        "_measures",
        "counts",
        "durations",
        "is_number",
        "measured",
        "n",
        "outcome",
        "prunings",
        "room",
        "secret",
        "type",
    )

    def __init__(self, secret: bool) -> None:
        self.secret = secret
        self.room = _WORKING_VALUES
        """Distinct texts that may still be told apart."""
        self.prunings = _PRUNINGS
        self.type: str | None = None
        self.outcome = ""
        self.counts: dict[str | None, float] = {}
        """Text to the calls it stands for; None: others."""
        self.n = 0.0
        self.measured = array("d")
        self.durations = array("q")
        self.is_number = False
        self._counts: dict[tuple[str, str], dict[str | None, float]] = {}
        self._measures: dict[str, _Measures] = {}

    def turn(self, kind: str, outcome: str) -> None:
        """Go on with values of this type, of calls that ended so."""
        if kind != self.type:
            self.fold()
        counts = self._counts.get((kind, outcome))
        if counts is None:
            counts = {}
            if len(self._counts) < _MAX_TYPES:
                self._counts[kind, outcome] = counts
        self.type, self.outcome, self.counts = kind, outcome, counts

    def hide(self, weight: float) -> None:
        """A value that goes under a secret name."""
        self.counts[REDACTED] = self.counts.get(REDACTED, 0.0) + weight
        self.n += weight

    def prune(self) -> bool:
        """Make room by taking values that were seen once for others, a few times: a value that becomes frequent late is
        still told apart, and one that is another each time does not cost for ever."""
        if self.prunings <= 0:
            return False
        self.prunings -= 1
        for counts in self._counts.values():
            single = [text for text, n in counts.items() if n <= 1 and text is not None][MAX_SINGLE:]
            for text in single:
                counts[None] = counts.get(None, 0.0) + counts.pop(text)
            self.room += len(single)
        return self.room > 0

    def fold(self) -> None:
        """Add up the numbers that were collected of the type at hand."""
        if self.type is None or not (self.n or self.measured):
            return
        measures = self._measures.get(self.type)
        if measures is None:
            measures = _Measures()
            if len(self._measures) < _MAX_TYPES:
                self._measures[self.type] = measures
        measures.n += self.n
        self.n = 0.0
        if self.measured:
            measures.add(self.measured, self.durations, self.is_number)
            self.measured, self.durations = array("d"), array("q")

    def widen(self, low: float, high: float, is_number: bool) -> None:
        """Numbers, or lengths, of the type at hand of which the ends alone are known."""
        self.fold()
        measures = self._measures.get(self.type or "")
        if measures is not None:
            measures.widen(low, high, is_number)

    def values(self, slot: str, scrub: Scrubber) -> list[ValueRow]:
        frequency: Counter[str] = Counter()
        for counts in self._counts.values():
            for text, n in counts.items():
                if text is not None:
                    frequency[text] += max(1, round(n))
        kept = dict(frequency.most_common(MAX_VALUES))
        if len(frequency) > MAX_VALUES or self.prunings < _PRUNINGS:
            single = [text for text, n in kept.items() if n == 1]
            for text in single[MAX_SINGLE:]:
                del kept[text]
        clean = {text: scrub.text(text, MAX_TEXT, n) for text, n in kept.items()}
        rows: dict[tuple[str, str | None, str], float] = {}
        for (kind, outcome), counts in self._counts.items():
            kind = kind[:MAX_TEXT]
            for text, n in counts.items():
                key = kind, None if text is None else clean.get(text), outcome
                rows[key] = rows.get(key, 0.0) + n
        return [ValueRow(slot, kind, text, outcome, round(n)) for (kind, text, outcome), n in rows.items()]

    def ranges(self, slot: str) -> list[SlotRow]:
        self.fold()
        return [measures.row(slot, kind[:MAX_TEXT]) for kind, measures in self._measures.items()]


class _Measures:
    """Numbers, or lengths, of the values of one type, beside the durations of their calls."""

    __slots__ = ("_high", "_low", "_pairs", "_sums", "_what", "n")

    def __init__(self) -> None:
        self.n = 0.0
        self._what: Literal["value", "size", ""] = ""
        self._low: float | None = None
        self._high: float | None = None
        self._pairs = 0
        self._sums = (0.0, 0.0, 0.0, 0.0, 0.0)

    def add(self, measured: array[float], durations: array[int], is_number: bool) -> None:
        low, high = min(measured), max(measured)
        self.widen(low, high, is_number)
        if high >= _LARGEST or low <= -_LARGEST:
            return
        x, y, xx, xy, yy = self._sums
        if len(measured) >= _FEW:
            import numpy

            xs = numpy.frombuffer(measured)
            ys = numpy.frombuffer(durations, dtype=numpy.int64).astype(numpy.float64)
            if ys.min() < 0:
                xs, ys = xs[ys >= 0], ys[ys >= 0]
            self._pairs += len(xs)
            self._sums = (
                x + float(xs.sum()),
                y + float(ys.sum()),
                xx + float(xs @ xs),
                xy + float(xs @ ys),
                yy + float(ys @ ys),
            )
            return
        for one, other in zip(measured, durations, strict=True):
            if other >= 0:
                self._pairs += 1
                x += one
                y += other
                xx += one * one
                xy += one * other
                yy += other * other
        self._sums = x, y, xx, xy, yy

    def widen(self, low: float, high: float, is_number: bool) -> None:
        self._what = "value" if is_number else "size"
        self._low = low if self._low is None or low < self._low else self._low
        self._high = high if self._high is None or high > self._high else self._high

    def row(self, slot: str, kind: str) -> SlotRow:
        return SlotRow(slot, kind, round(self.n), self._low, self._high, self._what, self._pairs, *self._sums)
