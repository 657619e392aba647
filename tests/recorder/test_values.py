"""Summaries of values: what they say, and that making them runs nothing of the program."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from typing import Any

import pytest

from tracelens_recorder.values import MAX_TEXT, message_of, observe

RAN: list[str] = []


class Meta(type):
    def __getattribute__(cls, name: str) -> Any:
        RAN.append(f"Meta.{name}")
        return super().__getattribute__(name)

    def __eq__(cls, other: object) -> bool:
        RAN.append("Meta.__eq__")
        return False

    def __hash__(cls) -> int:
        RAN.append("Meta.__hash__")
        return 1

    def __instancecheck__(cls, instance: object) -> bool:
        RAN.append("Meta.__instancecheck__")
        return False

    def __subclasscheck__(cls, subclass: type) -> bool:
        RAN.append("Meta.__subclasscheck__")
        return False


def hostile(name: str) -> Any:
    def method(self: object, *args: object, **kwargs: object) -> Any:
        RAN.append(name)
        raise RuntimeError(name)

    return method


NAMES = """
    __repr__ __str__ __len__ __iter__ __eq__ __hash__ __bool__ __getattr__ __getattribute__ __contains__ __getitem__
    __index__ __int__ __float__ __format__ __call__ __next__ __enter__ keys items values __reduce__ __fspath__ __array__
    __dir__ __sizeof__ __missing__ __reversed__ __abs__
"""
TRAPS = {name: hostile(name) for name in NAMES.split()}
HOSTILE_BASES: list[tuple[type, ...]] = [
    (object,), (dict,), (list,), (tuple,), (set,), (frozenset,), (str,), (int,), (float,), (bytes,), (bytearray,),
    (Exception,), (OSError,), (KeyError,), (collections.OrderedDict,), (collections.deque,), (datetime.datetime,),
]  # fmt: skip


@pytest.mark.parametrize("bases", HOSTILE_BASES, ids=lambda bases: bases[0].__name__)
def test_nothing_of_a_hostile_object_runs(bases: tuple[type, ...]) -> None:
    attributes = dict(TRAPS)
    attributes["__class__"] = property(hostile("__class__"))
    attributes["secret_property"] = property(hostile("property"))
    if bases[0] is object:
        attributes["__dict__"] = property(hostile("__dict__"))
        attributes["__slots__"] = ("slot",)
    kind = Meta("Hostile", bases, attributes)
    arguments = (2024, 1, 1) if bases[0] is datetime.datetime else ()
    make: Any = bases[0].__new__
    value = make(kind, *arguments)
    RAN.clear()
    observe(value)
    observe([value], "x")
    observe((value, {1: value}))
    if issubclass(bases[0], BaseException):
        message_of(value)
        wrapping = ValueError(value)
        message_of(wrapping)
        observe(wrapping)
    assert RAN == []


class Colour(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Order:
    order_id: int
    items: list[int]
    _hidden: int = 0


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self) -> None:
        self.x = 1


Point = collections.namedtuple("Point", "x y")
HERE = __name__


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (9.99, ("float", "9.99", 9.99, None)),
        (True, ("bool", "True", 1.0, None)),
        (None, ("NoneType", "None", None, None)),
        ("gold", ("str", "'gold'", None, 4)),
        (float("inf"), ("float", "inf", None, None)),
        (10**400, ("int", "int of 1329 bits", None, None)),
        ([1, "a"], ("list", "[1, 'a']", None, 2)),
        (list(range(100)), ("list", "[0, 1, 2, 3, 4, 5, 6, 7, …]", None, 100)),
        ((1,), ("tuple", "(1,)", None, 1)),
        (set(), ("set", "set()", None, 0)),
        ({"a": {"b": {"c": {"d": 1}}}}, ("dict", "{'a': {'b': {'c': {…}}}}", None, 1)),
        (Colour.RED, (f"{HERE}.Colour", "Colour.RED", None, None)),
        (Level.HIGH, (f"{HERE}.Level", "Level.HIGH", 3.0, None)),
        (Order(3, [1]), (f"{HERE}.Order", "Order(order_id=3, items=[1], _hidden=0)", None, None)),
        (Slotted(), (f"{HERE}.Slotted", "Slotted(x=1)", None, None)),
        (Point(1, 2), (f"{HERE}.Point", "Point(x=1, y=2)", None, 2)),
        (datetime.date(2024, 2, 3), ("datetime.date", "2024-02-03", None, None)),
        (decimal.Decimal("1.50"), ("decimal.Decimal", "Decimal('1.50')", None, None)),
        (pathlib.PurePosixPath("/a/b"), ("pathlib.PurePosixPath", "PurePosixPath('/a/b')", None, None)),
        (uuid.UUID(int=1), ("uuid.UUID", "UUID('00000000-0000-0000-0000-000000000001')", None, None)),
        (KeyError("a"), ("KeyError", "KeyError('a')", None, None)),
        (Order, ("type", f"<class {HERE}.Order>", None, None)),
        ("\ud800", ("str", "'\\ud800'", None, 1)),
    ],
    ids=lambda value: str(value)[:20].encode("ascii", "replace").decode(),
)
def test_summaries(value: object, expected: tuple[Any, ...]) -> None:
    assert observe(value)[:4] == expected


def test_cycles_end() -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    assert observe(loop).text == "[1, <cycle>]"
    error = ValueError("x")
    error.args = (error,)
    assert observe(error).text == "ValueError(<cycle>)"


def test_any_size_is_bounded() -> None:
    huge = {f"k{i}" * 50: ["x" * 10_000] * 1000 for i in range(1000)}
    assert len(observe(huge).text) <= MAX_TEXT
    wide: Any = 1
    for _ in range(2000):
        wide = [wide, wide, wide]
    assert len(observe(wide).text) <= MAX_TEXT


def test_arrays_are_told_by_their_shape() -> None:
    numpy = pytest.importorskip("numpy")
    seen = observe(numpy.zeros((3, 4)))
    assert (seen.text, seen.size) == ("ndarray(3, 4) float64", 12)
    objects = numpy.empty(2, dtype=object)
    objects[0] = Order(1, [])
    assert observe(objects).text == "ndarray(2,) object"
