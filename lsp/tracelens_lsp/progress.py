"""Work that takes a while, with the client's progress bar and its cancel button."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tracelens_lsp.worker import Progress

if TYPE_CHECKING:
    from tracelens_lsp.session import Session

_PATIENCE_SECONDS = 2.0
_numbers = itertools.count(1)


@asynccontextmanager
async def showing(session: Session, title: str) -> AsyncIterator[Progress]:
    """Yields the function that work calls with (stage, done, total). Cancelling it in the client cancels the work."""
    token = f"tracelens-{next(_numbers)}"
    if not session.client.progress or not await _created(session, token):
        yield lambda stage, done, total: None
        return

    def tell(value: dict[str, Any]) -> None:
        session.connection.tell("$/progress", {"token": token, "value": value})

    def report(stage: str, done: int, total: int) -> None:
        share = {"percentage": min(100, 100 * done // total)} if total else {}
        tell({"kind": "report", "message": stage, **share})

    tell({"kind": "begin", "title": title, "cancellable": True, "percentage": 0})
    work = asyncio.current_task()
    assert work is not None
    session.cancellable[token] = work
    try:
        yield report
    finally:
        del session.cancellable[token]
        session.connection.tell("$/progress", _ended(token))


async def _created(session: Session, token: str) -> bool:
    """Whether the client has a bar for us. One that it makes later, it takes away again."""
    asking = session.task(session.connection.ask("window/workDoneProgress/create", {"token": token}, object))
    done: set[asyncio.Task[Any]] = set()
    try:
        done, _ = await asyncio.wait([asking], timeout=_PATIENCE_SECONDS)
    finally:
        if not done:
            # Helix answers nothing while it waits for an edit, and its bar would stay for ever.
            asking.add_done_callback(lambda _: session.connection.tell("$/progress", _ended(token)))
    return bool(done) and asking.exception() is None


def _ended(token: str) -> dict[str, Any]:
    return {"token": token, "value": {"kind": "end"}}
