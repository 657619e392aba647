"""A process of `tracelens.cli.worker` that stays: a line of JSON asks, a line of JSON answers.

Like every child of the server it inherits none of the protocol's streams and imports nothing from the user's folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

LONGEST_LINE = 64 * 1024 * 1024
_NICENESS = 10
"""A tenth of what others get where the processor is short: enough to come to an end. With a third, a hover beside three
of these took three times as long as alone."""


class Gone(Exception):
    """The process has ended, by itself or by somebody else, and answers nothing any more."""


def give_way(child: int) -> None:
    """Let a child have what the server, and whatever else the person runs, leave of the processor."""
    with contextlib.suppress(OSError, AttributeError):
        # Of the server's own: an editor may be started with less than others.
        os.setpriority(os.PRIO_PROCESS, child, min(19, os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS))
    # What is a batch job takes no processor from somebody by waking up.
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(child, os.SCHED_BATCH, os.sched_param(0))
    # On Linux a session may be a group of its own for the scheduler: niceness counts between groups as well.
    with contextlib.suppress(OSError):
        Path(f"/proc/{child}/autogroup").write_text(str(_NICENESS))


class Companion:
    """One process. When it has ended it is not started again: make another."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, kind: str, root: Path) -> Companion:
        """Raises OSError when it cannot be started."""
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "tracelens.cli.worker",
            kind,
            "--root",
            str(root),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LONGEST_LINE,
            env=environment(),
            start_new_session=True,
        )
        if kind == "index":  # somebody waits for a search
            give_way(child.pid)
        return cls(child)

    @property
    def gone(self) -> bool:
        return self._child.returncode is not None or self._listening.done()

    async def ask(self, **request: Any) -> dict[str, Any]:
        """The answer. Raises Gone when the process ends before it has answered."""
        if self.gone:
            raise Gone
        self._next += 1
        number = self._next
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[number] = future
        try:
            assert self._child.stdin
            self._child.stdin.write(json.dumps({"id": number, **request}).encode() + b"\n")
            await self._child.stdin.drain()
            return await future
        except OSError as error:
            raise Gone from error
        finally:
            self._answers.pop(number, None)

    def stop(self) -> None:
        """End it at once: what it had not finished writing is as if it had never been begun."""
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
        self._listening.cancel()

    async def _listen(self) -> None:
        assert self._child.stdout
        try:
            async for line in self._child.stdout:
                reply = _reply(line)
                future = self._answers.get(reply.get("id", -1))
                if future is not None and not future.done():
                    future.set_result(reply)
            await self._child.wait()
        finally:
            for future in self._answers.values():
                if not future.done():
                    future.set_exception(Gone())


def environment(python: str = "") -> dict[str, str]:
    """Of a child: Python's safe path, since its working folder may be the user's. `python` runs the user's programs."""
    found = {**os.environ, "PYTHONSAFEPATH": "1", "NO_COLOR": "1"}
    if python:
        found["TRACELENS_PYTHON"] = python
    return found


def _reply(line: bytes) -> dict[str, Any]:
    try:
        reply = json.loads(line)
    except ValueError:
        return {}
    return reply if isinstance(reply, dict) else {}
