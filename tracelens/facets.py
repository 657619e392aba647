"""Filters of search by what happened: `failing and none:user`, a small language of our own, parsed and never evaluated.

    condition = term { ["and"] term }
    term      = ["not"] facet
    facet     = "hot" | "failing" | "slow" | "slow:" duration | "ran" | "raised:" TYPE | "none:" PARAMETER
              | "returned:empty" | "returned:None" | "called-by:" UNIT | "calls:" UNIT | "kind:" KIND | "path:" PART

`never run` is `not ran`, `returned empty` is `returned:empty`, and so on: a space may stand for the colon.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracelens.answers import choose
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index

LONGEST = 500
_SLOW_NS = 100e6
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)")
_NANOSECONDS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
_KINDS = ("module", "class", "function", "method")
_ALONE = ("hot", "failing", "slow", "ran")
_WITH_NAME = ("slow", "raised", "none", "returned", "called-by", "calls", "kind", "path")
_SUCH_AS = "Such as: failing and none:user"
_TWO_WORDS = {
    ("never", "run"): "not ran",
    ("never", "ran"): "not ran",
    ("not", "run"): "not ran",
    ("called", "by"): "called-by:",
    ("given", "none"): "none:",
}


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    argument: str
    negated: bool

    def __str__(self) -> str:
        return f"{'not ' if self.negated else ''}{self.name}{':' + self.argument if self.argument else ''}"


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which units a filter leaves: those of `ids`, or with `inverted` all others."""

    ids: frozenset[int]
    inverted: bool

    def __contains__(self, unit: int) -> bool:
        return (unit in self.ids) != self.inverted

    def both(self, other: Allowed) -> Allowed:
        if self.inverted and other.inverted:
            return Allowed(self.ids | other.ids, True)
        if self.inverted:
            return Allowed(other.ids - self.ids, False)
        return Allowed(self.ids - other.ids if other.inverted else self.ids & other.ids, False)


def parse(text: str) -> list[Facet]:
    """The facets of a condition. Raises TraceLensError, one line that names the word, for anything else."""
    if len(text) > LONGEST:
        raise TraceLensError(f"where: longer than {LONGEST} characters")
    words = re.split(r"[\s,]+", text.strip())
    if not words[0]:
        raise TraceLensError(f"where: an empty condition. {_SUCH_AS}")
    found: list[Facet] = []
    negated = False
    while words:
        word = words.pop(0)
        if words and (joined := _TWO_WORDS.get((word.lower(), words[0].lower()))):
            words.pop(0)
            words[:0] = joined.split()
            if joined.endswith(":") and len(words) > 1:
                words[:2] = [joined + words[1]]
            continue
        if word.lower() == "and":
            if negated or not found or not words or words[0].lower() == "and":
                raise TraceLensError(f"where: did not expect 'and'. {_SUCH_AS}")
            continue
        if word.lower() == "not":
            negated = not negated
            if not words:
                raise TraceLensError(f"where: not what? {_SUCH_AS}")
            continue
        name, _, argument = word.partition(":")
        name = name.lower()
        if not argument and name in _WITH_NAME and name not in _ALONE and words:
            argument = words.pop(0)
        found.append(_checked(Facet(name, argument, negated), word))
        negated = False
    if negated:
        raise TraceLensError(f"where: not what? {_SUCH_AS}")
    return found


def _checked(facet: Facet, word: str) -> Facet:
    name, argument = facet.name, facet.argument
    if name not in _ALONE and name not in _WITH_NAME:
        known = ", ".join([*_ALONE, *(f"{name}:…" for name in _WITH_NAME if name not in _ALONE)])
        raise TraceLensError(f"where: {word[:60]!r} is not known. There are: {known}")
    if argument and name not in _WITH_NAME:
        raise TraceLensError(f"where: {name} takes nothing after it")
    if not argument and name not in _ALONE:
        raise TraceLensError(f"where: {name}: of what? {_SUCH_AS}")
    if name == "slow" and argument and not _DURATION.fullmatch(argument):
        raise TraceLensError(f"where: {word[:60]!r} is not a duration. Such as: slow:50ms")
    if name == "returned" and argument.lower() not in ("empty", "none"):
        raise TraceLensError("where: after returned stands empty or None")
    if name == "kind" and argument not in _KINDS:
        raise TraceLensError(f"where: a kind is one of {', '.join(_KINDS)}")
    return facet


def allowed(index: Index, facets: Sequence[Facet], runs: Sequence[int] | None = None) -> Allowed:
    """The units for which all facets hold. Raises TraceLensError for a unit that is not there."""
    result = Allowed(frozenset(), True)
    for facet in facets:
        result = result.both(Allowed(_ids(index, facet, runs), facet.negated))
    return result


def _ids(index: Index, facet: Facet, runs: Sequence[int] | None) -> frozenset[int]:
    argument = facet.argument
    asks: dict[str, Callable[[], frozenset[int]]] = {
        "hot": lambda: index.units_hot(runs),
        "failing": lambda: index.units_failing(runs),
        "ran": lambda: index.units_that_ran(runs),
        "slow": lambda: index.units_slower_than(_nanoseconds(argument), runs),
        "raised": lambda: index.units_that_raised(argument, runs),
        "none": lambda: index.units_given_none(argument, runs),
        "called-by": lambda: index.units_called_by([choose.one_unit(index, argument).id], runs),
        "calls": lambda: index.units_calling([choose.one_unit(index, argument).id], runs),
        "kind": lambda: index.units_of_kind(argument),
        "path": lambda: index.units_under(argument),
    }
    if facet.name == "returned":
        if argument.lower() == "none":
            return index.units_given_none("return", runs)
        return index.units_that_returned_empty(runs)
    return asks[facet.name]()


def _nanoseconds(duration: str) -> float:
    match = _DURATION.fullmatch(duration)
    return float(match[1]) * _NANOSECONDS[match[2]] if match else _SLOW_NS
