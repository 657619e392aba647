"""Tests of the workspace, and examples in docstrings, that may run through a failing unit though no recording saw it.

They are found by what their text names; whether they run through the unit is seen when they run (`related_tests.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tracelens_indexer.store.answers import UnitRecord
from tracelens_indexer.workspace import discover, is_collected

_MOST_FILES = 3
_MOST_READ = 600
_MOST_BYTES = 1 << 20


def arguments(root: Path, units: Sequence[UnitRecord]) -> tuple[str, ...]:
    """For pytest: the test files that name these units most, and their own modules where those hold examples.

    units: the one that failed, then those that called it. () when there is nothing to run.
    """
    found = _test_files(root, units)
    documented = [
        path
        for path in dict.fromkeys(one.path for one in units)
        if not is_collected(path) and ">>> " in _text(root / path)
    ]
    return (*found, *(("--doctest-modules", *documented) if documented else ()))


def _test_files(root: Path, units: Sequence[UnitRecord]) -> list[str]:
    modules = {part for one in units for part in _modules(one)}
    imports = re.compile(rf"^\s*(?:import|from)\s+(?:{'|'.join(map(re.escape, sorted(modules)))})\b", re.MULTILINE)
    words = list(dict.fromkeys(part for one in units for part in one.scope.split(".")[-2:] if "<" not in part))
    stems = {PurePosixPath(one.path).stem.strip("_") for one in units}
    scored: list[tuple[float, str]] = []
    for path in _files(root):
        text = _text(root / path)
        if not modules or not imports.search(text):
            continue
        named = sum(bool(re.search(rf"\b{re.escape(word)}\b", text)) for word in words)
        stem = PurePosixPath(path).stem.removeprefix("test_").removesuffix("_test")
        scored.append((named + 3.0 * (stem in stems), path))
    return [path for _, path in sorted(scored, key=lambda one: (-one[0], one[1]))[:_MOST_FILES]]


def _modules(unit: UnitRecord) -> list[str]:
    """Names that a test may import a unit's module by: its own, and the package around it."""
    parts = [part for part in unit.module.split(".") if part]
    return [parts[0]] if parts and parts[0] != "__main__" else [PurePosixPath(unit.path).stem]


def _files(root: Path) -> list[str]:
    """Test files as pytest names them, those in the folders near the top first."""
    found = [one.path for one in discover(root) if is_collected(one.path)]
    return sorted(found, key=lambda path: (path.count("/"), path))[:_MOST_READ]


def _text(file: Path) -> str:
    try:
        if file.is_symlink() or file.stat().st_size > _MOST_BYTES:
            return ""
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""
