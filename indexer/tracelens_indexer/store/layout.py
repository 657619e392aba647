"""Where the store of a workspace lies, and whether it may be trusted.

`.tracelens/` holds index.db (SQLite), code.lance/ (LanceDB), runs/ (one file per run) and incoming/ (recordings that
are being written). It is private (mode 0700) and ignores itself in git. A `.tracelens/` that came with the repository
or belongs to somebody else could show invented facts, so it is not read.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tracelens_indexer.errors import StoreError

FOLDER = ".tracelens"


class Layout:
    """Paths inside the store of one workspace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER
        self.database = self.folder / "index.db"
        self.vectors = self.folder / "code.lance"
        self.rescored = self.folder / "rescored.db"
        self.runs = self.folder / "runs"
        self.incoming = self.folder / "incoming"
        self.lock = self.folder / "lock"

    def create(self) -> None:
        """Make the folders. Raises StoreError when the workspace cannot be written or the store is not ours."""
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.runs.mkdir(exist_ok=True)
            self.incoming.mkdir(exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n")
        except OSError as error:
            raise StoreError(
                f"{self.folder}: cannot be written ({error.strerror}). TraceLens keeps its index in the workspace: "
                "make the folder writable, or copy the workspace to a place that is"
            ) from error
        distrust = self.distrust()
        if distrust:
            raise StoreError(distrust)

    def distrust(self) -> str:
        """Why this store is not to be read, as a line for the person; "" when it is ours."""
        try:
            owner = self.folder.stat().st_uid
        except OSError:
            return ""
        if hasattr(os, "geteuid") and owner != os.geteuid():
            return f"{self.folder}: belongs to another user and is ignored. Remove it, or run as its owner"
        if _tracked_by_git(self.root):
            return (
                f"{self.folder}: is tracked by git, so it came with the repository and is ignored. "
                f"Take it out: git rm -r --cached {FOLDER}"
            )
        return ""


def _tracked_by_git(root: Path) -> bool:
    try:
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "--", FOLDER],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and bool(listed.stdout.strip())


def workspace_root(start: Path) -> Path:
    """The workspace that `start` lies in: the nearest folder above with a store, else with a project's marks, else
    `start` itself. The nearest store wins so that a project inside a larger repository keeps its own."""
    start = start.resolve()
    if start.is_file():
        start = start.parent
    above = [start, *start.parents]
    home = Path.home()
    for marks in ((FOLDER,), ("pyproject.toml", "setup.py", "setup.cfg", ".git")):
        for folder in above:
            if any((folder / mark).exists() for mark in marks):
                return folder
            if folder == home:
                break
    return start
