"""Values: what may arrive at a node of the flow. Each is a small tuple (form, payload…), known by its number.

A value comes in two strengths: as code makes it, and *weak*, when only an annotation or a guess says so. A weak value
has the number of the strong one plus one.
"""

from __future__ import annotations

import builtins
from typing import Final, TypeAlias

Value: TypeAlias = int

# Forms, with their payloads.
FUNCTION: Final = 0
"""(unit, frame that its outer names are looked up in)"""
METHOD: Final = 1
"""(value that is called, value that it gets first)"""
CLASS: Final = 2
"""(unit,)"""
INSTANCE: Final = 3
"""(unit of the class,)"""
PLACE: Final = 4
"""(path,): a module of the workspace, or the folder of a namespace package."""
EXTERNAL: Final = 5
"""(dotted name,): something of a module outside the workspace."""
OUTCOME: Final = 6
"""(dotted name,): what calling something outside the workspace gave."""
BUILTIN: Final = 7
"""(name,): a builtin function or type, or "type.method"."""
BUILT: Final = 8
"""(type,): some instance of a builtin type."""
CONTAINER: Final = 9
"""(type, node that made it): a list, tuple, set, dict or generator expression whose items are followed."""
SUPER: Final = 10
"""(class after which to look, receiver)"""
GENERATOR: Final = 11
"""(frame,): what calling a generator function gave."""
CONSTANT: Final = 12
"""(source form,): a string or integer; a string without its last quote is one that only begins so."""
STATIC: Final = 13
"""(value,): what staticmethod gave."""
CLASS_METHOD: Final = 14
"""(value,)"""
PROPERTY: Final = 15
"""(getter,)"""
PARTIAL: Final = 16
"""(call that made it,)"""
MANAGED: Final = 17
"""(value,): a generator function behind contextlib.contextmanager."""
MANAGER: Final = 18
"""(value that calling a MANAGED one gave,)"""
OF_CONTAINER: Final = 19
"""(method's name, container): a bound method of a container."""
UNKNOWN: Final = 20
"""(why,)"""
SETTER: Final = 21
"""(node of the setter, getter): a property with a setter."""

KEY: Final = 22
"""(key,): a key of a container; never flows."""

FAMILY: Final = 23
"""(receiver, prefix): all methods of a receiver whose names begin so."""
OUTSIDE: Final = frozenset((EXTERNAL, OUTCOME, BUILTIN, BUILT, CONSTANT, UNKNOWN))
"""Forms of what is not made of the workspace's code."""

BUILTIN_NAMES: Final = frozenset(dir(builtins)) | {"reveal_type", "WindowsError", "__file__", "__path__"}
BUILTIN_TYPES: Final = frozenset(name for name in dir(builtins) if isinstance(getattr(builtins, name), type))
EXCEPTIONS: Final = frozenset(name for name in BUILTIN_TYPES if issubclass(getattr(builtins, name), BaseException))

MAX_NAME_PARTS: Final = 4
"""Parts of an external dotted name that are kept apart; attributes beyond are their owner's."""


class Values:
    """Gives values their numbers."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int | str, ...], int] = {}
        self.parts: list[tuple[int | str, ...]] = []
        """The value of every second number."""
        self.forms: list[int] = []
        """The form of every number, weak ones included."""

    def number(self, *value: int | str) -> Value:
        found = self.numbers.get(value)
        if found is None:
            found = self.numbers[value] = 2 * len(self.parts)
            self.parts.append(value)
            form = int(value[0])
            self.forms += (form, form)
        return found

    def payload(self, value: Value) -> tuple[int | str, ...]:
        return self.parts[value >> 1]

    def first(self, value: Value) -> int:
        """The first payload of a form whose payload is a number."""
        return self.parts[value >> 1][1]  # type: ignore[return-value]

    def name(self, value: Value) -> str:
        """The first payload of a form whose payload is a string."""
        return self.parts[value >> 1][1]  # type: ignore[return-value]


def external_attribute(name: str, attribute: str) -> str:
    return name if name.count(".") + 2 > MAX_NAME_PARTS else f"{name}.{attribute}"


def is_whole(constant: str) -> bool:
    """Whether a constant's source form is all of it, not only how a string begins."""
    return not constant.startswith("'") or (len(constant) > 1 and constant.endswith("'"))
