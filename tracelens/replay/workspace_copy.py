"""The copy of the workspace that replays run in: its Python files and the data beside them, within bounds."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

_MOST_FILES = 20_000
_MOST_BYTES = 96 * 1024**2
_LARGEST = {".py": 8 * 1024**2, ".pyi": 1024**2, ".so": 32 * 1024**2, ".pyd": 32 * 1024**2}
_LARGEST_OTHER = 1024**2
_SKIPPED_FOLDERS = frozenset(
    ["__pycache__", "node_modules", "site-packages", "dist-packages", "__pypackages__", "htmlcov"]
)
_SKIPPED_ENDINGS = frozenset([".pyc", ".pyo", ".pem", ".key", ".p12", ".pfx", ".log", ".whl", ".zip", ".gz", ".bin"])


@dataclass(frozen=True, slots=True)
class TooLarge(Exception):
    """The workspace cannot be copied within bounds; says why."""

    reason: str

    def __str__(self) -> str:
        return self.reason


def copy_workspace(workspace: Path, target: Path) -> int:
    """Copy what a replay may need into `target`, which is made. Returns the number of files. Raises TooLarge.

    Left out: hidden files and folders (.git, .venv, .env, .tracelens), virtual environments, keys, archives, large
    data, and links that lead out of the workspace.
    """
    root = workspace.resolve()
    target.mkdir()
    files = size = 0
    for place, folders, names in os.walk(root):
        here = Path(place)
        folders[:] = [name for name in folders if _wanted_folder(here / name)]
        there = target / here.relative_to(root)
        for name in names:
            source = here / name
            weight = _weight(source, root)
            if weight is None:
                continue
            files += 1
            size += weight
            if files > _MOST_FILES or size > _MOST_BYTES:
                raise TooLarge(
                    f"the workspace has more than {_MOST_FILES:,} files or {_MOST_BYTES >> 20} MiB of code"
                    " and data to copy into the sandbox"
                )
            there.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, there / name)
    return files


def _wanted_folder(folder: Path) -> bool:
    return (
        not folder.name.startswith(".")
        and folder.name not in _SKIPPED_FOLDERS
        and not folder.is_symlink()
        and not (folder / "pyvenv.cfg").exists()
    )


def _weight(file: Path, root: Path) -> int | None:
    """Its size in bytes; None when it stays behind."""
    if file.name.startswith(".") or file.suffix in _SKIPPED_ENDINGS or file.name.startswith("id_"):
        return None
    try:
        if file.is_symlink() and root not in file.resolve().parents:
            return None
        if not file.is_file():
            return None
        size = file.stat().st_size
        if size > _LARGEST.get(file.suffix, _LARGEST_OTHER) or not os.access(file, os.R_OK):
            return None
    except OSError:
        return None
    return size
