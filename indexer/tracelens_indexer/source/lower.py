"""Lowering: one source file's bytes to its facts, in one pass over its tree.

A pure function of the bytes that never fails. The pass keeps its own stack, so that nesting cannot overflow Python's.
Each unit collects its canonical tokens; a nested unit counts in its parent as its name and its own digest, so that a
change inside it changes the parent too and every token is hashed once. A unit's own name does not count in its own
hash: a renamed function keeps its body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tree_sitter import Node, Tree

from tracelens_indexer.memory import without_collection
from tracelens_indexer.source import describe, flow, tokens
from tracelens_indexer.source.bindings import Bindings
from tracelens_indexer.source.branches import Branches
from tracelens_indexer.source.builder import FlowBuilder
from tracelens_indexer.source.canonical import Work
from tracelens_indexer.source.drafts import Draft, Key, Known
from tracelens_indexer.source.expressions import Expressions
from tracelens_indexer.source.facts import MODULE_SCOPE, CallSite, FileFacts, Unit, UnitKind
from tracelens_indexer.source.scopes import Scope, ScopeKind
from tracelens_indexer.source.syntax import (
    as_utf8,
    count_errors,
    field,
    grammar_version,
    kind,
    named_child,
    parse,
    text,
)
from tracelens_indexer.source.syntax import child as nth_child

FACTS_VERSION: Final = f"4/{grammar_version()}"
"""Part of the key of cached facts: grows when the same bytes would give other facts."""

MAX_SCOPE: Final = 2000
"""Characters of a unit's scope. Python compiles nothing that is nested deeply enough to have a longer one."""

_BODY: Final = field("body")
_DEFINITION: Final = field("definition")
_NAME: Final = field("name")
_PARAMETERS: Final = field("parameters")
_RETURN_TYPE: Final = field("return_type")
_RIGHT: Final = field("right")
_SUPERCLASSES: Final = field("superclasses")

_ASYNC: Final = kind("async", named=False)
_CLASS: Final = kind("class_definition")
_DECORATED: Final = kind("decorated_definition")
_DECORATOR: Final = kind("decorator")
_FOR_IN: Final = kind("for_in_clause")
_FUNCTION_DEFINITION: Final = kind("function_definition")
_LAMBDA: Final = kind("lambda")
_RETURN: Final = kind("return_statement")

_COMPREHENSIONS: Final = {
    kind("list_comprehension"): "<listcomp>",
    kind("set_comprehension"): "<setcomp>",
    kind("dictionary_comprehension"): "<dictcomp>",
    kind("generator_expression"): "<genexpr>",
}
_GENERATOR_EXPRESSION: Final = kind("generator_expression")


def lower(source: bytes) -> FileFacts:
    """The facts of one file. `source` may be any bytes: what is not Python counts as errors."""
    with without_collection():
        source = as_utf8(source)
        tree = parse(source)
        lowering = Lowering(source, FlowBuilder())
        lowering.run(tree)
        assert lowering.flow is not None
        facts = FileFacts(
            units=lowering.units(),
            sites=tuple(lowering.sites),
            flow=flow.encode(lowering.flow.finish()),
            lines=source.count(b"\n") + (not source.endswith(b"\n") and bool(source)),
            errors=count_errors(tree),
        )
        lowering.forget()
        return facts


