"""Statements left out, added, moved: what the function does elsewhere, and the usual steps on its variables."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tracelens.fix.patch import Edit
from tracelens.fix.search.edits.context import (
    NUMBERS,
    Candidate,
    Context,
    base,
    bodies,
    held,
    is_docstring,
    is_written,
    parameters,
)
from tracelens.fix.search.edits.delegates import calls

_MOST_COPIES = 40


def edits(ctx: Context, node: ast.stmt) -> Iterator[Candidate]:
    if is_docstring(node, ctx.function) or not _alone(ctx, node):
        return
    yield from _left_out(ctx, node)
    yield from _moved(ctx, node)
    yield from _ends(ctx, node)
    yield from _added(ctx, node)


def _alone(ctx: Context, node: ast.stmt) -> bool:
    """Whether a statement has its lines for itself."""
    start, end = ctx.source.span(node)
    before = ctx.source.text[ctx.source.line_start(node.lineno) : start]
    after = ctx.source.text[end : end + 1]
    return not before.strip() and after != ";"


def _indent(ctx: Context, node: ast.stmt) -> str:
    start = ctx.source.line_start(node.lineno)
    return ctx.source.text[start : ctx.source.span(node)[0]]


def _block(ctx: Context, node: ast.stmt) -> list[ast.stmt]:
    parent = ctx.parents.get(node)
    for _, block in bodies(parent) if parent is not None else ():
        if node in block:
            return list(block)
    return [node]


def _left_out(ctx: Context, node: ast.stmt) -> Iterator[Candidate]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom | ast.Pass):
        return
    start, end = ctx.source.span(node)
    shown = _line(ctx.text(node))
    if len(_block(ctx, node)) == 1:
        yield Candidate((Edit(start, end, "pass"),), "left out", f"without `{shown}`", node.lineno, 0.3)
    else:
        begin = ctx.source.line_start(node.lineno)
        rest = ctx.source.text[end:].partition("\n")
        edit = Edit(begin, end + len(rest[0]) + 1, "") if not rest[0].strip() else Edit(start, end, "pass")
        if edit.end <= len(ctx.source.text):
            yield Candidate((edit,), "left out", f"without `{shown}`", node.lineno, 0.35)
    if isinstance(node, ast.If) and node.orelse:
        # One branch for both; and the branches exchanged.
        test = ctx.source.span(node.test)
        for text, prior in (("True", 0.25), ("False", 0.25)):
            yield Candidate((Edit(*test, text),), "one branch", f"`if {text}`", node.lineno, prior)
        first = _inner(ctx, node.body)
        second = _inner(ctx, node.orelse)
        if first and second and not isinstance(node.orelse[0], ast.If):
            a, b = ctx.source.text[slice(*first)], ctx.source.text[slice(*second)]
            swap = (Edit(*first, b), Edit(*second, a))
            yield Candidate(swap, "branches swapped", "branches swapped", node.lineno, 0.35)


def _inner(ctx: Context, block: list[ast.stmt]) -> tuple[int, int] | None:
    start, end = ctx.source.span(block[0])[0], ctx.source.span(block[-1])[1]
    return (start, end) if start < end else None


def _moved(ctx: Context, node: ast.stmt) -> Iterator[Candidate]:
    block = _block(ctx, node)
    at = block.index(node)
    indent = _indent(ctx, node)
    shown = _line(ctx.text(node))
    if at + 1 < len(block) and _alone(ctx, block[at + 1]):
        other = block[at + 1]
        a, b = ctx.source.span(node), ctx.source.span(other)
        swap = (Edit(*a, ctx.text(other)), Edit(*b, ctx.text(node)))
        yield Candidate(swap, "moved", f"`{shown}` one later", node.lineno, 0.3)
    parent = ctx.parents.get(node)
    end = ctx.source.span(node)[1]
    begin = ctx.source.line_start(node.lineno)
    # The last of a block behind the block; what follows a block into it.
    if isinstance(parent, ast.For | ast.While | ast.If) and node is block[-1] and len(block) > 1:
        outer = ctx.source.text[ctx.source.line_start(parent.lineno) : ctx.source.span(parent)[0]]
        last = node is parent.body[-1] and not parent.orelse
        if not outer.strip() and (last or (parent.orelse and node is parent.orelse[-1])):
            text = _indented(ctx.source.text[begin:end], indent, outer)
            yield Candidate((Edit(begin, end, text),), "moved", f"`{shown}` one level out", node.lineno, 0.35)
    if at > 0:
        before = block[at - 1]
        blocks = [inner for name, inner in bodies(before) if name in ("body", "orelse")]
        if blocks and not isinstance(before, ast.FunctionDef | ast.ClassDef):
            inside = _indent(ctx, blocks[-1][-1]) if _alone(ctx, blocks[-1][-1]) else ""
            if inside.startswith(indent) and len(inside) > len(indent) and not inside.strip():
                text = _indented(ctx.source.text[begin:end], indent, inside)
                yield Candidate((Edit(begin, end, text),), "moved", f"`{shown}` one level in", node.lineno, 0.3)


def _indented(text: str, old: str, new: str) -> str:
    return "\n".join(new + line[len(old) :] if line.startswith(old) else line for line in text.split("\n"))


def _ends(ctx: Context, node: ast.stmt) -> Iterator[Candidate]:
    start, end = ctx.source.span(node)
    if isinstance(node, ast.Break | ast.Continue):
        other = "continue" if isinstance(node, ast.Break) else "break"
        yield Candidate((Edit(start, end, other),), "loop", f"`{other}`", node.lineno, 0.45)
        for text in ("return", "return True", "return False"):
            yield Candidate((Edit(start, end, text),), "loop", f"`{text}`", node.lineno, 0.2)
    if isinstance(node, ast.Return):
        # Nothing is given back where something may be meant to.
        nothing = node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
        for text, prior in [*calls(ctx.callees, ctx.variables(node)), *(_own(ctx) if nothing else ())]:
            prior *= 1.3 if nothing else 0.5
            yield Candidate((Edit(start, end, f"return {text}"),), "return", f"`return {text}`", node.lineno, prior)
    if isinstance(node, ast.Return) and node.value is not None:
        value = ctx.text(node.value)
        generator = any(isinstance(one, ast.Yield | ast.YieldFrom) for one in ctx.expressions)
        if generator:
            yield Candidate((Edit(start, end, f"yield {value}"),), "return", f"`yield {value}`", node.lineno, 0.4)
        if isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
            a, b = (ctx.text(one) for one in node.value.elts)
            text = f"return {b}, {a}"
            yield Candidate((Edit(start, end, text),), "items swapped", f"`{text}`", node.lineno, 0.4)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        value = ctx.text(node)
        yield Candidate((Edit(start, end, f"return {value}"),), "return", f"`return {value}`", node.lineno, 0.4)
        called = node.value.func
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            text = f"{called.value.id} = {value}"
            yield Candidate((Edit(start, end, text),), "assignment", f"`{text}`", node.lineno, 0.25)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield) and node.value.value is not None:
        value = ctx.text(node.value.value)
        yield Candidate((Edit(start, end, f"yield from {value}"),), "return", f"`yield from {value}`", node.lineno, 0.4)


def _added(ctx: Context, node: ast.stmt) -> Iterator[Candidate]:
    """A statement more: before this one, and, when it is the last of its block, after it."""
    indent = _indent(ctx, node)
    start, end = ctx.source.span(node)
    block = _block(ctx, node)
    last = node is block[-1] and not isinstance(node, ast.Return | ast.Raise | ast.Break | ast.Continue)
    if isinstance(node, ast.Pass):  # what stands for something to come
        for text, prior in _steps(ctx, node):
            edit = Edit(start, end, text)
            yield Candidate((edit,), "added", f"`{text}`", node.lineno, min(1.5 * prior, 1.0))
        return
    for text, prior in _steps(ctx, node):
        edit = Edit(start, start, f"{text}\n{indent}")
        yield Candidate((edit,), "added", f"`{text}`", node.lineno, prior)
        if last:
            edit = Edit(end, end, f"\n{indent}{text}")
            yield Candidate((edit,), "added", f"`{text}`", node.end_lineno or node.lineno, prior)
    in_loop = any(isinstance(one, ast.For | ast.While) for one in _around(ctx, node))
    if last:
        for text, prior in (("break", 0.3), ("continue", 0.2)) if in_loop else ():
            edit = Edit(end, end, f"\n{indent}{text}")
            yield Candidate((edit,), "added", f"`{text}`", node.end_lineno or node.lineno, prior)
        for text, prior in _results(ctx, node):
            edit = Edit(end, end, f"\n{indent}return {text}")
            yield Candidate((edit,), "added", f"`return {text}`", node.end_lineno or node.lineno, prior)
    if isinstance(node, ast.If) and not node.orelse and node.body[0].lineno > node.lineno:
        inner = _indent(ctx, node.body[0])
        if inner.strip():
            return
        for text, prior in [*list(_steps(ctx, node))[:40], *((f"return {r}", p) for r, p in _results(ctx, node))]:
            edit = Edit(end, end, f"\n{indent}else:\n{inner}{text}")
            yield Candidate((edit,), "added", f"`else: {text}`", node.end_lineno or node.lineno, prior * 0.8)


def _around(ctx: Context, node: ast.AST) -> Iterator[ast.AST]:
    parent = ctx.parents.get(node)
    while parent is not None and not isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
        yield parent
        parent = ctx.parents.get(parent)


def _results(ctx: Context, node: ast.stmt) -> list[tuple[str, float]]:
    found: dict[str, float] = {}
    for one in ctx.statements:
        if isinstance(one, ast.Return) and one.value is not None and len(ctx.text(one.value)) < 40:
            found[ctx.text(one.value)] = 0.25
    for name, weight in ctx.variables(node):
        found.setdefault(name, 0.25 * weight)
    if _is_method(ctx):
        found.setdefault("self", 0.2)
    for text in ("True", "False", "None"):
        found.setdefault(text, 0.15)
    return sorted(found.items(), key=lambda one: -one[1])[:12]


def _steps(ctx: Context, node: ast.stmt) -> Iterator[tuple[str, float]]:
    """Single lines that may be missing here."""
    seen: set[str] = set()
    loops = any(isinstance(one, ast.For | ast.While) for one in _around(ctx, node))
    variables = ctx.variables(node)
    yield from calls(ctx.callees, variables)
    yield from _fields(ctx)
    for other in ctx.statements:
        simple = isinstance(other, ast.Assign | ast.AugAssign | ast.Expr)
        text = ctx.text(other)
        if not simple or "\n" in text or is_docstring(other, ctx.function) or len(seen) >= _MOST_COPIES:
            continue
        if text not in seen:
            seen.add(text)
            yield text, 0.25
        # The same with one other variable.
        for name in sorted({one.id for one in ast.walk(other) if isinstance(one, ast.Name)}):
            for replaced, weight in variables:
                kinds = base(ctx.kind_of_name(name)), base(ctx.kind_of_name(replaced))
                if replaced != name and (kinds[0] == kinds[1] or not all(kinds)) and len(seen) < _MOST_COPIES:
                    made = re.sub(rf"\b{re.escape(name)}\b", replaced, text)
                    if made not in seen:
                        seen.add(made)
                        yield made, 0.2 * weight
    for name, near in variables:
        kind = ctx.kind_of_name(name)
        if base(kind) in ("list", "deque", "set"):
            method = "add" if base(kind) == "set" else "append"
            never = base(kind) != "deque" and not _is_filled(ctx, name)
            for other_name, weight in variables:
                inside = ctx.kind_of_name(other_name)
                fits = 1.0 if held(kind) and base(held(kind)) == base(inside) else 0.6
                if other_name != name:
                    # What is made empty, read and never filled, is waiting for it.
                    yield f"{name}.{method}({other_name})", (0.6 if never else 0.3) * weight * near * fits
            for text in (f"{name}.sort()", f"{name}.pop()", f"{name}.reverse()"):
                yield text, 0.15 * near
        elif base(kind) in NUMBERS - {"bool"}:
            for text, prior in (("{} += 1", 0.3), ("{} -= 1", 0.25), ("{} = 0", 0.25), ("{} = 1", 0.15)):
                yield text.format(name), prior * near * (1.0 if loops else 0.7)
            for text in ("{} *= 2", "{} //= 2", "{} //= 10", "{} = abs({})", "{} = -{}"):
                yield text.replace("{}", name), 0.1 * near
        elif base(kind) == "str":
            for text in ("{} = ''", "{} = {}.lower()", "{} = {}.strip()", "{} = {}.upper()", "{} = {}[::-1]"):
                yield text.replace("{}", name), 0.12 * near
        elif base(kind) == "bool":
            yield f"{name} = True", 0.2 * near
            yield f"{name} = False", 0.2 * near
        if base(kind) == "list":
            yield f"{name} = []", 0.15 * near
            yield f"{name} = sorted({name})", 0.15 * near
        for other_name, weight in variables:
            other_kind = ctx.kind_of_name(other_name)
            if other_name != name and (base(kind) == base(other_kind) or not base(kind) or not base(other_kind)):
                yield f"{name} = {other_name}", 0.22 * weight * near
                if base(kind) in NUMBERS and base(other_kind) in NUMBERS:
                    yield f"{name} += {other_name}", 0.18 * weight * near
                    yield f"{name} -= {other_name}", 0.12 * weight * near


def _is_method(ctx: Context) -> bool:
    return parameters(ctx.function)[:1] == ["self"]


def _own(ctx: Context) -> Iterator[tuple[str, float]]:
    """What a method may give back: its object, and the fields of that."""
    if _is_method(ctx):
        yield "self", 0.3
        for name in ctx.attributes.get(ctx.kind_of_name("self"), ()):
            if not name.endswith("()"):
                yield f"self.{name}", 0.2


def _fields(ctx: Context) -> Iterator[tuple[str, float]]:
    """Parameters of a method that nothing reads, kept in fields of their names."""
    if _is_method(ctx):
        for name in ctx.unread:
            if name != "self":
                yield f"self.{name} = {name}", 0.5


def _is_filled(ctx: Context, name: str) -> bool:
    if name in parameters(ctx.function):
        return True
    return is_written(ctx.function, name)


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."
