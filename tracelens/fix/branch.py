"""A fix as a commit on a branch of its own, made without touching the working tree or the index of the user."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from tracelens.fix.patch import Patch, PatchRefused, content_hash
from tracelens_indexer.errors import TraceLensError


def make_branch(root: Path, patch: Patch, name: str, message: str) -> str:
    """Commit a patch on top of HEAD as the new branch `name`. Returns the commit's id.

    Raises PatchRefused when the file at HEAD is not what the patch was made for (it has changes that are not
    committed), TraceLensError when git refuses.
    """
    top = Path(_git(root, "rev-parse", "--show-toplevel").strip())
    path = (root / patch.path).resolve().relative_to(top.resolve()).as_posix()
    line = _git(root, "ls-tree", "HEAD", "--full-tree", "--", path)
    if not line:
        raise PatchRefused(f"{patch.path} is not committed: nothing was made")
    mode = line.split()[0]
    if content_hash(_bytes(root, "cat-file", "blob", f"HEAD:{path}")) != patch.made_for:
        raise PatchRefused(f"{patch.path} has changes that are not committed: commit them, or use --apply")
    if _succeeds(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{name}"):
        raise PatchRefused(f"there is a branch {name} already: nothing was made")
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        blob = _bytes(root, "hash-object", "-w", "--stdin", "--no-filters", given=patch.content).decode().strip()
        _git(root, "read-tree", "HEAD", environment=index)
        _git(root, "update-index", "--cacheinfo", f"{mode},{blob},{path}", environment=index)
        tree = _git(root, "write-tree", environment=index).strip()
    commit = _bytes(root, "commit-tree", tree, "-p", "HEAD", "-F", "-", given=message.encode()).decode().strip()
    _git(root, "update-ref", f"refs/heads/{name}", commit, "0" * len(commit))
    return commit


def _git(root: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    return _bytes(root, *arguments, environment=environment).decode(errors="replace")


def _bytes(root: Path, *arguments: str, given: bytes | None = None, environment: dict[str, str] | None = None) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-c", "commit.gpgsign=false", "-C", str(root), *arguments],
            input=given,
            capture_output=True,
            timeout=60,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TraceLensError(f"git cannot be run: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise TraceLensError(f"git {arguments[0]}: {said[-1] if said else 'it failed'}")
    return done.stdout


def _succeeds(root: Path, *arguments: str) -> bool:
    try:
        _git(root, *arguments)
    except TraceLensError:
        return False
    return True
