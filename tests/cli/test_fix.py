"""tracelens fix: from a recorded failure to a patch that is proved, through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Run


@pytest.fixture
def recorded(shop: Path, tracelens: Run) -> Path:
    done = tracelens("record", "--python", sys.executable, "--", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 1, done.stderr
    return shop


def test_a_failure_is_fixed_and_proved(recorded: Path, tracelens: Run) -> None:
    before = (recorded / "shop/pricing.py").read_bytes()
    proposed = tracelens("fix", "apply_discount", "--python", sys.executable, "--json")
    assert proposed.returncode == 0, proposed.stderr
    told = json.loads(proposed.stdout)
    best = told["fixes"][0]
    assert best["verdict"]["kind"] == "fixed", told
    assert best["verdict"]["words"].startswith("re-ran: no longer raises, and tests/") and best["sure"]
    fixed, failing = best["verdict"]["failing"]
    assert fixed == failing > 0
    assert any("no endpoint configured" in note for note in told["notes"])
    assert (recorded / "shop/pricing.py").read_bytes() == before, "nothing is written unless asked for"
    (edit,) = best["edits"]
    after = before[: edit["start_byte"]] + edit["new_text"].encode() + before[edit["end_byte"] :]

    applied = tracelens("fix", "--python", sys.executable, "--apply")
    assert applied.returncode == 0, applied.stderr
    assert "no longer raises" in applied.stdout and "applied to shop/pricing.py" in applied.stderr
    assert (recorded / "shop/pricing.py").read_bytes() == after

    again = tracelens("record", "--python", sys.executable, "--", "pytest", "-q", "-p", "no:cacheprovider")
    assert again.returncode == 0, "the test that failed passes"
    assert "ZeroDivisionError" not in tracelens("failures").stdout


def test_what_only_stops_a_failure_is_applied_when_it_is_chosen_alone(tmp_path: Path, tracelens: Run) -> None:
    (tmp_path / "stats.py").write_text("def mean(values):\n    return sum(values) / len(values)\n")
    (tmp_path / "main.py").write_text("from stats import mean\nprint(mean([1.0, 3.0]))\nprint(mean([]))\n")
    where = ("--root", str(tmp_path))
    tracelens("record", *where, "--python", sys.executable, "--", "python", str(tmp_path / "main.py"))
    before = (tmp_path / "stats.py").read_bytes()
    asked = ("fix", "mean", *where, "--python", sys.executable, "--seconds", "0", "--apply")
    refused = tracelens(*asked)
    assert refused.returncode == 2 and "result not checked: it makes up what to do instead" in refused.stderr
    there_is_none = tracelens(*asked, "--choose", "9")
    assert there_is_none.returncode == 2 and "there is no fix 9" in there_is_none.stderr
    assert (tmp_path / "stats.py").read_bytes() == before
    chosen = tracelens(*asked, "--choose", "1")
    assert chosen.returncode == 0, chosen.stderr
    assert "if values else 0.0" in (tmp_path / "stats.py").read_text()


def test_the_prompt_can_be_seen_without_sending_it(recorded: Path, tracelens: Run) -> None:
    shown = tracelens("fix", "apply_discount", "--show-prompt")
    assert shown.returncode == 0
    assert "def apply_discount" in shown.stdout and "ZeroDivisionError" in shown.stdout


def test_an_endpoint_that_is_down_is_one_line_and_templates_still_work(recorded: Path, tracelens: Run) -> None:
    environ = {"TRACELENS_LLM_BASE_URL": "http://127.0.0.1:9/v1", "TRACELENS_LLM_MODEL": "m"}
    done = tracelens("fix", "apply_discount", "--python", sys.executable, **environ)
    assert done.returncode == 0, done.stderr
    assert "127.0.0.1:9" in done.stdout and "no longer raises" in done.stdout
    assert "Traceback (most recent call last)" not in done.stdout + done.stderr


def test_what_is_not_a_failure_is_said(recorded: Path, tracelens: Run) -> None:
    assert tracelens("fix", "f:00000000").returncode == 2
    nothing = tracelens("fix", "tax_rate")
    assert nothing.returncode == 0 and "nothing to fix" in nothing.stdout


def test_a_file_that_changed_since_is_not_overwritten(recorded: Path, tracelens: Run) -> None:
    file = recorded / "shop/pricing.py"
    file.write_text(file.read_text().replace("saving / price > HIGHEST_DISCOUNT", "HIGHEST_DISCOUNT < saving / price"))
    done = tracelens("fix", "apply_discount", "--python", sys.executable, "--json")
    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr
    mended = file.read_text().replace("HIGHEST_DISCOUNT < saving / price", "price and saving / price > 1")
    file.write_text(mended)
    done = tracelens("fix", "apply_discount", "--python", sys.executable, "--apply", "--no-ai", "--seconds", "0")
    assert "was changed since it was recorded" in done.stdout or "no sandbox" in done.stdout
    assert "nothing was applied" in done.stderr and file.read_text() == mended


def test_the_sandbox_is_named(shop: Path, tracelens: Run) -> None:
    done = tracelens("sandbox", "--python", sys.executable, "--json")
    told = json.loads(done.stdout)
    assert (done.returncode == 0) == (told["sandbox"] is not None)
    assert subprocess.run(["uname"], capture_output=True, check=True).stdout.strip() != b"Linux" or told["sandbox"]


def test_failing_tests_are_repaired_on_a_branch_or_in_place_and_taken_back(shop: Path, tracelens: Run) -> None:
    (shop / "shop" / "largest.py").write_text("def largest(a, b):\n    return a if a < b else b\n")
    (shop / "tests" / "test_largest.py").write_text(
        "import pytest\nfrom shop.largest import largest\n\n\n"
        "@pytest.mark.parametrize('a', range(-3, 4))\n@pytest.mark.parametrize('b', range(-3, 4))\n"
        "def test_largest(a, b):\n    assert largest(a, b) == max(a, b)\n\n\n"
        "def test_now_and_then():\n    with open('turns', 'a+') as file:\n        file.seek(0)\n"
        "        n = len(file.read())\n        file.write('x')\n    assert n % 2\n"
    )
    before = (shop / "shop" / "largest.py").read_bytes()
    command = ("fix", "--test", "pytest tests/test_largest.py", "--python", sys.executable, "--seconds", "4")
    told = json.loads(tracelens(*command, "--json").stdout)
    assert told["fixes"] and len(told["failing"]) == 42, told
    assert told["by_chance"] == ["tests/test_largest.py::test_now_and_then"]
    applied = tracelens(*command, "--apply")
    assert applied.returncode == 0, applied.stderr + applied.stdout
    assert "1 more pass one time and fail another, and are left out" in applied.stdout
    assert (shop / "shop" / "largest.py").read_bytes() != before
    listed = tracelens("fixes").stdout
    assert "applied" in listed and "shop/largest.py" in listed
    undone = tracelens("fix", "--undo")
    assert undone.returncode == 0, undone.stderr
    assert (shop / "shop" / "largest.py").read_bytes() == before
    nowhere = tracelens("fix", "--test", "pytest tests/nowhere.py", "--python", sys.executable)
    assert nowhere.returncode and "file or directory not found: tests/nowhere.py" in nowhere.stderr
    refused = tracelens("fix", "--test", "make test")
    assert refused.returncode == 2 and "only pytest is understood" in refused.stderr
