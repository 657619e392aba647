"""WSGI middleware: `application = WsgiMiddleware(application, rate=0.01)`.

Each request that is chosen is recorded with an id (of its X-Request-ID, else a new one) and its route; the id stands on
each of its calls, and in the answer's X-Request-ID. Works around any WSGI application: Flask, Django, Bottle.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, Optional

from tracelens_recorder.context import current, leave
from tracelens_recorder.sampling import HEADER, REQUEST_ID, Sampling
from tracelens_recorder.served import Served

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
        def header(name: str) -> str:
            return str(environ.get("HTTP_" + name.upper().replace("-", "_"), ""))

        served = Served(
            self._sampling, str(environ.get("REQUEST_METHOD", "")), str(environ.get("PATH_INFO", "")), header
        )

        def respond(status: str, headers: Any, *rest: Any) -> Any:
            served.answered(int(status[:3]) if status[:3].isdigit() else 0)
            if served.id and REQUEST_ID not in {str(name).lower() for name, _ in headers}:
                headers = [*headers, ("X-Request-ID", served.id)]
            return start_response(status, headers, *rest)

        try:
            body = self.application(environ, respond)
        except BaseException as problem:
            served.end(_rule(environ), problem)
            raise
        if isinstance(body, (list, tuple)):
            served.end(_rule(environ))
            return body
        served.step_aside()
        return _Body(body, served, _rule(environ))


def _rule(environ: Environ) -> object:
    """The route that the framework has found, where it says so: Flask leaves its own in the environment."""
    try:
        return environ["werkzeug.request"].url_rule.rule
    except (KeyError, AttributeError):
        return None


class _Body:
    """What an application yields after it has returned: still the request's work."""

    def __init__(self, body: Iterable[bytes], served: Served, rule: object) -> None:
        self._body, self._served, self._rule = body, served, rule
        self._iterator: Optional[Iterator[bytes]] = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        token = current.set(self._served.context)
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            return next(self._iterator)
        except StopIteration:
            self._served.end(self._rule)
            raise
        except BaseException as problem:
            self._served.end(self._rule, problem)
            raise
        finally:
            leave(token)

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._served.end(self._rule)
