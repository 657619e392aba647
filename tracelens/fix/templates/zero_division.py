"""ZeroDivisionError: a divisor that can be zero."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.patch import Edit
from tracelens.fix.templates.problem import Candidate, Problem

_DIVISIONS = (ast.Div, ast.FloorDiv, ast.Mod)


def candidates(problem: Problem) -> Iterator[Candidate]:
    for node in problem.parts:
        divisor = _divisor(node)
        if divisor is None or isinstance(divisor, ast.Constant):
            continue
        condition, why = _condition(problem, divisor)
        known = 0.05 if isinstance(divisor, ast.Name) and problem.always(divisor.id, "0.0") else 0.0
        known = known or (0.05 if isinstance(divisor, ast.Name) and problem.always(divisor.id, "0") else 0.0)
        if problem.is_simple(divisor):
            test = _whole_test(problem, node)
            if test is not None:
                text = problem.source.of(test)
                if isinstance(test, (ast.BoolOp, ast.IfExp, ast.Lambda)):
                    text = f"({text})"
                yield Candidate(f"guard {why}", problem.replace(test, f"{condition} and {text}"), 0.85 + known)
            else:
                zero = "0" if isinstance(node, ast.BinOp) and not isinstance(node.op, ast.Div) else "0.0"
                yield Candidate(f"{zero} when {why}", problem.conditional(node, condition, zero), 0.75 + known)
        if problem.can_be_tested_before(divisor):
            negated = f"not {condition}"
            yield from problem.leave_early(negated, why, 0.7 + known)
    statement = problem.statement
    if isinstance(statement, ast.AugAssign) and isinstance(statement.op, _DIVISIONS):
        condition, why = _condition(problem, statement.value)
        if problem.can_be_tested_before(statement.value):
            yield from problem.leave_early(f"not {condition}", why, 0.7)
            start, end = problem.source.span(statement)
            indent = " " * statement.col_offset + problem.indent
            text = f"if {condition}:\n{indent}{problem.source.text[start:end]}"
            yield Candidate(f"leave it as it is when {why}", (Edit(start, end, text),), 0.72)


def _divisor(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, _DIVISIONS):
        # "…" % value is formatting.
        return None if isinstance(node.left, (ast.JoinedStr, ast.Constant)) and _is_text(node.left) else node.right
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "divmod":
        return node.args[1] if len(node.args) == 2 else None
    return None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)))


def _condition(problem: Problem, divisor: ast.expr) -> tuple[str, str]:
    """(what must hold, in words what is the matter when it does not)"""
    text = problem.source.of(divisor)
    called = divisor.func if isinstance(divisor, ast.Call) else None
    if isinstance(divisor, ast.Call) and isinstance(called, ast.Name) and called.id == "len" and len(divisor.args) == 1:
        return problem.text(divisor.args[0]), f"{problem.source.of(divisor.args[0])} is empty"
    return problem.text(divisor), f"{text} == 0"


def _whole_test(problem: Problem, node: ast.expr) -> ast.expr | None:
    """The condition that the division is part of: an `if`, a `while`, or a part of one that `and` joins."""
    child: ast.AST = node
    for parent in problem.enclosing(node):
        if isinstance(parent, (ast.If, ast.While)) and parent.test is child:
            return parent.test
        if isinstance(parent, ast.IfExp) and parent.test is child:
            return parent.test
        if isinstance(parent, ast.comprehension) and child in parent.ifs:
            return child if isinstance(child, ast.expr) else None
        if not isinstance(parent, (ast.Compare, ast.BinOp, ast.UnaryOp, ast.BoolOp)):
            return None
        if isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not):
            return None
        if isinstance(parent, ast.BoolOp):
            if isinstance(parent.op, ast.Or):
                return None
            return child if isinstance(child, ast.expr) else None
        child = parent
    return None
