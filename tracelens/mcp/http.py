"""The server over HTTP: on the loopback interface alone, with a token, and for no web page.

A page in a browser can reach loopback ports, directly or through a name that resolves to them; so the Host must be
ours, an Origin must be ours, and every request must carry the token.
"""

from __future__ import annotations

import hmac
import socket
from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
PATH = "/mcp"
_NAMES = ("127.0.0.1", "localhost", "[::1]")


class Guard:
    """Refuses what does not come from a local program that knows the token; asked before anything else is read."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app = app
        self.token = token.encode()
        self.hosts = {f"{name}:{port}" for name in _NAMES}
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            await refusal(scope, receive, send)
            return
        if scope["type"] == "websocket":
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.lower(), []).append(value)
        host = [value.decode("latin-1").lower() for value in headers.get(b"host", ())]
        if len(host) != 1 or host[0] not in self.hosts:
            return PlainTextResponse("unknown Host", 421)
        if any(value.decode("latin-1").lower() not in self.origins for value in headers.get(b"origin", ())):
            return PlainTextResponse("unknown Origin", 403)
        given = headers.get(b"authorization", [])
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(), self.token):
            return PlainTextResponse("a token is needed", 401, {"WWW-Authenticate": "Bearer"})
        return None


def serve(server: MCPServer[Any], port: int, token: str, ready: Callable[[str], None]) -> None:
    """Serve until stopped. `port` 0 takes a free one; `ready` is told the address."""
    import uvicorn

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((HOST, port))
    listening.listen()  # before the address is told: who reads it may connect at once
    port = listening.getsockname()[1]
    # The guard has looked at Host and Origin already.
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    config = uvicorn.Config(
        Guard(app, token, port), log_level="error", access_log=False, server_header=False, timeout_graceful_shutdown=3
    )
    ready(f"http://{HOST}:{port}{PATH}")
    uvicorn.Server(config).run(sockets=[listening])
