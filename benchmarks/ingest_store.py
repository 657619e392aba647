"""A store of 50,000 units and 50 million calls, made through the public writer: what reading it costs, and its size.

One run; what another of the same units adds is printed as bytes per unit. Each unit has what an import leaves of it: a
histogram, three slots of values with an outcome, edges, and kept calls; so many of each as its calls would have left.
"""

from __future__ import annotations

import math
import random
import resource
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks import ingest_traces
from tracelens_indexer.indexing import index_workspace
from tracelens_indexer.profiles import histogram
from tracelens_indexer.profiles.rows import (
    AnchorKey,
    CaptureRow,
    EdgeRow,
    RunRow,
    SlotRow,
    UnitProfile,
    UnitRow,
    ValueRow,
)
from tracelens_indexer.profiles.slots import MAX_SINGLE
from tracelens_indexer.store import Writer, open_index
from tracelens_indexer.traces.records import Counting

MODULES = 1_000
RUNS = 1
CALLS = 50_000_000
"""Of one run."""
_EXACT: Counting = "exact"
_TIERS = ("'gold'", "'silver'", "'basic'")


def measured(folder: Path) -> dict[str, float]:
    root = folder / "store"
    if not (root / "made").exists():
        shutil.rmtree(root, ignore_errors=True)
        _make(root)
    runs_mb = sum(file.stat().st_size for file in (root / ".tracelens/runs").glob("*.run")) / 1e6
    code_mb = int((root / "made").read_text()) / 1e6
    database_mb = sum(file.stat().st_size for file in (root / ".tracelens").glob("index.db*")) / 1e6 - code_mb
    per_10m = (runs_mb + database_mb) / (RUNS * CALLS / 1e7)
    print(
        f"store      {database_mb:.0f} MB of profiles in the database, {runs_mb:.0f} MB of run files beside it,"
        f" {(runs_mb + database_mb) * 1e6 / RUNS / MODULES / ingest_traces.FUNCTIONS:,.0f} bytes a unit and run"
    )
    units, files = _read(root)
    print(
        f"one unit   p50 {units[0]:.2f} ms, p95 {units[1]:.2f} ms;"
        f"   one file of 50 units p50 {files[0]:.2f} ms, p95 {files[1]:.2f} ms"
    )
    error = _quantile_error()
    print(f"quantiles  at most {error:.2%} from the exact ones at p50, p95 and p99")
    return {
        "unit_p95_ms": round(units[1], 3),
        "file_p95_ms": round(files[1], 3),
        "mb_per_10m": round(per_10m, 1),
        "quantile_error": round(error, 4),
    }


def _make(root: Path) -> None:
    before = time.process_time()
    ingest_traces.program(root, MODULES)
    index_workspace(root, searchable=False)
    with Writer(root) as writer:
        pass
    code = sum(file.stat().st_size for file in (root / ".tracelens").glob("index.db*"))
    with closing(open_index(root)) as index:
        keys = [
            AnchorKey(unit.path, unit.scope, unit.ordinal, unit.body_hash)
            for unit in index.all_units()
            if unit.kind == "function"
        ]
    weights = [1 / (rank + 1) ** 0.8 for rank in range(len(keys))]
    scale = CALLS / sum(weights)
    for number in range(RUNS):
        random_ = random.Random(number)
        profiles = {
            key: _profile(random_, max(1, round(weight * scale)), keys)
            for key, weight in zip(keys, weights, strict=True)
        }
        run = RunRow(
            f"run {number}", "generated", "", f"{number:032x}", 1 + number, 1 + number, 1,
            "", "", "", "", "", 0, 0.0, "", "{}", "",
        )  # fmt: skip
        with Writer(root) as writer:
            writer.add_run(run, profiles)
    (root / "made").write_text(str(code))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"made a store of {len(keys):,} units in {time.process_time() - before:.0f} CPU s, {peak:.0f} MB RSS")


