"""Whether a patch makes something up: a value, an early return, a skipped item. Running it again cannot prove those."""

from __future__ import annotations

import ast
from collections import Counter

NOTE = "it makes up what to do instead: that it no longer raises does not say that this is what you want"


def makes_up(before: ast.AST, after: ast.AST) -> bool:
    """Whether the second has more constants outside of comparisons, more ways to return, or more items skipped."""
    return bool(_decisions(after) - _decisions(before))


def _decisions(tree: ast.AST) -> Counter[str]:
    found: Counter[str] = Counter()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Compare | ast.Slice):
            continue
        if isinstance(node, ast.Return):
            found["return"] += 1
        elif isinstance(node, ast.Continue | ast.Break | ast.Pass | ast.Raise):
            found[type(node).__name__] += 1
        elif isinstance(node, ast.Constant):
            found[f"constant {node.value!r}"] += 1
        elif isinstance(node, ast.List | ast.Dict | ast.Set | ast.Tuple) and not list(ast.iter_child_nodes(node))[1:]:
            found[f"empty {type(node).__name__}"] += 1
        waiting.extend(ast.iter_child_nodes(node))
    return found
