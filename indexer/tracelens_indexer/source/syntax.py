"""Parsing Python with tree-sitter: the text that is parsed, the grammar, and its kinds of nodes by name.

Only this module knows how node kinds are numbered. Parsing never fails: what is not Python becomes error nodes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Tree

LANGUAGE: Final = Language(tree_sitter_python.language())

ERROR: Final = 65535
"""The kind of nodes that hold what could not be parsed."""


@cache
def kind(name: str, *, named: bool = True) -> int:
    """The number of a kind of nodes. A keyword and a node may share a name: "lambda" is both."""
    number = LANGUAGE.id_for_node_kind(name, named)
    if number is None:
        raise LookupError(f"the grammar has no node kind {name!r}")
    return number


def field(name: str) -> int:
    """The number of a field of nodes: children by number are found faster than by name."""
    number = LANGUAGE.field_id_for_name(name)
    if number is None:
        raise LookupError(f"the grammar has no field {name!r}")
    return number


def grammar_version() -> str:
    """ "0.25.0": what facts depend on besides the code that makes them."""
    version = LANGUAGE.semantic_version
    return ".".join(map(str, version)) if version else str(LANGUAGE.abi_version)


_CODING: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_LONE_CARRIAGE_RETURN: Final = re.compile(rb"\r(?!\n)")


def as_utf8(source: bytes) -> bytes:
    """The source as an editor would send it: UTF-8, with every line ended by a line feed.

    Valid UTF-8 comes back as it is (a byte order mark too), so that offsets and columns are those of the file.
    A carriage return alone ends a line in Python but not in tree-sitter, and a NUL ends a file in tree-sitter;
    both are replaced by a byte that means what Python means, without moving anything.
    """
    try:
        source.decode("utf-8")
    except UnicodeDecodeError:
        source = _declared_text(source).encode("utf-8", "replace")
    if b"\r" in source:
        source = _LONE_CARRIAGE_RETURN.sub(b"\n", source)
    return source.replace(b"\0", b" ") if b"\0" in source else source


def _declared_text(source: bytes) -> str:
    for line in source.split(b"\n", 2)[:2]:
        declared = _CODING.match(line)
        if declared:
            try:
                return source.decode(declared[1].decode("ascii"))
            except (LookupError, ValueError):
                break
    return source.decode("utf-8", "replace")


def parse(source: bytes, old: Tree | None = None) -> Tree:
    """The tree of a source that `as_utf8` gave. `old` must have been edited to fit, or be None."""
    # A parser is not thread-safe, and making one costs microseconds.
    parser = Parser(LANGUAGE)
    return parser.parse(source, old) if old is not None else parser.parse(source)


def text(source: bytes, node: Node) -> str:
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def count_errors(tree: Tree) -> int:
    """Places that could not be parsed: outermost error nodes, and tokens that the parser had to invent."""
    if not tree.root_node.has_error:
        return 0
    errors = 0
    stack = [tree.root_node]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            errors += 1
        elif node.has_error:
            stack.extend(node.children)
    return errors


def child(node: Node, index: int) -> Node | None:
    """A child by position; None where there is none (the parser's own method raises)."""
    return node.child(index) if 0 <= index < node.child_count else None


def named_child(node: Node, index: int) -> Node | None:
    """A named child by position; None where there is none. Comments count as named."""
    return node.named_child(index) if 0 <= index < node.named_child_count else None
