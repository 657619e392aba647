"""What importing costs: speed beside a bare decode, memory, growth, reading, size, and how right the quantiles are.

    python benchmarks/ingest.py [--calls 400000] [--stream-gb 1] [--only native,viztracer,otlp,stream,growth,store]

Traces are generated (ingest_traces.py) into `--folder`, imported by a process of their own each, and rates are of its
CPU seconds: decode, join, aggregate and store, without indexing the source first. Beside each rate stands the same
file only decoded by msgspec, the fastest decoder there is here: no importer can be faster. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from benchmarks import ingest_store, ingest_traces  # noqa: E402

KEYS = (
    "native_kcalls_s", "viztracer_kcalls_s", "otlp_kcalls_s", "decode_ratio", "viztracer_rss_mb", "stream_rss_mb",
    "growth_x", "unit_p95_ms", "file_p95_ms", "mb_per_10m", "quantile_error",
)  # fmt: skip
MODULES = 100
FUNCTIONS = 500
"""Of the program's 5,000, that run: a service under one kind of load."""
MANY = 3_000
"""A whole test suite: what is known of each lies further apart in memory."""
ENDINGS = {"native": ".tlrec", "viztracer": ".json", "otlp": ".jsonl", "stream": ".jsonl"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tracelens-ingest-benchmark")
    parser.add_argument("--calls", type=int, default=540_000, help="in each of the three traces")
    parser.add_argument("--stream-gb", type=float, default=1.0, help="size of the OTLP stream")
    parser.add_argument("--imports", type=int, default=100)
    parser.add_argument("--only", default="native,viztracer,otlp,stream,growth,store")
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "ROOT", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(_child(*given.child)))
        return
    found: dict[str, Any] = dict.fromkeys(KEYS)
    given.folder.mkdir(parents=True, exist_ok=True)
    root = given.folder / "program"
    if not root.exists():
        ingest_traces.program(root, MODULES)
    only = given.only.split(",")
    for what in ("native", "viztracer", "otlp", "stream"):
        if what in only:
            _speed(what, given, root, found, FUNCTIONS)
            if what != "stream":
                _speed(what, given, root, found, MANY)
    if "growth" in only:
        _growth(given, root, found)
    if "store" in only:
        found.update(ingest_store.measured(given.folder))
    print(json.dumps(found))


def _speed(what: str, given: argparse.Namespace, root: Path, found: dict[str, Any], functions: int) -> None:
    size = given.calls if what != "stream" else int(given.stream_gb * 1e9)
    file = given.folder / f"{what}-{size}-{functions}{ENDINGS[what]}"
    if not file.exists():
        with file.open("wb") as stream:
            if what == "native":
                ingest_traces.write_native(stream, size, functions, 1, _blobs(root))
            elif what == "viztracer":
                ingest_traces.write_viztracer(stream, size, functions, 1, str(root))
            elif what == "otlp":
                ingest_traces.write_otlp(stream, size, functions, 1, str(root))
            else:
                ingest_traces.write_otlp(stream, 1 << 40, functions, 2, str(root), size)
    done = _run("import", root, file)
    bare = _run("decode", root, file)
    rate, ratio = done["calls"] / done["cpu_s"] / 1000, done["cpu_s"] / bare["cpu_s"]
    print(
        f"{what:10} {functions:5,} functions {done['size'] / 1e6:7.0f} MB {done['calls']:10,} calls "
        f" {rate:6.0f} k calls per CPU s,"
        f" {done['calls'] / bare['cpu_s'] / 1000:6.0f}"
        f" k only decoded ({ratio:.1f}x)   {done['rss_mb']:.0f} MB RSS   joined {done['joined']}",
        flush=True,
    )
    if what == "stream":
        found["stream_rss_mb"] = round(done["rss_mb"])
        print(f"{'':10} progress told {done['told']} times; cancelled half way: {_run('cancel', root, file)['told']}")
        return
    found[f"{what}_kcalls_s" if functions == FUNCTIONS else f"{what}_many_kcalls_s"] = round(rate, 1)
    if functions != FUNCTIONS:
        return
    found["decode_ratio"] = max(found["decode_ratio"] or 0, round(ratio, 1))
    if what == "viztracer":
        found["viztracer_rss_mb"] = round(done["rss_mb"])


def _growth(given: argparse.Namespace, root: Path, found: dict[str, Any]) -> None:
    folder = given.folder / "growth"
    folder.mkdir(exist_ok=True)
    for number in range(given.imports):
        file = folder / f"{number}.tlrec"
        if not file.exists():
            with file.open("wb") as stream:
                ingest_traces.write_native(stream, 10_000, FUNCTIONS, 100 + number, _blobs(root))
    costs = _run("grow", root, folder)["costs"]
    # Five each: one import of 10,000 calls is as short as what else the machine does.
    first, last = sorted(costs[:5])[2], sorted(costs[-5:])[2]
    found["growth_x"] = round(last / first, 2)
    print(f"import {len(costs)} of 10,000 calls: {last:.3f} CPU s; import 1: {first:.3f} ({last / first:.2f}x)")


def _run(what: str, root: Path, file: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--child", what, str(root), str(file)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return told


def _blobs(root: Path) -> list[str]:
    from tracelens_indexer.traces.anchors import blob_id

    return [blob_id((root / f"shop/m{module}.py").read_bytes()) for module in range(MODULES)]


# -- in a process of its own -------------------------------------------------------------------------------------------


def _child(what: str, root_name: str, file_name: str) -> dict[str, Any]:
    root, file = Path(root_name), Path(file_name)
    if what == "decode":
        return _decode(file)
    from tracelens_indexer.indexing import index_workspace
    from tracelens_indexer.store import Writer
    from tracelens_indexer.traces.importing import import_file
    from tracelens_indexer.traces.report import Cancelled

    index_workspace(root, searchable=False)
    if what == "grow":
        costs = []
        with Writer(root) as writer:
            writer.drop_runs([run.id for run in writer.index.runs()])
        for number in range(len(list(file.iterdir()))):
            with Writer(root) as writer:
                before = time.process_time()
                import_file(writer, file / f"{number}.tlrec")
                costs.append(time.process_time() - before)
        return {"costs": costs}
    told: list[tuple[int, int]] = []
    with Writer(root) as writer:
        writer.drop_runs([run.id for run in writer.index.runs()])
        before = time.process_time()
        try:
            summary = import_file(
                writer,
                file,
                lambda done, size: told.append((done, size)),
                cancelled=(lambda: bool(told) and told[-1][0] * 2 > told[-1][1]) if what == "cancel" else None,
            )
        except Cancelled as stopped:
            return {"told": str(stopped)}
        cpu = time.process_time() - before
        totals = sum(profile.calls for profile in writer.index.hot(limit=100_000))
    return {
        "cpu_s": cpu,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "calls": totals,
        "size": file.stat().st_size,
        "told": len(told),
        "joined": f"{summary.frames.joined}, {sum(summary.frames.unjoined.values())} not",
    }


def _decode(file: Path) -> dict[str, Any]:
    """The same bytes to Python objects, and nothing else."""
    import msgspec

    from tracelens_recorder import container

    before = time.process_time()
    decode = msgspec.json.decode
    with file.open("rb") as stream:
        if file.suffix == ".tlrec":
            for _, payload in container.frames(stream):
                decode(payload)
        elif file.suffix == ".json":
            decode(stream.read())
        else:
            for line in stream:
                decode(line)
    return {"cpu_s": time.process_time() - before}


if __name__ == "__main__":
    main()
