"""What a file was before: in git's HEAD, and before the fixes that the ledger says were applied."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tracelens.fix import ledger
from tracelens_indexer.errors import TraceLensError

_LARGEST = 8 * 1024 * 1024


def versions_before(root: Path, path: str) -> Iterator[tuple[str, bytes]]:
    """(what it is, the file's content), the nearest first; none that is the same as the file is now."""
    try:
        now = (root / path).read_bytes()
    except OSError:
        return
    try:
        entries = ledger.read(root)
    except TraceLensError:
        entries = []
    for entry in reversed(entries):
        if entry.path == path and entry.event == "applied" and entry.replaced is not None:
            start, end, old, new = entry.replaced
            text = now.decode("latin-1")
            if text[start:end] == new or text[start : start + len(new)] == new:
                yield (
                    f"{path} before {entry.title}",
                    (text[:start] + old + text[start + len(new) :]).encode("latin-1"),
                )
    committed = _at_head(root, path)
    if committed is not None and committed != now:
        yield f"{path} in git's HEAD", committed


def _at_head(root: Path, path: str) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", str(root), "show", f"HEAD:./{path}"],
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 and len(done.stdout) <= _LARGEST else None
