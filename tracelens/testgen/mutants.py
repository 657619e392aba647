"""Small wrong versions of one function: what a test of it should notice. The usual catalogue of mutation testing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracelens.fix.evidence import Function
from tracelens.fix.patch import Edit, Source, make_patch

MOST = 40

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.LShift: ">>",
    ast.RShift: "<<",
}


def mutants(source: Source, function: Function, most: int = MOST) -> list[tuple[str, bytes]]:
    """(what was changed, the whole file with it), spread evenly over the function when there are more than `most`."""
    found: dict[bytes, str] = {}
    for title, edit in _edits(source, function):
        try:
            found.setdefault(make_patch(source, [edit]).content, title)
        except ValueError:
            continue
    all_of_them = [(title, content) for content, title in found.items()]
    if len(all_of_them) <= most:
        return all_of_them
    return [all_of_them[n * len(all_of_them) // most] for n in range(most)]


def _edits(source: Source, function: Function) -> Iterator[tuple[str, Edit]]:
    for statement in function.body:
        for node in ast.walk(statement):
            for text, of in _replacements(source, node):
                start, end = source.span(of)
                yield f"line {of.lineno}: {source.text[start:end][:40]} → {text[:40]}", Edit(start, end, text)


def _replacements(source: Source, node: ast.AST) -> Iterator[tuple[str, ast.expr | ast.stmt]]:
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            yield f"{source.of(left)} {_COMPARISONS[type(operator)]} {source.of(right)}", node
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
            if not isinstance(left, ast.Constant) or not isinstance(left.value, str):
                yield f"({source.of(left)} {_ARITHMETIC[type(operator)]} {source.of(right)})", node
        case ast.BoolOp(op=joint, values=values):
            word = " or " if isinstance(joint, ast.And) else " and "
            yield "(" + word.join(f"({source.of(one)})" for one in values) + ")", node
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield f"({source.of(operand)})", node
        case ast.Constant(value=bool() as truth):
            yield str(not truth), node
        case ast.Constant(value=int() | float() as number):
            yield repr(number + 1), node
        case ast.Constant(value=str() as text) if text and not _is_documentation(node):
            yield '""', node
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield f"not ({source.of(test)})", test
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return None", node
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.Expr(value=ast.Call()):
            yield "pass", node
        case ast.AugAssign(target=target, value=value):
            yield f"{source.of(target)} = {source.of(value)}", node
        case ast.Call(args=[first, second]) if isinstance(node, ast.Call) and not node.keywords:
            yield f"{source.of(node.func)}({source.of(second)}, {source.of(first)})", node
        case _:
            return


def _is_documentation(node: ast.Constant) -> bool:
    return "\n" in str(node.value)
