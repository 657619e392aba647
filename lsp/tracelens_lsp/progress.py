"""Work that takes a while, with the client's progress bar and its cancel button."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from tracelens_lsp.worker import Progress

if TYPE_CHECKING:
    from tracelens_lsp.session import Session

_PATIENCE_SECONDS = 2.0


@asynccontextmanager
async def showing(session: Session, title: str) -> AsyncIterator[Progress]:
    """Yields the function that work calls with (stage, done, total). Cancelling it in the client cancels the work."""
    if not session.client.progress:
        yield lambda stage, done, total: None
        return
    bar = session.server.work_done_progress
    token = str(uuid.uuid4())
    created = False
    with contextlib.suppress(Exception):
        await asyncio.wait_for(bar.create_async(token), _PATIENCE_SECONDS)
        created = True
    if not created:
        yield lambda stage, done, total: None
        return
    bar.begin(token, lsp.WorkDoneProgressBegin(title=title, cancellable=True, percentage=0))
    work = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def cancelled(_: object) -> None:
        if bar.tokens[token].cancelled() and work is not None:
            loop.call_soon_threadsafe(work.cancel)

    bar.tokens[token].add_done_callback(cancelled)

    def report(stage: str, done: int, total: int) -> None:
        percentage = min(100, 100 * done // total) if total else None
        bar.report(token, lsp.WorkDoneProgressReport(message=stage, percentage=percentage))

    try:
        yield report
    finally:
        bar.end(token, lsp.WorkDoneProgressEnd())
        bar.tokens.pop(token, None)
