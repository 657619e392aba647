"""Every frame of the application in the samples joins, and every other frame says why not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.traces.conftest import SAMPLES, Shop
from tracelens_indexer.traces import importing
from tracelens_indexer.traces.importing import import_file
from tracelens_indexer.traces.join import Joined, Joiner
from tracelens_indexer.traces.records import Frame

APP_FILE = re.compile(r"(?:^|[/\\])(?:shop[/\\]\w+\.py|run\.py)$")
"""What belongs to the application, told apart without the code under test."""


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> dict[Frame, object]:
    """Every frame that an import joins, with the result."""
    seen: dict[Frame, object] = {}

    class Watched(Joiner):
        def join(self, frame: Frame):  # type: ignore[no-untyped-def]
            seen[frame] = result = super().join(frame)
            return result

    monkeypatch.setattr(importing, "Joiner", Watched)
    return seen


def check(joined: dict[Frame, object], at_least: int) -> None:
    """All of the application's frames are joined, to units of that name; nothing else is."""
    of_app = {frame: result for frame, result in joined.items() if APP_FILE.search(frame.path)}
    assert len(of_app) >= at_least
    for frame, result in of_app.items():
        assert isinstance(result, Joined), (frame, result)
        if frame.name:
            assert result.unit.name == frame.name.rpartition(".")[2]
        assert not frame.line or result.unit.first_line <= max(frame.line, 1)
    assert not [f for f, r in joined.items() if isinstance(r, Joined) and f not in of_app]


@pytest.mark.parametrize(
    ("sample", "frames", "reasons"),
    [
        ("pyspy.speedscope.json", 48, {"standard library", "third party", "interpreter"}),
        ("pyinstrument.speedscope.json", 7, {"standard library"}),
        ("austin.speedscope.json", 24, {"standard library", "third party", "interpreter"}),
        ("app.log", 7, {"standard library", "outside the workspace"}),
        ("app.jsonl", 5, {"outside the workspace"}),
        ("pytest_short.txt", 5, {"outside the workspace"}),
        ("pytest_long.txt", 5, {"outside the workspace"}),
        ("junit_long.xml", 5, {"outside the workspace"}),
    ],
)
def test_every_frame_of_the_application_joins(
    shop: Shop, joined: dict[Frame, object], sample: str, frames: int, reasons: set[str]
) -> None:
    summary = import_file(shop, SAMPLES / sample)
    check(joined, frames)
    assert summary.frames.joined == frames
    assert set(summary.frames.external) == reasons
    assert not summary.frames.ambiguous
    assert not summary.frames.unjoined
    assert summary.run is not None


def record(tmp_path: Path, *command: str) -> Path:
    """Run a real profiler on the application. The trace lies where the last argument with a dot says."""
    out = tmp_path / "trace.out"
    done = subprocess.run(
        [sys.executable, *(part.replace("OUT", str(out)) for part in command)],
        cwd=tmp_path / "ws",
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return out


def test_a_cprofile_file_joins_and_tells_calls_from_resumes(
    shop: Shop, joined: dict[Frame, object], tmp_path: Path
) -> None:
    summary = import_file(shop, record(tmp_path, "-m", "cProfile", "-o", "OUT", "run.py", "34"), name="profile")
    check(joined, 25)
    assert summary.format == "pstats"
    assert set(summary.frames.external) <= {"standard library", "third party", "interpreter"}
    assert not summary.frames.ambiguous
    assert not summary.frames.unjoined
    find = shop.profile("Warehouse.find").unit
    assert (find.calls, find.counting, find.resumes) == (96, "exact", 0)
    orders = shop.profile("make_orders").unit
    assert (orders.calls, orders.resumes) == (0, 35), "34 items and the end, of one call"
    edges = {(edge.callee.scope, edge.calls) for edge in shop.profile("OrderService.process").edges}
    assert ("Warehouse.reserve", 32) in edges
    assert shop.key("Warehouse.find").body_hash, "the file was not written since"
    assert shop.run is not None
    assert shop.run.name == "profile"


def test_a_viztracer_file_joins_with_values_exceptions_and_its_own_sources(
    shop: Shop, joined: dict[Frame, object], tmp_path: Path
) -> None:
    (tmp_path / "ws" / "shop" / "pricing.py").touch()
    trace = record(
        tmp_path,
        *("-m", "viztracer", "--quiet", "--log_func_args", "--log_func_retval"),
        *("--ignore_c_function", "--ignore_frozen", "-o", "OUT.json", "--", "run.py", "34"),
    ).with_suffix(".out.json")
    # Copied and edited afterwards: the trace itself says what the code was.
    pricing = tmp_path / "ws" / "shop" / "pricing.py"
    before = shop.index.units_in("shop/pricing.py")
    pricing.write_text("# a new first line\n" + pricing.read_text().replace("amount *", "1.5 * amount *"))
    summary = import_file(shop, trace)
    check(joined, 22)
    assert summary.format == "chrome"
    assert not summary.frames.ambiguous
    assert not summary.frames.unjoined
    find = shop.profile("Warehouse.find")
    assert (find.unit.calls, find.unit.captured, find.unit.counting) == (96, 96, "exact")
    assert sum(find.durations.values()) == 96
    assert 0 < find.unit.self_ns < find.unit.total_ns
    skus = [row for row in find.values if row.slot == "sku"]
    assert sum(row.n for row in skus) == 96
    assert any(row.text is None for row in skus), "more than 64 distinct ones: the rest is one honest row"
    tiers = {
        (row.type, row.text, row.outcome, row.n) for row in shop.profile("apply_discount").values if row.slot == "tier"
    }
    assert tiers == {("str", "'gold'", "", 32)}
    total = shop.profile("line_total")
    assert total.unit.errors == 2
    (failure,) = total.failures
    assert failure.origin
    assert failure.n == 2
    assert [frame[2].rpartition(".")[2] for frame in json.loads(failure.stack)] == [
        "process",
        "wrapper",
        "price_order",
        "<genexpr>",
        "line_total",
    ]
    assert not shop.profile("OrderService.process").failures[0].origin
    assert shop.profile("make_orders").unit.resumes == 35
    assert not [row for row in shop.profile("make_orders").values if row.slot == "return"], "yields are no results"
    hashes = {unit.scope: unit.body_hash for unit in before}
    assert shop.key("apply_discount").body_hash == hashes["apply_discount"], "anchored to what it was, not what it is"
    assert len(find.captures) <= 24
    assert any(capture.outcome for capture in total.captures)


def test_an_email_among_the_values_is_redacted(shop: Shop) -> None:
    summary = import_file(shop, SAMPLES / "pytest_long.txt")
    assert summary.redacted == 0
    text = (SAMPLES / "pytest_long.txt").read_text().replace("'none'", "'ann@example.com'")
    leaky = shop.root.parent / "leaky.txt"
    leaky.write_text(text)
    assert import_file(shop, leaky).redacted > 0
    assert not [row for profile in shop.profiles.values() for row in profile.values if "ann@" in (row.text or "")]


def test_pytest_locals_are_the_arguments_of_the_failing_call(shop: Shop) -> None:
    import_file(shop, SAMPLES / "pytest_long.txt")
    rows = {(row.slot, row.text, row.outcome) for row in shop.profile("OrderService.process").values}
    assert ("tier", "'none'", "shop.models.OrderError") in rows
    assert not [slot for slot, _, _ in rows if slot == "order"], "a local is no parameter"
    (capture,) = shop.profile("line_total").captures
    assert capture.outcome == "shop.models.OrderError"
    assert json.loads(capture.detail)["line"] == 25
