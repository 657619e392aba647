"""Workspaces: which one a file belongs to, and its index, re-opened when it was replaced underneath."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from tracelens import settings
from tracelens.answers.choose import chosen
from tracelens.answers.snapshot import IndexSnapshot
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index, Layout, workspace_root

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0


class Workspace:
    """One root with its index, if there is one yet. Used by the event loop's thread alone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problem = ""
        """Why there is no index to ask, as the store says it; "" when there is one."""
        self._database = Layout(root).database
        self._index: Index | None = None
        self._identity: tuple[int, int] | None = None
        self._snapshot: IndexSnapshot | None = None
        self._tried = 0.0
        self.choice = ""
        """Which runs are shown, as in answers/choose.py."""
        self._ignore: tuple[object, tuple[str, ...]] = (None, ())
        self._told: tuple[object, ...] = ()

    def snapshot(self) -> IndexSnapshot | None:
        """The index as it is now; None, and `problem` says why, when it cannot be asked."""
        identity = self._file_identity()
        if self._index is not None and identity != self._identity:
            self.forget()
        if self._index is None:
            now = time.monotonic()
            # What cannot be opened is not tried again for every request of a burst, unless the file is another.
            if identity == self._identity and now - self._tried < _RETRY_SECONDS:
                return None
            self._tried, self._identity = now, identity
            try:
                self._index = Index.open(self.root)
                self.problem = ""
            except TraceLensError as error:
                if self.problem != str(error):
                    _log.info("%s", error)
                self.problem = str(error)
                return None
        if self._snapshot is None or self._snapshot.generation != self._index.generation:
            self._snapshot = IndexSnapshot(self._index, chosen(self._index, self.choice))
        return self._snapshot

    def choose(self, choice: str) -> None:
        self.choice, self._snapshot = choice, None

    def ignore(self) -> tuple[str, ...]:
        """The diagnostics that the project's and the user's settings leave out; read again when the file changes."""
        try:
            stamp: object = (self.root / "pyproject.toml").stat().st_mtime_ns
        except OSError:
            stamp = 0
        if self._ignore[0] != stamp:
            try:
                self._ignore = (stamp, settings.load(self.root).ignore)
            except TraceLensError as error:
                _log.warning("%s", error)
                self._ignore = (stamp, ())
        return self._ignore[1]

    def changed(self) -> bool:
        """Whether the index is another than when this was last asked; cheap enough for a timer."""
        snapshot = self.snapshot()
        now = (self._identity, snapshot and snapshot.generation, self.choice)
        changed, self._told = now != self._told, now
        return changed

    def forget(self) -> None:
        """Close the index, so that the next question opens it anew."""
        if self._index is not None:
            self._index.close()
        self._index = self._snapshot = None

    def _file_identity(self) -> tuple[int, int] | None:
        try:
            stat = self._database.stat()
        except OSError:
            return None
        return stat.st_dev, stat.st_ino


class Workspaces:
    """All workspaces of a session."""

    def __init__(self) -> None:
        self.folders: list[Path] = []
        """What the client opened; empty when it opened single files."""
        self._by_root: dict[Path, Workspace] = {}
        self._root_of_folder: dict[Path, Path] = {}

    def known(self) -> list[Workspace]:
        return list(self._by_root.values())

    def of(self, path: Path) -> tuple[Workspace, str] | None:
        """The workspace of a file, and the file's path in it; None for a file outside of what the client opened."""
        path = _real(path)
        if self.folders and not any(path.is_relative_to(folder) for folder in self.folders):
            return None
        root = self._root_of_folder.get(path.parent)
        if root is None:
            root = self._root_of_folder[path.parent] = workspace_root(path.parent)
        return self.at(root), path.relative_to(root).as_posix()

    def at(self, root: Path) -> Workspace:
        return self._by_root.setdefault(root, Workspace(root))

    def open_folders(self, folders: list[Path]) -> None:
        self.folders = [_real(folder) for folder in folders]
        self._root_of_folder.clear()
        for folder in self.folders:
            self.at(workspace_root(folder))

    def look_again(self) -> None:
        """A store may have been made in a folder that had none, and be nearer than the root found before."""
        self._root_of_folder.clear()


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path
