"""ASGI middleware: `app.add_middleware(AsgiMiddleware, rate=0.01)`, or `app = AsgiMiddleware(app)`.

Each request that is chosen is recorded with an id (of its X-Request-ID, else a new one) and its route; the id stands on
each of its calls, and in the answer's X-Request-ID. Works around any ASGI application: FastAPI, Starlette, Django.
"""

from __future__ import annotations

from typing import Any, Awaitable, Callable, Dict, Optional

from tracelens_recorder.sampling import HEADER, REQUEST_ID, Sampling
from tracelens_recorder.served import Served

_REQUEST_ID = REQUEST_ID.encode("ascii")
Scope = Dict[str, Any]
Message = Dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AsgiMiddleware:
    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        *,
        rate: Optional[float] = None,
        trust_header: bool = False,
        start: bool = True,
    ) -> None:
        """As WsgiMiddleware."""
        self.app = app
        self._sampling = Sampling(rate, HEADER if trust_header else None, start)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("type") not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {bytes(name).lower(): bytes(value) for name, value in scope.get("headers") or ()}

        def header(name: str) -> str:
            return headers.get(name.encode("ascii"), b"").decode("latin-1")

        served = Served(self._sampling, str(scope.get("method", "WEBSOCKET")), str(scope.get("path", "")), header)

        async def answer(message: Message) -> None:
            if message.get("type") == "http.response.start":
                served.answered(int(message.get("status", 0)))
                sent = list(message.get("headers") or ())
                if served.id and not any(bytes(name).lower() == _REQUEST_ID for name, _ in sent):
                    sent.append((_REQUEST_ID, served.id.encode("latin-1", "replace")))
                    message = {**message, "headers": sent}
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except BaseException as problem:
            served.end(_rule(scope), problem)
            raise
        served.end(_rule(scope))


def _rule(scope: Scope) -> object:
    """The route that the framework has found, where it says so: FastAPI and Starlette leave theirs in the scope."""
    return getattr(scope.get("route"), "path", None)
