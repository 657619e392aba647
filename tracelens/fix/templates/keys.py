"""KeyError: a key that is not there, or not there in this form. Also a dictionary that changes under a loop."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.patch import Edit
from tracelens.fix.templates.problem import Candidate, Problem


def candidates(problem: Problem) -> Iterator[Candidate]:
    if problem.kind == "RuntimeError":
        yield from _changing_size(problem)
        return
    for node in problem.parts:
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            yield from _lookup(problem, node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 1:
            holder, key = problem.text(node.func.value), problem.source.of(node.args[0])
            if node.func.attr == "pop":
                text = f"{problem.source.of(node.func)}({key}, None)"
                yield Candidate(f"None when {key} is not in {holder}", problem.replace(node, text), 0.7)
            elif node.func.attr == "remove":
                text = f"{problem.source.of(node.func.value)}.discard({key})"
                yield Candidate(f"discard {key} if it is there", problem.replace(node, text), 0.75)


def _lookup(problem: Problem, node: ast.Subscript) -> Iterator[Candidate]:
    holder, key = problem.text(node.value), problem.source.of(node.slice)
    if isinstance(node.slice, ast.Tuple):
        key = f"({key})" if not key.startswith("(") else key
    missing = f"{key} is not in {holder}"
    named = _names_the_key(problem, node)
    bonus = 0.05 if named else -0.1
    parent = problem.parents.get(node)
    if isinstance(node.ctx, ast.Load):
        for number, default in enumerate(_fitting(problem, node)):
            said = "" if default == "None" else f", {default}"
            text = f"{holder}.get({key}{said})"
            yield Candidate(f"{default} when {missing}", problem.replace(node, text), 0.8 + bonus - 0.05 * number)
        if isinstance(node.slice, ast.Name) and isinstance(parent, ast.Return):
            text = f"{holder}.get({key}, {key})"
            yield Candidate(f"{key} itself when {missing}", problem.replace(node, text), 0.72 + bonus)
        if isinstance(parent, ast.Attribute) and parent.attr in ("append", "extend", "add", "update"):
            empty = {"append": "[]", "extend": "[]", "add": "set()", "update": "{}"}[parent.attr]
            text = f"{holder}.setdefault({key}, {empty})"
            yield Candidate(f"start {holder}[{key}] as {empty}", problem.replace(node, text), 0.9 + bonus)
        for name in ("int", "str"):
            if _is_other_type(problem.message, name):
                text = f"{problem.source.of(node.value)}[{name}({key})]"
                yield Candidate(f"look up {name}({key})", problem.replace(node, text), 0.45)
        literal = _literal(problem.message)
        if isinstance(literal, str):
            for method in ("strip", "lower", "upper"):
                if getattr(literal, method)() != literal:
                    text = f"{problem.source.of(node.value)}[{problem.text(node.slice)}.{method}()]"
                    yield Candidate(f"look up {key}.{method}()", problem.replace(node, text), 0.5)
    if isinstance(problem.statement, ast.AugAssign) and problem.statement.target is node:
        zero = _zero_of(problem.statement.value)
        operator = (
            problem.source.text[problem.source.span(node)[1] : problem.source.span(problem.statement.value)[0]]
            .strip()
            .removesuffix("=")
        )
        start, end = problem.source.span(problem.statement)
        value = problem.source.of(problem.statement.value)
        text = f"{problem.source.of(node)} = {holder}.get({key}, {zero}) {operator} {value}"
        yield Candidate(f"count from {zero} when {missing}", (Edit(start, end, text),), 0.9 + bonus)
    if isinstance(problem.statement, ast.Delete) and problem.statement.targets == [node]:
        start, end = problem.source.span(problem.statement)
        text = f"{holder}.pop({key}, None)"
        yield Candidate(f"delete {key} if it is there", (Edit(start, end, text),), 0.8)
    testable = problem.can_be_tested_before(node.value) and problem.can_be_tested_before(node.slice)
    if isinstance(node.ctx, ast.Load) and testable:
        yield from problem.leave_early(f"{key} not in {holder}", missing, 0.6 + bonus)


def _fitting(problem: Problem, node: ast.Subscript) -> list[str]:
    """Defaults that fit where the value goes, best first."""
    parent = problem.parents.get(node)
    if isinstance(parent, ast.Return):
        found = [*problem.defaults, "None"]
    elif isinstance(parent, ast.BinOp):
        other = parent.right if parent.left is node else parent.left
        found = [_zero_of(other)]
        if isinstance(parent.op, ast.Mult):
            found.append("1")
        if problem.evidence.result_type() == "float":
            found.append("0.0")
    elif isinstance(parent, (ast.For, ast.comprehension)):
        found = ["()"]
    elif isinstance(parent, ast.Attribute):
        found = ['""', "{}"]
    elif isinstance(parent, ast.Subscript):
        found = ["{}"]
    else:
        found = ["None", *problem.defaults]
    return list(dict.fromkeys(found))


def _zero_of(node: ast.expr) -> str:
    """The neutral value beside an operand, as far as its form tells."""
    if isinstance(node, ast.Constant):
        return {str: '""', float: "0.0", bytes: 'b""'}.get(type(node.value), "0")
    if isinstance(node, (ast.List, ast.ListComp)):
        return "[]"
    if isinstance(node, ast.JoinedStr):
        return '""'
    if isinstance(node, ast.Tuple):
        return "()"
    return "0"


def _literal(message: str) -> object:
    """The key that a KeyError names, when it is a literal."""
    try:
        return ast.literal_eval(message) if len(message) < 200 else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _names_the_key(problem: Problem, node: ast.Subscript) -> bool:
    """Whether the exception can be about this lookup: a constant key is the one it names, or it is not this lookup."""
    return not isinstance(node.slice, ast.Constant) or _literal(problem.message) == node.slice.value


def _is_other_type(message: str, name: str) -> bool:
    literal = _literal(message)
    if name == "int":
        return isinstance(literal, str) and literal.strip().lstrip("-").isdigit()
    return isinstance(literal, int)


def _changing_size(problem: Problem) -> Iterator[Candidate]:
    if "changed size during iteration" not in problem.message:
        return
    for node in ast.walk(problem.function):
        if isinstance(node, ast.For) and node.lineno <= problem.evidence.line <= (node.end_lineno or node.lineno):
            text = f"list({problem.source.of(node.iter)})"
            yield Candidate(
                f"iterate over a copy of {problem.source.of(node.iter)}", problem.replace(node.iter, text), 0.9
            )
