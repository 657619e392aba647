"""What differs between two runs: slower and faster, new and vanished failures, values and calls.

What differs in every run says nothing and is left out: ids, addresses, times, counts alone, and small differences of
time. Of values only what the earlier run shows well enough is compared: types, ranges, and the values of slots that
took few.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from tracelens.answers import words
from tracelens.answers.choose import short_id
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.profiles.rows import RESULT
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import FailureRecord, Observation, Profile, RunRecord, UnitRecord

_MOST_UNITS = 20_000
_RATIO = 1.3
_LEAST_NS = 20_000
"""Differences below 20 µs a call are noise."""
_FEW_TIMED = 5
_FEW_RATIO = 2.0
_FEW_LEAST_NS = 10_000_000
"""A single call waits as long as this for a processor that others use."""
_FEW_VALUES = 6
_LEAST_CHANCE = 0.001
"""What is more likely to come about by the drawing of calls is not told."""
_LEAST_SEEN = 5
"""Kept calls from which on an earlier run is said to show what values there are."""

_PASSING = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0x…"),
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (
        re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?!\d)"),
        "<time>",
    ),
    (re.compile(r"(?<!\d)\d\d:\d\d:\d\d(?:\.\d+)?"), "<time>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{16,}\b"), "<id>"),
    (re.compile(r"\b\d{9,}\b"), "<number>"),
    (re.compile(r"/tmp/[^\s'\"]+"), "<temporary>"),  # noqa: S108  # recognised, never opened
)


@dataclass(frozen=True, slots=True)
class Speed:
    unit: UnitRecord
    before_ns: float
    after_ns: float
    """Of one call: the median, or the mean where few calls were timed."""
    what: str
    """ "p50" or "mean"."""


@dataclass(frozen=True, slots=True)
class ChangedValue:
    unit: UnitRecord
    slot: str
    told: str
    """Ours, with cleaned values in it: "None is new", "up to 900, was 120.5"."""


@dataclass(frozen=True, slots=True)
class Edge:
    caller: UnitRecord
    callee: UnitRecord


@dataclass(frozen=True, slots=True)
class Diff:
    before: RunRecord
    after: RunRecord
    overall: float
    """Median of after over before of all times compared: far from 1 it was rather the machine than the code."""
    slower: tuple[Speed, ...]
    faster: tuple[Speed, ...]
    new_failures: tuple[FailureRecord, ...]
    gone_failures: tuple[FailureRecord, ...]
    values: tuple[ChangedValue, ...]
    new_edges: tuple[Edge, ...]
    gone_edges: tuple[Edge, ...]
    new_units: tuple[UnitRecord, ...]
    gone_units: tuple[UnitRecord, ...]

    @property
    def same_tool(self) -> bool:
        return _same_tool(self.before, self.after)

    @property
    def nothing(self) -> bool:
        parts = (self.slower, self.faster, self.new_failures, self.gone_failures, self.values)
        return not any((*parts, self.new_edges, self.gone_edges, self.new_units, self.gone_units))


def compare(index: Index, before: RunRecord, after: RunRecord) -> Diff:
    """What `after` shows otherwise than `before`; what matters most first."""
    one, two = IndexSnapshot(index, (before.id,)), IndexSnapshot(index, (after.id,))
    old = {profile.unit.id: profile for profile in index.hot(one.runs, _MOST_UNITS)}
    new = {profile.unit.id: profile for profile in index.hot(two.runs, _MOST_UNITS)}
    both = [unit_id for unit_id in new if unit_id in old]
    same_tool = _same_tool(before, after)
    speeds = [speed for unit_id in both if same_tool and (speed := _speed(old[unit_id], new[unit_id]))]
    weight = {speed.unit.id: abs(speed.after_ns - speed.before_ns) * new[speed.unit.id].timed for speed in speeds}
    speeds.sort(key=lambda speed: -weight[speed.unit.id])
    failed_before, failed_after = _failures(one), _failures(two)
    edges_before, edges_after = _edges(one, old), _edges(two, new)
    if not same_tool:  # what one of them has nothing of, its tool may not have seen
        if not (failed_before and failed_after):
            failed_before = failed_after = {}
        if not (edges_before and edges_after):
            edges_before = edges_after = {}
    return Diff(
        before,
        after,
        overall=median(ratios) if same_tool and len(ratios := _ratios(old, new)) >= _FEW_TIMED else 1.0,
        slower=tuple(speed for speed in speeds if speed.after_ns > speed.before_ns),
        faster=tuple(speed for speed in speeds if speed.after_ns < speed.before_ns),
        new_failures=tuple(failed_after[key] for key in failed_after if key not in failed_before),
        gone_failures=tuple(failed_before[key] for key in failed_before if key not in failed_after),
        values=tuple(value for unit_id in both for value in changed_values(one.profile(unit_id), two.profile(unit_id))),
        # Of a unit that did not run at all in the other run, its calls say nothing more.
        new_edges=_only(edges_after, edges_before, old),
        gone_edges=_only(edges_before, edges_after, new),
        new_units=tuple(new[unit_id].unit for unit_id in new if unit_id not in old),
        gone_units=tuple(old[unit_id].unit for unit_id in old if unit_id not in new),
    )


def _same_tool(before: RunRecord, after: RunRecord) -> bool:
    """What a tool costs is in its times, and each sees other things: between two of them neither can be compared."""
    return before.tool == after.tool


def lines(diff: Diff, most: int = 20, quote: Callable[[str], str] = str) -> list[str]:
    """For people, a section for each kind of difference; `most` lines in each. `quote` marks what a program said."""
    told = [f"{_run(diff.before, quote)} → {_run(diff.after, quote)}"]
    if not diff.same_tool:
        tools = " and ".join(quote(words.clean(run.tool, words.LONGEST_NAME)) for run in (diff.before, diff.after))
        told.append(f"recorded by different tools ({tools}), each with its own cost: times are not compared")
    if diff.nothing and not diff.same_tool:
        return [*told, "no difference that says anything: the same units ran"]
    if diff.nothing:
        return [*told, "no difference that says anything: the same failures, values, calls and, within 30 %, times"]
    if not 1 / _RATIO < diff.overall < _RATIO:
        times, slower = max(diff.overall, 1 / diff.overall), "slower" if diff.overall > 1 else "faster"
        told.append(f"half of all units are {times:.1f}× {slower} or more: perhaps the machine, not the code")
    sections: tuple[tuple[str, list[str]], ...] = (
        ("slower", [_speed_line(speed) for speed in diff.slower]),
        ("faster", [_speed_line(speed) for speed in diff.faster]),
        ("new failures", [_failure_line(failure, quote) for failure in diff.new_failures]),
        ("failures that are gone", [_failure_line(failure, quote) for failure in diff.gone_failures]),
        ("values", [f"{_name(v.unit)}  {words.clean(v.slot)}: {v.told}" for v in diff.values]),
        ("new calls", [f"{_name(edge.caller)} → {_name(edge.callee)}" for edge in diff.new_edges]),
        ("calls that are gone", [f"{_name(edge.caller)} → {_name(edge.callee)}" for edge in diff.gone_edges]),
        ("ran only now", [_name(unit) for unit in diff.new_units]),
        ("ran only before", [_name(unit) for unit in diff.gone_units]),
    )
    for title, entries in sections:
        if entries:
            told.append(f"{title}: {len(entries):,}")
            told += [f"  {entry}" for entry in entries[:most]]
            if len(entries) > most:
                told.append(f"  … and {len(entries) - most:,} more")
    return told


def settled(text: str) -> str:
    """A value's text without what differs in every run: addresses, ids, times, temporary files."""
    for pattern, instead in _PASSING:
        text = pattern.sub(instead, text)
    return text


