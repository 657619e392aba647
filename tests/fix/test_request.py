"""A fix as a pull or merge request, or as files where there is none to be had."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tracelens.fix import ledger
from tracelens.fix.branch import make_branch
from tracelens.fix.patch import Edit, Source, make_patch
from tracelens.fix.request import make_request, text_of


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "T")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "t@example.com")
    root = tmp_path / "work"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    (root / "a.py").write_text("x = 1\n")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


def branched(root: Path) -> tuple[str, str, ledger.Entry]:
    patch = make_patch(Source.read(root, "a.py"), [Edit(4, 5, "2")])
    entry = ledger.proposed("f:1", "template", "say 2", "fixed", patch, tried=1, seconds=0.1, evidence=("f:1", "c:2"))
    text = text_of(entry, "say 2", "failing 1/1 fixed", "arithmetic", "bubblewrap")
    name = f"tracelens/fix-{entry.id[2:]}"
    return name, make_branch(root, patch, name, text.commit), entry


def test_without_a_remote_there_are_a_patch_and_its_text(repository: Path) -> None:
    (repository / "a.py").write_text("x = 1\n")
    (repository / "dirty.txt").write_text("mine")
    name, commit, entry = branched(repository)
    text = text_of(entry, "say 2", "failing 1/1 fixed", "arithmetic", "bubblewrap")
    made = make_request(repository, name, commit, text)
    assert not made.url and made.why == "the repository has no remote"
    patch, told = made.files
    assert "Evidence: f:1, c:2" in told.read_text() and "Kind of failure: arithmetic." in told.read_text()
    assert (repository / "a.py").read_text() == "x = 1\n" and (repository / "dirty.txt").read_text() == "mine"
    git(repository, "am", "-q", str(patch))
    assert (repository / "a.py").read_text() == "x = 2\n"
    assert "Evidence: f:1, c:2" in git(repository, "log", "-1", "--format=%B")


@pytest.mark.parametrize(("tool", "host"), [("gh", "github.com"), ("glab", "gitlab.com")])
def test_the_branch_is_pushed_and_its_merge_asked_for(
    tool: str, host: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = tmp_path / host / "shop.git"
    remote.mkdir(parents=True)
    git(remote, "init", "-q", "--bare")
    git(repository, "remote", "add", "origin", str(remote))
    tools = tmp_path / "bin"
    tools.mkdir()
    script = tools / tool
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/asked\necho https://{host}/shop/pull/7\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    name, commit, entry = branched(repository)
    made = make_request(repository, name, commit, text_of(entry, "say 2", "", "", ""))
    assert made.url == f"https://{host}/shop/pull/7" and not made.files
    assert git(remote, "rev-parse", f"refs/heads/{name}") == commit
    asked = (tmp_path / "asked").read_text()
    assert name in asked and "Fix: say 2" in asked

    script.write_text("#!/bin/sh\necho not logged in >&2\nexit 1\n")
    failed = make_request(repository, name, commit, text_of(entry, "say 2", "", "", ""))
    assert not failed.url and "not logged in" in failed.why and len(failed.files) == 2
