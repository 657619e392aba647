"""Answers from a real index: what the marker files cannot hold."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers import recorded
from tracelens.answers import calls, hints, hover, nothing, render, symbols
from tracelens.answers.document import DocumentSnapshot, following, placed
from tracelens.answers.snapshot import IndexSnapshot
from tracelens.answers.values import contradicted, short
from tracelens_indexer.errors import NoIndex
from tracelens_indexer.source.outline import outline
from tracelens_indexer.store import Index
from tracelens_indexer.store.answers import Observation, Value

FILES = {
    "a.py": "def f(x):\n    return 1 / x\n\n\n"
    "def g(y):\n    return f(y)\n\n\n"
    "class C:\n    def m(self):\n        return 2\n"
}
_PIECES = ("", "\n", "def k():\n    pass\n", "(", ")", "é𝒳", "    ", '"""', "# c\n", "class D:\n", "x = lambda: 1\n")
CALLS = [
    {"call": "a.py:f", "args": {"x": 2}, "returns": 0.5, "times": 5, "ms": 1},
    {"call": "a.py:f", "args": {"x": 0}, "raises": "ZeroDivisionError: division by zero", "at": "1 / x"},
]


@pytest.fixture
def index(tmp_path: Path) -> IndexSnapshot:
    return IndexSnapshot(recorded.workspace(tmp_path / "w", FILES, CALLS))


def test_the_terminal_prints_the_words_of_the_editor(index: IndexSnapshot) -> None:
    unit = index.index.find("a.f")[0]
    profile = index.index.profile(unit.id)
    assert profile
    answer = hover.about_unit(profile, index.index, recorded.NOW)
    document = DocumentSnapshot("a.py", FILES["a.py"].encode())
    shown = hover.hover(document, index, document.name_span(document.units[1]).start, recorded.NOW)
    assert shown
    assert render.plain(answer.blocks) == render.plain(shown.answer.blocks)


def test_always_is_said_only_where_every_call_was_counted(tmp_path: Path) -> None:
    """Of a unit that some of its calls passed by uncounted, every call that is known has its values."""
    index = recorded.workspace(tmp_path, FILES, CALLS[:1])
    profile = index.profile(index.find("a.f")[0].id)
    assert profile and short(profile.observations[0], profile) == "always 2"
    assert short(profile.observations[0], replace(profile, counting="at least")) == "seen 2"
    index.close()


def test_an_edited_file_on_disk_that_is_indexed_is_stale(index: IndexSnapshot) -> None:
    path = index.root / "a.py"
    path.write_text(path.read_text().replace("1 / x", "2 / x"))
    recorded.index(index.root)
    fresh = IndexSnapshot(index.index)
    profile = fresh.profile(index.index.find("a.f")[0].id)
    assert profile and profile.state == "stale"
    text = render.plain(hover.about_unit(profile, index.index, recorded.NOW).blocks)
    assert text.startswith("changed since recorded: f — 6 calls")


def test_the_calls_of_a_failure_are_those_that_failed(index: IndexSnapshot) -> None:
    [failure] = [failure for failure in index.index.failures() if failure.origin]
    text = calls.listing("failing", calls.of_failure(index, failure))
    assert "f(x=0)" in text and "f(x=2)" not in text


def test_why_nothing_is_shown_always_ends_with_what_to_do(index: IndexSnapshot, tmp_path: Path) -> None:
    told = nothing.why(index, "a.py", index.index.find("a.g")[0])
    assert told.line == "a.g (a.py:5): no calls in 1 run. tracelens record -- pytest"
    assert nothing.why(index, "b.py", None).line == (
        "b.py: there is no such file in this workspace. name it from the root of the workspace"
    )
    assert nothing.why(index, "a.py", index.index.find("a.f")[0]).todo == ""
    empty = recorded.write(tmp_path / "empty", FILES)
    with pytest.raises(NoIndex) as error:
        Index.open(empty)
    assert nothing.no_index(str(error.value), "empty").todo == "tracelens index"
    recorded.index(empty)
    unrecorded = IndexSnapshot(Index.open(empty))
    assert "no runs yet" in nothing.why(unrecorded, "a.py", None).line


