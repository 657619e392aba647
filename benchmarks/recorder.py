"""What recording costs, and what it still sees: the recorder against running plainly and against its peers.

    python benchmarks/recorder.py [--python 3.13's python] [--quick] [--peers]

Everything is fetched into a folder outside the repository (`--folder`, default a temporary one): jinja2 with its tests,
sqlglot, Flask, and richards and deltablue out of pyperformance. Ratios are of CPU time: each is a pair of processes
that run one after the other, the workload warmed up (jinja2's test suite: the whole process), the median over the
pairs. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from tracelens_indexer.traces import recording
from tracelens_indexer.traces.records import Call, Count, EdgeCount, Record, Sample
from tracelens_indexer.traces.report import Report
from tracelens_recorder.launch import Options, environment

WORKLOADS = Path(__file__).with_name("recorder_workloads.py")
SHOP = Path(__file__).with_name("recorder_web")
WARM = {"richards": (20, 20), "deltablue": (200, 300), "sqlglot": (40, 60), "web": (4, 5), "jinja2": (0, 1)}
"""Repetitions to warm up, and to time."""
SLOW = {"richards": (0, 1), "deltablue": (0, 3), "sqlglot": (0, 1), "web": (1, 1), "jinja2": (0, 1)}
"""For those that take a hundred times as long; the same repetitions are timed without them."""
FEW = {"richards": (1, 2), "deltablue": (2, 8), "sqlglot": (4, 4), "web": (1, 2), "jinja2": (0, 1)}
"""For exact recordings, which are slow without the C part, on both sides of the pair."""
PEERS = {
    "viztracer with arguments": ["-m", "viztracer", "--log_func_args", "--log_func_retval", "-o", "{out}.json"],
    "monkeytype": ["-m", "monkeytype", "run"],
    "cprofile": ["-m", "cProfile", "-o", "{out}.pstats"],
    "coverage sysmon": ["-m", "coverage", "run", "--data-file={out}.coverage"],
}
PACKAGES = ["flask", "sqlglot", "pytest", "trio", "viztracer", "monkeytype", "coverage"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=shutil.which("python3.13") or shutil.which("python3.12"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tracelens-recorder-benchmark")
    parser.add_argument("--quick", action="store_true", help="three pairs in place of five, one of --exact")
    parser.add_argument("--peers", action="store_true", help="also VizTracer, MonkeyType, cProfile and coverage")
    parser.add_argument("--only", default=",".join(WARM))
    given = parser.parse_args()
    if not given.python:
        parser.error("no python3.13 or python3.12 on PATH: name one with --python")
    python = prepare(given.folder, given.python)
    found: dict[str, Any] = {}
    for name in given.only.split(","):
        project = given.folder / name
        ratios = [pair(python, project, name, Options(), WARM) for _ in range(3 if given.quick else 5)]
        found[f"{name}_x"] = round(statistics.median(ratios), 2)
        exact = [pair(python, project, name, Options(exact=True), FEW) for _ in range(1 if given.quick else 3)]
        found[f"{name}_x_exact"] = round(statistics.median(exact), 2)
        shown = " ".join(f"{one:.2f}" for one in ratios)
        print(f"{name:10} {found[f'{name}_x']:6.2f}×  ({shown})   --exact {found[f'{name}_x_exact']:.2f}×", flush=True)
        if given.peers:
            for peer, words in PEERS.items():
                print(f"    {peer:26} {against(python, project, name, words)}", flush=True)
    found.update(seen(python, given.folder, [one for one in given.only.split(",") if one != "web"]))
    found["capture_us"] = capture_us(python)
    print(json.dumps(found))


def prepare(folder: Path, python: str) -> str:
    """Fetch the workloads, once. Returns the interpreter of their environment."""
    own = folder / "venv/bin/python"
    if (folder / "ready").exists():
        return str(own)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
    pip = [str(own), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *PACKAGES], check=True)
    subprocess.run([*pip, "download", "--no-deps", "--no-binary", ":all:", "-d", folder, "jinja2"], check=True)
    subprocess.run([*pip, "download", "--no-deps", "-d", folder, "pyperformance"], check=True)
    with zipfile.ZipFile(next(folder.glob("pyperformance*.whl"))) as wheel:
        for name in ("richards", "deltablue"):
            (folder / name).mkdir()
            inside = f"pyperformance/data-files/benchmarks/bm_{name}/run_benchmark.py"
            (folder / name / f"{name}.py").write_bytes(wheel.read(inside))
    with tarfile.open(next(folder.glob("jinja2*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    next(one for one in folder.glob("jinja2-*") if one.is_dir()).rename(folder / "jinja2")
    package = subprocess.run([own, "-c", "import sqlglot; print(sqlglot.__path__[0])"], capture_output=True, text=True)
    shutil.copytree(package.stdout.strip(), folder / "sqlglot/sqlglot")
    shutil.copytree(SHOP, folder / "web")
    (folder / "ready").touch()
    return str(own)


def run(python: str, project: Path, name: str, times: tuple[int, int], env: dict[str, str], *words: str) -> float:
    """CPU seconds of one repetition; raises CalledProcessError or TimeoutExpired."""
    environ = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTEST_CURRENT_TEST")}
    command = [python, *words, str(WORKLOADS), name, str(times[0]), str(times[1])]
    done = subprocess.run(
        command, cwd=project, env={**environ, **env}, capture_output=True, text=True, timeout=90, check=True
    )
    for line in reversed(done.stdout.splitlines()):
        if line.startswith('{"cpu"'):
            return float(json.loads(line)["cpu"])
    raise subprocess.CalledProcessError(0, command, done.stdout, done.stderr)


def recorder(project: Path, options: Options) -> tuple[Path, dict[str, str]]:
    """A new folder for recordings, and the environment that makes a process record into it."""
    out = Path(tempfile.mkdtemp(prefix="tracelens-recordings-"))
    os.environ.pop("PYTHONPATH", None)
    return out, environment(str(out), str(project), options)


def pair(python: str, project: Path, name: str, options: Options, times: dict[str, tuple[int, int]]) -> float:
    plain = run(python, project, name, times[name], {})
    out, env = recorder(project, options)
    try:
        return run(python, project, name, times[name], env) / plain
    finally:
        shutil.rmtree(out)


def against(python: str, project: Path, name: str, words: list[str]) -> str:
    with tempfile.TemporaryDirectory() as out:
        try:
            plain = run(python, project, name, SLOW[name], {})
            env = {"COVERAGE_CORE": "sysmon", "MT_DB_PATH": f"{out}/monkeytype.sqlite3"}
            tool = [word.replace("{out}", f"{out}/out") for word in words]
            return f"{run(python, project, name, SLOW[name], env, *tool) / plain:.2f}×"
        except subprocess.TimeoutExpired:
            return "more than 90 s"
        except subprocess.CalledProcessError as error:
            return f"failed: {(error.stderr or '').strip().splitlines()[-1:]}"


def records(python: str, project: Path, name: str, options: Options) -> list[Record]:
    out, env = recorder(project, options)
    try:
        run(python, project, name, (0, 1) if name == "jinja2" else (4, 4), env)
        found: list[Record] = []
        for file in out.glob("*.tlrec"):
            with file.open("rb") as stream:
                found += recording.read(stream, Report())
        return found
    finally:
        shutil.rmtree(out)


def seen(python: str, folder: Path, names: list[str]) -> dict[str, float]:
    """What a run within the budget sees of what an exact run sees, over all workloads."""
    functions = [0, 0]
    edges = [0, 0]
    for name in names:
        exact = records(python, folder / name, name, Options(exact=True))
        budget = records(python, folder / name, name, Options())
        all_, some = ({r.frame for r in one if isinstance(r, Count) and r.calls} for one in (exact, budget))
        functions[0] += len(all_ & some)
        functions[1] += len(all_)
        all_, some = ({(r.caller, r.callee) for r in one if isinstance(r, EdgeCount)} for one in (exact, budget))
        edges[0] += len(all_ & some)
        edges[1] += len(all_)
        print(f"{name:10} edges {len(all_ & some)} of {len(all_)} · {hottest(exact, budget)} · {values(exact, budget)}")
    return {
        "functions_seen": round(functions[0] / max(functions[1], 1), 4),
        "edges_seen": round(edges[0] / max(edges[1], 1), 4),
    }


def hottest(exact: list[Record], budget: list[Record]) -> str:
    """The ten functions with the most samples of their own, in both runs. Self times by events are no measure here:
    counting every call inflates those that call much."""
    shares: list[dict[str, float]] = []
    for one in (exact, budget):
        weight: dict[str, float] = defaultdict(float)
        for record in one:
            if isinstance(record, Sample):
                weight[record.stack[-1].name] += record.weight
        total = sum(weight.values()) or 1.0
        shares.append({name: w / total for name, w in weight.items()})
    tops = [sorted(one, key=lambda name, one=one: -one[name])[:10] for one in shares]  # type: ignore[misc]
    worst = max((abs(shares[0][name] - shares[1].get(name, 0.0)) for name in tops[0]), default=0.0)
    samples = sum(isinstance(record, Sample) for record in budget)
    same = len(set(tops[0]) & set(tops[1]))
    return f"{same} of the ten hottest, shares off by ≤ {worst * 100:.0f} points ({samples} stacks)"


def values(exact: list[Record], budget: list[Record]) -> str:
    """How far the share of None and the median of numbers are off, weighted with what each captured call stands for."""
    nones: list[float] = []
    medians: list[float] = []
    both = [slots(one) for one in (exact, budget)]
    for slot in both[0].keys() & both[1].keys():
        one, other = both[0][slot], both[1][slot]
        if len(one) < 30 or len(other) < 16:
            continue
        nones.append(abs(none_share(one) - none_share(other)))
        numbers = [sorted((v, w) for v, w, _ in side if v is not None) for side in (one, other)]
        if all(len(side) >= 16 for side in numbers):
            spread = numbers[0][-1][0] - numbers[0][0][0]
            if spread:
                medians.append(abs(median(numbers[0]) - median(numbers[1])) / spread)
    if not nones:
        return "too few values to compare"
    said = f"None share off by {statistics.mean(nones) * 100:.1f} points on the mean of {len(nones)} slots"
    return said + (f", medians by {statistics.mean(medians) * 100:.0f} % of the range" if medians else "")


def slots(found: list[Record]) -> dict[tuple[str, str, str], list[tuple[float | None, float, bool]]]:
    result: dict[tuple[str, str, str], list[tuple[float | None, float, bool]]] = defaultdict(list)
    for record in found:
        if isinstance(record, Call) and record.represents > 0:
            for name, value in record.arguments:
                key = (record.frame.path, record.frame.name, name)
                result[key].append((value.number, record.represents, value.type == "NoneType"))
    return result


def none_share(values: list[tuple[float | None, float, bool]]) -> float:
    return sum(w for _, w, none in values if none) / sum(w for _, w, _ in values)


def median(values: list[tuple[float, float]]) -> float:
    half, sum_ = sum(w for _, w in values) / 2, 0.0
    for value, weight in values:
        sum_ += weight
        if sum_ >= half:
            return value
    return values[-1][0]


CAPTURE = """
import time
from dataclasses import dataclass
@dataclass
class Line:
    sku: str
    price: float
@dataclass
class Order:
    id: int
    lines: list
class Service:
    rates = {"gold": 0.8}
    def quote(self, order, tier="basic", **options):
        return {"id": order.id, "total": 9.99}
service, order = Service(), Order(3, [Line("a1", 9.99), Line("b2", 1.5)])
def go(n):
    started = time.process_time()
    for _ in range(n):
        service.quote(order, tier="gold", note="for ann")
    return time.process_time() - started
print(go(16) / 16 * 1e6)
"""


def capture_us(python: str) -> float:
    """Microseconds of one fully captured call of a service method, the first 16 ones; least of five processes."""
    with tempfile.TemporaryDirectory() as project:
        Path(project, "program.py").write_text(CAPTURE, encoding="utf-8")
        found = []
        for _ in range(5):
            out, env = recorder(Path(project), Options(sample_interval=0))
            done = subprocess.run(
                [python, "program.py"],
                cwd=project,
                env={**os.environ, **env},
                capture_output=True,
                text=True,
                check=True,
            )
            shutil.rmtree(out)
            found.append(float(done.stdout))
        return round(min(found), 1)


if __name__ == "__main__":
    sys.exit(main())
