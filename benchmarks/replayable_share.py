"""How many of the functions of real programs have a recorded call that can be made again, and goes the same way.

    python benchmarks/replayable_share.py [--python 3.13's python] [--folder DIR] [--again 40]

Records jinja2's test suite, sqlglot, a Flask application, richards and deltablue (fetched as benchmarks/recorder.py
does) with default options, counts the functions that ran and those with at least one call in the replayable encoding,
then makes a call of up to `--again` functions of each program again in the sandbox and compares with the recording.
"Goes the same way" is of the functions that were tried. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections import Counter
from pathlib import Path

from recorder import WARM, prepare, recorder, run
from tracelens.replay import sandbox
from tracelens.replay.rerun import Place, RecordedCall, replay
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.replay.verdict import difference_from_recording
from tracelens_indexer.traces import recording
from tracelens_indexer.traces.records import Call, Count, Raised, Returned
from tracelens_indexer.traces.report import Report
from tracelens_recorder.launch import Options


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=shutil.which("python3.13") or shutil.which("python3.12"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tracelens-recorder-benchmark")
    parser.add_argument("--again", type=int, default=40)
    given = parser.parse_args()
    if not given.python:
        parser.error("no python3.13 or python3.12 on PATH: name one with --python")
    python = prepare(given.folder, given.python)
    rung = sandbox.probe(python) if given.again else NoSandbox("not asked for")
    shares: dict[str, float] = {}
    same: dict[str, float] = {}
    for name in WARM:
        project = given.folder / name
        (project / "pyperf.py").touch()  # richards and deltablue import it, and use it when they are measured alone
        ran, calls = record(python, project, name)
        able = {key: call for call in calls if call.replay and (key := (call.frame.path, call.frame.name)) in ran}
        shares[name] = len(able) / max(1, len(ran))
        line = f"{name:10} {len(able):5} of {len(ran):5} functions that ran: {shares[name]:6.1%}"
        if isinstance(rung, Rung) and able:
            every = max(1, len(able) // given.again)
            went, why = again(python, project, list(able.values())[::every][: given.again], rung)
            same[name] = went.count("") / max(1, len(went))
            line += f"   made again: {went.count('')} of {len(went)} the same"
            line += "".join(f"\n{'':14}{n} × {what}" for what, n in why.most_common(4))
        print(line, flush=True)
    found = {f"{name}_replayable": round(share, 3) for name, share in shares.items()}
    found |= {f"{name}_same": round(share, 3) for name, share in same.items()}
    found["replayable_mean"] = round(statistics.mean(shares.values()), 3)
    if same:
        found["same_mean"] = round(statistics.mean(same.values()), 3)
    print(json.dumps(found))


def record(python: str, project: Path, name: str) -> tuple[set[tuple[str, str]], list[Call]]:
    """The functions that ran, and the calls that were kept."""
    out, env = recorder(project, Options())
    try:
        run(python, project, name, WARM[name], env)
        ran: set[tuple[str, str]] = set()
        calls: list[Call] = []
        for file in sorted(out.glob("*.tlrec")):
            with file.open("rb") as stream:
                for one in recording.read(stream, Report()):
                    if isinstance(one, Count):
                        ran.add((one.frame.path, one.frame.name))
                    elif isinstance(one, Call):
                        calls.append(one)
        return ran, calls
    finally:
        shutil.rmtree(out)


def again(python: str, project: Path, calls: list[Call], rung: Rung) -> tuple[list[str], Counter[str]]:
    """How each call went otherwise ("" the same), and the kinds of reasons."""
    went: list[str] = []
    why: Counter[str] = Counter()
    for call in calls:
        assert call.replay is not None
        outcome = call.outcome
        value = outcome.value if isinstance(outcome, Returned) else None
        made = RecordedCall(
            call.id,
            call.replay,
            outcome.type if isinstance(outcome, Raised) else "",
            outcome.message if isinstance(outcome, Raised) else "",
            outcome.line if isinstance(outcome, Raised) else 0,
            (value.type, value.text) if value else None,
        )
        place = Place(module_of(call.frame.path), call.frame.path, call.frame.name)
        done = replay(project, python, place, [made], rung=rung)
        difference = done.problem or difference_from_recording(made, done.by_id()[call.id])
        went.append(difference)
        if difference:
            why[kind_of(difference)] += 1
    return went, why


def kind_of(difference: str) -> str:
    for start in ("it uses what was not recorded", "it returns", "it raises", "its arguments cannot be rebuilt"):
        if difference.startswith(start):
            return start
    return difference[:90]


def module_of(path: str) -> str:
    parts = path.removesuffix(".py").split("/")
    if parts[0] == "src":
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


if __name__ == "__main__":
    main()
