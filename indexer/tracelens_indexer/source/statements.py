"""The statement at a line: how the place of a failure is recognised after the lines around it have moved."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from tree_sitter import Node, Tree

from tracelens_indexer.source.syntax import as_utf8, kind, parse

_BLOCK = kind("block")
_BLOCKS = frozenset({_BLOCK, kind("module")})
_COMMENT = kind("comment")
_DECORATED = kind("decorated_definition")
_HEADED = frozenset(
    map(
        kind,
        ("elif_clause", "else_clause", "except_clause", "finally_clause", "case_clause"),
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
    """The smallest statement, or header of a compound one, that covers a 1-based line; None where there is none."""
    source = as_utf8(source)
    node: Node | None = (tree or parse(source)).root_node
    found: Statement | None = None
    while node is not None:
        inner: Node | None = None
        for child in node.children:
            if child.start_point.row + 1 > line:
                break
            if child.end_point.row + 1 < line or child.kind_id == _COMMENT:
                continue
            number = child.kind_id
            if number in _BLOCKS or number in _HEADED or number == _DECORATED or child.child_count:
                if node.kind_id in _BLOCKS or number in _HEADED:
                    header = _header(source, child)
                    if header.first_line <= line <= header.last_line:
                        found = header
                inner = child
        # Expressions hold no statements, but for lambdas, which have none either: only these go further down.
        node = inner if inner is not None and (found is None or not _simple(inner)) else None
    return found


def _simple(node: Node) -> bool:
    return node.kind_id not in _BLOCKS and not any(
        child.kind_id in _BLOCKS or child.kind_id in _HEADED or child.kind_id == _DECORATED or _compound(child)
        for child in node.children
    )


def _compound(node: Node) -> bool:
    return any(child.kind_id in _BLOCKS for child in node.children)


def _header(source: bytes, node: Node) -> Statement:
    """A statement's text up to the first block inside it."""
    definition = node
    if node.kind_id == _DECORATED and node.children:
        definition = node.children[-1]
    start = definition.start_byte
    block = next((child for child in definition.children if child.kind_id == _BLOCK), None)
    if block is None:
        end, last = node.end_byte, node.end_point.row + 1
        first = node.start_point.row + 1
        return Statement(source[node.start_byte : end].decode("utf-8", "replace").strip(), first, last)
    header = source[start : block.start_byte].rstrip()
    # A comment between the colon and the block is not part of the header.
    comment = next((c for c in definition.children if c.kind_id == _COMMENT and c.end_byte <= block.start_byte), None)
    if comment is not None:
        header = source[start : comment.start_byte].rstrip()
    first = definition.start_point.row + 1
    return Statement(header.decode("utf-8", "replace"), first, first + header.count(b"\n"))
