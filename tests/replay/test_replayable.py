"""What is encoded is rebuilt exactly, runs none of the program's code, and is refused when it cannot be."""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens_recorder import replayable

PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python"))
PROGRAM = '''
from __future__ import annotations
import enum
from collections import namedtuple
from dataclasses import dataclass, field

class Colour(enum.Enum):
    RED = 1
    BLUE = 2

class Mode(enum.Flag):
    READ = 1
    WRITE = 2

@dataclass(frozen=True)
class Point:
    x: float
    y: float = 0.0

@dataclass
class Node:
    name: str
    colour: Colour = Colour.RED
    parent: Node | None = None
    children: list = field(default_factory=list)

class Slotted:
    __slots__ = ("left", "never")

class SlottedChild(Slotted):
    __slots__ = ("right",)

Pair = namedtuple("Pair", "a b")

class Named(Pair):
    __slots__ = ()

class Bag(dict):
    pass

class Hostile:
    """Whatever is asked of it, it notes that it was asked."""
    asked: list = []
    def __init__(self):
        self.asked.append("__init__")
        self.__dict__["kept"] = 1
    def __getattribute__(self, name):
        Hostile.asked.append(name)
        return object.__getattribute__(self, name)
    def _note(name):
        def method(self, *args):
            Hostile.asked.append(name)
            raise RuntimeError(name)
        return method
    for _name in ("__repr__", "__eq__", "__hash__", "__len__", "__iter__", "__reduce__", "__reduce_ex__",
                  "__getstate__", "__setattr__", "__bool__"):
        locals()[_name] = _note(_name)
    @property
    def tempting(self):
        Hostile.asked.append("tempting")

class Meta(type):
    def __instancecheck__(cls, other): raise RuntimeError
    def __subclasscheck__(cls, other): raise RuntimeError
    def __hash__(cls): raise RuntimeError
    def __eq__(cls, other): raise RuntimeError
    def __getattribute__(cls, name): raise RuntimeError(name)

class Meant(metaclass=Meta):
    pass

def twice(x):
    return 2 * x
'''


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("program")
    (root / "program_of_replayable.py").write_text(PROGRAM)
    sys.path.insert(0, str(root))
    module = importlib.import_module("program_of_replayable")
    yield module
    sys.path.remove(str(root))
    del sys.modules["program_of_replayable"]


def roots(program: Any) -> tuple[str, ...]:
    return (str(Path(program.__file__).parent),)


def encode(program: Any, value: object) -> Any:
    encoded = replayable.encode_arguments({"value": value}, roots(program))
    return None if encoded is None else json.loads(json.dumps(encoded))


