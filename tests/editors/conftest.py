"""A recorded shop for the editors to open, a folder where nothing was recorded, and the built VS Code extension."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "editors" / "vscode"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Stage:
    """The folders of one telling of the story, and the environment that programs are started with."""

    shop: Path
    bare: Path
    environment: dict[str, str]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    shop, bare = tmp_path / "shop", tmp_path / "bare"
    ignored = shutil.ignore_patterns("__pycache__", ".tracelens", ".pytest_cache", ".venv")
    shutil.copytree(ROOT / "examples" / "shop", shop, ignore=ignored)
    bare.mkdir()
    (bare / "alone.py").write_text("def alone():\n    return 1\n")
    record = f"cd '{shop}' && '{sys.executable}' -P -m tracelens.cli record -- pytest -q -p no:cacheprovider"
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "TRACELENS_CONFIG": str(tmp_path / "config.toml"),
        "SHOP": str(shop),
        "BARE": str(bare),
        "RECORD": record,
        "HOME": str(tmp_path / "home"),
    }
    (tmp_path / "home").mkdir()
    done = subprocess.run(["sh", "-c", record], env=environment, capture_output=True, text=True, check=False)
    assert "Recorded " in done.stderr + done.stdout, f"{done.stdout}\n{done.stderr}"
    return Stage(shop, bare, environment)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the extension with its dependencies installed and its package made; the working tree is left alone."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: the extension cannot be built")
    copy = tmp_path_factory.mktemp("extension") / "vscode"
    shutil.copytree(EXTENSION, copy, ignore=shutil.ignore_patterns("node_modules", "dist", "build", "*.vsix"))
    for command in (["npm", "ci"], ["npm", "run", "package"]):
        npm(copy, *command)
    return copy


def npm(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
