"""Other calls: swapped, left out and added arguments, functions for their neighbours, calls left out and added."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.patch import Edit
from tracelens.fix.search.edits.context import (
    COLLECTIONS,
    NUMBERS,
    SEQUENCES,
    Candidate,
    Context,
    base,
    fit,
    is_load,
)

_PAIRS = (
    ("min", "max"),
    ("any", "all"),
    ("append", "extend"),
    ("append", "add"),
    ("add", "update"),
    ("append", "insert"),
    ("pop", "popleft"),
    ("append", "appendleft"),
    ("remove", "discard"),
    ("lower", "upper"),
    ("islower", "isupper"),
    ("isalpha", "isdigit"),
    ("isalpha", "isalnum"),
    ("isdigit", "isnumeric"),
    ("strip", "lstrip"),
    ("strip", "rstrip"),
    ("lstrip", "rstrip"),
    ("find", "rfind"),
    ("index", "rindex"),
    ("split", "rsplit"),
    ("startswith", "endswith"),
    ("keys", "values"),
    ("keys", "items"),
    ("values", "items"),
    ("floor", "ceil"),
    ("round", "int"),
    ("floor", "round"),
    ("ceil", "round"),
    ("int", "float"),
    ("str", "int"),
    ("str", "repr"),
    ("list", "set"),
    ("list", "tuple"),
    ("list", "sorted"),
    ("sorted", "reversed"),
    ("sum", "len"),
    ("sum", "max"),
    ("sum", "min"),
    ("len", "max"),
    ("abs", "int"),
    ("bin", "hex"),
    ("bin", "oct"),
    ("ord", "int"),
    ("chr", "str"),
    ("union", "intersection"),
    ("issubset", "issuperset"),
    ("difference", "intersection"),
    ("sin", "cos"),
    ("sqrt", "floor"),
    ("title", "capitalize"),
    ("lower", "swapcase"),
    ("upper", "swapcase"),
    ("index", "count"),
    ("find", "count"),
    ("replace", "strip"),
    ("zip", "zip_longest"),
    ("sum", "prod"),
)
NEIGHBOURS: dict[str, list[str]] = {}
for _a, _b in _PAIRS:
    NEIGHBOURS.setdefault(_a, []).append(_b)
    NEIGHBOURS.setdefault(_b, []).append(_a)

_AROUND = {
    "number": ("abs({})", "int({})", "round({})", "str({})", "float({})", "len(str({}))", "round({}, 2)"),
    "str": (
        *("{}.lower()", "{}.upper()", "{}.strip()", "{}.split()", "{}.swapcase()", "{}[::-1]", "len({})", "list({})"),
        *("int({})", "sorted({})", "set({})", "ord({})", "{}.split(' ')", "{}.split(',')", "{}.replace(' ', '')"),
        *("{}.capitalize()", "{}.isalpha()", "{}.isdigit()", "float({})"),
    ),
    "list": (
        *("sorted({})", "sorted({}, reverse=True)", "list(set({}))", "set({})", "len({})", "sum({})", "max({})"),
        *("min({})", "sorted(set({}))", "''.join({})", "list({})", "list(reversed({}))", "tuple({})"),
        *("' '.join({})", "len(set({}))", "sorted({}, key=len)", "sorted({}, key=abs)", "enumerate({})"),
    ),
    "dict": ("{}.keys()", "{}.values()", "{}.items()", "len({})", "sorted({})", "max({}.values())", "list({})"),
    "set": ("sorted({})", "list({})", "len({})"),
    "bool": ("not {}", "int({})"),
}


def edits(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    if isinstance(node, ast.Call):
        yield from _call(ctx, node)
    if is_load(node):
        yield from _called(ctx, node)
    if isinstance(node, ast.Tuple) and len(node.elts) == 2 and is_load(node):
        a, b = (ctx.source.span(one) for one in node.elts)
        first, second = (ctx.text(one) for one in node.elts)
        swap = (Edit(*a, second), Edit(*b, first))
        yield Candidate(swap, "items swapped", f"`{first}` and `{second}` swapped", node.lineno, 0.4)


def _call(ctx: Context, node: ast.Call) -> Iterator[Candidate]:
    name = node.func
    text = ctx.text(node)
    start = ctx.source.span(node)[0]
    if isinstance(name, ast.Name | ast.Attribute):
        plain = name.id if isinstance(name, ast.Name) else name.attr
        end = ctx.source.span(name)[1]
        for other in NEIGHBOURS.get(plain, ()):
            title = f"`{other}` instead of `{plain}`"
            arguments = (Edit(end - len(plain), end, other),)
            yield Candidate(arguments, "function", title, node.lineno, 0.55)
            if other == "insert" and node.args:
                first = ctx.source.span(node.args[0])[0]
                yield Candidate((*arguments, Edit(first, first, "0, ")), "function", title, node.lineno, 0.4)
    # The call left out: one of its arguments, or what its method is called on, in its place.
    for argument in node.args:
        if not isinstance(argument, ast.Starred):
            fits = fit(ctx.kind_of(node), ctx.kind_of(argument))
            yield ctx.change(node, ctx.text(argument), "call left out", 0.45 * fits, compound=True)
    if isinstance(name, ast.Attribute):
        yield ctx.change(node, ctx.text(name.value), "call left out", 0.35)
        if isinstance(name.value, ast.Name) and isinstance(ctx.parents.get(node), ast.Expr) and len(node.args) == 1:
            # What changes in place, assigned instead.
            target, value = ctx.text(name.value), ctx.text(node.args[0])
            yield ctx.change(node, f"{target} = {value}", "assignment", 0.35)
        elif isinstance(ctx.parents.get(node), ast.Expr) and len(node.args) == 1:
            value = ctx.text(node.args[0])
            yield ctx.change(node, f"{ctx.text(name.value)} = {value}", "assignment", 0.35)
        for kind in ctx.types.get(ctx.text(name.value), ()):
            for other in ctx.attributes.get(kind, ()):
                if other.endswith("()") and other[:-2] != name.attr:
                    end = ctx.source.span(name)[1]
                    edit = Edit(end - len(name.attr), end, other[:-2])
                    title = f"`{other[:-2]}` instead of `{name.attr}`"
                    yield Candidate((edit,), "function", title, node.lineno, 0.4)
    # Arguments.
    for at in range(len(node.args)):
        for other_at in range(at + 1, len(node.args)):
            a, b = node.args[at], node.args[other_at]
            if ctx.text(a) != ctx.text(b):
                swap = (Edit(*ctx.source.span(a), ctx.text(b)), Edit(*ctx.source.span(b), ctx.text(a)))
                title = f"`{ctx.text(a)}` and `{ctx.text(b)}` swapped"
                yield Candidate(swap, "arguments swapped", title, node.lineno, 0.5)
    if len(node.args) > 1 and not node.keywords:
        for left_out in range(len(node.args)):
            kept = [ctx.text(one) for at, one in enumerate(node.args) if at != left_out]
            yield ctx.change(node, f"{ctx.text(node.func)}({', '.join(kept)})", "argument left out", 0.25)
    for left_out in range(len(node.keywords)):
        kept = [ctx.text(one) for one in node.args]
        kept += [
            f"{one.arg}={ctx.text(one.value)}" if one.arg else f"**{ctx.text(one.value)}"
            for at, one in enumerate(node.keywords)
            if at != left_out
        ]
        yield ctx.change(node, f"{ctx.text(node.func)}({', '.join(kept)})", "argument left out", 0.35)
    if (isinstance(name, ast.Name) and name.id in ("sorted", "max", "min")) or (
        isinstance(name, ast.Attribute) and name.attr == "sort"
    ):
        known = {one.arg for one in node.keywords}
        body = text[:-1].rstrip()
        comma = ", " if node.args or node.keywords else ""
        plain = name.id if isinstance(name, ast.Name) else name.attr
        if "reverse" not in known and plain in ("sorted", "sort"):
            yield ctx.change(node, f"{body}{comma}reverse=True)", "argument added", 0.4)
        if "key" not in known:
            for key in ("len", "abs", "str", "lambda x: x[0]", "lambda x: x[1]", "lambda x: -x"):
                yield ctx.change(node, f"{body}{comma}key={key})", "argument added", 0.2)
    if start < ctx.source.span(node)[1] and not node.keywords:
        for variable, weight in ctx.variables(node):
            inside = [*(ctx.text(one) for one in node.args), variable]
            prior = 0.15 * weight
            yield ctx.change(node, f"{ctx.text(node.func)}({', '.join(inside)})", "argument added", prior)
        if isinstance(name, ast.Attribute) and name.attr in ("pop",) and not node.args:
            yield ctx.change(node, f"{ctx.text(node.func)}(0)", "argument added", 0.4)


def _called(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    """The expression put into a call."""
    parent = ctx.parents.get(node)
    if isinstance(parent, ast.Call) and parent.func is node:
        return
    if isinstance(parent, ast.Attribute | ast.Expr | ast.keyword) or isinstance(node, ast.Lambda):
        return
    kind = base(ctx.kind_of(node))
    around: list[tuple[str, float]] = []
    if kind in NUMBERS - {"bool"}:
        around = [(one, 0.3) for one in _AROUND["number"]]
    elif kind == "bool":
        around = [(one, 0.3) for one in _AROUND["bool"]]
    elif kind == "str":
        around = [(one, 0.25) for one in _AROUND["str"]]
    elif kind in SEQUENCES:
        around = [(one, 0.25) for one in _AROUND["list"]]
    elif kind in COLLECTIONS:
        around = [(one, 0.25) for one in _AROUND["dict" if "set" not in kind else "set"]]
    else:
        around = [(one, 0.12) for name in ("number", "list", "str") for one in _AROUND[name][:7]]
    later = isinstance(node, ast.Constant)
    returned = isinstance(parent, ast.Return | ast.Assign)
    for form, prior in around:
        inner = ctx.wrapped(node) if form.startswith(("{}", "not")) else ctx.text(node)
        weight = 0.4 if later else (1.2 if returned else 1.0)
        yield ctx.change(node, form.format(inner), "call added", prior * weight, compound=form.startswith("not"))
    for name in ctx.functions_seen:
        if name not in ("range", "len", "enumerate", "print", "isinstance", "zip"):
            own = name == ctx.function.name
            yield ctx.change(node, f"{name}({ctx.text(node)})", "call added", 0.2 if not own else 0.15)
