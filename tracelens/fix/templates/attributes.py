"""AttributeError on a value that is there: a misspelt name, or a dictionary taken for an object."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tracelens.fix.templates.problem import Candidate, Problem
from tracelens.fix.templates.slips import meant_by

_BUILT_IN = {
    "str": str,
    "list": list,
    "dict": dict,
    "set": set,
    "tuple": tuple,
    "int": int,
    "float": float,
    "bytes": bytes,
}
_TWINS = {
    ("list", "add"): "append",
    ("set", "append"): "add",
    ("list", "push"): "append",
    ("list", "length"): "",
    ("dict", "has_key"): "",
    ("str", "contains"): "",
}


def candidates(problem: Problem) -> Iterator[Candidate]:
    said = re.search(r"'([\w.]+)' object has no attribute '(\w+)'", problem.message)
    if not said or said.group(1) == "NoneType":
        return
    kind, name = said.groups()
    for node in problem.parts:
        if not (isinstance(node, ast.Attribute) and node.attr == name):
            continue
        holder = problem.source.of(node.value)
        known = dir(_BUILT_IN[kind]) if kind in _BUILT_IN else _attributes_of(problem, kind)
        twin = _TWINS.get((kind, name))
        meant = {twin: 0.85} if twin else {}
        for other, likely in meant_by(
            name, [one for one in known if not one.startswith("__")], 0.85 - 0.05 * len(meant)
        ):
            meant.setdefault(other, likely)
        for other, likely in meant.items():
            yield Candidate(f"{other} instead of {name}", problem.replace(node, f"{holder}.{other}"), likely)
        if kind == "dict" and isinstance(node.ctx, ast.Load) and not isinstance(problem.parents.get(node), ast.Call):
            yield Candidate(f'the key "{name}"', problem.replace(node, f'{holder}["{name}"]'), 0.8)


def _attributes_of(problem: Problem, kind: str) -> list[str]:
    """Names of attributes: those that recorded values of the class show, of the class where it is in the file, and all
    others that are used there."""
    own = [
        name
        for call in problem.evidence.failing
        for _, seen, text in call.arguments
        if seen.rpartition(".")[2] == kind
        for name in re.findall(r"[(,] ?(\w+)=", text)
    ]
    for node in ast.walk(problem.source.tree):
        if isinstance(node, ast.ClassDef) and node.name == kind:
            own += [one.name for one in node.body if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
            own += [
                one.target.id
                for one in node.body
                if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
            ]
    own += [node.attr for node in ast.walk(problem.source.tree) if isinstance(node, ast.Attribute)]
    return list(dict.fromkeys(own))
