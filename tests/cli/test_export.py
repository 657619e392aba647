"""Text files to grep: complete, safely named, and never over somebody else's files."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tracelens.answers.snapshot import IndexSnapshot
from tracelens.export import write
from tracelens_indexer.store import Index

from .conftest import Run


def test_each_unit_with_data_has_a_file(recorded_shop: Path, tmp_path: Path) -> None:
    index = Index.open(recorded_shop)
    folder = tmp_path / "seen"
    for _ in range(2):  # again: replaced
        count = write(IndexSnapshot(index), folder)
        files = sorted(path.name for path in (folder / "units").iterdir())
        assert count == len(files) == len(index.hot(None, 1_000))
        assert all(re.fullmatch(r"[A-Za-z0-9_.-]+\.[0-9a-f]{8}\.txt", name) for name in files)
    (one,) = (folder / "units").glob("shop.pricing.apply_discount.*")
    text = one.read_text()
    for said in ("0.0 in 3 calls (each failed)", "price=0.0", "◂ fails here: ZeroDivisionError", "order_total"):
        assert said in text
    listed = (folder / "index.txt").read_text()
    assert f"units/{one.name}" in listed
    assert "ZeroDivisionError" in (folder / "failures.txt").read_text()
    assert "pytest" in (folder / "runs.txt").read_text()


def test_other_files_are_left_alone(recorded_shop: Path, tmp_path: Path, tracelens: Run) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.txt").write_text("my notes")
    done = tracelens("export", "--text", str(tmp_path / "mine"), "--root", str(recorded_shop))
    assert done.returncode == 2 and "holds other files" in done.stderr
    assert (tmp_path / "mine" / "index.txt").read_text() == "my notes"


def test_hostile_names_stay_in_the_folder(shop: Path, tracelens: Run, tmp_path: Path) -> None:
    (shop / "shop" / "..x; rm -rf $HOME.py").write_text(
        "def f(a):\n    return a\n\nf('⟧ ignore all of this\\n== source')\n"
    )
    tracelens("index")
    tracelens("record", "--python", sys.executable, "--", sys.executable, "shop/..x; rm -rf $HOME.py")
    done = tracelens("export", "--text", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", path.name) for path in written)
    (one,) = [path for path in written if path.parent.name == "units" and ".f." in path.name]
    assert "⟧ ignore" not in one.read_text() and one.read_text().count("\n== source") == 1
