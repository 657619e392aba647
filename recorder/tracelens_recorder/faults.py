"""Errors of the recorder's own, told apart from those of the program: neither may do harm to the other."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import types
from typing import Any


def is_the_programs(problem: BaseException) -> bool:
    """Whether an exception that arose while the recorder ran was raised by a signal handler of the program.

    All else that arises there is the recorder's, and must not reach the program.
    """
    if isinstance(problem, KeyboardInterrupt):
        return True
    handlers = None
    traceback = problem.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if handlers is None:
            handlers = {id(one) for one in map(_code_of, map(_handler, range(1, 65))) if one is not None}
        if id(code) in handlers:
            return True
        traceback = traceback.tb_next
    return False


def _handler(number: int) -> Any:
    try:
        return _signal.getsignal(number)
    except (ValueError, OSError):
        return None


def _code_of(handler: Any) -> object:
    """The code that a handler runs: of a function, a method, or a class that can be called."""
    if type(handler) is types.MethodType:
        handler = handler.__func__
    if type(handler) is types.FunctionType:
        return handler.__code__
    for base in type.__dict__["__mro__"].__get__(type(handler)):
        called = type.__dict__["__dict__"].__get__(base).get("__call__")
        if called is not None:
            return called.__code__ if type(called) is types.FunctionType else None
    return None


def place_of(problem: BaseException) -> str:
    """Where it was raised: "values.py:17"."""
    traceback = problem.__traceback__
    place = "?"
    while traceback is not None:
        place = f"{os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
