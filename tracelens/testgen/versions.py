"""A test file run against several versions of the code, in the sandbox, all in one session."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tracelens.replay import sandbox
from tracelens.replay.sandbox import Limits, Rung
from tracelens.replay.workspace_copy import TooLarge, copy_workspace

_INSIDE = Path(__file__).with_name("inside.py")


@dataclass(frozen=True, slots=True)
class Tried:
    problem: str
    """Why nothing was run, as the end of a sentence."""
    versions: tuple[Mapping[str, str], ...]
    """For each version: test → "passed", "failed: …" or "error: …"; "" stands for the file; {} it came to no end."""


def run_versions(
    root: Path,
    python: str,
    path: str,
    text: str,
    versions: Sequence[Mapping[str, bytes]],
    folders: Sequence[str],
    *,
    rung: Rung,
    seconds: float = 20.0,
) -> Tried:
    """Run the test file `text`, as if it stood at `path`, with each version's files in place of the workspace's.

    folders: relative to the workspace, put on `sys.path`. seconds: for each version.
    """
    with sandbox.scratch_folder() as scratch:
        copy = scratch / "workspace"
        try:
            copy_workspace(root, copy)
            target = copy / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            tools = scratch / "tests"
            tools.mkdir()
            shutil.copyfile(_INSIDE, tools / "run_versions.py")
        except (OSError, TooLarge) as error:
            return Tried(f"the workspace cannot be copied: {error}", ())
        nonce = secrets.token_hex(16)
        job = {
            "nonce": nonce,
            "root": str(copy),
            "test": path,
            "seconds": seconds,
            "sys_path": [str(copy / one) for one in folders],
            "versions": [
                {name: content.decode("utf-8", "surrogateescape") for name, content in one.items()} for one in versions
            ],
        }
        finished = sandbox.run(
            [python, "-B", str(tools / "run_versions.py"), "{answer}"],
            scratch=scratch,
            folder=copy,
            readable=sandbox.interpreter_folders(python),
            request=json.dumps(job).encode(),
            limits=Limits(wall_seconds=min(300.0, 30 + seconds * len(versions)), cpu_seconds=120),
            layers=rung.asked,
        )
    if finished.error:
        return Tried(f"the sandbox did not start: {finished.error}", ())
    try:
        said = json.loads(finished.answer)
    except ValueError:
        said = {}
    if not isinstance(said, dict) or said.get("nonce") != nonce:
        last = finished.output.strip().splitlines()[-1:]
        return Tried(f"the tests came to no end ({finished.ended}{': ' + last[0][:200] if last else ''})", ())
    return Tried(str(said["problem"]), tuple(said["versions"]))
