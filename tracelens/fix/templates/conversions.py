"""ValueError: text that is not a number, an empty sequence, something that is not to be found."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.templates.problem import ZEROS, Candidate, Problem


def candidates(problem: Problem) -> Iterator[Candidate]:
    message = problem.message
    for node in problem.parts:
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in ("int", "float") and len(node.args) == 1:
            yield from _number(problem, node, name)
        elif name in ("max", "min") and "empty" in message and len(node.args) == 1:
            yield from _empty(problem, node)
        elif method in ("index", "rindex") and "substring not found" in message:
            assert isinstance(node.func, ast.Attribute)
            text = f"{problem.source.of(node.func.value)}.{method.replace('index', 'find')}"
            yield Candidate("-1 when it is not found", problem.replace(node.func, text), 0.7)
        elif method in ("index", "remove") and len(node.args) == 1 and "not in" in message:
            yield from _not_in_list(problem, node, method)
        elif method in ("split", "rsplit") and len(node.args) == 1 and "too many values to unpack" in message:
            text = problem.source.of(node)[:-1] + ", 1)"
            yield Candidate("split once", problem.replace(node, text), 0.75)
        elif method == "decode" and problem.kind == "UnicodeDecodeError":
            inside = problem.source.of(node)[:-1]
            separator = "" if inside.endswith("(") else ", "
            yield Candidate(
                "replace what cannot be decoded", problem.replace(node, f'{inside}{separator}errors="replace")'), 0.7
            )


def _number(problem: Problem, node: ast.Call, name: str) -> Iterator[Candidate]:
    if not any(one in problem.message for one in ("invalid literal", "could not convert", "cannot convert")):
        return
    argument = node.args[0]
    text, tight = problem.source.of(argument), problem.text(argument)
    said = problem.message.rpartition(": ")[2].strip("'\"")
    zero = ZEROS[name]
    if name == "int" and _is_float(said):
        yield Candidate(f"{text} may have decimals", problem.replace(argument, f"float({text})"), 0.85)
    for unwanted in (",", "_", " ", "$", "€", "%"):
        if unwanted in said and _is_float(said.replace(unwanted, "")):
            changed = f'{tight}.replace("{unwanted}", "")'
            yield Candidate(f'read {text} without "{unwanted}"', problem.replace(argument, changed), 0.8)
    if not problem.is_simple(argument):
        return
    if not said.strip():
        empty = f"{tight}.strip()" if said else text
        yield Candidate(f"{zero} when {text} is empty", problem.conditional(node, empty, zero), 0.85)
        yield Candidate(f"None when {text} is empty", problem.conditional(node, empty, "None"), 0.6)
    elif name == "int":
        digits = f'{tight}.strip().lstrip("-").isdigit()'
        yield Candidate(f"{zero} when {text} is not a number", problem.conditional(node, digits, zero), 0.6)
        yield Candidate(f"None when {text} is not a number", problem.conditional(node, digits, "None"), 0.55)
    if problem.can_be_tested_before(argument) and not said.strip():
        yield from problem.leave_early(f"not {tight}" + (".strip()" if said else ""), f"{text} is empty", 0.7)
    elif problem.can_be_tested_before(argument) and name == "int":
        yield from problem.leave_early(f"not {digits}", f"{text} is not a number", 0.5)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _empty(problem: Problem, node: ast.Call) -> Iterator[Candidate]:
    inside = problem.source.of(node)
    kind = problem.evidence.result_type()
    for number, default in enumerate(dict.fromkeys([ZEROS.get(kind, "0"), "0", "None"])):
        argument = node.args[0]
        if isinstance(argument, ast.GeneratorExp) and not node.keywords:
            inner = problem.source.of(argument)  # without call's parentheses it needs its own
            inner = inner if inner.startswith("(") else f"({inner})"
            text = f"{problem.source.of(node.func)}({inner}, default={default})"
        else:
            text = f"{inside[:-1].rstrip().rstrip(',')}, default={default})"
        yield Candidate(f"{default} when there is none", problem.replace(node, text), 0.85 - 0.1 * number)
    if problem.can_be_tested_before(node.args[0]):
        text = problem.source.of(node.args[0])
        yield from problem.leave_early(f"not {problem.text(node.args[0])}", f"{text} is empty", 0.65)


def _not_in_list(problem: Problem, node: ast.Call, method: str) -> Iterator[Candidate]:
    assert isinstance(node.func, ast.Attribute)
    holder, item = node.func.value, node.args[0]
    if not (problem.is_simple(holder) and problem.is_simple(item)):
        return
    condition = f"{problem.source.of(item)} in {problem.source.of(holder)}"
    why = f"{problem.source.of(item)} is not in {problem.source.of(holder)}"
    if method == "index":
        yield Candidate(f"-1 when {why}", problem.conditional(node, condition, "-1"), 0.6)
        yield Candidate(f"None when {why}", problem.conditional(node, condition, "None"), 0.55)
    if problem.can_be_tested_before(holder) and problem.can_be_tested_before(item):
        negated = condition.replace(" in ", " not in ", 1)
        yield from problem.leave_early(negated, why, 0.65)
