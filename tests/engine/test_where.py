"""Conditions on recorded calls: what they mean, and that no text of them can do anything else."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens.where import compile_condition, parse
from tracelens.where.parse import BadCondition
from tracelens.where.recorded import datum
from tracelens_indexer.store.answers import CaptureRecord

PARAMETERS = ("qty", "sku", "tier", "items", "order")


def call(
    *arguments: tuple[str, str, str],
    outcome: str = "",
    result: tuple[str, str] | None = ("float", "8.49"),
    duration_ns: int = 2_000_000,
) -> CaptureRecord:
    record = SimpleNamespace(
        arguments=arguments, outcome=outcome, result=result, duration_ns=duration_ns, test="tests/t.py::test_a"
    )
    return cast(CaptureRecord, record)


USUAL = call(
    ("qty", "int", "-3"),
    ("sku", "str", "'SKU-0007'"),
    ("tier", "NoneType", "None"),
    ("items", "list", "[1, (2, 3), {'a': ', '}]"),
    ("order", "shop.models.Order", "Order(number=…"),
)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("qty < 0", True),
        ("qty >= 0", False),
        ("-5 < qty <= -3", True),
        ("qty in [1, -3]", True),
        ("qty not in (1, 2)", True),
        ("not qty == -3", False),
        ("sku == 'SKU-0007'", True),
        ("'0007' in sku and sku < 'T'", True),
        ("len(sku) == 8", True),
        ("len(items) == 3", True),
        ("tier is None", True),
        ("tier is not None or qty == 1", False),
        ("tier == 'gold'", False),
        ("type(tier) == NoneType and type(qty) in [int, float]", True),
        ("type(tier) is None", True),
        ("type(order) == Order", True),
        ("type(order) == shop.models.Order", True),
        ("dur > 1ms and dur < 0.01", True),
        ("outcome == returned", True),
        ("outcome != returned", False),
        ("return < 9", True),
        ("test == 'tests/t.py::test_a'", True),
        ("qty < 'a'", False),
        ("order == 'x'", None),
        ("not order == 'x'", None),
        ("order is None", False),
        ("order is not None", True),
        ("order == 'x' or qty < 0", True),
        ("order == 'x' and qty > 0", False),
        ("(qty)", True),
        ("1e3 == 1_000 and .5 < 1", True),
    ],
)
def test_a_condition_means_what_it_says(condition: str, expected: bool | None) -> None:
    assert compile_condition(condition, PARAMETERS)(USUAL) is expected


def test_of_a_failed_call_the_exception_is_the_outcome() -> None:
    failed = call(("qty", "int", "1"), outcome="shop.models.OrderError", result=None)
    for condition in (
        "outcome == OrderError",
        "outcome == 'shop.models.OrderError'",
        "outcome in [KeyError, OrderError]",
    ):
        assert compile_condition(condition, PARAMETERS)(failed) is True
    assert compile_condition("return == 1", PARAMETERS)(failed) is None


def test_a_parameter_is_meant_before_our_own_word() -> None:
    assert compile_condition("dur == 'long'", ("dur",))(call(("dur", "str", "'long'"))) is True


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("", "empty"),
        ("qty <", "character 6, at the end"),
        ("qty < 0)", "did not expect ')'"),
        ("qty = 0", "did not expect '='"),
        ("quantity < 0", "neither a parameter"),
        ("open('x')", "no function 'open'"),
        ("qty.__class__", "neither a parameter"),
        ("'abc", "closing quote"),
        ("(" * 200 + "1" + ")" * 200, "nested too deeply"),
        ("qty < 0 " + "and qty < 0 " * 100, "longer than"),
        ("qty; import os", "did not expect ';'"),
        ("qty[0] == 1", "did not expect '['"),
        ("and", "did not expect 'and'"),
    ],
)
def test_a_bad_condition_gets_one_line_with_its_place(condition: str, said: str) -> None:
    with pytest.raises(BadCondition) as error:
        compile_condition(condition, PARAMETERS)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert 0 <= error.value.position <= len(condition)


@given(st.text(max_size=600))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        compile_condition(text, PARAMETERS)(USUAL)
    except BadCondition as error:
        assert "\n" not in str(error)


_atoms = st.sampled_from(
    [
        "qty",
        "sku",
        "tier",
        "order",
        "-3",
        "0",
        "'gold'",
        "None",
        "True",
        "len(sku)",
        "type(qty)",
        "dur",
        "5ms",
        "[1, 2]",
    ]
)
_conditions = st.recursive(
    st.tuples(_atoms, st.sampled_from(["<", "==", "!=", "in", "not in", "is not"]), _atoms).map(" ".join),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda t: f"({t[0]}){t[1]}({t[2]})"),
        inner.map(lambda c: f"not ({c})"),
    ),
    max_leaves=6,
).filter(lambda text: len(text) <= 500)


@given(_conditions)
def test_not_turns_an_answer_round_and_keeps_what_cannot_be_told(condition: str) -> None:
    told = compile_condition(condition, PARAMETERS)(USUAL)
    turned = compile_condition(f"not ({condition})", PARAMETERS)(USUAL) if len(condition) < 480 else None
    assert len(condition) >= 480 or turned is (None if told is None else not told)


@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.text(max_size=100)))
def test_a_recorded_value_is_read_back(value: Any) -> None:
    found = datum(type(value).__name__, repr(value))
    if "…" in repr(value) or "[redacted]" in repr(value) or len(repr(value)) >= 400:
        return
    assert found.known and found.value == value and type(found.value) is type(value)


@given(st.recursive(st.one_of(st.integers(), st.text(max_size=8)), lambda c: st.lists(c, max_size=4), max_leaves=12))
def test_the_length_of_a_written_container_is_counted(value: Any) -> None:
    if isinstance(value, list) and "…" not in repr(value):
        assert datum("list", repr(value)).size == len(value)


def test_a_long_condition_on_hostile_values_is_quick() -> None:
    hostile = call(("sku", "str", "'" + "\\" * 100_001 + "'"), ("items", "list", "[" * 100_000))
    condition = " and ".join(["len(sku) > 1 or len(items) > 1"] * 14)
    started = time.perf_counter()
    compile_condition(condition, PARAMETERS)(hostile)
    assert time.perf_counter() - started < 2.0
    assert parse("qty < 0") == parse(" qty<0 ")
