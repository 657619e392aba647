"""The store is whole, whatever happens to an import: killed at any moment, a full disk, values without end."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.traces.conftest import SAMPLES, Shop
from tracelens_indexer.store import Writer
from tracelens_indexer.traces.importing import import_file

IMPORTER = """
import sys
from pathlib import Path
from tracelens_indexer.store import Writer
from tracelens_indexer.traces.importing import import_file
root, *files = map(Path, sys.argv[1:])
print("ready", flush=True)
for file in files:
    with Writer(root) as writer:
        import_file(writer, file)
"""
LIMITED = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(LIMIT), int(LIMIT)))
"""


def event(name: str, at: int, **values: object) -> dict[str, object]:
    place = f"{name} (shop/pricing.py:23)"
    return {"ph": "X", "pid": 1, "tid": 1, "ts": at, "dur": 3, "name": place, "cat": "fee", "args": values}


def trace(file: Path, calls: int, seed: int) -> Path:
    chance = random.Random(seed)
    events = [
        event("line_total", 10 * n, func_args={"quantity": str(chance.randrange(10**6))}, return_value=str(n))
        for n in range(calls)
    ]
    file.write_text(json.dumps({"traceEvents": events, "viztracer_metadata": {"overflow": False}}))
    return file


def whole(root: Path) -> int:
    """The number of runs, in a store that is sound and holds each run once, whole."""
    connection = sqlite3.connect(root / ".tracelens/index.db")
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchone() is None
        without = "SELECT count(*) FROM runs WHERE id NOT IN (SELECT run FROM anchors)"
        assert connection.execute(without).fetchone()[0] == 0
        return int(connection.execute("SELECT count(*) FROM runs").fetchone()[0])
    finally:
        connection.close()


def test_an_import_that_is_killed_at_any_moment_leaves_the_store_whole(shop: Shop, tmp_path: Path) -> None:
    files = [trace(tmp_path / f"{n}.json", 300, n) for n in range(12)]
    shop.writer.__exit__(None, None, None)
    chance = random.Random(5)
    runs = 0
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", IMPORTER, str(shop.root), *map(str, files)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with Writer(shop.root):
            pass
        now = whole(shop.root)
        assert now >= runs
        runs = now
    done = subprocess.run([sys.executable, "-c", IMPORTER, str(shop.root), *map(str, files)], check=False)
    assert (done.returncode, whole(shop.root)) == (0, 12)
    shop.writer.__enter__()


def test_two_importers_at_once_both_finish(shop: Shop, tmp_path: Path) -> None:
    files = [str(trace(tmp_path / f"{n}.json", 100, n)) for n in range(6)]
    shop.writer.__exit__(None, None, None)
    both = [
        subprocess.Popen([sys.executable, "-c", IMPORTER, str(shop.root), *part], stdout=subprocess.DEVNULL)
        for part in (files[:4], files[2:])
    ]
    assert [process.wait() for process in both] == [0, 0]
    assert whole(shop.root) == 6
    shop.writer.__enter__()


@pytest.mark.parametrize("limit", [1_000, 150_000, 400_000])
@pytest.mark.skipif(sys.platform == "win32", reason="has no limit on the size of files")
def test_a_full_disk_stores_nothing_and_breaks_nothing(shop: Shop, tmp_path: Path, limit: int) -> None:
    import_file(shop, SAMPLES / "app.log")
    shop.writer.__exit__(None, None, None)
    before = whole(shop.root)
    file = trace(tmp_path / "many.json", 3_000, 1)
    source = LIMITED.replace("LIMIT)", f"{limit})") + IMPORTER
    subprocess.run([sys.executable, "-c", source, str(shop.root), str(file)], capture_output=True, check=False)
    assert not list((shop.root / ".tracelens/runs").glob("*.partial"))
    with Writer(shop.root) as writer:
        import_file(writer, file)
    assert whole(shop.root) == before + 1
    shop.writer.__enter__()


def test_a_value_of_a_hundred_megabytes_is_cut(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "long.json"
    small = json.dumps(event("line_total", 1, func_args={"quantity": "2"}, return_value="3"))
    with file.open("w") as stream:
        stream.write(f'{{"traceEvents": [{small}, ')
        stream.write(json.dumps(event("line_total", 9, return_value="HERE")).replace("HERE", "x" * (40 << 20)))
        stream.write(f", {small.replace('2', '7')}]}}")
    summary = import_file(shop, file)
    assert summary.run is not None
    profile = shop.profile("line_total")
    assert max(len(value.text or "") for value in profile.values) <= 200
    assert (shop.root / ".tracelens/index.db").stat().st_size < 2_000_000


@pytest.mark.parametrize("number", ["1" * 400, "-" + "9" * 30, "1e999", "NaN", "-Infinity"])
def test_numbers_that_no_column_holds_are_survived(shop: Shop, tmp_path: Path, number: str) -> None:
    file = tmp_path / "numbers.json"
    good = event("line_total", 1, func_args={"quantity": number}, return_value=number)
    text = json.dumps(good)
    odd = text.replace('"dur": 3', f'"dur": {number}')
    file.write_text(f'{{"traceEvents": [{text}, {odd}, {text}]}}')
    assert import_file(shop, file).run is not None
    profile = shop.profile("line_total")
    assert profile.unit.calls >= 2
    with sqlite3.connect(shop.root / ".tracelens/index.db") as connection:
        assert connection.execute("SELECT count(*) FROM profile_units").fetchone()[0] >= 1