def there_and_back(program: Any, value: object) -> Any:
    encoded = encode(program, value)
    assert encoded is not None
    return replayable.decode_arguments(encoded, roots(program))["value"]


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    # Digits alone can look like the number of a payment card, which is refused.
    | st.text(st.characters(exclude_categories=("Nd",), exclude_characters="@:=_-"))
)
hashable = st.recursive(scalars, lambda one: st.tuples(one, one) | st.frozensets(one), max_leaves=5)
values = st.recursive(
    scalars,
    lambda one: (
        st.lists(one) | st.tuples(one, one) | st.sets(hashable, max_size=4) | st.dictionaries(hashable, one, max_size=4)
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=150)
@given(value=values)
def test_values_of_the_standard_library_come_back_equal_or_are_refused(value: object) -> None:
    encoded = replayable.encode_arguments({"value": value}, ())
    if encoded is None or encoded["redacted"]:
        return
    back = replayable.decode_arguments(json.loads(json.dumps(encoded)), ())["value"]
    assert back == value
    assert repr(type(back)) == repr(type(value))


def test_nothing_ordinary_is_refused() -> None:
    values = [1, -(2**70), 1.5, "a", "\ud800", b"\x00\xff", [1], (1, (2,)), {1: 2}, {1}, Path("/x"), range(3), slice(1)]
    for value in values:
        encoded = replayable.encode_arguments({"value": value}, ())
        assert encoded is not None, value
        assert replayable.decode_arguments(json.loads(json.dumps(encoded)), ())["value"] == value


def test_floats_are_exact() -> None:
    for value in (0.1, -0.0, 1e308, 5e-324, math.inf, -math.inf):
        back = replayable.decode_arguments(replayable.encode_arguments({"v": value}, ()) or {}, ())["v"]
        assert math.copysign(1, back) == math.copysign(1, value) and back == value
    back = replayable.decode_arguments(replayable.encode_arguments({"v": math.nan}, ()) or {}, ())["v"]
    assert math.isnan(back)


def test_aliases_and_cycles_survive(program: Any) -> None:
    shared: list[Any] = [1]
    cycle: list[Any] = [shared, shared]
    cycle.append(cycle)
    back = there_and_back(program, cycle)
    assert back[0] is back[1] and back[2] is back
    parent = program.Node("p")
    parent.children = [program.Node("c", program.Colour.BLUE, parent)]
    back = there_and_back(program, parent)
    assert back.children[0].parent is back and back.children[0].colour is program.Colour.BLUE


def test_one_object_in_two_arguments_stays_one(program: Any) -> None:
    node = program.Node("n")
    encoded = replayable.encode_arguments({"a": node, "b": [node]}, roots(program))
    back = replayable.decode_arguments(encoded or {}, roots(program))
    assert back["b"][0] is back["a"]


def test_a_tuple_in_a_cycle_is_refused(program: Any) -> None:
    inner: list[Any] = []
    outer = (inner,)
    inner.append(outer)
    assert encode(program, outer) is None


def test_instances_get_their_fields_back_without_being_called(program: Any) -> None:
    assert there_and_back(program, program.Point(1.5)) == program.Point(1.5)
    assert there_and_back(program, {program.Point(1.0): {program.Point(2.0)}}) == {
        program.Point(1.0): {program.Point(2.0)}
    }
    slotted = program.SlottedChild()
    slotted.left, slotted.right = [1], "r"
    back = there_and_back(program, slotted)
    assert back.left == [1] and back.right == "r" and not hasattr(back, "never")
    named = there_and_back(program, program.Named(1, [2]))
    assert type(named) is program.Named and named == (1, [2])
    bag = program.Bag(a=1)
    bag.note = "n"
    back = there_and_back(program, bag)
    assert type(back) is program.Bag and back == {"a": 1} and back.note == "n"
    assert there_and_back(program, program.Mode.READ | program.Mode.WRITE) == program.Mode.READ | program.Mode.WRITE
    assert there_and_back(program, program.twice) is program.twice
    assert there_and_back(program, program.Node) is program.Node


def test_no_code_of_a_hostile_class_runs_while_encoding(program: Any) -> None:
    hostile = program.Hostile()
    program.Hostile.asked.clear()
    encoded = encode(program, [hostile, {"k": hostile}])
    assert encoded is not None
    assert program.Hostile.asked == []
    encode(program, program.Meant())
    assert replayable.decode_arguments(encoded, roots(program))["value"][0].__dict__["kept"] == 1
    assert "__init__" not in program.Hostile.asked
    assert "__setattr__" not in program.Hostile.asked


def test_what_cannot_be_known_exactly_is_refused(program: Any) -> None:
    class Local:
        pass

    def local() -> None: ...

    for value in (object(), Local(), local, open, sys, iter([]), ValueError("x"), (n for n in [1])):
        assert encode(program, value) is None, value
    assert encode(program, list(range(10_000))) is None
    assert encode(program, "x" * 100_000) is None
    deep: list[Any] = []
    for _ in range(2000):
        deep = [deep]
    assert encode(program, deep) is None


def test_secrets_are_replaced_and_counted(program: Any) -> None:
    encoded = replayable.encode_arguments({"password": "hunter2", "note": "mail bob@example.com"}, ())
    assert encoded is not None and encoded["redacted"] == 2
    assert "hunter2" not in json.dumps(encoded) and "bob" not in json.dumps(encoded)
    assert replayable.encode_arguments({"pin_token": 1234}, ()) is None
    assert replayable.encode_arguments({"by_mail": {"bob@example.com": 1, "eve@example.com": 2}}, ()) is None


def test_only_modules_under_the_allowed_folders_are_imported(program: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\nclass Trap: pass\n")
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "link.py").symlink_to(outside / "trap.py")
    for path in ("trap.py", "../outside/trap.py", str(outside / "trap.py"), "link.py"):
        encoded = {
            "version": 1,
            "arguments": [["x", ["object", 0, "", None, []]]],
            "classes": [["trap", "Trap", path]],
            "redacted": 0,
        }
        with pytest.raises(replayable.NotRebuildable):
            replayable.decode_arguments(encoded, (str(allowed),))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"version": 2},
        {"version": 1, "arguments": [["x", ["ref", 7]]], "classes": []},
        {"version": 1, "arguments": [["x", ["what", 7]]], "classes": []},
        {"version": 1, "arguments": [["x", ["object", 0, "", None, []]]], "classes": []},
        {"version": 1, "arguments": [["x", []]], "classes": []},
        {"version": 1, "arguments": 3, "classes": []},
    ],
)
def test_a_damaged_encoding_is_said_to_be_so(damaged: Any) -> None:
    with pytest.raises(replayable.NotRebuildable):
        replayable.decode_arguments(damaged, ())


SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[2])
from tracelens_recorder import replayable
from dataclasses import dataclass
@dataclass
class Mine:
    value: object
if __name__ == "__main__":
    import datetime, decimal, pathlib, collections, fractions, uuid
    moment = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    everything = [1.5, {"a": (1, {2})}, moment, decimal.Decimal("1.10"),
        pathlib.Path("/a/b"), collections.OrderedDict(a=1), collections.Counter("aab"), collections.deque([1], 3),
        collections.defaultdict(list, {"k": [1]}), fractions.Fraction(1, 3), uuid.UUID(int=5), Mine({1, 2})]
    encoded = replayable.encode_arguments({"v": everything}, (sys.argv[1],))
    back = replayable.decode_arguments(json.loads(json.dumps(encoded)), (sys.argv[1],))["v"]
    assert back == everything, back
    assert [type(x) for x in back] == [type(x) for x in everything]
    print("same")
"""


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parts[-3])
def test_every_supported_python_encodes_and_rebuilds(python: Path, tmp_path: Path) -> None:
    if not (9 <= int(python.parts[-3].split(".")[1]) <= 13):
        pytest.skip("not a Python that the recorder supports")
    (tmp_path / "script.py").write_text(SCRIPT)
    recorder = Path(replayable.__file__).parents[2]
    command = [str(python), str(tmp_path / "script.py"), str(tmp_path), str(recorder)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.stdout == "same\n", run.stderr