def _speed(old: Profile, new: Profile) -> Speed | None:
    enough = min(old.timed, new.timed) >= _FEW_TIMED
    if enough and old.p50_ns is not None and new.p50_ns is not None:
        before, after, ratio, least, what = old.p50_ns, new.p50_ns, _RATIO, _LEAST_NS, "p50"
    elif old.timed and new.timed:
        before, after = old.total_ns / old.timed, new.total_ns / new.timed
        ratio, least, what = _FEW_RATIO, _LEAST_NS if enough else _FEW_LEAST_NS, "mean"
    else:
        return None
    low, high = sorted((before, after))
    return Speed(new.unit, before, after, what) if high - low >= least and high >= low * ratio else None


def _ratios(old: Mapping[int, Profile], new: Mapping[int, Profile]) -> list[float]:
    return [
        profile.p50_ns / before
        for unit_id, profile in new.items()
        if profile.p50_ns and unit_id in old and (before := old[unit_id].p50_ns)
    ]


def _failures(snapshot: IndexSnapshot) -> dict[tuple[int, str, str], FailureRecord]:
    """By place and type; the id of a failure holds its place too, but not across an edit of the unit."""
    return {
        (failure.unit.id, failure.type, failure.statement_hash or str(failure.line)): failure
        for failure in snapshot.index.failures(snapshot.runs)
        if failure.origin
    }


