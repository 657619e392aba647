"""The values of one parameter, or of the result, while they stream by: how often each, with which outcome; their range;
and how the duration of the calls goes with them.

Texts are counted as they come and redacted when rows are made of the few that are kept. Numbers go into columns that
numpy adds up, a thousand at a time.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Literal

from tracelens_indexer.profiles.rows import SlotRow, ValueRow
from tracelens_indexer.profiles.scrubbing import MAX_TEXT, Scrubber
from tracelens_indexer.traces.records import Observed
from tracelens_recorder.redact import REDACTED

MAX_VALUES = 64
"""Distinct texts of a slot that are kept."""
MAX_SINGLE = 12
"""Of values that were seen once, where there are more than MAX_VALUES: these are ids and amounts, and examples of them
are enough."""
_WORKING_VALUES = 192
"""Distinct texts that are counted while reading, so that a value that becomes frequent late is still kept."""
_MAX_TYPES = 20
_BLOCK = 1024
_FEW = 64
"""Numbers that are added up faster without numpy than with it."""
_LARGEST = 1e150
"""The square of a larger number is not finite."""
_LONGEST_NUMBER = 12
"""Characters of a number that cannot be that of a card."""
_NOTHING = ("None", "", "''", REDACTED)


class Slot:
    """Values of one slot. `secret`: it goes under a name that says so."""

    __slots__ = ("_scrub", "_secret", "_types", "counts", "texts")

    def __init__(self, scrub: Scrubber, *, secret: bool) -> None:
        self.texts: set[str] = set()
        self.counts: dict[tuple[str, str | None, str], float] = {}
        """(type, text, outcome) to the calls it stands for; text None: others."""
        self._types: dict[str, _Measures] = {}
        self._scrub = scrub
        self._secret = secret

    def add(self, value: Observed, outcome: str, weight: float, duration_ns: int) -> None:
        """`outcome`: "" or the exception type; `weight`: calls it stands for; duration -1: unknown."""
        text: str | None = value.text
        kind = value.type
        measure = value.number
        if measure is None:
            measure = value.size
        elif len(value.text) > _LONGEST_NUMBER and self._scrub.hides(value.text):
            measure = None
        if self._secret and text not in _NOTHING:
            text, measure = REDACTED, None
            self._scrub.redacted += 1
        if len(kind) > MAX_TEXT:
            kind = kind[:MAX_TEXT]
        if text not in self.texts:
            if text and len(self.texts) < _WORKING_VALUES:
                self.texts.add(text)
            else:
                text = None
        key = (kind, text, outcome)
        counts = self.counts
        counts[key] = counts.get(key, 0.0) + weight
        found = self._types.get(kind)
        if found is None:
            if len(self._types) >= _MAX_TYPES:
                return
            found = self._types[kind] = _Measures()
        found.n += 1
        if measure is not None:
            found.add(measure, duration_ns, value.number is not None)

    def rows(self, slot: str) -> tuple[list[ValueRow], list[SlotRow]]:
        frequency: Counter[str] = Counter()
        for (_, text, _), n in self.counts.items():
            if text is not None:
                frequency[text] += max(1, round(n))
        kept = dict(frequency.most_common(MAX_VALUES))
        if len(frequency) > MAX_VALUES:
            single = [text for text, n in kept.items() if n == 1]
            for text in single[MAX_SINGLE:]:
                del kept[text]
        clean = {text: self._scrub.text(text, MAX_TEXT, n) for text, n in kept.items()}
        rows: dict[tuple[str, str | None, str], float] = {}
        for (kind, text, outcome), n in self.counts.items():
            key = kind, clean.get(text) if text is not None else None, outcome
            rows[key] = rows.get(key, 0.0) + n
        values = [ValueRow(slot, kind, text, outcome, round(n)) for (kind, text, outcome), n in rows.items()]
        return values, [measures.row(slot, kind) for kind, measures in self._types.items()]


class _Measures:
    """Numbers, or lengths, of the values of one type, beside the durations of their calls."""

    __slots__ = ("_durations", "_high", "_low", "_measured", "_pairs", "_sums", "n", "what")

    def __init__(self) -> None:
        self.n = 0
        self.what: Literal["value", "size", ""] = ""
        self._low: float | None = None
        self._high: float | None = None
        self._pairs = 0
        self._sums = (0.0, 0.0, 0.0, 0.0, 0.0)
        self._measured = array("d")
        self._durations = array("d")

    def add(self, measure: float, duration_ns: int, is_value: bool) -> None:
        if len(self._measured) >= _BLOCK:
            self._fold()
        try:
            self._measured.append(measure)
        except OverflowError:
            return
        self._durations.append(duration_ns)
        self.what = "value" if is_value else "size"

    def _fold(self) -> None:
        measured = self._measured
        if not measured:
            return
        low, high = min(measured), max(measured)
        self._low = low if self._low is None or low < self._low else self._low
        self._high = high if self._high is None or high > self._high else self._high
        if high < _LARGEST and low > -_LARGEST:
            self._add_pairs()
        # Not cleared: numpy may still look at them.
        self._measured, self._durations = array("d"), array("d")

    def _add_pairs(self) -> None:
        x, y, xx, xy, yy = self._sums
        if len(self._measured) >= _FEW:
            import numpy

            ys = numpy.frombuffer(self._durations)
            xs = numpy.frombuffer(self._measured)
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
        for one, other in zip(self._measured, self._durations, strict=True):
            if other >= 0:
                self._pairs += 1
                x += one
                y += other
                xx += one * one
                xy += one * other
                yy += other * other
        self._sums = x, y, xx, xy, yy

    def row(self, slot: str, kind: str) -> SlotRow:
        self._fold()
        return SlotRow(slot, kind, self.n, self._low, self._high, self.what, self._pairs, *self._sums)
