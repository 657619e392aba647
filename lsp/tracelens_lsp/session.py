"""What one client has open: documents, workspaces, settings, abilities; and when it is told that something changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens_indexer import memory
from tracelens_lsp import uris
from tracelens_lsp.capabilities import Client
from tracelens_lsp.saving import Refresher
from tracelens_lsp.settings import Settings, updated
from tracelens_lsp.views import Views
from tracelens_lsp.worker import SearchWorker
from tracelens_lsp.workspaces import Workspace, Workspaces

if TYPE_CHECKING:
    from tracelens.answers.document import DocumentSnapshot
    from tracelens.answers.snapshot import IndexSnapshot
    from tracelens_lsp.documents import OpenDocument
    from tracelens_lsp.protocol.connection import Connection

_log = logging.getLogger(__name__)

_WATCH_SECONDS = 1.0
_TYPING_SECONDS = 0.3
_SETTLED_SECONDS = 5.0
_CONFIGURATION_SECONDS = 5.0
_LARGEST_FILE = 20 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is answered from: one version of a document and one generation of its index."""

    document: DocumentSnapshot
    index: IndexSnapshot


class Session:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.client = Client()
        self.settings = Settings()
        self.workspaces = Workspaces()
        self.documents: dict[str, OpenDocument] = {}
        self.views = Views(self)
        self._searchers: dict[Path, SearchWorker] = {}
        self._refreshers: dict[Path, Refresher] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._pushes: dict[str, asyncio.TimerHandle] = {}
        self.on_changed: Callable[[], None] = lambda: None
        """Called after the index changed, to refresh what is shown; set by the server."""
        self.cancellable: dict[int | str, asyncio.Task[Any]] = {}
        """What a progress bar shows, by its token."""
        self.push: Callable[[str], None] = lambda uri: None
        """Publishes the diagnostics of a document; set by the server."""

    # -- questions ---------------------------------------------------------------------------------------------

    def ask(self, uri: str) -> Asked | None:
        """The snapshots to answer from; None for what is not a file of an indexed workspace."""
        document = self.document(uri)
        workspace = self.workspace(uri)
        index = workspace.snapshot() if workspace else None
        return Asked(document, index) if document and index else None

    def document(self, uri: str) -> DocumentSnapshot | None:
        """An open document as it is now, else the file on disk; None when there is neither."""
        opened = self.documents.get(uri)
        if opened:
            return opened.snapshot
        path = uris.path_of(uri)
        at = self.workspaces.of(path) if path else None
        if path is None or at is None or path.suffix not in (".py", ".pyi", ".pyw"):
            return None
        from tracelens.answers.document import DocumentSnapshot

        try:
            if path.stat().st_size > _LARGEST_FILE:
                return None
            return DocumentSnapshot(at[1], path.read_bytes())
        except OSError:
            return None

    def workspace(self, uri: str) -> Workspace | None:
        path = uris.path_of(uri)
        at = self.workspaces.of(path) if path else None
        return at[0] if at else None

    def path_in_workspace(self, uri: str) -> tuple[Path, str] | None:
        """(root of the workspace, path in it) of a file; None outside."""
        path = uris.path_of(uri)
        at = self.workspaces.of(path) if path else None
        return (at[0].root, at[1]) if at else None

    def opened(self, root: Path) -> dict[str, DocumentSnapshot]:
        """The open documents of one workspace by path."""
        return {d.snapshot.path: d.snapshot for d in self.documents.values() if d.root == root}

    def choose(self, choice: str) -> None:
        """Which runs every surface shows."""
        self.workspaces.choice = choice
        for workspace in self.workspaces.known():
            workspace.choose(choice)
        self.look_at_indexes()

    def forget_indexes(self) -> None:
        for workspace in self.workspaces.known():
            workspace.forget()

    def searcher(self, root: Path) -> SearchWorker:
        return self._searchers.setdefault(root, SearchWorker(root))

    def saved(self, workspace: Workspace) -> None:
        """Files of a workspace changed on disk: its index, if it has one, follows."""
        if not self.settings.index_on_save or workspace.snapshot() is None:
            return
        root = workspace.root
        if root not in self._refreshers:
            self._refreshers[root] = Refresher(root, self.look_at_indexes)
        self._refreshers[root].saved()

    async def settled(self, root: Path) -> None:
        """Wait until what was saved in a workspace is in its index."""
        if root in self._refreshers:
            await self._refreshers[root].settled()

    # -- time --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """After `initialized`: watch the indexes, and ask for configuration where the client has some."""
        self.task(self._watch())
        # By then the first questions have loaded what they needed, which stays: see server.py.
        asyncio.get_running_loop().call_later(_SETTLED_SECONDS, memory.keep)
        if self.client.has_configuration:
            self.task(self.pull_configuration())

    def stop(self) -> None:
        """At `shutdown`. Not async: a client may send `exit` right behind it."""
        for timer in self._pushes.values():
            timer.cancel()
        for task in list(self._tasks):
            task.cancel()
        for searcher in self._searchers.values():
            searcher.stop()
        for refresher in self._refreshers.values():
            refresher.stop()
        self.views.remove()
        self.forget_indexes()

    def task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run beside the requests; its errors are logged and end nothing else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("in the background: %s", error, exc_info=error)

    def typed(self, uri: str) -> None:
        """A document changed: its diagnostics are published once the typing pauses, where the client does not pull."""
        if self.client.pulls_diagnostics:
            return
        if timer := self._pushes.pop(uri, None):
            timer.cancel()
        self._pushes[uri] = asyncio.get_running_loop().call_later(_TYPING_SECONDS, self._push, uri)

    def _push(self, uri: str) -> None:
        self._pushes.pop(uri, None)
        self.push(uri)

    def look_at_indexes(self) -> None:
        """Tell the client when an index is another than it was."""
        # Every one is asked: each remembers what it last told.
        changed = [workspace for workspace in self.workspaces.known() if workspace.changed()]
        if changed:
            self.on_changed()

    async def _watch(self) -> None:
        while True:
            try:
                if any(workspace.problem for workspace in self.workspaces.known()):
                    self.workspaces.look_again()
                self.look_at_indexes()
            except Exception:
                _log.exception("looking at the index")
                self.forget_indexes()
            await asyncio.sleep(_WATCH_SECONDS)

    # -- settings ----------------------------------------------------------------------------------------------

    async def pull_configuration(self) -> None:
        items = {"items": [{"section": "tracelens"}]}
        with contextlib.suppress(Exception):
            answer = await asyncio.wait_for(
                self.connection.ask("workspace/configuration", items, list[Any]), _CONFIGURATION_SECONDS
            )
            self.configure(answer)

    def configure(self, said: Sequence[Any] | None) -> None:
        """Take over what a client says of the section `tracelens`."""
        before = self.settings
        self.settings = updated(self.settings, said[0] if said else None)
        if self.settings.run != before.run:
            self.choose(self.settings.run)
        if self.settings.hot != before.hot:
            self.workspaces.call_hot(self.settings.hot)
        if self.settings != before:
            self.on_changed()
