"""Whether a patch makes something up: a value, an early return, a skipped item. Running it again cannot prove those.

What the function itself does elsewhere in the same form is not made up: `b or ""` beside `a or ""`.
"""

from __future__ import annotations

import ast
from collections import Counter

NOTE = "it makes up what to do instead: that it no longer raises does not say that this is what you want"


def makes_up(before: ast.AST, after: ast.AST, function: ast.AST | None = None) -> bool:
    """Whether the second has more constants outside of comparisons, more ways to return, or more items skipped.

    function: the one that is edited, as it was: forms of expressions that stand in it already are its own way.
    """
    usual = {way(node) for node in ast.walk(function) if decides(node)} if function is not None else set()
    return bool(_decisions(after, usual) - _decisions(before, usual))


def with_another_value(before: ast.AST, after: str) -> str:
    """The second's source with another value where it makes up the first one that it returns or falls back to; "" when
    there is none: what does not notice the difference says nothing of that value."""
    known = Counter(ast.dump(node) for node in ast.walk(before))
    tree = ast.parse(after)
    for node in ast.walk(tree):
        if known[ast.dump(node)]:
            continue
        if isinstance(node, ast.Return) and not isinstance(node.value, ast.IfExp):
            node.value = _another(node.value)
            return ast.unparse(tree)
        if isinstance(node, ast.IfExp):
            if isinstance(node.orelse, ast.Constant | ast.List | ast.Dict | ast.Tuple):
                node.orelse = _another(node.orelse)
                return ast.unparse(tree)
            if isinstance(node.body, ast.Constant | ast.List | ast.Dict | ast.Tuple):
                node.body = _another(node.body)
                return ast.unparse(tree)
    return ""


def _another(node: ast.expr | None) -> ast.expr:
    """Another value of the same type, where that is known."""
    if isinstance(node, ast.List | ast.Tuple):
        return type(node)([*node.elts, ast.Constant(0.0)], ast.Load())
    if isinstance(node, ast.Dict):
        return ast.Dict([*node.keys, ast.Constant(0)], [*node.values, ast.Constant(0)])
    value = node.value if isinstance(node, ast.Constant) else None
    if isinstance(value, bool):
        return ast.Constant(not value)
    if isinstance(value, int | float):
        return ast.Constant(value + 1)
    return ast.Constant(value + "x" if isinstance(value, str) else "another value")


def leaves_out(before: ast.AST, after: ast.AST) -> bool:
    """Whether the second uses some names less often and none more often, nor calls or compares more: it only drops."""
    now, then = _uses(after), _uses(before)
    return bool(then - now) and not now - then


def _uses(tree: ast.AST) -> Counter[str]:
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found[node.id] += 1
        elif isinstance(node, ast.Attribute):
            found["." + node.attr] += 1
        elif isinstance(node, ast.Call | ast.Compare | ast.BinOp | ast.Subscript):
            found[type(node).__name__] += 1
    return found


def decides(node: ast.AST) -> bool:
    """Whether an expression chooses between values: `a or b`, `a if c else b`, `d.get(k, a)`, `int(a, 16)`."""
    if isinstance(node, ast.Call):
        return bool(node.keywords or len(node.args) > 1)
    return isinstance(node, ast.IfExp | ast.BoolOp)


def way(node: ast.AST) -> str:
    """Equal for choices of one form: of `a if c else 0`, the condition and the constant, without the names."""
    if isinstance(node, ast.IfExp):
        for name in ("orelse", "body"):
            branch = getattr(node, name)
            if isinstance(branch, ast.Constant):
                return f"{name} {branch.value!r} {shape(node.test)}"
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func) if isinstance(node.func, ast.Name) else "." + getattr(node.func, "attr", "")
        more = [ast.unparse(one) for one in node.args[1:]] + sorted(map(ast.unparse, node.keywords))
        return f"{called} {more}"
    return shape(node)


def _beside(node: ast.AST) -> list[ast.AST]:
    """The parts of a choice that its `way` does not hold."""
    if isinstance(node, ast.IfExp):
        return [one for one in (node.body, node.orelse) if not isinstance(one, ast.Constant)]
    return [node.func, *node.args[:1]] if isinstance(node, ast.Call) else []


def shape(node: ast.AST) -> str:
    """An expression without its names: equal for what is written in the same form of other variables."""
    return ast.dump(_Nameless().visit(ast.parse(ast.unparse(node), mode="eval")))


class _Nameless(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name("_", ast.Load())

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        called = node.attr if node.attr in ("get", "setdefault", "pop") else "_"
        return ast.Attribute(node.value, called, ast.Load())


def _decisions(tree: ast.AST, usual: set[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Compare | ast.Slice):
            continue
        if usual and decides(node) and way(node) in usual:
            waiting += _beside(node)
            continue
        if isinstance(node, ast.Return):
            found["return"] += 1
        elif isinstance(node, ast.Continue | ast.Break | ast.Pass | ast.Raise):
            found[type(node).__name__] += 1
        elif isinstance(node, ast.Constant):
            found[f"constant {node.value!r}"] += 1
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 2:
            found[f"default of {node.func.attr}"] += node.func.attr in ("get", "setdefault", "pop")
        elif isinstance(node, ast.List | ast.Dict | ast.Set | ast.Tuple) and not list(ast.iter_child_nodes(node))[1:]:
            found[f"empty {type(node).__name__}"] += 1
        waiting.extend(ast.iter_child_nodes(node))
    return found
