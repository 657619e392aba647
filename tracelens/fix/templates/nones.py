"""None where a value was expected: "'NoneType' object has no attribute …", "is not subscriptable", operands of None."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tracelens.fix.templates.problem import ZEROS, Candidate, Problem

_STRING_METHODS = frozenset(dir(str)) - frozenset(dir(object))
_DICT_METHODS = frozenset(["get", "items", "keys", "values", "setdefault"])
_LIST_METHODS = frozenset(["append", "extend", "sort", "reverse"])


def candidates(problem: Problem) -> Iterator[Candidate]:
    if "NoneType" not in problem.message:
        return
    for node, kind in _suspects(problem):
        text = problem.source.of(node)
        bonus = 0.1 if isinstance(node, ast.Name) and problem.always(node.id, "None") else 0.0
        if isinstance(node, ast.Name) and problem.evidence.values(node.id, failing=True) and not bonus:
            continue  # a parameter that was not None when it failed
        default = _default(problem, node, kind)
        if default:
            yield Candidate(
                f"{default} instead of None for {text}",
                problem.replace(node, f"({text} or {default})"),
                0.65 + bonus + (0.05 if kind else 0.0),
            )
        if not problem.is_simple(node):
            continue
        whole = _chain(problem, node)
        for number, otherwise in enumerate(_otherwise(problem, whole)):
            yield Candidate(
                f"{otherwise} when {text} is None",
                problem.conditional(whole, f"{text} is not None", otherwise),
                0.6 + bonus - 0.05 * number,
            )
        test = _test(problem, node)
        if test is not None:
            inner = problem.source.of(test)
            inner = f"({inner})" if isinstance(test, (ast.BoolOp, ast.IfExp)) else inner
            yield Candidate(
                f"guard {text} is None", problem.replace(test, f"{text} is not None and {inner}"), 0.75 + bonus
            )
        if problem.can_be_tested_before(node):
            yield from problem.leave_early(f"{text} is None", f"{text} is None", 0.7 + bonus)


def _suspects(problem: Problem) -> Iterator[tuple[ast.expr, str]]:
    """Expressions that may have been None, with the type that was wanted of them where that can be told."""
    attribute = re.search(r"no attribute '(\w+)'", problem.message)
    for node in problem.parts:
        if attribute:
            if isinstance(node, ast.Attribute) and node.attr == attribute.group(1):
                yield node.value, _of_method(node.attr)
        elif "subscriptable" in problem.message or "item assignment" in problem.message:
            if isinstance(node, ast.Subscript):
                yield node.value, ""
        elif "is not iterable" in problem.message and "argument of type" not in problem.message:
            if _is_iterated(problem, node):
                yield node, "list"
        elif "argument of type" in problem.message or "container or iterable" in problem.message:
            if isinstance(node, ast.Compare) and isinstance(node.ops[-1], (ast.In, ast.NotIn)):
                yield node.comparators[-1], ""
        elif "has no len()" in problem.message:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len" and node.args:
                yield node.args[0], "list"
        elif (
            "operand" in problem.message
            or "not supported between" in problem.message
            or "concatenate" in problem.message
        ):
            if isinstance(node, ast.BinOp):
                yield node.left, _beside(problem, node.right)
                yield node.right, _beside(problem, node.left)
            elif isinstance(node, ast.Compare):
                yield node.left, _beside(problem, node.comparators[0])
                yield node.comparators[-1], _beside(problem, node.left)
            elif isinstance(node, ast.UnaryOp):
                yield node.operand, "int"
        elif isinstance(node, ast.Call) and node.args:
            for argument in node.args:
                yield argument, {"int": "int", "float": "float"}.get(_name(node.func), "")
    statement = problem.statement
    if isinstance(statement, ast.AugAssign) and "operand" in problem.message:
        yield statement.value, ""


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _of_method(name: str) -> str:
    if name in _DICT_METHODS:
        return "dict"
    if name in _LIST_METHODS:
        return "list"
    return "str" if name in _STRING_METHODS else ""


def _beside(problem: Problem, other: ast.expr) -> str:
    """The type that fits beside an operand."""
    if isinstance(other, ast.Constant) and type(other.value) in (int, float, str):
        return type(other.value).__name__
    if isinstance(other, ast.JoinedStr):
        return "str"
    if isinstance(other, (ast.List, ast.ListComp)):
        return "list"
    return problem.passing_type(other.id) if isinstance(other, ast.Name) else ""


def _is_iterated(problem: Problem, node: ast.expr) -> bool:
    parent = problem.parents.get(node)
    if isinstance(parent, (ast.For, ast.AsyncFor, ast.comprehension)):
        return parent.iter is node
    if isinstance(parent, ast.Call) and node in parent.args:
        return _name(parent.func) in ("list", "set", "sorted", "sum", "tuple", "enumerate", "map", "zip", "min", "max")
    return isinstance(parent, ast.Starred)


def _default(problem: Problem, node: ast.expr, kind: str) -> str:
    """A value to take instead: the parameter's own default, else the neutral value of its usual or the wanted type."""
    if isinstance(node, ast.Name):
        declared = problem.parameters.get(node.id)
        if declared is not None and not (isinstance(declared, ast.Constant) and declared.value is None):
            return problem.source.of(declared)
        kind = problem.passing_type(node.id) or kind
    elif not isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        return ""
    return ZEROS.get(kind, "")


def _chain(problem: Problem, node: ast.expr) -> ast.expr:
    """The outermost expression that hangs on a node: `a.b.c(x)[0]` of `a`."""
    whole = node
    for parent in problem.enclosing(node):
        hangs = (
            (isinstance(parent, (ast.Attribute, ast.Subscript)) and parent.value is whole)
            or (isinstance(parent, ast.Call) and (parent.func is whole or (whole is node and node in parent.args)))
            or isinstance(parent, ast.BinOp)
        )
        if not hangs or not isinstance(parent, ast.expr):
            break
        if isinstance(parent, (ast.Attribute, ast.Subscript)) and not isinstance(parent.ctx, ast.Load):
            break
        whole = parent
    return whole


def _otherwise(problem: Problem, whole: ast.expr) -> list[str]:
    if isinstance(problem.parents.get(whole), ast.Return):
        return list(dict.fromkeys([*problem.defaults, "None"]))
    return ["None"]


def _test(problem: Problem, node: ast.expr) -> ast.expr | None:
    """The condition of the statement, when the node is in it."""
    statement = problem.statement
    if isinstance(statement, (ast.If, ast.While)) and any(one is node for one in ast.walk(statement.test)):
        return statement.test
    return None
