"""One sandbox for a whole search: the user's modules are imported once, and what is asked is answered in turn.

A search is written as a generator of requests that gets the answers; this drives it.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracelens.fix.patch import Patch
from tracelens.fix.search.oracle import CollectedTests, MadeAgain, Oracle
from tracelens.replay import sandbox
from tracelens.replay.rerun import copy_tools, import_folder, import_folders, job_of
from tracelens.replay.sandbox import Limits, Rung
from tracelens.replay.workspace_copy import TooLarge, copy_workspace

_INSIDE = Path(__file__).with_name("inside")
_NAME = "tracelens_search_inside"
_START = f"import sys; sys.path.insert(0, sys.argv[2]); from {_NAME}.server import start; start(int(sys.argv[1]))"

Answer = dict[str, Any]
Talk = Generator[dict[str, Any], Answer, None]
"""Yields requests, gets answers. The first answer comes before the first request."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a session says when it is ready."""

    names: list[str]
    """Of the checks."""
    root: str
    """Of the copy of the workspace, as paths inside name it."""


def converse(
    workspace: Path,
    python: str,
    oracle: Oracle,
    talk: Callable[[Opened], Talk],
    *,
    rung: Rung,
    wall_seconds: float,
    cpu_seconds: float,
    patch: Patch | None = None,
) -> str:
    """Run a conversation to its end. Returns why it did not come to it, "" when it did.

    talk: called once, when the checks are known. patch: in place of the file that it was made for. Raises what `talk`
    raises.
    """
    held = _Held(talk)
    with sandbox.scratch_folder() as scratch:
        copy = scratch / "workspace"
        try:
            copy_workspace(workspace, copy)
            if patch is not None:
                (copy / patch.path).write_bytes(patch.content)
            tools = scratch / "search"
            tools.mkdir()
            shutil.copytree(_INSIDE, tools / _NAME, ignore=shutil.ignore_patterns("__pycache__"))
        except (OSError, TooLarge) as error:
            return f"the workspace cannot be copied: {error}"
        held.nonce = secrets.token_hex(16)
        held.root = str(copy)
        said: dict[str, Any]
        folders = [copy, copy / "src"]
        if isinstance(oracle, CollectedTests):
            said = {"kind": "pytest", "arguments": list(oracle.arguments)}
        elif isinstance(oracle, MadeAgain):
            folders[:0] = [copy / one for one in import_folders(workspace, oracle.place, oracle.calls)]
            replay = scratch / "replay"
            copy_tools(replay)
            said = {
                "kind": "recorded",
                "tools": str(replay),
                "job": job_of(copy, oracle.place, oracle.calls, 1.0, unwrap=oracle.unwrap),
                "outcomes": {
                    name: [one.kind, one.type, one.text, one.value, one.after] for name, one in oracle.outcomes.items()
                },
                "types": sorted(oracle.types),
            }
        else:
            folders.insert(0, copy / import_folder(oracle.module, oracle.path))
            said = {
                "kind": "statements",
                "module": oracle.module,
                "path": str(copy / oracle.path),
                "setup": oracle.setup,
                "checks": [list(one) for one in oracle.checks],
            }
        job = {
            "nonce": held.nonce,
            "root": str(copy),
            "tests": [],
            "sys_path": [str(one) for one in dict.fromkeys(folders) if one.is_dir()],
            "oracle": said,
        }
        finished = sandbox.run(
            [python, "-B", "-c", _START, "{answer}", str(tools)],
            scratch=scratch,
            folder=copy,
            readable=sandbox.interpreter_folders(python),
            request=json.dumps(job).encode() + b"\n",
            limits=Limits(wall_seconds=wall_seconds, cpu_seconds=cpu_seconds, processes=128),
            layers=rung.asked,
            talk=held.hear,
        )
    if held.error is not None:
        raise held.error
    if held.done:
        return ""
    return held.problem or finished.error or _why(finished)


def _why(finished: sandbox.Finished) -> str:
    if finished.ended == "time":
        return "it took too long"
    if finished.ended == "disk":
        return "it wrote too much"
    if finished.signal is not None:
        return f"signal {finished.signal} ended it"
    last = [line for line in finished.output.strip().splitlines() if line.strip()][-1:]
    return f"it ended with status {finished.exit}" + (f": {last[0][:300]}" if last else "")


class _Held:
    """A conversation that is under way."""

    def __init__(self, talk: Callable[[Opened], Talk]) -> None:
        self.talk = talk
        self.nonce = ""
        self.root = ""
        self.going: Talk | None = None
        self.problem = ""
        self.done = False
        self.error: BaseException | None = None

    def hear(self, line: bytes) -> bytes | None:
        try:
            said = json.loads(line)
        except ValueError:
            self.problem = "what it answered is no answer"
            return None
        if not isinstance(said, dict) or said.get("nonce") != self.nonce:
            self.problem = "what it answered is no answer"
            return None
        if said.get("problem"):
            self.problem = str(said["problem"])
            return None
        try:
            if self.going is None:
                self.going = self.talk(Opened([str(one) for one in said["ready"]], self.root))
                request = next(self.going)
            else:
                request = self.going.send(said)
        except StopIteration:
            self.done = True
            return None
        except Exception as error:
            self.error = error
            return None
        return json.dumps(request).encode() + b"\n"
