"""A failure in a few lines: what, where, how often, in which tests."""

from __future__ import annotations

from collections.abc import Callable

from tracelens.answers import words
from tracelens.answers.snapshot import on_purpose
from tracelens_indexer.store.answers import FailureRecord

_STATE = {"stale": " · changed since recorded", "moved": " · moved", "unverified": " · unverified"}


def lines(failure: FailureRecord, quote: Callable[[str], str] = str) -> list[str]:
    """`quote` is put around what the program said: its message, the names of its types, tests and files."""
    of = f" of {words.counted(failure.calls, 'call', failure.counting)}" if failure.calls else ""
    message = words.clean(failure.message, words.LONGEST_MESSAGE)
    place = f"{quote(words.clean(failure.unit.path, 200))}:{failure.line or failure.unit.def_line}"
    told = [
        f"{failure.id}  {quote(words.type_name(failure.type))}{f': {quote(message)}' if message else ''}",
        f"    {words.clean(failure.unit.qualname, 200)}   {place} · {failure.n:,}{of}"
        f"{' · ' + words.ago(failure.last_ns) if failure.last_ns else ''}{_STATE.get(failure.state, '')}"
        f"{' · raised on purpose' if on_purpose(failure) else ''}",
    ]
    if failure.tests:
        shown = ", ".join(quote(words.test_name(test)) for test in failure.tests[:3])
        more = f", {len(failure.tests) - 3} more" if len(failure.tests) > 3 else ""
        told.append(f"    in {shown}{more}")
    return told
