"""Functions that the program marks, and calls that it records itself.

A mark wraps nothing: the function stays the very object it was, and where nothing is recorded a mark costs nothing.
It says of the function's code that every call of it is to be kept with its values, and what it is: an agent, a tool, a
prompt.
"""

from __future__ import annotations

import sys
import types
from typing import Any, Callable, Dict, List, Optional, TypeVar, overload

from tracelens_recorder import marked, process
from tracelens_recorder.classes import clean
from tracelens_recorder.code import FUNCTION, Function

F = TypeVar("F", bound=Callable[..., Any])

iterations: Dict[str, int] = {}
"""How often `record_call` was called for a target."""
MAX_TARGETS = 10_000


@overload
def trace(function: F) -> F: ...
@overload
def trace(*, kind: str = "function") -> Callable[[F], F]: ...
def trace(function: Any = None, *, kind: str = "function") -> Any:
    """Keep every call of a function: `@trace`, `@trace(kind="tool")`. Of a class: of all its methods.

    Functions, coroutine functions, generators, methods, whatever is wrapped by `staticmethod`, `classmethod`,
    `property` or another decorator. The file may lie outside the workspace. Of what has no Python code (built-in
    functions) nothing can be recorded, and nothing is.
    """
    if function is None:
        return lambda given: trace(given, kind=kind)  # type: ignore[call-overload]
    kind = clean(str(kind), 40)
    for code in _codes(function):
        marked.codes[id(code)] = (code, kind)
        recorder = process.current()
        known = recorder.session.functions.get(id(code)) if recorder is not None else None
        if known is not None:
            known.mark = kind
    return function


def agent(function: F) -> F:
    """`@trace(kind="agent")`"""
    return trace(kind="agent")(function)


def tool(function: F) -> F:
    """`@trace(kind="tool")`"""
    return trace(kind="tool")(function)


def prompt(function: F) -> F:
    """`@trace(kind="prompt")`"""
    return trace(kind="prompt")(function)


def _codes(function: Any) -> List[types.CodeType]:
    """The code of a function, past what is wrapped around it."""
    if isinstance(function, type):
        return [code for value in list(vars(function).values()) if _is_function(value) for code in _codes(value)]
    if isinstance(function, property):
        parts = [part for part in (function.fget, function.fset, function.fdel) if part is not None]
        return [code for part in parts for code in _codes(part)]
    for _ in range(20):
        code = getattr(function, "__code__", None)
        inner = getattr(function, "__wrapped__", None) or getattr(function, "__func__", None)
        if inner is None or inner is function:
            inner = getattr(function, "func", None)
        if inner is not None and callable(inner):
            function = inner
            continue
        return [code] if isinstance(code, types.CodeType) else []
    return []


def _is_function(value: object) -> bool:
    return isinstance(value, (types.FunctionType, staticmethod, classmethod, property))


def record_call(target: Any, /, **arguments: Any) -> int:
    """Record a call that the recorder cannot see, or is to be seen whatever the budget: the function (or its dotted
    name) and the arguments it is called with. What is a function among them is written as its name.

    Returns how often it was recorded for this target, from 1 on: an iteration counter; 0 where nothing is recorded.
    Calls recorded so are kept with their values, and not counted: the recorder counts what it sees itself.
    """
    recorder = process.current()
    if recorder is None or not recorder.collecting or recorder.paused:
        return 0
    try:
        return _record(recorder, target, arguments, sys._getframe(1))
    except Exception as problem:
        recorder.session.fault(problem)
        return 0


def _record(recorder: process.Recorder, target: Any, arguments: Dict[str, Any], caller: types.FrameType) -> int:
    session = recorder.session
    if session.gate is not None and session.gate():
        return 0
    name = target if isinstance(target, str) else _name(target)
    number = iterations.get(name, 0)
    if number or len(iterations) < MAX_TARGETS:
        iterations[name] = number = number + 1
    codes = _codes(_found(target) if isinstance(target, str) else target)
    function: Optional[Function] = None
    if codes:
        function = session.functions.get(id(codes[0])) or session.add(codes[0])
    if function is None or function.kind != FUNCTION:
        from tracelens_recorder.spans import Span

        with Span(name, "call", {f"argument.{key}": _shown(value) for key, value in arguments.items()}, caller):
            pass
        return number
    session.captures.explicit(function, {key: _shown(value) for key, value in arguments.items()}, number, caller)
    return number


def _shown(value: Any) -> Any:
    return f"<{_name(value)}>" if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type)) else value


def _name(target: Any) -> str:
    module, name = getattr(target, "__module__", ""), getattr(target, "__qualname__", "")
    return clean(f"{module}.{name}" if isinstance(module, str) and module else str(name) or type(target).__qualname__)


def _found(name: str) -> Any:
    """What a dotted name (`shop.pricing.discount`, `shop.pricing:Order.total`) means among the loaded modules."""
    parts = name.replace(":", ".").split(".")
    for length in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:length]))
        if module is not None:
            found: Any = module
            for part in parts[length:]:
                found = getattr(found, part, None)
            return found
    return None
