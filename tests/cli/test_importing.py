"""tracelens import: what it reads, whole folders, archives, and paths that mean something else here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., subprocess.CompletedProcess[str]]


def log(path: str) -> str:
    return (
        f'Traceback (most recent call last):\n  File "{path}", line 9, in total\n    return 1 / 0\n'
        "ZeroDivisionError: division by zero\n"
    )


def module(shop: Path) -> Path:
    path = shop / "src" / "parts" / "sums.py"
    path.parent.mkdir(parents=True)
    path.write_text("\n" * 7 + "def total():\n    return 1 / 0\n")
    return path


def test_the_formats_are_listed(tracelens: Run) -> None:
    done = tracelens("import", "--list-formats")
    assert done.returncode == 0
    assert "pstats (cProfile, yappi)" in done.stdout
    assert "coverage json --show-contexts" in done.stdout
    forms = json.loads(tracelens("import", "--list-formats", "--json").stdout)
    assert {"otlp", "sentry", "appmap", "monkeytype"} <= {form["name"] for form in forms}


def test_nothing_named_is_a_line_of_help(tracelens: Run) -> None:
    done = tracelens("import")
    assert done.returncode == 2
    assert "--watch" in done.stderr


def test_paths_of_another_machine_are_mapped_by_the_workspace(shop: Path, tracelens: Run) -> None:
    module(shop)
    (shop / "app.log").write_text(log("/build/7/sums.py"))
    assert "0 joined" in tracelens("import", "app.log").stdout
    with (shop / "pyproject.toml").open("a") as file:
        file.write('\n[tool.tracelens.paths]\n"/build/7" = "src/parts"\n"/x" = "../other"\n')
    done = tracelens("import", "app.log")
    assert "1 joined" in done.stdout, done.stderr
    assert "must be a prefix" in done.stderr, "a folder outside the workspace"


def test_every_trace_of_a_zip_is_imported(shop: Path, tracelens: Run) -> None:
    path = module(shop)
    with zipfile.ZipFile(shop / "traces.zip", "w") as archive:
        archive.writestr("one.log", log(str(path)))
        archive.writestr("two.txt", "nothing of use")
    done = tracelens("import", "traces.zip")
    assert done.returncode == 2, "one of them is no trace"
    assert "traces.zip:one.log (traceback)" in done.stdout
    assert "two.txt" in done.stderr


def test_a_watched_folder_is_imported_as_files_appear(shop: Path, tmp_path: Path) -> None:
    path = module(shop)
    folder = tmp_path / "traces"
    folder.mkdir()
    out = tmp_path / "said.txt"
    with out.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tracelens.cli", "import", "--watch", str(folder)],
            cwd=shop,
            env={**os.environ, "TRACELENS_CONFIG": str(tmp_path / "config.toml")},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            for name in ("first.log", "second.log"):
                (folder / name).write_text(log(str(path)) + f"\n{name}\n")
                ends = time.monotonic() + 40
                while f"{name} (traceback)" not in out.read_text() and time.monotonic() < ends:
                    time.sleep(0.2)
                assert f"{name} (traceback)" in out.read_text()
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130


def test_a_repair_agents_result_is_noted_as_a_fix_once_and_never_applied(
    shop: Path, tracelens: Run, tmp_path: Path
) -> None:
    """The shape is that of the agent's own documentation: its repository holds no sample."""
    pricing = shop / "shop" / "pricing.py"
    before = pricing.read_text()
    result = {
        "task_id": "7d1",
        "status": "COMPLETED",
        "result": {
            "analysis": "A price of zero divides by zero; ann@example.com saw it.",
            "final_patch": {
                "filename": "/app/shop/pricing.py",
                "code": before.replace("    if saving / price >", "    if price and saving / price >"),
                "explanation": "Guard against a price of zero.\nMore words.",
            },
            "test_results": [{"attempt": 1, "success": False, "stdout": "E"}, {"attempt": 2, "success": True}],
        },
    }
    file = tmp_path / "result.json"
    file.write_text(json.dumps(result))
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps({**result, "result": {"analysis": "none"}}))
    done = tracelens("import", str(file), str(file), str(empty), "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 2 and "without a patch" in told["failed"][0]
    fix, again = told["fixes"]
    assert (fix["event"], again["event"]) == ("proposed", "known")
    assert fix["path"] == "shop/pricing.py" and "+    if price and saving / price >" in fix["diff"]
    assert fix["verdict"] == "not proved here; the agent's own tests: 1 of 2 attempts passed"
    assert "ann@example.com" not in fix["extra"]["analysis"]
    listed = tracelens("fixes").stdout.splitlines()
    assert len(listed) == 1 and "Guard against a price of zero.  (not proved here" in listed[0]
    assert pricing.read_text() == before
