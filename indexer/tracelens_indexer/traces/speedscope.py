"""speedscope JSON: what py-spy, pyinstrument, austin2speedscope and other samplers export.

    py-spy record --format speedscope -o shop.json -- python run.py
    pyinstrument -r speedscope -o shop.json run.py

{"shared": {"frames": [{name, file, line, col}]}, "profiles": [{type, unit, …}]}, one profile per thread. `sampled`
holds stacks of frame indices, root first, and their weights; `evented` holds O (open) and C (close) events with times.
Both are read as weighted stacks, also the evented ones: they are merged samples in all exporters known, so counting
them as calls would invent numbers. Line conventions differ (py-spy: executing; pyinstrument: first).

Units: seconds, milliseconds, microseconds, nanoseconds become seconds; none becomes samples; bytes (memray) is refused.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeGuard

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.records import Frame, Record, RunFacts, Sample
from tracelens_indexer.traces.report import Report

MAX_BYTES = 512 * 1024 * 1024
MAX_DEPTH = 1_000
"""Frames of one stack that are kept: the outermost and the innermost half."""
_SECONDS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}
_SCHEMA = b"speedscope"


def recognises_keys(keys: frozenset[str], head: bytes) -> bool:
    return ("$schema" in keys and _SCHEMA in head[:4096]) or {"shared", "profiles"} <= keys


def read(stream: BinaryIO, report: Report) -> Iterator[Record]:
    """One Sample per distinct stack of each profile. Raises NotATrace when the document is not whole."""
    data = stream.read(MAX_BYTES + 1)
    report.advance(len(data))
    if len(data) > MAX_BYTES:
        raise NotATrace(f"a speedscope file over {MAX_BYTES >> 20} MB; sample for a shorter time")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotATrace("a speedscope file that is cut short or damaged. Export it again") from error
    del data
    frames = _frames(document)
    profiles = document.get("profiles")
    if frames is None or not isinstance(profiles, list):
        raise NotATrace("a speedscope file without frames or profiles. Export it again")
    usable = [profile for profile in profiles if isinstance(profile, dict)]
    if len(usable) < len(profiles):
        report.skip("malformed profile", len(profiles) - len(usable))
    if usable and all(profile.get("unit") == "bytes" for profile in usable):
        raise NotATrace("a memory profile (speedscope in bytes): TraceLens reads times and samples, not bytes")
    units = {_unit(profile) for profile in usable} - {""}
    # Seconds and bare samples cannot be added up; the profiles of one file rarely differ.
    unit = "seconds" if "seconds" in units else "samples"
    exporter = document.get("exporter")
    yield RunFacts(tool="speedscope", environment=exporter[:100] if isinstance(exporter, str) else "")
    for profile in usable:
        if _unit(profile) != unit:
            report.skip(f"profile in another unit than {unit}")
            continue
        yield from _samples(profile, frames, report)


def _unit(profile: dict[str, Any]) -> str:
    unit = profile.get("unit", "none")
    if type(unit) is not str:
        return ""
    return "seconds" if unit in _SECONDS else "samples" if unit == "none" else ""


def _frames(document: Any) -> list[Frame] | None:
    shared = document.get("shared") if isinstance(document, dict) else None
    listed = shared.get("frames") if isinstance(shared, dict) else None
    if not isinstance(listed, list):
        return None
    return [_frame(entry) for entry in listed]


def _frame(entry: Any) -> Frame:
    if not isinstance(entry, dict):
        return Frame("", "", 0)
    path, name, line = entry.get("file"), entry.get("name"), entry.get("line")
    return Frame(
        path if isinstance(path, str) else "",
        name if isinstance(name, str) else "",
        line if type(line) is int and 0 <= line < 2**31 else 0,
    )


def _samples(profile: dict[str, Any], frames: list[Frame], report: Report) -> Iterator[Sample]:
    scale = _SECONDS.get(profile.get("unit", "none"), 1.0)
    read_profile = {"sampled": _sampled, "evented": _evented}.get(str(profile.get("type")))
    if read_profile is None:
        report.skip("profile of an unknown type")
        return
    weights: Counter[tuple[int, ...]] = Counter()
    for stack, weight in read_profile(profile, len(frames), report):
        weights[stack] += weight  # type: ignore[assignment]  # a Counter adds floats as well
    unit = _unit(profile)
    for stack, weight in weights.items():
        yield Sample(
            tuple([frames[index] for index in stack]),
            weight * scale,
            "seconds" if unit == "seconds" else "samples",
        )


def _sampled(profile: dict[str, Any], known: int, report: Report) -> Iterator[tuple[tuple[int, ...], float]]:
    stacks, weights = profile.get("samples"), profile.get("weights")
    if not isinstance(stacks, list):
        report.skip("malformed profile")
        return
    if not isinstance(weights, list):
        weights = [1.0] * len(stacks)
    if len(weights) < len(stacks):
        report.skip("sample without a weight", len(stacks) - len(weights))
    for stack, weight in zip(stacks, weights, strict=False):
        if not isinstance(stack, list) or not _is_weight(weight):
            report.skip("malformed sample")
        elif any(type(index) is not int or not 0 <= index < known for index in stack):
            report.skip("sample with an unknown frame")
        elif stack and weight > 0:
            yield _bounded(stack), float(weight)


def _evented(profile: dict[str, Any], known: int, report: Report) -> Iterator[tuple[tuple[int, ...], float]]:
    events = profile.get("events")
    if not isinstance(events, list):
        report.skip("malformed profile")
        return
    stack: list[int] = []
    last = 0.0
    for event in events:
        if not isinstance(event, dict):
            report.skip("malformed event")
            continue
        kind, at, frame = event.get("type"), event.get("at"), event.get("frame")
        if not _is_number(at) or kind not in ("O", "C") or type(frame) is not int or not 0 <= frame < known:
            report.skip("malformed event")
            continue
        if stack and at > last:
            yield _bounded(stack), at - last
        last = max(last, at)
        if kind == "O":
            if len(stack) < 100_000:
                stack.append(frame)
        elif stack and stack[-1] == frame:
            stack.pop()
        elif frame in stack:
            # An end out of order closes what is above it.
            del stack[len(stack) - 1 - stack[::-1].index(frame) :]
            report.skip("event out of order")
        else:
            report.skip("end without a start")


def _bounded(stack: list[int]) -> tuple[int, ...]:
    if len(stack) <= MAX_DEPTH:
        return tuple(stack)
    return (*stack[: MAX_DEPTH // 2], *stack[-MAX_DEPTH // 2 :])


def _is_number(value: Any) -> TypeGuard[float]:
    # The order matters: isfinite of a very big integer would overflow.
    return type(value) in (int, float) and abs(value) < 1e18 and math.isfinite(value)


def _is_weight(value: Any) -> bool:
    return _is_number(value) and value >= 0
