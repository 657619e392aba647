"""Input that is wrong in a way of its own: what can be told of it is told, and no number becomes nonsense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.traces.conftest import Shop
from tests.traces.test_names import span, write
from tracelens_indexer.traces.importing import import_file

TRACEBACK = (
    'Traceback (most recent call last):\n  File "/app/shop/pricing.py", line 25, in line_total\n'
    '    raise OrderError("x")\nshop.models.OrderError: {}\n'
)
SECOND = 10**9


def placed(number: int, name: str, begin: int, end: int, **more: object) -> dict[str, object]:
    made = span(number, name, attributes={"code.function.name": name}, **more)
    return {**made, "startTimeUnixNano": str(10**18 + begin), "endTimeUnixNano": str(10**18 + end)}


def test_a_span_that_was_sent_twice_counts_once_and_is_told(shop: Shop, tmp_path: Path) -> None:
    """Exporters that get no answer send again."""
    once = placed(1, "shop.pricing.line_total", 0, 500)
    child = placed(2, "shop.pricing.tax_rate", 100, 300, parentSpanId=f"{1:016x}")
    summary = import_file(shop, write(tmp_path / "t.jsonl", [once, child, once]))
    assert summary.skipped == {"span with an id that was seen before": 1}
    unit = shop.profile("line_total").unit
    assert (unit.calls, unit.total_ns, unit.self_ns) == (1, 500, 300)
    assert shop.profile("tax_rate").unit.calls == 1


def test_clocks_that_differ_between_hosts_make_no_negative_times(shop: Shop, tmp_path: Path) -> None:
    """The child's host is a minute ahead, another's an hour behind; one ends before it begins."""
    spans = [
        placed(1, "shop.service.OrderService.process", 0, SECOND),
        placed(2, "shop.pricing.line_total", 60 * SECOND, 61 * SECOND, parentSpanId=f"{1:016x}"),
        placed(3, "shop.pricing.tax_rate", -3600 * SECOND, -3599 * SECOND, parentSpanId=f"{1:016x}"),
        placed(4, "shop.inventory.normalise", 10, 5, parentSpanId=f"{1:016x}"),
    ]
    import_file(shop, write(tmp_path / "t.jsonl", spans))
    parent = shop.profile("OrderService.process").unit
    assert (parent.total_ns, parent.self_ns) == (SECOND, SECOND)
    for name in ("line_total", "tax_rate", "normalise"):
        unit = shop.profile(name).unit
        assert unit.calls == 1 and 0 <= unit.self_ns <= unit.total_ns <= SECOND
    assert shop.profile("normalise").unit.total_ns == 0


def test_a_log_of_several_encodings_gives_every_traceback(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    parts = (("utf-8", "größe €"), ("latin-1", "größe"), ("cp1252", "“smart”"), ("shift-jis", "値"))
    log.write_bytes(b"\xff\xc0 noise\n".join(TRACEBACK.format(said).encode(encoding) for encoding, said in parts))
    import_file(shop, log)
    (failure,) = [row for row in shop.profile("line_total").failures if row.origin]
    assert failure.n == len(parts)


@pytest.mark.parametrize("longest", [1e15, 1e17])
def test_times_longer_than_any_program_ran_are_imported_and_bounded(longest: float, shop: Shop, tmp_path: Path) -> None:
    """In nanoseconds they are more than a column of the database holds."""
    names = [f"OrderService.process ({shop.root}/shop/service.py:13)", f"line_total ({shop.root}/shop/pricing.py:21)"]
    events = [{"ph": "X", "pid": 1, "tid": 1, "ts": -at, "dur": longest, "name": names[at % 2]} for at in range(6)]
    events.append({**events[0], "ts": 9e17, "args": {"return_value": "1"}})
    file = tmp_path / "long.json"
    file.write_text(json.dumps({"traceEvents": events, "viztracer_metadata": {"version": "1.1"}}))
    assert import_file(shop, file).run is not None
    for profile in shop.profiles.values():
        assert 0 < profile.unit.total_ns < 2**59 and 0 <= profile.unit.min_ns <= profile.unit.max_ns < 2**59
    [run] = shop.index.runs()
    assert 0 < run.duration_ns < 2**59
