"""Which runs are meant: the one small grammar of `--run`, of the editor's choice and of agents.

An id or a name of `tracelens runs` is that run. Everything else is words that must all hold:

    env:staging  since:2d  until:2026-11-20  commit:3fa9c1  test:tests/test_shop.py::test_gold  tool:viztracer
    service:web  name:pytest  run:3          latest: the last of those that are left
    current: of those the latest of each name and tool     all: every one

so that `env:staging since:2d latest` is the last run of two days in staging. What has spaces is quoted. Times are an
age (90s, 30m, 12h, 2d, 1w) or a local date or time (2026-11-20, 2026-11-20T10:00); a run's time is when it began, or
when it was imported if its trace has no clock. A test is named by its id, or by as much of it as says it: its file,
its last part, its name without the parameters in brackets.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import RunRecord

KEYS = ("env", "environment", "since", "until", "commit", "test", "tool", "service", "name", "run")
_ALONE = ("latest", "current", "all")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = 1_000
"""Characters of a choice."""
_TOLD = 5


class BadChoice(TraceLensError):
    """A choice of runs that cannot be read, or that no run is."""


def selected(index: Index, text: str, now_ns: int = 0) -> tuple[int, ...]:
    """Ids of the runs that are meant, the latest first. Raises BadChoice when there is none, or for what cannot be
    read. `now_ns`: the time that ages are counted from, nanoseconds since the epoch; default now."""
    runs = index.runs()
    one = [run.id for run in runs if str(run.id) == text] or [run.id for run in runs if run.name == text][:1]
    if one:
        return tuple(one)
    words = _words(text)
    if not words:
        raise BadChoice(f"there is no run {text!r}. `tracelens runs` lists them")
    left = runs
    for key, value in words:
        kept = _kept(index, left, key, value, now_ns or time.time_ns())
        if not kept:
            raise BadChoice(_none(index, runs, words, key, value))
        left = kept
    return tuple(run.id for run in left)


def word(key: str, value: str) -> str:
    """A condition of the grammar: `env:staging`, `'env:our staging'`."""
    return shlex.quote(f"{key}:{value}") if re.search(r"[\s'\"\\]", value) else f"{key}:{value}"


def _words(text: str) -> list[tuple[str, str]]:
    """(key, value), those that narrow by number last; none where the text is no choice at all."""
    if len(text) > _LONGEST:
        raise BadChoice(f"run: a choice of more than {_LONGEST:,} characters")
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise BadChoice(f"run: {error} in {text!r}") from error
    found: list[tuple[str, str]] = []
    for part in parts:
        key, colon, value = part.partition(":")
        if part in _ALONE:
            found.append((part, ""))
        elif colon and key in KEYS and value:
            found.append(("env" if key == "environment" else key, value))
        elif len(parts) == 1 and not (colon and key in KEYS):
            return []
        else:
            raise BadChoice(
                f"run: {part!r} is no condition; these are: {', '.join(f'{key}:…' for key in KEYS if len(key) < 8)}, "
                f"{', '.join(_ALONE)}"
            )
    return sorted(found, key=lambda word: word[0] in _ALONE)


def _kept(index: Index, runs: list[RunRecord], key: str, value: str, now_ns: int) -> list[RunRecord]:
    match key:
        case "all":
            return runs
        case "latest":
            return runs[:1]
        case "current":
            latest: dict[tuple[str, str], RunRecord] = {}
            for run in runs:
                latest.setdefault((run.name, run.tool), run)
            return list(latest.values())
        case "since":
            begin = _time(value, now_ns)
            return [run for run in runs if _when(run) >= begin]
        case "until":
            end = _time(value, now_ns)
            return [run for run in runs if _when(run) <= end]
        case "commit":
            return [run for run in runs if run.commit.lower().startswith(value.lower())]
        case "test":
            ran = index.runs_of_test(value)
            return [run for run in runs if run.id in ran]
        case _:
            said = _SAID[key]
            return [run for run in runs if said(run) == value]


_SAID: dict[str, Callable[[RunRecord], str]] = {
    "env": lambda run: run.environment,
    "tool": lambda run: run.tool,
    "service": lambda run: run.service,
    "name": lambda run: run.name,
    "run": lambda run: str(run.id),
}


def _when(run: RunRecord) -> int:
    return run.started_ns or run.imported_ns


def _time(text: str, now_ns: int) -> int:
    """Nanoseconds since the epoch."""
    if age := re.fullmatch(r"(\d{1,6})([smhdw])", text):
        return now_ns - int(age[1]) * _SECONDS[age[2]] * 1_000_000_000
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError) as error:
        raise BadChoice(f"run: {text!r} is no time; write an age (30m, 2d) or a date (2026-11-20)") from error


def _none(index: Index, runs: list[RunRecord], words: Iterable[tuple[str, str]], key: str, value: str) -> str:
    """No run is left: which word left none, and what there is instead."""
    said = " ".join(word(one, of) if of else one for one, of in words)
    if not runs:
        return "there are no runs yet. Record one: tracelens record -- pytest"
    others: list[str] = []
    if key in _SAID:
        others = [_SAID[key](run) for run in runs]
    elif key == "commit":
        others = [run.commit[:8] for run in runs]
    elif key == "test":
        others = [test for test, _ in index.tests()]
    elif key in ("since", "until"):
        latest = datetime.fromtimestamp(max(map(_when, runs)) / 1e9).isoformat(" ", "minutes")
        return f"no run is {said}: the latest began {latest}"
    known = list(dict.fromkeys(other for other in others if other))
    listed = ", ".join(known[:_TOLD]) + (", …" if len(known) > _TOLD else "")
    return f"no run is {said}: " + (f"{key} is one of {listed}" if known else f"none says its {key}")
