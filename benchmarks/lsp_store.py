"""A workspace of Django whose store holds as many recorded calls as one asks for, through the public writer.

Which unit was called how often follows Zipf's law, so that a few are hot and most are seldom seen; values, durations,
callers, tests and failures are made up within the bounds that importing keeps. Always the same for the same size.
"""

from __future__ import annotations

import json
import random
import shutil
import time
from hashlib import blake2b
from pathlib import Path

from tracelens_indexer.indexing import index_workspace
from tracelens_indexer.profiles import histogram
from tracelens_indexer.profiles.rows import (
    RESULT,
    AnchorKey,
    CaptureRow,
    EdgeRow,
    FailureRow,
    RunRow,
    SlotRow,
    UnitProfile,
    UnitRow,
    ValueRow,
)
from tracelens_indexer.source.statements import statement_at, statement_hash
from tracelens_indexer.store import Index, Writer
from tracelens_indexer.store.answers import UnitRecord
from tracelens_indexer.store.schema import SCHEMA_VERSION

RUNS = 5
_SHARE_THAT_RAN = 0.4
_VALUES = 32
_CAPTURES = 8


def prepared(corpus: Path, folder: Path, calls: int, copies: int) -> Path:
    """A workspace with an index of `copies` times the corpus and `calls` recorded calls; kept from run to run."""
    # A store of another version would be rebuilt by the first who writes, in the middle of a measure.
    root = folder / f"django-{calls}-{copies}-{SCHEMA_VERSION}"
    if (root / "ready").exists():
        return root
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for copy in range(copies):
        # The first where it belongs, the others as packages of their own.
        target = root if copy == 0 else root / f"more{copy}"
        for package in sorted(p for p in corpus.iterdir() if p.is_dir() and (p / "__init__.py").exists()):
            shutil.copytree(package, target / package.name, ignore=shutil.ignore_patterns("*.pyc", "__pycache__"))
    index_workspace(root, searchable=False)
    with Writer(root) as writer:
        units = [
            unit
            for path in writer.index.paths()
            for unit in writer.index.units_in(path)
            if unit.kind in ("function", "method")
        ]
        for run in range(RUNS):
            _add_run(writer, root, units, calls // RUNS, run)
    (root / "ready").touch()
    return root


def _add_run(writer: Writer, root: Path, units: list[UnitRecord], calls: int, run: int) -> None:
    chance = random.Random(run)
    ran = chance.sample(units, int(len(units) * _SHARE_THAT_RAN))
    keys = {u.id: AnchorKey(u.path, u.scope, u.ordinal, u.body_hash) for u in units}
    callers = {u.id: [u] for u in ran}
    index: Index = writer.index
    for unit in ran:
        for callee, _ in index.callees(unit.id):
            callers.setdefault(callee.id, []).append(unit)
    weights = [1 / (rank + 1) for rank in range(len(ran))]
    whole = sum(weights)
    profiles: dict[AnchorKey, UnitProfile] = {}
    for unit, weight in zip(ran, weights, strict=True):
        n = max(1, round(calls * weight / whole))
        profiles[keys[unit.id]] = _profile(root, unit, n, chance)
    for callee, around in callers.items():
        for caller in around[:6]:
            if callee in keys and caller.id != callee and keys[callee] in profiles:
                calls_here = max(1, profiles[keys[callee]].unit.calls // 6)
                site = chance.randrange(max(1, caller.end_line - caller.first_line))
                edge = EdgeRow(keys[callee], site, calls_here, "exact", calls_here * 1000)
                profiles[keys[caller.id]].edges.append(edge)
    row = RunRow(
        name=f"run {run}",
        tool="benchmark",
        file="",
        content_hash=blake2b(f"{calls} {run}".encode(), digest_size=16).hexdigest(),
        started_ns=time.time_ns(),
        imported_ns=time.time_ns(),
        duration_ns=0,
        command="",
        commit="",
        interpreter="",
        environment="",
        service="",
        redacted=0,
        sample_weight=0.0,
        sample_unit="",
        joined="{}",
        notes="",
    )
    writer.add_run(row, profiles)


def _profile(root: Path, unit: UnitRecord, calls: int, chance: random.Random) -> UnitProfile:
    typical = int(chance.lognormvariate(10, 2)) + 100
    failing = chance.random() < 0.05
    errors = max(1, calls // 50) if failing else 0
    profile = UnitProfile(
        UnitRow(
            calls=calls,
            errors=errors,
            timed=calls,
            total_ns=calls * typical,
            self_ns=calls * typical // 3,
            min_ns=typical // 4,
            max_ns=typical * 9,
            captured=min(calls, 64),
        )
    )
    left = calls
    for step in range(60):
        n = min(left, calls // 40 + 1)
        left -= n
        bucket = histogram.bucket(typical + typical * step // 20)
        profile.durations[bucket] = profile.durations.get(bucket, 0) + n
        if not left:
            break
    slots = [p.name for p in unit.parameters if p.name not in ("self", "cls")] + [RESULT]
    for slot in slots[:8]:
        distinct = min(_VALUES, calls)
        for value in range(distinct):
            profile.values.append(ValueRow(slot, "int", str(value * 37), "", max(1, calls // distinct)))
        profile.slots.append(SlotRow(slot, "int", calls, 0.0, float(distinct * 37), "value"))
        if errors:
            profile.values.append(ValueRow(slot, "int", "0", "ValueError", errors))
    if errors:
        profile.failures.append(_failure(root, unit, errors, chance))
    for number in range(min(calls, _CAPTURES)):
        arguments = [[slot, "int", str(number)] for slot in slots[:-1]]
        detail = json.dumps({"arguments": arguments, "result": ["int", "7"], "message": "", "line": 0, "test": ""})
        profile.captures.append(CaptureRow(str(number), 0, typical, "", detail, ""))
    for number in range(chance.randrange(4)):
        profile.tests[f"tests/test_{number}.py::test_{unit.name}"] = calls // 4 + 1
    return profile


def _failure(root: Path, unit: UnitRecord, errors: int, chance: random.Random) -> FailureRow:
    """An exception at some statement of the unit's body."""
    source = (root / unit.path).read_bytes()
    line = chance.randint(min(unit.def_line + 1, unit.end_line), unit.end_line)
    statement = statement_at(source, line)
    first = statement.first_line if statement else line
    text = source.split(b"\n")[line - 1].decode("utf-8", "replace").strip()
    return FailureRow(
        type="ValueError",
        line=first - unit.first_line,
        statement_hash=statement_hash(statement.text) if statement else "",
        message="not a value that can be used",
        n=errors,
        last_ns=time.time_ns(),
        origin=True,
        stack=json.dumps([[unit.id, unit.path, unit.name, line, text]]),
        test="",
    )
