"""initialize, initialized and shutdown"""

from __future__ import annotations

from lsprotocol import types as lsp

from tracelens_lsp import capabilities, convert
from tracelens_lsp.session import Session
from tracelens_lsp.settings import updated


def initialize(session: Session, params: lsp.InitializeParams) -> None:
    encoding = session.server.protocol.workspace.position_encoding
    session.client = capabilities.of(params, convert.encoding_named(encoding))
    session.settings = updated(session.settings, params.initialization_options, initial=True)
    uris = [folder.uri for folder in params.workspace_folders or ()]
    if not uris and params.root_uri:
        uris = [params.root_uri]
    session.workspaces.open_folders([path for uri in uris if (path := convert.path_of(uri)) and path.is_dir()])


def initialized(session: Session, params: lsp.InitializedParams) -> None:
    session.start()
    if session.client.watches_files:
        patterns = ("**/.tracelens/index.db*", "**/*.{py,pyi,pyw}")
        watchers = [lsp.FileSystemWatcher(glob_pattern=pattern) for pattern in patterns]
        session.server.client_register_capability(
            lsp.RegistrationParams(
                [
                    lsp.Registration(
                        id="index",
                        method=lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES,
                        register_options=lsp.DidChangeWatchedFilesRegistrationOptions(watchers),
                    )
                ]
            )
        )


def shutdown(session: Session, params: None) -> None:
    session.stop()
