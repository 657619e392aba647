"""An incremental index and a full one are equal, whatever was edited, added, moved or removed in between."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.indexing import Indexer, IndexSummary, index_workspace

SHOP = Path(__file__).parents[2] / "examples" / "shop"
IGNORED = shutil.ignore_patterns("__pycache__", ".tracelens", ".pytest_cache", ".venv")

SNIPPETS = (
    "\n\ndef added(value):\n    return helper(value)\n\n\ndef helper(value):\n    return value\n",
    "\nfrom shop.pricing import *\nfrom .models import Order as O\nimport shop.feed as feed\n",
    "\nclass Extra:\n    def find(self):\n        return self.other()\n\n    def other(self): return Extra()\n",
    "\nif True:\n    def twice(): ...\nelse:\n    def twice(): ...\n",
    "\ndef broken(:\n    return (\n",
    "\n@staticmethod\ndef odd(): yield from (lambda: [x for x in ()])()\n",
)


def contents(root: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that an index says of the code; file stamps and row ids aside."""
    connection = sqlite3.connect(root / ".tracelens" / "index.db")
    queries = {
        "files": "SELECT path, module, content_hash, blob, size, lines, errors FROM files",
        "units": "SELECT files.path, units.id, position, parent, scope, ordinal, qualname, name, kind, first_line,"
        " def_line, end_line, name_line, name_column, body_hash, signature, docstring, returns, resumes, parameters"
        " FROM units JOIN files ON files.id = units.file",
        "sites": 'SELECT caller, line, "column", callee, status, reason FROM sites',
        "edges": 'SELECT caller, callee, kind, line, "column", confidence FROM edges',
    }
    try:
        return {name: sorted(connection.execute(query), key=repr) for name, query in queries.items()}
    finally:
        connection.close()


def index(root: Path) -> IndexSummary:
    return index_workspace(root, searchable=False)


edit = st.one_of(
    st.tuples(st.just("inside"), st.integers(0, 30), st.integers(0, 200)),
    st.tuples(st.just("inside"), st.integers(0, 30), st.integers(0, 200)),
    st.tuples(st.just("append"), st.integers(0, 30), st.sampled_from(SNIPPETS)),
    st.tuples(st.just("cut"), st.integers(0, 30), st.floats(0, 1)),
    st.tuples(st.just("remove"), st.integers(0, 30), st.none()),
    st.tuples(st.just("rename"), st.integers(0, 30), st.sampled_from(["moved.py", "sub/moved.py", "shop/moved.py"])),
    st.tuples(st.just("package"), st.integers(0, 30), st.sampled_from(["tests/__init__.py", "sub/__init__.py"])),
)


def apply(root: Path, kind: str, which: int, how: object) -> None:
    files = sorted(path for path in root.rglob("*.py") if ".tracelens" not in path.parts)
    if not files:
        return
    path = files[which % len(files)]
    if kind == "append":
        path.write_text(path.read_text() + str(how))
    elif kind == "inside":
        lines = path.read_text().split("\n")
        bodies = [at for at, line in enumerate(lines) if line.startswith("    ") and line.strip()]
        if bodies:
            at = bodies[int(str(how)) % len(bodies)]
            line = lines[at]
            lines.insert(at, line[: len(line) - len(line.lstrip())] + "print(sorted([1], key=lambda one: one.find()))")
            path.write_text("\n".join(lines))
    elif kind == "cut":
        text = path.read_bytes()
        path.write_bytes(text[: int(len(text) * float(str(how)))])
    elif kind == "remove":
        path.unlink()
    elif kind == "rename":
        target = root / str(how)
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    elif kind == "package":
        target = root / str(how)
        target.parent.mkdir(exist_ok=True)
        target.touch()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.booleans(), st.lists(edit, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_incremental_equals_full(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, list[tuple[str, int, object]]]]
) -> None:
    """By a process that stays and by one that comes and goes, in any order."""
    root = tmp_path_factory.mktemp("incremental") / "shop"
    shutil.copytree(SHOP, root, ignore=IGNORED)
    stays = Indexer(root)
    stays.refresh(searchable=False)
    for by_the_one_that_stays, step in steps:
        for kind, which, how in step:
            apply(root, kind, which, how)

        def refresh(stays: Indexer | None = stays if by_the_one_that_stays else None) -> None:
            if stays is None:
                index(root)
            else:
                stays.refresh(searchable=False)

        if any(path for path in root.rglob("*.py")):
            refresh()
        else:
            with pytest.raises(TraceLensError):
                refresh()
            return
    full = tmp_path_factory.mktemp("full") / "shop"
    shutil.copytree(root, full, ignore=IGNORED)
    index(full)
    assert contents(root) == contents(full)


def test_a_process_that_stays_relinks_only_when_that_is_due(tmp_path: Path) -> None:
    shutil.copytree(SHOP, tmp_path / "shop", ignore=IGNORED)
    stays = Indexer(tmp_path / "shop")
    stays.refresh(searchable=False)
    assert not stays.relink_if_due()


def test_a_second_run_reads_nothing_again(tmp_path: Path) -> None:
    shutil.copytree(SHOP, tmp_path / "shop", ignore=IGNORED)
    first = index(tmp_path / "shop")
    assert first.changed == first.files > 5
    second = index(tmp_path / "shop")
    assert (second.changed, second.removed) == (0, 0)
    assert (second.units, second.resolved) == (first.units, first.resolved)


def test_a_touched_file_is_not_lowered_again(tmp_path: Path) -> None:
    shutil.copytree(SHOP, tmp_path / "shop", ignore=IGNORED)
    index(tmp_path / "shop")
    (tmp_path / "shop" / "shop" / "pricing.py").touch()
    assert index(tmp_path / "shop").changed == 0


def test_facts_of_another_version_are_made_again(tmp_path: Path) -> None:
    shutil.copytree(SHOP, tmp_path / "shop", ignore=IGNORED)
    first = index(tmp_path / "shop")
    connection = sqlite3.connect(tmp_path / "shop" / ".tracelens" / "index.db")
    connection.execute("UPDATE meta SET value = 'older' WHERE key = 'facts'")
    connection.execute("UPDATE files SET facts = x'00', content_hash = 'older'")
    connection.commit()
    connection.close()
    assert index(tmp_path / "shop").changed == first.files
    assert index(tmp_path / "shop").changed == 0
