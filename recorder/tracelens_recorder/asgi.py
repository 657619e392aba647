"""ASGI middleware: `app.add_middleware(AsgiMiddleware, rate=0.01)`, or `app = AsgiMiddleware(app)`.

Each request that is chosen is recorded with an id (of its X-Request-ID, else a new one) and its route; the id stands on
each of its calls, and in the answer's X-Request-ID. Works around any ASGI application: FastAPI, Starlette, Django.
"""

from __future__ import annotations

from typing import Any, Awaitable, Callable, Dict, List, Optional

from tracelens_recorder.sampling import HEADER, REQUEST_ID, Sampling, context_of, remote_of
from tracelens_recorder.spans import SERVER, Span

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

        sampling = self._sampling
        chosen = sampling.chooses(header(HEADER))
        method, path = str(scope.get("method", "WEBSOCKET")), str(scope.get("path", ""))
        context = context_of(chosen, header(REQUEST_ID), f"{method} {path}"[:200])
        begun = sampling.begin(chosen, context)
        span: Optional[Span] = None
        if chosen:
            attributes = {"http.request.method": method, "url.path": path}
            remote = remote_of(header("traceparent"))
            span = Span(f"{method} {path}", "request", attributes, kind=SERVER, remote=remote)
            span.enter()
        status: List[int] = []

        async def answer(message: Message) -> None:
            if message.get("type") == "http.response.start":
                status[:] = [int(message.get("status", 0))]
                sent = list(message.get("headers") or ())
                if not any(bytes(name).lower() == REQUEST_ID.encode("ascii") for name, _ in sent):
                    sent.append((REQUEST_ID.encode("ascii"), context.request.encode("latin-1", "replace")))
                message = {**message, "headers": sent}
            await send(message)

        problem: Optional[BaseException] = None
        try:
            await self.app(scope, receive, answer)
        except BaseException as error:
            problem = error
            raise
        finally:
            if span is not None:
                rule = getattr(scope.get("route"), "path", None)
                if isinstance(rule, str):
                    span.name = f"{method} {rule}"[:200]
                    span.set("http.route", rule)
                if status:
                    span.set("http.response.status_code", status[0])
                span.finish(problem)
            sampling.end(begun)
