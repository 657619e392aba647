"""Progress of long work: a bar for a person, JSON lines for the language server, nothing in a pipe."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_INTERVAL_SECONDS = 0.1


@contextmanager
def showing(how: str, title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Yields the function that work calls with (stage, done, total)."""
    if how == "json":
        yield _json_lines()
    elif how == "none" or not sys.stderr.isatty():
        yield lambda stage, done, total: None
    else:
        with _bar(title) as update:
            yield update


def _json_lines() -> Callable[[str, int, int], None]:
    last: tuple[str, float] = ("", 0.0)

    def update(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if stage == last[0] and done < total and now - last[1] < _INTERVAL_SECONDS:
            return
        last = (stage, now)
        print(json.dumps({"stage": stage, "done": done, "total": total}), file=sys.stderr, flush=True)  # noqa: T201

    return update


@contextmanager
def _bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[stage]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, stage="", total=None)
        yield lambda stage, done, total: bar.update(task, completed=done, total=total or None, stage=stage)
