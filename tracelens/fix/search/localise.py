"""Where failing checks go and passing ones do not: how suspicious each line is, and the functions that hold them.

Ochiai's coefficient over the lines that checks run through (Abreu et al., 2007), raised where an exception came
through, in loops when a check does not end, and where results are returned when they are wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from pathlib import Path

from tracelens.fix.evidence import Function
from tracelens.fix.patch import Source
from tracelens.fix.search.survey import Ended, Survey
from tracelens_indexer.errors import TraceLensError

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_MOST_FUNCTIONS = 40


@dataclass(frozen=True)
class Suspect:
    """A function that may hold the fault: one of a module or of a class; what is defined inside it belongs to it."""

    source: Source
    function: Function
    within: str
    """The class around it, "" none."""
    lines: Mapping[int, float]
    """How suspicious its lines are, 0 to 1."""

    @property
    def key(self) -> str:
        return f"{self.source.path}:{self.function.lineno}"

    @cached_property
    def span(self) -> tuple[int, int]:
        """Of its `def` and body in the text, decorators left out, from the start of the line."""
        start, end = self.source.span(self.function)
        return self.source.line_start(self.function.lineno), max(start, end)

    @cached_property
    def text(self) -> str:
        start, end = self.span
        return self.source.text[start:end]

    @property
    def score(self) -> float:
        return max(self.lines.values(), default=0.0)


def suspects(survey: Survey, root: Path) -> list[Suspect]:
    """The functions to edit, most suspicious first."""
    scores = spectrum(survey.checks)
    found = []
    for path in sorted({path for path, _ in scores}):
        try:
            source = Source.read(root, path)
            tree = source.tree
        except TraceLensError:
            continue
        for function, within in _functions(tree):
            last = function.end_lineno or function.lineno
            lines = {
                line: score
                for (where, line), score in scores.items()
                if where == path and function.lineno < line <= last
            }
            if lines or (path, function.lineno) in scores:
                lines = lines or {function.body[0].lineno: scores[path, function.lineno]}
                found.append(Suspect(source, function, within, _raised(function, lines, survey)))
    return sorted(found, key=lambda one: -one.score)[:_MOST_FUNCTIONS]


def spectrum(checks: Sequence[Ended]) -> dict[tuple[str, int], float]:
    watched = [one for one in checks if one.watched]
    failing = sum(one.failed for one in watched)
    if not failing:
        return {}
    by_line: dict[tuple[str, int], list[int]] = {}
    for check in watched:
        for place in check.lines:
            counts = by_line.setdefault(place, [0, 0])
            counts[0 if check.failed else 1] += 1
    found = {place: bad / sqrt(failing * (bad + good)) for place, (bad, good) in by_line.items() if bad}
    for check in watched:
        for depth, place in enumerate(check.crash):
            if place in found:
                boost = 1.0 if depth == 0 else 0.6 / depth
                found[place] = max(found[place], 0.7 * found[place] + 0.3 * boost)
    return found


def _raised(function: Function, lines: dict[int, float], survey: Survey) -> dict[int, float]:
    """Raise loops when something does not end, and returned results when something is wrong."""
    endless = any(one.kind == "out of fuel" for one in survey.checks)
    wrong = any(one.kind == "wrong" for one in survey.checks)
    made = dict(lines)
    for node in ast.walk(function):
        boost = 0.0
        if isinstance(node, ast.For | ast.While) and endless:
            boost = 0.8
        elif isinstance(node, ast.Return | ast.Yield) and wrong:
            boost = 0.5
        if boost and isinstance(node, ast.stmt | ast.expr):
            for line in range(node.lineno, (node.end_lineno or node.lineno) + 1) if endless else [node.lineno]:
                if line in made:
                    made[line] = 0.7 * made[line] + 0.3 * max(made[line], boost)
    return made


def _functions(tree: ast.Module) -> list[tuple[Function, str]]:
    """Functions of the module and its classes, with the name of the class."""
    found: list[tuple[Function, str]] = []

    def walk(body: Sequence[ast.AST], within: str) -> None:
        for node in body:
            if isinstance(node, _FUNCTIONS):
                found.append((node, within))
            elif isinstance(node, ast.ClassDef):
                walk(node.body, node.name)
            elif isinstance(node, ast.stmt):
                walk([one for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)], within)

    walk(tree.body, "")
    return found
