"""What builtins, methods of containers and some functions of the standard library do with what they are given: data.

A model says which arguments are called and with what, and what comes out. Arguments are positions or keywords;
`each(n)` is what iterating argument n gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Given: TypeAlias = int | str | tuple[Literal["each"], int]
"""A position, a keyword, or ("each", position)."""


def each(position: int) -> tuple[Literal["each"], int]:
    return ("each", position)


OUTCOME: Final = "outcome"
"""What the called argument returned."""


@dataclass(frozen=True, slots=True)
class Model:
    calls: Given | None = None
    """The argument that is called."""
    with_: tuple[Given, ...] = ()
    """What it is called with."""
    gives: tuple[Given, ...] = ()
    """What comes out: any of these, or OUTCOME."""
    collected: str = ""
    """The container that what comes out is in; "" for none."""
    built: str = ""
    """A builtin type that comes out whatever goes in."""
    asks: str = ""
    """The special method that is called on the first argument; on all of them for `print`."""


STANDS_IN: Final = {"__str__": "__repr__", "__bool__": "__len__", "__ne__": "__eq__", "__contains__": "__iter__"}
"""Special methods that Python calls where a class has not the one that is asked for."""


def _built(kind: str, *names: str) -> dict[str, Model]:
    return dict.fromkeys(names, Model(built=kind))


def _asking(kind: str, *names: str) -> dict[str, Model]:
    """Builtins that are called what they ask for: `len` asks for `__len__`."""
    return {name: Model(built=kind, asks=f"__{name}__") for name in names}


FUNCTIONS: Final[dict[str, Model]] = {
    **_built("int", "id", "ord"),
    **_asking("int", "len", "hash", "int"),
    **_built("bool", "all", "any", "callable", "hasattr", "isinstance", "issubclass"),
    **_asking("bool", "bool"),
    **_built("str", "ascii", "bin", "chr", "hex", "input", "oct"),
    **_asking("str", "repr", "str", "format"),
    **_asking("bytes", "bytes"),
    **_asking("float", "float"),
    "abs": Model(built="int", asks="__abs__"),
    "round": Model(built="float", asks="__round__"),
    "print": Model(asks="__str__"),
    **_built("range", "range"),
    **_built("file", "open"),
    **_built("dict", "globals", "locals", "vars"),
    "list": Model(gives=(each(0),), collected="list"),
    "tuple": Model(gives=(each(0),), collected="tuple"),
    "set": Model(gives=(each(0),), collected="set"),
    "frozenset": Model(gives=(each(0),), collected="set"),
    "iter": Model(gives=(each(0),), collected="generator"),
    "reversed": Model(gives=(each(0),), collected="list"),
    "next": Model(gives=(1,)),
    "min": Model(calls="key", with_=(each(0),), gives=(each(0), 0, 1, 2)),
    "max": Model(calls="key", with_=(each(0),), gives=(each(0), 0, 1, 2)),
    "sorted": Model(calls="key", with_=(each(0),), gives=(each(0),), collected="list"),
    "map": Model(calls=0, with_=(each(1), each(2), each(3)), gives=(OUTCOME,), collected="generator"),
    "filter": Model(calls=0, with_=(each(1),), gives=(each(1),), collected="generator"),
    "sum": Model(gives=(each(0), 1)),
}
"""By name of the builtin."""

EXTERNALS: Final[dict[str, Model]] = {
    "functools.reduce": Model(calls=0, with_=(each(1), each(1)), gives=(OUTCOME, each(1), 2)),
    "functools.cmp_to_key": Model(gives=(0,)),
    "functools.lru_cache": Model(gives=(0,)),
    "functools.cache": Model(gives=(0,)),
    "functools.update_wrapper": Model(gives=(0,)),
    "functools.singledispatch": Model(gives=(0,)),
    "functools.total_ordering": Model(gives=(0,)),
    "dataclasses.dataclass": Model(gives=(0,)),
    "abc.abstractmethod": Model(gives=(0,)),
    "contextlib.closing": Model(gives=(0,)),
    "contextlib.nullcontext": Model(gives=(0,)),
    "copy.copy": Model(gives=(0,), asks="__copy__"),
    "copy.deepcopy": Model(gives=(0,), asks="__deepcopy__"),
    "typing.cast": Model(gives=(1,)),
    "itertools.chain": Model(gives=(each(0), each(1), each(2)), collected="generator"),
    "itertools.islice": Model(gives=(each(0),), collected="generator"),
    "itertools.cycle": Model(gives=(each(0),), collected="generator"),
    "itertools.starmap": Model(calls=0, gives=(OUTCOME,), collected="generator"),
    "itertools.takewhile": Model(calls=0, with_=(each(1),), gives=(each(1),), collected="generator"),
    "itertools.dropwhile": Model(calls=0, with_=(each(1),), gives=(each(1),), collected="generator"),
    "collections.deque": Model(gives=(each(0),), collected="list"),
    "re.sub": Model(calls=1, built="str"),
    "re.subn": Model(calls=1),
    "re.compile.sub": Model(calls=0, built="str"),
    "re.compile.subn": Model(calls=0),
    "asyncio.run": Model(gives=(0,)),
    "asyncio.create_task": Model(gives=(0,)),
    "asyncio.wait_for": Model(gives=(0,)),
    "threading.Thread": Model(calls="target"),
    "multiprocessing.Process": Model(calls="target"),
    "atexit.register": Model(calls=0),
}
"""By dotted name."""

DECORATOR_MAKERS: Final = frozenset(("functools.lru_cache", "functools.cache", "dataclasses.dataclass"))
"""What decorates by itself, and after a call with options: `@lru_cache`, `@lru_cache(100)`."""

TRANSPARENT: Final = frozenset(
    ("functools.wraps", "typing.overload", "typing.final", "typing.runtime_checkable", "unittest.skip")
)
"""Functions of the standard library whose outcome, as a decorator, gives what it gets."""

METHODS: Final[dict[str, Model]] = {
    "append": Model(), "add": Model(), "appendleft": Model(), "insert": Model(), "extend": Model(),
    "pop": Model(gives=(each(-1), 1)),
    "popleft": Model(gives=(each(-1),)),
    "popitem": Model(),
    "get": Model(),
    "setdefault": Model(),
    "copy": Model(gives=(-1,)),
    "__getitem__": Model(),
    "values": Model(gives=(each(-1),), collected="list"),
    "union": Model(gives=(each(-1), each(0)), collected="set"),
    "difference": Model(gives=(each(-1),), collected="set"),
    "intersection": Model(gives=(each(-1),), collected="set"),
    "sort": Model(calls="key", with_=(each(-1),)),
    "update": Model(), "items": Model(), "keys": Model(),
    "__iter__": Model(gives=(each(-1),), collected="generator"),
    "__next__": Model(gives=(each(-1),)),
    "send": Model(gives=(each(-1),)),
}  # fmt: skip
"""Methods of containers, by name; -1 is the container. What they put into it is in containers.py."""

CLOSED_TYPES: Final = frozenset(("str", "bytes", "int", "float", "bool", "complex", "file", "bytearray", "range"))
"""Builtin types whose methods give builtin values: nothing of the workspace comes out of them."""
