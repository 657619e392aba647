"""Recording switched on and off by the program itself."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Any, Callable, Optional, Type

from tracelens_recorder import configuration, launch, process
from tracelens_recorder.workspace import find_root, new_folder


def is_recording() -> bool:
    """Whether this process is recorded at this moment."""
    recorder = process.current()
    return recorder is not None and recorder.collecting and not recorder.paused


def start(name: str = "", *, root: Optional[str] = None, out: Optional[str] = None, **options: Any) -> str:
    """Record this process from now on, into a folder of its own below `.tracelens/incoming` of the workspace, which
    `tracelens` reads when it is asked anything.

    `name`: what to call the run. `root`: the workspace, by default the one that the current folder lies in. `out`:
    another folder to write to. `options`: fields of launch.Options, such as `exact=True` or `budget=0.05`; what is
    not given comes from the environment, then from pyproject.toml. Raises ValueError for an option that is none.

    Returns the folder; "" when TRACELENS=0 forbids it. A process that is recorded already goes on as it is.
    """
    recorder = process.current()
    if recorder is not None:
        return recorder.session.out
    if configuration.switched_off():
        return ""
    root = os.path.realpath(root) if root else find_root(os.environ.get(launch.ROOT) or None)
    chosen = configuration.options(root, options)
    out = out or os.environ.get(launch.OUT) or new_folder(root, name or _name())
    recorder = process.begin(os.path.abspath(out), root, chosen)
    return recorder.session.out


def stop() -> None:
    """Write what was recorded, and record no more."""
    process.end()


def disable() -> None:
    """Record nothing until `enable()`: from here on the program runs nearly as if it were not recorded."""
    recorder = process.current()
    if recorder is not None:
        recorder.pause()


def enable() -> None:
    """Go on after `disable()`; start, where nothing was recorded so far."""
    recorder = process.current()
    if recorder is not None:
        recorder.resume()
    else:
        start()


def set_budget(share: float) -> None:
    """From now on recording may take this share of the CPU time: 0.03 is 3 % (Python 3.12 and newer)."""
    if not 0 <= share <= 1:
        raise ValueError(f"{share!r} is not a share of the CPU time: 0.03 is 3 %")
    recorder = process.current()
    if recorder is not None and recorder.session.governed:
        recorder.session.governor.share = float(share)
        recorder.session.options = recorder.session.options._replace(budget=float(share))


class recording:  # noqa: N801 (used as a statement: `with recording():`)
    """`with recording("nightly"):` records the block; as a decorator, each call of a function.

    Takes what `start` takes. Inside a process that is recorded already it changes nothing.
    """

    def __init__(self, name: str = "", **arguments: Any) -> None:
        self._name, self._arguments = name, arguments
        self._mine = False
        self.folder = ""
        """Where it is written; "" before the block begins, and where nothing is recorded."""

    def __enter__(self) -> recording:
        self._mine = process.current() is None
        self.folder = start(self._name, **self._arguments)
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        exception: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        if self._mine:
            stop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import functools

        @functools.wraps(function)
        def recorded(*positional: Any, **named: Any) -> Any:
            with recording(self._name or function.__name__, **self._arguments):
                return function(*positional, **named)

        return recorded


def _name() -> str:
    """Of the program that runs, for its run: "manage", "-m" programs by their package."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return str(spec.name[: -len(".__main__")] if spec.name.endswith(".__main__") else spec.name)
    words = sys.argv[:1] if hasattr(sys, "argv") else []
    base = os.path.basename(words[0]) if words and words[0] else "python"
    return os.path.splitext(base)[0] if base not in ("-c", "-") else "python"
