"""Other names: variables, attributes and whole expressions of the same function, by the types that were seen."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.search.edits.context import (
    COMPOUND,
    NUMBERS,
    SEQUENCES,
    Candidate,
    Context,
    base,
    fit,
    is_load,
)

_MOST_INGREDIENTS = 60


def edits(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    parent = ctx.parents.get(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    if isinstance(node, ast.Name):
        yield from _variable(ctx, node, called)
    if isinstance(node, ast.Attribute) and not called:
        yield from _attribute(ctx, node)
    if isinstance(node, ast.Subscript) and is_load(node) and not isinstance(node.slice, ast.Slice):
        yield ctx.change(node, ctx.text(node.value), "item", 0.25)
        yield ctx.change(node, ctx.text(node.slice), "item", 0.25, compound=True)
    if is_load(node) and not called and not isinstance(parent, ast.Attribute):
        yield from _expressions(ctx, node)
        yield from _combined(ctx, node)
    elif isinstance(node, ast.Subscript | ast.Attribute | ast.Name) and not is_load(node):
        yield from _targets(ctx, node)


def _variable(ctx: Context, node: ast.Name, called: bool) -> Iterator[Candidate]:
    wanted = ctx.kind_of(node)
    if called:
        for name in ctx.functions_seen:
            if name != node.id:
                yield ctx.change(node, name, "function", 0.3 if name in ctx.siblings else 0.4)
        return
    prior = 0.6 if is_load(node) else 0.35
    for name, weight in ctx.variables(node):
        if name != node.id:
            kind = ctx.kind_of_name(name)
            yield ctx.change(node, name, "variable", prior * weight * fit(wanted, kind))
    if is_load(node):
        for kind in ctx.types.get(node.id, ()):
            for one in ctx.attributes.get(kind, ()):
                yield ctx.change(node, f"{node.id}.{one}", "attribute", 0.3 if not one.endswith("()") else 0.15)


def _attribute(ctx: Context, node: ast.Attribute) -> Iterator[Candidate]:
    seen: set[str] = {node.attr}
    sure = ctx.attributes.get(ctx.kind_of(node.value), ())
    for one in sure:
        if one not in seen and (is_load(node) or one[-1] != ")"):
            seen.add(one)
            yield ctx.change(node, f"{ctx.wrapped(node.value)}.{one}", "attribute", 0.55 if one[-1] != ")" else 0.25)
    for names in ctx.attributes.values():
        for one in names:
            if one not in seen and one[-1] != ")":
                seen.add(one)
                yield ctx.change(node, f"{ctx.wrapped(node.value)}.{one}", "attribute", 0.4)
    if is_load(node):
        yield ctx.change(node, ctx.text(node.value), "attribute left out", 0.35)
        yield ctx.change(node, f"{ctx.text(node)}.{node.attr}", "attribute", 0.25)


def _ingredients(ctx: Context) -> list[ast.expr]:
    """Expressions of the function that are worth being put elsewhere."""
    seen: set[str] = set()
    found = []
    for node in ctx.expressions:
        if not is_load(node) or isinstance(node, ast.Constant | ast.Name | ast.Lambda | ast.JoinedStr):
            continue
        parent = ctx.parents.get(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            continue
        text = ctx.text(node)
        if text not in seen and len(text) <= 60 and "\n" not in text:
            seen.add(text)
            found.append(node)
    return found[:_MOST_INGREDIENTS]


def _expressions(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    wanted = ctx.kind_of(node)
    own = ctx.text(node)
    for other in _ingredients(ctx):
        text = ctx.text(other)
        if text == own or (own in text and len(text) > len(own) + 25):
            continue
        prior = (0.3 if isinstance(node, ast.Name | ast.Constant) else 0.27) * fit(wanted, ctx.kind_of(other))
        yield ctx.change(node, text, "expression", prior, compound=isinstance(other, COMPOUND))
    if not isinstance(node, ast.Name | ast.Constant):
        for name, weight in ctx.variables(node):
            prior = 0.35 * weight * fit(wanted, ctx.kind_of_name(name))
            yield ctx.change(node, name, "variable for an expression", prior)
        for text in _constants_for(wanted):
            yield ctx.change(node, text, "constant for an expression", 0.2)


def _constants_for(kind: str) -> tuple[str, ...]:
    known = {"bool": ("True", "False"), "int": ("0", "1", "-1", "2"), "float": ("0.0", "1.0"), "str": ("''",)}
    return known.get(base(kind), ("None", "True", "False", "0", "1", "[]"))


def _combined(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    """The expression together with a variable or a small number."""
    parent = ctx.parents.get(node)
    kind = base(ctx.kind_of(node))
    text = ctx.wrapped(node)
    if isinstance(parent, ast.JoinedStr | ast.FormattedValue | ast.keyword):
        return
    alone = not isinstance(parent, ast.BinOp)
    weight = 1.0 if alone else 0.6
    if kind in NUMBERS - {"bool"} or not kind:
        weight *= 1.0 if kind else 0.4
        for name, near in ctx.variables(node):
            other = base(ctx.kind_of_name(name))
            if other in NUMBERS - {"bool"} or (not other and kind):
                each = weight * near * (1.0 if other else 0.4)
                for op, prior in (("-", 0.3), ("+", 0.3), ("*", 0.22), ("//", 0.14), ("%", 0.15), ("/", 0.12)):
                    yield ctx.change(node, f"{text} {op} {name}", "operand added", prior * each, compound=True)
                yield ctx.change(node, f"{name} - {text}", "operand added", 0.2 * each, compound=True)
                if name not in text:
                    yield ctx.change(node, f"max({name}, {text})", "limit", 0.25 * each)
                    yield ctx.change(node, f"min({name}, {text})", "limit", 0.22 * each)
        for limit in ("max(0, {})", "max(1, {})", "min(1, {})"):
            yield ctx.change(node, limit.format(ctx.text(node)), "limit", 0.2 * weight)
        for after, prior in ((" ** 2", 0.25), (" * 2", 0.2), (" // 2", 0.2), (" / 2", 0.15), (" % 2", 0.12)):
            yield ctx.change(node, text + after, "operand added", prior * weight, compound=True)
        yield ctx.change(node, f"{text} % 10", "operand added", 0.1 * weight, compound=True)
        yield ctx.change(node, f"{text} ** 0.5", "operand added", 0.1 * weight, compound=True)
        yield ctx.change(node, f"{text} + 2", "operand added", 0.12 * weight, compound=True)
        yield ctx.change(node, f"{text} - 2", "operand added", 0.12 * weight, compound=True)
        for constant in ctx.constants:
            if type(constant.value) in (int, float) and constant.value not in (0, 1, 2, 10):
                for op in ("+", "-", "*", "%", "//"):
                    new = f"{text} {op} {constant.value!r}"
                    yield ctx.change(node, new, "operand added", 0.12 * weight, compound=True)
    if kind in SEQUENCES or not kind:
        each = weight * (1.0 if kind else 0.3)
        for name, near in ctx.variables(node):
            if fit(kind, ctx.kind_of_name(name)) >= 0.4:
                prior = 0.25 * each * near * fit(kind, ctx.kind_of_name(name))
                yield ctx.change(node, f"{name} + {text}", "operand added", prior, compound=True)
                yield ctx.change(node, f"{text} + {name}", "operand added", prior, compound=True)
            if kind == "list":
                yield ctx.change(node, f"{text} + [{name}]", "item added", 0.2 * each * near, compound=True)
                yield ctx.change(node, f"[{name}] + {text}", "item added", 0.2 * each * near, compound=True)
        if kind == "str":
            for constant in ctx.constants:
                if isinstance(constant.value, str) and constant.value:
                    new = f"{text} + {constant.value!r}"
                    yield ctx.change(node, new, "operand added", 0.15 * each, compound=True)
                    new = f"{constant.value!r} + {text}"
                    yield ctx.change(node, new, "operand added", 0.15 * each, compound=True)
    if isinstance(node, ast.List):
        for name, near in ctx.variables(node):
            inside = ", ".join([ctx.text(one) for one in node.elts])
            if node.elts:
                yield ctx.change(node, f"[{inside}, {name}]", "item added", 0.2 * near)
                yield ctx.change(node, f"[{name}, {inside}]", "item added", 0.2 * near)
            else:
                yield ctx.change(node, f"[{name}]", "item added", 0.35 * near)
        if not node.elts:
            for inside, prior in (("[]", 0.4), ("0", 0.3), ("1", 0.25), ("''", 0.2), ("None", 0.1)):
                yield ctx.change(node, f"[{inside}]", "item added", prior)
        else:
            for left_out in range(len(node.elts)):
                kept = [ctx.text(one) for at, one in enumerate(node.elts) if at != left_out]
                yield ctx.change(node, f"[{', '.join(kept)}]", "item left out", 0.25)
            for extra in ("0", "1"):
                yield ctx.change(node, f"[{inside_of(ctx, node)}, {extra}]", "item added", 0.2)


def inside_of(ctx: Context, node: ast.List | ast.Tuple) -> str:
    return ", ".join(ctx.text(one) for one in node.elts)


def _targets(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    """Another place to assign to: one that the function assigns to or reads elsewhere."""
    seen: set[str] = {ctx.text(node)}
    for other in ctx.expressions:
        if isinstance(other, ast.Subscript | ast.Attribute) and not isinstance(
            getattr(other, "slice", None), ast.Slice
        ):
            text = ctx.text(other)
            if text not in seen and len(text) <= 60:
                seen.add(text)
                yield ctx.change(node, text, "another target", 0.4)
