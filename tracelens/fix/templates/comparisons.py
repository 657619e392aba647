"""A wrong boundary: a comparison one too far, in the failing statement or in the conditions that led to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.patch import Edit
from tracelens.fix.templates.problem import Candidate, Problem

_OTHER = {ast.Lt: ("<=", "<"), ast.LtE: ("<", "<="), ast.Gt: (">=", ">"), ast.GtE: (">", ">=")}


def candidates(problem: Problem) -> Iterator[Candidate]:
    tests: list[tuple[ast.expr, float]] = []
    statement = problem.statement
    if isinstance(statement, (ast.If, ast.While)):
        tests.append((statement.test, 0.5))
    if isinstance(statement, ast.Assert):
        return
    for number, node in enumerate(problem.enclosing(statement)):
        if node is problem.function:
            break
        if isinstance(node, (ast.If, ast.While)):
            tests.append((node.test, 0.5 - 0.05 * number))
    before = [
        node
        for node in ast.walk(problem.function)
        if isinstance(node, ast.If) and node.lineno < statement.lineno and _leaves(node)
    ]
    tests += [(node.test, 0.4) for node in before]
    for test, preference in tests:
        for node in ast.walk(test):
            if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OTHER:
                other, now = _OTHER[type(node.ops[0])]
                start, end = problem.source.span(node.left)[1], problem.source.span(node.comparators[0])[0]
                between = problem.source.text[start:end]
                if between.count(now) == 1:
                    place = start + between.index(now)
                    said = f"{problem.source.of(node.left)} {other} {problem.source.of(node.comparators[0])}"
                    yield Candidate(said, (Edit(place, place + len(now), other),), preference)


def _leaves(node: ast.If) -> bool:
    return isinstance(node.body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))
