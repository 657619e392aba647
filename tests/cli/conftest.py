"""A copy of the shop with an index, and the command line to ask it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SHOP = Path(__file__).parents[2] / "examples" / "shop"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns("__pycache__", ".tracelens", ".pytest_cache", ".venv"))
    return root


@pytest.fixture
def tracelens(shop: Path, tmp_path: Path) -> Run:
    """Run the command in the shop (or in `cwd`), with a configuration of the test's own."""

    def run(
        *arguments: str, cwd: Path = shop, stdin: str | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TRACELENS_CONFIG": str(tmp_path / "config.toml"), **environ}
        environment.pop("VIRTUAL_ENV", None)
        return subprocess.run(
            [sys.executable, "-m", "tracelens.cli", *arguments],
            cwd=cwd,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def recorded_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop after its tests were recorded (one of them fails). Shared: a test that changes it works on a copy."""
    root = tmp_path_factory.mktemp("recorded") / "shop"
    shutil.copytree(SHOP, root, ignore=shutil.ignore_patterns("__pycache__", ".tracelens", ".pytest_cache", ".venv"))
    environment = {**os.environ, "TRACELENS_CONFIG": str(root.parent / "config.toml")}
    program = [sys.executable, "-m", "tracelens.cli"]
    pytest_ = ["--python", sys.executable, "--", "pytest", "-q", "-p", "no:cacheprovider"]
    for arguments, code in ((["index"], 0), (["record", *pytest_], 1)):
        done = subprocess.run(
            [*program, *arguments], cwd=root, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
    return root
