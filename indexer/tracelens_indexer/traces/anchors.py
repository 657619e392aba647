"""What the code looked like when a trace was recorded: anchors hold on to that, not to the code that is there now.

For each file of a trace, in this order:

1. the trace holds the source, or its git blob id: that very source, from the trace, the workspace or git;
2. the run's commit is known: the file as of that commit;
3. the file has not been written since the run began (mtime): the file as it is. A trace without a clock counts as
   recorded when its own file was written. Copying it later makes that later, and an edit in between goes unnoticed, so
   prefer formats that say more;
4. else unknown: units are those of the index and their anchors are unverified (no body hash).

Frames are joined to the units of that source, so lines fit; the body hash is taken there. Git is only asked to print
blobs (`git cat-file blob`), with ids that are checked to be hexadecimal, bounded in time and size.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from pathlib import Path

from tracelens_indexer.source.outline import outline
from tracelens_indexer.source.statements import statement_at, statement_hash
from tracelens_indexer.traces.join import UnitLike
from tracelens_indexer.traces.paths import Paths
from tracelens_indexer.traces.records import RunFacts

MAX_SOURCE = 10 * 1024 * 1024
"""Bytes of a source file that is looked at."""
_HEXADECIMAL = re.compile(r"[0-9a-f]{7,64}")
_GIT_SECONDS = 10
_GIT_CALLS = 5_000


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """One file as it was when the trace was recorded."""

    units: Sequence[UnitLike]
    verified: bool
    """Whether it is known that this is what it looked like."""
    source: bytes | None
    """The text, where it is known."""


class Anchors:
    """Finds the version of each file, once."""

    def __init__(
        self,
        root: Path,
        paths: Paths,
        facts: RunFacts,
        indexed: Callable[[str], tuple[str, Sequence[UnitLike]]],
        recorded_ns: int,
    ) -> None:
        """`indexed`: path to (git blob id of the indexed bytes, units). `recorded_ns`: when the run began, since the
        epoch; 0 unknown."""
        self._root = root
        self._indexed = indexed
        self._recorded_ns = recorded_ns
        self._commit = facts.commit if _HEXADECIMAL.fullmatch(facts.commit) else ""
        self._blobs = {path: blob for raw, blob in facts.blobs if isinstance(path := paths.find(raw), str)}
        self._texts = {path: text for raw, text in facts.texts if isinstance(path := paths.find(raw), str)}
        self._known: dict[str, SourceVersion] = {}
        self._statements: dict[tuple[str, int], str] = {}
        self._git_calls = 0

    def units(self, path: str) -> Sequence[UnitLike]:
        return self.version(path).units

    def text(self, path: str) -> str:
        """The source as it was, else as it is; "" when it cannot be read."""
        source = self.version(path).source or self._current(path) or b""
        return source.decode("utf-8", "replace")

    def text_now(self, path: str) -> str:
        """The source as it is; "" when it cannot be read."""
        return (self._current(path) or b"").decode("utf-8", "replace")

    def version(self, path: str) -> SourceVersion:
        found = self._known.get(path)
        if found is None:
            found = self._known[path] = self._version(path)
        return found

    def body_hash(self, path: str, unit: UnitLike) -> str:
        """Of the unit when it was recorded; "" unknown."""
        return unit.body_hash if self.version(path).verified else ""

    def statement_hash(self, path: str, line: int, shown: str) -> str:
        """Of the statement at a 1-based line when it was recorded, by which the place is found again after an edit.

        `shown` is the line as the trace shows it: it stands in where the source is not known. "" unknown.
        """
        found = self._statements.get((path, line))
        if found is None:
            statement = None
            source = self.version(path).source
            if source is not None:
                statement = statement_at(source, line)
            found = statement_hash(statement.text) if statement else ""
            self._statements[path, line] = found
        return found or (statement_hash(shown) if shown else "")

    def _version(self, path: str) -> SourceVersion:
        current = self._current(path)
        blob = self._blobs.get(path, "")
        source: bytes | None = None
        if path in self._texts:
            source = self._as_written(self._texts[path], current)
        elif _HEXADECIMAL.fullmatch(blob):
            source = current if current is not None and blob_id(current, len(blob)) == blob else self._git(blob)
        elif self._commit:
            source = self._git(f"{self._commit}:./{path}")
        elif current is not None and self._older_than_run(path):
            source = current
        indexed_blob, units = self._indexed(path)
        if source is None:
            # Nothing says what it was; the lines of the text now may not be those of the trace.
            return SourceVersion(units, False, None)
        if indexed_blob != blob_id(source, 40):
            units = outline(source)
        return SourceVersion(units, True, source)

    def _current(self, path: str) -> bytes | None:
        try:
            with (self._root / path).open("rb") as file:
                content = file.read(MAX_SOURCE + 1)
        except (OSError, ValueError):
            return None
        return content if len(content) <= MAX_SOURCE else None

    @staticmethod
    def _as_written(text: str, current: bytes | None) -> bytes:
        """The bytes of a source that a trace holds as text: line ends and a byte order mark may have been lost."""
        source = text.encode("utf-8", "replace")
        if current is not None and _plain(current) == _plain(source):
            return current
        return source

    def _older_than_run(self, path: str) -> bool:
        try:
            return 0 < (self._root / path).stat().st_mtime_ns <= self._recorded_ns
        except OSError:
            return False

    def _git(self, name: str) -> bytes | None:
        """A blob's bytes from the workspace's repository; None when it is not there."""
        if self._git_calls >= _GIT_CALLS or "\n" in name or "\0" in name:
            return None
        self._git_calls += 1
        environment = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        try:
            with subprocess.Popen(
                ["git", "-C", str(self._root), "cat-file", "blob", name],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            ) as process:
                assert process.stdout is not None
                content = process.stdout.read(MAX_SOURCE + 1)
                if len(content) > MAX_SOURCE:
                    process.kill()
                    return None
                return content if process.wait(_GIT_SECONDS) == 0 else None
        except (OSError, subprocess.SubprocessError):
            return None


def blob_id(content: bytes, digits: int = 40) -> str:
    """Git's id of a file's bytes, of SHA-1 (40 digits) or SHA-256 (64) repositories, cut to so many digits."""
    header = b"blob %d\0" % len(content)
    if digits > 40:
        from hashlib import sha256

        return sha256(header + content).hexdigest()[:digits]
    return sha1(header + content, usedforsecurity=False).hexdigest()[:digits]


def _plain(source: bytes) -> bytes:
    return source.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
