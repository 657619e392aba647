"""What the function does elsewhere with a value like the one that failed, done here too: `b or ""` beside `a or ""`.

The failing expression is looked for, with other names, inside an expression of the same function that chooses between
values; that choice is then written with the names of the failing place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.invented import shape
from tracelens.fix.templates.problem import Candidate, Problem

_MOST = 4
_WORTH = 0.95
"""The function's own way comes before what is usual elsewhere."""
_LESS = 0.65
"""For a smaller part, where the function's own way fits a larger one."""


def candidates(problem: Problem) -> Iterator[Candidate]:
    kinds = (ast.Attribute, ast.Subscript, ast.BinOp, *([ast.Name] if "NoneType" in problem.message else []))
    parts = [one for one in problem.parts if isinstance(one, kinds)]
    here = {id(node) for node in ast.walk(problem.statement)}
    choices = [
        one
        for one in ast.walk(problem.function)
        if id(one) not in here
        and (isinstance(one, ast.IfExp) or (isinstance(one, ast.BoolOp) and isinstance(one.op, ast.Or)))
    ]
    found: dict[tuple[ast.expr, str], Candidate] = {}
    # The larger the part that is the same, the better it fits.
    for part in reversed(parts):
        alone = problem.parents.get(part) is problem.statement
        worth = _WORTH if alone or not found else _LESS
        for choice in choices:
            for text in dict.fromkeys([*_instead(problem, choice, part), *_guarded(problem, choice, part)]):
                title = f"{text}, as in line {choice.lineno}"
                edits = problem.replace(part, text if alone else f"({text})")
                found.setdefault((part, text), Candidate(title, edits, worth - 0.01 * len(found)))
    yield from list(found.values())[:_MOST]
    yield from _arguments(problem, here)


def _arguments(problem: Problem, here: set[int]) -> Iterator[Candidate]:
    """What the function passes elsewhere, to the same function, beyond what it passes here: `int(b, 16)` beside it."""
    calls = [one for one in ast.walk(problem.function) if isinstance(one, ast.Call) and id(one) not in here]
    for node in problem.parts:
        if not isinstance(node, ast.Call) or not node.args:
            continue
        for other in calls:
            more: list[ast.expr | ast.keyword] = [*other.args[len(node.args) :], *other.keywords]
            same = ast.unparse(other.func) == ast.unparse(node.func) and not node.keywords
            if not same or not more or not all(isinstance(_value(one), ast.Constant) for one in more):
                continue
            added = ", ".join(ast.unparse(one) for one in more)
            inside = problem.source.of(node)[:-1].rstrip().rstrip(",")
            title = f"pass {added} as well, as in line {other.lineno}"
            yield Candidate(title, problem.replace(node, f"{inside}, {added})"), _WORTH)
            break


def _value(node: ast.expr | ast.keyword) -> ast.expr:
    return node.value if isinstance(node, ast.keyword) else node


def _instead(problem: Problem, choice: ast.expr, part: ast.expr) -> Iterator[str]:
    """The choice with the part's names, where it chooses from something of the part's form."""
    for inner in _chosen(choice):
        names = _renaming(inner, part)
        if names is not None:
            yield _with(problem, choice, names)


def _guarded(problem: Problem, choice: ast.expr, part: ast.expr) -> Iterator[str]:
    """The part under the choice's condition, with its constant: `":" + a if a else ""` makes `b + "@" if b else ""`."""
    if not isinstance(choice, ast.IfExp) or not isinstance(part, ast.BinOp | ast.Subscript):
        return
    tested = {ast.unparse(one): one for one in ast.walk(choice.test) if isinstance(one, ast.Name | ast.Attribute)}
    if not tested:
        return
    there = max(tested, key=len)
    for inner in ast.walk(part):
        if isinstance(inner, ast.Name | ast.Attribute) and shape(inner) == shape(tested[there]):
            test = _with(problem, choice.test, {there: ast.unparse(inner)})
            if isinstance(choice.orelse, ast.Constant):
                yield f"{problem.source.of(part)} if {test} else {problem.source.of(choice.orelse)}"
            elif isinstance(choice.body, ast.Constant):
                yield f"{problem.source.of(choice.body)} if {test} else {problem.source.of(part)}"


def _chosen(choice: ast.expr) -> list[ast.expr]:
    """The values that it chooses from, constants apart."""
    values = choice.values[:1] if isinstance(choice, ast.BoolOp) else []
    if isinstance(choice, ast.IfExp):
        values = [choice.body, choice.orelse]
    return [one for one in values if not isinstance(one, ast.Constant)]


def _renaming(there: ast.expr, here: ast.expr) -> dict[str, str] | None:
    """What each expression of names in the one is in the other; None when they are not of one form."""
    if shape(there) != shape(here):
        return None
    names: dict[str, str] = {}
    for one, other in zip(ast.walk(there), ast.walk(here), strict=False):
        if isinstance(one, ast.Name | ast.Attribute) and isinstance(other, ast.Name | ast.Attribute):
            text = ast.unparse(one)
            if names.setdefault(text, ast.unparse(other)) != ast.unparse(other):
                return None
    return names if any(name != text for name, text in names.items()) else None


def _with(problem: Problem, choice: ast.expr, names: dict[str, str]) -> str:
    """The text of an expression with other names in it, all else as it is written."""
    start, end = problem.source.span(choice)
    text = problem.source.text[start:end]
    places: list[tuple[int, int, str]] = []
    waiting: list[ast.AST] = [choice]
    while waiting:
        node = waiting.pop()
        other = names.get(ast.unparse(node)) if isinstance(node, ast.Name | ast.Attribute) else None
        if other is None:
            waiting.extend(ast.iter_child_nodes(node))
        else:
            places.append((*problem.source.span(node), other))  # type: ignore[arg-type]
    for first, last, other in sorted(places, reverse=True):
        text = text[: first - start] + other + text[last - start :]
    return text
