"""What a reader tells while it reads: progress, what it had to skip and why, and what a person must know.

A reader never raises for a part that it cannot read; it calls `skip` and goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.traces.records import Frame

MAX_REASONS = 50
MAX_NOTES = 20


class Cancelled(TraceLensError):
    """The person stopped the import. Nothing of it is stored."""

    exit_code = 130


class Report:
    """Collects what happened during one import.

    `progress` is called with the bytes read so far and the size (0 unknown), at most about once per block that is
    read; `cancelled` is asked at the same places.
    """

    def __init__(
        self,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        size: int = 0,
    ) -> None:
        self.size = size
        self.skipped: Counter[str] = Counter()
        self.notes: list[str] = []
        self.wants: Callable[[Frame], bool] = lambda frame: True
        """Whether values of a frame are of use: a reader asks before it works on them. The import sets it to "is a
        unit of the workspace" once it has read the facts of the run."""
        self._progress = progress
        self._cancelled = cancelled

    def skip(self, reason: str, n: int = 1) -> None:
        """`n` parts of the trace were not read. Reasons are a small fixed set of words, never text of the trace."""
        if reason not in self.skipped and len(self.skipped) >= MAX_REASONS:
            reason = "other"
        self.skipped[reason] += n

    def note(self, text: str) -> None:
        """A line that a person must know; the same line is kept once."""
        if text not in self.notes and len(self.notes) < MAX_NOTES:
            self.notes.append(text)

    def broke_off(self) -> None:
        """The file ends, or is damaged, in the middle."""
        self.note("the file breaks off: what was read up to there is used")
        self.skip("end of the file is missing or damaged")

    def cancelled(self) -> bool:
        """Whether the person asked to stop."""
        return self._cancelled is not None and self._cancelled()

    def advance(self, read: int) -> None:
        """Bytes read so far. Raises Cancelled when the person asked to stop."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("import cancelled: nothing of it was stored")
        if self._progress is not None:
            self._progress(read, self.size)
