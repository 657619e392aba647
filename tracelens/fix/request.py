"""A fix as a pull or merge request: its text, and the way to it through `gh` or `glab`, else as files.

The text leaves the machine: it cites evidence by id and counts calls, and holds no recorded value.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tracelens.fix.ledger import Entry
from tracelens.fix.patch import PatchRefused
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.layout import FOLDER

_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Text:
    title: str
    body: str

    @property
    def commit(self) -> str:
        return f"{self.title}\n\n{self.body}"


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    """Of the pull or merge request; "" when there is none."""
    files: tuple[Path, ...]
    """The patch and its text, where no request could be made."""
    why: str
    """Why none could be made; "" when one was."""


def text_of(entry: Entry, title: str, matrix: str, cause: str, sandbox: str) -> Text:
    """matrix: "failing 3/3 fixed · passing 12/12 same". cause: its class; "" unknown."""
    told = [f"Repairs {entry.target} in `{entry.path}`."]
    if cause:
        told.append(f"Kind of failure: {cause}.")
    told += ["", f"Verdict: {entry.verdict}" + (f" ({matrix})" if matrix else "")]
    if sandbox:
        told.append(f"The recorded calls were made again with the patch in a sandbox ({sandbox}).")
    if entry.evidence:
        told.append(f"Evidence: {', '.join(entry.evidence[:10])}")
    told += [
        "",
        "That a call no longer raises does not prove that its new result is the one that is wanted: please read it.",
    ]
    return Text(f"Fix: {title}", "\n".join(told) + "\n")


def make_request(root: Path, branch: str, commit: str, text: Text) -> Request:
    """Push the branch and ask for its merge where `gh` or `glab` can, else write a patch file and the text."""
    remote, url = _remote(root)
    tool = _tool(url)
    why = ""
    if not remote:
        why = "the repository has no remote"
    elif not tool:
        why = "neither gh nor glab fits its remote and is on PATH"
    else:
        try:
            _run(root, "git", "push", "--quiet", remote, f"refs/heads/{branch}:refs/heads/{branch}")
            said = _run(root, *_command(tool, branch, text))
            found = re.findall(r"https?://\S+", said)
            return Request(found[-1] if found else said.strip().splitlines()[-1] if said.strip() else branch, (), "")
        except TraceLensError as error:
            why = str(error)
    return Request("", _files(root, branch, commit, text), why)


def _remote(root: Path) -> tuple[str, str]:
    """(name, address) of the remote that a branch goes to: origin, else the only one."""
    try:
        names = _run(root, "git", "remote").split()
    except TraceLensError:
        return "", ""
    name = "origin" if "origin" in names else names[0] if len(names) == 1 else ""
    return (name, _run(root, "git", "remote", "get-url", name).strip()) if name else ("", "")


def _tool(url: str) -> str:
    wanted = [one for one, host in (("gh", "github"), ("glab", "gitlab")) if host in url.lower()]
    return next((one for one in wanted if shutil.which(one)), "")


def _command(tool: str, branch: str, text: Text) -> list[str]:
    if tool == "gh":
        return ["gh", "pr", "create", "--head", branch, "--title", text.title, "--body", text.body]
    named = ["--title", text.title, "--description", text.body]
    return ["glab", "mr", "create", "--source-branch", branch, *named, "--yes"]


def _files(root: Path, branch: str, commit: str, text: Text) -> tuple[Path, ...]:
    folder = root / FOLDER / "requests"
    name = branch.rpartition("/")[2]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        patch, told = folder / f"{name}.patch", folder / f"{name}.md"
        patch.write_text(_run(root, "git", "format-patch", "-1", "--stdout", commit), encoding="utf-8")
        told.write_text(f"# {text.title}\n\n{text.body}", encoding="utf-8")
    except OSError as error:
        raise PatchRefused(f"{folder}: {error.strerror}; the branch {branch} is there") from None
    return patch, told


def _run(root: Path, *command: str) -> str:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GH_PROMPT_DISABLED": "1", "NO_PROMPT": "1"}
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TraceLensError(f"{command[0]} cannot be run: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise TraceLensError(f"{command[0]} {command[1]}: {said[-1] if said else 'it failed'}")
    return done.stdout.decode(errors="replace")
