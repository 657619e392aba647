"""Which runs the words of --run, of the editor's choice and of agents mean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tracelens.answers.choose import choices, chosen, runs_named
from tracelens.answers.selecting import BadChoice, selected
from tracelens_indexer.store import Index

from . import recorded

DAY = 86_400_000_000_000
FILES = {"shop.py": "def price(qty):\n    return qty\n"}


def call(test: str = "") -> dict[str, object]:
    return {"call": "shop.py:price", "args": {"qty": 1}, "returns": 1, "test": test}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """Runs 1 to 4, the oldest first: pytest in staging, then "nightly run", then pytest in "our ci" and without one."""
    root = recorded.write(tmp_path_factory.mktemp("selecting"), FILES)
    recorded.index(root)
    gold = [call("tests/test_shop.py::test_gold[1]"), call("tests/test_shop.py::test_tin")]
    recorded.record(root, gold, "pytest", recorded.NOW - 9 * DAY, environment="staging", commit="3fa9c1d2e4")
    recorded.record(root, [call()], "nightly run", recorded.NOW - 3 * DAY, environment="staging", commit="77aa")
    tin = [call("tests/test_shop.py::test_tin")]
    recorded.record(root, tin, "pytest", recorded.NOW - 2 * DAY, environment="our ci", commit="3fa9ffff")
    recorded.record(root, [call(), call()], "pytest", recorded.NOW - DAY)
    opened = Index.open(root)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("2", (2,)),
        ("nightly run", (2,)),
        ("pytest", (4,)),
        ("latest", (4,)),
        ("all", (4, 3, 2, 1)),
        ("current", (4, 2)),
        ("name:pytest", (4, 3, 1)),
        ("env:staging", (2, 1)),
        ("environment:staging", (2, 1)),
        ("'env:our ci'", (3,)),
        ("commit:3FA9", (3, 1)),
        ("commit:3fa9 env:staging", (1,)),
        ("since:4d", (4, 3, 2)),
        ("until:4d", (1,)),
        ("since:10d until:50h", (2, 1)),
        ("latest env:staging", (2,)),
        ("current env:staging", (2, 1)),
        ("test:tests/test_shop.py::test_tin", (3, 1)),
        ("test:test_tin", (3, 1)),
        ("test:tests/test_shop.py", (3, 1)),
        ("test:test_shop.py", (3, 1)),
        ("test:tests/test_shop.py::test_gold", (1,)),
        ("test:test_gold[1]", (1,)),
        ("test:test_shop.py::test_tin since:4d", (3,)),
        ("run:3", (3,)),
        ("tool:test service:x run:1", None),
    ],
)
def test_words_that_must_all_hold_choose_runs(index: Index, text: str, runs: tuple[int, ...] | None) -> None:
    if runs is None:
        with pytest.raises(BadChoice):
            selected(index, text, recorded.NOW)
    else:
        assert selected(index, text, recorded.NOW) == runs


def test_several_choices_add_up_and_none_is_the_current_runs(index: Index) -> None:
    assert runs_named(index, ()) is None
    assert runs_named(index, ("1", "env:staging")) == (1, 2)
    assert runs_named(index, ("since:2020-01-01 until:2020-01-02T10:00", "1")[1:]) == (1,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing", "there is no run 'nothing'. `tracelens runs` lists them"),
        ("env:prod", "no run is env:prod: env is one of our ci, staging"),
        ("commit:dead latest", "commit is one of 3fa9ffff, 77aa"),
        ("since:yesterday", "'yesterday' is no time; write an age (30m, 2d) or a date (2026-11-20)"),
        ("since:99999-01-01", "is no time"),
        ("env:staging colour:blue", "'colour:blue' is no condition"),
        ("service:web", "none says its service"),
        ("test:test_none", "no run is test:test_none"),
        ("'env:staging", "No closing quotation"),
        ("since:2020-01-01 until:2020-01-02", "the latest began "),
    ],
)
def test_what_no_run_is_says_what_there_is(index: Index, text: str, said: str) -> None:
    with pytest.raises(BadChoice) as refused:
        selected(index, text, recorded.NOW)
    assert said in str(refused.value)


def test_a_choice_that_is_too_long_is_refused_not_cut(index: Index) -> None:
    """What is cut off would have narrowed it: `--drop` would forget more than was meant."""
    long = " ".join(["env:staging"] * 100) + " since:1s"
    with pytest.raises(BadChoice, match="1,000 characters"):
        selected(index, long)


def test_each_choice_that_is_offered_can_be_chosen(index: Index) -> None:
    offered = {one.title: chosen(index, one.id) for one in choices(index)}
    assert offered["Current runs"] is None
    assert offered["Environment our ci"] == (3,)
    assert offered["Environment staging"] == (2, 1)
    assert offered["nightly run"] == (2,)
    assert offered["All runs"] == (4, 3, 2, 1)
    assert chosen(index, "run:99") is None
    assert chosen(index, "'env:") is None
