"""Lowering: one source file's bytes to its facts, in one pass over its tree.

A pure function of the bytes that never fails. The pass keeps its own stack, so that nesting cannot overflow Python's.
Each unit collects its canonical tokens; a nested unit counts in its parent as its name and its own digest, so that a
change inside it changes the parent too and every token is hashed once. A unit's own name does not count in its own
hash: a renamed function keeps its body.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tree_sitter import Node, Tree

from tracelens_indexer.source import describe, flow, tokens
from tracelens_indexer.source.expressions import Expressions
from tracelens_indexer.source.facts import MODULE_SCOPE, CallSite, FileFacts, Parameter, Unit, UnitKind
from tracelens_indexer.source.scopes import FlowBuilder, Scope, ScopeKind
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

FACTS_VERSION = f"1/{grammar_version()}"
"""Part of the key of cached facts: grows when the same bytes would give other facts."""

MAX_CALLEE = 80
MAX_SCOPE = 2000
"""Characters of a unit's scope. Python compiles nothing that is nested deeply enough to have a longer one."""

_ALTERNATIVE = field("alternative")
_ARGUMENTS = field("arguments")
_BODY = field("body")
_CONSEQUENCE = field("consequence")
_DEFINITION = field("definition")
_FUNCTION = field("function")
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
_MODULE = kind("module")
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

_Work: TypeAlias = "Node | tuple[Any, ...]"


def lower(source: bytes) -> FileFacts:
    """The facts of one file. `source` may be any bytes: what is not Python counts as errors."""
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


class _Draft:
    """A unit whose body is still being read."""

    __slots__ = (
        "body_hash", "decorators", "def_line", "docstring", "end_byte", "end_line", "first_line", "is_async",
        "is_generator", "kind", "local_prefix", "name", "name_column", "name_line", "parameters", "parent",
        "returns", "scope", "signature", "start_byte", "tokens",
    )  # fmt: skip

    def __init__(self, scope: str, name: str, kind: UnitKind, parent: int, node: Node) -> None:
        start, end = node.start_point, node.end_point
        self.scope = scope
        self.name = name
        self.kind: UnitKind = kind
        self.parent = parent
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


