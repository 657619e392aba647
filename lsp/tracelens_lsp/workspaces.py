"""Workspaces: which one a file belongs to, and its index, re-opened when it was replaced underneath."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tracelens.answers.hot import Hot
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Layout, workspace_root

if TYPE_CHECKING:
    from tracelens import settings
    from tracelens.answers.snapshot import IndexSnapshot
    from tracelens_indexer.store import Index

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0


class Workspace:
    """One root with its index, if there is one yet. Used by the event loop's thread alone."""

    def __init__(self, root: Path, choice: str = "", hot: Hot | None = None) -> None:
        self.root = root
        self.problem = ""
        """Why there is no index to ask, as the store says it; "" when there is one."""
        self._database = Layout(root).database
        self._index: Index | None = None
        self._identity: tuple[int, int] | None = None
        self._snapshot: IndexSnapshot | None = None
        self._tried = 0.0
        self.choice = choice
        """Which runs are shown, as in answers/choose.py."""
        self._hot = hot or Hot()
        self._settings: tuple[object, settings.Settings] | None = None
        self._told: tuple[object, ...] = ()

    def snapshot(self) -> IndexSnapshot | None:
        """The index as it is now; None, and `problem` says why, when it cannot be asked."""
        # Here and not above: a start is answered before anything of an index is loaded.
        from tracelens.answers.choose import seen_through
        from tracelens_indexer.store import Index

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
            self._snapshot = seen_through(self._index, self.choice, self._hot)
        return self._snapshot

    def choose(self, choice: str) -> None:
        self.choice, self._snapshot = choice, None

    def call_hot(self, hot: Hot) -> None:
        """What counts as hot from now on."""
        self._hot, self._snapshot = hot, None

    def configured(self) -> settings.Settings:
        """The project's and the user's settings; read again when one of their files changes."""
        from tracelens import settings

        stamp = tuple(_changed_ns(file) for file in (self.root / "pyproject.toml", settings.user_file()))
        if self._settings is None or self._settings[0] != stamp:
            try:
                self._settings = (stamp, settings.load(self.root))
            except TraceLensError as error:
                _log.warning("%s", error)
                self._settings = (stamp, settings.Settings())
        return self._settings[1]

    def changed(self) -> bool:
        """Whether the index is another than when this was last asked; cheap enough for a timer."""
        snapshot = self.snapshot()
        now = (self._identity, snapshot and snapshot.generation, self.choice)
        changed, self._told = now != self._told, now
        return changed

    def forget(self) -> None:
        """Close the index, so that the next question opens it anew."""
        index, self._index, self._snapshot = self._index, None, None
        if index is not None:
            index.close()

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
        self.choice = ""
        """Which runs a workspace shows that is met from now on."""
        self._hot = Hot()
        self._by_root: dict[Path, Workspace] = {}
        self._root_of_folder: dict[Path, Path] = {}

    def call_hot(self, hot: Hot) -> None:
        """What counts as hot, in all of them."""
        self._hot = hot
        for workspace in self.known():
            workspace.call_hot(hot)

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
        return self._by_root.setdefault(root, Workspace(root, self.choice, self._hot))

    def open_folders(self, folders: list[Path]) -> None:
        self.folders = [_real(folder) for folder in folders]
        self._root_of_folder.clear()
        roots = [workspace_root(folder) for folder in self.folders]
        for root, workspace in list(self._by_root.items()):
            if root not in roots and not any(root.is_relative_to(folder) for folder in self.folders):
                workspace.forget()
                del self._by_root[root]
        for root in roots:
            self.at(root)

    def look_again(self) -> None:
        """A store may have been made in a folder that had none, and be nearer than the root found before."""
        self._root_of_folder.clear()


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
