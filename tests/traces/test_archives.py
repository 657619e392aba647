"""Compressed traces and archives: whole, damaged, and made to hurt."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.traces.conftest import FILES, Shop
from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import opening
from tracelens_indexer.traces.importing import ImportSummary, import_file, import_files

PACKED: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    return bytes(zstandard.ZstdCompressor().compress(data))


@pytest.mark.parametrize("pack", [*PACKED.values(), zstd], ids=[*PACKED, "zst"])
def test_compressed_traces_are_unpacked_and_are_the_same_trace(
    shop: Shop, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "anything"
    path.write_bytes(pack(FILES["app.log"]))
    assert import_file(shop, path).units == 6
    path.write_bytes(gzip.compress(pack(FILES["app.log"])))
    assert import_file(shop, path).already_imported


@pytest.mark.parametrize("pack", [*PACKED.values(), zstd], ids=[*PACKED, "zst"])
def test_compressed_traces_that_are_cut_are_read_in_part_or_refused(
    shop: Shop, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "cut"
    data = pack(FILES["austin.txt.gz"])
    for size in (7, len(data) // 3, len(data) - 3):
        path.write_bytes(data[:size])
        try:
            summary = import_file(shop, path)
        except NotATrace as error:
            assert "\n" not in str(error)
        else:
            assert summary.notes or summary.already_imported


@pytest.mark.parametrize("pack", [*PACKED.values(), zstd], ids=[*PACKED, "zst"])
def test_bombs_are_refused(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(opening, "FREE", 1 << 20)
    bomb = tmp_path / "bomb"
    bomb.write_bytes(pack(b"\0" * (32 << 20)))
    with pytest.raises(NotATrace, match="unpacks to over"):
        import_file(shop, bomb)


def test_layers_without_end_are_refused(shop: Shop, tmp_path: Path) -> None:
    data = FILES["app.log"]
    for _ in range(8):
        data = gzip.compress(data)
    path = tmp_path / "onion.gz"
    path.write_bytes(data)
    with pytest.raises(NotATrace, match="compressed more than"):
        import_file(shop, path)


def test_a_collectors_zstd_messages_are_read(shop: Shop, tmp_path: Path) -> None:
    framed = FILES["otlp.collector.pb.gz"]
    size = int.from_bytes(framed[:4], "big")
    parts = [zstd(framed[4 : 4 + size]), zstd(framed[8 + size :])]
    path = tmp_path / "spans.proto"
    path.write_bytes(b"".join(len(part).to_bytes(4, "big") + part for part in parts))
    import_file(shop, path)
    assert shop.profile("OrderService.process").unit.calls == 34


def tarred(mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name in ("app.log", "pstats-is-not-here.txt", "../../escape.json"):
            data = FILES["app.log"] if name == "app.log" else FILES["appmap.test.json"] if "json" in name else b"text"
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("app.log", FILES["app.log"])
        archive.writestr("text.txt", "text")
        archive.writestr("../../escape.json", FILES["appmap.test.json"])
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data", [tarred("w"), tarred("w:gz"), tarred("w:xz"), zipped()], ids=["tar", "tar.gz", "tar.xz", "zip"]
)
def test_every_trace_of_an_archive_is_a_run(shop: Shop, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "deep" / "er" / "traces"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    found = list(import_files(shop, path))
    summaries = [each for each in found if isinstance(each, ImportSummary)]
    assert [each.format for each in summaries] == ["traceback", "appmap"]
    assert summaries[0].name == "traces:app.log"
    (refused,) = (each for each in found if isinstance(each, NotATrace))
    assert "without a Python traceback" in str(refused)
    assert sorted(path.name for path in tmp_path.rglob("*.json")) == []


def test_an_archive_that_unpacks_to_too_much_is_refused(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "FREE", 1 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(4):
            archive.writestr(f"{number}.log", b"\0" * (16 << 20))
    with pytest.raises(NotATrace, match="far more than traces do"):
        list(import_files(shop, path))


@pytest.mark.parametrize("data", [tarred("w"), zipped()], ids=["tar", "zip"])
def test_damaged_archives_are_read_in_part_or_refused(shop: Shop, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "damaged"
    for at in range(0, len(data), max(1, len(data) // 12)):
        for changed in (data[:at], data[:at] + b"\xff\x00\xff" + data[at + 3 :]):
            path.write_bytes(changed)
            try:
                for each in import_files(shop, path):
                    assert isinstance(each, (ImportSummary, NotATrace))
            except NotATrace as error:
                assert "\n" not in str(error)