def _edges(snapshot: IndexSnapshot, profiles: Iterable[int]) -> dict[tuple[int, int], Edge]:
    found: dict[tuple[int, int], Edge] = {}
    for unit_id in profiles:
        caller = snapshot.index.unit(unit_id)
        for edge in snapshot.observed_callees(unit_id) if caller else ():
            if caller:
                found[unit_id, edge.unit.id] = Edge(caller, edge.unit)
    return found


def _only(
    these: dict[tuple[int, int], Edge], those: dict[tuple[int, int], Edge], ran: dict[int, Profile]
) -> tuple[Edge, ...]:
    return tuple(
        edge
        for key, edge in these.items()
        if key not in those
        and edge.caller.id in ran
        and edge.callee.id in ran
        and not (ran[edge.callee.id].counting != "exact" and _is_called_unwritten(edge.callee))
    )


def _is_called_unwritten(unit: UnitRecord) -> bool:
    """Whether calls of a unit have no call site: who makes them is seen only while the unit is listened to."""
    special = unit.name.startswith("__") and unit.name.endswith("__")
    return special or any("property" in decorator or ".setter" in decorator for decorator in unit.decorators)


def changed_values(old: Profile | None, new: Profile | None) -> list[ChangedValue]:
    """How the values of a unit in one run differ from those in another."""
    if old is None or new is None or old.captured < _LEAST_SEEN:
        return []
    before = {observation.slot: observation for observation in old.observations}
    found = []
    for after in new.observations:
        if after.slot in before and after.slot not in ("self", "cls"):
            slot = "→" if after.slot == RESULT else after.slot
            drawn = any(0 < profile.captured < profile.calls for profile in (old, new))
            kept = (old.captured, new.captured) if drawn else None
            found += [ChangedValue(new.unit, slot, told) for told in _slot(before[after.slot], after, kept)]
    return found


