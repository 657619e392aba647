"""Lowering: one source file's bytes to its facts, in one pass over its tree.

A pure function of the bytes that never fails. The pass keeps its own stack, so that nesting cannot overflow Python's.
Each unit collects its canonical tokens; a nested unit counts in its parent as its name and its own digest, so that a
change inside it changes the parent too and every token is hashed once. A unit's own name does not count in its own
hash: a renamed function keeps its body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from msgspec import structs
from tree_sitter import Node, Tree

from tracelens_indexer.memory import without_collection
from tracelens_indexer.source import describe, flow, tokens
from tracelens_indexer.source.bindings import Bindings
from tracelens_indexer.source.builder import FlowBuilder
from tracelens_indexer.source.canonical import TokenWalk, Work
from tracelens_indexer.source.expressions import Expressions
from tracelens_indexer.source.facts import MODULE_SCOPE, CallSite, FileFacts, Parameter, Unit, UnitKind
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

FACTS_VERSION = f"4/{grammar_version()}"
"""Part of the key of cached facts: grows when the same bytes would give other facts."""

MAX_SCOPE = 2000
"""Characters of a unit's scope. Python compiles nothing that is nested deeply enough to have a longer one."""

_ALTERNATIVE = field("alternative")
_ARGUMENTS = field("arguments")
_BODY = field("body")
_CONDITION = field("condition")
_CONSEQUENCE = field("consequence")
_DEFINITION = field("definition")
_NAME = field("name")
_PARAMETERS = field("parameters")
_RETURN_TYPE = field("return_type")
_RIGHT = field("right")
_SUPERCLASSES = field("superclasses")

_ASYNC = kind("async", named=False)
_BLOCK = kind("block")
_CASE_CLAUSE = kind("case_clause")
_CLASS = kind("class_definition")
_DECORATED = kind("decorated_definition")
_DECORATOR = kind("decorator")
_ELIF = kind("elif_clause")
_ELSE = kind("else_clause")
_EXCEPT = kind("except_clause")
_FINALLY = kind("finally_clause")
_FOR = kind("for_statement")
_FOR_IN = kind("for_in_clause")
_FUNCTION_DEFINITION = kind("function_definition")
_IDENTIFIER = kind("identifier")
_LAMBDA = kind("lambda")
_MATCH = kind("match_statement")
_RAISE = kind("raise_statement")
_RETURN = kind("return_statement")
_WHILE = kind("while_statement")
_IF = kind("if_statement")
_TRY = kind("try_statement")

_COMPREHENSIONS = {
    kind("list_comprehension"): "<listcomp>",
    kind("set_comprehension"): "<setcomp>",
    kind("dictionary_comprehension"): "<dictcomp>",
    kind("generator_expression"): "<genexpr>",
}
_GENERATOR_EXPRESSION = kind("generator_expression")


Narrowed: TypeAlias = dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
"""Name to its bindings before a condition, and where it holds."""


def lower(source: bytes) -> FileFacts:
    """The facts of one file. `source` may be any bytes: what is not Python counts as errors."""
    with without_collection():
        source = as_utf8(source)
        tree = parse(source)
        lowering = Lowering(source, FlowBuilder())
        lowering.run(tree)
        assert lowering.flow is not None
        return FileFacts(
            units=lowering.units(),
            sites=tuple(lowering.sites),
            flow=flow.encode(lowering.flow.finish()),
            lines=source.count(b"\n") + (not source.endswith(b"\n") and bool(source)),
            errors=count_errors(tree),
        )


_Key: TypeAlias = "tuple[bytes, int, str, bool, bool]"
"""All that the units of a function follow from: its text, its column, what is around it."""


