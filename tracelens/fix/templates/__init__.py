"""Deterministic repairs: for each kind of exception a small file that turns the failing statement into candidates.

A family is a function from a `Problem` to candidates, registered in `FAMILIES` under the exceptions it knows. They are
only proposals: what each is worth is decided by making the recorded calls again. None of them hides an exception.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tracelens.fix.evidence import Evidence
from tracelens.fix.patch import make_patch
from tracelens.fix.templates import (
    attributes,
    comparisons,
    conversions,
    indexes,
    keys,
    names,
    nones,
    siblings,
    types,
    zero_division,
)
from tracelens.fix.templates.problem import Candidate, Problem

Family = Callable[[Problem], Iterator[Candidate]]

FAMILIES: dict[str, tuple[Family, ...]] = {
    "ZeroDivisionError": (zero_division.candidates, comparisons.candidates),
    "KeyError": (siblings.candidates, keys.candidates, nones.candidates),
    "IndexError": (siblings.candidates, indexes.candidates, comparisons.candidates),
    "AttributeError": (siblings.candidates, nones.candidates, attributes.candidates, types.candidates),
    "TypeError": (siblings.candidates, nones.candidates, types.candidates, comparisons.candidates),
    "ValueError": (siblings.candidates, conversions.candidates, comparisons.candidates),
    "UnboundLocalError": (names.candidates,),
    "NameError": (names.candidates,),
    "RecursionError": (comparisons.candidates,),
    "AssertionError": (comparisons.candidates,),
    "UnicodeDecodeError": (
        siblings.candidates,
        conversions.candidates,
    ),
    "RuntimeError": (keys.candidates,),
}


def candidates(evidence: Evidence) -> list[Candidate]:
    """All candidates that parse, best first, no two the same; [] when no template fits."""
    kind = evidence.failure.type.rpartition(".")[2]
    problem = Problem.of(evidence)
    if problem is None or problem.raised_on_purpose:
        return []
    found: dict[bytes, Candidate] = {}
    for family in FAMILIES.get(kind, ()):
        for one in family(problem):
            try:
                patch = make_patch(evidence.source, one.edits)
            except ValueError:
                continue
            known = found.get(patch.content)
            if known is None or known.preference < one.preference:
                found[patch.content] = one
    return sorted(found.values(), key=lambda one: -one.preference)
