"""Missing and superfluous conditions: more or less of one that is there, and new ones around a statement."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.patch import Edit
from tracelens.fix.search.edits.context import (
    COLLECTIONS,
    NUMBERS,
    Candidate,
    Context,
    base,
    held,
    is_docstring,
)

_MOST_ATOMS = 110


def atoms(ctx: Context, at: ast.AST, used: str = "") -> list[tuple[str, float]]:
    """Conditions over the names in reach, likelier first: those of the names in `used` count more."""
    found: dict[str, float] = {}

    def add(text: str, prior: float) -> None:
        found[text] = max(found.get(text, 0.0), prior)

    variables = [(name, weight) for name, weight in ctx.variables(at) if weight > 0.5]
    names = set(_words(used))
    for name, _ in variables:
        near = 1.0 if not names or name in names else 0.6
        kinds = ctx.types.get(name, frozenset())
        kind = base(ctx.kind_of_name(name))
        if "NoneType" in kinds or kind not in NUMBERS | COLLECTIONS:
            add(f"{name} is None", 0.9 * near)
            add(f"{name} is not None", 0.9 * near)
        if kind in COLLECTIONS or kind in ("bool", ""):
            add(name, 0.9 * near)
            add(f"not {name}", 0.9 * near)
        if kind in COLLECTIONS:
            for text in ("len({}) == 1", "len({}) > 1", "len({}) < 2", "len({}) > 0", "len({}) % 2 == 0"):
                add(text.format(name), 0.5 * near)
        if kind in NUMBERS - {"bool"}:
            for text, prior in (("{} == 0", 0.8), ("{} > 0", 0.8), ("{} < 0", 0.8), ("{} == 1", 0.7), ("{} > 1", 0.6)):
                add(text.format(name), prior * near)
            more = ("{} % 2 == 0", "{} % 2 == 1", "{} != 0", "{} < 2", "{} >= 0", "{} <= 0", "{} % 2 != 0", "{} <= 1")
            for text in more:
                add(text.format(name), 0.5 * near)
        if kind == "str":
            tests = ("isalpha", "isdigit", "isupper", "islower", "isspace", "isalnum")
            for test in tests:
                add(f"{name}.{test}()", 0.35 * near)
        for kind_of in kinds:
            for attribute in ctx.attributes.get(kind_of, ()):
                if not attribute.endswith("()"):
                    add(f"{name}.{attribute} is None", 0.6 * near)
                    add(f"{name}.{attribute} is not None", 0.6 * near)
    for a, _ in variables:
        for b, _ in variables:
            first, second = ctx.kind_of_name(a), ctx.kind_of_name(b)
            near = (1.0 if not names or a in names else 0.6) * (1.0 if not names or b in names else 0.6)
            if a < b and base(first) and base(first) == base(second):
                add(f"{a} == {b}", 0.6 * near)
                add(f"{a} != {b}", 0.6 * near)
            if a != b and base(first) in NUMBERS and base(second) in NUMBERS:
                add(f"{a} < {b}", 0.55 * near)
                add(f"{a} <= {b}", 0.5 * near)
            if a != b and base(second) in COLLECTIONS and held(second) in ("", base(first)):
                add(f"{a} in {b}", 0.6 * near)
                add(f"{a} not in {b}", 0.7 * near)
    for node in ctx.expressions:
        if isinstance(node, ast.Compare | ast.BoolOp) and len(ctx.text(node)) <= 50:
            add(ctx.text(node), 0.7)
    ordered = sorted(found.items(), key=lambda one: -one[1])
    return ordered[:_MOST_ATOMS]


def _words(text: str) -> list[str]:
    word, found = "", []
    for letter in text + " ":
        if letter.isalnum() or letter == "_":
            word += letter
        elif word:
            found.append(word)
            word = ""
    return found


def expression_edits(ctx: Context, node: ast.expr) -> Iterator[Candidate]:
    """Conditions that are there: negated, fixed, narrowed, widened; and those that comprehensions lack."""
    parent = ctx.parents.get(node)
    is_test = isinstance(parent, ast.If | ast.While | ast.IfExp) and parent.test is node
    is_filter = isinstance(parent, ast.comprehension) and node in parent.ifs
    is_result = isinstance(parent, ast.Return) and base(ctx.kind_of(node)) == "bool"
    is_part = isinstance(parent, ast.BoolOp)
    if is_test or is_filter or is_result:
        text = ctx.text(node)
        yield ctx.change(node, f"not ({text})" if " " in text else f"not {text}", "negation", 0.5, compound=True)
        wrapped = f"({text})" if isinstance(node, ast.BoolOp | ast.IfExp | ast.Lambda) else text
        for atom, weight in atoms(ctx, node, text):
            if atom == text:
                continue
            if isinstance(node, ast.Constant):
                yield ctx.change(node, atom, "another condition", 0.32 * weight, compound=True)
                continue
            inside = f"({atom})" if " or " in atom or " and " in atom else atom
            yield ctx.change(node, f"{wrapped} and {inside}", "condition added", 0.32 * weight, compound=True)
            yield ctx.change(node, f"{wrapped} or {inside}", "condition added", 0.32 * weight, compound=True)
            # First, so that it guards the rest.
            yield ctx.change(node, f"{inside} and {wrapped}", "condition added", 0.27 * weight, compound=True)
            yield ctx.change(node, f"{inside} or {wrapped}", "condition added", 0.27 * weight, compound=True)
            yield ctx.change(node, atom, "another condition", 0.27 * weight, compound=True)
        if is_test:
            yield ctx.change(node, "True", "condition left out", 0.3)
            yield ctx.change(node, "False", "branch left out", 0.3)
    elif is_part:
        if not isinstance(node, ast.UnaryOp | ast.Constant):
            yield ctx.change(node, f"not {ctx.wrapped(node)}", "negation", 0.55, compound=True)
        whole = ctx.text(parent) if isinstance(parent, ast.expr) else ""
        for atom, weight in atoms(ctx, node, whole)[:50]:
            yield ctx.change(node, atom, "another condition", 0.2 * weight, compound=True)
    if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        yield from _filters(ctx, node)


def _filters(ctx: Context, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Iterator[Candidate]:
    for generator in node.generators:
        if generator.ifs:
            last = ctx.source.span(generator.iter)[1]
            end = ctx.source.span(generator.ifs[-1])[1]
            edit = Edit(last, end, "")
            text = ctx.source.text[last:end]
            if text.count("(") == text.count(")"):
                yield Candidate((edit,), "condition left out", "without the condition", node.lineno, 0.4)
        else:
            element = node.elt if not isinstance(node, ast.DictComp) else node.key
            at = ctx.source.span(generator.iter)[1]
            for atom, weight in atoms(ctx, element, ctx.text(generator.target)):
                inside = f" if {atom}"
                yield Candidate((Edit(at, at, inside),), "condition added", f"`if {atom}`", node.lineno, 0.3 * weight)


def edits(ctx: Context, node: ast.stmt) -> Iterator[Candidate]:
    """A condition around a statement that has none, and early ends before it."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or is_docstring(node, ctx.function):
        return
    lines = ctx.source.text
    start, end = ctx.source.span(node)
    begin = ctx.source.line_start(node.lineno)
    indent = lines[begin:start]
    if indent.strip():  # not the first on its line
        return
    text = lines[start:end]
    around = [*atoms(ctx, node, text if len(text) < 200 else "")]
    if isinstance(node, ast.If | ast.While) and not node.orelse:
        inner = [ctx.source.span(one) for one in node.body]
        body = _dedented(lines[ctx.source.line_start(node.body[0].lineno) : inner[-1][1]], indent)
        if isinstance(node, ast.If) and body is not None and node.body[0].lineno > node.lineno:
            edit = Edit(begin, end, body)
            yield Candidate((edit,), "condition left out", f"without `if {ctx.text(node.test)}`", node.lineno, 0.3)
    in_loop = _in_loop(ctx, node)
    simple = isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Return | ast.Raise | ast.Break | ast.Continue)
    if simple and "\n" not in text:
        for atom, weight in around:
            edit = Edit(start, end, f"if {atom}:\n{indent}    {text}")
            yield Candidate((edit,), "condition added", f"`if {atom}:`", node.lineno, 0.22 * weight)
    ends = _ends(ctx)
    for number, (atom, weight) in enumerate(around):
        if in_loop:
            for word in ("continue", "break"):
                edit = Edit(start, start, f"if {atom}:\n{indent}    {word}\n{indent}")
                yield Candidate((edit,), "early end", f"`if {atom}: {word}`", node.lineno, 0.2 * weight)
        if number < 70:
            for result, prior in ends:
                edit = Edit(start, start, f"if {atom}:\n{indent}    return {result}\n{indent}")
                title = f"`if {atom}: return {result}`"
                first = 1.25 if node is ctx.function.body[0] else 1.0
                yield Candidate((edit,), "early end", title, node.lineno, 0.24 * prior * weight * first)


