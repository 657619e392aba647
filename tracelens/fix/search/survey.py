"""What the checks did with the code as it is: how each ended, the lines it ran, the types it met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

CHANCE = "by chance"
NOT_RUN = "not run"
KEPT_BACK = "kept back"
_NO_PART = frozenset(["skipped", CHANCE, NOT_RUN, KEPT_BACK])
_FEW_ENDLESS = 8
_LEAST_TIMES = 2
_MOST_TIMES = 5


@dataclass(frozen=True, slots=True)
class Ended:
    """How one check ended."""

    at: int
    """Its number."""
    name: str
    kind: str
    """"passed", "wrong", "raised", "out of fuel", "skipped"; "by chance": now this, now that; "not run": it would take
    too long; "kept back": passed, and is run with the best repairs alone."""
    used: int
    """Steps."""
    spent: float
    """CPU seconds."""
    words: str
    """What it said when it failed."""
    digest: str
    crash: tuple[tuple[str, int], ...]
    """(path, line) where an exception came through, innermost first."""
    watched: bool
    lines: frozenset[tuple[str, int]]

    @property
    def failed(self) -> bool:
        return self.takes_part and self.kind != "passed"

    @property
    def takes_part(self) -> bool:
        """Whether candidates are held against it."""
        return self.kind not in _NO_PART


@dataclass(frozen=True, slots=True)
class Survey:
    checks: tuple[Ended, ...]
    types: Mapping[tuple[str, int], Mapping[str, frozenset[str]]]
    """By (path, first line of the code object)."""
    attributes: Mapping[str, tuple[str, ...]]

    @property
    def failing(self) -> list[Ended]:
        return [one for one in self.checks if one.failed]

    @property
    def passing(self) -> list[Ended]:
        return [one for one in self.checks if one.kind == "passed"]

    def types_in(self, path: str, first: int, last: int) -> dict[str, frozenset[str]]:
        """Of the variables of a function and of what is defined inside it."""
        found: dict[str, set[str]] = {}
        for (where, line), names in sorted(self.types.items()):
            if where == path and first <= line <= last:
                for name, kinds in names.items():
                    if name != "return" or line == first or "return" not in found:
                        found.setdefault(name, set()).update(kinds)
        return {name: frozenset(kinds) for name, kinds in found.items()}


def bounded(survey: Survey, seconds: float) -> Survey:
    """The survey with as many of the passing checks as run in so many CPU seconds, the quick ones; at least one.

    Where others fail plainly, many that come to no end are rather slow than endless: they are as good as not run.
    """
    kinds = {one.at: one.kind for one in survey.checks}
    endless = [one.at for one in survey.checks if one.kind == "out of fuel"]
    if len(endless) > _FEW_ENDLESS and any(one.kind in ("wrong", "raised") for one in survey.checks):
        kinds.update(dict.fromkeys(endless, NOT_RUN))
    spent = 0.0
    for number, one in enumerate(sorted(survey.passing, key=lambda each: (each.used, each.at))):
        spent += one.spent
        if number and spent > seconds:
            kinds[one.at] = KEPT_BACK
    return replace(survey, checks=tuple(replace(one, kind=kinds[one.at]) for one in survey.checks))


def ask_again(kinds: Sequence[str], fuel: int, seconds: float, spend: float) -> dict[str, Any]:
    """The request that the checks are run again, as they are: at least twice, more often as long as it takes no more
    than `spend` CPU seconds. kinds: how each ended."""
    return {
        "do": "again",
        "skip": [kind == "out of fuel" or kind in _NO_PART for kind in kinds],
        "fuel": fuel * 10,
        "seconds": seconds * 2,
        "least": _LEAST_TIMES,
        "most": _MOST_TIMES,
        "spend": spend,
        "wall": 30.0,
    }


def by_chance(kinds: Sequence[str], said: Any) -> set[int]:
    """Numbers of the checks that passed one time and failed another. kinds: how each ended first."""
    found = set()
    for run in said["kinds"]:
        for at, kind in enumerate(run[: len(kinds)]):
            if kind and (kind == "passed") != (kinds[at] == "passed") and "out of fuel" not in (kind, kinds[at]):
                found.add(at)
    return found


def read_survey(said: Any, names: list[str], root: str) -> Survey:
    """From what came out of the sandbox; paths become relative to the workspace."""
    prefix = root.rstrip("/") + "/"

    def relative(path: str) -> str:
        return path[len(prefix) :] if path.startswith(prefix) else path

    checks = []
    types: dict[tuple[str, int], dict[str, set[str]]] = {}
    attributes: dict[str, tuple[str, ...]] = {}
    for one in said["checks"]:
        at = int(one["at"])
        lines = {(relative(path), int(line)) for path, numbers in one.get("lines", {}).items() for line in numbers}
        crash = tuple((relative(path), int(line)) for path, line in one.get("crash", ()))
        checks.append(
            Ended(
                at,
                names[at] if at < len(names) else str(at),
                str(one["kind"]),
                int(one["used"]),
                float(one.get("spent", 0.0)),
                str(one.get("words", "")),
                str(one.get("digest", "")),
                crash,
                "watched" in one,
                frozenset(lines),
            )
        )
        for path, line, by_name in one.get("types", ()):
            found = types.setdefault((relative(path), int(line)), {})
            for name, kinds in by_name.items():
                found.setdefault(name, set()).update(map(str, kinds))
        for kind, known in one.get("attributes", {}).items():
            names_of = dict.fromkeys([*attributes.get(str(kind), ()), *map(str, known)])
            attributes[str(kind)] = tuple(name for name in names_of if _is_name(name))
    frozen = {place: {name: frozenset(kinds) for name, kinds in by_name.items()} for place, by_name in types.items()}
    return Survey(tuple(checks), frozen, attributes)


def _is_name(text: str) -> bool:
    return text.removesuffix("()").isidentifier()
