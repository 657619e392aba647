"""The search table: read from disk the first time, from memory afterwards, and never another answer for it."""

from __future__ import annotations

from pathlib import Path

import numpy

from tracelens_indexer.store.vectors import Ranked, SearchTable, TextRow, VectorTable

_SIZE, _DIMENSION = 300, 8


def _row(number: int, words: str = "") -> TextRow:
    return TextRow(number, f"f{number % 7}.py", "hash", words or f"common word{number}")


def _same(one: Ranked, other: Ranked) -> None:
    assert one.words == other.words and set(one.meaning) == set(other.meaning)
    assert one.cosines.keys() == other.cosines.keys()
    assert all(abs(one.cosines[unit] - other.cosines[unit]) < 1e-5 for unit in one.cosines)


def test_a_search_from_memory_gives_what_one_from_disk_gives(tmp_path: Path) -> None:
    chance = numpy.random.default_rng(5)
    vectors = chance.normal(size=(_SIZE, _DIMENSION)).astype(numpy.float32)
    vectors /= numpy.linalg.norm(vectors, axis=1, keepdims=True)
    writer = VectorTable(tmp_path / "t", "model", _DIMENSION)
    writer.replace([_row(number) for number in range(_SIZE)], vectors)
    writer.finish()
    asked = vectors[17]
    some = set(range(0, _SIZE, 3))
    for words, ids, inverted in (
        ("common word17", None, False),
        ("", None, False),
        ("word5", some, False),
        ("word5", some, True),
        ("", set(), True),
        ("", {17}, False),
        ("no such thing", set(), False),
    ):
        table = SearchTable(tmp_path / "t")
        first, *others = [table.search(words, asked, 10, ids, inverted=inverted) for _ in range(3)]
        for other in others:
            _same(first, other)
    # What is written between two searches is seen by the next, from disk or from memory.
    writer.replace([_row(1_000, "common fresh")], asked[None, :])
    for _ in range(3):
        found = table.search("fresh", asked, 10)
        assert found.words == (1_000,) and set(found.meaning[:2]) == {17, 1_000}
    assert table.search("fresh", None, 10).meaning == ()
