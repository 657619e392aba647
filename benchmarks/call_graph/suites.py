"""Precision and recall against published truths: micro suites, and six real applications.

An edge is a (caller, callee) pair of names. Micro suites are summed over all edges; a suite's folder holds
`category/case/*.py`, its truths lie beside the sources or in a tree of the same shape, as `callgraph.json`.

Of the applications only edges count whose callee is a function or method that the application itself defines, since
their truths name everything else in their own way. Those truths lack real calls, so that precision is a lower bound;
an overlay adds real calls, each with the line that makes it. Its rows come from running the applications' own tests
(whatever was seen and the truth lacks, also what the static graph misses) and from reading; what code outside called
back and what only resumed a generator is not among them.
"""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.call_graph.naming import JARVIS, PYCG, Dialect, NamedEdges, named_edges

Tool = Callable[[Path, list[Path]], NamedEdges]
"""(root, files) → edges."""


@dataclass(frozen=True)
class Score:
    right: int
    extra: int
    missing: int

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.extra)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missing)

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.extra + other.extra, self.missing + other.missing)


@dataclass(frozen=True)
class Case:
    name: str
    extra: NamedEdges
    missing: NamedEdges
    score: Score
    seconds: float
    """Processor time of the tool."""
    failed: str = ""
    """The tool's error; its edges then count as none."""


def compared(name: str, found: NamedEdges, truth: NamedEdges, seconds: float, failed: str = "") -> Case:
    extra, missing = found - truth, truth - found
    return Case(name, extra, missing, Score(len(found & truth), len(extra), len(missing)), seconds, failed)


def total(cases: list[Case]) -> Score:
    return sum((case.score for case in cases), Score(0, 0, 0))


def tracelens(dialect: Dialect, *, implicit: bool = True) -> Tool:
    return lambda root, files: named_edges(root, files, dialect, implicit=implicit)


# Micro suites


@dataclass(frozen=True)
class Suite:
    name: str
    sources: Path
    truths: Path
    dialect: Dialect


def pycg_suite(folder: Path) -> Suite:
    """Of a checkout of PyCG, or its folder of snippets."""
    snippets = _first(folder, "micro-benchmark/snippets", "snippets", ".")
    return Suite("PyCG micro", snippets, snippets, PYCG)


def jarvis_suite(folder: Path) -> Suite:
    """Of a checkout of the Jarvis artifact, or its folder Jarvis. Cases whose folders do not match are left out."""
    base = artifact(folder)
    return Suite("Jarvis micro", base / "dataset/micro_benchmark", base / "ground_truth/micro_benchmark", JARVIS)


def artifact(checkout: Path) -> Path:
    """The folder of the Jarvis artifact that holds sources, truths and outputs."""
    return _first(checkout, "Jarvis", ".")


def swarm_suite(folder: Path) -> Suite:
    """Of a checkout of SWARM-CG, or one of its suites of Python cases."""
    cases = _first(folder, "benchmarks/python/pycg_extended", ".")
    return Suite("SWARM-CG extended", cases, cases, PYCG)


def run_suite(suite: Suite, tool: Tool) -> list[Case]:
    return [_run_case(suite, case, tool) for case in cases_of(suite)]


def cases_of(suite: Suite) -> Iterator[str]:
    """The "category/case" of every truth that has sources."""
    for truth in sorted(suite.truths.glob("*/**/callgraph.json")):
        case = truth.parent.relative_to(suite.truths).as_posix()
        if (suite.sources / case).is_dir():
            yield case


def _run_case(suite: Suite, case: str, tool: Tool) -> Case:
    truth = _edges_of(suite.truths / case / "callgraph.json")
    folder = suite.sources / case
    begun = time.process_time()
    try:
        found, failed = tool(folder, sorted(folder.rglob("*.py"))), ""
    except Exception as error:  # whatever a tool does is a result
        found, failed = set(), f"{type(error).__name__}: {error}"
    return compared(case, found, truth, time.process_time() - begun, failed)


@dataclass(frozen=True)
class Defect:
    """What a truth of a micro suite says against what running the case does."""

    case: str
    why: str
    wrong: NamedEdges
    """In the truth, and never happens."""
    lacks: NamedEdges
    """Happens, and is not in the truth."""


def read_defects(path: Path, suite: str) -> list[Defect]:
    return [
        Defect(row["case"], row["why"], {(a, b) for a, b in row["wrong"]}, {(a, b) for a, b in row["lacks"]})
        for row in json.loads(path.read_text()).get(suite, ())
    ]


