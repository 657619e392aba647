"""Recorded calls as checks: what failed has to return, what passed has to do what it did.

Arguments are built anew for each run. Calls that were recorded with answers of the outside world are no checks here:
giving those back changes modules for all that comes after. Nor are those that look at the clock.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from typing import Any

from .checks import Check

_SECONDS = 2


def checks(said: dict[str, Any]) -> list[Check]:
    child = _load(said["tools"])
    job = said["job"]
    target = child._find(job)
    outcomes = {call["id"]: said["outcomes"][call["id"]] for call in job["calls"]}
    found = [_check(child, job, target, call, outcomes[call["id"]], said["types"]) for call in job["calls"]]
    return [one for one in found if outcomes[one.name][0] == "raised" or _holds(one)]


def _holds(check: Check) -> bool:
    """Whether a call that passed goes the same way again here, where its clock is not set."""
    pid = os.fork()
    if pid == 0:
        ended = 1
        try:
            signal.alarm(_SECONDS)
            check.run()
            ended = 0
        finally:
            os._exit(ended)
    return os.waitpid(pid, 0)[1] == 0


def _load(folder: str) -> Any:
    spec = importlib.util.spec_from_file_location("tracelens_replay_child", os.path.join(folder, "child.py"))
    assert spec is not None and spec.loader is not None
    child = importlib.util.module_from_spec(spec)
    sys.modules["tracelens_replay_child"] = child
    spec.loader.exec_module(child)
    child._load_recorder(os.path.join(folder, "tracelens_recorder"))
    return child


def _check(child: Any, job: dict[str, Any], target: Any, call: dict[str, Any], wanted: list[Any], types: Any) -> Check:
    from tracelens_recorder import replayable, values

    roots = tuple(job["roots"])
    kind, _, _, value, after = wanted

    def run() -> None:
        arguments = replayable.decode_arguments(call["arguments"], roots)
        positional, keywords = child._bind(target.inner, arguments)
        result = child._settle(target.function(*positional, **keywords))
        seen = values.observe(result)
        if kind == "raised":
            assert not types or seen.type in types, f"it returns {seen.type}"
            return
        now = child._comparable(replayable.encode_exactly(result, roots))
        same = now == value if now is not None and value is not None else [seen.type, seen.text] == wanted[1:3]
        assert same, f"it returns {seen.text[:200]}"
        left = child._comparable(replayable.encode_exactly(list(arguments.items()), roots))
        assert after is None or left is None or left == after, "it leaves its arguments otherwise"

    return Check(call["id"], run)
