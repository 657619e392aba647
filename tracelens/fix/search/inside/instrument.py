"""Code that counts its steps: a tick in every loop and at the head of every function.

Steps stand in for time, so that a search gives the same answer on a loaded machine. A step past the limit raises
`OutOfFuel`, and so does every one after it: code that catches it gets no further.
"""

from __future__ import annotations

import ast
import builtins
import os
import types
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from typing import Any

TICK = "__tracelens_tick__"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


class OutOfFuel(BaseException):
    """A check took more steps than it may."""


class Fuel:
    left = 1 << 62
    """Outside checks nothing is counted."""


def tick() -> None:
    Fuel.left -= 1
    if Fuel.left < 0:
        raise OutOfFuel


def install(wanted: Callable[[str], bool]) -> None:
    """Instrument the modules whose path is `wanted` when they are imported."""
    setattr(builtins, TICK, tick)
    before = SourceFileLoader.source_to_code

    def source_to_code(self: Any, data: Any, path: Any, *, _optimize: int = -1) -> Any:
        name = os.fsdecode(path)
        if isinstance(data, (bytes, str)) and wanted(name):
            try:
                tree = ast.parse(data, name)
            except (SyntaxError, ValueError):
                return before(self, data, path, _optimize=_optimize)
            return compile(instrumented(tree), name, "exec", dont_inherit=True, optimize=_optimize)
        return before(self, data, path, _optimize=_optimize)

    SourceFileLoader.source_to_code = source_to_code  # type: ignore[method-assign]


def instrumented(tree: ast.AST) -> Any:
    """The same tree with ticks."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            if isinstance(inner, list):
                waiting.extend(inner)
        if isinstance(node, (*_FUNCTIONS, *_LOOPS)):
            first = node.body[0]
            at = 0
            documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            if isinstance(node, _FUNCTIONS) and documented and len(node.body) > 1:
                at, first = 1, node.body[1]
            node.body.insert(at, _tick_at(first))
    return tree


def _tick_at(node: ast.stmt) -> ast.stmt:
    place = {
        "lineno": node.lineno,
        "col_offset": node.col_offset,
        "end_lineno": node.lineno,
        "end_col_offset": node.col_offset,
    }
    name = ast.Name(id=TICK, ctx=ast.Load(), **place)
    call = ast.Call(func=name, args=[], keywords=[], **place)
    return ast.Expr(value=call, **place)


class Target:
    """A function of the user's whose code can be exchanged. Raises LookupError when it is not to be found."""

    def __init__(self, said: dict[str, Any], functions: list[types.FunctionType]) -> None:
        self.path: str = said["path"]
        self.name: str = said["name"]
        self.line: int = said["line"]
        """Of its `def`, 1-based."""
        self.first: int = said["first"]
        """Of its first decorator, or of its `def`."""
        self.within: str = said["within"]
        """The class around it, "" none."""
        self.indented: bool = said["indented"]
        self.functions = [one for one in functions if self._is_it(one)]
        if not self.functions:
            raise LookupError(self.name)
        self.original = self.functions[0].__code__

    def _is_it(self, one: types.FunctionType) -> bool:
        code = one.__code__
        return (
            code.co_name == self.name
            and self.first <= code.co_firstlineno <= self.line
            and os.path.realpath(code.co_filename) == self.path
        )

    def compile(self, text: str) -> tuple[types.CodeType, types.FunctionType | None]:
        """The code of a changed definition, and, where it needs no names, the function for its defaults."""
        head = f"class {self.within}:\n" if self.within else ("if 1:\n" if self.indented else "")
        tree = ast.parse(head + text)
        ast.increment_lineno(tree, self.line - 1 - bool(head))
        body = tree.body[0].body if head else tree.body  # type: ignore[attr-defined]
        node = body[0]
        if not isinstance(node, _FUNCTIONS) or len(body) != 1:
            raise SyntaxError("not one function")
        node.decorator_list = []
        arguments = node.args
        defaults = bool(arguments.defaults or any(arguments.kw_defaults))
        code = _code_of(compile(instrumented(tree), self.original.co_filename, "exec", dont_inherit=True), self.name)
        if code is None or len(code.co_freevars) != len(self.original.co_freevars):
            raise SyntaxError("another closure")
        made = None
        if defaults and not self.within and not code.co_freevars:
            scope = dict(self.functions[0].__globals__)
            exec(compile(tree, self.original.co_filename, "exec", dont_inherit=True), scope)  # noqa: S102
            made = scope.get(self.name)
        return code, made

    def use(self, made: tuple[types.CodeType, types.FunctionType | None]) -> None:
        code, function = made
        for one in self.functions:
            one.__code__ = code
            if function is not None:
                one.__defaults__ = function.__defaults__
                one.__kwdefaults__ = function.__kwdefaults__


def _code_of(code: types.CodeType, name: str) -> types.CodeType | None:
    waiting = [code]
    while waiting:
        for one in waiting.pop(0).co_consts:
            if isinstance(one, types.CodeType):
                if one.co_name == name:
                    return one
                waiting.append(one)
    return None
