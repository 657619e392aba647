"""Which files of a workspace are Python source, and what their modules are called. No configuration needed.

Git decides what is ignored where there is a work tree; elsewhere `.gitignore` files are read here. Environments,
caches and build output are never source, whatever git says.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from tracelens_indexer.errors import TraceLensError

MAX_BYTES = 5_000_000
"""Larger files are generated: they are left out, and said to be."""

SUFFIXES = (".py", ".pyw")

SKIPPED_FOLDERS = frozenset(
    (
        ".git", ".hg", ".svn", ".tracelens", ".venv", ".tox", ".nox", ".eggs", ".mypy_cache", ".ruff_cache",
        ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", "__pycache__", "__pypackages__", "node_modules",
        "site-packages", "dist-packages",
    )
)  # fmt: skip

ENVIRONMENT_MARK = "pyvenv.cfg"
"""A folder that holds this file is a virtual environment, whatever its name."""

_COLLECTED = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")
_OF_TESTS = re.compile(r"(^|/)(tests?|testing)/|(^|/)conftest\.py$")

SOURCE_FOLDERS = ("src", "lib")
"""Folders at the workspace root that hold packages without being one."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    path: str
    """Relative to the workspace root, with /."""
    module: str
    """The dotted name by which other code imports it; a script's is its path."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    path: str
    reason: str
    """"larger than 5 MB", "not readable", "outside the workspace"."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """The source files of a workspace, by path, and what was not taken."""

    files: tuple[SourceFile, ...]
    left_out: tuple[LeftOut, ...]
    from_git: bool
    """Whether git said which files are ignored."""

    def __iter__(self) -> Iterator[SourceFile]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def discover(root: Path) -> Discovery:
    """Find the Python files under `root`. Raises TraceLensError when it is not a readable folder."""
    root = root.resolve()
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise TraceLensError(f"{root} {what}. Name the folder of a project.")
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise TraceLensError(f"{root} cannot be read: {error.strerror}.") from error
    left_out: list[LeftOut] = []
    listed = _from_git(root)
    found = _walk(root, left_out) if listed is None else _without_skipped(root, listed)
    kept: list[str] = []
    for path in sorted(set(found)):
        reason = _refusal(root, path)
        if reason is None:
            kept.append(path)
        elif reason:
            left_out.append(LeftOut(path, reason))
    left_out.sort(key=lambda one: one.path)
    files = tuple(SourceFile(path, module) for path, module in module_names_of(kept).items())
    return Discovery(files, tuple(left_out), listed is not None)


def is_collected(path: str) -> bool:
    """Whether pytest looks for tests in a file, unless it is told otherwise."""
    return bool(_COLLECTED.search(path))


def is_test(path: str) -> bool:
    """Whether a file belongs to a project's tests, by where it lies and what it is called."""
    return is_collected(path) or bool(_OF_TESTS.search(path))


def module_names_of(paths: Iterable[str]) -> dict[str, str]:
    """The module name of each path of a workspace.

    A file in a package is named from the outermost folder that has an `__init__.py`, wherever that lies. Another file
    is named by its path, without a `src` or `lib` in front where that is no package itself.
    """
    paths = list(paths)
    packages = {path.rpartition("/")[0] for path in paths if path.rpartition("/")[2] in ("__init__.py", "__init__.pyw")}
    return {path: _module_name(path, packages) for path in paths}


def module_names(path: str, packages: Iterable[str] = ()) -> tuple[str, ...]:
    """Every dotted name by which code could import the file at `path`, the longest first.

    Which one works depends on `sys.path`: "tests.unit.test_x" from the root, "test_x" beside it. Names that would
    cut through one of `packages` (folders with an `__init__.py`) are not among them.
    """
    folders = path.split("/")
    leaf = folders.pop().rpartition(".")[0]
    inside = set(packages)
    names: list[str] = []
    for start in range(len(folders) + 1):
        if start and "/".join(folders[:start]) in inside:
            break
        parts = folders[start:] if leaf == "__init__" else [*folders[start:], leaf]
        if parts and all(part.isidentifier() for part in parts):
            names.append(".".join(parts))
    return tuple(names)


def _module_name(path: str, packages: set[str]) -> str:
    folder, _, name = path.rpartition("/")
    leaf = name.rpartition(".")[0]
    parts = [] if leaf == "__init__" else [leaf]
    if folder in packages:
        while folder in packages and folder:
            folder, _, name = folder.rpartition("/")
            parts.insert(0, name)
        if parts:
            return ".".join(parts)
        return "__init__"  # the workspace root is itself a package: its name is not ours to know
    folders = folder.split("/") if folder else []
    if len(folders) >= 1 and folders[0] in SOURCE_FOLDERS:
        folders = folders[1:]
    return ".".join([*folders, *parts]) or leaf


