"""workspace/didChangeWatchedFiles, didChangeConfiguration and didChangeWorkspaceFolders"""

from __future__ import annotations

from tracelens_lsp import uris
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.session import Session


def did_change_watched_files(session: Session, params: lsp.DidChangeWatchedFilesParams) -> None:
    # What is saved in the editor was told already; this is another branch, a formatter, a file that went.
    elsewhere = {change.uri for change in params.changes if change.uri.endswith((".py", ".pyi", ".pyw"))}
    for workspace in {workspace for uri in elsewhere if (workspace := session.workspace(uri)) is not None}:
        session.saved(workspace)
    session.look_at_indexes()


def did_change_configuration(session: Session, params: lsp.DidChangeConfigurationParams) -> None:
    settings = params.settings
    if isinstance(settings, dict) and isinstance(settings.get("tracelens"), dict):
        session.configure([settings["tracelens"]])
    elif session.client.has_configuration:
        session.task(session.pull_configuration())


def did_change_folders(session: Session, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
    removed = {uris.path_of(folder.uri) for folder in params.event.removed}
    added = [path for folder in params.event.added if (path := uris.path_of(folder.uri))]
    kept = [folder for folder in session.workspaces.folders if folder not in removed]
    session.workspaces.open_folders([*kept, *added])
    session.look_at_indexes()
