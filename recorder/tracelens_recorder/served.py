"""One request on its way through a middleware: what wsgi.py and asgi.py have in common. Nothing here raises: a request
is served whatever becomes of its recording."""

from __future__ import annotations

from typing import Any, Callable, Optional

from tracelens_recorder import process
from tracelens_recorder.context import NOTHING, Context, current, leave
from tracelens_recorder.sampling import HEADER, REQUEST_ID, Sampling, context_of, remote_of
from tracelens_recorder.spans import SERVER, Span


class Served:
    """A request from its first byte to its last."""

    def __init__(self, sampling: Sampling, method: str, path: str, header: Callable[[str], str]) -> None:
        """`header`: the value of a header of the request, by its name in lower case; "" none."""
        self.context: Context = NOTHING
        self.method = method
        self._sampling = sampling
        self._begun: Any = None
        self._span: Optional[Span] = None
        self._status = 0
        try:
            chosen = sampling.chooses(header(HEADER))
            self.context = context_of(chosen, header(REQUEST_ID), f"{method} {path}"[:200])
            self._begun = sampling.begin(chosen, self.context)
            if chosen:
                attributes = {"http.request.method": method, "url.path": path}
                remote = remote_of(header("traceparent"))
                self._span = Span(f"{method} {path}", "request", attributes, kind=SERVER, remote=remote)
                self._span.enter()
                self.context = current.get()
        except Exception as problem:
            _note(problem)

    @property
    def id(self) -> str:
        return self.context.request

    def answered(self, status: int) -> None:
        self._status = status

    def step_aside(self) -> None:
        """What runs now in this context is another's, until the request goes on."""
        if self._span is not None:
            leave(self._span.token)
            self._span.token = None
        if self._begun is not None:
            leave(self._begun[0])

    def end(self, rule: object = None, problem: Optional[BaseException] = None) -> None:
        """The request is over. `rule`: the route that the framework found, "/orders/{id}". Again does nothing."""
        begun, self._begun = self._begun, None
        if begun is None:
            return
        try:
            span = self._span
            if span is not None:
                if isinstance(rule, str) and rule:
                    span.name = f"{self.method} {rule}"[:200]
                    span.set("http.route", rule)
                if self._status:
                    span.set("http.response.status_code", self._status)
                span.finish(problem)
            self._sampling.end(begun)
        except Exception as error:
            _note(error)


def _note(problem: Exception) -> None:
    recorder = process.current()
    if recorder is not None:
        recorder.session.fault(problem)
