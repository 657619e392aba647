"""A process that goes on in another file, by size and by time."""

from __future__ import annotations

from pathlib import Path

from tests.recorder.conftest import Recorded
from tests.recorder.test_in_code import run
from tracelens_indexer.store import Layout
from tracelens_indexer.traces.incoming import finished
from tracelens_indexer.traces.recording_effort import effort

PROGRAM = """
import time
import tracelens_recorder as tracelens

def work(n, text):
    if n % 10 == 9:
        raise ValueError(n)
    return n

@tracelens.trace
def kept(n):
    return "x" * 100 + str(n)

with tracelens.recording("long", exact=True, rotate_mb={mb}, rotate_seconds={seconds}, keep_files={files}):
    for n in range(1500):
        with tracelens.tagged("batch"):
            kept(n)
        try:
            work(n, "y" * 50)
        except ValueError:
            pass
        if n % 100 == 0:
            time.sleep({sleep})
"""


def numbers(recorded: Recorded) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in recorded.files:
        for name, count in Recorded(recorded.process, [file]).counts.items():
            found[name] = found.get(name, 0) + count.calls
    return found


def test_files_of_one_process_are_each_readable_and_together_all_there_is(python: str, tmp_path: Path) -> None:
    recorded = run(python, tmp_path, PROGRAM.format(mb=0.1, seconds=0, files=100, sleep=0))
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert len(recorded.files) > 3
    assert numbers(recorded) == {"work": 1500, "kept": 1500}
    kept = [call for call in recorded.calls if call.frame.name.endswith("kept")]
    assert len(kept) == 1500
    assert {dict(call.about)["tags"] for call in kept} == {"batch"}
    assert sum(one.count for one in recorded.failures) == 150
    assert not recorded.report.skipped
    taken = effort(recorded.files)
    assert 0 < taken.spent_ns < taken.cpu_ns
    assert [folder.name[-4:] for _, folder in finished(Layout(tmp_path).incoming)] == ["long"]


def test_only_so_many_files_are_kept(modern_python: str, tmp_path: Path) -> None:
    recorded = run(modern_python, tmp_path, PROGRAM.format(mb=0.1, seconds=0, files=2, sleep=0))
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert len(recorded.files) == 2
    assert numbers(recorded)["work"] < 1500


def test_a_file_is_ended_after_a_time(modern_python: str, tmp_path: Path) -> None:
    recorded = run(modern_python, tmp_path, PROGRAM.format(mb=0, seconds=0.4, files=100, sleep=0.1))
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert len(recorded.files) >= 2
    assert numbers(recorded) == {"work": 1500, "kept": 1500}
