"""How numbers, times and untrusted text are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens.answers import render, words
from tracelens.answers.text import Bars, Link, Piece, code, line


@pytest.mark.parametrize(
    ("nanoseconds", "told"),
    [
        (12, "12 ns"),
        (1_500, "1.5 µs"),
        (85_000, "85 µs"),
        (200_000, "0.2 ms"),
        (3_100_000, "3.1 ms"),
        (12_300_000, "12 ms"),
        (999_600_000, "1,000 ms"),
        (1_200_000_000, "1.2 s"),
        (95e9, "95 s"),
    ],
)
def test_durations_have_two_digits(nanoseconds: float, told: str) -> None:
    assert words.duration(nanoseconds) == told


def test_every_count_says_what_it_is() -> None:
    assert words.counted(1884, "call") == "1,884 calls"
    assert words.counted(1, "call") == "1 call"
    assert words.counted(942, "call", "at least") == "≥ 942 calls"
    assert words.counted(310, "sample", "estimated") == "~310 samples"
    assert (words.share(0.612, "estimated"), words.share(0.12), words.share(0.0004)) == ("~61 %", "12 %", "<1 %")


def test_a_share_of_values_is_never_none_of_some_or_all_of_almost_all() -> None:
    assert words.percentage(1, 100_000) == "<1 %"
    assert words.percentage(99_999, 100_000) == ">99 %"
    assert (words.percentage(3, 3), words.percentage(0, 3)) == ("100 %", "0 %")


def test_times_are_told_from_now() -> None:
    now = 1_780_000_000_000_000_000
    told = [words.ago(now - seconds * 10**9, now) for seconds in (5, 120, 7200, 5 * 86400, 400 * 86400)]
    assert told == ["just now", "2 min ago", "2 h ago", "5 days ago", "2025-04-23"]
    assert words.ago(0, now) == ""


def test_names_are_short_but_clear() -> None:
    assert words.near("shop.service.checkout", "shop.pricing") == "service.checkout"
    assert words.near("shop.pricing.total.<locals>.<genexpr>", "shop.pricing") == "pricing.total.<genexpr>"
    assert words.near("other.f", "shop.pricing") == "other.f"
    assert words.test_name("tests/test_shop.py::TestCart::test_free[gold]") == "test_free[gold]"


@given(st.text(), st.integers(2, 200))
def test_cleaned_text_is_one_bounded_visible_line(text: str, longest: int) -> None:
    cleaned = words.clean(text, longest)
    assert len(cleaned) <= longest
    assert cleaned.isprintable() or set(cleaned) <= {c for c in cleaned if c.isprintable() or c.isspace()}
    assert not set("\n\r\t\x1b\u202e\u2066\u200b") & set(cleaned)


@given(st.text(alphabet=st.sampled_from("`a b*[](\\")))
def test_nothing_leaves_a_code_span(text: str) -> None:
    span = words.code_span(words.clean(text))
    fence = span[: len(span) - len(span.lstrip("`"))]
    inside = span[len(fence) : len(span) - len(fence)]
    assert fence and span.endswith(fence)
    assert fence not in inside


def test_markdown_and_plain_say_the_same() -> None:
    blocks = ((line(Piece("f", "strong"), " — 2 calls"),), (line(code("a|b"), label="x"), line("1", label="longer")))
    assert render.plain(blocks) == "f — 2 calls\n\nx       a|b\nlonger  1"
    assert render.markdown(blocks) == "**`f`** — 2 calls\n\n`x` `a|b`  \n`longer` 1"


def test_links_are_written_only_where_commands_may_run() -> None:
    links = [Link("Calls", "tracelens.showCalls", ("u:1",))]
    assert "command:" not in render.markdown((), None, links)
    shown = render.markdown((), None, links, commands=True)
    assert shown == "[Calls](command:tracelens.showCalls?%5B%22u%3A1%22%5D)"


def test_bars_cannot_leave_their_fence() -> None:
    text = render.markdown((), Bars((("```\nx", 0.5, "50 %"),)))
    assert text.startswith("````text\n") and text.endswith("\n````")
