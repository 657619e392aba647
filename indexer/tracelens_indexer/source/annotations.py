"""What annotations say, as nodes of the flow: instances of the types they name."""

from __future__ import annotations

from typing import Final

from tree_sitter import Node

from tracelens_indexer.source import flow
from tracelens_indexer.source.builder import FlowBuilder
from tracelens_indexer.source.expressions import MAX_DEPTH, Expressions, first
from tracelens_indexer.source.scopes import Scope
from tracelens_indexer.source.syntax import child as nth_child
from tracelens_indexer.source.syntax import kind, parse, text

MAX_ANNOTATION: Final = 500
"""Bytes of a quoted annotation that is parsed."""

_ATTRIBUTE: Final = kind("attribute")
_BINARY: Final = kind("binary_operator")
_COMMENT: Final = kind("comment")
_GENERIC_TYPE: Final = kind("generic_type")
_IDENTIFIER: Final = kind("identifier")
_PARENTHESIZED: Final = kind("parenthesized_expression")
_STRING: Final = kind("string")
_SUBSCRIPT: Final = kind("subscript")
_TYPE: Final = kind("type")
_TYPE_PARAMETER: Final = kind("type_parameter")
_UNION_TYPE: Final = kind("union_type")

_WRAPPERS: Final = frozenset(
    ("Optional", "Final", "ClassVar", "Annotated", "Required", "NotRequired", "ReadOnly", "InitVar", "Union")
)
"""Type forms whose first argument (all of Union's) says what the value is."""
_SEQUENCES: Final = frozenset(
    ("list", "List", "Sequence", "MutableSequence", "Iterable", "Iterator", "Collection", "set", "Set", "frozenset",
     "FrozenSet", "AbstractSet", "deque", "Deque", "Generator", "AsyncIterator", "AsyncIterable", "AsyncGenerator")
)  # fmt: skip
_MAPPINGS: Final = frozenset(("dict", "Dict", "Mapping", "MutableMapping", "DefaultDict", "defaultdict", "OrderedDict"))
_SILENT: Final = frozenset(
    (b"int", b"str", b"bool", b"float", b"bytes", b"None", b"Any", b"object", b"t.Any", b"typing.Any", b"complex")
)
"""Annotations of which nothing follows that a call graph needs."""


class Annotations:
    """Reads annotations of one source."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self._source = expressions.source
        self._flow: FlowBuilder = expressions.flow

    def instance(self, node: Node | None, scope: Scope, depth: int = 0) -> int:
        """The node of an instance of what an annotation names; -1 for what says nothing of use."""
        if node is None or depth > MAX_DEPTH:
            return -1
        number = node.kind_id
        if number in (_TYPE, _PARENTHESIZED):
            return self.instance(first(node), scope, depth + 1)
        if number in (_IDENTIFIER, _ATTRIBUTE):
            if self._source[node.start_byte : node.end_byte] in _SILENT:
                return -1
            return self._flow.node(scope, flow.INSTANCE, self._expressions.value(node, scope, depth + 1))
        if number == _STRING:
            return self._quoted(node, scope, depth)
        if number in (_BINARY, _UNION_TYPE):
            return self._any_of(node.named_children, scope, depth)
        if number in (_GENERIC_TYPE, _SUBSCRIPT):
            return self._generic(node, scope, depth)
        return -1

    def _any_of(self, nodes: list[Node], scope: Scope, depth: int) -> int:
        found = [one for node in nodes if (one := self.instance(node, scope, depth + 1)) >= 0]
        return self._flow.node(scope, flow.UNION, *found) if found else -1

    def _generic(self, node: Node, scope: Scope, depth: int) -> int:
        parts = [child for child in node.named_children if child.kind_id != _COMMENT]
        if not parts:
            return -1
        base, *arguments = parts
        if len(arguments) == 1 and arguments[0].kind_id == _TYPE_PARAMETER:
            arguments = [child for child in arguments[0].named_children if child.kind_id != _COMMENT]
        last = text(self._source, base).rpartition(".")[2]
        make = self._flow.node
        if last in _WRAPPERS:
            return self._any_of(arguments if last == "Union" else arguments[:1], scope, depth)
        if last in ("type", "Type"):
            instance = self.instance(arguments[0], scope, depth + 1) if arguments else -1
            return make(scope, flow.TYPE_OF, instance) if instance >= 0 else -1
        if last in _SEQUENCES or (last in ("tuple", "Tuple") and len(arguments) == 2):
            element = self.instance(arguments[0], scope, depth + 1) if arguments else -1
            if element >= 0:
                return make(scope, flow.SEQUENCE, self._flow.word("list"), -1 - self._listed(element, scope))
        if last in _MAPPINGS:
            value = self.instance(arguments[1], scope, depth + 1) if len(arguments) == 2 else -1
            if value >= 0:
                return make(scope, flow.MAPPING, flow.ANY, value)
        return make(scope, flow.INSTANCE, self._expressions.value(base, scope, depth + 1))

    def _listed(self, element: int, scope: Scope) -> int:
        return self._flow.node(scope, flow.SEQUENCE, self._flow.word("list"), element)

    def _quoted(self, node: Node, scope: Scope, depth: int) -> int:
        start, end = nth_child(node, 0), nth_child(node, node.child_count - 1)
        if start is None or end is None or node.end_byte - node.start_byte > MAX_ANNOTATION:
            return -1
        inner = self._source[start.end_byte : end.start_byte].strip()
        if b"(" in inner:
            return -1
        statement = first(parse(inner).root_node)
        expression = first(statement) if statement is not None else None
        if expression is None or expression.kind_id == _STRING:
            return -1
        # Calls inside a quoted annotation are no call sites of the file.
        return Annotations(Expressions(inner, self._flow, [])).instance(expression, scope, depth + 10)
