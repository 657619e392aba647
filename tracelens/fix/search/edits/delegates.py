"""Calls that may be missing: of functions beside this one, with the variables that are named as their parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tracelens.fix.evidence import Function

_MOST = 80
"""Functions beside."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Callee:
    name: str
    """As it is called here: "helper", "self.helper"."""
    required: tuple[str, ...]
    optional: tuple[str, ...]


def callees(tree: ast.Module, function: Function, within: str) -> tuple[Callee, ...]:
    """Functions of the module, and methods of the class around `function` ("" none), without itself."""
    found = [_callee(one, one.name) for one in tree.body if isinstance(one, _FUNCTIONS) and one is not function]
    arguments = function.args
    owner = next((one.arg for one in [*arguments.posonlyargs, *arguments.args]), "")
    for one in ast.walk(tree) if within and owner else ():
        if isinstance(one, ast.ClassDef) and one.name == within and function in one.body:
            methods = (inner for inner in one.body if isinstance(inner, _FUNCTIONS) and inner is not function)
            found[:0] = [
                _callee(inner, f"{owner}.{inner.name}", bound=True)
                for inner in methods
                if not inner.decorator_list and not inner.name.startswith("__")
            ]
    return tuple(found[:_MOST])


def _callee(function: Function, name: str, *, bound: bool = False) -> Callee:
    arguments = function.args
    positional = [one.arg for one in [*arguments.posonlyargs, *arguments.args]]
    given = len(positional) - len(arguments.defaults)
    named = list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    required = positional[bound:given] + [f"{one.arg}=" for one, default in named if default is None]
    optional = positional[max(given, int(bound)) :] + [one.arg for one, default in named if default is not None]
    return Callee(name, tuple(required), tuple(optional))


def calls(known: tuple[Callee, ...], variables: list[tuple[str, float]]) -> Iterator[tuple[str, float]]:
    """Calls whose parameters all have a variable of their name, with how likely each is."""
    near = dict(variables)
    for one in known:
        names = [each.rstrip("=") for each in one.required]
        if any(name not in near for name in names):
            continue
        weight = min((near[name] for name in names), default=0.5)
        given = [
            f"{each}{name}" if each.endswith("=") else each for each, name in zip(one.required, names, strict=True)
        ]
        more = [f"{name}={name}" for name in one.optional if near.get(name, 0.0) > 0.5]
        if more:
            yield f"{one.name}({', '.join([*given, *more])})", 0.3 * weight
        yield f"{one.name}({', '.join(given)})", (0.2 if more else 0.3) * weight
