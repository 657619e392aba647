"""Strategies from recorded values, and what a call drew from chance or read off the clock."""

from __future__ import annotations

import ast
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens.testgen.chance import stubs
from tracelens.testgen.literals import Unwritable
from tracelens.testgen.strategies import strategy
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
