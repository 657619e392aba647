"""What stands at a place of a source: what a hover or an action in an editor is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tree_sitter import Node, Point, Tree

from tracelens_indexer.source import describe
from tracelens_indexer.source.facts import Unit
from tracelens_indexer.source.outline import outline, unit_at
from tracelens_indexer.source.syntax import as_utf8, field, kind, parse, text

PlaceKind = Literal["definition", "call", "parameter", "raise", "import", "name", "none"]

MAX_CLIMB = 10_000
"""Enclosing nodes that are looked at."""

_ARGUMENTS = field("arguments")
_ATTRIBUTE_NAME = field("attribute")
_BODY = field("body")
_FUNCTION = field("function")
_NAME = field("name")

_ATTRIBUTE = kind("attribute")
_CALL = kind("call")
_COMMENT = kind("comment")
_DECORATOR = kind("decorator")
_DEFINITIONS = frozenset({kind("class_definition"), kind("function_definition")})
_IDENTIFIER = kind("identifier")
_IMPORTS = frozenset(map(kind, ("import_statement", "import_from_statement", "future_import_statement")))
_PARAMETER_LISTS = frozenset({kind("parameters"), kind("lambda_parameters")})
_PARAMETER_NODES = frozenset(
    map(
        kind,
        (
            "typed_parameter",
            "default_parameter",
            "typed_default_parameter",
            "list_splat_pattern",
            "dictionary_splat_pattern",
        ),
    )
)
_RAISE = kind("raise_statement")
_RAISE_WORD = kind("raise", named=False)
_STRING = kind("string")
_INTERPOLATION = kind("interpolation")
_STATEMENT_BLOCKS = frozenset({kind("block"), kind("module")})


@dataclass(frozen=True, slots=True)
class Place:
    """What the cursor is on. Lines are 1-based, columns are 0-based bytes; the end is exclusive."""

    kind: PlaceKind
    unit: int
    """Index, in the outline, of the unit that is here: the one defined on a definition, else the one around."""
    name: str
    """The identifier under the cursor; of a raise, the exception as written; of an import, the imported name."""
    callee: str
    """Of a call: the called expression as written, on one line."""
    start_line: int
    start_column: int
    end_line: int
    end_column: int
    """What is marked: the name; of a call, its callee."""
    call_line: int = 0
    call_column: int = 0
    """Where the call site begins, as `CallSite` has it; 0, 0 when there is no call."""


def place_at(
    source: bytes,
    line: int,
    column: int,
    *,
    tree: Tree | None = None,
    units: tuple[Unit, ...] | None = None,
) -> Place:
    """What stands at a 1-based line and 0-based byte column. Pass the tree and the outline that are at hand.

    On the name of what is called, or on no name inside a call's parentheses, it is that call. A parameter is one
    where it is declared and wherever the function's own body mentions it.
    """
    source = as_utf8(source)
    tree = tree or parse(source)
    if units is None:
        units = outline(source, tree)
    unit = unit_at(units, line, column, source=source)
    point = Point(max(line - 1, 0), max(column, 0))
    node = tree.root_node.named_descendant_for_point_range(point, point)
    leaf = tree.root_node.descendant_for_point_range(point, point)
    if node is None or leaf is None or node.kind_id == _COMMENT:
        return _place("none", unit, tree.root_node, "", "", None, empty=(line, column))
    if leaf.kind_id != _IDENTIFIER and point.column and node.kind_id != _IDENTIFIER:
        # A cursor just behind a name is on it.
        before = tree.root_node.descendant_for_point_range(Point(point.row, point.column - 1), point)
        if before is not None and before.kind_id == _IDENTIFIER:
            node = leaf = before
    chain = _chain(tree.root_node, node)
    if leaf.kind_id == _RAISE_WORD:
        return _on_raise(source, leaf, chain, unit)
    if node.kind_id == _IDENTIFIER:
        return _on_name(source, node, chain, units, unit)
    for around in chain:
        if around.kind_id in _IMPORTS:
            return _place("import", unit, node, text(source, node) if node is not around else "", "", None)
        if around.kind_id in _STATEMENT_BLOCKS or around.kind_id == _DECORATOR:
            break
        if around.kind_id == _CALL and node is not around.child_by_field_id(_FUNCTION):
            arguments = around.child_by_field_id(_ARGUMENTS)
            if arguments is not None and _inside(node, arguments):
                return _call(source, around, unit)
    return _place("none", unit, node, "", "", None, empty=(line, column))


def _inside(node: Node, outer: Node) -> bool:
    return outer.start_byte <= node.start_byte and node.end_byte <= outer.end_byte


def _chain(root: Node, node: Node) -> list[Node]:
    """The node and what encloses it, innermost first. Found from the root: the parser's `parent` does the same."""
    path = [root]
    current = root
    while current != node and len(path) < MAX_CLIMB:
        inner = current.child_with_descendant(node)
        if inner is None or inner == current:
            break
        path.append(inner)
        current = inner
    return path[::-1]


