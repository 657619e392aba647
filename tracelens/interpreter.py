"""Which Python the user's programs run in: the project's own, never ours unless there is no other."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tracelens_indexer.errors import TraceLensError

_ENVIRONMENTS = (".venv", "venv", "env")


def project_python(root: Path, named: str = "") -> str:
    """Path of the project's interpreter.

    In this order: the one that is named (option or the user's setting), the active virtual environment, the
    workspace's own, `python3` on PATH. TraceLens's own environment is passed over: the project's packages are not
    in it.
    """
    if named:
        found = shutil.which(named)
        if not found:
            raise TraceLensError(f"{named}: no such Python interpreter")
        return found
    candidates: list[Path] = []
    active = os.environ.get("VIRTUAL_ENV")
    if active:
        candidates.append(_python_in(Path(active)))
    for folder in (root, *root.parents):
        candidates += [_python_in(folder / name) for name in _ENVIRONMENTS]
        if (folder / ".git").exists() or (folder / "pyproject.toml").exists():
            break
    for candidate in candidates:
        if os.access(candidate, os.X_OK) and not _is_ours(candidate):
            return str(candidate)
    for folder_name in os.environ.get("PATH", "").split(os.pathsep):
        for name in ("python3", "python"):
            candidate = Path(folder_name) / name
            if folder_name and os.access(candidate, os.X_OK) and not _is_ours(candidate):
                return str(candidate)
    return sys.executable


def environment_for(python: str) -> dict[str, str]:
    """Our environment with the interpreter's folder first on PATH, as if its environment were active."""
    environment = dict(os.environ)
    folder = Path(python).parent
    environment["PATH"] = os.pathsep.join([str(folder), environment.get("PATH", "")])
    if (folder.parent / "pyvenv.cfg").exists():
        environment["VIRTUAL_ENV"] = str(folder.parent)
    elif environment.get("VIRTUAL_ENV") and _is_ours(_python_in(Path(environment["VIRTUAL_ENV"]))):
        del environment["VIRTUAL_ENV"]
    return environment


def _python_in(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _is_ours(python: Path) -> bool:
    """Whether an interpreter is that of the environment TraceLens is installed in."""
    return sys.prefix != sys.base_prefix and python.parent.parent.resolve() == Path(sys.prefix).resolve()
