"""Linking: the facts of all files to edges between units and one resolution for every call site.

A function of all facts, in three steps: every unit gets a number; names, attributes and calls are evaluated to *values*
on demand (graph/evaluate.py); each call site's values become edges. The order of the input does not matter.

What a call of a value means:
- a function, method or lambda: that unit;
- a class: its `__init__` (and `__new__`) as found along its MRO, when the workspace has one; the class unit itself when
  it has none (a dataclass, an exception, a class whose base is not in the workspace);
- an instance: its class's `__call__`;
- `super().name`: the next `name` along the MRO of the class around.
An edge is "likely", not "certain", when an annotation was needed to find it, when the called name has several possible
definitions or also values that are not known, and when a decorator of the workspace may have replaced the function.
"""

from __future__ import annotations

from collections.abc import Mapping

from tracelens_indexer.graph.evaluate import Evaluator, Targets
from tracelens_indexer.graph.links import Confidence, Edge, Links, Resolution, Status
from tracelens_indexer.graph.program import Program
from tracelens_indexer.source.facts import FileFacts


def link(files: Mapping[str, tuple[str, FileFacts]]) -> Links:
    """Link a workspace. `files`: path to (module, facts); edges and resolutions come ordered by path and place."""
    program = Program(files)
    evaluator = Evaluator(program)
    edges: dict[Edge, None] = {}
    resolutions: list[Resolution] = []
    for number, file in enumerate(program.files):
        first = file.first_unit
        ids = program.ids
        for index, site in enumerate(file.facts.sites):
            caller = ids[first + site.unit]
            targets = evaluator.targets(number, file.flow.callees[index])
            for unit, likely in targets.units:
                confidence: Confidence = "likely" if likely else "certain"
                edges[Edge(caller, ids[unit], "call", site.line, site.column, confidence)] = None
            status, reason = _outcome(targets)
            resolutions.append(Resolution(caller, site.line, site.column, site.callee, status, reason))
        for decorated in sorted(file.flow.decorators):
            for expression, enclosing, line, column in file.flow.decorators[decorated]:
                for unit, likely in evaluator.targets(number, expression).units:
                    confidence = "likely" if likely else "certain"
                    edges[Edge(ids[first + enclosing], ids[unit], "decorates", line, column, confidence)] = None
    return Links(tuple(edges), tuple(resolutions))


def _outcome(targets: Targets) -> tuple[Status, str]:
    if targets.units:
        return "resolved", ""
    if targets.external:
        return "external", targets.external
    return "unresolved", targets.reason
