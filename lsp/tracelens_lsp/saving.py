"""The index follows what is saved: by a process that keeps the linked program, by the one-shot command where it fails.

Only a workspace that has an index is indexed again; nobody gets one by opening a folder.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from tracelens_lsp import worker
from tracelens_lsp.companion import Companion, Gone

_log = logging.getLogger(__name__)

_TOGETHER_SECONDS = 0.1
"""Files that are saved within this time are indexed together."""
_PATIENCE_SECONDS = 30.0
"""How long what follows a save is waited for."""
_MOST_DEATHS = 2
"""A process that dies so often without an answer in between is not started again."""


class Refresher:
    """Keeps the index of one workspace up to date after saves; one refresh at a time, started by the first save."""

    def __init__(self, root: Path, refreshed: Callable[[], None]) -> None:
        self._root = root
        self._refreshed = refreshed
        self._companion: Companion | None = None
        self._deaths = 0
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def saved(self) -> None:
        """Files have changed on disk."""
        if self._task is not None and not self._task.done():
            self._again = True
        else:
            self._task = asyncio.create_task(self._run())

    async def settled(self) -> None:
        """Wait until what was saved is in the index."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=_PATIENCE_SECONDS)

    def stop(self) -> None:
        if self._task:
            self._task.cancel()
        if self._companion:
            self._companion.stop()

    async def _run(self) -> None:
        self._again = True
        while self._again:
            await asyncio.sleep(_TOGETHER_SECONDS)
            self._again = False
            try:
                await self._refresh()
            except OSError as error:
                _log.warning("after a save: %s", error)
            self._refreshed()

    async def _refresh(self) -> None:
        while self._deaths < _MOST_DEATHS:
            try:
                if self._companion is None or self._companion.gone:
                    self._companion = await Companion.start("index", self._root)
                reply = await self._companion.ask()
            except Gone:
                self._deaths += 1
                _log.info("the index process of %s ended", self._root)
                continue
            self._deaths = 0
            if "error" in reply:
                _log.info("after a save: %s", reply["error"])
            return
        await worker.run(self._root, ["index", str(self._root)])
