"""UnboundLocalError and NameError: a name that has no value yet, is misspelt, or was not imported."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator

from tracelens.fix.patch import Edit
from tracelens.fix.templates.problem import Candidate, Problem
from tracelens.fix.templates.slips import meant_by

_HARMLESS_MODULES = frozenset(
    [
        "math",
        "re",
        "json",
        "datetime",
        "collections",
        "itertools",
        "functools",
        "operator",
        "decimal",
        "fractions",
        "statistics",
        "string",
        "textwrap",
        "random",
        "time",
        "copy",
        "enum",
        "dataclasses",
        "typing",
        "bisect",
        "heapq",
        "uuid",
        "logging",
    ]
)


def candidates(problem: Problem) -> Iterator[Candidate]:
    said = re.search(r"(?:variable|name) '(\w+)'", problem.message)
    if not said:
        return
    name = said.group(1)
    if problem.kind == "UnboundLocalError":
        yield from _unbound(problem, name)
    else:
        yield from _unknown(problem, name)


def _unbound(problem: Problem, name: str) -> Iterator[Candidate]:
    for number, value in enumerate(_beginnings(problem, name)):
        yield Candidate(
            f"start with {name} = {value}", _at_the_start(problem, f"{name} = {value}"), 0.8 - 0.06 * number
        )
    if name in _module_names(problem.source.tree):
        yield Candidate(f"mean the module's {name}", _at_the_start(problem, f"global {name}"), 0.85)
    scope = problem.evidence.unit.scope
    if "<locals>" in scope:
        yield Candidate(f"mean the outer {name}", _at_the_start(problem, f"nonlocal {name}"), 0.85)


def _beginnings(problem: Problem, name: str) -> list[str]:
    """What the name may begin as, best first, from what is done with it."""
    found: list[str] = []
    for node in ast.walk(problem.function):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            if isinstance(node.op, ast.Mult):
                found.append("1")
            elif isinstance(node.value, (ast.JoinedStr, ast.Constant)) and _is_text(node.value):
                found.append('""')
            elif isinstance(node.value, (ast.List, ast.ListComp)):
                found.append("[]")
            else:
                found.append("0")
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("append", "extend")
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == name
        ):
            found.append("[]")
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Name) and node.value.id == name:
            found += problem.defaults
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Constant)
            and any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
        ):
            zeros = {int: "0", float: "0.0", str: '""', bool: "False"}
            found.append(zeros.get(type(node.value.value), "None"))
    return list(dict.fromkeys([*found, "None"]))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _at_the_start(problem: Problem, line: str) -> tuple[Edit, ...]:
    """A first line of the function, after its docstring."""
    body = problem.function.body
    first = body[0]
    has_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    if has_docstring and len(body) > 1:
        first = body[1]
    place = problem.source.line_start(first.lineno)
    indent = problem.source.text[place : problem.source.span(first)[0]]
    return () if indent.strip() else (Edit(place, place, f"{indent}{line}\n"),)


def _module_names(tree: ast.Module) -> set[str]:
    return {
        target.id
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


def _unknown(problem: Problem, name: str) -> Iterator[Candidate]:
    known = set(dir(builtins)) | _module_names(problem.source.tree) | set(problem.parameters)
    for node in ast.walk(problem.source.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            known.add(node.name)
        elif isinstance(node, ast.alias):
            known.add((node.asname or node.name).partition(".")[0])
    known |= {
        node.id for node in ast.walk(problem.function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    places = [node for node in problem.parts if isinstance(node, ast.Name) and node.id == name]
    for other, likely in meant_by(name, known, 0.8):
        for place in places:
            yield Candidate(f"{other} instead of {name}", problem.replace(place, other), likely)
    methods = {
        node.name for node in ast.walk(problem.source.tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    if name in methods and "self" in problem.parameters:
        for place in places:
            yield Candidate(f"self.{name}", problem.replace(place, f"self.{name}"), 0.8)
    if name in _HARMLESS_MODULES:
        yield Candidate(f"import {name}", _at_the_start(problem, f"import {name}"), 0.85)
