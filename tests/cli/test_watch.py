"""`tracelens watch` as a process: it takes in what changes, records again where it is told to, and ends with Ctrl-C."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.answers import recorded
from tracelens_indexer.store import Index

FILES = {
    "m.py": "def one():\n    return 1\n",
    "test_m.py": "from m import one\n\n\ndef test_one():\n    assert one()\n",
}


def start(root: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "tracelens.cli", "watch", "--interval", "0.2", *arguments],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "TRACELENS_CONFIG": str(root.parent / "config.toml")},
    )


def until(process: subprocess.Popen[bytes], wanted: str, seconds: float = 60.0) -> str:
    assert process.stdout
    told = ""
    end = time.monotonic() + seconds
    while wanted not in told:
        assert time.monotonic() < end, told
        if select.select([process.stdout], [], [], 0.2)[0]:
            read = os.read(process.stdout.fileno(), 65536)
            assert read, told
            told += read.decode()
    return told


def test_a_change_is_taken_in(tmp_path: Path) -> None:
    root = recorded.write(tmp_path / "w", FILES)
    recorded.index(root)
    process = start(root)
    try:
        until(process, "watching 2 files")
        (root / "m.py").write_text("def one():\n    return 1\n\n\ndef another():\n    return 2\n")
        until(process, "1 file changed")
        index = Index.open(root)
        assert [unit.qualname for unit in index.find("another")] == ["m.another"]
        index.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()


def test_the_command_is_recorded_again_after_each_change(tmp_path: Path) -> None:
    root = recorded.write(tmp_path / "w", FILES)
    recorded.index(root)
    process = start(root, "--", "pytest", "-q", "-p", "no:cacheprovider")
    try:
        until(process, "Recorded ")
        (root / "m.py").write_text("def one():\n    return 0\n")
        told = until(process, "1 file changed") + until(process, "Recorded ")
        assert "1 failed" in told
    finally:
        process.kill()
        process.wait()
