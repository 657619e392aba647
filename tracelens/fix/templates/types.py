"""TypeError: a value of another type than the operation takes, where a conversion or an `await` is what is missing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tracelens.fix.templates.problem import Candidate, Problem


def candidates(problem: Problem) -> Iterator[Candidate]:
    message = problem.message
    if "coroutine" in message:
        yield from _await(problem)
        return
    if "NoneType" in message:
        return
    for node in problem.parts:
        if isinstance(node, ast.BinOp) and ("operand" in message or "concatenate" in message):
            yield from _operands(problem, node, node.left, node.right)
        elif isinstance(node, ast.Compare) and "not supported between" in message and len(node.comparators) == 1:
            yield from _operands(problem, node, node.left, node.comparators[0])
        elif isinstance(node, ast.Call) and "expected str instance" in message and _is_join(node):
            text = problem.source.of(node.args[0])
            yield Candidate("convert each item to text", problem.replace(node.args[0], f"map(str, {text})"), 0.9)
        elif isinstance(node, ast.Call) and "cannot be interpreted as an integer" in message:
            for argument in node.args:
                yield from _as_integer(problem, argument)
        elif isinstance(node, ast.Subscript) and ("indices must be" in message or "must be integers" in message):
            yield from _as_integer(problem, node.slice)
        elif "unhashable type" in message:
            yield from _hashable(problem, node)
        elif isinstance(node, ast.Subscript) and "'method' object is not subscriptable" in message:
            yield Candidate("call it", problem.replace(node.value, f"{problem.source.of(node.value)}()"), 0.85)
        elif isinstance(node, ast.Call) and "object is not callable" in message and not node.args:
            yield Candidate("do not call it", problem.replace(node, problem.source.of(node.func)), 0.6)
    if isinstance(problem.statement, ast.AugAssign) and ("operand" in message or "concatenate" in message):
        value = problem.statement.value
        text = problem.source.of(value)
        for name, preference in _conversions(message):
            yield Candidate(f"convert {text} to {name}", problem.replace(value, f"{name}({text})"), preference)


def _operands(problem: Problem, node: ast.expr, left: ast.expr, right: ast.expr) -> Iterator[Candidate]:
    for operand in (right, left):
        if isinstance(operand, ast.Constant):
            continue
        seen = (
            {kind for kind, _ in problem.evidence.values(operand.id, True)} if isinstance(operand, ast.Name) else set()
        )
        for name, preference in _conversions(problem.message):
            if seen == {name}:
                continue
            text = f"{name}({problem.source.of(operand)})"
            usual = problem.passing_type(operand.id) if isinstance(operand, ast.Name) else ""
            bonus = 0.1 if usual == name else 0.0
            other = right if operand is left else left
            if isinstance(other, (ast.Constant, ast.JoinedStr)):
                bonus += 0.05 if isinstance(getattr(other, "value", ""), str) == (name == "str") else -0.2
            yield Candidate(
                f"convert {problem.source.of(operand)} to {name}", problem.replace(operand, text), preference + bonus
            )


def _conversions(message: str) -> list[tuple[str, float]]:
    """What to convert to, from the types that the message names."""
    named = set(re.findall(r"\b(str|int|float|bytes|list|tuple|Decimal|decimal\.Decimal)\b", message))
    if "str" in named and named & {"int", "float"}:
        number = "float" if "float" in named else "int"
        return [("str", 0.65), (number, 0.65), ("float" if number == "int" else "int", 0.5)]
    if {"list", "tuple"} <= named:
        return [("list", 0.7), ("tuple", 0.65)]
    if named & {"Decimal", "decimal.Decimal"} and "float" in named:
        return [("float", 0.6)]
    if {"str"} == named:
        return [("str", 0.6), ("int", 0.6), ("float", 0.5)]
    if {"str", "bytes"} <= named:
        return []
    return [("str", 0.4)] if "str" in named else []


def _is_join(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr == "join" and len(node.args) == 1


def _as_integer(problem: Problem, node: ast.expr) -> Iterator[Candidate]:
    text = problem.source.of(node)
    for part in ast.walk(node):
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Div):
            left, right = problem.source.of(part.left), problem.source.of(part.right)
            yield Candidate("divide without a remainder", problem.replace(part, f"{left} // {right}"), 0.85)
    if not isinstance(node, (ast.Constant, ast.Slice)):
        yield Candidate(f"convert {text} to int", problem.replace(node, f"int({text})"), 0.7)


def _hashable(problem: Problem, node: ast.expr) -> Iterator[Candidate]:
    kind = re.search(r"unhashable type: '(\w+)'", problem.message)
    to = {"list": "tuple", "set": "frozenset"}.get(kind.group(1), "") if kind else ""
    if not to:
        return
    places: list[ast.expr] = []
    if isinstance(node, ast.Subscript):
        places = [node.slice]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        places = [node.args[0]]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
        places = [node.left]
    for place in places:
        if not isinstance(place, (ast.Constant, ast.Slice)):
            text = problem.source.of(place)
            yield Candidate(f"use {to}({text})", problem.replace(place, f"{to}({text})"), 0.75)


def _await(problem: Problem) -> Iterator[Candidate]:
    if not isinstance(problem.function, ast.AsyncFunctionDef):
        return
    for node in problem.parts:
        if isinstance(node, ast.Call) and not isinstance(problem.parents.get(node), ast.Await):
            text = problem.source.of(node)
            yield Candidate(f"await {text}", problem.replace(node, f"(await {text})"), 0.8)
    used = {node.id for node in problem.parts if isinstance(node, ast.Name)}
    for statement in ast.walk(problem.function):
        if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call)):
            continue
        names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
        if names & used and statement.lineno <= problem.evidence.line:
            text = problem.source.of(statement.value)
            yield Candidate(f"await {text}", problem.replace(statement.value, f"await {text}"), 0.9)
