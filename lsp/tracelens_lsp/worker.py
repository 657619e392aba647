"""Long work in other processes: the command line run as a child, and one search process that stays.

Nothing heavy is ever loaded here, and no child inherits the protocol's streams. Children run with Python's safe path:
their working folder is the user's workspace, whose modules must not be imported in place of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tracelens_lsp.companion import LONGEST_LINE, Companion, Gone, environment, give_way

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 2.0
"""How long a child that is told to stop may take."""
_SEARCH_SECONDS = 1.0
"""How long a search may take before names alone are answered."""
_SEARCH_START_SECONDS = 60.0

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total)."""


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    output: str
    said: str
    """The last line that is not progress, which says what went wrong."""


async def run(root: Path, arguments: list[str], progress: Progress | None = None, python: str = "") -> Finished:
    """Run `tracelens ARGUMENTS` in a workspace. Cancelling stops the child and all that it started."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "tracelens.cli",
        *arguments,
        cwd=root,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        env=environment(python),
        start_new_session=True,
    )
    assert child.stdout and child.stderr
    give_way(child.pid)
    said: list[str] = []
    try:
        output, _ = await asyncio.gather(child.stdout.read(), _listen(child.stderr, said, progress))
        code = await child.wait()
    finally:
        if child.returncode is None:
            await _stop(child)
    return Finished(code, output.decode("utf-8", "replace"), said[-1] if said else "")


async def _listen(stream: asyncio.StreamReader, said: list[str], progress: Progress | None) -> None:
    async for raw in stream:
        line = raw.decode("utf-8", "replace").strip()
        if not line:
            continue
        step = _progress(line)
        if step is None:
            said.append(line.removeprefix("tracelens: "))
            del said[:-20]
            _log.info("%s", line)
        elif progress:
            progress(*step)


def _progress(line: str) -> tuple[str, int, int] | None:
    if not line.startswith("{"):
        return None
    try:
        step = json.loads(line)
        return str(step["stage"]), int(step["done"]), int(step["total"])
    except (ValueError, KeyError, TypeError):
        return None


async def _stop(child: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(child.wait(), _PATIENCE_SECONDS)
            return


class SearchWorker:
    """Hybrid search in a process that keeps its table and model loaded; started by the first search."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._companion: Companion | None = None
        self._starting: asyncio.Task[None] | None = None
        self._ready = False

    async def search(self, query: str, limit: int) -> list[int]:
        """Unit ids, best first; none while the process is not ready, or when it takes too long."""
        if len(query.strip()) < 3:
            return []
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        if not self._ready or self._companion is None:
            return []
        try:
            reply = await asyncio.wait_for(self._companion.ask(query=query, limit=limit), _SEARCH_SECONDS)
        except (TimeoutError, Gone):
            return []
        if "error" in reply:
            _log.info("search: %s", reply["error"])
        return [hit["unit"] for hit in reply.get("hits", ()) if isinstance(hit.get("unit"), int)]

    async def search_when_ready(self, query: str, limit: int) -> list[int]:
        """As `search`, by somebody who waits until the process is there."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        await self._starting
        return await self.search(query, limit)

    def stop(self) -> None:
        """End it at once: it only reads."""
        if self._starting:
            self._starting.cancel()
        if self._companion:
            self._companion.stop()

    async def _start(self) -> None:
        try:
            self._companion = await Companion.start("search", self._root)
            # The first search loads what later ones find loaded.
            await asyncio.wait_for(self._companion.ask(query="warm up", limit=1), _SEARCH_START_SECONDS)
            self._ready = True
        except (TimeoutError, OSError, Gone) as error:
            _log.info("search by meaning is not available: %s", error or "it takes too long to start")
