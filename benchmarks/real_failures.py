"""Failures and mutants made in real packages, recorded, explained and repaired without a model. Used by fix.py."""

from __future__ import annotations

import argparse
import ast
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata, util
from pathlib import Path
from typing import Any

from tracelens.fix.evidence import find_function
from tracelens.fix.patch import Source
from tracelens.fix.search.oracle import Statements
from tracelens.fix.search.repair import repair
from tracelens.testgen.mutants import mutants as wrong_versions

HERE = Path(__file__).parent / "failures"
SHOW = """
def show(call):
    try:
        print("gave", repr(call()))
    except Exception as error:
        print("raised", type(error).__name__, str(error)[:80])
"""
OURS = [str(Path(__file__).parents[1] / one) for one in (".", "indexer", "lsp", "recorder")]


def folder_of(package: str) -> Path:
    found = util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{package} is not installed here: pip install {package}")
    return Path(next(iter(found.submodule_search_locations)))


def workspace(folder: Path, entry: dict[str, Any], name: str) -> Path:
    root = folder / name
    root.mkdir()
    package = entry["package"]
    shutil.copytree(folder_of(package), root / package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    if "run" in entry:
        (root / "driver.py").write_text(SHOW + entry["run"] + "\n")
    return root


def ran(root: Path) -> str:
    done = subprocess.run(
        [sys.executable, "driver.py"], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def tracelens(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*OURS, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "TRACELENS_CONFIG": str(root / "none.toml")}
    command = [sys.executable, "-m", "tracelens.cli", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False)


def failures(given: argparse.Namespace) -> dict[str, Any]:
    """Of the corpus, or every so manieth entry: the class, whether a patch was proved, whether that one is right."""
    corpus: list[dict[str, Any]] = tomllib.loads((HERE / "corpus.toml").read_text())["failure"]
    chosen = [one for one in corpus if not given.only or one["name"] in given.only.split(",")]
    chosen = chosen[:: given.first] if given.first else chosen
    told = [_failure(entry) for entry in chosen]
    told = [one for one in told if one is not None]
    proved = [one for one in told if one["proved"]]
    return {
        "failures_class": _share(sum(one["class"] for one in told), len(told)),
        "failures_fixed": _share(len(proved), len(told)),
        "failures_sure_wrong": [
            sum(one["sure"] and not one["right"] for one in proved),
            sum(one["sure"] for one in proved),
        ],
        "failures_top_right": _share(sum(one["right"] for one in proved), len(proved)),
        "failures": len(told),
        "failures_types": len({one["raises"] for one in told}),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _failure(entry: dict[str, Any]) -> dict[str, Any] | None:
    with tempfile.TemporaryDirectory() as name:
        root = workspace(Path(name), entry, "work")
        expected = ran(root)
        file = root / entry["file"]
        text = file.read_text()
        version = metadata.version({"dateutil": "python-dateutil"}.get(entry["package"], entry["package"]))
        if text.count(entry["find"]) != 1:
            print(f"{entry['name']:26} skipped: {entry['package']} {version} does not have the text", flush=True)
            return None
        file.write_text(text.replace(entry["find"], entry["put"]))
        recorded = tracelens(root, "record", "--python", sys.executable, "--", "python", "driver.py")
        listed = json.loads(tracelens(root, "failures", "--json").stdout or "[]")
        mine = [one for one in listed if one["type"].rpartition(".")[2] == entry["raises"]]
        if not mine:
            print(f"{entry['name']:26} no {entry['raises']} was recorded: {recorded.stderr[-200:]}", flush=True)
            return {"raises": entry["raises"], "class": False, "proved": False, "right": False, "sure": False}
        done = tracelens(root, "fix", mine[0]["id"], "--no-ai", "--python", sys.executable, "--json")
        said = json.loads(done.stdout) if done.returncode == 0 and done.stdout else {"fixes": [], "cause": None}
        kind = (said["cause"] or {}).get("kind", "none")
        best = said["fixes"][0] if said["fixes"] else None
        proved = best is not None and best["verdict"]["kind"] == "fixed"
        right = False
        if proved:
            applied = tracelens(root, "fix", mine[0]["id"], "--no-ai", "--python", sys.executable, "--apply")
            right = applied.returncode == 0 and ran(root) == expected
        mark = "sure" if proved and best["sure"] else "proved" if proved else "-"
        title = best["title"] if best else "; ".join(said.get("notes", [done.stderr[-100:]]))[:90]
        print(
            f"{entry['name']:26} {entry['package']} {version:8} {entry['raises']:18} {kind:16}"
            f"{' ' if kind == entry['class'] else '!'} {mark:7}{'right' if right else '-':6} {title}",
            flush=True,
        )
        return {
            "raises": entry["raises"],
            "class": kind == entry["class"],
            "proved": proved,
            "right": right,
            "sure": proved and best["sure"],
        }


def mutants(given: argparse.Namespace) -> dict[str, Any]:
    """One-edit mutants of library functions, repaired with half of the calls as the oracle, judged by all."""
    targets: list[dict[str, Any]] = tomllib.loads((HERE / "mutants.toml").read_text())["target"]
    restored = tried = equivalent = sure = wrong = 0
    begun = _cpu()
    for target in targets:
        with tempfile.TemporaryDirectory() as name:
            root = workspace(Path(name), target, "work")
            source = Source.read(root, target["file"])
            node = find_function(source, target["function"])
            assert node is not None, target["function"]
            results = _results(root, target)
            checks = [_check(call, result) for call, result in zip(target["calls"], results, strict=True)]
            for title, content in wrong_versions(source, node)[:: given.first or 1]:
                (root / target["file"]).write_bytes(content)
                if _results(root, target) == results:
                    equivalent += 1
                    continue
                oracle = Statements(target["module"], target["file"], tuple(checks[::2]), _setup(target))
                report = repair(root, given.python, oracle, cpu_seconds=given.seconds)
                if not report.repairs and not report.failing:
                    equivalent += 1  # for the calls of the oracle
                    continue
                tried += 1
                good = False
                if report.repairs:
                    (root / target["file"]).write_bytes(report.repairs[0].patch.content)
                    good = _results(root, target) == results
                    sure += report.repairs[0].sure
                    wrong += report.repairs[0].sure and not good
                restored += good
                print(
                    f"{target['module']:18} {title[:50]:50} {'restored' if good else '-':9} {report.cpu:5.1f} s",
                    flush=True,
                )
    return {
        "mutants_restored": _share(restored, tried),
        "mutants": tried,
        "mutants_unnoticed": equivalent,
        "mutants_wrong_sure": [wrong, sure],
        "mutants_cpu_seconds": round(_cpu() - begun, 1),
    }


def _cpu() -> float:
    return sum(
        one.ru_utime + one.ru_stime for one in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def _setup(target: dict[str, Any]) -> str:
    return f"from {target['module']} import {target['function']}"


def _check(call: str, result: str) -> tuple[str, str]:
    if result.startswith("!"):
        return (
            call,
            f"try:\n    {call}\nexcept Exception as error:\n    assert type(error).__name__ == {result[1:]!r}\n"
            "else:\n    raise AssertionError",
        )
    return call, f"assert repr({call}) == {result!r}"


def _results(root: Path, target: dict[str, Any]) -> list[str]:
    """What each call gives, in a process of its own; "!Type" for an exception."""
    lines = [_setup(target), "found = []", "import json, signal", "signal.alarm(10)"]
    for call in target["calls"]:
        ast.parse(call)
        lines.append(
            f"try:\n    found.append(repr({call}))\n"
            "except Exception as error:\n    found.append('!' + type(error).__name__)"
        )
    lines.append("print(json.dumps(found))")
    command = [sys.executable, "-B", "-c", "\n".join(lines)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    return list(json.loads(done.stdout)) if done.stdout else []
