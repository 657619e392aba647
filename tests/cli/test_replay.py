"""tracelens replay: recorded calls made again with the code as it is now."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tracelens.replay import sandbox
from tracelens.replay.sandbox import NoSandbox

from .conftest import Run

pytestmark = pytest.mark.skipif(
    isinstance(sandbox.probe(sys.executable), NoSandbox), reason="no sandbox on this machine"
)
PYTHON = ("--python", sys.executable)


@pytest.fixture
def recorded(recorded_shop: Path, tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    shutil.copytree(recorded_shop, root)
    return root


@pytest.fixture
def shop(recorded: Path) -> Path:
    return recorded


def test_unchanged_code_gives_the_same(shop: Path, tracelens: Run) -> None:
    for unit in ("apply_discount", "normalise", "make_orders", "Order.from_record"):
        done = tracelens("replay", unit, *PYTHON)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "still give the same result" in done.stdout and "another" not in done.stdout


def test_an_edit_shows_what_would_have_been_otherwise(shop: Path, tracelens: Run) -> None:
    file = shop / "shop/inventory.py"
    file.write_text(file.read_text().replace("return sku.strip().upper()", "return sku.upper()"))
    done = tracelens("replay", "normalise", *PYTHON, "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["other"] > 0 and told["recorded_before_change"] == len(told["calls"])
    other = next(call for call in told["calls"] if call["state"] == "other")
    assert other["now"]["result"][1] != other["recorded"]["result"][1] == other["difference"].rpartition("it was ")[2]
    assert other["id"].startswith("c:")

    one = tracelens("replay", "normalise", "--call", other["id"], *PYTHON)
    assert one.returncode == 1 and one.stdout.startswith("shop.inventory.normalise: 0 of 1 recorded call ")


def test_another_argument_shows_what_would_have_happened(shop: Path, tracelens: Run) -> None:
    done = tracelens("replay", "apply_discount", "--with", "price=0.0", "--limit", "1", *PYTHON)
    assert done.returncode == 1
    assert "raises ZeroDivisionError" in done.stdout and "give the same with price=0.0" in done.stdout.replace(
        "s ", " "
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--with", "prce=1"], "no such parameter; it has: price, tier"),
        (["--with", "price=open('x')"], "not a Python literal"),
        (["--with", "price"], "NAME=VALUE"),
        (["--call", "c:fffff"], "no kept call"),
    ],
)
def test_bad_input_is_one_line(shop: Path, tracelens: Run, arguments: list[str], said: str) -> None:
    done = tracelens("replay", "apply_discount", *arguments, *PYTHON)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_code_that_cannot_be_called_any_more_is_said(shop: Path, tracelens: Run) -> None:
    file = shop / "shop/pricing.py"
    before = file.read_text()
    file.write_text("def broken(:\n" + before)
    done = tracelens("replay", "apply_discount", *PYTHON)
    assert done.returncode == 3 and "SyntaxError" in done.stdout
    file.write_text(before.replace("def apply_discount(price", "def apply_discount(amount"))
    done = tracelens("replay", "apply_discount", *PYTHON)
    assert done.returncode == 3 and "there is no parameter price any more" in done.stdout


def test_code_that_loops_exits_or_forks_is_another_outcome(shop: Path, tracelens: Run) -> None:
    file = shop / "shop/inventory.py"
    before = file.read_text()
    for body, said in (
        ("while True: pass", "not done after 1 s"),
        ("import os; os._exit(0)", "it ended its process"),
        ("raise SystemExit(4)", "raises SystemExit"),
    ):
        file.write_text(before.replace("return sku.strip()", f"{body}\n    return sku.strip()"))
        done = tracelens("replay", "normalise", "--seconds", "1", "--limit", "2", *PYTHON)
        assert done.returncode == 1 and said in done.stdout, done.stdout + done.stderr
    assert sorted(one.name for one in shop.iterdir() if not one.name.startswith(".")) == [
        "README.md",
        "pyproject.toml",
        "shop",
        "tests",
    ]
