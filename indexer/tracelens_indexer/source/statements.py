"""The statement at a line: how the place of a failure is recognised after the lines around it have moved."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from tree_sitter import Node, Tree

from tracelens_indexer.source.syntax import ERROR, as_utf8, kind, parse

_BLOCK = kind("block")
_COMMENT = kind("comment")
_DECORATED = kind("decorated_definition")
_CLAUSES = frozenset(
    map(
        kind,
        ("elif_clause", "else_clause", "except_clause", "finally_clause"),
    )
)


@dataclass(frozen=True, slots=True)
class Statement:
    text: str
    """A simple statement whole; of a compound one (if, for, def, …) the header alone, to its colon."""
    first_line: int
    """1-based."""
    last_line: int


def statement_hash(text: str) -> str:
    """16 hexadecimal digits of a statement without any white space: wrapping a line changes nothing."""
    return blake2b("".join(text.split()).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def statement_at(source: bytes, line: int, *, tree: Tree | None = None) -> Statement | None:
    """The smallest statement, or header of a compound one, that covers a 1-based line; None where there is none.

    Where statements share a line it is the last of them; a decorator is one by itself.
    """
    source = as_utf8(source)
    block: Node | None = (tree or parse(source)).root_node
    while block is not None:
        around, block = block, None
        statement = _covering(around.children, line)
        if statement is None:
            return None
        if statement.kind_id == ERROR:
            block = statement
            continue
        parts = statement.children if statement.kind_id == _DECORATED else [statement]
        part = _covering(parts, line)
        if part is None:
            return None
        clause = _covering([child for child in part.children if child.kind_id in _CLAUSES], line) or part
        body = next((child for child in reversed(clause.children) if child.kind_id == _BLOCK), None)
        header = _header(source, clause, body)
        if header.first_line <= line <= header.last_line and not (body and _covering(body.children, line)):
            return header
        block = body
    return None


def _covering(nodes: list[Node], line: int) -> Node | None:
    """The last of the nodes on a line, comments apart."""
    for node in reversed(nodes):
        if node.start_point.row < line <= node.end_point.row + 1 and node.kind_id != _COMMENT and node.is_named:
            return node
    return None


def _header(source: bytes, node: Node, body: Node | None) -> Statement:
    """A statement's text, up to its body where it has one; a comment behind the colon is no part of it."""
    if body is None:
        end = node.end_byte
    else:
        ends = [child.start_byte for child in node.children if child.kind_id == _COMMENT]
        end = min([body.start_byte, *(at for at in ends if _follows_colon(source, node, at))])
    text = source[node.start_byte : end].decode("utf-8", "replace").strip()
    first = node.start_point.row + 1
    return Statement(text, first, first + text.count("\n"))


def _follows_colon(source: bytes, node: Node, at: int) -> bool:
    return source[node.start_byte : at].rstrip().endswith(b":")
