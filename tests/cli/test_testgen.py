"""tracelens test: tests from recorded calls that pass, fail where they should, and overwrite nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
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
def shop(recorded_shop: Path, tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    shutil.copytree(recorded_shop, root)
    return root


def ran(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", name]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)


def test_tests_of_a_unit_are_appended_in_the_files_style(shop: Path, tracelens: Run) -> None:
    file = shop / "tests/test_shop.py"
    before = file.read_text()
    shown = tracelens("test", "apply_discount", *PYTHON, "--json")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    told = json.loads(shown.stdout)
    assert told["path"] == "tests/test_shop.py" and not told["new"]
    assert told["noticed"] >= 0.6 * told["mutants"] > 0
    assert file.read_text() == before, "nothing is written unless asked for"
    assert any("ZeroDivisionError" in one["why"] for one in told["left_out"]), "a defect is not set down as wanted"

    seen = json.loads(tracelens("test", "apply_discount", *PYTHON, "--strategies", "--json").stdout)
    assert "price=st.floats(" in seen["text"] and seen["result"] == "passed", seen

    written = tracelens("test", "apply_discount", *PYTHON, "--write")
    assert written.returncode == 0 and "appended to tests/test_shop.py" in written.stderr
    assert all(line in file.read_text().splitlines() for line in before.splitlines())
    passed = ran(shop, "test_apply_discount")
    assert passed.returncode == 0, passed.stdout
    pricing = shop / "shop/pricing.py"
    pricing.write_text(pricing.read_text().replace("price - ", "price + "))
    assert ran(shop, "test_apply_discount").returncode == 1


def test_the_test_of_a_failure_fails_before_the_fix_and_passes_after(shop: Path, tracelens: Run) -> None:
    listed = json.loads(tracelens("failures", "--json").stdout)
    failure = next(one["id"] for one in listed if one["type"] == "ZeroDivisionError")
    done = tracelens("test", failure, *PYTHON, "--write", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["fails_before"] is True and told["fix"]
    (name,) = told["tests"]
    assert "ZeroDivisionError" in ran(shop, name).stdout
    assert tracelens("fix", failure, *PYTHON, "--apply").returncode == 0
    passed = ran(shop, name)
    assert passed.returncode == 0, passed.stdout

    again = json.loads(tracelens("test", failure, *PYTHON, "--json").stdout)
    assert again["fails_before"] is True, "the code before the fix is known from the ledger"
    assert again["tests"] != [name], "no name is taken twice"


def test_a_file_of_ones_own_is_made_where_there_is_none(shop: Path, tracelens: Run) -> None:
    (shop / "tests/test_shop.py").unlink()
    done = tracelens("test", "normalise", *PYTHON, "--write")
    assert done.returncode == 0, done.stdout + done.stderr
    made = shop / "tests/test_inventory_recorded.py"
    assert made.read_text().startswith('"""Recorded calls of shop.inventory.normalise."""\n')
    assert ran(shop, "normalise").returncode == 0


def test_only_variables_that_matter_are_set(shop: Path, tracelens: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "shop/region.py").write_text(
        "import os\n\n\ndef where():\n    return os.environ.get('SHOP_REGION', 'eu')\n\n\n"
        "def double(n):\n    return 2 * n\n"
    )
    (shop / "go.py").write_text("from shop.region import double, where\n\nwhere()\ndouble(4)\n")
    monkeypatch.setenv("SHOP_REGION", "us")
    recorded = tracelens("record", *PYTHON, "--", "python", "go.py")
    assert recorded.returncode == 0, recorded.stderr
    texts = [json.loads(tracelens("test", name, *PYTHON, "--json").stdout)["text"] for name in ("double", "where")]
    assert "double(4) == 8" in texts[0] and "setenv" not in texts[0]
    assert 'monkeypatch.setenv("SHOP_REGION", "us")' in texts[1]


def test_nothing_recorded_is_said(shop: Path, tracelens: Run) -> None:
    assert tracelens("test", "f:00000000").returncode == 2
    none = tracelens("test", "shop.__main__.main", *PYTHON)
    assert none.returncode == 1 and "recorded call" in none.stdout
