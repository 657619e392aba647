"""One-edit mutants of whole libraries, repaired with the libraries' own tests as the oracle. Used by fix.py.

A folder holds unpacked source distributions. Taken are, in the order of their names, the first five whose tests can be
collected and mostly pass in the sandbox; test files that need sockets are left out, as it has none. Of each, mutants of
its functions in an order drawn with a fixed seed: those that no test notices are counted and left; the others are
repaired from the test files that fail, with no word of where the mutant is. A repair restores when it is the original
code again, or does what the original did with every input that the search tried (the original, tried as another
repair, stood in the same group).
"""

from __future__ import annotations

import argparse
import ast
import random
import re
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracelens.fix.patch import Source
from tracelens.fix.search.oracle import CollectedTests
from tracelens.fix.search.repair import SearchReport, repair
from tracelens.replay import sandbox
from tracelens.replay.sandbox import Limits, NoSandbox, Rung
from tracelens.replay.workspace_copy import copy_workspace
from tracelens.testgen.mutants import mutants
from tracelens_indexer.workspace import is_test

SEED = 8
LIBRARIES = 5
_LEAST_TESTS = 20
_MOST_FILES = 4
"""Test files that fail and that a repair is searched with."""
_TRIES = 4
"""Times the mutants that are wanted, before a library is left."""
_SOCKETS = re.compile(r"^\s*(?:import|from) socket", re.MULTILINE)
_QUIET = (
    *("-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", "--continue-on-collection-errors", "--color=no"),
    *("-p", "no:tracelens"),  # nothing is recorded here, and its files may be out of sight
    *("-o", "addopts="),
)


@dataclass(frozen=True, slots=True)
class Suite:
    """What one run of a library's tests said."""

    passed: int
    failing: frozenset[str]
    """Node ids; of files that cannot be collected, the file."""

    @property
    def files(self) -> list[str]:
        """That hold failing tests, those with the most of them first."""
        names = [one.partition("::")[0] for one in self.failing]
        return sorted(dict.fromkeys(names), key=lambda name: (-names.count(name), name))


@dataclass(frozen=True, slots=True)
class Tried:
    title: str
    ended: str
    """"exact", "equivalent", "passes" (all tests do, and it is something else), "wrong", "none"."""
    cpu: float
    sure: bool


def run(given: argparse.Namespace) -> dict[str, Any]:
    rung = sandbox.probe(given.python)
    if isinstance(rung, NoSandbox):
        raise SystemExit(f"no sandbox: {rung.reason}")
    wanted = given.first or 8
    tried: list[Tried] = []
    unnoticed = libraries = 0
    for library in sorted(one for one in given.mutants.iterdir() if one.is_dir()):
        if libraries == LIBRARIES:
            break
        if not any((library / name).is_file() for name in ("PKG-INFO", "pyproject.toml", "setup.py")):
            print(f"{library.name:20} left out: no source distribution", flush=True)
            continue
        with tempfile.TemporaryDirectory() as name:
            root = Path(name) / library.name
            copy_workspace(library, root)
            whole = tests(root, given.python, rung)
            if whole is None or whole.passed < max(_LEAST_TESTS, 4 * len(whole.failing)):
                print(f"{library.name:20} left out: {whole.passed if whole else 0} tests pass", flush=True)
                continue
            libraries += 1
            print(f"{library.name:20} {whole.passed} tests pass, {len(whole.failing)} do not", flush=True)
            done = 0
            for tries, (path, title, content) in enumerate(drawn(root)):
                if done == wanted or tries == _TRIES * wanted:
                    break
                one = _mutant(root, path, content, f"{path}: {title}", whole, given, rung)
                if one is None:
                    unnoticed += 1
                    continue
                done += 1
                tried.append(one)
                print(
                    f"  {one.ended:10} {one.cpu:6.1f} s {'!' if one.sure else ' '} {one.title[:110]}",
                    flush=True,
                )
    good = [one for one in tried if one.ended in ("exact", "equivalent")]
    sure = [one for one in tried if one.sure]
    return {
        "mutants_restored": round(len(good) / len(tried), 4) if tried else None,
        "mutants": len(tried),
        "mutants_exact": sum(one.ended == "exact" for one in tried),
        "mutants_all_tests_pass": sum(one.ended in ("exact", "equivalent", "passes") for one in tried),
        "mutants_unnoticed": unnoticed,
        "mutants_libraries": libraries,
        "mutants_sure": len(sure),
        "mutants_sure_wrong": sum(one not in good for one in sure),
        "mutants_cpu_median": round(statistics.median(one.cpu for one in tried), 1) if tried else None,
    }


