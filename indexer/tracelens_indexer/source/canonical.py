"""Walking a tree with a stack of its own, so that nesting cannot overflow Python's, and collecting canonical tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from tree_sitter import Node

from tracelens_indexer.source import tokens
from tracelens_indexer.source.syntax import kind

_BLOCK: Final = kind("block")
_LEAVING: Final = frozenset(map(kind, ("return_statement", "raise_statement", "continue_statement", "break_statement")))

Work: TypeAlias = "Node | tuple[Any, ...]"
Handlers: TypeAlias = "dict[int, Callable[[Node], None]]"


class TokenWalk:
    """Walks nodes in source order. A subclass adds handlers for the kinds of nodes it has something to say about."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self._stack: list[Work] = []
        self._tokens: list[bytes] = []
        self._string_start = b""
        """How the string that is being read begins: f", rb''', …"""
        self.reached = True
        """Whether what is being read can run: it is not behind a `return` in its block."""
        self._literal = -1
        """Where in the tokens the last part of its text is; -1 before the first."""
        self._handlers: Handlers = {
            **dict.fromkeys(tokens.STATEMENTS_WITH_OPTIONAL_PARENTHESES, self._statement),
            **dict.fromkeys(tokens.BRACKETED, self._bracketed),
            **dict.fromkeys(tokens.BARE_LISTS, self._bare_list),
            **dict.fromkeys(tokens.PARENTHESIZED_LISTS, self._parenthesized_list),
            **dict.fromkeys(tokens.SKIPPED, self._skip),
            **dict.fromkeys(tokens.NUMBERS, self._number),
            tokens.STRING: self._string,
            kind("unary_operator"): self._unary,
            tokens.CONCATENATED: self._concatenated,
            tokens.FORMAT_SPECIFIER: self._format_specifier,
            tokens.STRING_START: self._on_string_start,
            tokens.STRING_CONTENT: self._string_content,
            tokens.STRING_END: self._skip,
            _BLOCK: self._block,
        }

    def walk(self) -> None:
        """Read all that is on the stack."""
        source, stack, handlers, fixed, leaves = (
            self.source, self._stack, self._handlers, tokens.FIXED, tokens.LEAVES,
        )  # fmt: skip
        while stack:
            item = stack.pop()
            if isinstance(item, tuple):
                item[0](*item[1:])
                continue
            number = item.kind_id
            token = fixed.get(number)
            if token is not None:
                self._tokens.append(token)
            elif number in leaves:
                self._tokens.append(source[item.start_byte : item.end_byte])
            elif (handler := handlers.get(number)) is not None:
                handler(item)
            elif children := item.children:
                stack += children[::-1]
            else:
                self._tokens.append(source[item.start_byte : item.end_byte])

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
        children = node.children
        if len(children) == 3 and children[1].kind_id == tokens.STRING_CONTENT:
            start, content, _ = children
            self._tokens += tokens.whole_literal(
                self.source[content.start_byte : content.end_byte], self.source[start.start_byte : start.end_byte]
            )
            return
        self._stack.append((self._set_string, self._string_start, self._literal))
        self._stack += children[::-1]
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

    def _reach(self, reached: bool) -> None:
        self.reached = reached

    def _push_statements(self, node: Node, docstring: Node | None) -> None:
        """Push a block's statements, each with its end; the docstring is not read at all."""
        block = node.kind_id == _BLOCK
        push = self._stack.append
        if block:
            push((self._token, tokens.BLOCK_END))
        children = node.children
        leaving = _leaving(children)
        if leaving is not None:
            push((self._reach, self.reached))
        for child in reversed(children):
            if child.kind_id in tokens.SKIPPED or (docstring is not None and child == docstring):
                continue
            push((self._token, tokens.STATEMENT_END))
            if child is leaving:
                push((self._reach, False))
            push(child)
        if block:
            push((self._token, tokens.BLOCK_START))


def _leaving(statements: list[Node]) -> Node | None:
    """The first statement of a block behind which others stand that never run."""
    for at, statement in enumerate(statements):
        if statement.kind_id in _LEAVING:
            behind = statements[at + 1 :]
            return statement if any(one.kind_id not in tokens.SKIPPED for one in behind) else None
    return None
