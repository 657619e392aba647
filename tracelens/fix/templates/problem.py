"""What a template looks at: the failing statement, what was observed, and the building blocks of a repair."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tracelens.fix.evidence import Evidence, Function
from tracelens.fix.patch import Edit, Source

ZEROS = {
    "float": "0.0",
    "int": "0",
    "str": '""',
    "bytes": 'b""',
    "bool": "False",
    "list": "[]",
    "dict": "{}",
    "tuple": "()",
    "set": "set()",
    "NoneType": "None",
}
"""The neutral value of a type, as it is written."""

_PURE_CALLS = frozenset(["len", "sum", "abs", "min", "max", "int", "float", "str", "round", "bool"])
_COSTLY = (
    *(ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.Lambda, ast.JoinedStr),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
_Compound = (ast.If, ast.While, ast.For, ast.AsyncFor, ast.With, ast.AsyncWith, ast.Try)
_Loop = (ast.For, ast.AsyncFor, ast.While)
_Scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edit that may repair the failure."""

    title: str
    """What it does, for a person: "guard price == 0"."""
    edits: tuple[Edit, ...]
    preference: float
    """0…1, before anything was run: how often such an edit is what a person would write."""


@dataclass(frozen=True)
class Problem:
    evidence: Evidence
    statement: ast.stmt
    """The innermost statement of the failing line."""

    @classmethod
    def of(cls, evidence: Evidence) -> Problem | None:
        """None when the failing line is not known or no statement of the unit is there."""
        best: ast.stmt | None = None
        for node in _statements(evidence.node.body):
            if node.lineno <= evidence.line <= _last_line_of_own(node) and (best is None or node.lineno >= best.lineno):
                best = node
        return None if best is None else cls(evidence, best)

    @property
    def source(self) -> Source:
        return self.evidence.source

    @property
    def function(self) -> Function:
        return self.evidence.node

    @property
    def message(self) -> str:
        return self.evidence.failure.message

    @property
    def kind(self) -> str:
        return self.evidence.failure.type.rpartition(".")[2]

    @property
    def raised_on_purpose(self) -> bool:
        """Whether the statement is a `raise`: not raising any more would be hiding it."""
        return isinstance(self.statement, ast.Raise)

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.function) for child in ast.iter_child_nodes(node)}

    @cached_property
    def parts(self) -> list[ast.expr]:
        """The expressions of the failing line that run as part of the statement, innermost first.

        Of a compound statement its head alone. What is inside an f-string has no reliable place before Python 3.12.
        """
        found: list[ast.expr] = []

        def walk(node: ast.AST) -> None:
            if isinstance(node, ast.JoinedStr) and sys.version_info < (3, 12):
                return
            if isinstance(node, _Scopes) or (isinstance(node, ast.stmt) and node is not self.statement):
                return
            for child in ast.iter_child_nodes(node):
                walk(child)
            if isinstance(node, ast.expr):
                found.append(node)

        walk(self.statement)
        line = self.evidence.line
        return [one for one in found if one.lineno <= line <= (one.end_lineno or one.lineno)]

    def enclosing(self, node: ast.AST) -> Iterator[ast.AST]:
        """From the node's parent outwards to the function."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    @cached_property
    def loop(self) -> ast.For | ast.AsyncFor | ast.While | None:
        """The innermost loop whose body holds the statement."""
        child: ast.AST = self.statement
        for node in self.enclosing(self.statement):
            if isinstance(node, _Scopes):
                return None
            if isinstance(node, _Loop) and child in node.body:
                return node
            child = node
        return None

    @cached_property
    def is_generator(self) -> bool:
        return any(isinstance(node, (ast.Yield, ast.YieldFrom)) and self._own(node) for node in ast.walk(self.function))

    def _own(self, node: ast.AST) -> bool:
        return next((one for one in self.enclosing(node) if isinstance(one, _Scopes)), None) is self.function

    @cached_property
    def parameters(self) -> dict[str, ast.expr | None]:
        """Name → default."""
        arguments = self.function.args
        positional = arguments.posonlyargs + arguments.args
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
        found = dict(zip((one.arg for one in positional), defaults + list(arguments.defaults), strict=True))
        found.update(zip((one.arg for one in arguments.kwonlyargs), arguments.kw_defaults, strict=True))
        return found

    # What was observed.

    def always(self, name: str, text: str) -> bool:
        """Whether a parameter had this value in each failing call that was recorded."""
        seen = self.evidence.values(name, failing=True)
        return bool(seen) and all(value == text for _, value in seen)

    def passing_type(self, name: str) -> str:
        """The one type that a parameter had in passing calls, None apart; "" unknown or several."""
        types = {kind for kind, _ in self.evidence.values(name, failing=False)} - {"NoneType"}
        return types.pop() if len(types) == 1 else ""

    @cached_property
    def defaults(self) -> list[str]:
        """What the function may return instead, best first: the neutral value of what it usually returns, else None."""
        zero = ZEROS.get(self.evidence.result_type(), "")
        if not zero and isinstance(self.function.returns, ast.Name):
            zero = ZEROS.get(self.function.returns.id, "")
        if not zero and self._returns_nothing():
            zero = "None"
        return [zero] if zero and zero != "None" else ["None"]

    def _returns_nothing(self) -> bool:
        return not any(
            isinstance(node, ast.Return) and node.value is not None and self._own(node)
            for node in ast.walk(self.function)
        )

    # Building blocks.

    def bound_here(self) -> set[str]:
        """Names that the statement itself binds: they cannot be tested before it."""
        inner = [node for node in ast.walk(self.statement) if isinstance(node, (ast.comprehension, ast.NamedExpr))]
        names = {name.id for node in inner for name in ast.walk(node.target) if isinstance(name, ast.Name)}
        if isinstance(self.statement, (ast.For, ast.AsyncFor)):
            names |= {name.id for name in ast.walk(self.statement.target) if isinstance(name, ast.Name)}
        return names

    def is_simple(self, node: ast.expr) -> bool:
        """Whether evaluating an expression once more changes nothing and costs little."""
        for one in ast.walk(node):
            if isinstance(one, ast.Call):
                if not isinstance(one.func, ast.Name) or one.func.id not in _PURE_CALLS:
                    return False
            elif isinstance(one, _COSTLY):
                return False
        return True

    def can_be_tested_before(self, node: ast.expr) -> bool:
        names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        return self.is_simple(node) and not names & self.bound_here()

    def text(self, node: ast.expr) -> str:
        """The node's text, in parentheses unless it binds tighter than any operator around it."""
        text = self.source.of(node)
        tight = (ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant, ast.List, ast.Dict, ast.Set)
        return text if isinstance(node, tight) else f"({text})"

    def replace(self, node: ast.expr | ast.stmt, text: str) -> tuple[Edit, ...]:
        """Put text in a node's place; the parentheses it stands in, if any, stay."""
        return (Edit(*self.source.span(node), text),)

    def conditional(self, node: ast.expr, condition: str, otherwise: str) -> tuple[Edit, ...]:
        """`node if condition else otherwise`, in parentheses where the place needs them."""
        text = f"{self.source.of(node)} if {condition} else {otherwise}"
        return self.replace(node, text if self._stands_alone(node) else f"({text})")

    def _stands_alone(self, node: ast.expr) -> bool:
        parent = self.parents.get(node)
        if isinstance(parent, (ast.Return, ast.Assign)) and node.lineno == node.end_lineno:
            return parent.value is node
        if isinstance(parent, ast.Call) and len(parent.args) + len(parent.keywords) == 1:
            return node in parent.args
        return False

    def insert_before(self, text: str) -> tuple[Edit, ...]:
        """Lines before the statement, indented as it is. () where it does not begin its line."""
        start = self.source.span(self.statement)[0]
        line_start = self.source.line_start(self.statement.lineno)
        indent = self.source.text[line_start:start]
        if indent.strip():
            return ()
        if isinstance(self.statement, ast.If) and self._is_elif():
            return ()
        lines = "".join(f"{indent}{line}\n" for line in text.split("\n"))
        return (Edit(line_start, line_start, lines),)

    def _is_elif(self) -> bool:
        return self.source.text[self.source.span(self.statement)[0] :].startswith("elif")

    def leave_early(self, condition: str, why: str, preference: float) -> Iterator[Candidate]:
        """Return the neutral value, or go on with the next item, when a condition holds before the statement."""
        loop = self.loop
        if loop is not None:
            edits = self.insert_before(f"if {condition}:\n{self.indent}continue")
            if edits:
                yield Candidate(f"skip the item when {why}", edits, preference - 0.1)
        for number, default in enumerate(self.defaults):
            if self.is_generator:
                default = ""
            result = "return" if default in ("", "None") and self._returns_nothing() else f"return {default}".rstrip()
            edits = self.insert_before(f"if {condition}:\n{self.indent}{result}")
            if edits:
                yield Candidate(f"{result} when {why}", edits, preference - 0.05 * number - (0.15 if loop else 0.0))

    @cached_property
    def indent(self) -> str:
        """One level of indentation as this function is written."""
        first = self.function.body[0]
        outer = self.source.line(self.function.lineno)
        inner = self.source.line(first.lineno)
        outer_space = outer[: len(outer) - len(outer.lstrip())]
        inner_space = inner[: len(inner) - len(inner.lstrip())]
        step = inner_space[len(outer_space) :] if inner_space.startswith(outer_space) else ""
        return step or "    "


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        for child in ast.walk(node):
            if isinstance(child, ast.stmt) and child is not node:
                yield child


def _last_line_of_own(node: ast.stmt) -> int:
    """The last line of a statement without the blocks in it."""
    if isinstance(node, _Compound):
        first = node.body[0].lineno
        return max(node.lineno, first - 1)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return node.lineno - 1
    return node.end_lineno or node.lineno
