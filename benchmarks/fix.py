"""How many known bugs are repaired without a model and without being told where they are, and how often rightly.

    python benchmarks/fix.py --quixbugs DIR [--only NAME,NAME] [--humanevalfix FILE] [--first N] [--jobs N]
    python benchmarks/fix.py --failures [--suites DIR] [--only NAME,NAME] [--first N]
    python benchmarks/fix.py --mutants [DIR] [--first N] [--seconds N]
    python benchmarks/fix.py --tests [--first N] --escapes --replay [PYTHON]

DIR is a checkout of jkoppel/QuixBugs, FILE is humanevalpack.jsonl (Python) of bigcode-project/octopack. A repair is
plausible when all tests pass, and right when the first one does the same as the correct program on 400 random valid
inputs (QuixBugs), or on 150 inputs like those of the tests (HumanEvalFix). For HumanEvalFix, which is held out, only
totals are printed. --failures makes the runtime failures of failures/corpus.toml in real packages of this
environment, records them and asks for their cause and a fix; a fix is right when the program then prints what it does
with the package as it was. --suites DIR holds unpacked source distributions: the packages' own tests then lie in the
workspaces, as in a checkout, and packages that are not installed are taken from there. --mutants DIR repairs N (8)
one-edit mutants of each of five libraries whose unpacked sources lie in DIR, with their own tests as the oracle;
without DIR those of failures/mutants.toml, judged by calls that the oracle does not have. --tests makes tests of the
failures of the corpus, with the package as it was as the repair. --escapes tries to get out of each rung of the
sandbox that runs here. --replay makes recorded calls of five programs again (replayable_share.py), with a Python from
3.12 on. The last line is JSON; null stands for what was not asked for.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import real_failures
import replayable_share
import suite_mutants

from tracelens.fix.search import inside
from tracelens.fix.search.oracle import CollectedTests, Statements
from tracelens.fix.search.repair import Repair, SearchReport, repair
from tracelens.replay import sandbox
from tracelens.replay.sandbox import Limits, NoSandbox

HERE = Path(__file__).parent
INSIDE = Path(inside.__file__).parent
KEYS = (
    *("quix_plausible", "quix_top1", "hef_plausible", "hef_top1", "false_verified", "mutants_restored"),
    *("failures_class", "failures_fixed", "tests_fail_pass", "mutation_score", "replay_same", "escapes_blocked"),
)


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    report: SearchReport
    top: str
    """"right", "wrong: …" or "none"."""
    kind: str = ""

    @property
    def right(self) -> bool:
        return self.top == "right"

    @property
    def sure(self) -> bool:
        return bool(self.report.repairs) and self.report.repairs[0].sure


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quixbugs", type=Path)
    options.add_argument("--humanevalfix", type=Path)
    options.add_argument("--failures", action="store_true")
    options.add_argument("--suites", type=Path)
    options.add_argument("--mutants", type=Path, nargs="?", const=Path())
    options.add_argument("--tests", action="store_true")
    options.add_argument("--escapes", action="store_true")
    options.add_argument("--replay", nargs="?", const=shutil.which("python3.13") or shutil.which("python3.12"))
    options.add_argument("--only", default="")
    many = "every so manieth only; with --mutants DIR, so many a library"
    options.add_argument("--first", type=int, default=0, help=many)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--seconds", type=float, default=8.0, help="CPU seconds of trying, for each bug")
    options.add_argument("--python", default=sys.executable, help="has pytest")
    given = options.parse_args()
    sandbox.probe(given.python)  # once, before threads ask for it
    said: dict[str, Any] = dict.fromkeys(KEYS)
    results: list[Result] = []
    if given.quixbugs:
        found = quixbugs(given)
        results += found
        said["quix_plausible"] = sum(bool(one.report.repairs) for one in found)
        said["quix_top1"] = sum(one.right for one in found)
        said["quix_programs"] = len(found)
    if given.humanevalfix:
        found = humanevalfix(given)
        results += found
        said["hef_plausible"] = round(sum(bool(one.report.repairs) for one in found) / len(found), 4)
        said["hef_top1"] = round(sum(one.right for one in found) / len(found), 4)
        said["hef_tasks"] = len(found)
    if given.failures:
        said.update(real_failures.failures(given))
    if given.mutants is not None:
        judge = suite_mutants.run if given.mutants.name else real_failures.mutants
        said.update(judge(given))
    if given.tests:
        said.update(real_failures.generated(given))
    if given.escapes:
        said.update(escapes())
    if given.replay:
        again = replayable_share.measure(given.replay, Path(tempfile.gettempdir()) / "tracelens-recorder-benchmark", 40)
        said["replay_same"], said["replayable"] = again.get("same_mean"), again["replayable_mean"]
    sure = [one for one in results if one.sure]
    if sure:
        said["false_verified"] = round(sum(not one.right for one in sure) / len(sure), 4)
        said["verified"] = len(sure)
    if results:
        spent = sorted(one.report.cpu for one in results)
        said["cpu_seconds_median"] = round(statistics.median(spent), 2)
        said["cpu_seconds_most"] = round(spent[-1], 2)
    print(json.dumps(said))
    return 0


def escapes() -> dict[str, Any]:
    """The tests of the sandbox that try to get out of it, on each rung: the share that is held."""
    probes = "outside or network or signalled or environment or forking or survives or full_scratch"
    command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", "-k", probes]
    file = HERE.parent / "tests" / "replay" / "test_sandbox.py"
    done = subprocess.run([*command, str(file)], cwd=HERE.parent, capture_output=True, text=True, check=False)
    counted = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)}
    print(f"sandbox: {counted or done.stdout[-300:]}", flush=True)
    tried = counted.get("passed", 0) + counted.get("failed", 0) + counted.get("error", 0)
    return {"escapes_blocked": round(counted.get("passed", 0) / tried, 4) if tried else None, "escapes": tried}


def quixbugs(given: argparse.Namespace) -> list[Result]:
    suite: Path = given.quixbugs
    names = [one.stem.removeprefix("test_") for one in sorted((suite / "python_testcases").glob("test_*.py"))]
    if given.only:
        names = [one for one in names if one in given.only.split(",")]

    def one_of(name: str) -> Result:
        oracle = CollectedTests((f"python_testcases/test_{name}.py",))
        report = repair(suite, given.python, oracle, cpu_seconds=given.seconds)
        right = (suite / "correct_python_programs" / f"{name}.py").read_text()
        job = {"suite": "quixbugs", "name": name, "right": right, "inputs": 400}
        result = Result(name, report, judged(given.python, report.repairs, job, suite / "python_testcases" / "node.py"))
        shown = report.repairs[0].title if report.repairs else report.problem
        print(
            f"{name:28} {len(report.repairs):2} pass, first after {report.to_first:5} of {report.tried:6}"
            f" {report.cpu:5.1f} s  {report.confidence:.2f}{'!' if result.sure else ' '} {result.top:8} {shown}",
            flush=True,
        )
        return result

    return _all(one_of, names, given.jobs)


def humanevalfix(given: argparse.Namespace) -> list[Result]:
    tasks = [json.loads(line) for line in given.humanevalfix.read_text().splitlines()]
    tasks = tasks[:: given.first] if given.first else tasks

    def one_of(task: dict[str, Any]) -> Result:
        name = task["entry_point"]
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "solution.py").write_text(task["declaration"] + task["buggy_solution"])
            setup, checks = split_checks(task["test"], name)
            oracle = Statements("solution", "solution.py", tuple(checks), setup)
            report = repair(root, given.python, oracle, cpu_seconds=given.seconds)
        test = task["test"]
        job = {
            "suite": "functions",
            "name": name,
            "right": task["declaration"] + task["canonical_solution"],
            "test": test[: test.index("\ncheck(")] if "\ncheck(" in test else test,
            "test_setup": "",
            "inputs": 150,
        }
        return Result("", report, judged(given.python, report.repairs, job, None), task["bug_type"])

    found = _all(one_of, tasks, given.jobs)
    for kind in sorted({one.kind for one in found}):
        part = [one for one in found if one.kind == kind]
        passing, right = sum(bool(one.report.repairs) for one in part), sum(one.right for one in part)
        print(f"{kind:20} {len(part):4}  plausible {passing:4}  right {right:4}", flush=True)
    problems = sum(bool(one.report.problem) for one in found)
    print(f"not searched: {problems}")
    return found


def _all(work: Any, things: Iterable[Any], jobs: int) -> list[Any]:
    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(work, things))


def split_checks(test: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """The assertions of a `check(candidate)`, each a check with all that stands before it but other assertions."""
    import ast

    tree = ast.parse(test)
    setup: list[ast.stmt] = []
    checks: list[tuple[str, str]] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check":
            before: list[ast.stmt] = []
            for one in node.body:
                if isinstance(one, ast.Assert) or any(isinstance(each, ast.Assert) for each in ast.walk(one)):
                    text = "\n".join(ast.unparse(each) for each in [*before, one])
                    checks.append((f"line {one.lineno}", f"candidate = {name}\n{text}"))
                else:
                    before.append(one)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            setup.append(node)
    return "\n".join(ast.unparse(one) for one in setup), checks


def judged(python: str, repairs: list[Repair], job: dict[str, Any], node: Path | None) -> str:
    """Whether the first repair is right, found out in the sandbox."""
    if not repairs:
        return "none"
    rung = sandbox.probe(python)
    assert not isinstance(rung, NoSandbox)
    with sandbox.scratch_folder() as scratch:
        for file in (HERE / "judge_inside.py", HERE / "quix_inputs.py"):
            shutil.copyfile(file, scratch / file.name)
        shutil.copyfile(INSIDE / "inputs.py", scratch / "search_inputs.py")
        if node is not None:
            shutil.copyfile(node, scratch / "node.py")
        job = {**job, "made": repairs[0].patch.content.decode(), "folder": str(scratch)}
        finished = sandbox.run(
            [python, "-B", str(scratch / "judge_inside.py"), "{answer}"],
            scratch=scratch,
            folder=scratch,
            readable=sandbox.interpreter_folders(python),
            request=json.dumps(job).encode(),
            limits=Limits(wall_seconds=300, cpu_seconds=120),
            layers=rung.asked,
        )
    try:
        said = json.loads(finished.answer)
    except ValueError:
        return f"wrong: {finished.ended} {finished.output[-200:]}"
    return "right" if said["same"] and said["inputs"] else f"wrong: {said['why']} ({said['inputs']})"


if __name__ == "__main__":
    sys.exit(main())
