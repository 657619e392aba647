"""Strategies from recorded values, and what a call drew from chance or read off the clock."""

from __future__ import annotations

import ast
import random
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers import recorded
from tracelens.replay.rerun import RecordedCall
from tracelens.testgen.chance import stubs
from tracelens.testgen.literals import Unwritable
from tracelens.testgen.strategies import property_test, strategy
from tracelens_recorder.boundaries import _packed
from tracelens_recorder.replayable import encode_arguments

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def encoded(value: Any) -> Any:
    found = encode_arguments({"x": value}, ())
    assert found is not None
    return found["arguments"][0][1]


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_strategy_is_source_that_gives_values_of_the_kinds_that_were_seen(values: list[Any], data: Any) -> None:
    made = eval(strategy([encoded(value) for value in values]), {"st": st})
    assert type(data.draw(made)) in {type(value) for value in values}


def test_few_texts_are_chosen_from_and_numbers_stay_in_their_bounds() -> None:
    assert strategy(["gold", "basic", "gold", "basic"]) == "st.sampled_from(['basic', 'gold'])"
    assert strategy([None, 3, 9]) == "st.none() | st.integers(3, 9)"
    assert strategy([["dict", [["a", 1], ["b", True]]]]) == (
        "st.fixed_dictionaries({'a': st.integers(1, 1), 'b': st.booleans()})"
    )
    with pytest.raises(Unwritable, match="no strategy for a value of the kind object"):
        strategy([["object", 0, "", None, []]])


def function(text: str) -> ast.FunctionDef:
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def test_what_was_drawn_and_the_clock_are_given_again() -> None:
    source = random.Random(3)
    world = {"random": _packed(source.getstate()), "clock": [2_000_000_000_000_000, 5_000_000_000, 7]}
    once = stubs(function("def f():\n    return random.randint(1, 6), time.time()"), world)
    assert once == [
        'monkeypatch.setattr("time.time", lambda: 2000000.000001)',
        f'monkeypatch.setattr("random.randint", lambda *args: {random.Random(3).randint(1, 6)})',
    ]
    often = stubs(function("def f(n):\n    return [random.random() for _ in range(n)]"), {"random": world["random"]})
    assert often[0].startswith(f"draws = iter([{random.Random(3).random()!r}, ")
    with pytest.raises(Unwritable, match="draws random numbers in another way"):
        stubs(function("def f(x):\n    random.shuffle(x)"), world)
    assert stubs(function("def f(x):\n    return x"), {"clock": world["clock"]}) == []
    for damaged in (["x", 1, 2], {"0": 1}, [1.5], 7):
        assert stubs(function("def f():\n    return time.time()"), {"clock": damaged}) == []
    torn = [3, b64encode(zlib.compress(b"abcde")).decode(), None]
    with pytest.raises(Unwritable, match="cannot be written down"):
        stubs(function("def f():\n    return random.random()"), {"random": torn})


def made(tmp_path: Path, source: str, **arguments: Any) -> str:
    """What a property test calls, of a module shop.py whose function was recorded with these arguments."""
    index = recorded.workspace(tmp_path, {"shop.py": source}, [])
    unit = next(one for one in index.units_in("shop.py") if one.kind == "function")
    index.close()
    encoded = encode_arguments(arguments, ())
    assert encoded is not None
    text, name = property_test(unit, function(source), [RecordedCall("c:1", encoded, "", result=("int", "1"))])
    compile(text, "t.py", "exec")
    return text[text.index(f"def {name}") :].partition("result = ")[0] + text.partition("result = ")[2]


def test_a_parameter_with_the_functions_own_name_does_not_hide_it(tmp_path: Path) -> None:
    text = made(tmp_path, "def price(price, qty, *, price_=2):\n    return price * qty\n", price=1, qty=2, price_=3)
    assert "(price__, qty, price_):" in text and "price(price__, qty, price_=price_)\n" in text


def test_behind_a_parameter_that_was_not_recorded_arguments_go_by_name(tmp_path: Path) -> None:
    text = made(tmp_path, "def price(price_of, tax=0, qty=1):\n    return price_of * qty\n", price_of=1, qty=2)
    assert "price(price_of, qty=qty)\n" in text
    with pytest.raises(Unwritable, match="cannot be left out"):
        made(tmp_path / "b", "def price(a, tax=0, qty=1, /):\n    return a * qty\n", a=1, qty=2)
