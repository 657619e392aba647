"""TRACELENS=1, through a hook in an environment of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.recorder.conftest import Recorded
from tracelens.cli.main import cli
from tracelens_indexer.traces.records import Call

CLI = {"standalone_mode": False}


@pytest.fixture
def environment_python(python: str, tmp_path: Path) -> str:
    """The interpreter of an empty virtual environment."""
    subprocess.run([python, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    return str(tmp_path / "venv/bin/python")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[tool.tracelens.record]\nexact = true\n")
    (folder / "child.py").write_text("def child(n): return n\nchild(1)\n")
    (folder / "program.py").write_text(
        "import subprocess, sys, multiprocessing\n"
        "def parent(n): return n\n"
        "def spawned(n): return n\n"
        "if __name__ == '__main__':\n"
        "    parent(1)\n"
        "    subprocess.run([sys.executable, 'child.py'], check=True)\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        pool.map(spawned, [1, 2]); pool.close(); pool.join()\n"
    )
    return folder


def run(python: str, project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("TRACELENS", "PYTEST", "PYTHONPATH"))}
    environ.update(variables)
    return subprocess.run([python, *arguments], cwd=project, env=environ, capture_output=True, text=True, timeout=60)


def hook(what: str, python: str, project: Path) -> None:
    cli.main(["hook", what, "--python", python, "--root", str(project)], **CLI)


def test_any_python_under_the_variable_is_recorded_and_only_then(
    environment_python: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hook("status", environment_python, project)
    assert "there is no hook" in capsys.readouterr().out
    hook("install", environment_python, project)
    hook("status", environment_python, project)
    assert "off until TRACELENS=1" in capsys.readouterr().out

    assert run(environment_python, project, "program.py").returncode == 0
    assert run(environment_python, project, "program.py", TRACELENS="0").returncode == 0
    assert not (project / ".tracelens").exists()

    process = run(environment_python, project, "program.py", TRACELENS="1")
    assert (process.returncode, process.stderr) == (0, "")
    recorded = Recorded(process, sorted(project.glob(".tracelens/incoming/*/*.tlrec")))
    assert len({file.parent for file in recorded.files}) == 1, "children are of the same run"
    names = {one.frame.name for one in recorded.records() if isinstance(one, Call)}
    assert names == {"parent", "child", "spawned"}

    hook("remove", environment_python, project)
    assert "removed" in capsys.readouterr().out
    hook("remove", environment_python, project)
    assert "there is no hook" in capsys.readouterr().out
    before = len(recorded.files)
    run(environment_python, project, "program.py", TRACELENS="1")
    assert len(list(project.glob(".tracelens/incoming/*/*.tlrec"))) == before


def test_nothing_is_imported_from_the_working_directory(environment_python: str, project: Path) -> None:
    hook("install", environment_python, project)
    shadow = "import os; open('was_imported_' + __name__, 'w').close()\n"
    for name in ("json", "zlib", "struct", "types", "tomllib", "re", "tracelens_recorder", "typing", "base64", "hook"):
        (project / f"{name}.py").write_text(shadow)
    process = run(environment_python, project, "-c", "pass", TRACELENS="1", PYTHONPATH=".")
    assert (process.returncode, process.stderr) == (0, "")
    assert not list(project.glob("was_imported_*"))


def test_a_hook_whose_recorder_is_gone_does_no_harm(environment_python: str, project: Path) -> None:
    hook("install", environment_python, project)
    (file,) = Path(environment_python).parents[1].glob("lib/python*/site-packages/tracelens_hook.pth")
    file.write_text(file.read_text().replace("hook_start.py", "gone.py"))
    process = run(environment_python, project, "program.py", TRACELENS="1")
    assert (process.returncode, process.stderr) == (0, "")