class Lowering:
    """The state of one pass. Without `flow` it yields units only: what an open buffer needs while being typed."""

    def __init__(self, source: bytes, flow: FlowBuilder | None) -> None:
        self.source = source
        self.flow = flow
        self.sites: list[CallSite] = []
        self._drafts: list[_Draft] = []
        self._stack: list[_Work] = []
        self._tokens: list[bytes] = []
        self._current = 0
        """The unit that executes what is being read."""
        self._scope = flow.module if flow else Scope(0, "module", None)
        self._string_start = b""
        """How the string that is being read begins: f", rb''', …"""
        self._literal = -1
        """Where in the tokens the last part of its text is; -1 before the first."""
        self._expressions = Expressions(source, flow) if flow else None
        self._handlers: dict[int, Callable[[Node], None] | None] = dict(_NO_HANDLERS)
        self._register()

    def _register(self) -> None:
        handlers = self._handlers
        for number in tokens.STATEMENTS_WITH_OPTIONAL_PARENTHESES:
            handlers[number] = self._statement
        for number in tokens.BRACKETED:
            handlers[number] = self._bracketed
        for number in tokens.BARE_LISTS:
            handlers[number] = self._bare_list
        for number in tokens.PARENTHESIZED_LISTS:
            handlers[number] = self._parenthesized_list
        for number in tokens.SKIPPED:
            handlers[number] = self._skip
        for number in tokens.NUMBERS:
            handlers[number] = self._number
        for number in _COMPREHENSIONS:
            handlers[number] = self._comprehension
        handlers |= {
            tokens.STRING: self._string,
            kind("unary_operator"): self._unary,
            tokens.CONCATENATED: self._concatenated,
            tokens.FORMAT_SPECIFIER: self._format_specifier,
            tokens.STRING_START: self._on_string_start,
            tokens.STRING_CONTENT: self._string_content,
            tokens.STRING_END: self._skip,
            _BLOCK: self._block,
            _DECORATED: self._decorated,
            _FUNCTION_DEFINITION: self._function,
            _CLASS: self._class,
            _LAMBDA: self._lambda,
            kind("yield"): self._yield,
            kind("global_statement"): self._global,
        }
        if self._expressions is None:
            return
        bindings = self._expressions
        handlers |= {
            kind("call"): self._call,
            _FOR: self._loop,
            _WHILE: self._loop,
            _IF: self._if,
            _TRY: self._try,
            _ELIF: self._region,
            _ELSE: self._region,
            _EXCEPT: self._region,
            _CASE_CLAUSE: self._region,
            _RETURN: self._return,
        }
        for name, effect in bindings.effects.items():
            number = kind(name)
            handlers[number] = self._with_effect(effect, handlers.get(number) or self._children)

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

        source, stack, handlers, fixed = self.source, self._stack, self._handlers, tokens.FIXED
        while stack:
            item = stack.pop()
            if isinstance(item, tuple):
                item[0](*item[1:])
                continue
            number = item.kind_id
            handler = handlers.get(number)
            if handler is not None:
                handler(item)
                continue
            token = fixed.get(number)
            if token is not None:
                self._tokens.append(token)
                continue
            children = item.children
            if children:
                stack += children[::-1]
            else:
                self._tokens.append(source[item.start_byte : item.end_byte])
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

    # Tokens

    def _skip(self, node: Node) -> None:
        return

    def _children(self, node: Node) -> None:
        children = node.children
        if children:
            self._stack += children[::-1]
        else:
            self._tokens.append(self.source[node.start_byte : node.end_byte])

    def _statement(self, node: Node) -> None:
        self._stack += tokens.without_parentheses(node)[::-1]

    def _bracketed(self, node: Node) -> None:
        self._stack += tokens.bracketed_children(node, node.kind_id)[::-1]

    def _bare_list(self, node: Node) -> None:
        self._stack += tokens.bare_children(node)[::-1]

    def _parenthesized_list(self, node: Node) -> None:
        self._stack += tokens.list_children(node)[::-1]

    def _unary(self, node: Node) -> None:
        self._stack += tokens.unary_children(node)[::-1]

    def _number(self, node: Node) -> None:
        self._tokens.append(tokens.number(self.source[node.start_byte : node.end_byte]))

    # Strings. Parts that stand side by side are one token, however they are quoted and split: "a" "b" is "ab".

    def _string(self, node: Node) -> None:
        self._stack.append((self._set_string, self._string_start, self._literal))
        self._stack += node.children[::-1]
        self._string_start, self._literal = b"", -1

    def _concatenated(self, node: Node) -> None:
        self._stack.append((self._set_string, self._string_start, self._literal))
        for child in node.children[::-1]:
            if child.kind_id == tokens.STRING:
                self._stack += child.children[::-1]
            else:
                self._stack.append(child)
        self._string_start, self._literal = b"", -1

    def _set_string(self, start: bytes, literal: int) -> None:
        self._string_start, self._literal = start, literal

    def _on_string_start(self, node: Node) -> None:
        self._string_start = self.source[node.start_byte : node.end_byte]
        if self._literal < 0:
            self._on_text(b"")

    def _string_content(self, node: Node) -> None:
        self._on_text(self.source[node.start_byte : node.end_byte])

    def _on_text(self, content: bytes) -> None:
        mark, content = tokens.literal(content, self._string_start)
        if self._literal == len(self._tokens) - 1 and self._literal >= 0 and (last := self._tokens[-1]):
            if last.startswith(mark):
                self._tokens[-1] = last + content
                return
            if last == b"''":
                self._tokens.pop()
        self._literal = len(self._tokens)
        self._tokens.append(mark + content)

    def _format_specifier(self, node: Node) -> None:
        # Its own text is in no node of its own.
        self._tokens.append(self.source[node.start_byte : node.end_byte])
        self._children(node)

    def _token(self, token: bytes) -> None:
        self._tokens.append(token)

    def _block(self, node: Node) -> None:
        self._push_statements(node, None)

    def _push_statements(self, node: Node, docstring: Node | None) -> None:
        """Push a block's statements, each with its end; the docstring is not read at all."""
        block = node.kind_id == _BLOCK
        push = self._stack.append
        if block:
            push((self._token, tokens.BLOCK_END))
        for child in reversed(node.children):
            if child.kind_id in tokens.SKIPPED or (docstring is not None and child == docstring):
                continue
            push((self._token, tokens.STATEMENT_END))
            push(child)
        if block:
            push((self._token, tokens.BLOCK_START))

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
            if self._expressions is not None:
                self._expressions.decorate(unit, values, self._current, self._scope)
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
        if self._expressions is not None:
            self._expressions.function(unit, draft.parameters, parameters, returns, self._scope, inner)
        # Pushed last is read first: decorators and parameters belong to the outer scope, the body to the inner.
        self._push_leave()
        self._push_statements(body, docstring)
        self._stack.append((self._enter, unit, inner))
        self._stack.append((self._bind_definition, unit, name))
        self._push_header(node, name_node, body, decorators)

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
        if self._expressions is not None:
            self._expressions.klass(unit, bases, self._scope, inner)
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
        if self.flow is not None:
            self.flow.bind(self._scope, name, flow.DEFINITION, unit)

    def _lambda(self, node: Node) -> None:
        unit = self._open("<lambda>", "lambda", node)
        draft = self._drafts[unit]
        parameters, body = node.child_by_field_id(_PARAMETERS), node.child_by_field_id(_BODY)
        draft.parameters = describe.parameters(self.source, parameters)
        shown = describe.signature("", draft.parameters, "")[1:-1]
        draft.signature = f"lambda {shown}" if shown else "lambda"
        inner = self._inner_scope(unit, "function")
        if self.flow is not None and self._expressions is not None:
            self.flow.lambdas[node.start_byte] = unit
            self._expressions.function(unit, draft.parameters, parameters, None, self._scope, inner)
            if body is not None:
                self._stack.append((self._expressions.returned, unit, body, inner))
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
        pushed: list[_Work] = [(self._enter, unit, inner)]
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
        if self._expressions is not None:
            self._expressions.effects["for_in_clause"](node, inner)
        iterable = node.child_by_field_id(_RIGHT)
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
        callee = node.child_by_field_id(_FUNCTION)
        if callee is not None and self.flow is not None and self._expressions is not None:
            start, end = node.start_point, node.end_point
            shown = describe.one_line(self.source, callee, MAX_CALLEE)
            self.sites.append(CallSite(self._current, start.row + 1, start.column, end.row + 1, end.column, shown))
            self.flow.callees.append(self._expressions.value(callee, self._scope))
            self._expressions.called(node, self._scope)
        self._children(node)

    def _return(self, node: Node) -> None:
        value = named_child(node, 0)
        if value is not None and self._expressions is not None:
            self._stack.append((self._expressions.returned, self._current, value, self._scope))
        self._statement(node)

    def _loop(self, node: Node) -> None:
        assert self.flow is not None and self._expressions is not None
        self.flow.enter_loop(self._scope)
        self._stack.append((self.flow.leave_loop, self._scope))
        if node.kind_id == _FOR:
            self._expressions.loop_target(node, self._scope)
        self._statement(node)

    def _if(self, node: Node) -> None:
        consequence = node.child_by_field_id(_CONSEQUENCE)
        for child in tokens.without_parentheses(node)[::-1]:
            if child == consequence:
                self._stack.append((self._region, child))
            else:
                self._stack.append(child)

    def _try(self, node: Node) -> None:
        body = node.child_by_field_id(_BODY)
        for child in node.children[::-1]:
            self._stack.append((self._region, child) if child == body else child)

    def _region(self, node: Node) -> None:
        """Code that may not run."""
        assert self.flow is not None and self._expressions is not None
        self.flow.enter_region(self._scope)
        self._stack.append((self._leave_region, self._scope, _ends(node)))
        if node.kind_id == _EXCEPT:
            self._expressions.except_target(node, self._scope)
        elif node.kind_id == _CASE_CLAUSE:
            self._expressions.case_targets(node, self._scope)
        if node.kind_id == _BLOCK:
            self._push_statements(node, None)
        else:
            self._statement(node)

    def _leave_region(self, scope: Scope, ends: bool) -> None:
        assert self.flow is not None
        self.flow.leave_region(scope, ends=ends)


def _ends(node: Node) -> bool:
    """Whether a region's last statement returns or raises."""
    block = node if node.kind_id == _BLOCK else named_child(node, node.named_child_count - 1)
    if block is None or block.kind_id != _BLOCK:
        return False
    for child in reversed(block.named_children):
        if child.kind_id not in tokens.SKIPPED:
            return child.kind_id in (_RETURN, _RAISE)
    return False


_NO_HANDLERS: dict[int, Callable[[Node], None] | None] = {}
