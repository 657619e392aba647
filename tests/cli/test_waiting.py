"""What a program has recorded on its own is shown by the next command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.recorder.test_in_code import run
from tracelens.cli.main import cli

PROGRAM = """
import tracelens_recorder as tracelens

def price(qty):
    return qty * 2

@tracelens.tool
def search(words):
    return price(len(words))

with tracelens.recording("nightly"):
    with tracelens.tagged("vip", user="u-7"):
        search("abc")
    price(9)
"""


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    cli.main(list(words), standalone_mode=False)
    return capsys.readouterr()


def test_a_recording_that_waits_is_taken_up_once_and_can_be_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(sys.executable, tmp_path, PROGRAM, TRACELENS_SERVICE="shop", TRACELENS_ENVIRONMENT="staging")
    assert done.process.returncode == 0, done.process.stderr
    root = ["--root", str(tmp_path)]
    out, err = shown(capsys, "hot", *root)
    assert 'took up the recording "nightly"' in err
    assert "program.search" in out
    assert not list(tmp_path.glob(".tracelens/incoming/*"))
    out, err = shown(capsys, "runs", *root)
    assert "nightly" in out and "service shop" in out and "environment staging" in out
    assert err == ""
    out, _ = shown(capsys, "calls", "price", "--where", "'vip' in tags and user == 'u-7'", *root)
    assert "price(qty=3)" in out and "price(qty=9)" not in out
    assert "user u-7 · tags vip" in out
    out, _ = shown(capsys, "calls", "search", "--where", "kind == 'tool'", *root)
    assert "search(words='abc')" in out


def test_a_recording_of_a_process_that_runs_still_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no end yet, and its process is alive: this one."""
    import os

    done = run(sys.executable, tmp_path, PROGRAM)
    (file,) = done.files
    cut = file.read_bytes()
    at = cut.rfind(b'{"duration_ns"')
    (file.parent / f"{'0' * 16}-{os.getpid()}.tlrec").write_bytes(cut[: at - 9])
    file.unlink()
    shown(capsys, "index", str(tmp_path))
    _, err = shown(capsys, "runs", "--root", str(tmp_path))
    assert "took up" not in err
    assert list(tmp_path.glob(".tracelens/incoming/*/*.tlrec"))


def test_what_was_left_when_record_itself_was_killed_is_taken_up_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import os

    run(sys.executable, tmp_path, PROGRAM)
    (folder,) = (tmp_path / ".tracelens" / "incoming").iterdir()
    unnamed = folder.rename(folder.with_name("-".join(folder.name.split("-")[:3])))
    root = ["--root", str(tmp_path)]
    shown(capsys, "index", str(tmp_path), "--progress", "none")
    _, err = shown(capsys, "runs", *root)
    assert err == "" and unnamed.is_dir()  # `tracelens record` may be about to import it
    for file in unnamed.iterdir():
        os.utime(file, (0, file.stat().st_mtime - 600))
    out, err = shown(capsys, "runs", *root)
    assert 'took up the recording "interrupted"' in err
    assert "interrupted" in out and not unnamed.exists()
