#!/usr/bin/env python3
"""How right, how complete and how fast the call graph is, beside other tools where they are given."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.call_graph import suites

KEYS = (
    "pycg_p", "pycg_r", "jarvis_p", "jarvis_r", "swarm_p", "swarm_r", "apps_p", "apps_r", "apps_overlay_p",
    "apps_overlay_r", "traced_recall", "django_ratio", "django_converged", "sympy_ratio", "stdlib_ratio", "peak_mb",
    "edit_p95_ms",
)  # fmt: skip


def main() -> None:
    options = _options()
    results: dict[str, float | bool | None] = dict.fromkeys(KEYS)
    print("| measure | tool | precision | recall | exact | CPU s |\n|---|---|--:|--:|--:|--:|")
    for key, folder, suite_of in (
        ("pycg", options.pycg, suites.pycg_suite),
        ("jarvis", options.jarvis, suites.jarvis_suite),
        ("swarm", options.swarm, suites.swarm_suite),
    ):
        if folder:
            suite = suite_of(folder)
            cases = suites.run_suite(suite, suites.tracelens(suite.dialect))
            score = _print_suite(suite.name, "TraceLens", cases, options.diff)
            results[f"{key}_p"], results[f"{key}_r"] = score.precision, score.recall
    if options.apps:
        _applications(options, results)
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in results.items()}))


def _applications(options: argparse.Namespace, results: dict[str, float | bool | None]) -> None:
    overlay = suites.read_overlay(options.overlay) if options.overlay else {}
    tool = suites.tracelens(suites.PYCG)
    pairs = [suites.run_application(options.apps, app, tool, overlay) for app in suites.APPLICATIONS]
    for (published, adjudicated), app in zip(pairs, suites.APPLICATIONS, strict=True):
        score = published.score
        print(f"| {app.name} | TraceLens | {score.precision:.3f} | {score.recall:.3f} | | {published.seconds:.2f} |")
        if options.diff:
            _print_differences(adjudicated)
    for name, key, cases in (
        ("six applications, mean", "apps", [p for p, _ in pairs]),
        ("the same with the overlay", "apps_overlay", [a for _, a in pairs] if overlay else []),
    ):
        if cases:
            precision, recall = suites.mean(cases)
            print(f"| **{name}** | TraceLens | {precision:.3f} | {recall:.3f} | | |")
            results[f"{key}_p"], results[f"{key}_r"] = precision, recall


def _print_suite(name: str, tool: str, cases: list[suites.Case], differences: bool) -> suites.Score:
    score = suites.total(cases)
    exact = sum(not (case.extra or case.missing or case.failed) for case in cases)
    seconds = sum(case.seconds for case in cases)
    print(f"| {name} | {tool} | {score.precision:.3f} | {score.recall:.3f} | {exact} of {len(cases)} | {seconds:.2f} |")
    if differences:
        for case in cases:
            _print_differences(case)
    return score


def _print_differences(case: suites.Case) -> None:
    if case.extra or case.missing or case.failed:
        print(case.name, case.failed)
        for sign, edges in (("+", case.extra), ("-", case.missing)):
            for caller, callee in sorted(edges):
                print(f"   {sign} {caller} -> {callee}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pycg", type=Path, help="checkout of PyCG, or its folder of snippets")
    parser.add_argument("--jarvis", type=Path, help="checkout of the Jarvis artifact: its micro suite")
    parser.add_argument("--swarm", type=Path, help="checkout of SWARM-CG")
    parser.add_argument("--apps", type=Path, help="checkout of the Jarvis artifact: its six applications")
    parser.add_argument("--corpus", type=Path, help="folder with django, sympy and stdlib: the cost")
    parser.add_argument("--overlay", type=Path, help="real calls that the applications' truths lack")
    parser.add_argument("--diff", action="store_true", help="print what is extra (+) and what is missing (-)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
