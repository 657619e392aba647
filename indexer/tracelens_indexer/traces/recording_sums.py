"""What the first pass over a TraceLens recording gathers: tables and sums, and with them the records of the second."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final, TypeVar

import msgspec

from tracelens_indexer.traces.recording_shapes import (
    Capture,
    Codes,
    Contexts,
    Counts,
    Edges,
    End,
    NamedValue,
    Repeated,
    Run,
    Said,
    Samples,
    Seen,
    Span,
    TestCounts,
    Tests,
    ValueCounts,
    Values,
)
from tracelens_indexer.traces.records import (
    Call,
    Count,
    Counting,
    EdgeCount,
    Failure,
    FailureFrame,
    Frame,
    Observed,
    RunFacts,
    Sample,
    ValueCount,
)
from tracelens_indexer.traces.report import Report
from tracelens_recorder import payloads

_MAX_CODES: Final = 1_000_000
_MOST: Final = 1e15
_LOWEST: Final = -math.inf
_HIGHEST: Final = math.inf
_MAX_CONTEXTS: Final = 1_000_000
_MAX_SPANS: Final = 20
"""Of one call."""
_MAX_CALLS_WITH_SPANS: Final = 200_000
_MAX_VALUES: Final = 1_000_000

T = TypeVar("T")


class Sums:
    """What the first pass gathers: tables, and the numbers summed up."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.run: Run | None = None
        self.end: End | None = None
        self.notes: list[str] = []
        self.codes: dict[int, Frame] = {}
        self.kinds: dict[int, int] = {}
        self.blobs: dict[str, str] = {}
        self.tests: dict[int, str] = {0: ""}
        self._places: dict[tuple[int, int], Frame] = {}
        self.parked: set[int] = set()
        self.environment: dict[str, str] = {}
        self.contexts: dict[int, tuple[tuple[str, str], ...]] = {}
        self.spans: dict[str, list[tuple[str, str]]] = {}
        """What is told of the spans in a call, by its id."""
        self.rows: dict[int, list[int]] = {}
        self.durations: dict[int, dict[int, int]] = {}
        self.edges: dict[tuple[int, int, int], list[int]] = {}
        self.test_calls: dict[int, dict[str, int]] = {}
        self.samples: dict[tuple[tuple[int, int], ...], int] = {}
        self.repeated: dict[int, int] = {}
        self.places: dict[int, tuple[str, int, int]] = {}
        """Of the groups of repeated failures: type, code and line."""
        self.values: dict[int, tuple[int, str, Observed]] = {}
        """By their number: code, slot and value."""
        self.value_calls: dict[tuple[int, str], list[Any]] = {}
        """(value, outcome) to [calls, low, high]."""
        self.valued: set[int] = set()
        """Code whose values were counted in every call."""

    def decoded(self, payload: bytes, shape: type[T]) -> T | None:
        try:
            return msgspec.json.decode(payload, type=shape)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.report.skip("damaged record")
            return None

    def decoded_each(self, payload: bytes, shape: type[T]) -> list[T]:
        """The records of a frame; one that does not fit is skipped, the others are kept."""
        try:
            return msgspec.json.decode(payload, type=list[shape])  # type: ignore[valid-type]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return list(self._undamaged(payload, shape))

    def _undamaged(self, payload: bytes, shape: type[T]) -> Iterator[T]:
        for raw in self.decoded(payload, list[msgspec.Raw]) or ():
            one = self.decoded(bytes(raw), shape)
            if one is not None:
                yield one

    def take(self, kind: int, payload: bytes) -> None:
        if kind == payloads.RUN:
            self.run = self.run or self.decoded(payload, Run)
        elif kind == payloads.END:
            self.end = self.decoded(payload, End)
        elif kind == payloads.CODES:
            for index, path, name, line, code_kind, blob in self.decoded(payload, Codes) or ():
                if len(self.codes) < _MAX_CODES:
                    self.codes[index] = Frame(path, name, line, "first")
                    self.kinds[index] = code_kind
                    if blob:
                        self.blobs[path] = blob
        elif kind == payloads.TESTS:
            self.tests.update(dict(self.decoded(payload, Tests) or ()))
        elif kind == payloads.NOTES:
            self.notes += self.decoded(payload, list[str]) or ()
        elif kind == payloads.CONTEXTS:
            for number, said in self.decoded(payload, Contexts) or ():
                if len(self.contexts) < _MAX_CONTEXTS:
                    self.contexts[number] = _pairs(said)
        elif kind == payloads.SPANS:
            for span in self.decoded_each(payload, Span):
                if span.call and (span.call in self.spans or len(self.spans) < _MAX_CALLS_WITH_SPANS):
                    of_call = self.spans.setdefault(span.call, [])
                    if len(of_call) < _MAX_SPANS:
                        of_call.append(("span", _span_text(span)))
        elif kind == payloads.ENVIRONMENT:
            self.environment.update(dict(self.decoded(payload, list[tuple[str, str]]) or ()))
        elif kind == payloads.PARKED:
            self.parked.update(self.decoded(payload, list[int]) or ())
        elif kind == payloads.COUNTS:
            self._add_counts(self.decoded(payload, Counts) or [])
        elif kind == payloads.EDGES:
            for caller, line, callee, calls, total in self.decoded(payload, Edges) or ():
                edge = self.edges.setdefault((caller, line, callee), [0, 0])
                edge[0] += calls
                edge[1] += total
        elif kind == payloads.TEST_COUNTS:
            for index, test, calls in self.decoded(payload, TestCounts) or ():
                by_test = self.test_calls.setdefault(index, {})
                name = self.tests.get(test, "")
                by_test[name] = by_test.get(name, 0) + calls
        elif kind == payloads.SAMPLES:
            for stack, _, weight in self.decoded(payload, Samples) or ():
                key = tuple(stack)
                self.samples[key] = self.samples.get(key, 0) + weight
        elif kind == payloads.REPEATED:
            for group, n, name, index, line in self.decoded(payload, Repeated) or ():
                self.repeated[group] = self.repeated.get(group, 0) + n
                self.places[group] = (name, index, line)
        elif kind == payloads.VALUES:
            for number, code, slot, name, text, shown, size in self.decoded(payload, Values) or ():
                if len(self.values) < _MAX_VALUES:
                    self.values[number] = (code, slot, _observed(name, text or "", shown, size))
                    self.valued.add(code)
        elif kind == payloads.VALUE_COUNTS:
            for number, outcome, n, low, high in self.decoded(payload, ValueCounts) or ():
                row = self.value_calls.setdefault((number, outcome), [0, None, None])
                row[0] += n
                row[1:] = low, high
        elif kind not in (payloads.CAPTURES, payloads.FAILURES):
            self.report.skip("record of an unknown kind")

    def _add_counts(self, rows: Counts) -> None:
        for index, calls, resumes, errors, ended, total, own, low, high, durations in rows:
            row = self.rows.setdefault(index, [0, 0, 0, 0, 0, 0, -1, -1])
            for place, n in enumerate((calls, resumes, errors, ended, total, own)):
                row[place] += n
            if low >= 0:
                row[6] = low if row[6] < 0 else min(row[6], low)
            row[7] = max(row[7], high)
            histogram = self.durations.setdefault(index, {})
            for bucket, n in durations:
                histogram[bucket] = histogram.get(bucket, 0) + n

    def facts(self) -> RunFacts:
        run = self.run
        assert run is not None
        end = self.end
        notes = list(dict.fromkeys(self.notes))
        if end is None:
            notes.append("the recording has no end (the process was killed, or runs still): counts are at least")
        elif end.faults:
            notes.append(
                f"the recorder failed {end.faults} times ({end.first_fault}): counts are at least. Please report this"
            )
        if self.parked:
            notes.append(
                f"{len(self.parked)} functions were called so often that counting stopped: their numbers are at least, "
                "and their time is in their callers' own (--exact counts all)"
            )
        if run.mode == "profiling":
            notes.append("recorded on Python below 3.12, where recording slows calls several-fold: times are too long")
        return RunFacts(
            tool="tracelens",
            started_ns=run.started_ns,
            duration_ns=end.duration_ns if end else 0,
            command=run.command,
            commit=run.commit,
            interpreter=run.interpreter,
            environment=run.environment,
            service=run.service,
            blobs=tuple(self.blobs.items()),
            redacted=end.redacted if end else 0,
            notes=tuple(notes),
        )

    def _counting(self, index: int) -> Counting:
        whole = self.end is not None and not self.end.faults and index not in self.end.missed
        return "exact" if whole and index not in self.parked else "at least"

    def counts(self) -> Iterator[Count]:
        for index, row in self.rows.items():
            frame = self.codes.get(index)
            if frame is None:
                self.report.skip("numbers of code that is not described")
                continue
            calls, resumes, errors, _, total, own, low, high = row
            yield Count(
                frame=frame,
                calls=calls,
                counting=self._counting(index),
                resumes=resumes,
                errors=errors,
                total_ns=total,
                self_ns=own,
                min_ns=low,
                max_ns=high,
                durations=tuple(sorted(self.durations[index].items())),
                tests=tuple(self.test_calls.get(index, {}).items()),
            )

    def value_counts(self) -> Iterator[ValueCount]:
        for (number, outcome), (calls, low, high) in self.value_calls.items():
            code, slot, value = self.values.get(number, (-1, "", None))
            frame = self.codes.get(code)
            if frame is None or value is None:
                self.report.skip("numbers of a value that is not described")
                continue
            yield ValueCount(frame, slot, value, outcome, calls, low, high)

    def edge_counts(self) -> Iterator[EdgeCount]:
        for (caller, line, callee), (calls, total) in self.edges.items():
            if caller in self.codes and callee in self.codes:
                yield EdgeCount(
                    caller=self.codes[caller],
                    callee=self.codes[callee],
                    calls=calls,
                    counting=self._counting(callee),
                    total_ns=total,
                    site_line=line,
                )
            else:
                self.report.skip("numbers of code that is not described")

    def stacks(self) -> Iterator[Sample]:
        for stack, weight in self.samples.items():
            frames = tuple(self._executing(index, line) for index, line in stack if index in self.codes)
            if frames and weight > 0:
                yield Sample(frames, weight / 1e9, "seconds")

    def _executing(self, index: int, line: int) -> Frame:
        found = self._places.get((index, line))
        if found is None:
            frame = self.codes[index]
            found = Frame(frame.path, frame.name, line, "executing")
            if len(self._places) < _MAX_CODES:
                self._places[index, line] = found
        return found

    def call(self, capture: Capture) -> Call | None:
        frame = self.codes.get(capture.code)
        if frame is None:
            self.report.skip("damaged record")
            return None
        caller = capture.caller
        # By position: by name takes twice as long, and there is one of these for each call.
        return Call(
            frame,
            capture.started_ns,
            capture.duration_ns,
            capture.self_ns,
            _named(capture.arguments),
            capture.outcome,
            capture.id,
            capture.parent,
            self._executing(*caller) if caller is not None and caller[0] in self.codes else None,
            capture.thread,
            self.tests.get(capture.test, "") if capture.test else "",
            False,
            False,
            capture.chosen,
            capture.represents if 0.0 <= capture.represents < _MOST else 1.0,
            None if capture.replay is None else self._replay(capture.replay),
            self._about(capture) if capture.context or capture.kind or capture.iteration or self.spans else (),
            capture.code not in self.valued,
        )

    def _replay(self, encoded: dict[str, Any]) -> dict[str, Any]:
        """With the variables of the environment that the program may read."""
        if not self.environment or not isinstance(encoded.get("world"), dict):
            return encoded
        return {**encoded, "world": {**encoded["world"], "environment": self.environment}}

    def _about(self, capture: Capture) -> tuple[tuple[str, str], ...]:
        own = [("kind", capture.kind)] if capture.kind else []
        if capture.iteration:
            own.append(("iteration", str(capture.iteration)))
        return (*self.contexts.get(capture.context, ()), *own, *self.spans.get(capture.id, ()))

    def failure(self, seen: Seen) -> Failure | None:
        stack = []
        for index, path, name, line, source, values in seen.stack:
            frame = Frame(path, name, line, "executing")
            if index >= 0:
                if index not in self.codes:
                    self.report.skip("damaged record")
                    return None
                frame = self._executing(index, line)
            stack.append(FailureFrame(frame, _named(values), source))
        return Failure(
            type=seen.type,
            message=seen.message,
            stack=tuple(stack),
            at_ns=seen.at_ns,
            test=self.tests.get(seen.test, ""),
            call=seen.call,
        )

    def bare_failure(self, group: int) -> Failure | None:
        """Of a group of which none was kept: no more than its type and place is known."""
        kind, index, line = self.places[group]
        if index not in self.codes:
            self.report.skip("damaged record")
            return None
        return Failure(kind, "", (FailureFrame(self._executing(index, line)),))


