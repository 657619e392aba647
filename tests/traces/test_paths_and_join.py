"""Paths of traces find their files, frames find their units, and what is not certain is said and never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracelens_indexer.source.outline import outline
from tracelens_indexer.traces.join import Joined, Joiner, Unjoined
from tracelens_indexer.traces.paths import Ambiguous, External, Paths
from tracelens_indexer.traces.records import Frame

MODULES = {
    "src/shop/__init__.py": "shop",
    "src/shop/pricing.py": "shop.pricing",
    "src/shop/utils/helpers.py": "shop.utils.helpers",
    "tests/test_shop.py": "test_shop",
    "a/models.py": "models",
    "b/models.py": "models",
    "run.py": "run",
}
PATHS = Paths(MODULES, "/home/me/project", [("/bazel/out", "src")])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("src/shop/pricing.py", "src/shop/pricing.py"),
        ("./src/shop/pricing.py", "src/shop/pricing.py"),
        ("/home/me/project/src/shop/pricing.py", "src/shop/pricing.py"),
        ("file:///home/me/project/src//shop/./pricing.py", "src/shop/pricing.py"),
        ("/app/shop/pricing.py", "src/shop/pricing.py"),
        ("/app/src/shop/pricing.py", "src/shop/pricing.py"),
        ("C:\\ci\\project\\src\\shop\\pricing.py", "src/shop/pricing.py"),
        ("shop/pricing.py", "src/shop/pricing.py"),
        ("pricing.py", "src/shop/pricing.py"),
        ("../project/tests/test_shop.py", "tests/test_shop.py"),
        ("/venv/lib/python3.12/site-packages/shop/pricing.py", "src/shop/pricing.py"),
        ("/venv/lib/python3.12/site-packages/shop/__init__.py", "src/shop/__init__.py"),
        ("/bazel/out/shop/pricing.py", "src/shop/pricing.py"),
        ("/srv/run.py", "run.py"),
        ("/srv/app.pyz/shop/pricing.py", "src/shop/pricing.py"),
        ("/root/.pex/installed_wheels/1f/shop-1.0-py3-none-any.whl/shop/pricing.py", "src/shop/pricing.py"),
        ("/root/.shiv/app_9f/site-packages/shop/pricing.py", "src/shop/pricing.py"),
        ("/venv/lib/python3.9/site-packages/shop-1.0-py3.9.egg/shop/pricing.py", "src/shop/pricing.py"),
        ("C:\\venv\\Lib\\site-packages\\shop\\pricing.py", "src/shop/pricing.py"),
        ("\\\\server\\share\\project\\src\\shop\\pricing.py", "src/shop/pricing.py"),
        ("file:///C:/my%20project/src/shop/pricing.py", "src/shop/pricing.py"),
        ("/home/me/project/.worktrees/feature/src/shop/pricing.py", "src/shop/pricing.py"),
        ("/home/me/project-feature/src/shop/pricing.py", "src/shop/pricing.py"),
        ("/x/bin/app.runfiles/_main/src/shop/pricing.py", "src/shop/pricing.py"),
        ("/var/task/shop/utils/helpers.py", "src/shop/utils/helpers.py"),
    ],
)
def test_a_path_finds_its_file(raw: str, expected: str) -> None:
    assert PATHS.find(raw) == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "interpreter"),
        ("~", "interpreter"),
        ("<string>", "interpreter"),
        ("<frozen importlib._bootstrap>", "interpreter"),
        ("/usr/lib/python3.12/asyncio/runners.py", "standard library"),
        ("/usr/lib/python3.13t/json/decoder.py", "standard library"),
        ("C:\\Python312\\Lib\\json\\decoder.py", "standard library"),
        ("C:\\Users\\me\\miniconda3\\envs\\x\\Lib\\json\\decoder.py", "standard library"),
        ("C:\\uv\\python\\cpython-3.12.1-windows-x86_64-none\\Lib\\typing.py", "standard library"),
        ("C:\\work\\Lib\\pricing.py", "outside the workspace"),
        ("/venv/lib/python3.9/site-packages/other-1.0-py3.9.egg/other/pricing.py", "third party"),
        ("/home/me/project/.venv/lib/python3.12/site-packages/yaml/loader.py", "third party"),
        ("/tmp/ipykernel_71/1234.py", "outside the workspace"),
        ("/venv/lib/python3.12/site-packages/yaml/loader.py", "third party"),
        ("/usr/lib/python3/dist-packages/shop_other/pricing.py", "third party"),
        ("/venv/lib/python3.12/site-packages/other/utils/helpers.py", "third party"),
        ("/opt/other/pricing.py", "outside the workspace"),
        ("/opt/other/utils/helpers.py", "outside the workspace"),
        ("/opt/other/unknown.py", "outside the workspace"),
    ],
)
def test_what_is_not_ours_says_what_it_is(raw: str, reason: str) -> None:
    assert PATHS.find(raw) == External(reason)


def test_two_files_that_fit_alike_are_ambiguous() -> None:
    found = PATHS.find("models.py")
    assert found == Ambiguous("could be a/models.py, b/models.py")
    assert PATHS.find("/app/b/models.py") == "b/models.py"


@given(st.text(max_size=60))
def test_any_text_is_some_kind_of_path(raw: str) -> None:
    assert isinstance(PATHS.find(raw), str | External | Ambiguous)


SOURCE = b"""\
import functools

