"""The server's start: its options, and which handler answers which method."""

from __future__ import annotations

import argparse
import asyncio
import gc
import ipaddress
import logging
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from tracelens import __version__
from tracelens_lsp.protocol import Protocol
from tracelens_lsp.requests import (
    call_hierarchy,
    code_action,
    code_lens,
    custom,
    diagnostic,
    documents,
    execute_command,
    hover,
    inlay_hint,
    lifecycle,
    workspace,
    workspace_symbol,
)
from tracelens_lsp.session import Session

_log = logging.getLogger("tracelens_lsp")

_Handler = Callable[[Session, Any], Coroutine[Any, Any, Any]]
_Notified = Callable[[Session, Any], None]

_REQUESTS: tuple[tuple[str, _Handler, Any], ...] = (
    (lsp.TEXT_DOCUMENT_HOVER, hover.hover, None),
    (lsp.TEXT_DOCUMENT_CODE_LENS, code_lens.code_lens, lsp.CodeLensOptions(resolve_provider=True)),
    (lsp.CODE_LENS_RESOLVE, code_lens.resolve, None),
    (lsp.TEXT_DOCUMENT_INLAY_HINT, inlay_hint.inlay_hint, lsp.InlayHintOptions(resolve_provider=True)),
    (lsp.INLAY_HINT_RESOLVE, inlay_hint.resolve, None),
    (
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        code_action.code_action,
        lsp.CodeActionOptions(
            code_action_kinds=[lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.RefactorRewrite], resolve_provider=True
        ),
    ),
    (lsp.CODE_ACTION_RESOLVE, code_action.resolve, None),
    (lsp.WORKSPACE_SYMBOL, workspace_symbol.workspace_symbol, None),
    (lsp.TEXT_DOCUMENT_PREPARE_CALL_HIERARCHY, call_hierarchy.prepare, None),
    (lsp.CALL_HIERARCHY_INCOMING_CALLS, call_hierarchy.incoming, None),
    (lsp.CALL_HIERARCHY_OUTGOING_CALLS, call_hierarchy.outgoing, None),
    ("tracelens/runs", custom.runs, None),
    ("tracelens/heat", custom.heat, None),
    ("tracelens/overview", custom.overview, None),
    ("tracelens/flameGraph", custom.flame_graph, None),
)
_NOTIFICATIONS: tuple[tuple[str, _Notified, Any], ...] = (
    (lsp.INITIALIZED, lifecycle.initialized, None),
    (lsp.SHUTDOWN, lifecycle.shutdown, None),
    (lsp.TEXT_DOCUMENT_DID_OPEN, documents.did_open, None),
    (lsp.TEXT_DOCUMENT_DID_CHANGE, documents.did_change, None),
    (lsp.TEXT_DOCUMENT_DID_SAVE, documents.did_save, None),
    (lsp.TEXT_DOCUMENT_DID_CLOSE, documents.did_close, None),
    (lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, workspace.did_change_watched_files, None),
    (lsp.WORKSPACE_DID_CHANGE_CONFIGURATION, workspace.did_change_configuration, None),
    (lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, workspace.did_change_folders, None),
)
_COMMANDS: tuple[tuple[str, Callable[..., Coroutine[Any, Any, None]]], ...] = (
    ("tracelens.showCalls", execute_command.show_calls),
    ("tracelens.show", execute_command.show),
    ("tracelens.why", execute_command.why),
    ("tracelens.explain", execute_command.explain),
    ("tracelens.showCallers", execute_command.show_callers),
    ("tracelens.similar", execute_command.similar),
    ("tracelens.chooseRun", execute_command.choose_run),
    ("tracelens.fix", execute_command.fix),
    ("tracelens.index", execute_command.index),
    ("tracelens.import", execute_command.import_),
)


class Server(LanguageServer):
    """Errors go to the log: a person is not interrupted by what they cannot act on."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        _log.error("%s: %s", getattr(source, "__name__", source), error)


def make_server() -> Server:
    server = Server(
        "tracelens",
        __version__,
        text_document_sync_kind=lsp.TextDocumentSyncKind.Incremental,
        protocol_cls=Protocol,
        max_workers=2,
    )
    session = Session(server)
    session.on_changed = lambda: _refresh(session)
    session.push = lambda uri: _told(session, lambda s, _: diagnostic.push(s, uri))(None)

    @server.feature(lsp.INITIALIZE)
    def initialize(params: lsp.InitializeParams) -> None:
        lifecycle.initialize(session, params)
        # A client that pulls would show what is pushed to it a second time, so it is offered one of the two.
        if session.client.pulls_diagnostics:
            options = lsp.DiagnosticOptions(inter_file_dependencies=False, workspace_diagnostics=False)
            handler = _answered(session, diagnostic.diagnostic)
            server.feature(lsp.TEXT_DOCUMENT_DIAGNOSTIC, options)(handler)

    for method, handler, options in _REQUESTS:
        server.feature(method, options)(_answered(session, handler))
    for method, notified, options in _NOTIFICATIONS:
        server.feature(method, options)(_told(session, notified))
    for name, command in _COMMANDS:
        server.command(name)(_commanded(session, command))
    return server


def _answered(session: Session, handler: _Handler) -> Callable[[Any], Coroutine[Any, Any, Any]]:
    """A request's handler that never fails: what goes wrong is logged and answered with nothing."""

    async def answer(params: Any) -> Any:
        try:
            return await handler(session, params)
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("%s", handler.__qualname__)
            # The index may have been damaged or replaced underneath: the next question opens it anew.
            session.forget_indexes()
            return params if handler.__name__ == "resolve" else None

    return answer


def _told(session: Session, notified: _Notified) -> Callable[[Any], None]:
    def tell(params: Any) -> None:
        try:
            notified(session, params)
        except Exception:
            _log.exception("%s", notified.__qualname__)

    return tell


def _commanded(
    session: Session, command: Callable[..., Coroutine[Any, Any, None]]
) -> Callable[..., Coroutine[Any, Any, None]]:
    async def execute(*arguments: Any) -> None:
        try:
            await command(session, *arguments)
        except asyncio.CancelledError:
            raise
        except Exception:
            _log.exception("%s", command.__qualname__)
            session.views.say("TraceLens: that did not work; the server's log says why", lsp.MessageType.Error)

    return execute


def _refresh(session: Session) -> None:
    """Have the client ask again for what is shown; where it cannot be told, publish what can be pushed."""
    server, client = session.server, session.client
    if client.paints:
        server.protocol.notify(custom.CHANGED, {})
    if client.refreshes_lenses:
        server.workspace_code_lens_refresh(None)
    if client.refreshes_hints:
        server.workspace_inlay_hint_refresh(None)
    if client.pulls_diagnostics and client.refreshes_diagnostics:
        server.workspace_diagnostic_refresh(None)
    elif not client.pulls_diagnostics:
        for uri in list(session.documents):
            session.push(uri)


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
    # The library logs whole messages, which hold source text and recorded values.
    if arguments.log_level != "debug":
        logging.getLogger("pygls").setLevel(logging.ERROR)
    server = make_server()
    # What is loaded by now stays: looking through it again and again would be most of an answer's worst time.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    if address:
        server.start_tcp(*address)
        return
    # Standard output is the protocol's alone: whatever else prints goes to standard error.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    server.start_io(sys.stdin.buffer, output)


def _loopback(text: str, parser: argparse.ArgumentParser) -> tuple[str, int]:
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
