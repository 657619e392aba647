"""Span trees that do not fit into memory: what is put together early must come out as if it had been kept."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from tracelens_indexer.traces import trees
from tracelens_indexer.traces.records import Count, EdgeCount, Failure, Frame, Record
from tracelens_indexer.traces.report import Report
from tracelens_indexer.traces.trees import Threw, Trees


def spans(seed: int) -> Iterable[tuple[str, str, str, Frame, int, int, Threw | None]]:
    """400 traces of 30 spans, those of four traces at a time mixed, children before their parents."""
    chance = random.Random(seed)
    frames = [Frame("shop/a.py", f"f{n}", n + 1, "first") for n in range(12)]
    for group in range(100):
        batch = []
        for trace in range(4):
            name = f"{group}.{trace}"
            for span in reversed(range(30)):
                parent = f"{name}:{chance.randrange(span)}" if span else ""
                threw = Threw("ValueError", name) if chance.random() < 0.02 else None
                start = 1_000_000 + group * 10_000 + span * 10
                batch.append((f"{name}:{span}", parent, name, chance.choice(frames), start, 400 - 10 * span, threw))
        chance.shuffle(batch)
        yield from batch


def added_up(seed: int) -> tuple[list[Record], Report]:
    report = Report()
    found = Trees(report)
    for span, parent, trace, frame, start, duration, threw in spans(seed):
        found.add(span, parent, frame, start, duration, threw, trace=trace)
    records = list(found.records("exact"))
    assert len(found) == 12_000
    return sorted(records, key=repr), report


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_traces_that_are_put_together_early_say_the_same(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    at_once, _ = added_up(seed)
    monkeypatch.setattr(trees, "HELD", 900)
    monkeypatch.setattr(trees, "QUIET", 400)
    early, report = added_up(seed)
    assert plain(early) == plain(at_once)
    assert not report.skipped
    assert any(isinstance(record, Failure) for record in early)
    assert max(record.most for record in early if isinstance(record, EdgeCount)) > 1


def test_spans_that_come_after_their_trace_went_quiet_are_counted_as_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "HELD", 60)
    monkeypatch.setattr(trees, "QUIET", 20)
    found = Trees(Report())
    outer, inner = Frame("shop/a.py", "outer", 1, "first"), Frame("shop/a.py", "inner", 9, "first")
    found.add("a:1", "", outer, 5, 100, trace="a")
    for n in range(200):
        found.add(f"b{n}:1", "", inner, 5, 10, trace=f"b{n}")
    found.add("a:2", "a:1", inner, 10, 40, trace="a")
    counts = {record.frame.name: record for record in found.records("exact") if isinstance(record, Count)}
    assert (counts["outer"].calls, counts["outer"].self_ns) == (1, 100)
    assert counts["inner"].calls == 201


def plain(records: list[Record]) -> list[object]:
    """Counts with their histogram in order: the order in which spans are met is no part of what they say."""
    return sorted(
        (
            repr((record.frame, record.calls, record.total_ns, record.self_ns, sorted(record.durations)))
            if isinstance(record, Count)
            else repr(record)
        )
        for record in records
    )


def test_a_stream_holds_no_more_than_its_open_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "HELD", 900)
    monkeypatch.setattr(trees, "QUIET", 400)
    found = Trees(Report())
    most = 0
    for span, parent, trace, frame, start, duration, threw in spans(4):
        found.add(span, parent, frame, start, duration, threw, trace=trace)
        most = max(most, len(found._ids))
    assert most < 3_000
