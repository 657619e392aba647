"""Context for a model: what it holds, that it fits, and that it is the same each time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.cli.conftest import recorded_shop
from tracelens import context
from tracelens.answers.snapshot import IndexSnapshot
from tracelens.mcp.budget import tokens
from tracelens.retrieval import search_if_possible
from tracelens.settings import Settings
from tracelens_indexer.embedding.static import StaticEmbedder
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.indexing import index_workspace
from tracelens_indexer.store import Index

__all__ = ["recorded_shop"]

TRACEBACK = """\
Traceback (most recent call last):
  File "/srv/app/shop/service.py", line 22, in checkout
    total = order_total(order, country)
  File "/srv/app/shop/pricing.py", line 29, in order_total
    net = sum(…)
  File "/usr/lib/python3.11/json/decoder.py", line 3, in decode
ZeroDivisionError: float division by zero
"""


def made(root: Path, named: str, budget: int = 2_000) -> context.Context:
    index = Index.open(root)
    try:
        search, _ = search_if_possible(root, Settings(), index)
        return context.context_of(IndexSnapshot(index), context.resolve(index, named), search, budget)
    finally:
        index.close()


def test_a_unit_comes_with_what_was_seen_and_who_calls_it(recorded_shop: Path) -> None:
    told = str(made(recorded_shop, "apply_discount"))
    assert "def apply_discount(" in told and "ZeroDivisionError" in told
    assert "calls it, seen 1,896 times" in told and "def order_total(" in told
    assert told.index("def apply_discount(") < told.index("ZeroDivisionError") < told.index("def order_total(")


def test_a_failure_a_test_a_traceback_and_a_question_all_lead_there(recorded_shop: Path) -> None:
    index = Index.open(recorded_shop)
    failure = next(one for one in index.failures() if one.type == "ZeroDivisionError" and one.origin)
    index.close()
    for named in (
        failure.id,
        "tests/test_shop.py::test_free_sample[x]",
        TRACEBACK,
        "price after the discount of a customer's tier",
    ):
        assert any(unit.name == "apply_discount" for unit in made(recorded_shop, named).units), named
    assert failure.id in [part.id for part in made(recorded_shop, failure.id).parts]


def test_frames_of_another_machine_are_found_by_the_end_of_their_path(recorded_shop: Path) -> None:
    index = Index.open(recorded_shop)
    target = context.resolve(index, TRACEBACK)
    index.close()
    assert [unit.name for unit in target.units] == ["order_total", "checkout"]
    assert target.question == "ZeroDivisionError: float division by zero"


@pytest.mark.parametrize("budget", [1, 200, 350, 900, 6_000])
def test_it_fits_its_budget(recorded_shop: Path, budget: int) -> None:
    for named in ("apply_discount", "Warehouse", "shop.service", "how are orders paid"):
        one = made(recorded_shop, named, budget)
        assert tokens(str(one)) <= max(budget, 200)
        assert one.units


def test_the_same_index_gives_the_same_words(recorded_shop: Path) -> None:
    assert str(made(recorded_shop, "checkout_all")) == str(made(recorded_shop, "checkout_all"))


def test_nothing_stands_there_twice(recorded_shop: Path) -> None:
    one = made(recorded_shop, "Warehouse", 6_000)
    assert len({unit.id for unit in one.units}) == len(one.units)
    assert len({(part.kind, part.id, part.text) for part in one.parts}) == len(one.parts)


def test_a_long_function_is_outlined_around_what_tells(tmp_path: Path) -> None:
    body = "\n".join(f"    x{n} = x + {n}" for n in range(600))
    (tmp_path / "long.py").write_text(f"def long(x):\n{body}\n    if x:\n        raise KeyError(x)\n    return x\n")
    index_workspace(tmp_path, StaticEmbedder())
    one = made(tmp_path, "long.long", 600)
    assert one.parts[0].outlined and "def long(x):" in one.parts[0].text
    assert "raise KeyError(x)" in one.parts[0].text and "…" in one.parts[0].text


def test_what_cannot_be_meant_is_said(recorded_shop: Path) -> None:
    index = Index.open(recorded_shop)
    for named, said in (
        ("", "context of what"),
        ("f:00000000", "no such failure"),
        ("shop.nothing_here", "nothing here is called"),
        ("tests/test_shop.py::test_nothing", "no such test"),
        ('File "/x/y.py", line 3, in z\n', "none of the traceback's frames"),
    ):
        with pytest.raises(TraceLensError, match=said):
            context.resolve(index, named)
    index.close()


def test_any_text_is_answered_or_refused_in_one_line(recorded_shop: Path) -> None:
    chance = random.Random(3)
    odd = [
        "\x00",
        "a" * 100_000,
        "価格を計算する",
        "the of",
        "') OR 1=1 --",
        ".*[a-z]+(",
        "\ud800",
        "%",
        "u:",
        "::",
        ":1",
    ]
    odd += ["".join(chance.choice('aZ_.:/\\"\n ()[]%f') for _ in range(40)) for _ in range(10)]
    for named in odd:
        try:
            assert tokens(str(made(recorded_shop, named, 400))) <= 400, repr(named)
        except TraceLensError as error:
            assert str(error)


def test_it_works_without_a_search_table(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    return g()\n\n\ndef g():\n    return 1\n")
    index_workspace(tmp_path, searchable=False)
    assert "def g()" in str(made(tmp_path, "a.f"))
