"""Recorded calls of one unit made again with the code as it is now, each beside what was recorded.

Reads the index and runs in the sandbox; decides nothing about right and wrong. The unit's body is called as it was
recorded: inside its decorators, unless it is hidden behind one.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from tracelens.replay import sandbox
from tracelens.replay.rerun import Outcome, Place, RecordedCall, Replayed, replay
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.replay.verdict import differs
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.answers import CaptureRecord, UnitRecord
from tracelens_recorder.replayable import VERSION, encode_arguments

MOST = 200
"""Calls of one unit that are made again at once."""

State = Literal["same", "other", "undetermined"]


class Captures(Protocol):
    """What is asked of the index."""

    def captures(
        self, unit_id: int, runs: Sequence[int] | None = None, outcome: str | None = None, limit: int = 20
    ) -> list[CaptureRecord]: ...


@dataclass(frozen=True, slots=True)
class AgainCall:
    """One recorded call, and what it does now."""

    capture: CaptureRecord
    state: State
    difference: str
    """How it went otherwise, or why that cannot be told; "" when it is the same."""
    outcome: Outcome | None
    """None when it was not made."""
    note: str = ""
    """What limits "same": the result is known by its beginning alone."""


@dataclass(frozen=True, slots=True)
class Again:
    """What the recorded calls of a unit do now."""

    unit: UnitRecord
    calls: tuple[AgainCall, ...]
    problem: str
    """Why no call was made, as the end of a sentence; "" when they were."""
    sandbox: str
    changed: int
    """Calls that were recorded before the unit's body became what it is now."""
    instead: tuple[tuple[str, str], ...] = ()
    """Arguments that took the place of recorded ones: (name, as it was written)."""

    def count(self, state: State) -> int:
        return sum(call.state == state for call in self.calls)


def make_again(
    index: Captures,
    unit: UnitRecord,
    root: Path,
    python: str,
    *,
    only: Sequence[str] = (),
    runs: Sequence[int] | None = None,
    instead: Mapping[str, str] | None = None,
    patch: Mapping[str, bytes] | None = None,
    limit: int = 50,
    seconds: float = 5.0,
    rung: Rung | NoSandbox | None = None,
) -> Again:
    """Make the recorded calls of a unit again with what is in the workspace now, or with `patch` (content by path).

    only: ids of calls ("c:1f"). instead: arguments as Python literals, by name. seconds: for each call. Raises
    TraceLensError for an id or a name that is not there and for a value that is no literal.
    """
    captures = index.captures(unit.id, runs, None, MOST)
    if only:
        wanted = {name if name.startswith("c:") else f"c:{name}" for name in only}
        unknown = sorted(wanted - {one.id for one in captures})
        if unknown:
            raise TraceLensError(
                f"{unknown[0]}: no kept call of {unit.qualname} has this id; `tracelens calls {unit.name}` lists them"
            )
        captures = [one for one in captures if one.id in wanted]
    captures = captures[: min(limit, MOST)]
    given = _encoded(unit, captures, instead or {})
    written = tuple((instead or {}).items())
    now = body_hash_now(root, unit, patch)
    changed = sum(bool(one.body_hash and now and one.body_hash != now) for one in captures)
    if not captures:
        return Again(unit, (), "no call of it was kept with its values", "", 0, written)
    calls = {
        one.id: recorded if given is None else replace(recorded, instead=given)
        for one in captures
        if (recorded := recorded_call(one)) is not None
    }
    if not calls:
        undone = tuple(AgainCall(one, "undetermined", _NOT_REPLAYABLE, None) for one in captures)
        return Again(unit, undone, "none of its calls was recorded so that it can be made again", "", changed, written)
    python = sandbox.real_interpreter(python, root)
    place = Place(unit.module, unit.path, unit.scope)
    made = as_recorded(root, python, place, list(calls.values()), patch, seconds=seconds, rung=rung)
    outcomes = made.by_id()
    told = []
    for one in captures:
        call = calls.get(one.id)
        outcome = outcomes.get(one.id)
        if call is None:
            told.append(AgainCall(one, "undetermined", _NOT_REPLAYABLE, None))
        elif outcome is None:
            told.append(AgainCall(one, "undetermined", made.problem or "it was not made", None))
        else:
            state, difference = compared(call, outcome)
            told.append(AgainCall(one, state, difference, outcome, _note(call, outcome) if state == "same" else ""))
    return Again(unit, tuple(told), made.problem, made.sandbox, changed, written)


