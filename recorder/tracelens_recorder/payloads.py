"""What the frames of a recording hold. The numbers of the kinds and the order of the fields are the file format:
docs/recording-format.md describes them, tracelens_indexer.traces.recording reads them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Dict, List

from tracelens_recorder.classes import clean
from tracelens_recorder.code import FUNCTION, Function
from tracelens_recorder.redact import is_secret_name, redact_text

if TYPE_CHECKING:
    from tracelens_recorder.counters import Counter
    from tracelens_recorder.session import Session

FORMAT = 1

RUN = 1
CODES = 2
TESTS = 3
NOTES = 4
CAPTURES = 5
FAILURES = 6
PARKED = 7
COUNTS = 8
EDGES = 9
TEST_COUNTS = 10
SAMPLES = 11
REPEATED = 12
END = 13
CONTEXTS = 14
SPANS = 15
ENVIRONMENT = 16
VALUES = 17
VALUE_COUNTS = 18


def run(session: Session) -> Dict[str, Any]:
    """What the recording says about itself."""
    name = sys.implementation.name
    version = ".".join(map(str, sys.version_info[:3]))
    return {
        "format": FORMAT,
        "started_ns": session.started_ns,
        "pid": session.pid,
        "parent_pid": os.getppid(),
        "command": command_line(),
        "interpreter": f"{'CPython' if name == 'cpython' else name} {version}",
        "root": clean(session.scope.root, 1000),
        "mode": session.mode,
        "exact": session.options.exact,
        "core": "python" if session.accelerated is None else "c",
        "budget": session.options.budget,
        "limit": session.options.limit,
        "commit": commit(session.scope.root),
        "environment": clean(os.environ.get("TRACELENS_ENVIRONMENT", "")),
        "service": clean(os.environ.get("TRACELENS_SERVICE") or os.environ.get("OTEL_SERVICE_NAME", "")),
    }


def end(session: Session) -> Dict[str, Any]:
    return {
        "duration_ns": session.clock() - session.started_clock,
        "redacted": session.redacted,
        "sampled": session.numbers.sampled,
        "faults": session.faults,
        "first_fault": session.first_fault,
        "budget": session.options.budget if session.governed else None,
        "cpu_ns": session.governor.cpu_ns,
        "spent_ns": session.governor.spent,
        "functions": sum(function.kind == FUNCTION for function in session.table),
        "captured": sum(function.captures > 0 for function in session.table),
        "missed": [function.index for function in session.table if function.unfaithful and not function.parked],
    }


def code(function: Function) -> List[Any]:
    """[index, path, qualified name, first line, kind, git blob id of the file]"""
    file = function.file
    first = function.code.co_firstlineno
    return [function.index, clean(file.path, 1000), function.name, first, function.kind, file.blob]


def add_counts(counts: Dict[int, List[Any]], index: int, counter: Counter) -> None:
    """Add what a thread has counted of one function since the last time to its row: [calls, resumes, errors, ended,
    total ns, self ns, min ns, max ns, [[bucket, n]…]]. Minimum and maximum are of the whole run so far."""
    now = (counter.calls, counter.resumes, counter.errors, counter.ended, counter.total, counter.self)
    before = counter.written
    if now == before:
        return
    counter.written = now
    row = counts.get(index)
    if row is None:
        row = counts[index] = [0, 0, 0, 0, 0, 0, -1, -1, []]
    for place in range(6):
        row[place] += now[place] - before[place]
    low, high = counter.min, counter.max
    if low >= 0:
        row[6] = low if row[6] < 0 else min(row[6], low)
    row[7] = max(row[7], high)
    durations = dict(counter.durations)
    written, counter.written_durations = counter.written_durations, durations
    merged = dict(row[8])
    for bucket, n in durations.items():
        new = n - written.get(bucket, 0)
        if new:
            merged[bucket] = merged.get(bucket, 0) + new
    row[8] = list(merged.items())


def command_line() -> str:
    """How the process was started, without what follows an option with a secret's name."""
    words = list(getattr(sys, "orig_argv", ()) or getattr(sys, "argv", ()))
    shown: List[str] = []
    hide = False
    for word in words[:64]:
        name, equals, _ = word.partition("=")
        if hide:
            shown.append("[redacted]")
            hide = False
        elif word.startswith("-") and is_secret_name(name):
            shown.append(name + "=[redacted]" if equals else name)
            hide = not equals
        else:
            shown.append(redact_text(word)[0])
    return clean(" ".join(shown), 1000)


def commit(root: str) -> str:
    """The commit that is checked out at or above a directory, read from .git as git keeps it; "" unknown."""
    place = root
    while True:
        git = os.path.join(place, ".git")
        if os.path.exists(git):
            break
        if os.path.dirname(place) == place:
            return ""
        place = os.path.dirname(place)
    try:
        if os.path.isfile(git):  # a worktree or submodule: "gitdir: PATH"
            git = os.path.join(place, _head(git).partition(":")[2].strip())
        head = _head(os.path.join(git, "HEAD"))
        if not head.startswith("ref:"):
            return _hexadecimal(head)
        name = head[4:].strip()
        common = git
        if os.path.exists(os.path.join(git, "commondir")):
            common = os.path.join(git, _head(os.path.join(git, "commondir")))
        if os.path.exists(os.path.join(common, name)):
            return _hexadecimal(_head(os.path.join(common, name)))
        with open(os.path.join(common, "packed-refs"), encoding="ascii", errors="replace") as file:
            for line in file:
                if line.rstrip().endswith(" " + name):
                    return _hexadecimal(line.split(" ")[0])
    except OSError:
        pass
    return ""


def _head(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(1000).strip()


def _hexadecimal(text: str) -> str:
    return text if len(text) in (40, 64) and all(one in "0123456789abcdef" for one in text) else ""