def test_symbols_are_found_by_name_and_what_search_adds_comes_after(index: IndexSnapshot) -> None:
    method = index.index.find("a.C.m")[0]
    assert [s.name for s in symbols.symbols(index, "C", [method.id, 12345])] == ["C", "m"]
    assert [s.name for s in symbols.symbols(index, "g", [method.id])][-1] == "m"


def test_hints_are_never_longer_than_thirty_characters(tmp_path: Path) -> None:
    call = {"call": "a.py:f", "args": {"x": 1}, "returns": 1, "times": 12_345, "ms": 123.4}
    index = IndexSnapshot(recorded.workspace(tmp_path / "w", FILES, [call]))
    document = DocumentSnapshot("a.py", FILES["a.py"].encode())
    [hint] = hints.hints(document, index, "all")
    assert hint.label == "12,345 calls · 100%"
    changed = following(document, document.text.replace(b"1 / x", b"1 // x"), 2)
    [hint] = hints.hints(changed, index, "all")
    assert hint.label == "was 12,345 calls · 100%"


def test_units_are_kept_only_while_the_text_does_not_parse() -> None:
    before = DocumentSnapshot("a.py", FILES["a.py"].encode())
    assert len(before.units) == 5
    broken = following(before, b"x = (\n" + before.text, 2)
    names = {unit.scope: unit.def_line for unit in broken.units}
    assert names["g"] == 6 and names["C.m"] == 11
    # Gone for good: the `def` line itself was taken out.
    without = following(broken, broken.text.replace(b"def g(y):\n", b""), 3)
    assert "g" not in {unit.scope for unit in without.units}
    # Text that parses is taken at its word, also where it hides a function in a string.
    hidden = following(before, b'"""' + before.text + b'"""\n', 2)
    assert {unit.scope for unit in hidden.units} == {"<module>"}


def test_a_renamed_function_is_recognised_only_when_one_has_its_body(index: IndexSnapshot) -> None:
    records = index.units_in("a.py")
    f = next(record for record in records if record.scope == "f")
    renamed = DocumentSnapshot("a.py", FILES["a.py"].replace("def f", "def h").encode())
    assert placed(renamed, records)[f.id].scope == "h"
    twice = DocumentSnapshot("a.py", renamed.text + b"\n\ndef k(x):\n    return 1 / x\n")
    assert f.id not in placed(twice, records)


@pytest.mark.parametrize(
    ("annotation", "seen", "told"),
    [
        ("str", ["str", "NoneType"], True),
        ("str | None", ["str", "NoneType"], False),
        ("Optional[str]", ["NoneType"], False),
        ("float", ["int"], False),
        ("int", ["float"], True),
        ("list[int]", ["tuple"], True),
        ("Order", ["NoneType"], False),
        ("", ["str"], False),
        ('"str"', ["int"], True),
    ],
)
def test_only_plain_annotations_are_contradicted(annotation: str, seen: list[str], told: bool) -> None:
    values = tuple(Value(kind, "…", "", 1) for kind in seen)
    assert contradicted(annotation, Observation("x", len(seen), values, ())) is told


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30), st.sampled_from(_PIECES)), max_size=6))
def test_units_after_edits_are_those_of_the_text_alone(edits: list[tuple[int, int, str]]) -> None:
    """Parsing only what changed gives what parsing everything gives."""
    text = FILES["a.py"]
    document = DocumentSnapshot("a.py", text.encode())
    for version, (start, length, piece) in enumerate(edits):
        text = text[:start] + piece + text[start + length :]
        document = following(document, text.encode(), version)
        if version % 2:
            assert document.units
    found = [unit for unit in document.units if unit not in document.kept]
    assert found == [unit for unit in outline(text.encode()) if unit not in document.kept]


def test_the_lines_of_an_edited_document_begin_where_those_of_a_new_one_would() -> None:
    draw = random.Random(3)
    document = DocumentSnapshot("a.py", b"a\nbc\n\n d\ne")
    for version in range(2_000):
        text = document.text.decode()
        start = draw.randrange(len(text) + 1)
        edited = text[:start] + draw.choice(["", "\n", "x", "\n\n", "q\nz", "é"]) + text[start + draw.randrange(4) :]
        document = following(document, edited[:40].encode(), version)
        assert document.line_starts == DocumentSnapshot("a.py", document.text).line_starts
