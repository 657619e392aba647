"""From the records of a trace to profile rows: joined, counted, summarised and bounded, as they stream by.

What the numbers mean:

- *self* time is the time spent in a unit and in the code outside the workspace that it called: built-in functions,
  the standard library, libraries. A person can change the unit, not the library, and `json.dumps` being slow is a fact
  about who calls it. For samples it is the weight of the stacks whose innermost frame *of the workspace* is the unit's;
  for exact formats it is the unit's own time, plus for every callee outside the workspace its time under this
  caller: all of it when no path from that callee leads back into the workspace, else only its own. Self times
  of all units therefore add up to at most the whole.
- *total* is with everything called. A sample counts a unit once, however often recursion has it on the stack.
- Samples are never added to calls.
- A unit that can resume (generator, coroutine) has *resumes* where the format counts resumes as calls.
- Errors are calls that ended with an exception. StopIteration and its like end a loop, not a program: no failures.
- Where only exceptions are known (tracebacks), errors are those, and counted "at least".
- Lines that ran (coverage) say that a function ran, and in which tests; never how often.

Memory is bounded per unit: see unit_state.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from tracelens_indexer.profiles.rows import AnchorKey, UnitProfile
from tracelens_indexer.profiles.scrubbing import MAX_TEXT, Scrubber
from tracelens_indexer.profiles.unit_state import MAX_MESSAGE, MAX_STACK, NO_FAILURES, UnitState
from tracelens_indexer.source.facts import unit_id
from tracelens_indexer.traces.anchors import Anchors
from tracelens_indexer.traces.join import Joined, Joiner, UnitLike
from tracelens_indexer.traces.records import (
    Call,
    Count,
    EdgeCount,
    Executed,
    Failure,
    FailureFrame,
    Frame,
    Raised,
    Record,
    RunFacts,
    Sample,
    SampleTotal,
    ValueCount,
)
from tracelens_indexer.traces.report import Report


@dataclass(slots=True)
class Aggregated:
    """What a trace adds up to."""

    facts: RunFacts
    profiles: dict[AnchorKey, UnitProfile] = field(default_factory=dict)
    sample_weight: float = 0.0
    sample_unit: str = ""
    records: int = 0
    redacted: int = 0
    """Number of values and messages that were redacted here, beyond what the recorder did."""


def aggregate(
    records: Iterable[Record], joiner: Joiner, anchors: Anchors, facts: RunFacts, report: Report
) -> Aggregated:
    """All rows of one run. `facts` is what is known of the run already; later RunFacts add to it."""
    state = Aggregate(joiner, anchors, facts, report)
    for record in records:
        state.add(record)
    return state.finish()


class Aggregate:
    """The running state of `aggregate`, for callers that have several sources of records."""

    def __init__(self, joiner: Joiner, anchors: Anchors, facts: RunFacts, report: Report) -> None:
        self._joiner = joiner
        self._anchors = anchors
        self._report = report
        self._facts = facts
        self._scrub = Scrubber()
        self._frames: dict[Frame, UnitState | None] = {}
        self._units: dict[AnchorKey, UnitState] = {}
        self._outside = _OutsideTimes()
        self._owners: dict[str, dict[int, Frame]] = {}
        self._weight = 0.0
        self._sample_unit = ""
        self._records = 0
        self.source = ""
        """Put before the ids of calls, which are unique within one file only."""

    def add(self, record: Record) -> None:
        self._records += 1
        match record:
            case Call():
                self._call(record)
            case Count():
                self._count(record)
            case ValueCount():
                unit = self._unit(record.frame)
                if unit is not None:
                    unit.add_values(record)
            case EdgeCount():
                self._edge(record)
            case Sample():
                self._sample(record)
            case SampleTotal():
                self._sample_total(record)
            case Failure():
                self._failure(record)
            case Executed():
                self._executed(record)
            case RunFacts():
                self._facts = merged(self._facts, record)

    def finish(self) -> Aggregated:
        for unit, self_ns in self._outside.attributed():
            unit.self_ns += self_ns
        profiles: dict[AnchorKey, UnitProfile] = {}
        self._frames.clear()
        # Each gives way to its rows: both at once would be twice the memory.
        for key in list(self._units):
            profiles[key] = self._units.pop(key).profile(samples_are_seconds=self._sample_unit == "seconds")
        return Aggregated(
            self._facts,
            profiles,
            self._weight,
            self._sample_unit,
            self._records,
            self._scrub.redacted,
        )

    # -- joining -----------------------------------------------------------------------------------------------

    def _unit(self, frame: Frame) -> UnitState | None:
        try:
            return self._frames[frame]
        except KeyError:
            pass
        found = self._joiner.join(frame)
        state = None
        if isinstance(found, Joined):
            unit = found.unit
            key = AnchorKey(found.path, unit.scope, unit.ordinal, self._anchors.body_hash(found.path, unit))
            state = self._units.get(key)
            if state is None:
                state = self._units[key] = UnitState(key, unit, self._scrub)
        self._frames[frame] = state
        return state

    # -- exact formats -----------------------------------------------------------------------------------------

    def _call(self, call: Call) -> None:
        unit = self._unit(call.frame)
        if unit is None:
            return
        resume = call.resume or (self._facts.calls_are_resumes and unit.unit.resumes)
        unit.add_call(call, resume=resume, source=self.source)
        if call.caller is not None:
            self._called_from(unit, call, call.caller, resume)

    def _called_from(self, unit: UnitState, call: Call, frame: Frame, resume: bool) -> None:
        caller = self._unit(frame)
        if caller is None:
            return
        line = frame.line if frame.line_kind == "executing" else 0
        if call.counted:
            times = 0 if resume else 1
            caller.add_edge(
                unit.key, EdgeCount(frame, call.frame, times, total_ns=max(0, call.duration_ns), site_line=line)
            )
        if line and not resume and call.represents:
            unit.add_site(caller, line, call)

    def _count(self, count: Count) -> None:
        unit = self._unit(count.frame)
        if unit is not None:
            unit.add_count(count, calls_are_resumes=self._facts.calls_are_resumes)

    def _edge(self, edge: EdgeCount) -> None:
        caller, callee = self._unit(edge.caller), self._unit(edge.callee)
        if caller is not None and callee is not None:
            caller.add_edge(callee.key, edge)
        else:
            self._outside.add(edge, caller, callee)

    # -- samples -----------------------------------------------------------------------------------------------

    def _sample(self, sample: Sample) -> None:
        if self._sample_unit and sample.unit != self._sample_unit:
            self._report.skip("sample in another unit")
            return
        self._sample_unit = sample.unit
        self._weight += sample.weight
        seen: set[AnchorKey] = set()
        innermost: UnitState | None = None
        for frame in sample.stack:
            unit = self._unit(frame)
            if unit is not None:
                innermost = unit
                if unit.key not in seen:
                    seen.add(unit.key)
                    unit.samples_total += sample.weight
        if innermost is not None:
            innermost.samples_self += sample.weight

    def _sample_total(self, sample: SampleTotal) -> None:
        if self._sample_unit and sample.unit != self._sample_unit:
            self._report.skip("sample in another unit")
            return
        self._sample_unit = sample.unit
        self._weight += sample.own
        unit = self._unit(sample.frame)
        if unit is not None:
            unit.samples_self += sample.own
            unit.samples_total += sample.total

    # -- coverage ----------------------------------------------------------------------------------------------

    def _executed(self, executed: Executed) -> None:
        owners = self._owners.get(executed.path)
        if owners is None:
            path, units = self._joiner.functions(executed.path)
            owners = self._owners[executed.path] = _owners(executed.path, units) if path else {}
        test = self._joiner.test(executed.test) if executed.test else ""
        for frame in {owners[line] for line in executed.lines if line in owners}:
            unit = self._unit(frame)
            if unit is not None:
                unit.add_executed(test)

    # -- failures ----------------------------------------------------------------------------------------------

    def _failure(self, failure: Failure) -> None:
        if failure.type in NO_FAILURES and self._facts.tool != "traceback":
            return
        units = [self._unit(entry.frame) for entry in failure.stack]
        inner = max((at for at, unit in enumerate(units) if unit is not None), default=-1)
        if inner < 0:
            self._report.skip("exception with no frame in the workspace")
            return
        if failure.test:
            failure = replace(failure, test=self._joiner.test(failure.test))
        message = self._scrub.text(failure.message, MAX_MESSAGE)
        stack = self._stack(failure, units)
        seen: set[tuple[AnchorKey, int]] = set()
        for at in range(inner, -1, -1):
            unit = units[at]
            if unit is None:
                continue
            line, statement = self._place(unit, failure.stack[at])
            # Recursion passes the same place more than once.
            if (unit.key, line) not in seen:
                seen.add((unit.key, line))
                unit.add_failure(failure, line, statement, message, origin=at == inner, stack=stack)
                if failure.stack[at].locals and not failure.call:
                    unit.add_call(_failing_call(failure, failure.stack[at], unit.unit), resume=False, source="")

    def _place(self, unit: UnitState, entry: FailureFrame) -> tuple[int, str]:
        """(line counted from the unit's first, statement hash); -1 and "" where the trace does not say."""
        frame = entry.frame
        if frame.line_kind == "first" or frame.line <= 0:
            return -1, ""
        statement = self._anchors.statement_hash(unit.key.path, frame.line, entry.source)
        if not unit.unit.first_line <= frame.line <= unit.unit.end_line:
            # The file has changed since in a way that is not known: the statement may still be found by its text.
            return -1, statement
        return frame.line - unit.unit.first_line, statement

    def _stack(self, failure: Failure, units: list[UnitState | None]) -> str:
        entries = list(zip(failure.stack, units, strict=True))
        if len(entries) > MAX_STACK:
            entries = entries[: MAX_STACK // 2] + entries[-MAX_STACK // 2 :]
        return json.dumps(
            [
                [
                    unit_id(unit.key.path, unit.key.scope, unit.key.ordinal) if unit else 0,
                    unit.key.path if unit else entry.frame.path[-500:],
                    entry.frame.name[-200:] or (unit.unit.name if unit else ""),
                    entry.frame.line,
                    self._scrub.text(entry.source, MAX_TEXT),
                ]
                for entry, unit in entries
            ],
            ensure_ascii=False,
        )


def _failing_call(failure: Failure, entry: FailureFrame, unit: UnitLike) -> Call:
    """The call that a frame of a traceback was, where the trace shows its locals but holds no call: its parameters as
    they were when it failed."""
    parameters = {parameter.name for parameter in unit.parameters}
    return Call(
        entry.frame,
        started_ns=failure.at_ns,
        duration_ns=-1,
        arguments=tuple((name, value) for name, value in entry.locals if name in parameters),
        outcome=Raised(failure.type, failure.message, entry.frame.line),
        test=failure.test,
        counted=False,
    )


def merged(first: RunFacts, more: RunFacts) -> RunFacts:
    """What two RunFacts of one run say together: the earlier start, the longer duration, all blobs and notes."""
    starts = [facts.started_ns for facts in (first, more) if facts.started_ns > 0]
    return replace(
        first,
        tool=first.tool or more.tool,
        started_ns=min(starts, default=0),
        duration_ns=max(first.duration_ns, more.duration_ns),
        command=first.command or more.command,
        commit=first.commit or more.commit,
        interpreter=first.interpreter or more.interpreter,
        environment=first.environment or more.environment,
        service=first.service or more.service,
        blobs=tuple(dict((*more.blobs, *first.blobs)).items()) if more.blobs else first.blobs,
        sources=tuple(dict((*more.sources, *first.sources)).items()) if more.sources else first.sources,
        texts=tuple(dict((*more.texts, *first.texts)).items()) if more.texts else first.texts,
        calls_are_resumes=first.calls_are_resumes or more.calls_are_resumes,
        redacted=first.redacted + more.redacted,
        notes=tuple(dict.fromkeys((*first.notes, *more.notes))),
    )


def _owners(path: str, units: Iterable[UnitLike]) -> dict[int, Frame]:
    """For each line in the body of a function, that function. The `def` line and the decorators run where it is
    defined, so they say nothing of it; a body on the `def` line cannot be told apart."""
    owners: dict[int, Frame] = {}
    for unit in units:
        if unit.kind in ("function", "method"):
            frame = Frame(path, unit.scope, unit.def_line, "def")
            outer = owners.get(unit.def_line)
            for line in range(unit.first_line, unit.end_line + 1):
                if line > unit.def_line:
                    owners[line] = frame
                elif outer is not None:
                    owners[line] = outer
        elif unit.kind == "class":
            # Its own statements run where it is defined.
            for line in range(unit.def_line + 1, unit.end_line + 1):
                owners.pop(line, None)
    return owners


class _OutsideTimes:
    """Edges that leave the workspace, or stay outside, until it is known which of them lead back."""

    MAX_EDGES = 1_000_000

    def __init__(self) -> None:
        self._called: dict[tuple[UnitState, Frame], tuple[int, int]] = {}
        self._callers: dict[Frame, list[Frame]] = {}
        self._leads_back: set[Frame] = set()
        self._edges = 0

    def add(self, edge: EdgeCount, caller: UnitState | None, callee: UnitState | None) -> None:
        self._edges += 1
        if self._edges > self.MAX_EDGES:
            return
        if caller is not None:
            total, own = self._called.get((caller, edge.callee), (0, 0))
            self._called[caller, edge.callee] = (total + edge.total_ns, own + edge.self_ns)
        elif callee is not None:
            self._leads_back.add(edge.caller)
        else:
            self._callers.setdefault(edge.callee, []).append(edge.caller)

    def attributed(self) -> Iterator[tuple[UnitState, int]]:
        """(unit, nanoseconds outside the workspace that are its own)."""
        pending = list(self._leads_back)
        while pending:
            for caller in self._callers.get(pending.pop(), ()):
                if caller not in self._leads_back:
                    self._leads_back.add(caller)
                    pending.append(caller)
        for (unit, callee), (total, own) in self._called.items():
            yield unit, own if callee in self._leads_back else max(total, own)
