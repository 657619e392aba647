"""The server's start: its options, and which handler answers which method."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import cache, partial
from importlib import import_module
from typing import Any

from tracelens import __version__
from tracelens_indexer import memory
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.protocol.connection import Connection, Notification, Request, ResponseError
from tracelens_lsp.requests import lifecycle
from tracelens_lsp.session import Session

_log = logging.getLogger("tracelens_lsp")

# Handlers are named, as `module.function` of requests/, and imported when they are first asked for: to load them all is
# a third of a start, of which a person who hovers waits for one.
_REQUESTS: tuple[tuple[str, Any, str], ...] = (
    ("shutdown", Any, "lifecycle.shutdown"),
    ("textDocument/hover", lsp.PositionParams, "hover.hover"),
    ("textDocument/codeLens", lsp.DocumentParams, "code_lens.code_lens"),
    ("codeLens/resolve", lsp.CodeLens, "code_lens.resolve"),
    ("textDocument/inlayHint", lsp.InlayHintParams, "inlay_hint.inlay_hint"),
    ("inlayHint/resolve", lsp.InlayHint, "inlay_hint.resolve"),
    ("textDocument/diagnostic", lsp.DocumentDiagnosticParams, "diagnostic.diagnostic"),
    ("textDocument/codeAction", lsp.CodeActionParams, "code_action.code_action"),
    ("codeAction/resolve", lsp.CodeAction, "code_action.resolve"),
    ("textDocument/documentSymbol", lsp.DocumentParams, "document_symbol.document_symbol"),
    ("workspace/symbol", lsp.WorkspaceSymbolParams, "workspace_symbol.workspace_symbol"),
    ("textDocument/prepareCallHierarchy", lsp.PositionParams, "call_hierarchy.prepare"),
    ("callHierarchy/incomingCalls", lsp.CallHierarchyCallsParams, "call_hierarchy.incoming"),
    ("callHierarchy/outgoingCalls", lsp.CallHierarchyCallsParams, "call_hierarchy.outgoing"),
    ("tracelens/runs", Any, "custom.runs"),
    ("tracelens/heat", lsp.DocumentParams, "custom.heat"),
    ("tracelens/overview", Any, "custom.overview"),
    ("tracelens/flameGraph", Any, "custom.flame_graph"),
)
_NOTIFICATIONS: tuple[tuple[str, Any, str], ...] = (
    ("initialized", Any, "lifecycle.initialized"),
    ("textDocument/didOpen", lsp.DidOpenTextDocumentParams, "documents.did_open"),
    ("textDocument/didChange", lsp.DidChangeTextDocumentParams, "documents.did_change"),
    ("textDocument/didSave", lsp.DocumentParams, "documents.did_save"),
    ("textDocument/didClose", lsp.DocumentParams, "documents.did_close"),
    ("window/workDoneProgress/cancel", lsp.WorkDoneProgressCancelParams, "lifecycle.progress_cancelled"),
    ("workspace/didChangeWatchedFiles", lsp.DidChangeWatchedFilesParams, "workspace.did_change_watched_files"),
    ("workspace/didChangeConfiguration", lsp.DidChangeConfigurationParams, "workspace.did_change_configuration"),
    ("workspace/didChangeWorkspaceFolders", lsp.DidChangeWorkspaceFoldersParams, "workspace.did_change_folders"),
)
COMMANDS: Mapping[str, str] = {
    "tracelens.showCalls": "execute_command.show_calls",
    "tracelens.show": "execute_command.show",
    "tracelens.why": "execute_command.why",
    "tracelens.explain": "execute_command.explain",
    "tracelens.showCallers": "execute_command.show_callers",
    "tracelens.similar": "execute_command.similar",
    "tracelens.chooseRun": "execute_command.choose_run",
    "tracelens.fix": "execute_command.fix",
    "tracelens.make": "execute_command.make",
    "tracelens.replay": "execute_command.replay",
    "tracelens.index": "execute_command.index",
    "tracelens.import": "execute_command.import_",
}


@cache
def handler(name: str) -> Callable[..., Any]:
    """What a name of the tables above stands for."""
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"tracelens_lsp.requests.{module}"), function)
    return found


def handlers() -> list[str]:
    """The names of all handlers."""
    return [*(name for _, _, name in (*_REQUESTS, *_NOTIFICATIONS)), *COMMANDS.values()]


def methods(session: Session) -> dict[str, Request | Notification]:
    """Every method that the server knows, bound to a session."""

    async def initialize(params: lsp.InitializeParams) -> dict[str, Any]:
        return lifecycle.initialize(session, params, list(COMMANDS))

    async def execute(params: lsp.ExecuteCommandParams) -> None:
        await _commanded(session, params)

    return {
        "initialize": Request(lsp.InitializeParams, initialize),
        "workspace/executeCommand": Request(lsp.ExecuteCommandParams, execute),
        **{method: Request(params, _answered(session, name)) for method, params, name in _REQUESTS},
        **{method: Notification(params, _told(session, name)) for method, params, name in _NOTIFICATIONS},
    }


def _answered(session: Session, name: str) -> Callable[[Any], Coroutine[Any, Any, Any]]:
    """A request's handler that never fails: what goes wrong is logged and answered with nothing."""

    async def answer(params: Any) -> Any:
        try:
            return await handler(name)(session, params)
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("%s", name)
            # The index may have been damaged or replaced underneath: the next question opens it anew.
            session.forget_indexes()
            return params if name.endswith(".resolve") else None

    return answer


