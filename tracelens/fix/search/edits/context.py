"""What candidate edits are made from: a function's text and tree, the names in reach, and the types that were seen."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tracelens.fix.evidence import Function
from tracelens.fix.patch import Edit, Source
from tracelens.fix.search.edits.delegates import Callee

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
COMPOUND = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.IfExp, ast.Lambda, ast.Await, ast.NamedExpr)
_TIGHT = (ast.BinOp, ast.BoolOp, ast.Compare, ast.UnaryOp, ast.Await, ast.Starred)

_LONGEST_TEXT = 30
_MOST_TEXTS = 120

NUMBERS = frozenset(["int", "float", "bool", "complex", "Decimal", "Fraction"])
SEQUENCES = frozenset(["list", "tuple", "str", "bytes", "range", "deque"])
COLLECTIONS = SEQUENCES | {"set", "frozenset", "dict", "defaultdict", "Counter"}


@dataclass(frozen=True, slots=True)
class Candidate:
    edits: tuple[Edit, ...]
    """Of the file's text."""
    kind: str
    title: str
    line: int
    """1-based, that it changes."""
    prior: float
    """From 0 to 1: how likely an edit of this kind, with these types, is."""


@dataclass(frozen=True)
class Context:
    source: Source
    function: Function
    types: Mapping[str, frozenset[str]]
    """Type names that a variable was seen to hold, as `described` inside writes them; "return" for the result."""
    attributes: Mapping[str, tuple[str, ...]]
    """Of types that are no built-in ones; methods end with ()."""
    siblings: tuple[str, ...] = ()
    """Names of the module's own functions."""
    reached: frozenset[ast.stmt] | None = None
    """Statements that failing checks come to; the others are left as they are. None: not known."""
    callees: tuple[Callee, ...] = ()

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        found: dict[ast.AST, ast.AST] = {}
        for node in ast.walk(self.function):
            for child in ast.iter_child_nodes(node):
                found[child] = node
        return found

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        """All inside the body; not inside f-strings, whose places Python 3.11 does not know."""
        found: list[ast.AST] = []

        def walk(node: ast.AST) -> None:
            found.append(node)
            if not isinstance(node, ast.JoinedStr):
                for child in ast.iter_child_nodes(node):
                    walk(child)

        for statement in self.function.body:
            if not is_docstring(statement, self.function):
                walk(statement)
        for default in [*self.function.args.defaults, *(one for one in self.function.args.kw_defaults if one)]:
            walk(default)
        return found

    @cached_property
    def _unreached(self) -> frozenset[ast.AST]:
        if self.reached is None:
            return frozenset()
        left = [one for one in ast.walk(self.function) if isinstance(one, ast.stmt) and one not in self.reached]
        return frozenset(inner for one in left if one is not self.function for inner in ast.walk(one))

    def is_reached(self, node: ast.AST) -> bool:
        """Whether an edit of it can change how a failing check ends. What others are made of may lie anywhere."""
        return node not in self._unreached

    @cached_property
    def expressions(self) -> list[ast.expr]:
        return [
            one for one in self._nodes if isinstance(one, ast.expr) and not isinstance(one, ast.Slice | ast.Starred)
        ]

    @cached_property
    def statements(self) -> list[ast.stmt]:
        return [one for one in self._nodes if isinstance(one, ast.stmt)]

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.source.of(node)

    def put(self, node: ast.expr, text: str, *, compound: bool = False) -> Edit:
        """Replace an expression; in parentheses where the text binds less tightly than what is around it."""
        start, end = self.source.span(node)
        parent = self.parents.get(node)
        inside = isinstance(parent, ast.Attribute | ast.Subscript) and parent.value is node
        called = isinstance(parent, ast.Call) and parent.func is node
        if compound and (isinstance(parent, _TIGHT) or inside or called):
            text = f"({text})"
        return Edit(start, end, text)

    def change(
        self, node: ast.expr, text: str, kind: str, prior: float, *, compound: bool = False, title: str = ""
    ) -> Candidate:
        shown = title or f"`{_short(text)}` instead of `{_short(self.text(node))}`"
        return Candidate((self.put(node, text, compound=compound),), kind, shown, node.lineno, prior)

    def wrapped(self, node: ast.expr) -> str:
        """The node's text, in parentheses where something is to be written beside it."""
        return f"({self.text(node)})" if isinstance(node, COMPOUND) else self.text(node)

    # Names.

    @cached_property
    def _stores(self) -> dict[str, int]:
        """Local names, with the first line that assigns them; parameters with 0."""
        found: dict[str, int] = {}
        for one in parameters(self.function):
            found[one] = 0
        waiting: list[ast.AST] = list(self.function.body)
        while waiting:
            node = waiting.pop()
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found.setdefault(node.name, node.lineno)
                continue
            if isinstance(node, (ast.Lambda, *_COMPREHENSIONS)):
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found[node.id] = min(found.get(node.id, node.lineno), node.lineno)
            waiting.extend(ast.iter_child_nodes(node))
        return found

    def variables(self, at: ast.AST) -> list[tuple[str, float]]:
        """Names in reach of a node, with how likely each is set by then."""
        line = getattr(at, "lineno", 0)
        found: dict[str, float] = {}
        node: ast.AST | None = at
        while node is not None:
            if isinstance(node, _COMPREHENSIONS):
                for generator in node.generators:
                    for bound in ast.walk(generator.target):
                        if isinstance(bound, ast.Name):
                            found[bound.id] = 1.0
            elif isinstance(node, _SCOPES) and node is not self.function:
                for parameter in parameters(node):
                    found[parameter] = 1.0
                if not isinstance(node, ast.Lambda):
                    for inside in ast.walk(node):
                        if isinstance(inside, ast.Name) and isinstance(inside.ctx, ast.Store):
                            found.setdefault(inside.id, 1.0)
            node = self.parents.get(node)
        for name, first in self._stores.items():
            found.setdefault(name, 1.0 if first <= line else 0.3)
        return [(name, weight) for name, weight in found.items() if name not in ("self", "cls", "_")]

    @cached_property
    def functions_seen(self) -> list[str]:
        """Names that are called as functions here, and the function itself."""
        found = [self.function.name] if self.function.name not in ("__init__",) else []
        for node in self.expressions:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in found:
                found.append(node.func.id)
        return [*found, *(one for one in self.siblings if one not in found)]

    @cached_property
    def unread(self) -> list[str]:
        """Parameters that nothing in the function reads."""
        read = {one.id for one in ast.walk(self.function) if isinstance(one, ast.Name) and is_load(one)}
        return [one for one in parameters(self.function) if one not in read]

    @cached_property
    def texts(self) -> list[str]:
        """Short texts of the module."""
        found = [node.value for node in ast.walk(self.source.tree) if isinstance(node, ast.Constant)]
        short = [one for one in found if isinstance(one, str) and 0 < len(one) <= _LONGEST_TEXT and "\n" not in one]
        return list(dict.fromkeys(short))[:_MOST_TEXTS]

    @cached_property
    def constants(self) -> list[ast.Constant]:
        seen: set[str] = set()
        found = []
        for node in self.expressions:
            if isinstance(node, ast.Constant) and repr(node.value) not in seen:
                seen.add(repr(node.value))
                found.append(node)
        return found

    # Types.

    def kind_of(self, node: ast.expr) -> str:
        """The type that an expression has as far as it is known: "list[int]", "int", "" unknown."""
        if isinstance(node, ast.Constant):
            return type(node.value).__name__
        if isinstance(node, ast.Name):
            return self.kind_of_name(node.id)
        if isinstance(node, ast.List | ast.ListComp):
            return "list"
        if isinstance(node, ast.Set | ast.SetComp):
            return "set"
        if isinstance(node, ast.Dict | ast.DictComp):
            return "dict"
        if isinstance(node, ast.Tuple):
            return "tuple"
        if isinstance(node, ast.JoinedStr):
            return "str"
        if isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            return "bool"
        if isinstance(node, ast.UnaryOp):
            return self.kind_of(node.operand)
        if isinstance(node, ast.BoolOp):
            return self.kind_of(node.values[-1])
        if isinstance(node, ast.IfExp):
            return self.kind_of(node.body)
        if isinstance(node, ast.BinOp):
            return self._kind_of_operation(node)
        if isinstance(node, ast.Subscript):
            whole = self.kind_of(node.value)
            if isinstance(node.slice, ast.Slice) or base(whole) == "str":
                return whole
            return held(whole)
        if isinstance(node, ast.Call):
            return self._kind_of_call(node)
        return ""

    def kind_of_name(self, name: str) -> str:
        kinds = self.types.get(name, frozenset()) - {"NoneType"}
        bases = {base(one) for one in kinds}
        if len(bases) == 1:
            return max(kinds, key=len)
        return "float" if bases and bases <= NUMBERS else ""

    def _kind_of_operation(self, node: ast.BinOp) -> str:
        left, right = self.kind_of(node.left), self.kind_of(node.right)
        if isinstance(node.op, ast.Div):
            return "float"
        if isinstance(node.op, ast.Mult) and base(right) in SEQUENCES:
            return right
        if isinstance(node.op, ast.Mod) and base(left) == "str":
            return "str"
        return left or (right if base(right) in NUMBERS else "")

    def _kind_of_call(self, node: ast.Call) -> str:
        if isinstance(node.func, ast.Name):
            name = node.func.id
            if name in ("len", "ord", "int", "abs", "round", "hash"):
                return "int"
            if name in ("str", "chr", "bin", "hex", "repr"):
                return "str"
            if name in ("list", "sorted", "set", "dict", "tuple", "float", "bool", "range"):
                return "list" if name == "sorted" else name
            if name in ("any", "all", "isinstance"):
                return "bool"
            if name in ("max", "min", "sum") and node.args:
                one = self.kind_of(node.args[0])
                return held(one) if len(node.args) == 1 else one
            if name == self.function.name:
                return next(iter(self.types.get("return", ())), "")
        elif isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in ("lower", "upper", "strip", "join", "replace", "lstrip", "rstrip", "title", "capitalize"):
                return "str"
            if name in ("split", "keys", "values", "items", "splitlines"):
                return "list"
            if name in ("count", "index", "find"):
                return "int"
        return ""