def _profile(random_: random.Random, calls: int, keys: list[AnchorKey]) -> UnitProfile:
    middle = random_.lognormvariate(9.5, 1.5)
    durations: dict[int, int] = {}
    drawn = min(calls, 400)
    for _ in range(drawn):
        bucket = histogram.bucket(int(middle * random_.lognormvariate(0, 0.8)))
        durations[bucket] = durations.get(bucket, 0) + max(1, calls // drawn)
    total = int(middle * calls)
    values = [ValueRow("tier", "str", tier, "", max(1, calls // 3)) for tier in _TIERS[: min(3, calls)]]
    values += [ValueRow("quantity", "int", str(n), "", max(1, calls // 20)) for n in range(1, min(20, calls + 1))]
    values += [
        ValueRow("order_id", "int", str(random_.randrange(10_000_000)), "", 1) for _ in range(min(MAX_SINGLE, calls))
    ]
    values += [
        ValueRow("return", "int", str(random_.randrange(10_000_000)), "", 1) for _ in range(min(MAX_SINGLE, calls))
    ]
    if calls > 100:
        values += [ValueRow(slot, "int", None, "", calls - MAX_SINGLE) for slot in ("order_id", "return")]
        values += [ValueRow("quantity", "int", "-1", "ValueError", calls // 100)]
    sums = (float(calls), 1e6 * calls, float(total), 1e13 * calls, 1e6 * total, middle * total)
    slots = [
        SlotRow("order_id", "int", calls, 1.0, 9_999_999.0, "value", calls, *sums[1:]),
        SlotRow("quantity", "int", calls, 1.0, 19.0, "value", calls, *sums[1:]),
        SlotRow("tier", "str", calls, 4.0, 6.0, "size", calls, *sums[1:]),
        SlotRow("return", "int", calls, 1.0, 29_999_999.0, "value", calls, *sums[1:]),
    ]
    captures = [
        CaptureRow(
            f"{random_.randrange(1 << 24):x}",
            1_790_000_000_000_000_000 + random_.randrange(10**12),
            int(middle),
            "",
            f'{{"arguments":[["order_id","int","{random_.randrange(10_000_000)}"],["quantity","int","{at}"],'
            f'["tier","str","{_TIERS[at % 3]}"]],"result":["int","{random_.randrange(10_000_000)}"],"message":"",'
            '"line":0,"caller":["shop/m1.py","step_3",24],"test":""}',
            "",
        )
        for at in range(min(12, calls))
    ]
    edges = [
        EdgeRow(keys[random_.randrange(len(keys))], 3, max(1, calls // 4), _EXACT, total // 4, 1, 0) for _ in range(3)
    ]
    return UnitProfile(
        UnitRow(
            calls, _EXACT, 0, calls // 100, calls, total, total // 2, int(middle / 4), int(middle * 9), captured=calls
        ),
        durations,
        values,
        slots,
        [],
        edges,
        [],
        captures,
    )


def _read(root: Path) -> tuple[tuple[float, float], tuple[float, float]]:
    """(p50, p95) milliseconds of one unit's whole profile, and of those of all units of a file. CPU time: what else the
    machine does is no property of the store."""
    random_ = random.Random(3)
    with closing(open_index(root)) as index:
        paths = index.paths()
        units = [
            unit.id for path in random_.sample(paths, 40) for unit in index.units_in(path) if unit.kind != "module"
        ]
        index.profile(units[0])
        one = sorted(_ms(index.profile, unit) for unit in random_.sample(units, 400))
        many = sorted(_ms(index.profiles_in, path) for path in random_.sample(paths, 100))
    return (one[len(one) // 2], one[len(one) * 95 // 100]), (many[len(many) // 2], many[len(many) * 95 // 100])


def _ms(what: Any, about: int | str) -> float:
    before = time.process_time_ns()
    what(about)
    return (time.process_time_ns() - before) / 1e6


def _quantile_error() -> float:
    """The largest, over distributions as different as durations are."""
    random_ = random.Random(11)
    worst = 0.0
    for shape in (
        [int(random_.lognormvariate(9, 2)) + 50 for _ in range(20_001)],
        [int(random_.expovariate(1e-6)) + 50 for _ in range(20_001)],
        [random_.randrange(1_000, 2_000) if random_.random() < 0.9 else 5_000_000 for _ in range(20_001)],
    ):
        buckets: dict[int, int] = {}
        for value in shape:
            slot = histogram.bucket(value)
            buckets[slot] = buckets.get(slot, 0) + 1
        exact = sorted(shape)
        for q in (0.5, 0.95, 0.99):
            told = histogram.quantile(buckets, q)
            assert told is not None
            worst = max(worst, math.fabs(told / exact[int(q * (len(exact) - 1))] - 1))
    return worst
