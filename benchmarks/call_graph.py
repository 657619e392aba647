#!/usr/bin/env python3
"""How right, how complete and how fast the call graph is, beside other tools where they are given.

    python benchmarks/call_graph.py --pycg PyCG --jarvis ARTIFACT --swarm SWARM-CG --apps ARTIFACT \\
        --traced PACKAGES --corpus CORPORA --overlay benchmarks/call_graph/overlay.json

The folders are checkouts of github.com/vitsalis/PyCG, github.com/pythonJaRvis/pythonJaRvis.github.io (twice) and
github.com/secure-software-engineering/SWARM-CG; CORPORA holds the folders django, sympy and stdlib with their
sources; PACKAGES holds projects with a recording of their tests (see call_graph/traced.py). What is not given is not
measured. The last line is JSON with all numbers.

Calls, applications of decorators and implicit calls count alike: the truths have all of them. Costs are processor
seconds, since wall time says more of what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.call_graph import cost, peers, suites, traced

KEYS = (
    "pycg_p", "pycg_r", "jarvis_p", "jarvis_r", "swarm_p", "swarm_r", "apps_p", "apps_r", "apps_overlay_p",
    "apps_overlay_r", "traced_recall", "django_ratio", "django_converged", "sympy_ratio", "stdlib_ratio", "peak_mb",
    "edit_p95_ms",
)  # fmt: skip

DEFECTS = Path(__file__).with_name("call_graph") / "defects.json"
"""Truths of the micro suites that running the cases contradicts, each with the reason."""

Results = dict[str, float | bool | None]


def main() -> None:
    options = _options()
    results: Results = dict.fromkeys(KEYS)
    if options.pycg or options.jarvis or options.swarm:
        _micro(options, results)
    if options.apps:
        _applications(options, results)
    if options.traced:
        _traced(options, results)
    if options.corpus:
        _costs(options, results)
    print(json.dumps({key: round(v, 4) if isinstance(v, float) else v for key, v in results.items()}))


def _micro(options: argparse.Namespace, results: Results) -> None:
    print("| suite | tool | precision | recall | exact | CPU s |\n|---|---|--:|--:|--:|--:|")
    for key, folder, suite_of in (
        ("pycg", options.pycg, suites.pycg_suite),
        ("jarvis", options.jarvis, suites.jarvis_suite),
        ("swarm", options.swarm, suites.swarm_suite),
    ):
        if not folder:
            continue
        suite = suite_of(folder)
        cases = suites.run_suite(suite, suites.tracelens(suite.dialect))
        score = _print_suite(suite.name, "TraceLens", cases)
        results[f"{key}_p"], results[f"{key}_r"] = score.precision, score.recall
        defects = suites.read_defects(DEFECTS, suite.name)
        right = f"{suite.name}, {len(defects)} truths set right"
        _print_suite(right, "TraceLens", suites.adjudicated(cases, defects))
        if options.pycg and peers.PyCG.is_in(options.pycg):
            with peers.PyCG(options.pycg) as pycg:
                found = suites.run_suite(suite, pycg)
            _print_suite(suite.name, "PyCG", found)
            _print_suite(right, "PyCG", suites.adjudicated(found, defects))
        outputs = suite.truths.parents[1] / "reproducing_RQ2/micro_benchmark"
        if key == "jarvis" and outputs.is_dir():
            found = suites.published(suite, peers.published(outputs, "jarvis.json"))
            _print_suite(suite.name, "Jarvis (published output)", found)
            _print_suite(right, "Jarvis (published output)", suites.adjudicated(found, defects))
        if options.diff:
            _print_differences(cases)
    print()


def _applications(options: argparse.Namespace, results: Results) -> None:
    print("| application | tool | precision | recall | CPU s |\n|---|---|--:|--:|--:|")
    overlay = suites.read_overlay(options.overlay) if options.overlay else {}
    tools: dict[str, Callable[[suites.Application], suites.Tool]] = {
        "TraceLens": lambda app: suites.tracelens(suites.PYCG),
        "TraceLens, written calls only": lambda app: suites.tracelens(suites.PYCG, implicit=False),
        "PyCG (published output)": lambda app: _published(options.apps, app, "pycg/pycg_EA(m).json"),
        "Jarvis (published output)": lambda app: _published(options.apps, app, "jarvis/jarvis_EA.json"),
    }
    for tool, run in tools.items():
        pairs = [suites.run_application(options.apps, app, run(app), overlay) for app in suites.APPLICATIONS]
        if "published" in tool and any(case.failed for case, _ in pairs):
            continue  # the artifact's outputs are not there
        for case, _ in pairs if tool == "TraceLens" else ():
            score = case.score
            print(f"| {case.name} | {tool} | {score.precision:.3f} | {score.recall:.3f} | {case.seconds:.2f} |")
        for name, key, cases in (
            ("mean", "apps", [published for published, _ in pairs]),
            ("mean, with the overlay", "apps_overlay", [adjudicated for _, adjudicated in pairs] if overlay else []),
        ):
            if cases:
                precision, recall = suites.mean(cases)
                print(f"| **{name}** | {tool} | {precision:.3f} | {recall:.3f} | |")
                if tool == "TraceLens":
                    results[f"{key}_p"], results[f"{key}_r"] = precision, recall
        if overlay and tool == "TraceLens":
            most = suites.ceiling(options.apps, overlay)
            print(f"| mean of whoever finds just truth and overlay | | {most:.3f} | 1.000 | |")
        if options.diff and tool == "TraceLens":
            _print_differences([adjudicated for _, adjudicated in pairs])
    print()


def _published(artifact: Path, application: suites.Application, file: str) -> suites.Tool:
    folder = suites.artifact(artifact) / "reproducing_RQ2/macro_benchmark"

    def outputs(root: Path, files: list[Path]) -> suites.NamedEdges:
        found = peers.published(folder, file)(application.name)
        found = found if found is not None else peers.published(folder, file)(application.name.lower())
        if found is None:
            raise FileNotFoundError(folder / application.name / file)
        return found

    return outputs


def _traced(options: argparse.Namespace, results: Results) -> None:
    print("| package | edges seen running | of these in the static graph | recall |\n|---|--:|--:|--:|")
    packages = [traced.recall(folder) for folder in traced.packages(options.traced)]
    reasons: Counter[str] = Counter()
    for one in packages:
        print(f"| {one.package} | {one.seen} | {one.found} | {one.found / max(1, one.seen):.3f} |")
        reasons += one.reasons
    seen, found = sum(one.seen for one in packages), sum(one.found for one in packages)
    if seen:
        results["traced_recall"] = found / seen
        print(f"| **all** | {seen} | {found} | {found / seen:.3f} |\n\nWhy the others are missing:\n")
        for reason, count in reasons.most_common():
            print(f"- {reason}: {count}")
    for line in (line for one in packages for line in one.missing) if options.diff else ():
        print(f"   - {line}")
    print()


def _costs(options: argparse.Namespace, results: Results) -> None:
    print("| corpus | tool | files | MB | parse | facts | link | × parse | peak MB | edit p95 | complete |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|")
    for name in ("django", "sympy", "stdlib"):
        folder = options.corpus / name
        if not folder.is_dir():
            continue
        found = cost.measured(folder, edits=options.edits if name == "django" else 0)
        ours = "TraceLens, compiled" if found.compiled else "TraceLens"
        edit = f"{found.edit_p95_ms:.0f} ms" if found.edit_p95_ms is not None else ""
        print(
            f"| {name} | {ours} | {found.files:,} | {found.megabytes:.1f} | {found.parse_s:.2f} s"
            f" | {found.facts_s:.2f} s | {found.link_s:.2f} s | {found.ratio:.1f} | {found.peak_mb:.0f} | {edit}"
            f" | {'yes' if found.converged else 'partial'} |"
        )
        results[f"{name}_ratio"] = found.ratio
        if name == "django":
            results["django_converged"] = found.converged
            results["peak_mb"] = found.peak_mb
            results["edit_p95_ms"] = found.edit_p95_ms
            for tool, command in (("ty", ["check", "--exit-zero"]), ("pyrefly", ["check", "--threads", "1"])):
                program = shutil.which(tool)
                seconds = cost.processor_seconds([program, *command, str(folder)]) if program else None
                if seconds:
                    print(f"| {name} | {tool} | | | | | | {seconds / found.parse_s:.1f} | | | |")
    print()


def _print_suite(name: str, tool: str, cases: list[suites.Case]) -> suites.Score:
    score = suites.total(cases)
    exact = sum(not (case.extra or case.missing or case.failed) for case in cases)
    seconds = f"{sum(case.seconds for case in cases):.2f}" if tool == "TraceLens" else ""
    print(f"| {name} | {tool} | {score.precision:.3f} | {score.recall:.3f} | {exact} of {len(cases)} | {seconds} |")
    return score


def _print_differences(cases: list[suites.Case]) -> None:
    for case in cases:
        if case.extra or case.missing or case.failed:
            print(case.name, case.failed)
        for sign, edges in (("+", case.extra), ("-", case.missing)):
            for caller, callee in sorted(edges):
                print(f"   {sign} {caller} -> {callee}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pycg", type=Path, help="checkout of PyCG; its micro suite, and the tool itself as a peer")
    parser.add_argument("--jarvis", type=Path, help="checkout of the Jarvis artifact: its micro suite")
    parser.add_argument("--swarm", type=Path, help="checkout of SWARM-CG: its extended PyCG suite")
    parser.add_argument("--apps", type=Path, help="checkout of the Jarvis artifact: its six applications")
    parser.add_argument("--traced", type=Path, help="folder of packages whose tests are recorded")
    parser.add_argument("--corpus", type=Path, help="folder with django, sympy and stdlib: what the graph costs")
    parser.add_argument("--edits", type=int, default=60, help="edits of Django to time (default: 60)")
    parser.add_argument("--overlay", type=Path, help="real calls that the applications' truths lack")
    parser.add_argument("--diff", action="store_true", help="print what is extra (+) and what is missing (-)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