def _ends(ctx: Context) -> list[tuple[str, float]]:
    """What an early return may give, likelier first."""
    found: dict[str, float] = {}
    for node in ctx.statements:
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant | ast.Name | ast.List):
            found[ctx.text(node.value)] = 1.0
    kinds = {base(one) for one in ctx.types.get("return", ())}
    usual = {
        "bool": ("True", "False"),
        "int": ("0", "1", "-1", "None"),
        "float": ("0", "0.0"),
        "str": ("''",),
        "list": ("[]", "None"),
        "dict": ("{}",),
        "tuple": ("()", "(None, None)"),
        "NoneType": ("None",),
    }
    for kind in kinds:
        for text in usual.get(kind, ()):
            found.setdefault(text, 0.9)
    for text in ("None", "False", "True", "0", "[]"):
        found.setdefault(text, 0.5 if not kinds else 0.3)
    for name, _ in ctx.variables(ctx.function.body[-1])[:4]:
        found.setdefault(name, 0.4)
    return sorted(found.items(), key=lambda one: -one[1])[:8]


def _in_loop(ctx: Context, node: ast.AST) -> bool:
    parent = ctx.parents.get(node)
    while parent is not None and not isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
        if isinstance(parent, ast.For | ast.While | ast.AsyncFor):
            return True
        parent = ctx.parents.get(parent)
    return False


def _dedented(text: str, indent: str) -> str | None:
    """A block moved out to `indent`; None when it cannot be."""
    lines = text.split("\n")
    own = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    if not own.startswith(indent) or len(own) <= len(indent):
        return None
    made = []
    for line in lines:
        if line.strip() and not line.startswith(own):
            return None
        made.append(indent + line[len(own) :] if line.strip() else line)
    return "\n".join(made)