def _told(session: Session, name: str) -> Callable[[Any], None]:
    def tell(params: Any) -> None:
        try:
            handler(name)(session, params)
        except Exception:
            _log.exception("%s", name)

    return tell


async def _commanded(session: Session, params: lsp.ExecuteCommandParams) -> None:
    name = COMMANDS.get(params.command)
    if name is None:
        raise ResponseError(lsp.ErrorCode.INVALID_PARAMS, f"there is no command {params.command[:100]!r}")
    try:
        await handler(name)(session, *(params.arguments or ()))
    except asyncio.CancelledError:
        raise
    except Exception:
        _log.exception("%s", name)
        session.views.say("TraceLens: that did not work; the server's log says why", lsp.MessageType.ERROR)


def _refresh(session: Session) -> None:
    """Have the client ask again for what is shown; where it cannot be told, publish what can be pushed."""
    connection, client = session.connection, session.client
    if client.paints:
        connection.tell("tracelens/changed", {})
    if client.refreshes_lenses:
        connection.post("workspace/codeLens/refresh")
    if client.refreshes_hints:
        connection.post("workspace/inlayHint/refresh")
    if client.pulls_diagnostics and client.refreshes_diagnostics:
        connection.post("workspace/diagnostic/refresh")
    elif not client.pulls_diagnostics:
        for uri in list(session.documents):
            session.push(uri)


async def serve(file: int, read: Callable[[int], bytes], write: Callable[[bytes], object]) -> int:
    """Serve one client until it goes; the exit code."""
    connection = Connection(file, read, write)
    session = Session(connection)
    session.on_changed = lambda: _refresh(session)
    session.push = _told(session, "diagnostic.push")
    try:
        return await connection.run(methods(session))
    finally:
        # A client that is killed says no goodbye.
        session.stop()


def main() -> None:
    """Entry point of the console script."""
    parser = argparse.ArgumentParser(prog="tracelens-lsp", description="The TraceLens language server.")
    parser.add_argument("--stdio", action="store_true", help="Speak over standard input and output (the default).")
    parser.add_argument("--tcp", metavar="HOST:PORT", help="Listen on a loopback address instead, for debugging.")
    parser.add_argument("--log-level", default="warning", choices=["debug", "info", "warning", "error"])
    parser.add_argument("--version", action="version", version=f"tracelens-lsp {__version__}")
    # Clients add options of their own (--clientProcessId=…), which are no reason not to start.
    arguments, _ = parser.parse_known_args()
    address = _loopback(arguments.tcp, parser) if arguments.tcp else None
    logging.basicConfig(
        stream=sys.stderr, level=arguments.log_level.upper(), format="%(levelname)s %(name)s: %(message)s"
    )
    # What is loaded by now stays: looking through it again and again would be most of an answer's worst time.
    memory.keep()
    gc.set_threshold(20_000, 20, 50)
    if address:
        sys.exit(asyncio.run(_over_tcp(address)))
    # Standard output is the protocol's alone: whatever else prints goes to standard error.
    stdin, stdout = sys.stdin.fileno(), os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if hasattr(os, "set_blocking"):  # Windows before Python 3.12 has none
        # Whoever started us may have wanted it otherwise; half a message would be the end of the conversation.
        os.set_blocking(stdout, True)
    sys.exit(asyncio.run(serve(stdin, partial(os.read, stdin), partial(_write, stdout))))


def _write(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


async def _over_tcp(address: tuple[str, int]) -> int:
    """Serve the first client that comes."""
    import socket

    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.create_server(address, family=family) as listening:
        client, _ = listening.accept()
    with client:
        return await serve(client.fileno(), client.recv, client.sendall)


def _loopback(text: str, parser: argparse.ArgumentParser) -> tuple[str, int]:
    import ipaddress

    host, _, port = text.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback or not port.isdigit() or int(port) > 65535:
        parser.error(f"--tcp {text}: must be a loopback address and a port, such as 127.0.0.1:2087")
    return host, int(port)


if __name__ == "__main__":
    main()
