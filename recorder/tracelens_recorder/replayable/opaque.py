"""What stands, when a call is made again, for a value that could not be recorded: a lock, a socket, an instance of
another package's class. It may be handed on, kept and compared by identity; whoever uses it ends the call."""

from __future__ import annotations

from typing import Any, NoReturn


class OpaqueUsed(BaseException):
    """What was not recorded is used. No `Exception`: the program must not go on as if it had failed itself."""


class Opaque:
    """The stand-in. All that can be done with it raises OpaqueUsed."""

    __slots__ = ("_tracelens_kind",)

    def __init__(self, kind: str) -> None:
        object.__setattr__(self, "_tracelens_kind", kind)

    def __getattribute__(self, name: str) -> Any:
        _used(self)

    def __setattr__(self, name: str, value: object) -> None:
        _used(self)

    def __delattr__(self, name: str) -> None:
        _used(self)

    def __eq__(self, other: object) -> bool:
        return True if self is other else _used(self)

    def __hash__(self) -> int:
        return object.__hash__(self)


def _used(it: Opaque, *_: object, **__: object) -> NoReturn:
    raise OpaqueUsed(object.__getattribute__(it, "_tracelens_kind"))


# fmt: off
for _name in (
    "abs", "add", "aenter", "aexit", "aiter", "and", "anext", "await", "bool", "bytes", "call", "ceil", "complex",
    "contains", "delitem", "divmod", "enter", "exit", "float", "floor", "floordiv", "format", "fspath", "ge", "getitem",
    "gt", "iadd", "index", "int", "invert", "iter", "le", "len", "lshift", "lt", "matmul", "mod", "mul", "ne", "neg",
    "next", "or", "pos", "pow", "radd", "rand", "reduce_ex", "repr", "reversed", "rmul", "ror", "round", "rshift",
    "rsub", "rtruediv", "setitem", "str", "sub", "truediv", "trunc", "xor",
):
    setattr(Opaque, f"__{_name}__", _used)
# fmt: on
