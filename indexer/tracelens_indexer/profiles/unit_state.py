"""What one run says about one unit, while it is being collected: values, calls kept in full, durations, edges,
failures.

Everything is redacted as it comes in and bounded per unit: 64 distinct values of a slot, the rest being one honest
"others" row per type and outcome; 24 calls kept in full; 100 places of failure. What the records of a trace mean for
a unit is decided in aggregate.py.
"""

from __future__ import annotations

import json
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from tracelens_indexer.profiles.histogram import bucket
from tracelens_indexer.profiles.rows import (
    RESULT,
    AnchorKey,
    CaptureRow,
    EdgeRow,
    FailureRow,
    SlotRow,
    UnitProfile,
    UnitRow,
    ValueRow,
)
from tracelens_indexer.traces.join import UnitLike
from tracelens_indexer.traces.records import Call, Count, Counting, Failure, Observed, Raised, Returned
from tracelens_recorder.redact import REDACTED, is_secret_name, redact_text

MAX_VALUES = 64
"""Distinct texts of a slot that are kept."""
_WORKING_VALUES = 512
"""Distinct texts that are counted while reading, so that a value that becomes frequent late is still kept."""
MAX_CAPTURES = 24
MAX_FAILURES = 100
MAX_SLOTS = 60
MAX_TEXT = 200
MAX_NAME = 100
MAX_MESSAGE = 500
MAX_STACK = 60
MAX_TESTS = 500
MAX_REPLAY = 64 * 1024

NO_FAILURES = frozenset(
    (
        "StopIteration",
        "StopAsyncIteration",
        "GeneratorExit",
        "CancelledError",
        "asyncio.CancelledError",
        "asyncio.exceptions.CancelledError",
        "SystemExit",
        "KeyboardInterrupt",
    )
)
_POSITIONAL = ("positional only", "positional")
WORST: dict[Counting, int] = {"exact": 0, "at least": 1, "estimated": 2}


class Scrubber:
    """Redaction of everything that goes into rows, remembered, because values repeat."""

    def __init__(self) -> None:
        self.redacted = 0
        self._known: dict[str, tuple[str, int]] = {}

    def text(self, text: str, limit: int) -> str:
        if not text:
            return ""
        found = self._known.get(text)
        if found is None:
            # Cut after scrubbing: a secret that the cut goes through would not be recognised.
            clean, n = redact_text(text[: limit * 8])
            if len(clean) > limit:
                clean = clean[: limit - 1] + "…"
            found = clean, n
            if len(self._known) >= 20_000:
                self._known.clear()
            self._known[text] = found
        self.redacted += found[1]
        return found[0]

    def value(self, slot: str, value: Observed) -> Observed:
        """The value as it may be stored."""
        if is_secret_name(slot) and value.text not in ("None", "", "''", REDACTED):
            self.redacted += 1
            return Observed(value.type[:MAX_TEXT], REDACTED)
        text = self.text(value.text, MAX_TEXT)
        if text == value.text and len(value.type) <= MAX_TEXT:
            return value
        hidden = self._known.get(value.text, ("", 0))[1]
        return Observed(value.type[:MAX_TEXT], text, None if hidden else value.number, value.size)

    def replay(self, encoded: dict[str, Any] | None) -> str:
        """The replayable arguments as JSON; "" when there are none, or too large, or with a secret in them."""
        if not encoded:
            return ""
        try:
            text = json.dumps(encoded, ensure_ascii=False)
        except (TypeError, ValueError, RecursionError):
            return ""
        if len(text) > MAX_REPLAY:
            return ""
        clean, n = redact_text(text)
        if n and clean != text:
            self.redacted += n
            return ""
        return text


