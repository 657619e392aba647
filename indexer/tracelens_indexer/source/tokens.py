"""The canonical tokens of a source: what a body hash is made of.

Two sources have the same tokens when a formatter turns one into the other: comments, white space, docstrings, quote
style, how strings are split and numbers are written, trailing commas and the parentheses that formatters add and
remove do not count.
Everything that Python gives a meaning does, the block structure and the ends of statements included.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from tree_sitter import Node

from tracelens_indexer.source.syntax import LANGUAGE, kind

BLOCK_START: Final = b"\x01"
BLOCK_END: Final = b"\x02"
STATEMENT_END: Final = b"\n"

COMMENT: Final = kind("comment")
LINE_CONTINUATION: Final = kind("line_continuation")
STRING: Final = kind("string")
CONCATENATED: Final = kind("concatenated_string")
FORMAT_SPECIFIER: Final = kind("format_specifier")
STRING_START: Final = kind("string_start")
STRING_CONTENT: Final = kind("string_content")
STRING_END: Final = kind("string_end")
NUMBERS: Final = frozenset({kind("integer"), kind("float")})
PARENTHESIZED: Final = kind("parenthesized_expression")
TUPLE: Final = kind("tuple")
SUBSCRIPT: Final = kind("subscript")
ARGUMENT_LIST: Final = kind("argument_list")
TUPLE_PATTERN: Final = kind("tuple_pattern")
COMMA: Final = kind(",", named=False)
POWER: Final = kind("**", named=False)
OPEN: Final = kind("(", named=False)
CLOSE: Final = kind(")", named=False)

SKIPPED: Final = frozenset({COMMENT, LINE_CONTINUATION, kind(";", named=False)})

STATEMENTS_WITH_OPTIONAL_PARENTHESES: Final = frozenset(
    map(
        kind,
        (
            "as_pattern", "assert_statement", "assignment", "augmented_assignment", "await", "case_clause",
            "default_parameter", "delete_statement", "elif_clause", "except_clause", "expression_statement",
            "for_in_clause", "for_statement", "if_clause", "if_statement", "keyword_argument", "lambda",
            "match_statement", "named_expression", "parenthesized_expression", "raise_statement", "return_statement",
            "type", "typed_default_parameter", "while_statement", "with_item", "yield",
        ),
    )
)  # fmt: skip
"""Here parentheses around a whole operand mean nothing, so formatters put and take them away."""

BARE_TUPLES: Final = frozenset(
    map(
        kind,
        (
            "assignment", "augmented_assignment", "case_clause", "delete_statement", "expression_statement",
            "for_in_clause", "for_statement", "match_statement", "return_statement", "yield",
        ),
    )
)  # fmt: skip
"""Of these, the ones in which a tuple needs no parentheses either."""

BRACKETED: Final = frozenset(
    map(
        kind,
        (
            "argument_list", "dictionary", "list", "list_pattern", "parameters", "set", "subscript", "tuple",
            "tuple_pattern", "type_parameter",
        ),
    )
)  # fmt: skip
_IN_PARENTHESES: Final = frozenset({PARENTHESIZED, TUPLE, TUPLE_PATTERN})
_COMMA_OR_COMMENT: Final = frozenset({COMMA, COMMENT})
BARE_LISTS: Final = frozenset({kind("expression_list"), kind("pattern_list")})
PARENTHESIZED_LISTS: Final = frozenset(
    {kind("import_from_statement"), kind("with_clause"), kind("future_import_statement")}
)

FIXED: Final[dict[int, bytes]] = {
    number: (LANGUAGE.node_kind_for_id(number) or "").encode()
    for number in range(LANGUAGE.node_kind_count)
    if not LANGUAGE.node_kind_is_named(number) and number not in SKIPPED
}
"""The text of keywords and punctuation."""
LEAVES: Final = frozenset(map(kind, ("identifier", "none", "true", "false")))
"""What stands for its text, and has no parts that are worth asking for."""

_ESCAPE: Final = re.compile(rb"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL)


HASH_VERSION: Final = "1"
"""Raise it when the same code gets another hash than before: what was recorded under another version is then known to
be incomparable, and not mistaken for changed code."""


def digest(tokens: list[bytes]) -> str:
    """The version, a colon and 32 hexadecimal digits."""
    return f"{HASH_VERSION}:" + blake2b(b"\0".join(tokens), digest_size=16).hexdigest()


def comparable(body_hash: str) -> bool:
    """Whether a hash is of this version, so that it says whether code is the same."""
    return body_hash.startswith(f"{HASH_VERSION}:")


def bracketed_children(node: Node, number: int) -> list[Node]:
    """Children without the comma before the closing bracket, where that comma means nothing."""
    children = node.children
    if len(children) < 3 or children[-2].kind_id not in _COMMA_OR_COMMENT:
        return children
    children = [child for child in children if child.kind_id != COMMENT]
    # (a,) and x[a,] are tuples because of their comma.
    least = 5 if number in (TUPLE, TUPLE_PATTERN) else 6 if number == SUBSCRIPT else 3
    if len(children) >= least and children[-2].kind_id == COMMA:
        del children[-2]
    return children


def bare_children(node: Node) -> list[Node]:
    """Children of `a, b,` without the last comma; `a,` keeps it."""
    children = [child for child in node.children if child.kind_id != COMMENT]
    if len(children) > 2 and children[-1].kind_id == COMMA:
        children.pop()
    return children


def list_children(node: Node) -> list[Node]:
    """Children of `from x import (a, b,)` or `with (a, b,):` as if the parentheses were not there."""
    children = [child for child in node.children if child.kind_id not in (OPEN, CLOSE, COMMENT)]
    if children and children[-1].kind_id == COMMA:
        children.pop()
    return children


def without_parentheses(node: Node) -> list[Node]:
    """Children of a statement, with the operands that stand in redundant parentheses taken out of them."""
    children = node.children
    if not any(child.kind_id in _IN_PARENTHESES for child in children):
        return children
    result: list[Node] = []
    # In `for x in (a, b),:` the parentheses are of an element.
    bare = node.kind_id in BARE_TUPLES and not any(child.kind_id == COMMA for child in children)
    for child in children:
        number = child.kind_id
        while number == PARENTHESIZED:
            inner = [c for c in child.named_children if c.kind_id != COMMENT]
            if len(inner) != 1 or len(child.children) < 3:
                break
            child = inner[0]
            number = child.kind_id
        if bare and number in (TUPLE, TUPLE_PATTERN) and child.named_child_count:
            elements = [c for c in child.children if c.kind_id != COMMENT][1:-1]
            if len(elements) > 2 and elements[-1].kind_id == COMMA:
                elements.pop()
            result += elements
        else:
            result.append(child)
    return result


def number(source: bytes) -> bytes:
    """A number as its value: 0XFF is 0xff, 1_000 is 1000, .5 is 0.5, 1e+3 is 1000.0."""
    plain = source.lower().replace(b"_", b"")
    suffix = b"j" if plain.endswith(b"j") else b""
    if not plain.startswith((b"0x", b"0b", b"0o")) and (b"." in plain or b"e" in plain):
        try:
            return repr(float(plain.removesuffix(b"j"))).encode() + suffix
        except ValueError:
            return plain
    return plain


def unary_children(node: Node) -> list[Node]:
    """Children of `-(2**n)`, whose parentheses formatters put in."""
    children = [child for child in node.children if child.kind_id not in SKIPPED]
    operand = children[-1] if children else None
    if operand is not None and operand.kind_id == PARENTHESIZED:
        inner = [child for child in operand.named_children if child.kind_id != COMMENT]
        if len(inner) == 1 and any(child.kind_id == POWER for child in inner[0].children):
            children[-1] = inner[0]
    return children


def literal(content: bytes, start: bytes) -> tuple[bytes, bytes]:
    """(mark, content) of a part of a string that began with `start`: f", rb''', …

    The mark says what kind of string it is. Quotes do not count, nor f and r where they change nothing in the
    content, nor the escapes that only the quotes ask for.
    """
    prefix = start.rstrip(b"'\"").lower()
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n")
    mark = b"'b" if b"b" in prefix else b"'t" if b"t" in prefix else b"'"
    if b"f" in prefix or b"t" in prefix:
        content = content.replace(b"{{", b"{").replace(b"}}", b"}")
    if b"\\" in content:
        if b"r" in prefix:
            mark += b"r"
        else:
            content = _ESCAPE.sub(_canonical_escape, content)
    return mark + b"'", content


def whole_literal(content: bytes, start: bytes) -> list[bytes]:
    """The tokens of a string of one part, as they come of its beginning and that part one after the other."""
    begun, _ = literal(b"", start)
    mark, content = literal(content, start)
    return (
        [begun + content] if begun.startswith(mark) else [mark + content] if begun == b"''" else [begun, mark + content]
    )


def _canonical_escape(found: re.Match[bytes]) -> bytes:
    escape = found[0]
    return escape[1:] if escape[1:] in (b"'", b'"') else escape[:2] + escape[2:].lower() if len(escape) > 2 else escape
