"""Which statements of a function run: an edit of one that no failing check comes to mends nothing."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping

from tracelens.fix.evidence import Function


def reached(function: Function, lines: Collection[int]) -> frozenset[ast.stmt]:
    """The statements of the body with a line of their own among those that ran, and those around them."""
    found: set[ast.stmt] = set()

    def walk(node: ast.AST) -> bool:
        inside = [walk(child) for child in ast.iter_child_nodes(node)]
        ran = any(inside)
        if isinstance(node, ast.stmt):
            ran = ran or any(line in lines for line in _own_lines(node))
            if ran:
                found.add(node)
        return ran

    for statement in function.body:
        walk(statement)
    return frozenset(found)


def scores_by_line(function: Function, lines: Mapping[int, float]) -> dict[int, float]:
    """The score of each line of the body that ran; the lines of one statement have that of its highest."""
    found = dict(lines)
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and node is not function:
            own = _own_lines(node)
            most = max((lines[line] for line in own if line in lines), default=None)
            if most is not None:
                found.update(dict.fromkeys(own, most))
    return found


def _own_lines(node: ast.stmt) -> range:
    """Of a statement without the statements inside it."""
    inside = [one.lineno for one in ast.walk(node) if isinstance(one, ast.stmt) and one is not node]
    last = min(inside) - 1 if inside else node.end_lineno or node.lineno
    return range(node.lineno, max(last, node.lineno) + 1)
