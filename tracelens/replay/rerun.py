"""Recorded calls made again in the sandbox, with the code as it is or with a patch."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import tracelens_recorder
from tracelens.replay import sandbox
from tracelens.replay.sandbox import Limits, NoSandbox, Rung
from tracelens.replay.workspace_copy import TooLarge, copy_workspace

_CHILD = Path(__file__).with_name("child.py")
_AMBIENT = Path(__file__).with_name("ambient.py")
_RECORDER = Path(tracelens_recorder.__file__).parent
_NO_CACHES = shutil.ignore_patterns("__pycache__")

OutcomeKind = Literal["returned", "raised", "timed out", "died", "not called"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the code to be called is."""

    module: str
    """Dotted name; "__main__" is imported by its path."""
    path: str
    """Relative to the workspace, with /."""
    scope: str
    """Python's `__qualname__`."""


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call that can be made again, and how it ended when it was recorded."""

    id: str
    """Of the capture: "c:1f3"."""
    arguments: Mapping[str, Any]
    """In the encoding of tracelens_recorder.replayable."""
    outcome: str
    """"" returned; else the exception's type."""
    message: str = ""
    line: int = 0
    """Where it raised, 1-based in the file as it is now; 0 unknown."""
    result: tuple[str, str] | None = None
    """(type, text) that it returned, where the recording has it."""
    instead: Mapping[str, Any] | None = None
    """Arguments that take the place of recorded ones, in the same encoding."""

    @property
    def redacted(self) -> bool:
        return bool(self.arguments.get("redacted"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of making a call again."""

    id: str
    kind: OutcomeKind
    type: str = ""
    """Of the value or the exception."""
    text: str = ""
    """The value, bounded and redacted."""
    message: str = ""
    line: int = 0
    value: str | None = field(default=None, repr=False)
    """The value exactly, as text that is equal when the values are; None when it cannot be written down."""
    after: str | None = field(default=None, repr=False)
    """The arguments after the call, likewise."""
    seconds: float = 0.0
    why: str = ""
    items: bool = False
    """The value is the list of what a generator gave, which no recording holds."""
    unused: tuple[str, ...] = ()
    """Functions of other packages that it called less often than it did when it was recorded."""
    ambient: tuple[str, ...] = ()
    """Globals that it read and that the program changes as it runs: they are not as they were. Only with `watch`."""


@dataclass(frozen=True, slots=True)
class Replayed:
    outcomes: tuple[Outcome, ...]
    problem: str = ""
    """Why no call was made, as the end of a sentence; "" when they were."""
    sandbox: str = ""
    """Name of the rung."""

    def by_id(self) -> dict[str, Outcome]:
        return {one.id: one for one in self.outcomes}


def replay(
    workspace: Path,
    python: str,
    unit: Place,
    calls: Sequence[RecordedCall],
    patch: Mapping[str, bytes] | None = None,
    *,
    limits: Limits | None = None,
    seconds: float = 5.0,
    unwrap: bool = False,
    watch: bool = False,
    rung: Rung | NoSandbox | None = None,
) -> Replayed:
    """Make the calls again in a copy of the workspace; what is outside the copy is neither read nor changed.

    patch: new contents by path; None runs the code as it is. seconds: for each call. unwrap: call the function inside
    its decorators instead of what its name leads to. watch: tell of globals that it reads and that no recording holds,
    for some more time. rung: from `sandbox.probe`, asked for when it is None. Without a
    rung nothing is run.
    """
    python = sandbox.real_interpreter(python, workspace)
    rung = rung if rung is not None else sandbox.probe(python)
    if isinstance(rung, NoSandbox):
        return Replayed((), f"no sandbox on this machine ({rung.reason})")
    limits = limits or Limits(wall_seconds=min(120.0, 20.0 + seconds * len(calls)))
    with sandbox.scratch_folder() as scratch:
        copy = scratch / "workspace"
        try:
            copy_workspace(workspace, copy)
            for path, content in (patch or {}).items():
                _write(copy, path, content)
            tools = scratch / "replay"
            copy_tools(tools)
        except (OSError, TooLarge) as error:
            return Replayed((), f"the workspace cannot be copied: {error}", rung.name)
        nonce = secrets.token_hex(16)
        job = {
            "nonce": nonce,
            "sys_path": [str(copy / one) for one in import_folders(workspace, unit, calls)],
            "recorder": str(tools / "tracelens_recorder"),
            "import_seconds": 20.0,
            "watch": watch,
            **job_of(copy, unit, calls, seconds, unwrap=unwrap),
        }
        finished = sandbox.run(
            [python, "-B", str(tools / _CHILD.name), "{answer}"],
            scratch=scratch,
            folder=copy,
            readable=sandbox.interpreter_folders(python),
            request=json.dumps(job).encode(),
            limits=limits,
            layers=rung.asked,
        )
    return _read(finished, nonce, rung)


def copy_tools(folder: Path) -> None:
    """Put what makes recorded calls again into a new folder: `child.py`, and the recorder's decoder."""
    (folder / "tracelens_recorder").mkdir(parents=True)
    shutil.copytree(_RECORDER / "replayable", folder / "tracelens_recorder" / "replayable", ignore=_NO_CACHES)
    for file in _RECORDER.glob("*.py"):  # all of them: which of them the decoder needs is the recorder's own concern
        shutil.copyfile(file, folder / "tracelens_recorder" / file.name)
    for file in (_CHILD, _AMBIENT):
        shutil.copyfile(file, folder / file.name)


def job_of(copy: Path, unit: Place, calls: Sequence[RecordedCall], seconds: float, *, unwrap: bool) -> dict[str, Any]:
    """The part of a job that says which calls are made of what."""
    return {
        "roots": [str(copy)],
        "unit": {"module": unit.module, "path": unit.path, "scope": unit.scope},
        "unwrap": unwrap,
        "calls": [
            {
                "id": call.id,
                "arguments": dict(call.arguments),
                "instead": dict(call.instead) if call.instead else None,
                "names": [name for name, _ in call.arguments.get("arguments", [])],
                "seconds": seconds,
            }
            for call in calls
        ],
    }


def _write(copy: Path, path: str, content: bytes) -> None:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise OSError(f"{path} is not in the workspace")
    target = copy.joinpath(*pure.parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _read(finished: sandbox.Finished, nonce: str, rung: Rung) -> Replayed:
    if finished.error:
        return Replayed((), f"the sandbox did not start: {finished.error}", rung.name)
    try:
        said: dict[str, Any] = json.loads(finished.answer)
    except ValueError:
        said = {}
    if not isinstance(said, dict) or said.get("nonce") != nonce:
        return Replayed((), _why_no_answer(finished), rung.name)
    if said["problem"]:
        return Replayed((), str(said["problem"]), rung.name)
    outcomes = []
    for one in said["outcomes"]:
        known = {name: one[name] for name in Outcome.__dataclass_fields__ if name in one}
        for name in ("unused", "ambient"):
            known[name] = tuple(known.get(name, ()))
        outcomes.append(Outcome(**known))
    return Replayed(tuple(outcomes), "", rung.name)


def _why_no_answer(finished: sandbox.Finished) -> str:
    if finished.ended == "time":
        return "it took too long"
    if finished.ended == "disk":
        return "it wrote too much"
    if finished.signal == 14:
        return "importing it took too long"
    if finished.signal is not None:
        return f"signal {finished.signal} ended it"
    last = [line for line in finished.output.strip().splitlines() if line.strip()][-1:]
    return f"it ended with status {finished.exit}" + (f": {last[0][:300]}" if last else "")


def import_folders(workspace: Path, unit: Place, calls: Sequence[RecordedCall]) -> list[str]:
    """Folders, relative to the workspace, that have to be on `sys.path` for the modules concerned."""
    modules = [(unit.module, unit.path)]
    for call in calls:
        modules += [(str(one[0]), str(one[2])) for one in call.arguments.get("classes", [])]
    found: list[str] = []
    for module, path in modules:
        folder = import_folder(module, path)
        if folder not in found:
            found.append(folder)
    # As pytest does for a test or a conftest: the first folder upwards that is no package.
    beside = PurePosixPath(unit.path).parent
    while beside.parts and (workspace / beside / "__init__.py").is_file():
        beside = beside.parent
    for usual in (".", "src", beside.as_posix()):
        if usual not in found and (workspace / usual).is_dir():
            found.append(usual)
    return found


def import_folder(module: str, path: str) -> str:
    """The folder that `module` is imported from when its file is `path`: "src" for shop.pricing in src/shop/pricing.py.

    For a script, its own folder, as Python has it.
    """
    parts = PurePosixPath(path).with_suffix("").parts
    if parts and parts[-1] == "__init__":
        parts = parts[:-1]
    names = tuple(module.split("."))
    if parts[-len(names) :] == names:
        return "/".join(parts[: -len(names)]) or "."
    return PurePosixPath(path).parent.as_posix()
