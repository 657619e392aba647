"""IndexError: a position that is not there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.templates.problem import Candidate, Problem


def candidates(problem: Problem) -> Iterator[Candidate]:
    for node in problem.parts:
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            yield from _position(problem, node)
            yield from _put_behind(problem, node)
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("pop", "popleft")
        ):
            holder = node.func.value
            if problem.is_simple(holder):
                text = problem.source.of(holder)
                yield Candidate(f"None when {text} is empty", problem.conditional(node, text, "None"), 0.6)
            if problem.can_be_tested_before(holder):
                text = problem.source.of(holder)
                yield from problem.leave_early(f"not {problem.text(holder)}", f"{text} is empty", 0.7)
    yield from _shorter_range(problem)


def _put_behind(problem: Problem, node: ast.Subscript) -> Iterator[Candidate]:
    """What is put at the first place of an empty list, or at the length of one, is meant to be appended."""
    first = _constant(node.slice) == 0 or ast.unparse(node.slice) == f"len({ast.unparse(node.value)})"
    statement = problem.parents.get(node)
    alone = isinstance(statement, ast.Assign) and len(statement.targets) == 1 and statement.targets[0] is node
    if first and alone and isinstance(statement, ast.Assign) and "assignment index" in problem.message:
        holder, value = problem.source.of(node.value), problem.source.of(statement.value)
        yield Candidate(f"append to {holder}", problem.replace(statement, f"{holder}.append({value})"), 0.95)


def _position(problem: Problem, node: ast.Subscript) -> Iterator[Candidate]:
    holder, index = node.value, node.slice
    text = problem.source.of(holder)
    constant = _constant(index)
    if problem.is_simple(holder):
        if constant in (0, -1):
            condition, why = problem.text(holder), f"{text} is empty"
        elif constant is not None:
            need = constant if constant >= 0 else -constant - 1
            condition, why = f"len({text}) > {need}", f"{text} has no item {constant}"
        elif problem.is_simple(index):
            condition = f"{problem.source.of(index)} < len({text})"
            why = f"{problem.source.of(index)} is past the end of {text}"
        else:
            return
        if isinstance(node.ctx, ast.Load):
            for number, default in enumerate(_fitting(problem, node)):
                likely = (0.7 if constant is not None else 0.55) - 0.05 * number
                yield Candidate(f"{default} when {why}", problem.conditional(node, condition, default), likely)
        if problem.can_be_tested_before(holder) and problem.can_be_tested_before(index):
            negated = f"not {condition}" if constant in (0, -1) else _negated(condition)
            yield from problem.leave_early(negated, why, 0.75 if constant is not None else 0.6)
        for parent in problem.enclosing(node):  # `while xs[i] …` and `if xs[i] …`
            if isinstance(parent, (ast.While, ast.If)) and any(one is node for one in ast.walk(parent.test)):
                test = problem.source.of(parent.test)
                test = f"({test})" if isinstance(parent.test, (ast.BoolOp, ast.IfExp)) else test
                if isinstance(parent.test, ast.BoolOp) and isinstance(parent.test.op, ast.And):
                    test = problem.source.of(parent.test)
                yield Candidate(f"guard {why}", problem.replace(parent.test, f"{condition} and {test}"), 0.8)
                break
    if isinstance(index, ast.BinOp) and isinstance(index.op, (ast.Add, ast.Sub)) and _constant(index.right) == 1:
        yield Candidate(
            f"take item {problem.source.of(index.left)}",
            problem.replace(index, problem.source.of(index.left)),
            0.45,
        )
    elif isinstance(index, ast.Name):
        yield Candidate(f"take item {index.id} - 1", problem.replace(index, f"{index.id} - 1"), 0.4)
    if isinstance(index, ast.Call) and isinstance(index.func, ast.Name) and index.func.id == "len":
        yield Candidate("take the last item", problem.replace(index, f"{problem.source.of(index)} - 1"), 0.9)


def _negated(condition: str) -> str:
    left, operator, right = condition.partition(" < " if " < " in condition else " > ")
    return f"{left} {'>=' if operator == ' < ' else '<='} {right}"


def _constant(node: ast.expr) -> int | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _constant(node.operand)
        return None if inner is None else -inner
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else None


def _fitting(problem: Problem, node: ast.Subscript) -> list[str]:
    parent = problem.parents.get(node)
    if isinstance(parent, ast.Return):
        found = [*problem.defaults, "None"]
    elif isinstance(parent, ast.BinOp):
        found = ["0"]
    elif isinstance(parent, ast.Attribute):
        found = ['""']
    else:
        found = ["None", *problem.defaults]
    return list(dict.fromkeys(found))


def _shorter_range(problem: Problem) -> Iterator[Candidate]:
    """A loop that counts one too far."""
    calls = [node for node in problem.parts if isinstance(node, ast.Call)]
    if isinstance(problem.loop, ast.For):
        calls += [node for node in ast.walk(problem.loop.iter) if isinstance(node, ast.Call)]
    for node in problem.parts:
        for parent in problem.enclosing(node):
            if isinstance(parent, ast.comprehension):
                calls += [one for one in ast.walk(parent.iter) if isinstance(one, ast.Call)]
            elif isinstance(parent, (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)):
                calls += [one for gen in parent.generators for one in ast.walk(gen.iter) if isinstance(one, ast.Call)]
    for call in dict.fromkeys(calls):
        if not (isinstance(call.func, ast.Name) and call.func.id == "range" and 1 <= len(call.args) <= 2):
            continue
        stop = call.args[-1]
        text = problem.source.of(stop)
        if isinstance(stop, ast.BinOp) and isinstance(stop.op, ast.Add) and _constant(stop.right) == 1:
            shorter = problem.source.of(stop.left)
            yield Candidate(f"count up to {shorter}", problem.replace(stop, shorter), 0.85)
        else:
            yield Candidate(f"count up to {text} - 1", problem.replace(stop, f"{problem.text(stop)} - 1"), 0.65)
