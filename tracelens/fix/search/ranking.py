"""Which of the repairs that pass every check is meant: by what they do with other inputs, and at what cost.

Repairs are grouped by what they do with inputs like those of the checks. A group counts for as much as its members'
edits are likely; inside it the likeliest, smallest and cheapest edit stands first.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracelens.fix.search.edits.context import Candidate, is_written


@dataclass(frozen=True, slots=True)
class Passing:
    """A candidate that passes every check."""

    candidate: Candidate
    text: str
    """Of the whole function with it."""
    score: float
    """Suspiciousness × prior."""
    cost: float
    """Steps on passing checks, with it over without it; 1.0 unknown."""
    behaviour: tuple[str, ...] = ()
    """What it does with each probed input, as text; () not probed."""
    unused: int = 0
    """Variables that it sets and never reads, more than before."""
    group: int = 0
    weight: float = 0.0


def rank(found: Sequence[Passing]) -> list[Passing]:
    """Best first."""
    if not found:
        return []
    groups: dict[tuple[str, ...], list[Passing]] = {}
    for one in found:
        groups.setdefault(one.behaviour, []).append(one)
    weights = {key: _weight_of_group(key, members) for key, members in groups.items()}
    order = sorted(groups, key=lambda key: -weights[key])
    made = []
    for number, key in enumerate(order):
        for one in groups[key]:
            made.append(replace(one, group=number, weight=weights[key]))
    return sorted(made, key=lambda one: (one.group, -_own(one)))


def _own(one: Passing) -> float:
    """How good a repair is among those that do the same."""
    size = sum(len(edit.text) + (edit.end - edit.start) for edit in one.candidate.edits)
    cost = 1.0 if one.cost <= 1.5 else 1.5 / one.cost
    return one.score * cost * (0.5**one.unused) / (1.0 + size / 200)


def _weight_of_group(behaviour: tuple[str, ...], members: Sequence[Passing]) -> float:
    """The best member counts fully, each further one less; inputs on which it raises or does not end count against."""
    scores = sorted((_own(one) for one in members), reverse=True)
    weight = sum(score * 0.5**place for place, score in enumerate(scores))
    if behaviour:
        bad = sum(one.startswith("!") or one in ("out", "?") for one in behaviour) / len(behaviour)
        weight *= 1.0 - 0.6 * bad
    return weight


def confidence(ranked: Sequence[Passing], checks: int) -> float:
    """How sure the first one is, 0 to 1: how little the others that pass disagree, and how much was checked."""
    if not ranked:
        return 0.0
    first = ranked[0]
    weights = {one.group: one.weight for one in ranked}
    share = first.weight / (sum(weights.values()) or 1.0)
    enough = min(1.0, checks / 6)
    return share * (0.4 + 0.6 * enough) * (1.0 if first.behaviour else 0.6)


def unused_variables(text: str) -> int:
    """Names that a function sets and never reads; collections that it fills and never reads count too."""
    try:
        tree = ast.parse(textwrap.dedent(text))
    except (SyntaxError, ValueError):
        return 0
    stored: set[str] = set()
    read: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (stored if isinstance(node.ctx, ast.Store) else read).add(node.id)
    never_written = 0
    made_empty = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_empty(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for name in made_empty:
        if not is_written(tree, name):
            never_written += 1
    return len(stored - read - {"_"}) + never_written


def _is_empty(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Set):
        return not node.elts
    if isinstance(node, ast.Dict):
        return not node.keys
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "list", "dict")
