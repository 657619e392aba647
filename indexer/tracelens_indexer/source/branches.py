"""Where control may go: loops, choices of which one part runs, and code that may not run."""

from __future__ import annotations

from typing import Final, TypeAlias

from tree_sitter import Node

from tracelens_indexer.source import tokens
from tracelens_indexer.source.bindings import Bindings
from tracelens_indexer.source.builder import FlowBuilder
from tracelens_indexer.source.canonical import TokenWalk
from tracelens_indexer.source.scopes import Scope
from tracelens_indexer.source.syntax import field, kind, named_child

_BODY: Final = field("body")
_CONDITION: Final = field("condition")
_CONSEQUENCE: Final = field("consequence")

_BLOCK: Final = kind("block")
_CASE_CLAUSE: Final = kind("case_clause")
_ELIF: Final = kind("elif_clause")
_ELSE: Final = kind("else_clause")
_EXCEPT: Final = kind("except_clause")
_FOR: Final = kind("for_statement")
_RAISE: Final = kind("raise_statement")
_RETURN: Final = kind("return_statement")

Narrowed: TypeAlias = dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
"""Name to its bindings before a condition, and where it holds."""


class Branches(TokenWalk):
    """Reads what branches. Without `flow` nothing asks for it: units have the same tokens whichever part runs."""

    def __init__(self, source: bytes, flow: FlowBuilder | None, scope: Scope, bindings: Bindings | None) -> None:
        super().__init__(source)
        self.flow = flow
        self._scope = scope
        self._bindings = bindings
        if bindings is None:
            return
        self._handlers |= dict.fromkeys((_FOR, kind("while_statement")), self._loop)
        self._handlers |= dict.fromkeys((_ELIF, _ELSE, _EXCEPT, _CASE_CLAUSE), self._region)
        self._handlers |= {
            kind("if_statement"): self._if,
            kind("try_statement"): self._try,
            kind("match_statement"): self._match,
        }

    def _reach(self, reached: bool) -> None:
        self.reached = reached
        if self.flow is not None:
            self.flow.reached = reached

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