def _on_name(source: bytes, node: Node, chain: list[Node], units: tuple[Unit, ...], unit: int) -> Place:
    name = text(source, node)
    parent = chain[1] if len(chain) > 1 else None
    for around in chain[1:]:
        if around.kind_id in _IMPORTS:
            # The whole dotted name that is imported, or imported from, without what it is called here.
            whole = chain[chain.index(around) - 1]
            original = whole.child_by_field_id(_NAME) or whole
            return _place("import", unit, original, text(source, original), "", None)
        if around.kind_id in _STATEMENT_BLOCKS:
            break
    if parent is None:
        return _place("name", unit, node, name, "", None)
    if parent.kind_id in _DEFINITIONS and parent.child_by_field_id(_NAME) == node:
        line, column = node.start_point.row + 1, node.start_point.column
        defined = next(
            (index for index, one in enumerate(units) if (one.name_line, one.name_column) == (line, column)), unit
        )
        return _place("definition", defined, node, name, "", None)
    declared = _declared_parameter(node, chain, units)
    if declared is not None:
        return _place("parameter", declared, node, name, "", None)
    called = _called(node, chain)
    if called is not None:
        return _call(source, called, unit, name)
    if not (parent.kind_id == _ATTRIBUTE and parent.child_by_field_id(_ATTRIBUTE_NAME) == node):
        owner = _parameter_owner(name, units, unit)
        if owner is not None:
            return _place("parameter", owner, node, name, "", None)
    return _place("name", unit, node, name, "", None)


def _called(node: Node, chain: list[Node]) -> Node | None:
    """The call whose callee ends in this name."""
    callee = node
    for around in chain[1:]:
        if around.kind_id == _ATTRIBUTE and around.child_by_field_id(_ATTRIBUTE_NAME) == callee and callee == node:
            callee = around
        elif around.kind_id == _CALL and around.child_by_field_id(_FUNCTION) == callee:
            return around
        else:
            return None
    return None


def _declared_parameter(node: Node, chain: list[Node], units: tuple[Unit, ...]) -> int | None:
    """The unit that declares the parameter whose name this is."""
    inner = node
    for around in chain[1:]:
        if around.kind_id in _PARAMETER_LISTS:
            line, column = node.start_point.row + 1, node.start_point.column
            for index, one in enumerate(units):
                if any((p.line, p.column) == (line, column) for p in one.parameters):
                    return index
            return None
        splat = inner is node  # *args: the name is inside, not first
        if around.kind_id not in _PARAMETER_NODES or not (splat or around.start_byte == inner.start_byte):
            return None
        inner = around
    return None


def _parameter_owner(name: str, units: tuple[Unit, ...], unit: int) -> int | None:
    while unit > 0:
        one = units[unit]
        if any(parameter.name == name for parameter in one.parameters):
            return unit
        if one.kind == "class":
            return None
        unit = one.parent
    return None


def _on_raise(source: bytes, word: Node, chain: list[Node], unit: int) -> Place:
    statement = next((one for one in chain if one.kind_id == _RAISE), None)
    raised = statement.named_children[:1] if statement is not None else []
    shown = ""
    if raised:
        callee = raised[0].child_by_field_id(_FUNCTION) if raised[0].kind_id == _CALL else raised[0]
        shown = describe.one_line(source, callee or raised[0], 80)
    return _place("raise", unit, statement or word, shown, "", None)


def _call(source: bytes, call: Node, unit: int, name: str = "") -> Place:
    callee = call.child_by_field_id(_FUNCTION)
    assert callee is not None
    if not name:
        last = callee.child_by_field_id(_ATTRIBUTE_NAME) if callee.kind_id == _ATTRIBUTE else callee
        name = text(source, last) if last is not None and last.kind_id == _IDENTIFIER else ""
    return _place("call", unit, callee, name, describe.one_line(source, callee, 80), call)


def _place(
    kind_: PlaceKind,
    unit: int,
    node: Node,
    name: str,
    callee: str,
    call: Node | None,
    *,
    empty: tuple[int, int] | None = None,
) -> Place:
    if empty is not None:
        return Place(kind_, unit, name, callee, *empty, *empty)
    start, end = node.start_point, node.end_point
    site = (call.start_point.row + 1, call.start_point.column) if call is not None else (0, 0)
    return Place(kind_, unit, name, callee, start.row + 1, start.column, end.row + 1, end.column, *site)
