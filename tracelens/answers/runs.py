"""A run in one line, and what a person must know of it."""

from __future__ import annotations

from collections.abc import Callable

from tracelens.answers import words
from tracelens_indexer.store.answers import RunRecord


def lines(run: RunRecord, current: bool, quote: Callable[[str], str] = str) -> list[str]:
    """The first line ends with how many units have data; * marks a run that is shown. Notes follow."""
    parts = [
        f"{'*' if current else ' '} {run.id:>3}  {quote(words.clean(run.name, words.LONGEST_NAME))}",
        quote(words.clean(run.tool)),
        words.ago(run.started_ns or run.imported_ns),
        f"{run.units:,} units",
    ]
    if run.commit:
        parts.append(f"commit {quote(words.clean(run.commit[:8]))}")
    for what, name in (("environment", run.environment), ("service", run.service)):
        if name:
            parts.append(f"{what} {quote(words.clean(name, words.LONGEST_NAME))}")
    if run.interpreter:
        parts.append(quote(words.clean(run.interpreter)))
    return [
        " · ".join(part for part in parts if part),
        *(f"       {words.clean(note, 300)}" for note in run.notes.splitlines()),
    ]