@dataclass(slots=True)
class _Slot:
    """Values of one parameter, or of the result."""

    texts: set[str] = field(default_factory=set)
    counts: dict[tuple[str, str | None, str], int] = field(default_factory=dict)
    """(type, text, outcome) to n; text None: others."""
    ranges: dict[str, list[Any]] = field(default_factory=dict)
    """type to [n, low, high, measures]."""

    def add(self, value: Observed, outcome: str) -> None:
        text: str | None = value.text or None
        if text is not None and text not in self.texts:
            if len(self.texts) < _WORKING_VALUES:
                self.texts.add(value.text)
            else:
                text = None
        key = (value.type, text, outcome)
        self.counts[key] = self.counts.get(key, 0) + 1
        found = self.ranges.get(value.type)
        if found is None:
            if len(self.ranges) >= 20:
                return
            found = self.ranges[value.type] = [0, None, None, ""]
        found[0] += 1
        measure = value.number if value.number is not None else value.size
        if measure is not None:
            found[1] = measure if found[1] is None or measure < found[1] else found[1]
            found[2] = measure if found[2] is None or measure > found[2] else found[2]
            found[3] = "value" if value.number is not None else "size"

    def rows(self, slot: str) -> tuple[list[ValueRow], list[SlotRow]]:
        frequency: Counter[str] = Counter()
        for (_, text, _), n in self.counts.items():
            if text is not None:
                frequency[text] += n
        kept = {text for text, _ in frequency.most_common(MAX_VALUES)}
        rows: Counter[tuple[str, str | None, str]] = Counter()
        for (type_name, text, outcome), n in self.counts.items():
            rows[type_name, text if text in kept else None, outcome] += n
        values = [ValueRow(slot, type_name, text, outcome, n) for (type_name, text, outcome), n in rows.items()]
        ranges: list[SlotRow] = []
        for type_name, (n, low, high, measures) in self.ranges.items():
            shown: Literal["value", "size", ""] = measures
            ranges.append(
                SlotRow(
                    slot,
                    type_name,
                    n,
                    None if low is None else float(low),
                    None if high is None else float(high),
                    shown,
                )
            )
        return values, ranges


class _Captures:
    """The calls of a unit that are kept in full: the first, each exception's first and last, and some in between."""

    FIRST = 4
    RAISED = 2
    TYPES = 4
    SPREAD = 8

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._random: random.Random | None = None
        self._first: list[tuple[int, CaptureRow]] = []
        self._raised: dict[str, tuple[list[tuple[int, CaptureRow]], deque[tuple[int, CaptureRow]]]] = {}
        self._spread: dict[bool, list[tuple[int, CaptureRow]]] = {True: [], False: []}
        self._seen = {True: 0, False: 0}

    def add(self, at: int, outcome: str, replayable: bool, row: Callable[[], CaptureRow]) -> None:
        """`row` is only made when the call is kept. `at` is the number of the call."""
        if outcome:
            found = self._raised.get(outcome)
            if found is None:
                if len(self._raised) >= self.TYPES:
                    return
                found = self._raised[outcome] = ([], deque(maxlen=self.RAISED))
            first, last = found
            if len(first) < self.RAISED:
                first.append((at, row()))
            else:
                last.append((at, row()))
            return
        if len(self._first) < self.FIRST:
            self._first.append((at, row()))
            return
        # A reservoir each for calls that can be replayed and for those that cannot: every call has the same chance.
        self._seen[replayable] += 1
        spread = self._spread[replayable]
        if len(spread) < self.SPREAD:
            spread.append((at, row()))
            return
        if self._random is None:
            # Seeded by the unit: the same trace gives the same rows.
            self._random = random.Random(self._seed)  # noqa: S311  # a choice of examples, not a secret
        slot = self._random.randrange(self._seen[replayable])
        if slot < self.SPREAD:
            spread[slot] = (at, row())

    def rows(self) -> list[CaptureRow]:
        kept: list[tuple[int, CaptureRow]] = []
        for first, last in self._raised.values():
            kept += first
            kept += last
        kept += self._first
        for replayable in (True, False):
            kept += self._spread[replayable][: max(0, MAX_CAPTURES - len(kept))]
        return [row for _, row in sorted(kept, key=lambda entry: entry[0])]


@dataclass(slots=True)
class _FailureState:
    n: int = 0
    last_ns: int = 0
    message: str = ""
    stack: str = ""