@functools.lru_cache(
    maxsize=None,
)
def rate(country):
    return 1

def outer(x):
    pick = lambda t: t
    def clamp(y):
        return max(0, y)
    return sum(clamp(i) for i in x)

class A:
    size = 3
    def run(self):
        return 1

class B:
    def run(self):
        return 2

two = lambda a: a, lambda b: b
"""


def join(name: str, line: int) -> object:
    joiner = Joiner(lambda path: outline(SOURCE), Paths({"m.py": "m"}))
    found = joiner.join(Frame("m.py", name, line))
    return found.unit.scope if isinstance(found, Joined) else found


@pytest.mark.parametrize(
    ("name", "line", "scope"),
    [
        ("rate", 3, "rate"),
        ("rate", 6, "rate"),
        ("rate", 7, "rate"),
        ("<lambda>", 10, "outer.<locals>.<lambda>"),
        ("outer.<locals>.clamp", 12, "outer.<locals>.clamp"),
        ("<genexpr>", 13, "outer.<locals>.<genexpr>"),
        ("outer", 13, "outer"),
        ("", 13, "outer.<locals>.<genexpr>"),
        ("A", 15, "A"),
        ("A", 16, "A"),
        ("run", 18, "A.run"),
        ("run", 21, "B.run"),
        ("B.run", 0, "B.run"),
        ("<module>", 0, "<module>"),
        ("<module>", 1, "<module>"),
        ("<module>", 24, "<module>"),
    ],
)
def test_a_frame_finds_its_unit_under_every_line_convention(name: str, line: int, scope: str) -> None:
    assert join(name, line) == scope


def test_what_cannot_be_told_apart_is_ambiguous() -> None:
    assert isinstance(join("<lambda>", 24), Ambiguous)
    assert isinstance(join("run", 0), Ambiguous)


def test_what_is_not_there_says_why() -> None:
    assert join("gone", 3) == Unjoined("no unit of that name in the file")
    assert join("rate", 13) == Unjoined("the line is in no unit of that name")
    assert Joiner(lambda path: (), Paths(["m.py"])).join(Frame("m.py", "f", 1)) == Unjoined(
        "the file has no units in the index"
    )


def test_the_summary_counts_distinct_frames_by_reason() -> None:
    joiner = Joiner(lambda path: outline(SOURCE), Paths({"m.py": "m"}))
    for frame in (
        Frame("m.py", "rate", 3),
        Frame("m.py", "rate", 3),
        Frame("<string>", "x", 1),
        Frame("m.py", "no", 1),
    ):
        joiner.join(frame)
    summary = joiner.summary()
    assert (summary.joined, summary.external) == (1, {"interpreter": 1})
    assert summary.unjoined == {"no unit of that name in the file": 1}
    assert summary.examples == ("m.py:1 no: no unit of that name in the file",)
