"""Units that a person may mean."""

from __future__ import annotations

from pathlib import Path

from tracelens_indexer.indexing import index_workspace
from tracelens_indexer.store import Index

SOURCE = """\
import typing as t

class A:
    @t.overload
    def f(self, x: int) -> int: ...
    @t.overload
    def f(self, x: str) -> str: ...
    def f(self, x): return x
"""


def test_of_a_function_with_overloads_the_one_that_runs_is_meant(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SOURCE)
    index_workspace(tmp_path, searchable=False)
    index = Index.open(tmp_path)
    try:
        assert [unit.def_line for unit in index.find("a.A.f")] == [8]
        assert [unit.def_line for unit in index.find("A.f")] == [8]
        assert [unit.def_line for unit in index.find("a.py:5")] == [5]
    finally:
        index.close()
