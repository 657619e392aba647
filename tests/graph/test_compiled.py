"""The modules that a wheel holds compiled do what their sources say: they pass the same tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(900)
def test_the_compiled_modules_pass_the_tests_of_their_sources(tmp_path: Path) -> None:
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "").split()
    if not compiler or shutil.which(compiler[0]) is None:
        pytest.skip("no C compiler here: a wheel would hold the sources alone")
    build = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pathlib, hatch_build\n"
    build += f"print(*hatch_build.compiled_into(pathlib.Path({str(tmp_path)!r}), pathlib.Path({str(ROOT)!r})))"
    environment = {**os.environ, "MYPYC_OPT_LEVEL": "0"}  # what is tested is the meaning, not the speed
    made = subprocess.run([sys.executable, "-c", build], env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr

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
