"""What a recording took and what it holds, over all its processes: for the line that a person reads after recording.

Unlike recording.py it joins nothing and keeps no values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tracelens_indexer.traces.recording_shapes import Codes, End, Repeated
from tracelens_recorder import container, payloads


class _Captured(msgspec.Struct, frozen=True):
    code: int


@dataclass(frozen=True, slots=True)
class Effort:
    """Sums over the files of one recording."""

    functions: int = 0
    """That ran."""
    recorded: int = 0
    """Of these, with at least one call in full."""
    calls: int = 0
    """In full."""
    failures: int = 0
    failures_kept: int = 0
    """With their stack and values."""
    redacted: int = 0
    budget: float | None = None
    """Share of CPU time that recording was allowed; None: every call was recorded, whatever it took."""
    cpu_ns: int = 0
    """CPU time of the processes that ended in order, ours included."""
    spent_ns: int = 0
    """Of that, on recording."""


def effort(paths: Iterable[Path]) -> Effort:
    """Reads recordings (`*.tlrec`); what is damaged or no recording adds nothing."""
    functions: set[tuple[str, str, int]] = set()
    recorded: set[tuple[str, str, int]] = set()
    calls = kept = repeated = redacted = cpu = spent = 0
    budget: float | None = None
    for path in paths:
        codes: dict[int, tuple[str, str, int]] = {}
        with path.open("rb") as stream:
            for kind, payload in container.frames(stream):
                try:
                    if kind == payloads.CODES:
                        for index, file, name, line, code_kind, _ in msgspec.json.decode(payload, type=Codes):
                            if code_kind == 0:
                                codes[index] = (file, name, line)
                    elif kind == payloads.CAPTURES:
                        captured = msgspec.json.decode(payload, type=list[_Captured])
                        calls += len(captured)
                        recorded.update(codes[one.code] for one in captured if one.code in codes)
                    elif kind == payloads.FAILURES:
                        kept += len(msgspec.json.decode(payload, type=list[msgspec.Raw]))
                    elif kind == payloads.REPEATED:
                        repeated += sum(row[1] for row in msgspec.json.decode(payload, type=Repeated))
                    elif kind == payloads.END:
                        end = msgspec.json.decode(payload, type=End)
                        redacted += end.redacted
                        cpu += end.cpu_ns
                        spent += end.spent_ns
                        budget = end.budget if budget is None else budget
                except msgspec.MsgspecError:
                    continue
        functions.update(codes.values())
    return Effort(len(functions), len(recorded), calls, kept + repeated, kept, redacted, budget, cpu, spent)
