"""The recording of one process on its way to its file: what a frame refers to is always written before it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Dict, List, Sequence, Tuple

from tracelens_recorder import payloads
from tracelens_recorder.container import Appender
from tracelens_recorder.workspace import prepare

if TYPE_CHECKING:
    from tracelens_recorder.session import Session

SUFFIX = ".tlrec"
MAX_ROWS = 20_000
"""Rows in one frame."""


class RecordingFile:
    """Created with the first thing that is written. Not thread-safe: the session's lock is held around it."""

    def __init__(self, path: str, number: int = 0, began: int = 0) -> None:
        """`number`: of this file among those of its process. `began`: when it began, on the session's clock."""
        self._path = path
        self._number = number
        self._began = began
        self._before: Dict[str, int] = {}
        """What the earlier files of the process say at their end, to be taken off what this one says."""
        self._appender = Appender(path if not number else f"{path[: -len(SUFFIX)]}.{number}{SUFFIX}")
        self._codes = 0
        self._tests = 1
        self._notes = 0
        self._names = 0
        self._values = 0

    def write(self, session: Session, records: Sequence[Tuple[int, Any]], closing: bool) -> None:
        """Append records (kind, row), and before them the codes, tests and notes that are new. Raises OSError."""
        rows: List[Tuple[int, Any]] = []
        rows += [(payloads.CODES, payloads.code(function)) for function in session.table[self._codes :]]
        self._codes = len(session.table)
        rows += [(payloads.TESTS, [self._tests + i, test]) for i, test in enumerate(session.tests[self._tests :])]
        self._tests = len(session.tests)
        rows += [(payloads.NOTES, note) for note in session.notes[self._notes :]]
        self._notes = len(session.notes)
        names = list(session.boundaries.names.items())
        rows += [(payloads.ENVIRONMENT, [name, value]) for name, value in names[self._names :]]
        self._names = len(names)
        described = len(session.described)
        rows += [(payloads.VALUES, row) for row in session.described[self._values : described]]
        self._values = described
        contexts, session.contexts = session.contexts, []
        rows += [(payloads.CONTEXTS, [number, said]) for number, said in contexts]
        if not rows and not records and not closing:
            return
        frames = []
        if not self._appender.size:
            prepare(os.path.dirname(self._appender.path))
            frames.append((payloads.RUN, _json(payloads.run(session))))
        grouped: Dict[int, List[Any]] = {}
        for kind, row in (*rows, *records):
            grouped.setdefault(kind, []).append(row)
        for kind, group in grouped.items():
            for start in range(0, len(group), MAX_ROWS):
                frames.append((kind, _json(group[start : start + MAX_ROWS])))
        if closing:
            frames.append((payloads.END, _json(self._end(session))))
        self._appender.append(frames)

    def _end(self, session: Session) -> Dict[str, Any]:
        said = payloads.end(session)
        for name, n in self._before.items():
            said[name] -= n
        return said

    def is_full(self, session: Session) -> bool:
        """Whether the process is to go on in another file."""
        options = session.options
        if options.rotate_mb and self._appender.size >= options.rotate_mb * 1e6:
            return True
        age = session.clock() - self._began
        return bool(options.rotate_seconds and self._appender.size and age >= options.rotate_seconds * 1e9)

    def next(self, session: Session) -> RecordingFile:
        """End this file, and give the one to go on in. Each of them can be read alone; the oldest are removed. Raises
        OSError."""
        total = payloads.end(session)
        self.write(session, session.counted(False), closing=True)
        made = RecordingFile(self._path, self._number + 1, session.clock())
        made._before = {name: total[name] for name in ("cpu_ns", "spent_ns", "redacted", "sampled")}
        parked = [(payloads.PARKED, function.index) for function in session.table if function.unfaithful]
        made.write(session, parked, closing=False)
        old = self._number + 1 - session.options.keep_files
        if old >= 0:
            path = self._path if not old else f"{self._path[: -len(SUFFIX)]}.{old}{SUFFIX}"
            if os.path.exists(path):
                os.remove(path)
        return made


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")
