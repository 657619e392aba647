"""What a person reads about a definition: its signature, parameters and docstring, from its nodes."""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from functools import partial
from typing import Final

from tree_sitter import Node

from tracelens_indexer.source.facts import Parameter, ParameterKind
from tracelens_indexer.source.syntax import child as nth_child
from tracelens_indexer.source.syntax import field, kind, named_child, text

MAX_EXPRESSION: Final = 200
"""Characters kept of an annotation or a default."""
MAX_DOCSTRING: Final = 4000

_NAME: Final = field("name")
_TYPE: Final = field("type")
_VALUE: Final = field("value")

_IDENTIFIER: Final = kind("identifier")
_TYPED: Final = kind("typed_parameter")
_DEFAULT: Final = kind("default_parameter")
_TYPED_DEFAULT: Final = kind("typed_default_parameter")
_LIST_SPLAT: Final = kind("list_splat_pattern")
_DICTIONARY_SPLAT: Final = kind("dictionary_splat_pattern")
_POSITIONAL_SEPARATOR: Final = kind("positional_separator")
_KEYWORD_SEPARATOR: Final = kind("keyword_separator")
_STRING: Final = kind("string")
_CONCATENATED: Final = kind("concatenated_string")
_INTERPOLATION: Final = kind("interpolation")
_STRING_START: Final = kind("string_start")
_COMMENT: Final = kind("comment")
_EXPRESSION_STATEMENT: Final = kind("expression_statement")

_SPACES: Final = re.compile(r"\s+")


def one_line(source: bytes, node: Node, limit: int = MAX_EXPRESSION) -> str:
    """A node's text on one line, cut to `limit` characters."""
    # Four bytes hold any character, so nothing that could be shown is lost by not reading on.
    raw = source[node.start_byte : min(node.end_byte, node.start_byte + 4 * limit + 4)]
    line = _SPACES.sub(" ", raw.decode("utf-8", "replace")).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"


def parameters(source: bytes, node: Node | None) -> tuple[Parameter, ...]:
    """The parameters of a `parameters` or `lambda_parameters` node, in source order."""
    if node is None:
        return ()
    found: list[Parameter] = []
    keyword_only = False
    for child in node.named_children:
        number = child.kind_id
        if number == _POSITIONAL_SEPARATOR:
            found = [Parameter(p.name, "positional only", p.annotation, p.default, p.line, p.column) for p in found]
            continue
        if number == _KEYWORD_SEPARATOR:
            keyword_only = True
            continue
        name, annotation, default = _parts(child)
        if name is None:
            continue
        kind_: ParameterKind = "keyword only" if keyword_only else "positional"
        if name.kind_id == _LIST_SPLAT:
            kind_, keyword_only = "variadic", True
        elif name.kind_id == _DICTIONARY_SPLAT:
            kind_ = "keywords"
        if name.kind_id != _IDENTIFIER:
            name = named_child(name, 0)
            if name is None or name.kind_id != _IDENTIFIER:
                continue
        row, column = name.start_point
        found.append(
            Parameter(
                text(source, name),
                kind_,
                one_line(source, annotation) if annotation else "",
                one_line(source, default) if default else "",
                row + 1,
                column,
            )
        )
    return tuple(found)


def _parts(node: Node) -> tuple[Node | None, Node | None, Node | None]:
    """(name or splat, annotation, default) of one parameter."""
    number = node.kind_id
    if number in (_IDENTIFIER, _LIST_SPLAT, _DICTIONARY_SPLAT):
        return node, None, None
    if number == _TYPED:
        return named_child(node, 0), node.child_by_field_id(_TYPE), None
    if number in (_DEFAULT, _TYPED_DEFAULT):
        return (
            node.child_by_field_id(_NAME),
            node.child_by_field_id(_TYPE),
            node.child_by_field_id(_VALUE),
        )
    return None, None, None


