"""Flow facts: what linking needs to know of one file, private to lowering (which writes them) and linking.

An *expression* is a small list, [form, …], that names other expressions by index, so that equal expressions of a file
are one. A *binding* is one way in which a name gets a value. Names are resolved to bindings here, once per file: with
Python's scoping rules, and with the bindings that can reach each use (`x = A(); x.f(); x = B()`: the use sees A
alone). What a name imported from elsewhere is worth is for linking to say.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

Expression: TypeAlias = list[int | str]
Binding: TypeAlias = list[int | str]

# Forms of expressions; operands that are expressions are indices into `Flow.expressions`.
UNKNOWN = 0
"""[]"""
NAME = 1
"""[binding…]: the value of any of these bindings."""
GLOBAL = 2
"""[name]: not bound in this file; from a star import, or a builtin."""
ATTRIBUTE = 3
"""[expression, name]"""
CALL = 4
"""[callee expression]"""
LITERAL = 5
"""[name of a builtin type]"""
UNION = 6
"""[expression…]"""
SUPER = 7
"""[unit of the method's class or -1, expression of an explicit class or 0]"""
INSTANCE = 8
"""[expression of a type]: what an annotation says; weaker than a value."""
UNIT = 9
"""[unit]: a lambda expression."""
TYPE_OF = 10
"""[expression]: type(x), x.__class__."""
SUBSCRIPT = 11
"""[expression]"""
NONE = 12
"""[]: None; nothing can be called on it."""
HINTED = 13
"""[expression, expression of a type]: the value, or, when nothing is known of it, an instance of the type."""

# Forms of bindings.
DEFINITION = 0
"""[unit]: a function or class."""
MODULE = 1
"""[dotted name]: `import a.b` binds a; `import a.b as c` binds a.b."""
MEMBER = 2
"""[level, module, name]: `from ..module import name`."""
VALUE = 3
"""[expression]"""
PARAMETER = 4
"""[unit, position]"""
OPAQUE = 5
"""[]: a loop variable, an element of something: nothing is known."""


class Flow(msgspec.Struct, frozen=True, array_like=True):
    """Indices of units are those of `FileFacts.units`."""

    expressions: list[Expression]
    """Operands come before what uses them; 0 is the unknown one."""
    bindings: list[Binding]
    exports: dict[str, list[int]]
    """The bindings of each module-level name when the module has run, and those that functions make."""
    members: dict[int, dict[str, list[int]]]
    """Class unit to the bindings of the names in its body."""
    bases: dict[int, list[int]]
    """Class unit to the expressions of its bases."""
    decorators: dict[int, list[tuple[int, int, int, int]]]
    """Unit to (expression, enclosing unit, line, column) of each decorator."""
    annotations: dict[int, list[int]]
    """Function unit to the expression of each parameter's type; 0 where there is none."""
    returns: dict[int, list[int]]
    """Function unit to the expressions that it returns."""
    results: dict[int, int]
    """Function unit to the expression of its return annotation."""
    stores: list[tuple[int, str, int]]
    """(object, attribute, value): `object.attribute = value`."""
    stars: list[tuple[int, str]]
    """(level, module) of each `from module import *`, in order."""
    public: list[str] | None
    """`__all__`, where the file says it."""
    public_open: bool
    """Whether `__all__` holds more than `public` (it is computed)."""
    callees: list[int]
    """The called expression of each of `FileFacts.sites`."""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Flow)


def encode(flow: Flow) -> msgspec.Raw:
    return msgspec.Raw(_ENCODER.encode(flow))


def decode(raw: msgspec.Raw) -> Flow:
    return _DECODER.decode(raw)
