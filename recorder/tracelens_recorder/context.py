"""What the program says about the work it is doing: tags, a user, metadata; the request or the task that is served.

It is kept in a context variable, so that it follows the work through `await`, into tasks and into the threads that
asyncio hands work to, and not into what runs beside it. Calls and spans that are recorded meanwhile refer to it.
"""

from __future__ import annotations

from _contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Dict, Optional, Tuple, Type

from tracelens_recorder.classes import clean
from tracelens_recorder.redact import REDACTED, is_secret_name, redact_text

MAX_TAGS = 32
MAX_METADATA = 32
MAX_TEXT = 300
"""Characters of one text."""

Pairs = Tuple[Tuple[str, str], ...]


class Context:
    """What is known of the work in progress. Never changed once made: a change makes another one."""

    __slots__ = ("metadata", "number", "request", "route", "sampled", "session", "span", "tags", "task", "user")

    def __init__(self) -> None:
        self.tags: Tuple[str, ...] = ()
        self.user = ""
        self.metadata: Pairs = ()
        self.request = ""
        """Id of the request that is served."""
        self.route = ""
        """ "GET /orders/{id}"."""
        self.task = ""
        """Name of the job that runs."""
        self.sampled: Optional[bool] = None
        """Whether the request was chosen to be recorded; None outside of requests."""
        self.span: Any = None
        """The span (spans.py) that encloses what happens now."""
        self.session: object = None
        self.number = 0
        """Under which `session` has written it; 0 not yet."""

    def but(self, **changes: Any) -> Context:
        """Another one like this, with other fields."""
        made = Context()
        for name in ("tags", "user", "metadata", "request", "route", "task", "sampled", "span"):
            setattr(made, name, changes[name] if name in changes else getattr(self, name))
        return made

    def describe(self) -> Dict[str, Any]:
        """As it is written: bounded, without secrets; {} when nothing is said."""
        said: Dict[str, Any] = {}
        for name in ("user", "request", "route", "task"):
            if getattr(self, name):
                said[name] = getattr(self, name)
        if self.tags:
            said["tags"] = list(self.tags)
        if self.metadata:
            said["metadata"] = [list(pair) for pair in self.metadata]
        return said


NOTHING = Context()
current: ContextVar[Context] = ContextVar("tracelens", default=NOTHING)


def plain(value: object, name: str = "") -> str:
    """The text of a tag or of metadata: bounded, without secrets, and without running the program's code."""
    from tracelens_recorder.values import observe

    if name and is_secret_name(name):
        return REDACTED
    if type(value) is str:
        return clean(redact_text(value[:2000])[0], MAX_TEXT)
    return clean(observe(value, name).text, MAX_TEXT)


def tag(*tags: str) -> None:
    """Add tags to what is recorded from now on in this context."""
    now = current.get()
    new = tuple(one for one in map(plain, tags) if one not in now.tags)
    current.set(now.but(tags=(now.tags + new)[:MAX_TAGS]))


def user(identity: str) -> None:
    """Say for whom the work is done. An e-mail address is redacted, as everywhere: give an id."""
    current.set(current.get().but(user=plain(identity)))


def metadata(**values: object) -> None:
    """Say more about the work: names and values, as text. What goes under a secret's name is redacted."""
    current.set(current.get().but(metadata=_merged(current.get().metadata, values)))


def _merged(pairs: Pairs, values: Dict[str, object]) -> Pairs:
    merged = dict(pairs)
    for name, value in values.items():
        if name in merged or len(merged) < MAX_METADATA:
            merged[clean(name, 80)] = plain(value, name)
    return tuple(merged.items())


class tagged:  # noqa: N801 (used as a statement: `with tagged("vip", user="7"):`)
    """`with tagged("checkout", user="u-7", plan="gold"):` says it for the block alone."""

    def __init__(self, *tags: str, user: str = "", **values: object) -> None:
        self._tags, self._user, self._values = tags, user, values
        self._token: Optional[Token[Context]] = None

    def __enter__(self) -> tagged:
        now = current.get()
        new = tuple(one for one in map(plain, self._tags) if one not in now.tags)
        self._token = current.set(
            now.but(
                tags=(now.tags + new)[:MAX_TAGS],
                user=plain(self._user) if self._user else now.user,
                metadata=_merged(now.metadata, self._values),
            )
        )
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        leave(self._token)
        self._token = None


def leave(token: Optional[Token[Context]]) -> None:
    """Back to what was said before. In another context than it was said in (a generator that was closed elsewhere)
    there is nothing to go back to, and none a second time."""
    if token is not None:
        try:
            current.reset(token)
        except (ValueError, RuntimeError):
            pass
