"""Recordings that lie in `.tracelens/incoming`, written by programs that nobody started with `tracelens record`:
pytest with `--tracelens`, `recording()`, TRACELENS=1, middlewares. Each folder is one run, named for it at its end
(`20261121-142811-89cacf-pytest`), with one file per process.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from tracelens_recorder import container, payloads

_FOLDER = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}(?:-(?P<name>.+))?")
_ABANDONED_SECONDS = 120
"""What `tracelens record` waits for itself has no name, and is only touched when nothing has happened to it for so
long: then it was killed before it could import."""
_FILE = re.compile(r"[0-9a-f]{16}-(?P<pid>\d+)(?:\.\d+)?\.tlrec")


def finished(incoming: Path) -> list[tuple[str, Path]]:
    """(name, folder) of the runs all of whose processes have ended, oldest first."""
    try:
        folders = sorted(incoming.iterdir())
    except OSError:
        return []
    found = []
    for folder in folders:
        named = _FOLDER.fullmatch(folder.name)
        if named and folder.is_dir() and not folder.is_symlink():
            files = [one for one in _files(folder) if _FILE.fullmatch(one.name)]
            if not files or not all(_has_ended(file) for file in files):
                continue
            if named["name"] or _is_abandoned(files):
                found.append((named["name"] or "interrupted", folder))
    return found


def _is_abandoned(files: list[Path]) -> bool:
    try:
        return time.time() - max(file.stat().st_mtime for file in files) > _ABANDONED_SECONDS
    except OSError:
        return False


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # another command has taken it up meanwhile
        return []


def _has_ended(file: Path) -> bool:
    """Whether the process that writes a recording is gone, or has written its end."""
    named = _FILE.fullmatch(file.name)
    assert named is not None
    if not _is_alive(int(named["pid"])):
        return True
    try:
        with file.open("rb") as stream:
            return any(kind == payloads.END for kind, _ in container.frames(stream))
    except OSError:
        return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
