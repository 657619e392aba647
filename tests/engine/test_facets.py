"""Filters of search by what happened when the code ran."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import pytest

from tests.cli.conftest import recorded_shop
from tracelens import facets
from tracelens.retrieval import Searcher
from tracelens.settings import Settings
from tracelens_indexer.embedding.static import StaticEmbedder
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.indexing import index_workspace
from tracelens_indexer.store import Index

__all__ = ["recorded_shop"]


@pytest.fixture
def index(recorded_shop: Path) -> Index:
    return Index.open(recorded_shop)


def names(index: Index, where: str, query: str = "", limit: int = 50) -> list[str]:
    hits = Searcher(index.root, Settings()).search(index, query, limit, where)
    return [hit.unit.qualname.removeprefix("shop.") for hit in hits]


def test_each_facet_finds_what_did_so(index: Index) -> None:
    assert "pricing.apply_discount" in names(index, "failing")
    assert "pricing.apply_discount" in names(index, "raised:ZeroDivisionError")
    assert "pricing.apply_discount" in names(index, "none:tier") and "pricing.order_total" not in names(
        index, "none:tier"
    )
    assert "inventory.Warehouse.find" in names(index, "hot")
    assert "__main__.main" in names(index, "never run") and "__main__.main" not in names(index, "ran")
    called = names(index, "called-by:order_total and kind:function")
    assert sorted(called) == ["pricing.apply_discount", "pricing.tax_rate"]
    assert "service.OrderService.checkout" in names(index, "calls:Warehouse.reserve")
    assert set(names(index, "path:pricing.py and kind:function")) >= {"pricing.tax_rate", "pricing.apply_discount"}
    assert names(index, "slow:100s") == []


def test_facets_join_and_words_rank_what_is_left(index: Index) -> None:
    assert set(names(index, "ran and not failing")) == set(names(index, "ran")) - set(names(index, "failing"))
    assert names(index, "ran, not failing") == names(index, "ran and not failing")
    found = names(index, "not failing", "discount of a customer")
    assert found and "pricing.apply_discount" not in found
    assert names(index, "failing", "discount of a customer")[0] == "pricing.apply_discount"


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("never run", "not ran"),
        ("raised KeyError", "raised:KeyError"),
        ("returned empty", "returned:empty"),
        ("called by a.b", "called-by:a.b"),
        ("Failing AND Hot", "failing, hot"),
        ("given None user", "none:user"),
    ],
)
def test_words_may_stand_for_signs(written: str, same: str) -> None:
    assert facets.parse(written) == facets.parse(same)


BAD = [
    *("", " ", ",", "and", "not", "hot and", "colour:red", "hot:1", "slow:quick", "raised:", "kind:poem", "x" * 501),
    *("hot); DROP TABLE units", "not not", "returned:3", "hot and and ran"),
]


@pytest.mark.parametrize("bad", BAD)
def test_a_condition_that_cannot_be_read_says_why(bad: str) -> None:
    with pytest.raises(TraceLensError, match="where"):
        facets.parse(bad)


def test_nothing_in_a_condition_is_sql(index: Index) -> None:
    for value in ("%", "_", "';--", "a'OR'1'='1", "\\", '"', "x)OR(1", "*"):
        for facet in ("raised", "none", "path"):
            assert names(index, f"{facet}:{value}", limit=3) in ([], names(index, f"path:{value}", limit=3))
    assert names(index, "raised:%Error") == []


def test_any_condition_is_read_or_refused() -> None:
    chance = random.Random(5)
    words = [
        "hot",
        "and",
        "not",
        "slow:5ms",
        "raised:",
        "KeyError",
        ",",
        "called",
        "by",
        "never",
        "run",
        ":",
        "é",
        "\x00",
    ]
    for _ in range(500):
        text = " ".join(chance.choice(words) for _ in range(chance.randrange(6)))
        with contextlib.suppress(TraceLensError):
            assert facets.parse(text)


def test_where_nothing_was_recorded_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    return 1\n")
    index_workspace(tmp_path, StaticEmbedder())
    searcher = Searcher(tmp_path, Settings())
    with_index = Index.open(tmp_path)
    assert searcher.search(with_index, "f", where="hot") == []
    assert "nothing was recorded yet" in searcher.notes[0]
    assert searcher.search(with_index, "f", where="never run")
