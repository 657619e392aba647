"""Bad input: one clear line, the right exit code, nothing lost, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tracelens_indexer.store import Index

from .conftest import Run


def one_line(done: subprocess.CompletedProcess[str], code: int = 2) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback (most recent call last)" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("tracelens: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def test_a_missing_folder(tracelens: Run) -> None:
    assert "no such folder" in one_line(tracelens("index", "nowhere"))


def test_a_folder_without_python(tracelens: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no Python files" in one_line(tracelens("index", str(tmp_path / "empty")))


def test_no_index_yet(tracelens: Run) -> None:
    for command in (("hot",), ("show", "x"), ("failures",), ("search", "x"), ("graph", "x"), ("runs",)):
        assert "tracelens index" in one_line(tracelens(*command)), command


FILES = {
    "missing.json": None,
    "empty.json": b"",
    "blank.log": b"\n\n",
    "noise.bin": bytes(range(256)) * 40,
    "other.json": b'{"hello": "world"}',
    "cut.json": b'{"traceEvents": [{"ph": "X", "na',
    "text.log": b"nothing happened today\n" * 50,
    "memray.bin": b"memray" + b"\0" * 100,
    "pickle.lprof": b"\x80\x04\x95\x1f\x00\x00\x00",
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_not_a_trace(shop: Path, tracelens: Run, name: str) -> None:
    content = FILES[name]
    if content is not None:
        (shop / name).write_bytes(content)
    done = tracelens("import", name)
    line = one_line(done)
    assert name in line
    assert json_runs(tracelens) == "[]"


def json_runs(tracelens: Run) -> str:
    return tracelens("runs", "--json").stdout.strip()


def test_a_folder_is_not_a_trace(tracelens: Run) -> None:
    assert "folder" in one_line(tracelens("import", "shop"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_trace(shop: Path, tracelens: Run) -> None:
    (shop / "secret.pstats").touch(mode=0)
    assert "secret.pstats" in one_line(tracelens("import", "secret.pstats"))


def test_one_bad_file_does_not_stop_the_others(shop: Path, tracelens: Run) -> None:
    subprocess.run(
        [sys.executable, "-m", "cProfile", "-o", "ok.pstats", "-m", "shop", "5"],
        cwd=shop,
        check=True,
        capture_output=True,
    )
    done = tracelens("import", "missing.json", "ok.pstats")
    assert "missing.json" in one_line(done)
    assert "ok.pstats" in json_runs(tracelens)


def test_broken_source_is_indexed_and_said(shop: Path, tracelens: Run) -> None:
    (shop / "broken.py").write_text("def fine():\n    return 1\n\ndef broken(:\n    x = (\n")
    (shop / "binary.py").write_bytes(bytes(range(256)))
    (shop / "nothing.py").write_bytes(b"")
    done = tracelens("index")
    assert done.returncode == 0, done.stderr
    assert "do not parse" in done.stdout
    index = Index.open(shop)
    assert index.find("broken.fine")


def test_a_workspace_outside_git_honours_ignores(shop: Path, tracelens: Run) -> None:
    (shop / ".gitignore").write_text("ignored/\n")
    (shop / "ignored").mkdir()
    (shop / "ignored" / "x.py").touch()
    tracelens("index")
    assert not any(path.startswith("ignored") for path in Index.open(shop).paths())


def test_a_read_only_workspace(shop: Path, tracelens: Run) -> None:
    if os.geteuid() == 0:
        (shop / ".tracelens").write_text("a file where the folder belongs")
    else:
        shop.chmod(0o555)
    try:
        assert ".tracelens" in one_line(tracelens("index"))
    finally:
        shop.chmod(0o755)


def test_record_without_a_command_to_run(tracelens: Run) -> None:
    assert "no such command" in one_line(tracelens("record", "--", "no-such-program"))
    assert "no such Python" in one_line(tracelens("record", "--python", "python9", "--", "x.py"))


def test_record_of_a_program_that_is_not_python(tracelens: Run) -> None:
    assert "nothing was recorded" in one_line(tracelens("record", "--", "true"))


def test_two_commands_at_once_both_finish(shop: Path, tracelens: Run) -> None:
    command = [sys.executable, "-m", "tracelens.cli", "index"]
    both = [subprocess.Popen(command, cwd=shop, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert len(Index.open(shop).paths()) == 9


def test_ctrl_c_while_recording_keeps_what_happened(shop: Path) -> None:
    (shop / "slow.py").write_text(
        "import time\ndef work(n):\n    return n\nprint(work(3), flush=True)\n"
        # Python itself can miss a signal that comes just before a long sleep begins.
        "for _ in range(600): time.sleep(0.1)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tracelens.cli", "record", "--python", sys.executable, "--", "slow.py"],
        cwd=shop,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "3\n"
    os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, out + errors
    assert "Recorded 1 of 1 function that ran" in out
    index = Index.open(shop)
    assert index.profile(index.find("slow.work")[0].id) is not None


def test_ctrl_c_while_indexing_leaves_the_old_index(shop: Path, tracelens: Run) -> None:
    tracelens("index")
    for number in range(400):
        (shop / f"module_{number}.py").write_text("def f(x):\n    return [y for y in x]\n" * 60)
    process = subprocess.Popen(
        [sys.executable, "-m", "tracelens.cli", "index", "--progress", "json"],
        cwd=shop,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    process.stderr.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors and "stopped" in errors
    assert len(Index.open(shop).paths()) == 9
    assert tracelens("index").returncode == 0
    assert len(Index.open(shop).paths()) == 409


def test_a_wrong_configuration_is_said(tracelens: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[llm\n")
    assert "config.toml" in one_line(tracelens("index"))


def test_a_workspace_that_sets_an_endpoint_is_refused(shop: Path, tracelens: Run) -> None:
    with (shop / "pyproject.toml").open("a") as file:
        file.write('\n[tool.tracelens.llm]\nbase_url = "https://evil.example/v1"\nmodel = "x"\n')
    done = tracelens("index")
    assert done.returncode == 0
    assert "tool.tracelens.llm.base_url is refused" in done.stderr