def _slot(before: Observation, after: Observation, kept: tuple[int, int] | None) -> list[str]:
    """`kept`: of how many calls values are known in each run, where these were drawn: the ends of a range, and which
    values of many there are, are chance then."""
    told = []
    drawn = kept is not None
    kept_before, kept_after = kept or (0, 0)
    types_before, types_after = _types(before), _types(after)
    new_types = sorted(
        name for name in types_after - types_before if not drawn or not _missed(_share(after, name), kept_before)
    )
    told += [f"{'None' if name == 'NoneType' else words.type_name(name)} is new" for name in new_types]
    old_ranges = {found.type: found for found in before.ranges}
    for found in after.ranges:
        known = old_ranges.get(found.type)
        if known is None or found.high is None or found.low is None or known.high is None or known.low is None:
            continue
        what = "length " if found.measures == "size" else ""
        chance = known.high - known.low if drawn else 0.0
        if drawn and not chance:
            # One value, of calls that were drawn: that another was drawn now says nothing.
            continue
        above = not drawn or not _missed(_share_between(after, known.high, math.inf), kept_before)
        below = not drawn or not _missed(_share_between(after, -math.inf, known.low), kept_before)
        if above and found.high > known.high + max(0.1 * abs(known.high), chance):
            told.append(
                f"{what}up to {words.number(found.high, found.type)}, was {words.number(known.high, found.type)}"
            )
        if below and found.low < known.low - max(0.1 * abs(known.low), chance):
            told.append(f"{what}from {words.number(found.low, found.type)}, was {words.number(known.low, found.type)}")
    listed_before, listed_after = _texts(before), _texts(after)
    if listed_before is not None and listed_after is not None:
        fresh = [text for text in listed_after if text not in listed_before and text != "None"]
        gone = [text for text in listed_before if text not in listed_after and text != "None"]
        if drawn:
            fresh = [text for text in fresh if not _missed(_text_share(after, text), kept_before)]
            gone = [text for text in gone if not _missed(_text_share(before, text), kept_after)]
        told += [f"{words.clean(text)} is new" for text in fresh[:3]]
        told += [f"{words.clean(text)} is gone" for text in gone[:3]]
    return told


def _missed(share: float, kept: int) -> bool:
    """Whether what this share of the calls has may well be in none of so many that were drawn. Early calls are kept one
    and all, and are often alike: only half of them count."""
    return math.pow(1 - min(share, 1.0), kept / 2) > _LEAST_CHANCE


def _share_between(observation: Observation, low: float, high: float) -> float:
    """Of the calls, those whose value is a number between these two, neither included."""
    found = 0.0
    for value in observation.values:
        with contextlib.suppress(TypeError, ValueError):
            if low < float(value.text or "") < high:
                found += value.n
    return found / max(1, observation.n)


def _share(observation: Observation, kind: str) -> float:
    return sum(value.n for value in observation.values if value.type == kind) / max(1, observation.n)


def _text_share(observation: Observation, text: str) -> float:
    found = sum(value.n for value in observation.values if value.text is not None and settled(value.text) == text)
    return found / max(1, observation.n)


def _types(observation: Observation) -> set[str]:
    return {value.type for value in observation.values} | {found.type for found in observation.ranges}


def _texts(observation: Observation) -> list[str] | None:
    """The values of a slot that took few of them, numbers left to the ranges; None where there are too many to say."""
    texts = dict.fromkeys(
        settled(value.text) if value.text is not None else None
        for value in observation.values
        if value.type not in ("int", "float")
    )
    if None in texts or len(texts) > _FEW_VALUES or any("…" in text for text in texts if text):
        return None
    return [text for text in texts if text is not None]


def _run(run: RunRecord, quote: Callable[[str], str]) -> str:
    when = words.ago(run.started_ns or run.imported_ns)
    return f"{run.id} {quote(words.clean(run.name, words.LONGEST_NAME))}{f' ({when})' if when else ''}"


def _speed_line(speed: Speed) -> str:
    ratio = max(speed.after_ns, speed.before_ns) / max(min(speed.after_ns, speed.before_ns), 1.0)
    times = f"{ratio:.1f}×" if ratio < 9.95 else f"{ratio:,.0f}×"
    took = f"{words.duration(speed.before_ns)} → {words.duration(speed.after_ns)}"
    return f"{_name(speed.unit)}  {speed.what} {took} ({times})"


def _failure_line(failure: FailureRecord, quote: Callable[[str], str]) -> str:
    message = words.first_line(failure.message)
    return (
        f"{failure.id}  {words.type_name(failure.type)}{f': {quote(message)}' if message else ''}   "
        f"{words.clean(failure.unit.path, 200)}:{failure.line or failure.unit.def_line}"
    )


def _name(unit: UnitRecord) -> str:
    return f"{words.clean(unit.qualname, 200)} [{short_id(unit)}]"
