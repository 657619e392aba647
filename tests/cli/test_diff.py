"""Two runs of the shop, one of them after an edit: what is said to differ, and what is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tracelens.answers.diff import settled

from .conftest import Run


@pytest.fixture
def again(recorded_shop: Path, shop: Path) -> Path:
    """A copy of the recorded shop, where `tracelens` runs."""
    shutil.copytree(recorded_shop, shop, dirs_exist_ok=True)
    return shop


def record(tracelens: Run) -> None:
    done = tracelens("record", "--python", sys.executable, "--", "pytest", "-q", "-p", "no:cacheprovider")
    assert "Recorded " in done.stdout, done.stdout + done.stderr


def test_what_an_edit_changed_is_said(again: Path, tracelens: Run) -> None:
    pricing = again / "shop" / "pricing.py"
    text = pricing.read_text()
    guarded = text.replace("    if saving / price >", "    if price and saving / price >")
    slow = guarded.replace(
        "def tax_rate(country: str) -> float:\n", "def tax_rate(country):\n    import time\n    time.sleep(0.001)\n"
    )
    assert slow.count("sleep") == 1
    pricing.write_text(
        slow.replace("return rates.get(country, 0.0)", "return apply_discount(rates.get(country)) and None or 0")
    )
    record(tracelens)
    told = json.loads(tracelens("diff", "1", "2", "--json").stdout)
    assert "shop.pricing.tax_rate" in {unit["qualname"] for unit in told["slower"]}
    gone = {(failure["type"], failure["qualname"]) for failure in told["gone_failures"]}
    assert ("ZeroDivisionError", "shop.pricing.apply_discount") in gone
    assert {"shop.pricing.tax_rate"} <= {edge["caller"]["qualname"] for edge in told["new_calls"]}
    assert any(v["qualname"] == "shop.pricing.tax_rate" and v["slot"] == "→" for v in told["values"])
    text = tracelens("diff", "1", "latest").stdout
    assert "slower: " in text and "failures that are gone: " in text and "new calls: " in text


def test_the_same_again_shows_no_other_failures_values_or_calls(again: Path, tracelens: Run) -> None:
    record(tracelens)
    told = json.loads(tracelens("diff", "1", "2", "--json").stdout)
    for kind in ("new_failures", "gone_failures", "new_calls", "gone_calls", "values", "new_units", "gone_units"):
        assert told[kind] == [], kind


def test_times_of_different_tools_are_not_compared(again: Path, tracelens: Run) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cProfile", "-o", "tests.pstats", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=again,
        capture_output=True,
        text=True,
    )
    assert (again / "tests.pstats").exists(), done.stdout + done.stderr
    assert tracelens("import", "tests.pstats").returncode == 0
    text = tracelens("diff", "1", "2").stdout
    assert "different tools (tracelens and pstats)" in text
    assert "slower" not in text and "faster" not in text
    assert "failures that are gone" not in text, "pstats has none"


def test_a_run_with_itself_or_without_name_is_refused(again: Path, tracelens: Run) -> None:
    same = tracelens("diff", "1", "pytest")
    assert same.returncode == 2 and "the same run" in same.stderr
    unknown = tracelens("diff", "1", "77")
    assert unknown.returncode == 2 and "no run '77'" in unknown.stderr


def test_what_differs_in_every_run_is_no_difference() -> None:
    one = "<Order at 0x7f12ab> 2026-01-02T03:04:05Z 12:00:01 4f9d2c31-1b2a-4c3d-8e9f-001122334455 /tmp/pytest-1/a"
    two = "<Order at 0x7e99cd> 2027-05-06T07:08:09Z 13:30:59 00000000-1b2a-4c3d-8e9f-001122334466 /tmp/pytest-2/b"
    assert settled(one) == settled(two)
    assert settled("'gold' 12.5") == "'gold' 12.5"
    assert settled("2026-01-02T22+00:00 2026-01-02x22:01:12") == settled("2027-05-06T07+00:00 2027-05-06x23:00:00")
