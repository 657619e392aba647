"""The ledger: what was done is written down, and can be taken back; a branch leaves the working tree alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tracelens.fix import ledger
from tracelens.fix.branch import make_branch
from tracelens.fix.patch import Edit, Patch, PatchRefused, Source, make_patch
from tracelens_indexer.errors import TraceLensError


def a_patch(root: Path, content: bytes = b"x = 1\r\ny = 'caf\xc3\xa9'\r\n") -> Patch:
    (root / "m.py").write_bytes(content)
    source = Source.read(root, "m.py")
    at = source.text.index("1")
    return make_patch(source, [Edit(at, at + 1, "23")])


def test_an_applied_fix_is_taken_back_to_the_byte(tmp_path: Path) -> None:
    patch = a_patch(tmp_path)
    before = (tmp_path / "m.py").read_bytes()
    entry = ledger.proposed("f:1", "template", "x is 23", "fixed", patch, tried=3, evidence=["c:1"])
    ledger.apply_and_note(tmp_path, patch, entry)
    assert (tmp_path / "m.py").read_bytes() == patch.content != before
    assert ledger.undo(tmp_path).id == entry.id
    assert (tmp_path / "m.py").read_bytes() == before
    assert [one.event for one in ledger.read(tmp_path)] == ["proposed", "applied", "undone"]
    with pytest.raises(TraceLensError, match="no fix is applied"):
        ledger.undo(tmp_path)


def test_a_file_that_changed_since_is_not_taken_back(tmp_path: Path) -> None:
    patch = a_patch(tmp_path)
    ledger.apply_and_note(tmp_path, patch, ledger.proposed("f:1", "search", "t", "fixed", patch))
    changed = patch.content + b"z = 3\r\n"
    (tmp_path / "m.py").write_bytes(changed)
    with pytest.raises(PatchRefused, match="has changed since"):
        ledger.undo(tmp_path)
    assert (tmp_path / "m.py").read_bytes() == changed


def test_lines_that_are_not_ours_are_left_out(tmp_path: Path) -> None:
    patch = a_patch(tmp_path)
    ledger.write(tmp_path, ledger.proposed("f:1", "llm", "t", "fixed", patch, prompt="ab12"))
    file = tmp_path / ".tracelens" / "fixes.jsonl"
    assert file.stat().st_mode & 0o077 == 0
    with file.open("a") as stream:
        stream.write('not json\n{"id": 3}\n[]\n{"id": "x", "event": "applied", "path": 1}\n')
    assert [one.prompt for one in ledger.read(tmp_path)] == ["ab12"]


def git(root: Path, *arguments: str) -> str:
    options = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    return subprocess.run(
        ["git", *options, "-C", str(root), *arguments], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "t")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "t@example.org")
    git(tmp_path, "init", "-q")
    (tmp_path / "other.py").write_text("a = 1\n")
    a_patch(tmp_path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_branch_leaves_a_dirty_working_tree_as_it_is(repository: Path) -> None:
    (repository / "other.py").write_text("a = 2\n")
    (repository / "new.py").write_text("b = 1\n")
    git(repository, "add", "new.py")
    before = git(repository, "status", "--porcelain")
    patch = a_patch(repository)
    make_branch(repository, patch, "tracelens/fix-1", "Fix: x\n\nf:1\n")
    assert git(repository, "status", "--porcelain") == before
    assert git(repository, "diff", "--name-only", "HEAD", "tracelens/fix-1").split() == ["m.py"]
    assert "x = 23" in git(repository, "show", "tracelens/fix-1:m.py")
    assert "Fix: x" in git(repository, "log", "-1", "--format=%s", "tracelens/fix-1")
    with pytest.raises(PatchRefused, match="there is a branch"):
        make_branch(repository, patch, "tracelens/fix-1", "again")


def test_a_file_with_changes_of_its_own_gets_no_branch(repository: Path) -> None:
    patch = a_patch(repository, b"x = 1\ny = 3\n")
    with pytest.raises(PatchRefused, match="not committed"):
        make_branch(repository, patch, "tracelens/fix-1", "m")
