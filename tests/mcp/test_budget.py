"""Every answer fits its budget, says what it left out, and marks what is data."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens.answers import calls
from tracelens.answers.snapshot import IndexSnapshot
from tracelens.mcp import fixes, tools
from tracelens.mcp.budget import LEAST, Answer, fit, tokens
from tracelens.mcp.marking import data
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import CaptureRecord

_answers = st.builds(
    Answer,
    title=st.text(max_size=400),
    entries=st.lists(st.text(max_size=600), max_size=30).map(tuple),
    noun=st.sampled_from(["units", "calls", ""]),
    more=st.one_of(st.none(), st.just(lambda n: f'calls(unit="u:1ebc0280", where="x < {n}", offset={n})')),
    total=st.integers(0, 10_000),
    next=st.text(max_size=300),
)


@given(_answers, st.integers(-5, 3_000))
def test_an_answer_fits_its_budget(answer: Answer, budget: int) -> None:
    assert tokens(fit(answer, budget)) <= max(LEAST, budget)


@given(st.lists(st.text("abcdefgh ", min_size=1, max_size=60), min_size=1, max_size=40), st.integers(LEAST, 800))
def test_what_is_left_out_is_counted_and_can_be_got(entries: list[str], budget: int) -> None:
    answer = Answer("title", tuple(f"<{entry}>" for entry in entries), "units", lambda n: f"more(offset={n})")
    text = fit(answer, budget)
    shown = len(re.findall(r"^<.*>$", text, re.MULTILINE))
    if shown == len(entries):
        assert "left out" not in text
    else:
        assert f"left out: {len(entries) - shown} units. To see: more(offset={shown})" in text


@given(st.text(max_size=1_000))
def test_recorded_text_cannot_leave_its_marks(text: str) -> None:
    marked = data(text)
    assert "\n" not in marked and "\x1b" not in marked
    if marked.startswith("⟦"):
        assert marked.count("⟦") == marked.count("⟧") == 1 and marked.endswith("⟧")
    else:
        assert not re.search(r"\s", marked) and len(marked) <= 60


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_nothing_that_a_trace_says_stands_unmarked(name: str, value: str, outcome: str) -> None:
    capture = SimpleNamespace(
        id="c:1", unit=SimpleNamespace(name="f"), arguments=((name, "str", value),), outcome=f"x {outcome}",
        result=None, message=value, duration_ns=-1, caller=(name, value, 3), test=f"t.py::{value}",
        about=(("user", value), ("tags", name)),
    )  # fmt: skip
    told = calls.one(cast(CaptureRecord, capture), data)
    outside = re.sub("⟦[^⟧]*⟧", "", told)
    assert not set(outside) & {"⟦", "⟧"}
    # What is left are our own words and what cannot say anything: single plain words.
    assert len(told.splitlines()) <= 3
    assert all(part not in outside for part in (name, value, outcome) if re.search(r"\S\s+\S+\s+\S", part))


def test_pages_together_are_the_whole(recorded_shop: Path) -> None:
    index = Index.open(recorded_shop)
    snapshot = IndexSnapshot(index)
    seen: list[str] = []
    offset = 0
    while True:
        text = fit(tools.hot_paths(snapshot, offset), 400)
        seen += re.findall(r"\[(u:[0-9a-f]+)\]", text)
        match = re.search(r"hot_paths\(offset=(\d+)\)", text)
        if match is None:
            break
        assert int(match[1]) > offset
        offset = int(match[1])
    assert len(seen) == len(set(seen)) == len(index.hot(None, 1_000))


@pytest.mark.parametrize("budget", [1, 150, 400, 1_500])
def test_each_tool_fits_on_the_shop(recorded_shop: Path, budget: int) -> None:
    snapshot = IndexSnapshot(Index.open(recorded_shop))
    for answer in (
        tools.list_runs(snapshot),
        tools.hot_paths(snapshot),
        tools.profile(snapshot, "apply_discount"),
        tools.profile(snapshot, "shop/feed.py:12"),
        tools.list_failures(snapshot),
        tools.list_calls(snapshot, "apply_discount", "price == 0"),
        tools.list_calls(snapshot, "Order.from_record"),
        tools.call_graph(snapshot, "checkout", 4),
        tools.annotated_source(snapshot, "shop/pricing.py"),
        tools.doctor(snapshot),
        tools.doctor(snapshot, "shop/feed.py:12"),
    ):
        assert tokens(fit(answer, budget)) <= max(LEAST, budget)


def test_only_files_of_the_index_are_read(recorded_shop: Path) -> None:
    (recorded_shop.parent / "secret.py").write_text("password = 1\n")
    snapshot = IndexSnapshot(Index.open(recorded_shop))
    for place in ("../secret.py", "../secret.py:1-2", "/etc/passwd", "/etc/passwd:1-3", ".tracelens/index.db"):
        with pytest.raises(TraceLensError):
            tools.annotated_source(snapshot, place)


def test_a_short_id_names_the_same_unit(recorded_shop: Path) -> None:
    index = Index.open(recorded_shop)
    for unit in index.all_units():
        assert [found.id for found in index.find(f"u:{unit.id:x}"[:10])] == [unit.id]
    assert index.find("u:ffffffffffffffff") == [] and index.find("u:12") == []


def test_a_fix_is_told_with_its_verdict_and_never_as_applied() -> None:
    report = {
        "failure": "f:1", "type": "ZeroDivisionError", "unit": "shop.f", "sandbox": "bubblewrap", "tried": 2,
        "notes": [],
        "fixes": [
            {
                "title": "guard price == 0",
                "verdict": {"kind": "fixed", "words": "verified", "failing": [3, 3], "passing": [12, 12], "notes": []},
                "diff": "--- a/x\n+++ b/x\n-bad\n+good\u202e",
            }
        ],
    }  # fmt: skip
    text = fit(fixes.about(report, "f:1"))
    assert "failing 3 of 3 fixed, passing 12 of 12 same" in text and "+good�" in text
    assert "nothing was applied" in text
    for kind, told in {"fixed": "--apply", "stops": "--apply --choose 1", "regressed": "", "not verified": ""}.items():
        report["fixes"][0]["verdict"]["kind"] = kind  # type: ignore[index]
        last = fixes.about(report, "f:1").next
        assert last.endswith(told) and ("--apply" in last) == bool(told), "what would be refused is not suggested"
