"""Flow facts: what linking needs to know of one file, private to lowering (which writes them) and linking.

Each unit has its *code*: a list of nodes, each a place where values arrive. A node says where they come from and names
the nodes that it needs by their index in the same code. Names are resolved here, once per file: with Python's scoping
rules, and with the bindings that can reach each use (`x = A(); x.f(); x = B()`: the use sees A alone). What a name
imported from elsewhere is worth is for linking to say.

A comprehension's nodes are in the code of the unit around it, which runs it. Words (names, keys, modules) are indices
into `Flow.words`; a constant key is its source form, so that "1" and 1 differ.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

Node: TypeAlias = list[int]

# Forms of nodes. "node" is an index into the same code, "word" one into `Flow.words`.
UNKNOWN: Final = 0
"""[]"""
UNION: Final = 1
"""[node…]: the values of all of them."""
OUTER: Final = 2
"""[unit, node…]: nodes in the code of a unit around this one (or of a comprehension's owner)."""
GLOBAL: Final = 3
"""[word]: a name that this file does not bind: from a star import, or a builtin."""
MODULE: Final = 4
"""[word]: the module of a dotted name."""
MEMBER: Final = 5
"""[level, word of the module, word of the name]: `from ..module import name`."""
DEFINITION: Final = 6
"""[unit]: a function, lambda or class as its definition makes it, before decorators."""
PARAMETER: Final = 7
"""[position]: always the first nodes of a function's code, in order."""
ATTRIBUTE: Final = 8
"""[node, word, unit, line, column]: where it is written first."""
CALL: Final = 9
"""[site, callee node, number of positional nodes, node…, then pairs (how, node)]: how is a keyword's word, or one of
STARRED, KEYWORDS, AFTER_STAR."""
ITEM: Final = 10
"""[node, word, unit, line, column]: an item by constant key."""
ITEM_BY: Final = 11
"""[node, node of the key, unit, line, column]"""
SLICE: Final = 12
"""[node, low, high]: by constant bounds; OPEN where there is none."""
UNPACKED: Final = 13
"""[node, index, number of targets, index of the starred target or -1]: one target of `a, b = node`."""
ELEMENT: Final = 14
"""[node, place]: what iterating gives."""
ENTERED: Final = 15
"""[node, place]: what `with node` gives."""
CONSTANT: Final = 16
"""[word]: a string or integer, in its source form; a string without its last quote is one that only begins so."""
BUILT: Final = 17
"""[word]: some instance of a builtin type."""
SEQUENCE: Final = 18
"""[word of the type, node…]: a list, tuple or set display; a starred element is -1 - node."""
MAPPING: Final = 19
"""[pairs (key, node)]: a dict display; a key is a word, or ANY, or SPREAD for `**node`."""
COLLECTED: Final = 20
"""[word of the type, node]: a comprehension of these elements (of these values, for a dict)."""
NONE: Final = 21
"""[]: None; nothing can be called on it."""
SUPER: Final = 22
"""[unit of the class around or -1, node of an explicit class or -1, node of the explicit object or -1]"""
INSTANCE: Final = 23
"""[node of a type]: what an annotation or an `except` says; weaker evidence than a value."""
TYPE_OF: Final = 24
"""[node]: type(x), x.__class__."""
DECORATED: Final = 25
"""[place, node of the decorator, node that it is applied to]"""
OPERATION: Final = 26
"""[place, word of the method, node, node of the operand or -1]: a method that Python calls itself."""
SOME_INSTANCE: Final = 27
"""[node of a type]: an instance for sure, `type[X]` excepted; exceptions that a handler catches."""
NAMED_BY: Final = 28
"""[node, node of the name, place]: getattr with a computed name."""

NARROWED: Final = 30
"""[node, node of a type]: the values of the node that are instances of the type, where `isinstance` was asked."""
RAISED: Final = 29
"""[node, place]: `raise X` makes an instance when X is a class."""

# Effects: nodes without a value of their own.
STORE_ATTRIBUTE: Final = 32
"""[node, word, node of the value, place]"""
STORE_ITEM: Final = 33
"""[node, word of a constant key or ANY, node of the value, place]"""
STORE_ITEM_BY: Final = 34
"""[node, node of the key, node of the value, place]"""
RETURN: Final = 35
"""[node]"""
YIELD: Final = 36
"""[node]"""
YIELD_FROM: Final = 37
"""[node]"""

NEVER: Final = 38
"""[site]: a call behind a `return` or the like, which never runs."""

STARRED, KEYWORDS, AFTER_STAR = -1, -2, -3
"""How an argument is passed: *node, **node, by position behind a *node."""
ANY, SPREAD = -1, -2
OPEN: Final = 1 << 30


OPERANDS: Final[dict[int, str]] = {
    UNKNOWN: "", UNION: "n*", OUTER: "un*", GLOBAL: "w", MODULE: "w", MEMBER: "iww", DEFINITION: "u", PARAMETER: "i",
    ATTRIBUTE: "nwulc", CALL: "sni*", ITEM: "nwulc", ITEM_BY: "nnulc", SLICE: "nii", UNPACKED: "niii", ELEMENT: "np",
    ENTERED: "np", CONSTANT: "w", BUILT: "w", SEQUENCE: "wi*", MAPPING: "wn*", COLLECTED: "wn", NONE: "", SUPER: "unn",
    INSTANCE: "n", TYPE_OF: "n", DECORATED: "pnn", OPERATION: "pwnn", SOME_INSTANCE: "n", NAMED_BY: "nnp",
    NARROWED: "nn", NEVER: "s", RAISED: "np",
    STORE_ATTRIBUTE: "nwnp", STORE_ITEM: "nwnp", STORE_ITEM_BY: "nnnp", RETURN: "n",
    YIELD: "n", YIELD_FROM: "n",
}  # fmt: skip
"""What each operand of a form is: node, word, unit, line, column, place, call site or plain integer; -1 is none of any.
Behind "*" what stands before it is repeated: of MAPPING the pair. A CALL's tail is laid out as its own text says."""


class Signature(msgspec.Struct, frozen=True, array_like=True):
    """Nodes in the code of the unit that defines a function; -1 where there is none."""

    defaults: list[int]
    annotations: list[int]
    result: int


class Flow(msgspec.Struct, frozen=True, array_like=True):
    """Indices of units are those of `FileFacts.units`."""

    words: list[str]
    code: dict[int, list[Node]]
    """The code of each unit that has one: the module, functions, lambdas and classes."""
    exports: dict[str, list[int]]
    """Nodes of each module-level name when the module has run."""
    assigned_outside: dict[str, list[tuple[int, int]]]
    """(unit, node) of what functions bind at module level."""
    members: dict[int, dict[str, list[tuple[int, int]]]]
    """Class unit to the (unit, node) of each name in its body."""
    bases: dict[int, list[int]]
    """Class unit to the nodes of its bases, in the code of the unit that defines it."""
    signatures: dict[int, Signature]
    stars: list[tuple[int, str]]
    """(level, module) of each `from module import *`, in order."""
    public: list[str] | None
    """`__all__`, where the file says it."""
    public_open: bool
    """Whether `__all__` holds more than `public` (it is computed)."""
    places: list[tuple[int, int, int]]
    """(unit, 1-based line, 0-based column) of decorators and of what Python calls itself."""
    owners: dict[int, int]
    """Comprehension unit to the unit whose code has its nodes."""
    metaclasses: dict[int, int]
    """Class unit to the node of its metaclass, in the code of the unit that defines it."""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Flow)


def encode(flow: Flow) -> msgspec.Raw:
    return msgspec.Raw(_ENCODER.encode(flow))


def decode(raw: msgspec.Raw) -> Flow:
    return _DECODER.decode(raw)