class _Draft:
    """A unit whose body is still being read."""

    __slots__ = (
        "body_hash", "decorators", "def_line", "docstring", "end_byte", "end_line", "first_line", "index", "is_async",
        "is_generator", "kind", "local_prefix", "name", "name_column", "name_line", "parameters", "parent",
        "returns", "scope", "signature", "start_byte", "tokens", "whole_line",
    )  # fmt: skip

    def __init__(self, scope: str, name: str, kind: UnitKind, parent: int, node: Node) -> None:
        start, end = node.start_point, node.end_point
        self.scope = scope
        self.name = name
        self.kind: UnitKind = kind
        self.parent = parent
        self.index = 0
        """Its place in the units of its file."""
        self.whole_line = start.row
        """0-based line on which it begins, decorators included."""
        self.first_line = self.def_line = self.name_line = start.row + 1
        self.name_column = start.column
        self.end_line = end.row + 1
        self.start_byte = node.start_byte
        self.end_byte = node.end_byte
        self.tokens: list[bytes] = []
        self.body_hash = ""
        self.signature = ""
        self.docstring = ""
        self.parameters: tuple[Parameter, ...] = ()
        self.decorators: tuple[str, ...] = ()
        self.returns = ""
        self.is_async = False
        self.is_generator = False
        self.local_prefix = ""
        """What the scopes of units directly inside begin with: "f.<locals>."."""

    def end_at(self, node: Node) -> None:
        self.end_line = node.end_point.row + 1
        self.end_byte = node.end_byte

    def moved(self, parent: int, lines: int, size: int) -> _Draft:
        """The same unit so many lines and bytes further down, in another unit."""
        # Written out: of a file being typed in, this runs for every unit below the cursor.
        copy = _Draft.__new__(_Draft)
        copy.scope, copy.name, copy.kind, copy.parent, copy.index = self.scope, self.name, self.kind, parent, self.index
        copy.first_line, copy.def_line = self.first_line + lines, self.def_line + lines
        copy.name_line, copy.name_column = self.name_line + lines, self.name_column
        copy.end_line, copy.whole_line = self.end_line + lines, self.whole_line
        copy.start_byte, copy.end_byte = self.start_byte + size, self.end_byte + size
        copy.tokens, copy.body_hash, copy.signature = self.tokens, self.body_hash, self.signature
        copy.docstring, copy.parameters, copy.decorators = self.docstring, self.parameters, self.decorators
        copy.returns, copy.is_async, copy.is_generator = self.returns, self.is_async, self.is_generator
        copy.local_prefix = self.local_prefix
        if lines:
            copy.parameters = tuple(structs.replace(p, line=p.line + lines) for p in self.parameters)
        return copy


class Known:
    """The units of functions that were read before, by their text: what stands unchanged is not read again.

    Of each version of a buffer only what it holds is kept for the next.
    """

    def __init__(self) -> None:
        self.before: dict[_Key, list[_Draft]] = {}
        self.now: dict[_Key, list[_Draft]] = {}

    def next(self) -> None:
        """What was read up to now is what another version is compared with."""
        self.before, self.now = self.now, {}