def drawn(root: Path) -> Iterator[tuple[str, str, bytes]]:
    """(path, what was changed, the file with it) of mutants of all functions, in the order of the seed."""
    found: list[tuple[str, str, bytes]] = []
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root).as_posix()
        outside = ("docs", "examples", "tools", "build")
        if is_test(path) or any(part in outside for part in Path(path).parts):
            continue
        try:
            source = Source.read(root, path)
        except Exception:  # what cannot be read has no mutants
            continue
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found += [(path, title, content) for title, content in mutants(source, node, 1000)]
    random.Random(SEED).shuffle(found)
    yield from found


def _mutant(
    root: Path, path: str, content: bytes, title: str, whole: Suite, given: argparse.Namespace, rung: Rung
) -> Tried | None:
    """None when no test notices it, or none of them comes to an end."""
    file = root / path
    right = file.read_bytes()
    file.write_bytes(content)
    try:
        now = tests(root, given.python, rung, stop_after=25)
        if now is None or not now.failing - whole.failing:
            return None
        # What could not pass before says nothing.
        files = [name for name in now.files if not any(one.startswith(name) for one in whole.failing)][:_MOST_FILES]
        if not files:
            return None
        report = repair(root, given.python, CollectedTests(tuple(files)), rung=rung, cpu_seconds=given.seconds)
        ended = _ended(root, path, right, report, whole, given, rung)
        title += f" [{report.problem}]" if report.problem else ""
        return Tried(title, ended, report.cpu, bool(report.repairs) and report.repairs[0].sure)
    finally:
        file.write_bytes(right)


def _ended(
    root: Path, path: str, right: bytes, report: SearchReport, whole: Suite, given: argparse.Namespace, rung: Rung
) -> str:
    if not report.repairs:
        return "none"
    original = ast.dump(ast.parse(right))
    exact = [one.patch.path == path and ast.dump(ast.parse(one.patch.content)) == original for one in report.repairs]
    if exact[0]:
        return "exact"
    first = report.repairs[0]
    if any(same and one.group == first.group for same, one in zip(exact, report.repairs, strict=True)):
        return "equivalent"
    (root / first.patch.path).write_bytes(first.patch.content)
    after = tests(root, given.python, rung)
    return "passes" if after is not None and after.failing <= whole.failing else "wrong"


def tests(root: Path, python: str, rung: Rung, stop_after: int = 0) -> Suite | None:
    """The library's tests, run in the sandbox on a copy; None when they come to no end."""
    with sandbox.scratch_folder() as scratch:
        copy = scratch / "workspace"
        copy_workspace(root, copy)
        ignored = [f"--ignore={file}" for file in copy.rglob("test*.py") if _SOCKETS.search(file.read_text("utf-8"))]
        begin = (
            f"import sys; sys.path[:0] = [{str(copy / 'src')!r}, {str(copy)!r}]; import pytest;"
            f"sys.exit(pytest.main(sys.argv[1:]))"
        )
        more = (f"--maxfail={stop_after}",) if stop_after else ()
        finished = sandbox.run(
            [python, "-B", "-c", begin, *_QUIET, *ignored, *more],
            scratch=scratch,
            folder=copy,
            readable=sandbox.interpreter_folders(python),
            request=b"",
            limits=Limits(wall_seconds=240, cpu_seconds=60),
            layers=rung.asked,
        )
    if finished.exit not in (0, 1, 2):
        return None
    failing = re.findall(r"^(?:FAILED|ERROR) (\S+)", finished.output, re.MULTILINE)
    passed = re.search(r"(\d+) passed", finished.output)
    return Suite(int(passed.group(1)) if passed else 0, frozenset(failing))
