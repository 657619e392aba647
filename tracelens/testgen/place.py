"""Which test file more tests of a unit belong to, and how they get there: appended or made, never overwritten."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tracelens.fix import patch as patches
from tracelens.fix.patch import Patch, PatchRefused, inside
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.answers import CaptureRecord, UnitRecord
from tracelens_indexer.workspace import is_test

_LARGEST = 512 * 1024


def existing_file(root: Path, unit: UnitRecord, captures: Sequence[CaptureRecord]) -> str:
    """The file whose tests made the recorded calls, if it imports the unit's module; "" when there is none."""
    ran = Counter(one.test.partition("::")[0] for one in captures if one.test)
    for path, _ in ran.most_common():
        if is_test(path) and _imports(root, path, unit.module):
            return path
    return ""


def new_file(root: Path, unit: UnitRecord) -> str:
    """Where a file of its own goes: the nearest folder of tests, else tests/ in the workspace."""
    module = unit.module.rpartition(".")[2]
    name = f"test_{re.sub(r'[^0-9a-zA-Z_]', '_', module)}_recorded.py"
    folder = Path(unit.path).parent
    for above in (folder, *folder.parents):
        for tests in ("tests", "test"):
            if (root / above / tests).is_dir():
                return (above / tests / name).as_posix()
    return f"tests/{name}"


def _imports(root: Path, path: str, module: str) -> bool:
    try:
        file = inside(root, path)
        if file.stat().st_size > _LARGEST:
            return False
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError, TraceLensError):
        return False
    packages = {module, module.partition(".")[0]}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "") in packages | {module.rpartition(".")[0]}:
            return True
        if isinstance(node, ast.Import) and any(alias.name in packages for alias in node.names):
            return True
    return False


def write(root: Path, path: str, text: str, made_for: str, diff: str) -> Path:
    """Append to the file that the text was made for, or make a new one. Raises PatchRefused, and changes nothing."""
    if made_for:
        return patches.apply(root, Patch(path, made_for, text.encode(), diff))
    file = inside(root, path)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
    except FileExistsError:
        raise PatchRefused(f"{path} is there already; nothing was written") from None
    except OSError as error:
        raise PatchRefused(f"{path}: {error.strerror}; nothing was written") from None
    return file