class UnitState:
    """All that is being collected about one unit."""

    def __init__(self, key: AnchorKey, unit: UnitLike, scrub: Scrubber) -> None:
        self.key = key
        self.unit = unit
        self.self_ns = 0
        self.samples_total = 0.0
        self.samples_self = 0.0
        self._scrub = scrub
        self._calls = 0
        self._counting: Counting = "exact"
        self._resumes = 0
        self._errors = 0
        self._timed = 0
        self._total_ns = 0
        self._min_ns = -1
        self._max_ns = -1
        self._captured = 0
        self._counted = False
        self._ran = False
        self._durations: dict[int, int] = {}
        self._slots: dict[str, _Slot] = {}
        self._captures: _Captures | None = None
        self._edges: dict[tuple[AnchorKey, int], list[int]] = {}
        self._edge_counting: dict[tuple[AnchorKey, int], Counting] = {}
        self._failures: dict[tuple[str, int, str, bool, str], _FailureState] = {}
        self._tests: dict[str, int] = {}
        self._last_resumed: tuple[Any, ...] = ()

    # -- calls -------------------------------------------------------------------------------------------------

    def add_call(self, call: Call, *, resume: bool, source: str) -> None:
        raised = call.outcome if isinstance(call.outcome, Raised) else None
        outcome = raised.type if raised else ""
        if call.counted:
            self._counted = True
            if resume:
                self._resumes += 1
            else:
                self._calls += 1
            self._errors += raised is not None and outcome not in NO_FAILURES
            self._add_duration(call.duration_ns)
            self.self_ns += max(0, call.self_ns)
            if call.test and not resume:
                self._add_test(call.test, 1)
        result = call.outcome.value if isinstance(call.outcome, Returned) else None
        arguments = call.arguments
        if resume:
            # Each resume shows the same arguments again and "returns" what was yielded: neither is one more value.
            result = None
            shown = tuple(value.text for _, value in arguments)
            if not raised and shown == self._last_resumed:
                return
            self._last_resumed = shown
        if not arguments and result is None and raised is None and call.replay is None:
            return
        if arguments and arguments[0][0].startswith("#"):
            arguments = self._named(arguments)
        clean = [(name[:MAX_NAME], self._scrub.value(name, value)) for name, value in arguments]
        for name, value in clean:
            self._slot(name, value, outcome)
        clean_result = None if result is None else self._scrub.value("", result)
        if clean_result is not None:
            self._slot(RESULT, clean_result, outcome)
        if not any(value.text for _, value in clean) and (clean_result is None or not clean_result.text) and not raised:
            # Types alone are no call to look at.
            return
        self._captured += 1
        if self._captures is None:
            self._captures = _Captures(f"{self.key.path}:{self.key.scope}")
        self._captures.add(
            self._captured,
            outcome,
            call.replay is not None,
            lambda: self._capture(call, clean, clean_result, outcome, raised, source),
        )

    def _named(self, arguments: tuple[tuple[str, Observed], ...]) -> tuple[tuple[str, Observed], ...]:
        """Arguments of formats that know the position alone, "#0", "#1", …, under their parameters' names."""
        names = [parameter.name for parameter in self.unit.parameters if parameter.kind in _POSITIONAL]
        return tuple(
            (names[int(name[1:])] if name[:1] == "#" and int(name[1:]) < len(names) else name, value)
            for name, value in arguments
        )

    def _slot(self, name: str, value: Observed, outcome: str) -> None:
        slot = self._slots.get(name)
        if slot is None:
            if len(self._slots) >= MAX_SLOTS:
                return
            slot = self._slots[name] = _Slot()
        slot.add(value, outcome)

    def _capture(
        self,
        call: Call,
        arguments: list[tuple[str, Observed]],
        result: Observed | None,
        outcome: str,
        raised: Raised | None,
        source: str,
    ) -> CaptureRow:
        caller = call.caller
        detail = {
            "arguments": [[name, value.type, value.text] for name, value in arguments[:MAX_SLOTS]],
            "result": None if result is None else [result.type, result.text],
            "message": self._scrub.text(raised.message, MAX_MESSAGE) if raised else "",
            "line": raised.line if raised else 0,
            "caller": None if caller is None else [caller.path[-500:], caller.name[-200:], caller.line],
            "test": call.test[:500],
        }
        if call.about:
            detail["about"] = [
                [name[:80], self._scrub.text(text, MAX_MESSAGE)] for name, text in call.about[:MAX_SLOTS]
            ]
        return CaptureRow(
            f"{source}{call.id}"[:100],
            call.started_ns,
            call.duration_ns,
            outcome,
            json.dumps(detail, ensure_ascii=False),
            self._scrub.replay(call.replay),
        )

    def _add_duration(self, duration_ns: int, n: int = 1) -> None:
        if duration_ns < 0:
            return
        self._timed += n
        self._total_ns += duration_ns
        slot = bucket(duration_ns)
        self._durations[slot] = self._durations.get(slot, 0) + n
        self._extremes(duration_ns, duration_ns)

    def _extremes(self, low: int, high: int) -> None:
        if low >= 0 and (self._min_ns < 0 or low < self._min_ns):
            self._min_ns = low
        if high > self._max_ns:
            self._max_ns = high

    # -- totals ------------------------------------------------------------------------------------------------

    def add_count(self, count: Count, *, calls_are_resumes: bool) -> None:
        self._counted = True
        self._resumes += count.resumes
        if calls_are_resumes and self.unit.resumes:
            self._resumes += count.calls
        else:
            self._calls += count.calls
        if WORST[count.counting] > WORST[self._counting]:
            self._counting = count.counting
        self._errors += count.errors
        self._total_ns += count.total_ns
        self.self_ns += count.self_ns
        self._timed += sum(n for _, n in count.durations) if count.durations else count.calls if count.total_ns else 0
        for slot, n in count.durations:
            self._durations[slot] = self._durations.get(slot, 0) + n
        self._extremes(count.min_ns, count.max_ns)
        for test, n in count.tests:
            self._add_test(test, n)

    def add_executed(self, test: str) -> None:
        """It ran, in this test where that is known; how often is not."""
        self._ran = True
        if test and (test in self._tests or len(self._tests) < MAX_TESTS):
            self._tests.setdefault(test, 0)

    def _add_test(self, test: str, calls: int) -> None:
        if calls > 0 and test and (test in self._tests or len(self._tests) < MAX_TESTS):
            self._tests[test] = self._tests.get(test, 0) + calls

    def add_edge(self, callee: AnchorKey, site_line: int, calls: int, counting: Counting, total_ns: int) -> None:
        site = site_line - self.unit.first_line if site_line >= self.unit.first_line > 0 else -1
        found = self._edges.get((callee, site))
        if found is None:
            found = self._edges[callee, site] = [0, 0]
            self._edge_counting[callee, site] = counting
        elif WORST[counting] > WORST[self._edge_counting[callee, site]]:
            self._edge_counting[callee, site] = counting
        found[0] += calls
        found[1] += total_ns

    def add_failure(
        self, failure: Failure, line: int, statement: str, message: str, *, origin: bool, stack: str
    ) -> None:
        key = (failure.type[:200], line, statement, origin, failure.test[:500])
        found = self._failures.get(key)
        if found is None:
            if len(self._failures) >= MAX_FAILURES:
                # Places and types stay apart as far as they can; the tests that hit them do not.
                key = (*key[:4], "")
                found = self._failures.get(key)
                if found is None and len(self._failures) >= 2 * MAX_FAILURES:
                    return
            if found is None:
                found = self._failures[key] = _FailureState()
        found.n += failure.count
        if failure.at_ns >= found.last_ns:
            found.last_ns = failure.at_ns
            found.message = message
            found.stack = stack

    # -- rows --------------------------------------------------------------------------------------------------

    def profile(self) -> UnitProfile:
        errors, counting = self._errors, self._counting
        if not self._counted and self._failures:
            errors, counting = sum(found.n for found in self._failures.values()), "at least"
        elif not self._counted and self._ran:
            counting = "at least"
        values: list[ValueRow] = []
        slots: list[SlotRow] = []
        for name, slot in self._slots.items():
            slot_values, slot_ranges = slot.rows(name)
            values += slot_values
            slots += slot_ranges
        return UnitProfile(
            UnitRow(
                calls=self._calls,
                counting=counting,
                resumes=self._resumes,
                errors=errors,
                timed=self._timed,
                total_ns=self._total_ns,
                self_ns=self.self_ns,
                min_ns=self._min_ns,
                max_ns=self._max_ns,
                samples_total=self.samples_total,
                samples_self=self.samples_self,
                captured=self._captured,
            ),
            durations=self._durations,
            values=values,
            slots=slots,
            edges=[
                EdgeRow(callee, site, calls, self._edge_counting[callee, site], total_ns)
                for (callee, site), (calls, total_ns) in self._edges.items()
            ],
            failures=[
                FailureRow(type_name, line, statement, found.message, found.n, found.last_ns, origin, found.stack, test)
                for (type_name, line, statement, origin, test), found in self._failures.items()
            ],
            captures=self._captures.rows() if self._captures else [],
            tests=self._tests,
        )