class Lowering(Branches):
    """The state of one pass. Without `flow` it yields units only: what an open buffer needs while being typed."""

    def __init__(self, source: bytes, flow: FlowBuilder | None, known: Known | None = None) -> None:
        self.sites: list[CallSite] = []
        self._expressions = Expressions(source, flow, self.sites) if flow else None
        bindings = Bindings(self._expressions) if self._expressions else None
        super().__init__(source, flow, flow.module if flow else Scope(0, "module", None), bindings)
        self._known = known
        self._drafts: list[Draft] = []
        self._applied: dict[int, list[tuple[int, int]]] = {}
        """Unit to the (place, node) of its decorators."""
        self._current = 0
        """The unit that executes what is being read."""
        self._handlers |= dict.fromkeys(_COMPREHENSIONS, self._comprehension)
        self._handlers |= {
            _DECORATED: self._decorated,
            _FUNCTION_DEFINITION: self._function,
            _CLASS: self._class,
            _LAMBDA: self._lambda,
            kind("yield"): self._yield,
            kind("global_statement"): self._global,
        }
        if bindings is None:
            return
        self._handlers |= {
            kind("call"): self._call,
            _RETURN: self._return,
        }
        for name, effect in bindings.effects.items():
            number = kind(name)
            self._handlers[number] = self._with_effect(effect, self._handlers.get(number) or self._children)

    # The pass

    def run(self, tree: Tree) -> None:
        root = tree.root_node
        module = Draft(MODULE_SCOPE, MODULE_SCOPE, "module", -1, root)
        module.first_line = module.def_line = module.name_line = 1
        module.name_column = module.start_byte = 0
        module.end_line = max(1, root.end_point.row + (root.end_point.column > 0))
        module.end_byte = len(self.source)
        self._drafts.append(module)
        self._tokens = module.tokens
        docstring = describe.docstring_node(root)
        module.docstring = describe.docstring(self.source, docstring)
        self._push_statements(root, docstring)

        self.walk()
        module.body_hash = tokens.digest(module.tokens)

    def forget(self) -> None:
        """Let go of what holds this pass in turn, so that its tree goes now, not when garbage is looked for."""
        self._handlers.clear()
        if self._bindings is not None:
            self._bindings.forget()

    def units(self) -> tuple[Unit, ...]:
        seen: dict[str, int] = {}
        result: list[Unit] = []
        for draft in self._drafts:
            ordinal = seen.get(draft.scope, 0)
            seen[draft.scope] = ordinal + 1
            result.append(
                Unit(
                    draft.scope,
                    draft.name,
                    draft.kind,
                    ordinal,
                    draft.parent,
                    draft.first_line,
                    draft.def_line,
                    draft.end_line,
                    draft.start_byte,
                    draft.end_byte,
                    draft.name_line,
                    draft.name_column,
                    draft.body_hash,
                    draft.signature,
                    draft.docstring,
                    draft.parameters,
                    draft.decorators,
                    draft.returns,
                    draft.is_async,
                    draft.is_generator,
                )
            )
        return tuple(result)

    # Units

    def _open(self, name: str, unit_kind: UnitKind, node: Node) -> int:
        """A new unit inside the current one. Returns its index; its tokens are collected from here on."""
        parent = self._drafts[self._current]
        scope = parent.local_prefix + name
        if name in self._scope.globals and unit_kind in ("class", "function", "method"):
            scope = name
        if len(scope) > MAX_SCOPE:
            scope = f"{scope[: MAX_SCOPE // 2]}…{scope[-MAX_SCOPE // 4 :]}"
        draft = Draft(scope, name, unit_kind, self._current, node)
        locals_ = "<locals>." if unit_kind in ("function", "method", "lambda") else ""
        draft.local_prefix = f"{scope}.{locals_}"
        draft.index = len(self._drafts)
        self._drafts.append(draft)
        self._stack.append((self._close, draft, self._tokens))
        self._tokens = draft.tokens
        return len(self._drafts) - 1

    def _close(self, draft: Draft, outer: list[bytes]) -> None:
        draft.body_hash = tokens.digest(draft.tokens)
        outer.append(draft.name.encode())
        outer.append(draft.body_hash.encode())
        draft.tokens = []
        self._tokens = outer

    def _enter(self, unit: int, scope: Scope) -> None:
        self._current = unit
        self._scope = scope

    def _push_leave(self) -> None:
        self._stack.append((self._enter, self._current, self._scope))

    def _inner_scope(self, unit: int, scope_kind: ScopeKind) -> Scope:
        return Scope(unit, scope_kind, self._scope)

    def _decorated(self, node: Node) -> None:
        definition = node.child_by_field_id(_DEFINITION)
        if definition is None or definition.kind_id not in (_FUNCTION_DEFINITION, _CLASS):
            self._children(node)
            return
        decorators = [child for child in node.children if child.kind_id == _DECORATOR]
        if definition.kind_id == _CLASS:
            self._class(definition, node, decorators)
        else:
            self._function(definition, node, decorators)

    def _describe(self, unit: int, definition: Node, whole: Node, decorators: list[Node], body: Node) -> Node | None:
        """Fill in what classes and functions share; returns the docstring's statement."""
        draft = self._drafts[unit]
        draft.def_line = definition.start_point.row + 1
        name = definition.child_by_field_id(_NAME)
        if name is not None:
            draft.name_line, draft.name_column = name.start_point.row + 1, name.start_point.column
        if decorators:
            values = [value for decorator in decorators if (value := named_child(decorator, 0)) is not None]
            draft.decorators = tuple(describe.one_line(self.source, value) for value in values)
            # What co_firstlineno says: the line of the first decorator's expression.
            draft.first_line = values[0].start_point.row + 1 if values else draft.first_line
            if self._bindings is not None:
                self._applied[unit] = self._bindings.decorators(values, self._scope)
        last = body
        for child in reversed(body.children):
            if child.kind_id not in tokens.SKIPPED:
                last = child
                break
        draft.end_at(last)
        docstring = describe.docstring_node(body)
        draft.docstring = describe.docstring(self.source, docstring)
        return docstring

    def _function(self, node: Node, whole: Node | None = None, decorators: list[Node] | None = None) -> None:
        whole, decorators = whole or node, decorators or []
        name_node, body = node.child_by_field_id(_NAME), node.child_by_field_id(_BODY)
        if name_node is None or body is None:
            self._children(node)
            return
        name = text(self.source, name_node)
        method = self._drafts[self._current].kind == "class" and self._scope.kind == "class"
        if self._known is not None and self._recalled(self._known, name, whole, body, method=method):
            return
        unit = self._open(name, "method" if method else "function", whole)
        docstring = self._describe(unit, node, whole, decorators, body)
        draft = self._drafts[unit]
        parameters, returns = node.child_by_field_id(_PARAMETERS), node.child_by_field_id(_RETURN_TYPE)
        draft.parameters = describe.parameters(self.source, parameters)
        draft.returns = describe.one_line(self.source, returns) if returns else ""
        draft.signature = describe.signature(name, draft.parameters, draft.returns)
        first = nth_child(node, 0)
        draft.is_async = first is not None and first.kind_id == _ASYNC

        inner = self._inner_scope(unit, "function")
        if self._bindings is not None:
            self._bindings.function(unit, draft.parameters, parameters, returns, self._scope, inner)
        # Pushed last is read first: decorators and parameters belong to the outer scope, the body to the inner.
        self._push_leave()
        self._push_statements(body, docstring)
        self._stack.append((self._enter, unit, inner))
        self._stack.append((self._bind_definition, unit, name))
        self._push_header(node, name_node, body, decorators)

    def _recalled(self, known: Known, name: str, whole: Node, body: Node, *, method: bool) -> bool:
        """Take over the units of a function or class that stood there before, else have them remembered once read."""
        around = self._drafts[self._current]
        start = whole.start_byte
        # A `yield` in a default value would be one of the unit around; broken text may be read otherwise elsewhere.
        if (
            around.kind not in ("module", "class")
            or whole.has_error
            or b"yield" in self.source[start : body.start_byte]
        ):
            return False
        line, column = whole.start_point
        key = (self.source[start : whole.end_byte], column, around.local_prefix, method, name in self._scope.globals)
        first = len(self._drafts)
        drafts = known.recall(key)
        if drafts is None:
            self._stack.append((self._remember, known, key, first))
            return False
        top = drafts[0]
        lines, size = line - top.whole_line, start - top.start_byte
        # What stands in decorators and default values lies in the unit around.
        moved = [
            draft.moved(draft.parent - top.index + first if draft.parent >= top.index else self._current, lines, size)
            for draft in drafts
        ]
        moved[0].whole_line, moved[0].index = line, first
        self._drafts += moved
        self._tokens += (top.name.encode(), top.body_hash.encode())
        known.now[key] = moved
        return True

    def _remember(self, known: Known, key: Key, first: int) -> None:
        known.remember(key, self._drafts[first:])

    def _class(self, node: Node, whole: Node | None = None, decorators: list[Node] | None = None) -> None:
        whole, decorators = whole or node, decorators or []
        name_node, body = node.child_by_field_id(_NAME), node.child_by_field_id(_BODY)
        if name_node is None or body is None:
            self._children(node)
            return
        name = text(self.source, name_node)
        if self._known is not None and self._recalled(self._known, name, whole, body, method=False):
            return
        unit = self._open(name, "class", whole)
        docstring = self._describe(unit, node, whole, decorators, body)
        bases = node.child_by_field_id(_SUPERCLASSES)
        self._drafts[unit].signature = name + (describe.one_line(self.source, bases) if bases else "")
        inner = self._inner_scope(unit, "class")
        if self._bindings is not None:
            self._bindings.klass(unit, bases, self._scope, inner)
        self._stack.append((self._bind_definition, unit, name))
        self._push_leave()
        self._push_statements(body, docstring)
        self._stack.append((self._enter, unit, inner))
        self._push_header(node, name_node, body, decorators)

    def _push_header(self, node: Node, name: Node, body: Node, decorators: list[Node]) -> None:
        header = [child for child in node.children if child not in (name, body)]
        if node.kind_id == _CLASS:
            # `class A():` is `class A:`.
            header = [c for c in header if c.kind_id != tokens.ARGUMENT_LIST or c.named_child_count]
        self._stack += header[::-1]
        self._stack += decorators[::-1]

    def _bind_definition(self, unit: int, name: str) -> None:
        if self._bindings is not None:
            self._bindings.definition(unit, name, self._applied.pop(unit, []), self._scope)

    def _lambda(self, node: Node) -> None:
        unit = self._open("<lambda>", "lambda", node)
        draft = self._drafts[unit]
        parameters, body = node.child_by_field_id(_PARAMETERS), node.child_by_field_id(_BODY)
        draft.parameters = describe.parameters(self.source, parameters)
        shown = describe.signature("", draft.parameters, "")[1:-1]
        draft.signature = f"lambda {shown}" if shown else "lambda"
        inner = self._inner_scope(unit, "function")
        if self.flow is not None and self._bindings is not None:
            self.flow.lambdas[node.start_byte] = unit
            self._bindings.function(unit, draft.parameters, parameters, None, self._scope, inner)
            if body is not None:
                self._stack.append((self._bindings.returned, body, inner))
        self._push_leave()
        children = tokens.without_parentheses(node)
        # The body is the last child, or what its parentheses hold.
        before = [child for child in children if body is None or child.end_byte <= body.start_byte]
        self._stack += children[len(before) :][::-1]
        self._stack.append((self._enter, unit, inner))
        self._stack += before[::-1]

    def _comprehension(self, node: Node) -> None:
        unit = self._open(_COMPREHENSIONS[node.kind_id], "comprehension", node)
        self._drafts[unit].is_generator = node.kind_id == _GENERATOR_EXPRESSION
        inner = self._inner_scope(unit, "comprehension")
        self._push_leave()
        if self.flow is not None and self._bindings is not None:
            self.flow.owners[unit] = inner.code
            self._stack.append((self._bindings.element, node, inner))
        pushed: list[Work] = [(self._enter, unit, inner)]
        first = True
        for child in node.children:
            if first and child.kind_id == _FOR_IN:
                first = False
                pushed.append((self._first_iterable, child, unit, inner, self._current, self._scope))
            else:
                pushed.append(child)
        self._stack += pushed[::-1]

    def _first_iterable(self, node: Node, unit: int, inner: Scope, outer_unit: int, outer: Scope) -> None:
        """The first `for … in iterable`: its iterable is evaluated by the code around the comprehension."""
        iterable = node.child_by_field_id(_RIGHT)
        if self._bindings is not None and self._expressions is not None:
            self._bindings.loop_target(node, inner, self._expressions.value(iterable, outer))
        children = tokens.without_parentheses(node)
        inside = [child for child in children if iterable is None or child.end_byte <= iterable.start_byte]
        self._stack.append((self._enter, unit, inner))
        self._stack += children[len(inside) :][::-1]
        self._stack.append((self._enter, outer_unit, outer))
        self._stack += inside[::-1]

    def _yield(self, node: Node) -> None:
        unit = self._current
        while self._drafts[unit].kind == "comprehension":
            unit = self._drafts[unit].parent
        if self._drafts[unit].kind in ("function", "method", "lambda"):
            self._drafts[unit].is_generator = True
        self._statement(node)

    def _global(self, node: Node) -> None:
        if self._scope.kind != "module":
            self._scope.globals.update(text(self.source, name) for name in node.named_children)
        self._children(node)

    # Flow: what only a full lowering reads

    def _with_effect(
        self, effect: Callable[[Node, Scope], None], read: Callable[[Node], None]
    ) -> Callable[[Node], None]:
        """Read the node's children first, then let it bind: the right side is used before the left is bound."""

        def handler(node: Node) -> None:
            self._stack.append((self._affect, effect, node))
            read(node)

        return handler

    def _affect(self, effect: Callable[[Node, Scope], None], node: Node) -> None:
        effect(node, self._scope)

    def _call(self, node: Node) -> None:
        assert self._expressions is not None and self._bindings is not None
        self._expressions.value(node, self._scope)
        self._bindings.called(node, self._scope)
        self._children(node)

    def _return(self, node: Node) -> None:
        value = named_child(node, 0)
        if value is not None and self._bindings is not None:
            self._stack.append((self._bindings.returned, value, self._scope))
        self._statement(node)
