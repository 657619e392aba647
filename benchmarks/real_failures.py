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


def folder_of(package: str, suites: Path | None = None) -> Path:
    """Of the package's modules: as installed, else in an unpacked source distribution under `suites`."""
    found = util.find_spec(package)
    if found is not None and found.submodule_search_locations:
        return Path(next(iter(found.submodule_search_locations)))
    source = source_of(package, suites)
    inside = [source / one / package for one in ("src", ".")] if source else []
    for one in inside:
        if one.is_dir():
            return one
    raise LookupError(f"{package} is neither installed nor in the folder named with --suites")


def source_of(package: str, suites: Path | None) -> Path | None:
    """The unpacked source distribution of a package under `suites`."""
    names = (package, f"python_{package}")
    folders = sorted(suites.iterdir()) if suites else []
    return next((one for one in folders if one.name.rpartition("-")[0].lower() in names), None)


def workspace(folder: Path, entry: dict[str, Any], name: str, suites: Path | None = None) -> Path:
    """The package as a project of its own, with its tests where its source distribution holds them."""
    root = folder / name
    root.mkdir()
    package = entry["package"]
    left_out = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(folder_of(package, suites), root / package, ignore=left_out)
    source = source_of(package, suites)
    for one in sorted(source.iterdir()) if source else ():
        if one.name in ("tests", "testing", "test"):
            shutil.copytree(one, root / one.name, ignore=left_out)
        elif one.name.startswith("test_") and one.suffix == ".py":
            shutil.copyfile(one, root / one.name)
    if "run" in entry:
        (root / "driver.py").write_text(SHOW + entry["run"] + "\n")
    return root


def version_of(package: str, suites: Path | None) -> str:
    try:
        return metadata.version({"dateutil": "python-dateutil"}.get(package, package))
    except metadata.PackageNotFoundError:
        source = source_of(package, suites)
        return source.name.rpartition("-")[2] if source else "?"


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
    """Of the corpus, or every so manieth entry: the class, the first patch's verdict, whether that one is right."""
    told = [_failure(entry, given.suites) for entry in corpus(given)]
    told = [one for one in told if one is not None]
    verified = [one for one in told if one["verdict"] == "fixed"]
    stopped = [one for one in told if one["verdict"] in ("fixed", "stops")]
    return {
        "failures": len(told),
        "failures_types": len({one["raises"] for one in told}),
        "failures_class": _share(sum(one["class"] for one in told), len(told)),
        "failures_fixed": _share(len(verified), len(told)),
        "failures_verified_wrong": [sum(not one["right"] for one in verified), len(verified)],
        "failures_stopped": _share(len(stopped), len(told)),
        "failures_first_right": _share(sum(one["right"] for one in stopped), len(told)),
    }


def generated(given: argparse.Namespace) -> dict[str, Any]:
    """Tests made of failures of the corpus, where the package as it was is the repair: do they tell the two apart, and
    how many small wrong versions of the function do they notice."""
    made = before = mutants_seen = noticed = 0
    chosen = corpus(given)
    for entry in chosen:
        with tempfile.TemporaryDirectory() as name:
            try:
                root = workspace(Path(name), entry, "work", given.suites)
            except LookupError:
                continue
            file = root / entry["file"]
            right = file.read_text()
            if right.count(entry["find"]) != 1:
                continue
            file.write_text(right.replace(entry["find"], entry["put"]))
            _commit(root)
            tracelens(root, "record", "--exact", "--python", sys.executable, "--", "python", "driver.py")
            listed = json.loads(tracelens(root, "failures", "--json").stdout or "[]")
            mine = [one for one in listed if one["type"].rpartition(".")[2] == entry["raises"]]
            file.write_text(right)
            if not mine:
                continue
            done = tracelens(root, "test", mine[0]["id"], "--python", sys.executable, "--json")
            said = json.loads(done.stdout) if done.stdout else {"problem": done.stderr[-200:], "tests": []}
            why = said["problem"]
            if not why:
                made += 1
                before += said["fails_before"] is True
                mutants_seen += said["mutants"]
                noticed += said["noticed"]
                why = f"{len(said['tests'])} tests, {said['noticed']} of {said['mutants']} wrong versions noticed"
            print(f"{entry['name']:26} {why[:120]}", flush=True)
    return {
        "tests_fail_pass": _share(before, made),
        "tests_made_for": [made, len(chosen)],
        "mutation_score": _share(noticed, mutants_seen),
    }


def _commit(root: Path) -> None:
    """What stands there becomes git's HEAD: the code that fails, which a test has to fail with."""
    (root / ".gitignore").write_text(".tracelens\n__pycache__\n")
    who = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "as recorded"]):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)


def corpus(given: argparse.Namespace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((HERE / "corpus.toml").read_text())["failure"]
    chosen = [one for one in found if not given.only or one["name"] in given.only.split(",")]
    return chosen[:: given.first] if given.first else chosen


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _failure(entry: dict[str, Any], suites: Path | None) -> dict[str, Any] | None:
    with tempfile.TemporaryDirectory() as name:
        try:
            root = workspace(Path(name), entry, "work", suites)
        except LookupError as error:
            print(f"{entry['name']:26} skipped: {error}", flush=True)
            return None
        expected = ran(root)
        file = root / entry["file"]
        text = file.read_text()
        version = version_of(entry["package"], suites)
        if text.count(entry["find"]) != 1:
            print(f"{entry['name']:26} skipped: {entry['package']} {version} does not have the text", flush=True)
            return None
        file.write_text(text.replace(entry["find"], entry["put"]))
        if entry["raises"] not in ran(root):
            print(
                f"{entry['name']:26} skipped: {entry['package']} {version} does not raise {entry['raises']}", flush=True
            )
            return None
        recorded = tracelens(root, "record", "--exact", "--python", sys.executable, "--", "python", "driver.py")
        listed = json.loads(tracelens(root, "failures", "--json").stdout or "[]")
        mine = [one for one in listed if one["type"].rpartition(".")[2] == entry["raises"]]
        if not mine:
            print(f"{entry['name']:26} no {entry['raises']} was recorded: {recorded.stderr[-200:]}", flush=True)
            return {"raises": entry["raises"], "class": False, "verdict": "", "right": False}
        done = tracelens(root, "fix", mine[0]["id"], "--no-ai", "--python", sys.executable, "--json")
        said = json.loads(done.stdout) if done.returncode == 0 and done.stdout else {"fixes": [], "cause": None}
        kind = (said["cause"] or {}).get("kind", "none")
        best = said["fixes"][0] if said["fixes"] else None
        said_of = best["verdict"]["kind"] if best else ""
        right = False
        if best is not None and said_of in ("fixed", "stops"):
            (edit,) = best["edits"]
            content = (root / edit["path"]).read_bytes()
            made = content[: edit["start_byte"]] + edit["new_text"].encode() + content[edit["end_byte"] :]
            (root / edit["path"]).write_bytes(made)
            right = ran(root) == expected
        mark = {"fixed": "verified", "stops": "stops"}.get(said_of, "-")
        by = ", by tests" if best and said_of == "fixed" and "passes" in best["verdict"]["words"] else ""
        title = best["title"] if best else "; ".join(said.get("notes", [done.stderr[-100:]]))[:90]
        print(
            f"{entry['name']:26} {entry['package']} {version:8} {entry['raises']:18} {kind:16}"
            f"{' ' if kind == entry['class'] else '!'} {mark:9}{'right' if right else '-':6} {title}{by}",
            flush=True,
        )
        return {
            "raises": entry["raises"],
            "class": kind == entry["class"],
            "verdict": said_of,
            "right": right,
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
