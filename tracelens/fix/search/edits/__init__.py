"""Candidate edits of one function: each a small splice of its text, with how likely such an edit is what was meant.

The kinds follow the catalogues of mutation testing and of small real fixes; names and expressions come from the same
function and are weighed by the types that their variables were seen to hold. A candidate is a guess; the tests judge.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracelens.fix.search.edits import calls, conditions, names, operators, statements, values
from tracelens.fix.search.edits.context import Candidate, Context

_OF_EXPRESSIONS = (operators.edits, values.edits, calls.edits, names.edits)

__all__ = ["Candidate", "Context", "candidates"]


def candidates(ctx: Context) -> Iterator[Candidate]:
    """All candidates for a function, in no order that means anything; duplicates are left to the caller."""
    for node in filter(ctx.is_reached, ctx.expressions):
        for kind in _OF_EXPRESSIONS:
            yield from kind(ctx, node)
        yield from conditions.expression_edits(ctx, node)
    for statement in filter(ctx.is_reached, ctx.statements):
        yield from operators.statement_edits(ctx, statement)
        yield from conditions.edits(ctx, statement)
        yield from statements.edits(ctx, statement)
