"""initialize, initialized, shutdown, and the cancel button of a progress bar"""

from __future__ import annotations

from typing import Any

from tracelens import __version__
from tracelens_lsp import capabilities, uris
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session
from tracelens_lsp.settings import updated


def initialize(session: Session, params: lsp.InitializeParams, commands: list[str]) -> dict[str, Any]:
    session.client = capabilities.of(params)
    session.settings = updated(session.settings, params.initialization_options, initial=True)
    session.workspaces.choice = session.settings.run
    session.workspaces.call_hot(session.settings.hot)
    folders = [folder.uri for folder in params.workspace_folders or ()]
    if not folders and params.root_uri:
        folders = [params.root_uri]
    session.workspaces.open_folders([path for uri in folders if (path := uris.path_of(uri)) and path.is_dir()])
    return {
        "capabilities": capabilities.offered(session.client, commands),
        "serverInfo": {"name": "tracelens", "version": __version__},
    }


def initialized(session: Session, params: Any) -> None:
    session.start()
    if session.client.watches_files:
        watchers = [{"globPattern": pattern} for pattern in ("**/.tracelens/index.db*", "**/*.{py,pyi,pyw}")]
        watch = {"id": "index", "method": "workspace/didChangeWatchedFiles", "registerOptions": {"watchers": watchers}}
        session.connection.post("client/registerCapability", {"registrations": [watch]})


async def shutdown(session: Session, params: Any) -> None:
    session.stop()


def progress_cancelled(session: Session, params: lsp.WorkDoneProgressCancelParams) -> None:
    work = session.cancellable.get(params.token)
    if work is not None:
        work.cancel()
