"""Other values: constants, one more or one less, bounds of ranges and slices."""

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


def edits(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    if isinstance(node, ast.Constant):
        yield from _constant(ctx, node)
    if not is_load(node):
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        yield from _range(ctx, node)
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        yield from _slice(ctx, node, node.slice)
    elif base(ctx.kind_of(node)) in SEQUENCES | {""} and isinstance(node, ast.Name | ast.Attribute | ast.Call):
        yield from _sliced(ctx, node)
    yield from _one_off(ctx, node)


def _constant(ctx: Context, node: ast.Constant) -> Iterator[Candidate]:
    value = node.value
    near: dict[str, float] = {}
    if isinstance(value, bool):
        near[repr(not value)] = 0.75
        near["None"] = 0.2
    elif isinstance(value, int):
        for other, prior in ((value + 1, 0.65), (value - 1, 0.6), (0, 0.5), (1, 0.5), (-value, 0.4), (2, 0.4)):
            near.setdefault(repr(other), prior)
        for other in (value + 2, value - 2, value * 2, value // 2, value * 10, value // 10, 3, 4, 5, 10, 100):
            near.setdefault(repr(other), 0.25)
        near.setdefault("float('inf')", 0.2)
        near.setdefault("-float('inf')", 0.2)
        near.setdefault("None", 0.15)
        near.setdefault("[]", 0.1)
    elif isinstance(value, float):
        for number in (value + 1, value - 1, value * 2, value / 2, -value, value * 10, value / 10, 0.0, 1.0, 0.5):
            near.setdefault(repr(number), 0.35)
    elif isinstance(value, str):
        for text in ("", " ", value.lower(), value.upper(), value.strip(), value + " ", value[:-1], value[1:], ","):
            near.setdefault(repr(text), 0.3)
        for text in ("\n", "0", "1", "-", "_", value + value, value[::-1]):
            near.setdefault(repr(text), 0.2)
        for text in ctx.texts:
            near[repr(text)] = max(near.get(repr(text), 0.0), 0.25)
        for text in _one_letter(value):
            near.setdefault(repr(text), 0.12)
    elif value is None:
        near = {"False": 0.4, "True": 0.3, "0": 0.35, "[]": 0.35, "''": 0.3, "-1": 0.25}
    for other_constant in ctx.constants:
        if type(other_constant.value) is type(value):
            near[repr(other_constant.value)] = max(near.get(repr(other_constant.value), 0), 0.4)
    near.pop(repr(value), None)
    for text, prior in near.items():
        yield ctx.change(node, text, "constant", prior, compound=text.startswith("-"))
    parent = ctx.parents.get(node)
    if isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.USub):
        return
    wanted = type(value).__name__
    for name, weight in ctx.variables(node):
        kind = ctx.kind_of_name(name)
        prior = 0.4 if not isinstance(value, bool) else 0.15
        yield ctx.change(node, name, "variable for a constant", prior * weight * fit(wanted, kind))


def _one_letter(value: str) -> Iterator[str]:
    """The text with one character gone, doubled or exchanged with the next; and with vowels and digits added."""
    if len(value) > 40:
        return
    for at in range(len(value)):
        yield value[:at] + value[at + 1 :]
        if at + 1 < len(value):
            yield value[:at] + value[at + 1] + value[at] + value[at + 2 :]
    if value.isalnum() and len(value) >= 3:
        for letter in "aeiouy0123456789":
            if letter not in value:
                yield value + letter
        for letter in "AEIOU":
            if letter not in value and not value.islower():
                yield value + letter


def _one_off(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    """One more or one less than a number."""
    kind = base(ctx.kind_of(node))
    if isinstance(node, ast.Constant) or kind not in NUMBERS | {""} or kind == "bool":
        return
    parent = ctx.parents.get(node)
    if isinstance(node, ast.Call | ast.Name | ast.Attribute | ast.Subscript | ast.BinOp):
        if isinstance(parent, ast.Call) and parent.func is node:
            return
        if isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Subscript) and parent.value is node):
            return
        tight = isinstance(parent, ast.Slice | ast.Subscript | ast.Return | ast.Compare) or (
            isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name)
        )
        prior = (0.5 if tight else 0.3) * (1.0 if kind else 0.5)
        text = f"({ctx.text(node)})" if isinstance(node, COMPOUND) and not _additive(node) else ctx.text(node)
        yield ctx.change(node, f"{text} + 1", "one more", prior, compound=True)
        yield ctx.change(node, f"{text} - 1", "one less", prior, compound=True)
        yield ctx.change(node, f"-{ctx.wrapped(node)}", "sign", 0.2 * (1.0 if kind else 0.4), compound=True)


