"""WSGI middleware: `application = WsgiMiddleware(application, rate=0.01)`.

Each request that is chosen is recorded with an id (of its X-Request-ID, else a new one) and its route; the id stands on
each of its calls, and in the answer's X-Request-ID. Works around any WSGI application: Flask, Django, Bottle.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

from tracelens_recorder.context import Context, current, leave
from tracelens_recorder.sampling import HEADER, REQUEST_ID, Sampling, context_of, remote_of
from tracelens_recorder.spans import SERVER, Span

Environ = Dict[str, Any]


class WsgiMiddleware:
    def __init__(
        self,
        application: Callable[[Environ, Callable[..., Any]], Iterable[bytes]],
        *,
        rate: Optional[float] = None,
        trust_header: bool = False,
        start: bool = True,
    ) -> None:
        """`rate`: share of the requests that are recorded (default: the configuration's, 1). `trust_header`: a request
        with `X-Tracelens: 1` is recorded whatever the rate; anyone who can send one can then make recordings.
        `start`: begin recording with the first request that is chosen, where nothing else has begun it."""
        self.application = application
        self._sampling = Sampling(rate, HEADER if trust_header else None, start)

    def __getattr__(self, name: str) -> Any:
        """So that a framework's own object can be wrapped in place: `app = WsgiMiddleware(app)`, `app.route`."""
        if name == "application":
            raise AttributeError(name)
        return getattr(self.application, name)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        sampling = self._sampling
        chosen = sampling.chooses(environ.get("HTTP_" + HEADER.upper().replace("-", "_"), ""))
        method, path = str(environ.get("REQUEST_METHOD", "")), str(environ.get("PATH_INFO", ""))
        identity = str(environ.get("HTTP_" + REQUEST_ID.upper().replace("-", "_"), ""))
        context = context_of(chosen, identity, f"{method} {path}"[:200])
        begun = sampling.begin(chosen, context)
        span: Optional[Span] = None
        if chosen:
            span = Span(
                f"{method} {path}",
                "request",
                {"http.request.method": method, "url.path": path},
                kind=SERVER,
                remote=remote_of(str(environ.get("HTTP_TRACEPARENT", ""))),
            )
            span.enter()
        statuses: List[str] = []

        def respond(status: str, headers: Any, *rest: Any) -> Any:
            statuses[:] = [status]
            named = {str(name).lower() for name, _ in headers}
            if REQUEST_ID not in named:
                headers = [*headers, ("X-Request-ID", context.request)]
            return start_response(status, headers, *rest)

        ended: List[bool] = []

        def end(problem: Optional[BaseException] = None) -> None:
            if ended:
                return
            ended.append(True)
            if span is not None:
                _route(span, environ, method)
                if statuses:
                    span.set("http.response.status_code", int(statuses[0][:3]) if statuses[0][:3].isdigit() else 0)
                span.finish(problem)
            sampling.end(begun)

        try:
            body = self.application(environ, respond)
        except BaseException as problem:
            end(problem)
            raise
        if isinstance(body, (list, tuple)):
            end()
            return body
        leave(begun[0])
        return _Body(body, context, end)


def _route(span: Span, environ: Environ, method: str) -> None:
    """The route that the framework has found, where it says so: Flask leaves its rule in the environment."""
    request = environ.get("werkzeug.request")
    rule = getattr(getattr(request, "url_rule", None), "rule", None)
    if isinstance(rule, str):
        span.name = f"{method} {rule}"[:200]
        span.set("http.route", rule)


class _Body:
    """What an application yields after it has returned: still the request's work."""

    def __init__(self, body: Iterable[bytes], context: Context, end: Callable[..., None]) -> None:
        self._body, self._context, self._end = body, context, end
        self._iterator: Optional[Iterator[bytes]] = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = current.set(self._context)
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            return next(self._iterator)
        except StopIteration:
            self._end()
            raise
        except BaseException as problem:
            self._end(problem)
            raise
        finally:
            leave(token)

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._end()