class Lowering(TokenWalk):
    """The state of one pass. Without `flow` it yields units only: what an open buffer needs while being typed."""

    def __init__(self, source: bytes, flow: FlowBuilder | None, known: Known | None = None) -> None:
        super().__init__(source)
        self.flow = flow
        self._known = known
        self.sites: list[CallSite] = []
        self._drafts: list[_Draft] = []
        self._applied: dict[int, list[tuple[int, int]]] = {}
        """Unit to the (place, node) of its decorators."""
        self._current = 0
        """The unit that executes what is being read."""
        self._scope = flow.module if flow else Scope(0, "module", None)
        self._expressions = Expressions(source, flow, self.sites) if flow else None
        self._bindings = Bindings(self._expressions) if self._expressions else None
        self._handlers |= dict.fromkeys(_COMPREHENSIONS, self._comprehension)
        self._handlers |= {
            _DECORATED: self._decorated,
            _FUNCTION_DEFINITION: self._function,
            _CLASS: self._class,
            _LAMBDA: self._lambda,
            kind("yield"): self._yield,
            kind("global_statement"): self._global,
        }
        if self._bindings is None:
            return
        self._handlers |= {
            kind("call"): self._call,
            _FOR: self._loop,
            _WHILE: self._loop,
            _IF: self._if,
            _TRY: self._try,
            _MATCH: self._match,
            _ELIF: self._region,
            _ELSE: self._region,
            _EXCEPT: self._region,
            _CASE_CLAUSE: self._region,
            _RETURN: self._return,
        }
        for name, effect in self._bindings.effects.items():
            number = kind(name)
            self._handlers[number] = self._with_effect(effect, self._handlers.get(number) or self._children)

    # The pass

    def run(self, tree: Tree) -> None:
        root = tree.root_node
        module = _Draft(MODULE_SCOPE, MODULE_SCOPE, "module", -1, root)
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
        draft = _Draft(scope, name, unit_kind, self._current, node)
        locals_ = "<locals>." if unit_kind in ("function", "method", "lambda") else ""
        draft.local_prefix = f"{scope}.{locals_}"
        draft.index = len(self._drafts)
        self._drafts.append(draft)
        self._stack.append((self._close, draft, self._tokens))
        self._tokens = draft.tokens
        return len(self._drafts) - 1

    def _close(self, draft: _Draft, outer: list[bytes]) -> None:
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
        """Take over the units of a function that stood there before, else have them remembered once they are read."""
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
        drafts = known.now.get(key) or known.before.get(key)
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

    def _remember(self, known: Known, key: _Key, first: int) -> None:
        known.now[key] = self._drafts[first:]

    def _class(self, node: Node, whole: Node | None = None, decorators: list[Node] | None = None) -> None:
        whole, decorators = whole or node, decorators or []
        name_node, body = node.child_by_field_id(_NAME), node.child_by_field_id(_BODY)
        if name_node is None or body is None:
            self._children(node)
            return
        name = text(self.source, name_node)
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

    def _reach(self, reached: bool) -> None:
        self.reached = reached
        if self.flow is not None:
            self.flow.reached = reached

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

    def _loop(self, node: Node) -> None:
        assert self.flow is not None and self._bindings is not None
        self.flow.enter_loop(self._scope)
        self._stack.append((self.flow.leave_loop, self._scope))
        if node.kind_id == _FOR:
            self._bindings.loop_target(node, self._scope)
        else:
            self._bindings.condition(node.child_by_field_id(_CONDITION), self._scope)
        self._statement(node)

    def _if(self, node: Node) -> None:
        """One of the branches runs; none of them perhaps, when there is no `else`."""
        if self._bindings is not None:
            self._bindings.condition(node.child_by_field_id(_CONDITION), self._scope)
        consequence = node.child_by_field_id(_CONSEQUENCE)
        children = tokens.without_parentheses(node)
        self._push_choice(exhaustive=any(child.kind_id == _ELSE for child in children))
        for child in children[::-1]:
            if child == consequence:
                self._stack.append((self._region, child, True, node.child_by_field_id(_CONDITION)))
            elif child.kind_id in (_ELIF, _ELSE):
                self._stack.append((self._region, child, True))
            else:
                self._stack.append(child)
        self._scope.enter_choice()

    def _try(self, node: Node) -> None:
        """The body runs to its end, or one of the handlers does."""
        body = node.child_by_field_id(_BODY)
        children = node.children
        handlers = [child for child in children if child.kind_id == _EXCEPT]
        for child in children[::-1]:
            if handlers and child == handlers[-1]:
                self._push_choice(exhaustive=True)
            chosen = bool(handlers) and (child == body or child in handlers)
            self._stack.append((self._region, child, True) if chosen else child)
        if handlers:
            self._scope.enter_choice()

    def _match(self, node: Node) -> None:
        self._push_choice(exhaustive=False)
        self._statement(node)
        self._scope.enter_choice()

    def _push_choice(self, *, exhaustive: bool) -> None:
        self._stack.append((self._leave_choice, self._scope, exhaustive))

    def _leave_choice(self, scope: Scope, exhaustive: bool) -> None:
        scope.leave_choice(exhaustive=exhaustive)

    def _region(self, node: Node, chosen: bool = False, holds: Node | None = None) -> None:
        """Code that may not run. `holds`: a condition that is true where it does."""
        assert self._bindings is not None
        self._scope.enter_region()
        chosen = chosen or node.kind_id == _CASE_CLAUSE
        if node.kind_id == _ELIF:
            holds = node.child_by_field_id(_CONDITION)
            self._bindings.condition(holds, self._scope)
        narrowed = self._bindings.narrow(holds, self._scope) if holds is not None else {}
        self._stack.append((self._leave_region, self._scope, _ends(node), chosen, narrowed))
        if node.kind_id == _EXCEPT:
            self._bindings.except_target(node, self._scope)
        elif node.kind_id == _CASE_CLAUSE:
            self._bindings.case_targets(node, self._scope)
        if node.kind_id == _BLOCK:
            self._push_statements(node, None)
        else:
            self._statement(node)

    def _leave_region(self, scope: Scope, ends: bool, chosen: bool, narrowed: Narrowed) -> None:
        for name, (before, here) in narrowed.items():
            if scope.now.get(name) == here:
                scope.set(name, before)  # it was asked, not bound
        scope.leave_region(ends=ends, chosen=chosen)


def _ends(node: Node) -> bool:
    """Whether a region's last statement returns or raises."""
    block = node if node.kind_id == _BLOCK else named_child(node, node.named_child_count - 1)
    if block is None or block.kind_id != _BLOCK:
        return False
    for child in reversed(block.named_children):
        if child.kind_id not in tokens.SKIPPED:
            return child.kind_id in (_RETURN, _RAISE)
    return False
