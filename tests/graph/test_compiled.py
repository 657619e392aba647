"""The modules that a wheel holds compiled do what their sources say: they pass the same tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hatch_build

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(900)
def test_the_compiled_modules_pass_the_tests_of_their_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hatch_build.has_compiler():
        pytest.skip("no C compiler here: a wheel would hold the sources alone")
    monkeypatch.setenv("MYPYC_OPT_LEVEL", "0")  # what is tested is the meaning, not the speed
    try:
        assert hatch_build.compiled_into(tmp_path, ROOT)
    except subprocess.CalledProcessError as error:
        pytest.fail(error.output)

    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    where = "import tracelens_indexer.graph.flowing as module; print(module.__file__)"
    shown = subprocess.run([sys.executable, "-c", where], env=environment, capture_output=True, text=True, check=True)
    assert Path(shown.stdout.strip()).suffix in (".so", ".pyd")

    tests = [str(ROOT / "tests" / folder) for folder in ("graph", "source", "traces")]
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", f"--ignore={__file__}", *tests]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:]