def is_docstring(node: ast.stmt, function: Function) -> bool:
    return node is function.body[0] and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def parameters(function: Function | ast.Lambda) -> list[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return [one.arg for one in every]


def base(kind: str) -> str:
    return kind.partition("[")[0]


def held(kind: str) -> str:
    """The type of what a collection holds; "" unknown or mixed."""
    if base(kind) in ("str", "bytes"):
        return base(kind)
    inner = kind.partition("[")[2].rstrip("]").split(",")[-1]
    return "" if "|" in inner else inner


def fit(wanted: str, got: str) -> float:
    """How well a value of one type stands where another was: 1 the same, 0.15 none at all."""
    first, second = base(wanted), base(got)
    if not first or not second:
        return 0.6
    if first == second:
        return 1.0
    if first in NUMBERS and second in NUMBERS:
        return 0.8
    if first in COLLECTIONS and second in COLLECTIONS:
        return 0.4
    return 0.15


def is_load(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def bodies(node: ast.AST) -> Iterator[tuple[str, Sequence[ast.stmt]]]:
    """The blocks of statements of a node."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list) and block:
            yield name, block


def is_written(tree: ast.AST, name: str) -> bool:
    """Whether something is put into a collection after it was made, or it is made anew or handed on."""
    stores = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            stores += 1
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            return True
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and _is(node.value, name):
            return True
        if isinstance(node, ast.Call):
            method = node.func.attr if isinstance(node.func, ast.Attribute) and _is(node.func.value, name) else ""
            if method in ("append", "add", "update", "extend", "insert", "setdefault", "appendleft", "push"):
                return True
            if any(_is(one, name) for one in node.args):
                return True
    return stores > 1


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
