"""Readers that others add: they run when allowed, in a process of their own, and can harm nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.traces.conftest import Shop
from tracelens.settings import load
from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.importing import import_file

GOOD = """
import os
from tracelens_indexer.traces.records import Call, Frame, Observed, Raised, Returned, RunFacts

def recognises(head):
    return head.startswith(b"ACME")

def read(stream, report):
    print("a reader may print")
    yield RunFacts(tool="acme")
    for line in stream.read().splitlines()[1:]:
        if not line:
            report.skip("empty line")
            continue
        frame = Frame("shop/pricing.py", "line_total", 0)
        yield Call(frame, 0, 5, arguments=(("quantity", Observed("int", line.decode(), float(line))),),
                   outcome=Returned(None) if line != b"0" else Raised("ValueError", "none"))
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed package that offers the reader `acme`."""
    site = tmp_path / "site"
    info = site / "acme_tracelens-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-tracelens\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[tracelens.readers]\nacme = acme_tracelens\n")
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
    return site


def offer(site: Path, source: str) -> None:
    (site / "acme_tracelens.py").write_text(source)


def trace(tmp_path: Path, content: bytes = b"ACME\n1\n2\n\n0\n") -> Path:
    file = tmp_path / "shop.acme"
    file.write_bytes(content)
    return file


def test_an_allowed_reader_reads(shop: Shop, acme: Path, tmp_path: Path) -> None:
    offer(acme, GOOD)
    summary = import_file(shop, trace(tmp_path), readers=("acme",))
    assert (summary.format, summary.skipped) == ("acme", {"empty line": 1})
    row = shop.profile("line_total")
    assert (row.unit.calls, row.unit.errors) == (3, 1)
    assert {value.text for value in row.values} == {"0", "1", "2"}


def test_without_being_allowed_it_does_not_run(shop: Shop, acme: Path, tmp_path: Path) -> None:
    offer(acme, f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(NotATrace):
        import_file(shop, trace(tmp_path))
    assert not (tmp_path / "ran").exists()


def test_one_that_fails_half_way_leaves_what_it_read(shop: Shop, acme: Path, tmp_path: Path) -> None:
    offer(acme, GOOD + "    raise ValueError('half way')\n")
    summary = import_file(shop, trace(tmp_path), readers=("acme",))
    assert any("half way" in note for note in summary.notes)
    assert shop.profile("line_total").unit.calls == 3


def test_what_is_no_record_is_skipped_and_nothing_is_written(shop: Shop, acme: Path, tmp_path: Path) -> None:
    name = str(tmp_path / "written")
    writes = f"    try:\n        open({name!r}, 'w').write('x' * 10)\n    except OSError:\n        pass\n"
    offer(acme, GOOD + writes + "    yield 5\n")
    summary = import_file(shop, trace(tmp_path), readers=("acme",))
    assert any("no record" in note for note in summary.notes)
    written = tmp_path / "written"
    assert not written.exists() or not written.stat().st_size


def test_one_that_is_not_installed_is_said(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(NotATrace, match="not installed"):
        import_file(shop, trace(tmp_path), readers=("nobody",))


def test_only_the_users_own_configuration_allows_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "config.toml"
    monkeypatch.setenv("TRACELENS_CONFIG", str(own))
    (tmp_path / "pyproject.toml").write_text('[tool.tracelens.plugins]\nreaders = ["acme"]\n')
    found = load(tmp_path)
    assert found.readers == () and found.warnings
    own.write_text('[plugins]\nreaders = ["acme"]\n')
    assert load(tmp_path).readers == ("acme",)
