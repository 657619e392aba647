"""What one run says about one unit, while it is being collected: values, calls kept in full, durations, edges,
failures.

Everything is redacted before it is a row, and bounded per unit: 64 distinct values of a slot, the rest being one honest
"others" row per type and outcome (slots.py); 24 calls kept in full (keeping.py); 100 places of failure. What the
records of a trace mean for a unit is decided in aggregate.py.

Values are weighted with the number of calls that the recorded one stands for: a recorder that keeps the first calls and
then one in a thousand would else make the first ones look usual.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tracelens_indexer.profiles.bounds import bounded
from tracelens_indexer.profiles.histogram import bucket
from tracelens_indexer.profiles.keeping import Keeping
from tracelens_indexer.profiles.rows import (
    RESULT,
    AnchorKey,
    CaptureRow,
    EdgeRow,
    FailureRow,
    SiteRow,
    UnitProfile,
    UnitRow,
)
from tracelens_indexer.profiles.scrubbing import MAX_TEXT, Scrubber
from tracelens_indexer.profiles.slots import MAX_NAME, MAX_SLOTS, Slots
from tracelens_indexer.traces.join import UnitLike
from tracelens_indexer.traces.records import (
    Call,
    Count,
    Counting,
    EdgeCount,
    Failure,
    Observed,
    Raised,
    Returned,
    ValueCount,
)
from tracelens_recorder.redact import REDACTED, is_secret_name

MAX_FAILURES: Final = 100
MAX_MESSAGE: Final = 500
MAX_STACK: Final = 60
MAX_TESTS: Final = 500
MAX_SITES: Final = 12
"""Call sites of a unit whose values are told apart."""
SITE_CALLS: Final = 64
SITE_STRIDE: Final = 16
"""Of each site the first calls are looked at, and then one of so many: what differs between sites shows in these."""
_SITE_VALUES: Final = 12

NO_FAILURES: Final = frozenset(
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
_NOTHING: Final = Returned(None)
_POSITIONAL: Final = ("positional only", "positional")
WORST: Final[dict[Counting, int]] = {"exact": 0, "at least": 1, "estimated": 2}


@dataclass(slots=True)
class _FailureState:
    n: int = 0
    last_ns: int = 0
    message: str = ""
    stack: str = ""


class _Site:
    """Calls from one place, and of their arguments how often each text."""

    __slots__ = ("calls", "values")

    def __init__(self) -> None:
        self.calls = 0
        self.values: dict[str, dict[str | None, float]] = {}


class UnitState:
    """All that is being collected about one unit."""

    __slots__ = (
        "_calls",
        "_captured",
        "_counted",
        "_counting",
        "_durations",
        "_edge_counting",
        "_edges",
        "_errors",
        "_failures",
        "_keeping",
        "_last_resumed",
        "_max_ns",
        "_min_ns",
        "_ran",
        "_resumes",
        "_scrub",
        "_sites",
        "_slots",
        "_tests",
        "_timed",
        "_total_ns",
        "_valued",
        "key",
        "samples_self",
        "samples_total",
        "self_ns",
        "unit",
    )

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
        self._valued = False
        self._counted = False
        self._ran = False
        self._durations: dict[int, int] = {}
        self._slots = Slots(scrub)
        self._sites: dict[tuple[UnitState, int], _Site] = {}
        self._keeping: Keeping | None = None
        self._edges: dict[tuple[AnchorKey, int], list[int]] = {}
        self._edge_counting: dict[tuple[AnchorKey, int], Counting] = {}
        self._failures: dict[tuple[str, int, str, bool, str], _FailureState] = {}
        self._tests: dict[str, int] = {}
        self._last_resumed: tuple[Any, ...] = ()

    # -- calls -------------------------------------------------------------------------------------------------

    def add_call(self, call: Call, *, resume: bool, source: str) -> None:
        outcome = call.outcome
        raised = type(outcome) is Raised
        ended = outcome.type if type(outcome) is Raised else ""
        if call.counted:
            self._counted = True
            if resume:
                self._resumes += 1
            else:
                self._calls += 1
            self._errors += raised and ended not in NO_FAILURES
            self._add_duration(call.duration_ns)
            self.self_ns += max(0, call.self_ns)
            if call.test and not resume:
                self._add_test(call.test, 1)
        if resume:
            # Each resume shows the same arguments again and "returns" what was yielded: neither is one more value.
            shown = tuple(value.text for _, value in call.arguments)
            if not raised and shown == self._last_resumed:
                return
            self._last_resumed = shown
            if not raised:
                call = msgspec.structs.replace(call, outcome=_NOTHING)
        arguments = call.arguments
        if arguments and arguments[0][0][:1] == "#":
            arguments = self._named(arguments)
            call = msgspec.structs.replace(call, arguments=arguments)
        told = raised
        weight = call.represents or float(raised)
        if not call.valued:
            # Its values are counted already, with those of all calls: it is an example of them.
            told = raised or any(value.text for _, value in arguments)
            if type(outcome) is Returned and outcome.value is not None and not resume:
                told = told or bool(outcome.value.text)
        else:
            if type(outcome) is Returned and not resume:
                if outcome.value is not None:
                    arguments = (*arguments, (RESULT, outcome.value))
            elif not raised and call.replay is None and not arguments:
                return
            told = self._slots.add(arguments, ended, weight, bounded(call.duration_ns)) or raised
        if not told:
            # Types alone are no call to look at.
            return
        self._captured += 1
        if self._keeping is None:
            self._keeping = Keeping(f"{self.key.path}:{self.key.scope}")
        self._keeping.add(self._captured, call, ended, source)

    def add_site(self, caller: UnitState, line: int, call: Call) -> None:
        """The values of a call that was made at this line of `caller`'s file."""
        site = self._sites.get((caller, line))
        if site is None:
            if len(self._sites) >= MAX_SITES:
                return
            site = self._sites[caller, line] = _Site()
        site.calls += 1
        weight = call.represents
        if site.calls > SITE_CALLS:
            if site.calls % SITE_STRIDE:
                return
            weight *= SITE_STRIDE
        for name, value in call.arguments:
            counts = site.values.get(name)
            if counts is None:
                if len(site.values) >= MAX_SLOTS:
                    continue
                counts = site.values[name] = {}
            text: str | None = value.text
            if text in counts:
                counts[text] += weight
            elif len(counts) < _SITE_VALUES:
                counts[text] = weight
            else:
                counts[None] = counts.get(None, 0.0) + weight

    def _named(self, arguments: tuple[tuple[str, Observed], ...]) -> tuple[tuple[str, Observed], ...]:
        """Arguments of formats that know the position alone, "#0", "#1", …, under their parameters' names."""
        names = [parameter.name for parameter in self.unit.parameters if parameter.kind in _POSITIONAL]
        return tuple(
            (names[int(name[1:])] if name[:1] == "#" and int(name[1:]) < len(names) else name, value)
            for name, value in arguments
        )

    def add_values(self, counted: ValueCount) -> None:
        """Values that the format has counted in every call."""
        self._valued = True
        self._slots.add_counted(counted)

    def _capture(self, call: Call, source: str) -> CaptureRow:
        raised = call.outcome if isinstance(call.outcome, Raised) else None
        result = call.outcome.value if isinstance(call.outcome, Returned) else None
        caller = call.caller
        detail = {
            "arguments": [
                [name[:MAX_NAME], value.type[:MAX_TEXT], self._text(name, value)]
                for name, value in call.arguments[:MAX_SLOTS]
            ],
            "result": None if result is None else [result.type[:MAX_TEXT], self._scrub.text(result.text)],
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
            bounded(call.duration_ns),
            raised.type if raised else "",
            _json(detail),
            self._scrub.replay(call.replay),
        )

    def _text(self, slot: str, value: Observed) -> str:
        if is_secret_name(slot) and value.text not in ("None", "", "''", REDACTED):
            self._scrub.redacted += 1
            return REDACTED
        return self._scrub.text(value.text)

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

    def site(self, line: int) -> int:
        """A line of the unit's file as it was recorded, counted from the unit's first; -1 when it is not in it."""
        return line - self.unit.first_line if line >= self.unit.first_line > 0 else -1

    def add_edge(self, callee: AnchorKey, edge: EdgeCount) -> None:
        key = callee, self.site(edge.site_line)
        found = self._edges.get(key)
        if found is None:
            found = self._edges[key] = [0, 0, 0, 0]
            self._edge_counting[key] = edge.counting
        elif WORST[edge.counting] > WORST[self._edge_counting[key]]:
            self._edge_counting[key] = edge.counting
        found[0] += edge.calls
        found[1] += edge.total_ns
        found[2] = max(found[2], edge.most)
        found[3] += edge.repeats

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

    def profile(self, *, samples_are_seconds: bool) -> UnitProfile:
        errors, counting, calls = self._errors, self._counting, self._calls
        if not self._counted and self._failures:
            errors, counting = sum(found.n for found in self._failures.values()), "at least"
        elif not self._counted and self._ran:
            counting = "at least"
        if calls and counting == "at least":
            calls = max(calls, errors)  # exceptions are counted on where calls are not any more
        samples_total, samples_self = self.samples_total, self.samples_self
        if samples_are_seconds and counting == "exact" and calls and self._timed == calls and not self._resumes:
            # Of few samples one more or less is much; no function took longer than its calls.
            samples_total = min(samples_total, self._total_ns / 1e9)
            samples_self = min(samples_self, self.self_ns / 1e9)
        values, slots = self._slots.rows()
        return UnitProfile(
            UnitRow(
                calls=bounded(calls),
                counting=counting,
                resumes=bounded(self._resumes),
                errors=bounded(errors),
                timed=bounded(self._timed),
                total_ns=bounded(self._total_ns),
                self_ns=bounded(self.self_ns),
                min_ns=bounded(self._min_ns),
                max_ns=bounded(self._max_ns),
                samples_total=samples_total,
                samples_self=samples_self,
                captured=bounded(max(self._captured, self._calls) if self._valued else self._captured),
            ),
            durations=self._durations,
            values=values,
            slots=slots,
            sites=self._site_rows(),
            edges=[
                EdgeRow(callee, site, bounded(n), self._edge_counting[callee, site], bounded(total_ns), most, repeats)
                for (callee, site), (n, total_ns, most, repeats) in self._edges.items()
            ],
            failures=[
                FailureRow(type_name, line, statement, found.message, found.n, found.last_ns, origin, found.stack, test)
                for (type_name, line, statement, origin, test), found in self._failures.items()
            ],
            captures=[self._capture(call, source) for _, call, source in self._keeping.kept()] if self._keeping else [],
            tests=self._tests,
        )

    def _site_rows(self) -> list[SiteRow]:
        """Where there is one call site alone, its values are those of the slots."""
        if len(self._sites) < 2:
            return []
        rows: list[SiteRow] = []
        for (caller, line), site in self._sites.items():
            for name, counts in site.values.items():
                clean: Counter[str | None] = Counter()
                secret = is_secret_name(name)
                for text, n in counts.items():
                    if text:
                        text = REDACTED if secret else self._scrub.text(text)
                    clean[text or None] += round(n)
                rows += [
                    SiteRow(caller.key, caller.site(line), name[:MAX_NAME], text, n)
                    for text, n in clean.most_common()
                    if n > 0
                ]
        return rows


def _json(detail: dict[str, Any]) -> str:
    try:
        return msgspec.json.encode(detail).decode()
    except (ValueError, msgspec.MsgspecError):
        # Text of a trace may hold halves of surrogate pairs, which are no characters.
        return json.dumps(detail)