def parameter_evidence(node: Node | None) -> list[tuple[Node | None, Node | None]]:
    """(annotation, default) of each parameter that `parameters` gives, in the same order."""
    found: list[tuple[Node | None, Node | None]] = []
    for child in node.named_children if node is not None else ():
        name, annotation, default = _parts(child)
        if name is not None and (name.kind_id == _IDENTIFIER or _is_identifier(named_child(name, 0))):
            # What a variadic parameter's annotation says holds for its elements, not for it.
            found.append((annotation if name.kind_id == _IDENTIFIER else None, default))
    return found


def _is_identifier(node: Node | None) -> bool:
    return node is not None and node.kind_id == _IDENTIFIER


def signature(name: str, found: tuple[Parameter, ...], returns: str) -> str:
    """ "find(self, sku: str, *, strict=False) -> Item" on one line."""
    shown: list[str] = []
    starred = False
    for index, parameter in enumerate(found):
        if parameter.kind == "variadic":
            starred = True
        elif parameter.kind == "keyword only" and not starred:
            shown.append("*")
            starred = True
        prefix = {"variadic": "*", "keywords": "**"}.get(parameter.kind, "")
        part = prefix + parameter.name
        if parameter.annotation:
            part += f": {_shorten(parameter.annotation)}"
        if parameter.default:
            part += f" = {_shorten(parameter.default)}" if parameter.annotation else f"={_shorten(parameter.default)}"
        shown.append(part)
        last = index + 1 == len(found) or found[index + 1].kind != "positional only"
        if parameter.kind == "positional only" and last:
            shown.append("/")
    arrow = f" -> {_shorten(returns)}" if returns else ""
    return f"{name}({', '.join(shown)}){arrow}"


def _shorten(expression: str) -> str:
    return expression if len(expression) <= 80 else expression[:79] + "…"


def docstring_node(body: Node | None) -> Node | None:
    """The statement of a module's, class's or function's body that is its docstring."""
    if body is None:
        return None
    for statement in body.named_children:
        if statement.kind_id == _COMMENT:
            continue
        if statement.kind_id != _EXPRESSION_STATEMENT or statement.named_child_count != 1:
            return None
        value = named_child(statement, 0)
        return statement if value is not None and _is_plain_string(value) else None
    return None


def _is_plain_string(node: Node) -> bool:
    if node.kind_id == _CONCATENATED:
        return all(_is_plain_string(child) for child in node.named_children if child.kind_id != _COMMENT)
    if node.kind_id != _STRING:
        return False
    start = nth_child(node, 0)
    prefix = (start.text or b"").lower() if start is not None and start.kind_id == _STRING_START else b"f"
    return not any(letter in prefix for letter in (b"b", b"f", b"t"))


def _strings(node: Node) -> list[Node]:
    return [node] if node.kind_id == _STRING else [c for c in node.named_children if c.kind_id == _STRING]


def _string_value(source: bytes, node: Node) -> str:
    raw = text(source, node)
    unprefixed = raw.lstrip("rRuU")
    if "\\" in raw and len(unprefixed) == len(raw):
        try:
            with warnings.catch_warnings():
                # An invalid escape in somebody's docstring is not our user's concern.
                warnings.simplefilter("ignore")
                return str(ast.literal_eval(raw))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    quotes = 3 if unprefixed[:3] in ('"""', "'''") else 1
    return unprefixed[quotes:-quotes]


def docstring(source: bytes, statement: Node | None) -> str:
    """The docstring's text, cleaned of indentation, at most 4,000 characters; "" when there is none."""
    value = named_child(statement, 0) if statement is not None else None
    if value is None:
        return ""
    read = "".join(map(partial(_string_value, source), _strings(value)))
    cleaned = inspect.cleandoc(read).strip().encode("utf-8", "replace").decode()
    return cleaned if len(cleaned) <= MAX_DOCSTRING else cleaned[: MAX_DOCSTRING - 1] + "…"
