"""Values: what an expression may be worth, as small tuples (form, payload, whether only likely), and sets of them."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import TypeAlias

Value: TypeAlias = tuple[int, int | str, bool]
Values: TypeAlias = frozenset[Value]

# Forms of values, with their payloads.
FUNCTION = 0
"""Number of a function's unit."""
CLASS = 1
"""Number of a class's unit."""
INSTANCE = 2
"""Number of the unit of an instance's class."""
PLACE = 3
"""A module of the workspace: path of its file, or of its folder when it is a namespace package."""
EXTERNAL = 4
"""Something that code outside the workspace made: why, as `Resolution.reason` says it."""
BUILTIN = 5
"""Name of a builtin function or type."""
BUILT = 6
"""Name of a builtin type: an instance of it."""
SUPER = 7
"""Number of the class after which `super()` looks."""
UNKNOWN = 8
"""Why, as `Resolution.reason` says it."""

MAX_VALUES = 32

NOTHING: Values = frozenset()
DYNAMIC: Values = frozenset({(UNKNOWN, "dynamic value", False)})
DYNAMIC_ATTRIBUTE: Values = frozenset({(UNKNOWN, "dynamic attribute", False)})
NOT_FOUND: Values = frozenset({(UNKNOWN, "attribute not found", False)})
PARAMETER_VALUE: Values = frozenset({(UNKNOWN, "parameter", False)})
TOO_MANY: Values = frozenset({(UNKNOWN, "too many candidates", False)})
TOO_DEEP: Values = frozenset({(UNKNOWN, "too deep", False)})
BUILTIN_RESULT: Values = frozenset({(EXTERNAL, "builtin", False)})

BUILTIN_NAMES = frozenset(dir(builtins)) | {"reveal_type", "WindowsError", "__file__", "__path__"}
BUILTIN_TYPES = frozenset(name for name in dir(builtins) if isinstance(getattr(builtins, name), type))
RETURNS_BUILT = {
    "abs": "int", "all": "bool", "any": "bool", "ascii": "str", "bin": "str", "chr": "str", "dir": "list",
    "format": "str", "hasattr": "bool", "hash": "int", "hex": "str", "id": "int", "input": "str",
    "isinstance": "bool", "issubclass": "bool", "len": "int", "oct": "str", "ord": "int", "open": "file",
    "repr": "str", "round": "float", "sorted": "list", "globals": "dict", "locals": "dict", "vars": "dict",
    "callable": "bool",
}  # fmt: skip
"""Builtin functions whose result's type is known whatever they are given."""
CLOSED_TYPES = frozenset(("str", "bytes", "int", "float", "bool", "complex", "file", "bytearray", "range"))
"""Builtin types whose methods give builtin values: nothing of the workspace comes out of them."""


def order(value: Value) -> tuple[int, str, int, bool]:
    payload = value[1]
    return (value[0], "", payload, value[2]) if isinstance(payload, int) else (value[0], payload, 0, value[2])


def union(values: Iterable[Values]) -> Values:
    result: Values | None = None
    for one in values:
        result = one if result is None else result | one
    if result is None:
        return NOTHING
    return result if len(result) <= MAX_VALUES else TOO_MANY
