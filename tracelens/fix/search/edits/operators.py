"""Other operators: comparison, arithmetic, logic; swapped and dropped operands; assignment in place or not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.patch import Edit
from tracelens.fix.search.edits.context import NUMBERS, SEQUENCES, Candidate, Context, base

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
_NEAR = {
    "<": [("<=", 0.9), (">", 0.55), (">=", 0.5), ("!=", 0.35), ("==", 0.25)],
    "<=": [("<", 0.9), (">=", 0.55), (">", 0.5), ("==", 0.3), ("!=", 0.25)],
    ">": [(">=", 0.9), ("<", 0.55), ("<=", 0.5), ("!=", 0.35), ("==", 0.25)],
    ">=": [(">", 0.9), ("<=", 0.55), ("<", 0.5), ("==", 0.3), ("!=", 0.25)],
    "==": [("!=", 0.7), ("<=", 0.4), (">=", 0.4), ("<", 0.35), (">", 0.35), ("in", 0.2)],
    "!=": [("==", 0.7), ("<", 0.4), (">", 0.4), ("<=", 0.25), (">=", 0.25), ("not in", 0.2)],
    "is": [("is not", 0.7), ("==", 0.3)],
    "is not": [("is", 0.7), ("!=", 0.3)],
    "in": [("not in", 0.7), ("==", 0.2)],
    "not in": [("in", 0.7), ("!=", 0.2)],
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
}
_LIKELY = {
    "+": "-*",
    "-": "+*",
    "*": ["+", "/", "//", "**"],
    "/": ["//", "*", "%"],
    "//": ["/", "%", "*"],
    "%": ["//", "/", "*"],
    "**": ["*", "//"],
    "&": "|^",
    "|": "&^",
    "^": "&|",
    "<<": [">>"],
    ">>": ["<<"],
}


def edits(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    if isinstance(node, ast.Compare):
        yield from _comparison(ctx, node)
    elif isinstance(node, ast.BinOp):
        yield from _arithmetic(ctx, node)
    elif isinstance(node, ast.BoolOp):
        yield from _logic(ctx, node)
    elif isinstance(node, ast.UnaryOp):
        yield ctx.change(node, ctx.text(node.operand), "operator left out", 0.5, compound=True)
    elif isinstance(node, ast.IfExp):
        yield ctx.change(node, ctx.text(node.body), "one branch", 0.25, compound=True)
        yield ctx.change(node, ctx.text(node.orelse), "one branch", 0.25, compound=True)
        swapped = f"{ctx.text(node.orelse)} if {ctx.text(node.test)} else {ctx.text(node.body)}"
        yield ctx.change(node, swapped, "branches swapped", 0.4, compound=True)


def _between(ctx: Context, left: ast.expr, right: ast.expr, text: str) -> Edit:
    """Replace the operator between two expressions, their parentheses left as they are."""
    start, end = ctx.source.span(left)[1], ctx.source.span(right)[0]
    gap = ctx.source.text[start:end]
    head = gap[: len(gap) - len(gap.lstrip(") \t\n\\"))]
    tail = gap[len(gap.rstrip("( \t\n\\")) :]
    return Edit(start, end, head + text + tail)


def _comparison(ctx: Context, node: ast.Compare) -> Iterator[Candidate]:
    left = node.left
    for op, right in zip(node.ops, node.comparators, strict=True):
        text = _COMPARISONS[type(op)]
        for other, prior in _NEAR[text]:
            if other in ("in", "not in") and base(ctx.kind_of(right)) in NUMBERS:
                continue
            title = f"`{other}` instead of `{text}`"
            yield Candidate((_between(ctx, left, right, other),), "comparison", title, node.lineno, prior)
        left = right
    if len(node.ops) == 1:
        a, b = node.left, node.comparators[0]
        text = _COMPARISONS[type(node.ops[0])]
        if text not in ("==", "!="):
            yield ctx.change(node, f"{ctx.text(b)} {text} {ctx.text(a)}", "operands swapped", 0.35, compound=True)
    else:
        for kept in range(len(node.ops)):
            a = node.left if kept == 0 else node.comparators[kept - 1]
            text = f"{ctx.text(a)} {_COMPARISONS[type(node.ops[kept])]} {ctx.text(node.comparators[kept])}"
            yield ctx.change(node, text, "part of a comparison", 0.25, compound=True)


def _arithmetic(ctx: Context, node: ast.BinOp) -> Iterator[Candidate]:
    text = _ARITHMETIC.get(type(node.op))
    if text is None:
        return
    left, right = base(ctx.kind_of(node.left)), base(ctx.kind_of(node.right))
    numbers = not (left in SEQUENCES or right in SEQUENCES)
    likely = list(_LIKELY[text])
    for other in _ARITHMETIC.values():
        if other == text:
            continue
        prior = 0.6 - 0.05 * likely.index(other) if other in likely else 0.2
        if not numbers:
            prior *= 0.3
        title = f"`{other}` instead of `{text}`"
        yield Candidate((_between(ctx, node.left, node.right, other),), "arithmetic", title, node.lineno, prior)
    a, b = ctx.text(node.left), ctx.text(node.right)
    first, second = ctx.wrapped(node.left), ctx.wrapped(node.right)
    if text not in "*&|^" and (text != "+" or not numbers or not left):
        prior = 0.45 if text != "+" or not numbers else 0.15
        yield ctx.change(node, f"{second} {text} {first}", "operands swapped", prior, compound=True)
    yield ctx.change(node, a, "operand left out", 0.45, compound=isinstance(node.left, ast.expr) and "(" not in a)
    yield ctx.change(node, b, "operand left out", 0.4, compound="(" not in b)
    # a op (b op c) for (a op b) op c, and the other way round.
    if isinstance(node.left, ast.BinOp) and type(node.left.op) in _ARITHMETIC:
        x, y = ctx.wrapped(node.left.left), ctx.wrapped(node.left.right)
        inner = _ARITHMETIC[type(node.left.op)]
        yield ctx.change(node, f"{x} {inner} ({y} {text} {second})", "grouping", 0.35, compound=True)
    if isinstance(node.right, ast.BinOp) and type(node.right.op) in _ARITHMETIC:
        x, y = ctx.wrapped(node.right.left), ctx.wrapped(node.right.right)
        inner = _ARITHMETIC[type(node.right.op)]
        yield ctx.change(node, f"({first} {text} {x}) {inner} {y}", "grouping", 0.35, compound=True)


def _logic(ctx: Context, node: ast.BoolOp) -> Iterator[Candidate]:
    text, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    parts = [ctx.text(one) for one in node.values]
    wrapped = [f"({p})" if isinstance(v, ast.BoolOp) else p for p, v in zip(parts, node.values, strict=True)]
    swapped = f" {other} ".join(wrapped)
    yield ctx.change(node, swapped, "logic", 0.6, compound=True, title=f"`{other}` instead of `{text}`")
    for left_out in range(len(parts)):
        kept = [one for at, one in enumerate(wrapped) if at != left_out]
        yield ctx.change(node, f" {text} ".join(kept), "part of a condition left out", 0.4, compound=True)
    for at in range(len(parts) - 1) if len(parts) > 2 else ():
        mixed = f" {text} ".join(wrapped[: at + 1]) + f" {other} " + f" {text} ".join(wrapped[at + 1 :])
        yield ctx.change(node, mixed, "logic", 0.35, compound=True)


def statement_edits(ctx: Context, node: ast.stmt) -> Iterator[Candidate]:
    """Assignments in place for plain ones, and the other way round; other operators of them."""
    if isinstance(node, ast.AugAssign):
        target, value = ctx.text(node.target), ctx.text(node.value)
        text = _ARITHMETIC.get(type(node.op))
        if text is None:
            return
        likely = list(_LIKELY[text])
        for other in _ARITHMETIC.values():
            if other != text:
                prior = 0.6 if other in likely else 0.25
                yield _line(ctx, node, f"{target} {other}= {value}", "arithmetic", prior)
        yield _line(ctx, node, f"{target} = {value}", "assignment", 0.5)
        yield _line(ctx, node, f"{target} = {value} {text} {target}", "operands swapped", 0.3)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target, value = ctx.text(node.targets[0]), ctx.text(node.value)
        if isinstance(node.targets[0], ast.Name | ast.Attribute | ast.Subscript):
            inside = base(ctx.kind_of(node.value)) or ""
            yield _line(ctx, node, f"{target} += {value}", "assignment", 0.4 if inside != "bool" else 0.1)
            if inside in NUMBERS or not inside:
                for op in ("-", "*", "//"):
                    yield _line(ctx, node, f"{target} {op}= {value}", "assignment", 0.2)


def _line(ctx: Context, node: ast.stmt, text: str, kind: str, prior: float) -> Candidate:
    start, end = ctx.source.span(node)
    shown = f"`{text}` instead of `{ctx.text(node)}`"
    return Candidate((Edit(start, end, text),), kind, shown, node.lineno, prior)