def _additive(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.FloorDiv)


def _range(ctx: Context, node: ast.Call) -> Iterator[Candidate]:
    arguments = [ctx.text(one) for one in node.args]
    if len(arguments) == 1:
        for start in ("1", "2"):
            yield ctx.change(node, f"range({start}, {arguments[0]})", "loop bounds", 0.45)
            yield ctx.change(node, f"range({start}, {arguments[0]} + 1)", "loop bounds", 0.4)
        yield ctx.change(node, f"range({arguments[0]}, 0, -1)", "loop bounds", 0.15)
        yield ctx.change(node, f"range({arguments[0]} - 1, -1, -1)", "loop bounds", 0.25)
        for name, weight in ctx.variables(node):
            fits = fit("int", ctx.kind_of_name(name)) * weight
            yield ctx.change(node, f"range({name}, {arguments[0]})", "loop bounds", 0.25 * fits)
            yield ctx.change(node, f"range({name} + 1, {arguments[0]})", "loop bounds", 0.3 * fits)
    elif len(arguments) == 2:
        a, b = arguments
        yield ctx.change(node, f"range({b})", "loop bounds", 0.35)
        yield ctx.change(node, f"range({a} + 1, {b} + 1)", "loop bounds", 0.3)
        for step in ("2", "-1", "3"):
            yield ctx.change(node, f"range({a}, {b}, {step})", "loop step", 0.25)
        yield ctx.change(node, f"range({b}, {a}, -1)", "loop bounds", 0.2)
        yield ctx.change(node, f"range({b} - 1, {a} - 1, -1)", "loop bounds", 0.25)
        for name, weight in ctx.variables(node):
            if fit("int", ctx.kind_of_name(name)) > 0.5:
                yield ctx.change(node, f"range({a}, {b}, {name})", "loop step", 0.15 * weight)
    elif len(arguments) == 3:
        yield ctx.change(node, f"range({arguments[0]}, {arguments[1]})", "loop step", 0.35)


def _slice(ctx: Context, node: ast.Subscript, part: ast.Slice) -> Iterator[Candidate]:
    whole = ctx.text(node.value)
    lower, upper, step = (ctx.text(one) if one else "" for one in (part.lower, part.upper, part.step))
    yield ctx.change(node, whole, "slice left out", 0.4)

    def made(low: str, high: str, by: str, prior: float) -> Candidate:
        inside = f"{low}:{high}" + (f":{by}" if by else "")
        return ctx.change(node, f"{whole}[{inside}]", "slice", prior)

    if lower:
        yield made("", upper, step, 0.4)
        if not upper:
            yield made("", lower, step, 0.4)
    else:
        yield made("1", upper, step, 0.3)
    if upper:
        yield made(lower, "", step, 0.4)
        if not lower:
            yield made(upper, "", step, 0.4)
            yield made(f"-{upper}", "", step, 0.25)
    else:
        yield made(lower, "-1", step, 0.3)
    if not step:
        yield made(lower, upper, "-1", 0.3)
        yield made(lower, upper, "2", 0.2)
    elif step not in ("-1",):
        yield made(lower, upper, "", 0.3)
    for name, weight in ctx.variables(node):
        fits = fit("int", ctx.kind_of_name(name)) * weight
        if fits > 0.5:
            if not upper:
                yield made(lower, name, step, 0.25 * fits)
                yield made(lower, f"{name} + 1", step, 0.25 * fits)
            if not lower:
                yield made(name, upper, step, 0.25 * fits)
                yield made(f"{name} + 1", upper, step, 0.25 * fits)


def _sliced(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    parent = ctx.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    if isinstance(parent, ast.Attribute):
        return
    known = 1.0 if ctx.kind_of(node) else 0.4
    text = ctx.text(node)
    looped = isinstance(parent, ast.For | ast.comprehension | ast.Call | ast.Return | ast.BinOp)
    prior = (0.35 if looped else 0.2) * known
    for inside in ("1:", ":-1", "::-1"):
        yield ctx.change(node, f"{text}[{inside}]", "slice", prior)
    for inside in ("0", "-1"):
        yield ctx.change(node, f"{text}[{inside}]", "item", prior * 0.7)
    yield ctx.change(node, f"{text}[::2]", "slice", prior * 0.4)
    for name, weight in ctx.variables(node):
        if base(ctx.kind_of_name(name)) == "int":
            for inside, factor in ((f"{name}:", 1.0), (f":{name}", 1.0), (f"{name} + 1:", 0.8), (name, 0.6)):
                yield ctx.change(node, f"{text}[{inside}]", "slice", prior * weight * factor)