def adjudicated(cases: list[Case], defects: list[Defect]) -> list[Case]:
    """The same results against truths whose defects are set right."""
    by_case = {defect.case: defect for defect in defects}
    return [_set_right(case, by_case[case.name]) if case.name in by_case else case for case in cases]


def _set_right(case: Case, defect: Defect) -> Case:
    extra = (case.extra - defect.lacks) | (defect.wrong - case.missing)
    missing = (case.missing - defect.wrong) | (defect.lacks - case.extra)
    right = case.score.right + len(case.extra & defect.lacks) - len(defect.wrong - case.missing)
    return Case(case.name, extra, missing, Score(right, len(extra), len(missing)), case.seconds, case.failed)


# Applications


@dataclass(frozen=True)
class Application:
    name: str
    root: str
    files: str
    """A pattern below the root."""


APPLICATIONS = (
    Application("bpytop", "bpytop", "bpytop.py"),
    Application("sshtunnel", "sshtunnel", "sshtunnel.py"),
    Application("furl", "furl", "furl/*.py"),
    Application("rich-cli", "rich-cli/src", "rich_cli/*.py"),
    Application("TextRank4ZH", "TextRank4ZH", "textrank4zh/*.py"),
    Application("sqlparse", "sqlparse", "sqlparse/**/*.py"),
)

Overlay = dict[str, list[tuple[str, str, str]]]
"""Application to (caller, callee, "file:line") of calls that its truth lacks."""


def read_overlay(path: Path) -> Overlay:
    return {app: [(a, b, place) for a, b, place in rows] for app, rows in json.loads(path.read_text()).items()}


def run_application(base: Path, application: Application, tool: Tool, overlay: Overlay) -> tuple[Case, Case]:
    """Compared with the truth as published, and with the overlay added. `base`: the Jarvis artifact."""
    base = artifact(base)
    root = base / "dataset/macro_benchmark/pj" / application.root
    files = sorted(root.glob(application.files))
    begun = time.process_time()
    try:
        found, failed = tool(root, files), ""
    except Exception as error:  # whatever a tool does is a result
        found, failed = set(), f"{type(error).__name__}: {error}"
    seconds = time.process_time() - begun
    defined = {name for file in files for name in _functions(file.relative_to(root).as_posix(), file.read_bytes())}
    truth = _edges_of(base / "ground_truth/macro_benchmark" / application.name / "EA.json")
    found, truth = ({edge for edge in edges if edge[1] in defined} for edges in (found, truth))
    added = {(caller, callee) for caller, callee, _ in overlay.get(application.name, ())}
    return (
        compared(application.name, found, truth, seconds, failed),
        compared(application.name, found, truth | added, seconds, failed),
    )


def published(suite: Suite, outputs: Callable[[str], NamedEdges | None]) -> list[Case]:
    """Outputs that were published for a suite; a case without one counts as an empty graph."""
    cases = []
    for name in cases_of(suite):
        found = outputs(name)
        truth = _edges_of(suite.truths / name / "callgraph.json")
        cases.append(compared(name, found or set(), truth, 0.0, "" if found is not None else "no output"))
    return cases


def ceiling(base: Path, overlay: Overlay) -> float:
    """Mean precision against the truths as published of a tool that finds just what truths and overlay have."""
    reached = []
    for application in APPLICATIONS:
        truth, whole = run_application(base, application, lambda root, files: set(), overlay)
        reached.append(truth.score.missing / max(1, whole.score.missing))
    return sum(reached) / len(reached)


def mean(cases: list[Case]) -> tuple[float, float]:
    """Mean precision and recall: each application counts the same."""
    count = max(1, len(cases))
    return sum(c.score.precision for c in cases) / count, sum(c.score.recall for c in cases) / count


def _functions(path: str, source: bytes) -> Iterator[str]:
    """The functions and methods that a file defines, by the standard library's parser: it knows nothing of ours."""
    module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    pending: list[tuple[ast.AST, str]] = [(ast.parse(source.decode("utf-8", "replace")), module)]
    while pending:
        node, scope = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{scope}.{child.name}"
            named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            pending.append((child, f"{scope}.{child.name}" if named else scope))


def _edges_of(path: Path) -> NamedEdges:
    graph: dict[str, list[str]] = json.loads(path.read_text())
    return {(caller, callee) for caller, callees in graph.items() for callee in callees or ()}


def _first(folder: Path, *below: str) -> Path:
    return next((folder / one for one in below if (folder / one).is_dir()), folder)