def _pairs(said: Said) -> tuple[tuple[str, str], ...]:
    pairs = [("request", said.request), ("route", said.route), ("task", said.task), ("user", said.user)]
    pairs += [("tags", ", ".join(said.tags)), *said.metadata]
    return tuple((name, text) for name, text in pairs if text)


def _span_text(span: Span) -> str:
    """ "chat gpt-4o-mini (12 tokens in, 7 out) 0.3 s": the name, what of its attributes matters most, how long."""
    said = dict(span.attributes)
    used = [
        f"{said[name]} {words}"
        for name, words in (("gen_ai.usage.input_tokens", "tokens in"), ("gen_ai.usage.output_tokens", "out"))
        if name in said
    ]
    given = [f"{name[9:]}={value}" for name, value in said.items() if name.startswith("argument.")]
    text = (
        span.name
        + (f"({', '.join(given)})" if given else "")
        + (f" ({', '.join(used)})" if used else "")
        + f" {span.duration_ns / 1e9:.3g} s"
    )
    return text + (f", raised {span.error}" if span.error else "")


def _named(values: list[NamedValue]) -> tuple[tuple[str, Observed], ...]:
    return tuple(
        [
            (name, Observed(kind, text, number if number is None or _LOWEST < number < _HIGHEST else None, size))
            for name, kind, text, number, size in values
        ]
    )


def _observed(kind: str, text: str, number: float | None, size: int | None) -> Observed:
    if number is not None and not _LOWEST < number < _HIGHEST:
        number = None
    return Observed(kind, text, number, size)
