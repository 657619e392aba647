"""Call sites of code in scope, looked at until they have shown whom they call (Python 3.12 and newer).

A parked function is not seen to be called, and does not see whom it calls. So every call instruction is listened to
until it has called the same callee a few times, or many different ones, and is then left alone for good.
"""

from __future__ import annotations

import types
from types import CodeType, FrameType
from typing import Dict, List, Optional, Tuple

from tracelens_recorder.code import INLINE, Function

SAME = 3
"""Calls of one callee in a row after which a site has shown whom it calls."""
DIFFERENT = 8
"""Callees of one site after which nobody learns more from it."""
FOREIGN = 2
"""Calls in a row of what is not in scope."""
MAX_SITES = 200_000

_BUILT_IN = frozenset([types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType])
"""Where one of these is called, seldom anything else is."""

_RUNS = {
    id(one): "__%s__" % name
    for one, name in (
        (next, "next"), (iter, "iter"), (len, "len"), (repr, "repr"), (hash, "hash"), (str, "str"), (bool, "bool"),
        (list, "iter"), (tuple, "iter"), (set, "iter"), (dict, "iter"), (sorted, "iter"), (enumerate, "iter"),
    )
}  # fmt: skip
"""What built-in functions and classes call of their first argument, where its class defines it: by id()."""

_mro = type.__dict__["__mro__"].__get__
_attributes = type.__dict__["__dict__"].__get__
_function_of = types.MethodType.__dict__["__func__"].__get__


class Sites:
    """What each site has called so far."""

    def __init__(self, functions: Dict[int, Function]) -> None:
        self._functions = functions
        self._seen: Dict[Tuple[int, int], List[int]] = {}
        """(caller, offset) → [calls in a row of the last callee, the last callee, different callees]"""

    def called(self, caller: Function, offset: int, callee: object, first: object) -> Tuple[Optional[Function], bool]:
        """The function in scope that a site calls now, if it does, and whether the site may be left alone. `first`: the
        first argument, if there is one."""
        codes: Tuple[CodeType, ...]
        name = _RUNS.get(id(callee))
        if name is not None:
            codes = _methods(type(first), (name,))
            if not codes:
                return None, True
        elif type(callee) in _BUILT_IN:
            return None, True
        else:
            codes = codes_of(callee)
        function = None
        for code in codes:
            function = self._functions.get(id(code)) or function
        key = (caller.index, offset)
        seen = self._seen.get(key)
        index = -1 if function is None else function.index
        if seen is None:
            if len(self._seen) >= MAX_SITES:
                return function, True
            self._seen[key] = [1, index, 1]
            return function, False
        if seen[1] == index:
            seen[0] += 1
        else:
            seen[0], seen[1] = 1, index
            seen[2] += 1
        return function, seen[0] >= (SAME if index >= 0 else FOREIGN) or seen[2] >= DIFFERENT


def codes_of(callee: object) -> Tuple[CodeType, ...]:
    """The Python code that a call of an object runs first; () where that is none, or not known."""
    kind = type(callee)
    if kind is types.FunctionType:
        return (callee.__code__,)  # type: ignore[attr-defined]
    if kind is types.MethodType:
        inner = _function_of(callee)
        return (inner.__code__,) if type(inner) is types.FunctionType else ()
    if issubclass(kind, type):
        return _methods(callee, ("__new__", "__init__"))
    return _methods(kind, ("__call__",))


def _methods(kind: object, names: Tuple[str, ...]) -> Tuple[CodeType, ...]:
    found = []
    for name in names:
        for base in _mro(kind):
            method = _attributes(base).get(name)
            if method is not None:
                if type(method) is staticmethod:
                    method = method.__func__
                if type(method) is types.FunctionType:
                    found.append(method.__code__)
                break
    return tuple(found)


def around(function: Function, frame: FrameType, functions: Dict[int, Function]) -> Tuple[Optional[Function], int]:
    """Who is said to call from a frame, and where: what is inline belongs to the function or module around it."""
    hops = 0
    one: Optional[Function] = function
    back: Optional[FrameType] = frame
    while back is not None and (one is None or one.kind == INLINE) and hops < 8:
        back = back.f_back
        hops += 1
        one = functions.get(id(back.f_code)) if back is not None else None
    if one is None or back is None or one.kind == INLINE:
        return None, 0
    return one, back.f_lasti