def _from_git(root: Path) -> list[str] | None:
    """Tracked and untracked files that git does not ignore; None where there is no work tree or no git."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        # A repository's own configuration must not start programs of its choosing (core.fsmonitor).
        command[1:1] = ["-c", "core.fsmonitor=false"]
        done = subprocess.run(command, capture_output=True, check=False, env=environment, timeout=120)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    names = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
    if not names and _is_ignored(root, environment):
        return None
    return [name for name in names if name.endswith(SUFFIXES)]


def _is_ignored(root: Path, environment: dict[str, str]) -> bool:
    """Whether the folder itself is ignored by a repository around it: then git has nothing to say about it."""
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(root), "check-ignore", "-q", "."]
    try:
        return subprocess.run(command, capture_output=True, check=False, env=environment, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _without_skipped(root: Path, paths: list[str]) -> Iterator[str]:
    known: dict[str, bool] = {"": False}

    def skipped(folder: str) -> bool:
        answer = known.get(folder)
        if answer is None:
            parent, _, name = folder.rpartition("/")
            answer = known[folder] = skipped(parent) or _is_skipped(root / folder, name)
        return answer

    return (path for path in paths if not skipped(path.rpartition("/")[0]))


def _is_skipped(folder: Path, name: str) -> bool:
    return name in SKIPPED_FOLDERS or name.endswith((".egg-info", ".dist-info")) or (folder / ENVIRONMENT_MARK).exists()


def _walk(root: Path, left_out: list[LeftOut]) -> Iterator[str]:
    """Files below `root`, honouring `.gitignore` files. Links to folders are not followed: none can loop."""
    stack: list[tuple[str, tuple[tuple[str, GitIgnoreSpec], ...]]] = [("", ())]
    while stack:
        folder, rules = stack.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            left_out.append(LeftOut(folder, f"not readable: {error.strerror}"))
            continue
        names = {entry.name for entry in entries}
        if ".gitignore" in names:
            rules = (*rules, (folder, _read_ignores(root / folder / ".gitignore")))
        if not folder:
            # Git would know these as ignored in most projects; without git, they are told by what lies beside them.
            rules = (*rules, ("", GitIgnoreSpec.from_lines(["/build/", "/dist/"]))) if _has_project(names) else rules
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                is_folder = False
            if is_folder:
                if not _is_skipped(root / path, entry.name) and not _ignored(path + "/", rules):
                    stack.append((path, rules))
            elif entry.name.endswith(SUFFIXES) and not _ignored(path, rules):
                yield path


def _has_project(names: set[str]) -> bool:
    return not names.isdisjoint(("pyproject.toml", "setup.py", "setup.cfg"))


def _read_ignores(path: Path) -> GitIgnoreSpec:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()[:10_000]
    except OSError:
        lines = []
    kept = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue  # git ignores a pattern that it cannot read, and so do we
        kept.append(line)
    return GitIgnoreSpec.from_lines(kept)


def _ignored(path: str, rules: tuple[tuple[str, GitIgnoreSpec], ...]) -> bool:
    """The innermost `.gitignore` that says anything about a path decides."""
    for folder, spec in reversed(rules):
        relative = path[len(folder) + 1 :] if folder else path
        verdict = spec.check_file(relative).include
        if verdict is not None:
            return verdict
    return False


def _refusal(root: Path, path: str) -> str | None:
    """Why a listed file is not taken; "" when it is not there any more; None when it is taken."""
    full = root / path
    try:
        if full.is_symlink():
            target = full.resolve(strict=True)
            if not target.is_relative_to(root):
                return "a link out of the workspace"
            # What it points to is found by its own path.
            return "a link to another file of the workspace"
        state = full.stat()
    except FileNotFoundError:
        return "a broken link" if full.is_symlink() else ""
    except (OSError, RuntimeError, ValueError) as error:
        return f"not readable: {getattr(error, 'strerror', None) or error}"
    if not os.path.isfile(full):  # noqa: PTH113 - pathlib would stat once more and raise on odd names
        return "not a regular file"
    if state.st_size > MAX_BYTES:
        return f"larger than {MAX_BYTES // 1_000_000} MB"
    if not os.access(full, os.R_OK):
        return "not readable: Permission denied"
    if not _is_text(path):
        return "its name is not valid UTF-8"
    return None


def _is_text(path: str) -> bool:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
