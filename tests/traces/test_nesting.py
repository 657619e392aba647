"""Columns say what one-by-one would: JSON items decoded together, spans nested and added up."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracelens_indexer.profiles.histogram import bucket
from tracelens_indexer.profiles.rows import REPEATED
from tracelens_indexer.traces import json_stream, spans
from tracelens_indexer.traces.json_stream import Broken, JsonStream
from tracelens_indexer.traces.records import Count, EdgeCount, Failure, Frame
from tracelens_indexer.traces.spans import Spans

TEXTS = st.sampled_from(["", 'a, {"ph": 1}', '{"ph":"X"}', "}, {", "[1]", "ü\u2028", "\\"]) | st.text(max_size=8)
EVENTS = st.dictionaries(st.sampled_from(["ph", "name", "args", "ts"]), TEXTS | st.integers() | st.none())
ITEM = st.fixed_dictionaries({"ph": TEXTS, "args": EVENTS})


def items(text: str, block: int) -> list[Any]:
    with patch.object(json_stream, "BLOCK", block):
        document = JsonStream(io.BytesIO(text.encode()))
        assert document.start() == "["
        return list(document.items())


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.fixed_dictionaries({"ph": TEXTS, "args": EVENTS})), st.integers(1, 200), st.sampled_from([",", " ,\n"])
)
def test_items_decoded_together_are_those_decoded_one_at_a_time(events: list[Any], block: int, comma: str) -> None:
    assert items(json.dumps(events, separators=(comma, ":")), block) == events
    assert items("[" + comma.join(map(json.dumps, events)) + "]", block) == events


@pytest.mark.parametrize("strange", ['{"ph":NaN}', '{"ph":"a\tb"}', '{"ph":"\\ud800"}', '{"ph":1e999}', "7", "[[]]"])
def test_what_is_not_quite_json_is_read_as_before(strange: str) -> None:
    around = '{"ph":1},' * 5
    told = items(f"[{around}{strange},{around[:-1]}]", 1 << 20)
    assert [one for one in told if one == {"ph": 1}] == [{"ph": 1}] * 10 and len(told) == 11


def test_a_cut_array_gives_what_came_before_the_cut() -> None:
    text = json.dumps([{"ph": "X", "n": n} for n in range(50)])
    document = JsonStream(io.BytesIO(text[: len(text) // 2].encode()))
    document.start()
    found = []
    with pytest.raises(Broken):
        for item in document.items():
            found.append(item["n"])
    assert found == list(range(len(found))) and len(found) >= 23


SPAN = st.tuples(
    st.integers(0, 3), st.integers(0, 1), st.integers(0, 40), st.integers(0, 30), st.sampled_from(["", "a", "b"])
)
FRAMES = [Frame("a.py", "f", 1), Frame("a.py", "g", 9), Frame("", "len", 0), Frame("b.py", "h", 1)]


@settings(max_examples=200, deadline=None)
@given(st.lists(SPAN, max_size=40))
def test_spans_add_up_as_they_nest(made: list[tuple[int, int, int, int, str]]) -> None:
    with patch.object(spans, "_BLOCK", 7):
        collected = Spans()
        collected.frames = list(FRAMES)
        for frame, thread, start, duration, raised in made:
            collected.add(frame, thread, float(start), float(duration))
            if raised:
                collected.last_raised(raised, "m")
        records = list(collected.records("exact"))
    counts, edges, failures = reference(made)
    assert counts == {
        FRAMES.index(one.frame): (one.calls, one.errors, one.total_ns, one.self_ns, dict(one.durations))
        for one in records
        if isinstance(one, Count)
    }
    assert edges == {
        (FRAMES.index(e.caller), FRAMES.index(e.callee)): (e.calls, e.total_ns, e.self_ns, e.most, e.repeats)
        for e in records
        if isinstance(e, EdgeCount)
    }
    assert Counter(
        (one.type, tuple(FRAMES.index(entry.frame) for entry in one.stack))
        for one in records
        if isinstance(one, Failure)
    ) == Counter(failures)


def reference(
    made: list[tuple[int, int, int, int, str]],
) -> tuple[dict[int, Any], dict[tuple[int, int], Any], list[tuple[str, tuple[int, ...]]]]:
    """One span after the other, with a stack: [end, frame, start, own, raised, raised inside, callees, outermost]."""
    totals: dict[int, list[Any]] = {}
    edges: dict[tuple[int, int], list[int]] = {}
    failures: list[tuple[str, tuple[int, ...]]] = []
    stack: list[list[Any]] = []

    def close() -> None:
        end, frame, start, own, raised, inside, callees, outermost = stack.pop()
        total = totals.setdefault(frame, [0, 0, 0, 0, Counter()])
        total[0] += 1
        total[1] += bool(raised)
        total[2] += (end - start) * outermost
        total[3] += max(0, own)
        total[4][bucket((end - start) * 1000)] += 1
        for callee, n in callees.items():
            edge = edges[frame, callee]
            edge[3] = max(edge[3], n)
            edge[4] += n >= REPEATED
        located = bool(FRAMES[frame].path)
        if stack:
            around = stack[-1]
            around[3] -= end - start
            around[5] = (raised if located else inside) or around[5]
            around[6][frame] += 1
            edge = edges.setdefault((around[1], frame), [0, 0, 0, 0, 0])
            edge[0] += 1
            edge[1] += end - start
            edge[2] += max(0, own)
        if raised and located and raised != inside:
            passed = [frame]
            for one in reversed(stack):
                if not FRAMES[one[1]].path:
                    continue
                if one[4] != raised:
                    break
                passed.append(one[1])
            failures.append((raised, tuple(reversed(passed))))

    thread = -1
    for at in sorted(range(len(made)), key=lambda n: (made[n][1], made[n][2], -made[n][3], -n)):
        frame, its, start, duration, raised = made[at]
        while stack and (its != thread or stack[-1][0] <= start):
            close()
        thread = its
        end = min(start + duration, stack[-1][0]) if stack else start + duration
        stack.append([end, frame, start, end - start, raised, "", Counter(), all(one[1] != frame for one in stack)])
    while stack:
        close()
    return (
        {f: (t[0], t[1], t[2] * 1000, t[3] * 1000, dict(t[4])) for f, t in totals.items()},
        {key: (e[0], e[1] * 1000, e[2] * 1000, e[3], e[4]) for key, e in edges.items()},
        failures,
    )
