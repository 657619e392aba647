"""Which files are source, with git and without, and what their modules are called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tracelens_indexer import workspace
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.workspace import discover, module_names, module_names_of


def write(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x = 1\n")


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def found(root: Path) -> list[str]:
    return [file.path for file in discover(root)]


NOT_SOURCE = [
    ".venv/lib/a.py", "env/lib/a.py", "node_modules/n/a.py", ".tox/a.py", ".nox/a.py", ".tracelens/a.py",
    "pkg/__pycache__/a.py", "x.egg-info/a.py", "py/lib/python3/site-packages/a.py",
]  # fmt: skip


@pytest.mark.parametrize("with_git", [True, False])
def test_environments_caches_and_ignored_files_are_not_source(tmp_path: Path, with_git: bool) -> None:
    write(
        tmp_path, "main.py", "pkg/__init__.py", "pkg/a.py", "pkg/gen/b.py", "pkg/gen/keep.py", "tool.pyw", *NOT_SOURCE
    )
    write(tmp_path, "stub.pyi", "notes.txt", "pkg/c.pyc", "out/d.py", "e f/é.py")
    (tmp_path / "env" / "pyvenv.cfg").write_text("home = /usr\n")
    (tmp_path / ".gitignore").write_text("/out/\n*.log\n[bad\n")
    (tmp_path / "pkg" / ".gitignore").write_text("gen/*\n!gen/keep.py\n")
    if with_git:
        git(tmp_path, "init")
    discovery = discover(tmp_path)
    assert discovery.from_git is with_git
    assert [file.path for file in discovery.files] == [
        "e f/é.py", "main.py", "pkg/__init__.py", "pkg/a.py", "pkg/gen/keep.py", "tool.pyw",
    ]  # fmt: skip


def test_a_folder_of_a_repository_is_a_workspace(tmp_path: Path) -> None:
    write(tmp_path, "other/a.py", "part/src/b.py", "part/ignored.py")
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "all")
    (tmp_path / "part" / "src" / "c.py").write_text("")
    assert found(tmp_path / "part") == ["src/b.py", "src/c.py"]


def test_a_folder_that_a_repository_ignores_is_walked(tmp_path: Path) -> None:
    write(tmp_path, "scratch/a.py")
    (tmp_path / ".gitignore").write_text("scratch/\n")
    git(tmp_path, "init")
    assert found(tmp_path / "scratch") == ["a.py"]


def test_a_file_that_git_still_lists_but_is_gone_is_not_found(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.py")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    (tmp_path / "b.py").unlink()
    discovery = discover(tmp_path)
    assert [file.path for file in discovery.files] == ["a.py"]
    assert discovery.left_out == ()


def test_what_is_left_out_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "MAX_BYTES", 10)
    outside = tmp_path / "outside.py"
    outside.write_text("")
    root = tmp_path / "root"
    write(root, "a.py")
    (root / "big.py").write_text("x = 1\n" * 10)
    (root / "out.py").symlink_to(outside)
    (root / "same.py").symlink_to(root / "a.py")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "circle.py").symlink_to(root / "circle.py")
    (root / "gone.py").symlink_to(root / "nothing.py")
    os.mkfifo(root / "pipe.py")
    discovery = discover(root)
    assert [file.path for file in discovery.files] == ["a.py"]
    reasons = {one.path: one.reason for one in discovery.left_out}
    assert set(reasons) == {"big.py", "out.py", "same.py", "circle.py", "gone.py", "pipe.py"}
    assert reasons["big.py"].startswith("larger than")
    assert reasons["out.py"] == "a link out of the workspace"
    assert reasons["gone.py"] == "a broken link"
    assert reasons["pipe.py"] == "not a regular file"


def test_a_workspace_must_be_a_folder(tmp_path: Path) -> None:
    write(tmp_path, "a.py")
    with pytest.raises(TraceLensError, match=r"a\.py is a file"):
        discover(tmp_path / "a.py")
    with pytest.raises(TraceLensError, match="does not exist"):
        discover(tmp_path / "nothing")
    assert found(tmp_path) == ["a.py"]


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("main.py", "main"),
        ("scripts/run.py", "scripts.run"),
        ("pkg/__init__.py", "pkg"),
        ("pkg/sub/__init__.py", "pkg.sub"),
        ("pkg/sub/a.py", "pkg.sub.a"),
        ("src/dist/__init__.py", "dist"),
        ("src/dist/a.py", "dist.a"),
        ("src/space/b.py", "space.b"),
        ("libs/one/python/deep/__init__.py", "deep"),
        ("libs/one/python/deep/a.py", "deep.a"),
        ("a/tests/__init__.py", "tests"),
        ("b/tests/__init__.py", "tests"),
        ("setup.py", "setup"),
    ],
)
def test_modules_are_named_without_configuration(path: str, module: str) -> None:
    paths = [
        "main.py", "scripts/run.py", "pkg/__init__.py", "pkg/sub/__init__.py", "pkg/sub/a.py", "src/dist/__init__.py",
        "src/dist/a.py", "src/space/b.py", "libs/one/python/deep/__init__.py", "libs/one/python/deep/a.py",
        "a/tests/__init__.py", "b/tests/__init__.py", "setup.py",
    ]  # fmt: skip
    assert module_names_of(paths)[path] == module


def test_a_file_has_several_names() -> None:
    assert module_names("tests/unit/test_x.py") == ("tests.unit.test_x", "unit.test_x", "test_x")
    assert module_names("src/pkg/a.py", packages=["src/pkg"]) == ("src.pkg.a", "pkg.a")
    assert module_names("pkg/__init__.py") == ("pkg",)
    assert module_names("a-b/c.py") == ("c",)