def as_recorded(
    root: Path,
    python: str,
    place: Place,
    calls: Sequence[RecordedCall],
    patch: Mapping[str, bytes] | None = None,
    *,
    seconds: float = 5.0,
    rung: Rung | NoSandbox | None = None,
) -> Replayed:
    """Calls of a unit's body, inside its decorators, as it was recorded; through them where they hide it."""
    made = replay(root, python, place, calls, patch, seconds=seconds, unwrap=True, watch=True, rung=rung)
    if "behind its decorator" in made.problem:
        made = replay(root, python, place, calls, patch, seconds=seconds, watch=True, rung=rung)
    return made


_NOT_REPLAYABLE = "its arguments were not recorded, or hold what cannot be rebuilt"


def recorded_call(capture: CaptureRecord) -> RecordedCall | None:
    """A kept call as it can be made again, or None. Without parameters there is nothing to record for it."""
    arguments = capture.replay
    if arguments is None and not capture.unit.parameters and not capture.arguments:
        arguments = {"version": VERSION, "arguments": [], "classes": [], "redacted": 0}
    if arguments is None:
        return None
    return RecordedCall(capture.id, arguments, capture.outcome, capture.message, capture.line, capture.result)


def compared(call: RecordedCall, outcome: Outcome) -> tuple[State, str]:
    """How a call went now beside how it was recorded. Lines are not compared: the source may have moved."""
    state, difference = _compared(call, outcome)
    if state == "other" and outcome.ambient:
        read = ", ".join(outcome.ambient[:3])
        return "undetermined", f"it reads {read}, which the program changes and no recording holds; it {difference}"
    return state, difference


def _compared(call: RecordedCall, outcome: Outcome) -> tuple[State, str]:
    if outcome.kind == "not called":
        return "undetermined", outcome.why
    if outcome.kind in ("timed out", "died"):
        return "other", outcome.why or outcome.kind
    was = f"raised {call.outcome}" if call.outcome else "returned"
    if outcome.kind == "raised":
        if outcome.type == call.outcome and (outcome.message == call.message or not call.message):
            return "same", ""
        if outcome.type == call.outcome:
            return _other(call, f"raises {outcome.type}: {outcome.message}; the message was {call.message}")
        return _other(call, f"raises {outcome.type}: {outcome.message}; it {was}")
    if call.outcome:
        return _other(call, f"returns {outcome.text}; it {was}")
    other = differs(call, outcome)
    if other and call.result is not None:
        if call.result[1] == outcome.text:
            return _other(call, f"returns {outcome.text} of type {outcome.type}; it was {call.result[0]}")
        return _other(call, f"returns {outcome.text}; it was {call.result[1]}")
    if other is None:
        return "undetermined", "too little of its result was recorded to compare"
    if outcome.unused:
        return _other(call, f"calls {outcome.unused[0]} less often than it did")
    return "same", ""


def _other(call: RecordedCall, difference: str) -> tuple[State, str]:
    if call.redacted:
        return "undetermined", f"made with redacted values, it {difference}"
    return "other", difference


def _note(call: RecordedCall, outcome: Outcome) -> str:
    if call.outcome:
        return ""
    if outcome.items:
        return "what it yields was not recorded"
    if call.result is None:
        return "its result was not recorded"
    return "compared by the beginning of its result" if "…" in call.result[1] else ""


def _encoded(
    unit: UnitRecord, captures: Sequence[CaptureRecord], instead: Mapping[str, str]
) -> Mapping[str, Any] | None:
    if not instead:
        return None
    names = {one.name for one in unit.parameters} | {name for one in captures for name, _, _ in one.arguments}
    values = {}
    for name, text in instead.items():
        if name not in names:
            there = ", ".join(sorted(names)) or "none"
            raise TraceLensError(f"{name}: {unit.qualname} has no such parameter; it has: {there}")
        try:
            values[name] = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise TraceLensError(
                f"{name}={text[:80]}: not a Python literal; write 3, 2.5, 'text', None, [1, 2] or {{'a': 1}}"
            ) from None
    encoded = encode_arguments(values, ())
    if encoded is None:
        raise TraceLensError("the values given are too large to be passed on")
    return encoded


def body_hash_now(root: Path, unit: UnitRecord, patch: Mapping[str, bytes] | None = None) -> str:
    """The hash of the unit's body in the workspace as it is, or in `patch`; "" when it is not there."""
    from tracelens_indexer.source.lower import lower

    try:
        content = (patch or {}).get(unit.path)
        facts = lower((root / unit.path).read_bytes() if content is None else content)
    except OSError:
        return ""
    same = [one.body_hash for one in facts.units if one.scope == unit.scope]
    return same[unit.ordinal] if unit.ordinal < len(same) else ""
