"""Texts shown beside the code: recorded calls, a profile, an explanation.

They are written to a private folder of this process, since they hold recorded values, and opened by the client; a
client that cannot open documents gets their first lines as a message.
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens_lsp import uris
from tracelens_lsp.protocol import types as lsp

if TYPE_CHECKING:
    from tracelens_lsp.session import Session

_MESSAGE_LINES = 12


class Views:
    def __init__(self, session: Session) -> None:
        self._session = session
        self._folder: Path | None = None

    async def show(self, name: str, text: str) -> None:
        """Open a text; `name` is what the person sees as its file name."""
        session = self._session
        if session.client.shows_documents:
            file = self.keep(f"{name}.txt", text.encode("utf-8", "replace"))
            document = {"uri": uris.uri_of(file), "takeFocus": True}
            shown = await session.connection.ask("window/showDocument", document, dict[str, Any])
            if shown and shown.get("success"):
                return
        lines = text.strip().splitlines()
        more = f"\n… {len(lines) - _MESSAGE_LINES} more lines" if len(lines) > _MESSAGE_LINES else ""
        self.say("\n".join(lines[:_MESSAGE_LINES]) + more)

    def keep(self, name: str, content: bytes) -> Path:
        """A file of the private folder, which goes when the server ends."""
        if self._folder is None:
            # Made by this process for this user alone (mode 0700).
            self._folder = Path(tempfile.mkdtemp(prefix="tracelens-"))
            # A client that is killed says no goodbye.
            atexit.register(self.remove)
        stem, dot, suffix = name.rpartition(".")
        file = self._folder / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', stem)[:80]}{dot}{suffix}"
        file.write_bytes(content)
        return file

    def say(self, text: str, kind: lsp.MessageType = lsp.MessageType.INFO) -> None:
        self._session.connection.tell("window/showMessage", {"type": kind, "message": text})

    async def ask(self, text: str, titles: list[str]) -> str:
        """The title that the person picks; "" where none is."""
        actions = [{"title": title} for title in titles]
        asked = {"type": lsp.MessageType.INFO, "message": text, "actions": actions}
        picked = await self._session.connection.ask("window/showMessageRequest", asked, dict[str, Any])
        return str(picked.get("title", "")) if picked else ""

    def remove(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
