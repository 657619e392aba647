"""How many of the functions of real programs have a recorded call that can be made again, and goes the same way.

    python benchmarks/replayable_share.py [--python 3.13's python] [--folder DIR] [--again 40]

Records jinja2's test suite, sqlglot, a Flask application, richards and deltablue (fetched as benchmarks/recorder.py
does) with default options, counts the functions that ran and those with at least one call in the replayable encoding,
then makes up to four calls of up to `--again` functions of each program again in the sandbox, as `tracelens replay`
does, and compares with the recording. "The same" is of the functions that are called replayable, and means each call.
Not called so, whatever they give, and taken off the share in the measure of those tried: what reads globals that the
program changes or what belongs to a request (ambient.py), what uses an argument that the recording says it does not
hold, and what its name does not lead to any more. The last line is JSON.
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
from tracelens.replay.past import as_recorded
from tracelens.replay.rerun import Place, RecordedCall
from tracelens.replay.sandbox import NoSandbox, Rung
from tracelens.replay.verdict import difference_from_recording
from tracelens_indexer.traces import recording
from tracelens_indexer.traces.records import Call, Count, Raised, Returned
from tracelens_indexer.traces.report import Report
from tracelens_recorder.launch import Options

CALLS = 4
USES = "it uses what was not recorded"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=shutil.which("python3.13") or shutil.which("python3.12"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tracelens-recorder-benchmark")
    parser.add_argument("--again", type=int, default=40)
    given = parser.parse_args()
    if not given.python:
        parser.error("no python3.13 or python3.12 on PATH: name one with --python")
    print(json.dumps(measure(given.python, given.folder, given.again)))


def measure(wanted: str, folder: Path, most: int) -> dict[str, float]:
    """The shares of each program and their means, with a line printed for each."""
    python = prepare(folder, wanted)
    rung = sandbox.probe(python) if most else NoSandbox("not asked for")
    shares: dict[str, float] = {}
    same: dict[str, float] = {}
    for name in WARM:
        project = folder / name
        (project / "pyperf.py").touch()  # richards and deltablue import it, and use it when they are measured alone
        ran, calls = record(python, project, name)
        able: dict[tuple[str, str], list[Call]] = {}
        for call in calls:
            if call.replay and (key := (call.frame.path, call.frame.name)) in ran:
                able.setdefault(key, []).append(call)
        shares[name] = len(able) / max(1, len(ran))
        line = f"{name:10} {len(able):5} of {len(ran):5} functions that ran: {shares[name]:6.1%}"
        if isinstance(rung, Rung) and able:
            every = max(1, len(able) // most)
            went, why, not_held = again(python, project, [each[:CALLS] for each in able.values()][::every][:most], rung)
            tried = len(went) + sum(not_held.values())
            shares[name] *= len(went) / max(1, tried)
            same[name] = went.count("") / max(1, len(went))
            line += f"   made again {tried}: {len(went)} replayable ({shares[name]:.1%}), {went.count('')} the same"
            line += "".join(f"\n{'':14}not replayable: {n} × {what}" for what, n in not_held.most_common(4))
            line += "".join(f"\n{'':14}{n} × {what}" for what, n in why.most_common(4))
        print(line, flush=True)
    found = {f"{name}_replayable": round(share, 3) for name, share in shares.items()}
    found |= {f"{name}_same": round(share, 3) for name, share in same.items()}
    found["replayable_mean"] = round(statistics.mean(shares.values()), 3)
    if same:
        found["same_mean"] = round(statistics.mean(same.values()), 3)
    return found


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


def again(
    python: str, project: Path, functions: list[list[Call]], rung: Rung
) -> tuple[list[str], Counter[str], Counter[str]]:
    """How each replayable function went otherwise ("" the same), the kinds of reasons, and why others are none."""
    went: list[str] = []
    why: Counter[str] = Counter()
    not_held: Counter[str] = Counter()
    for calls in functions:
        made = [recorded(call) for call in calls]
        frame = calls[0].frame
        place = Place(module_of(frame.path), frame.path, frame.name)
        done = as_recorded(project, python, place, made, rung=rung)
        outcomes = [one for one in done.outcomes if not one.ambient and not one.why.startswith(USES)]
        if not outcomes:
            reads = next((one.ambient[0] for one in done.outcomes if one.ambient), "")
            said = f"it reads {reads}" if reads else kind_of(done.problem or done.outcomes[0].why)
            not_held[said] += 1
            continue
        before = {one.id: one for one in made}
        differences = [difference_from_recording(before[one.id], one) for one in outcomes]
        difference = next((one for one in differences if one), "")
        went.append(difference)
        if difference:
            why[kind_of(difference)] += 1
    return went, why, not_held


def recorded(call: Call) -> RecordedCall:
    assert call.replay is not None
    outcome = call.outcome
    value = outcome.value if isinstance(outcome, Returned) else None
    return RecordedCall(
        call.id,
        call.replay,
        outcome.type if isinstance(outcome, Raised) else "",
        outcome.message if isinstance(outcome, Raised) else "",
        outcome.line if isinstance(outcome, Raised) else 0,
        (value.type, value.text) if value else None,
    )


def kind_of(difference: str) -> str:
    for start in (USES, "it returns", "it raises", "its arguments cannot be rebuilt"):
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
