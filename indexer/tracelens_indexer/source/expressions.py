"""Nodes of the tree to nodes of the flow: where an expression's values come from.

An expression is read once, from the outside in; a call that was read inside another one is remembered until the
file's walk comes by.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tree_sitter import Node

from tracelens_indexer.source import describe, flow
from tracelens_indexer.source.builder import COMPREHENSION, LAMBDA, FlowBuilder
from tracelens_indexer.source.facts import CallSite
from tracelens_indexer.source.scopes import Scope
from tracelens_indexer.source.syntax import child as nth_child
from tracelens_indexer.source.syntax import field, kind, named_child, text

MAX_DEPTH: Final = 60
"""Operands inside operands that are followed; an expression nested deeper is unknown."""
MAX_ELEMENTS: Final = 200
"""Elements of one display that are followed; a table in a generated file may have a million."""
MAX_CALLEE: Final = 80

_ALIAS: Final = field("alias")
_ARGUMENTS: Final = field("arguments")
_ATTRIBUTE_NAME: Final = field("attribute")
_FUNCTION: Final = field("function")
_KEY: Final = field("key")
_LEFT: Final = field("left")
_NAME: Final = field("name")
_OBJECT: Final = field("object")
_OPERATOR: Final = field("operator")
_RIGHT: Final = field("right")
_SUBSCRIPT_FIELD: Final = field("subscript")
_VALUE: Final = field("value")

_COMMENT: Final = kind("comment")
_IDENTIFIER: Final = kind("identifier")
_INTEGER: Final = kind("integer")
_KEYWORD_ARGUMENT: Final = kind("keyword_argument")
_LIST_SPLAT: Final = kind("list_splat")
_DICTIONARY_SPLAT: Final = kind("dictionary_splat")
_PAIR: Final = kind("pair")
_PARENTHESIZED: Final = kind("parenthesized_expression")
_SLICE: Final = kind("slice")
_SUBSCRIPT: Final = kind("subscript")
_STRING: Final = kind("string")
_STRING_START: Final = kind("string_start")
_STRING_CONTENT: Final = kind("string_content")
_INTERPOLATION: Final = kind("interpolation")
_UNARY: Final = kind("unary_operator")
_YIELD: Final = kind("yield")
_TUPLE: Final = kind("tuple")
_ARGUMENT_LIST: Final = kind("argument_list")
_GENERATOR: Final = kind("generator_expression")
_ATTRIBUTE: Final = kind("attribute")
_BOOLEAN: Final = kind("boolean_operator")
_NOT: Final = kind("not_operator")
_COLON: Final = kind(":", named=False)
_MINUS: Final = kind("-", named=False)

_LITERALS: Final = {
    kind("float"): "float",
    kind("true"): "bool",
    kind("false"): "bool",
    kind("ellipsis"): "ellipsis",
    kind("concatenated_string"): "str",
}
_DISPLAYS: Final = {kind("list"): "list", kind("tuple"): "tuple", kind("expression_list"): "tuple", kind("set"): "set"}
_COMPREHENSIONS: Final = {
    kind("list_comprehension"): "list",
    kind("set_comprehension"): "set",
    kind("dictionary_comprehension"): "dict",
    kind("generator_expression"): "generator",
}
OPERATORS: Final = {
    "+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod", "**": "pow", "@": "matmul",
    "&": "and", "|": "or", "^": "xor", "<<": "lshift", ">>": "rshift",
}  # fmt: skip
_COMPARISONS: Final = {"==": "__eq__", "!=": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}
_SHOWN: Final = frozenset((_IDENTIFIER, _ATTRIBUTE, _SUBSCRIPT, kind("call")))
_TESTS: Final = (b"isinstance(", b"issubclass(", b"hasattr(", b"callable(", b"len(", b"any(", b"all(", b"bool(")
"""Calls that give no object which could be asked for its truth."""
_NEVER_OBJECTS: Final = frozenset(
    (_STRING, _INTEGER, kind("concatenated_string"), kind("float"), kind("none"), kind("true"), kind("false"))
)


class Expressions:
    """Reads expressions of one source into a `FlowBuilder`."""

    def __init__(self, source: bytes, builder: FlowBuilder, sites: list[CallSite]) -> None:
        self.source = source
        self.flow = builder
        self.sites = sites
        self._calls: dict[int, int] = {}
        self._read: dict[int, Callable[[Node, Scope, int], int]] = {
            _IDENTIFIER: self._identifier,
            _ATTRIBUTE: self._attribute,
            kind("call"): self._call,
            _STRING: self._string,
            _INTEGER: self._integer,
            _UNARY: self._unary,
            _PARENTHESIZED: self._inner,
            kind("await"): self._inner,
            kind("none"): self._none,
            kind("conditional_expression"): self._conditional,
            _BOOLEAN: self._boolean,
            kind("named_expression"): self._named,
            kind("lambda"): self._lambda,
            _SUBSCRIPT: self._subscript,
            kind("binary_operator"): self._binary,
            kind("comparison_operator"): self._comparison,
            _NOT: self._not,
            kind("dictionary"): self._dictionary,
            _YIELD: self._yielded,
        }
        self._read |= dict.fromkeys(_LITERALS, self._literal)
        self._read |= dict.fromkeys(_DISPLAYS, self._display)
        self._read |= dict.fromkeys(_COMPREHENSIONS, self._comprehension)

    def forget(self) -> None:
        """Let go of what holds this in turn, when the source has been read."""
        self._read.clear()

    def value(self, node: Node | None, scope: Scope, depth: int = 0) -> int:
        """The node of an expression's values."""
        if node is None or depth > MAX_DEPTH:
            return self.flow.node(scope, flow.UNKNOWN)
        read = self._read.get(node.kind_id)
        return self.flow.node(scope, flow.UNKNOWN) if read is None else read(node, scope, depth)

    def place(self, node: Node, scope: Scope) -> int:
        row, column = node.start_point
        return self.flow.place(scope.unit, row + 1, column)

    # Names, attributes, items

    def _identifier(self, node: Node, scope: Scope, depth: int) -> int:
        return self.flow.name(scope, text(self.source, node))

    def _attribute(self, node: Node, scope: Scope, depth: int) -> int:
        base = self.value(node.child_by_field_id(_OBJECT), scope, depth + 1)
        name = node.child_by_field_id(_ATTRIBUTE_NAME)
        if name is None:
            return self.flow.node(scope, flow.UNKNOWN)
        word = text(self.source, name)
        if word == "__class__":
            return self.flow.node(scope, flow.TYPE_OF, base)
        row, column = name.start_point
        return self.flow.node(scope, flow.ATTRIBUTE, base, self.flow.word(word), scope.unit, row + 1, column)

    def _subscript(self, node: Node, scope: Scope, depth: int) -> int:
        make = self.flow.node
        container = node.child_by_field_id(_VALUE)
        keys = node.children_by_field_id(_SUBSCRIPT_FIELD)
        key = keys[0] if len(keys) == 1 else None
        constant = self.constant(key)
        if constant and scope.items:
            item = self.item_name(container, constant)[1]
            if item and scope.now.get(item):
                return self.flow.mention(scope, item)
        if container is not None and container.kind_id == _IDENTIFIER:
            base = self.flow.mention(scope, text(self.source, container))
        else:
            base = self.value(container, scope, depth + 1)
        if constant:
            return make(scope, flow.ITEM, base, self.flow.word(constant), scope.unit, *self._where(node))
        if key is not None and key.kind_id == _SLICE:
            bounds = self._bounds(key)
            return make(scope, flow.SLICE, base, *bounds) if bounds else make(scope, flow.SLICE, base, 0, flow.OPEN)
        by = self.value(key, scope, depth + 1)
        return make(scope, flow.ITEM_BY, base, by, scope.unit, *self._where(node))

    def _where(self, node: Node) -> tuple[int, int]:
        row, column = node.start_point
        return row + 1, column

    def item_name(self, container: Node | None, constant: str) -> tuple[str, str]:
        """(name, "name[key]"), where the container is a name, or such an item itself; ("", "") otherwise."""
        keys = f"[{constant}]"
        for _ in range(4):
            if container is None or container.kind_id != _SUBSCRIPT:
                break
            inner = container.children_by_field_id(_SUBSCRIPT_FIELD)
            key = self.constant(inner[0]) if len(inner) == 1 else ""
            if not key:
                return "", ""
            keys = f"[{key}]{keys}"
            container = container.child_by_field_id(_VALUE)
        if container is None or container.kind_id != _IDENTIFIER:
            return "", ""
        name = text(self.source, container)
        return name, name + keys

    def constant(self, node: Node | None) -> str:
        """The source form of a constant key: "'a'" or "1"; "" for other expressions."""
        if node is None:
            return ""
        number = node.kind_id
        if number == _INTEGER:
            return text(self.source, node)[:20]
        if number == _STRING:
            if node.child_count != 3 or node.end_byte - node.start_byte > 100:
                return "''" if node.child_count == 2 else ""
            content = nth_child(node, 1)
            start = nth_child(node, 0)
            if content is None or content.kind_id != _STRING_CONTENT or start is None:
                return ""
            return f"'{text(self.source, content)}'" if b"b" not in (start.text or b"b").lower() else ""
        if number == _UNARY and node.child_count == 2:
            sign, value = nth_child(node, 0), nth_child(node, 1)
            if sign is not None and sign.kind_id == _MINUS and value is not None and value.kind_id == _INTEGER:
                return "-" + text(self.source, value)[:20]
        return ""

    def _bounds(self, node: Node) -> tuple[int, int] | None:
        low, high, behind = 0, flow.OPEN, 0
        for child in node.children:
            if child.kind_id == _COLON:
                behind += 1
                continue
            constant = self.constant(child)
            if behind > 1 or not constant or constant.startswith("'"):
                return None
            try:
                bound = int(constant)
            except ValueError:
                return None
            if abs(bound) > 1000:
                return None
            low, high = (low, bound) if behind else (bound, high)
        return low, high

    # Calls

    def _call(self, node: Node, scope: Scope, depth: int) -> int:
        known = self._calls.get(node.id)
        if known is not None:
            return known
        callee = node.child_by_field_id(_FUNCTION)
        make = self.flow.node
        if callee is None:
            return make(scope, flow.UNKNOWN)
        start, end = node.start_point, node.end_point
        shown = describe.one_line(self.source, callee, MAX_CALLEE)
        site = len(self.sites)
        self.sites.append(CallSite(scope.unit, start.row + 1, start.column, end.row + 1, end.column, shown))
        called = self.value(callee, scope, depth + 1)
        positional: list[int] = []
        others: list[int] = []
        arguments = node.child_by_field_id(_ARGUMENTS)
        nodes: list[Node] = []
        if arguments is not None:
            if arguments.kind_id == _GENERATOR:
                positional.append(self.value(arguments, scope, depth + 1))
            else:
                nodes = [child for child in arguments.named_children if child.kind_id != _COMMENT]
        for child in nodes[:MAX_ELEMENTS]:
            number = child.kind_id
            if number == _KEYWORD_ARGUMENT:
                name = child.child_by_field_id(_NAME)
                value = self.value(child.child_by_field_id(_VALUE), scope, depth + 1)
                others += (self.flow.word(text(self.source, name)) if name is not None else flow.AFTER_STAR, value)
            elif number == _LIST_SPLAT:
                others += (flow.STARRED, self.value(named_child(child, 0), scope, depth + 1))
            elif number == _DICTIONARY_SPLAT:
                others += (flow.KEYWORDS, self.value(named_child(child, 0), scope, depth + 1))
            elif flow.STARRED in others[::2]:
                others += (flow.AFTER_STAR, self.value(child, scope, depth + 1))
            else:
                positional.append(self.value(child, scope, depth + 1))
        result = make(scope, flow.CALL, site, called, len(positional), *positional, *others)
        if callee.kind_id == _IDENTIFIER:
            result = self._special(callee, nodes, scope, result, positional)
        self._calls[node.id] = result
        return result

    def _special(self, callee: Node, nodes: list[Node], scope: Scope, result: int, positional: list[int]) -> int:
        """What `super()`, `type(x)` and `getattr` with a constant name give is known here."""
        name = self.source[callee.start_byte : callee.end_byte]
        make = self.flow.node
        if name == b"super":
            explicit = [*positional[:2], -1, -1][:2]
            return make(scope, flow.SUPER, _class_around(scope), *explicit)
        if name == b"type" and len(positional) == 1:
            return make(scope, flow.TYPE_OF, positional[0])
        if name == b"getattr" and len(positional) >= 2 and len(nodes) == len(positional):
            constant = self.constant(nodes[1])
            if len(constant) > 2 and constant.startswith("'"):
                word = self.flow.word(constant[1:-1])
                found = make(scope, flow.ATTRIBUTE, positional[0], word, scope.unit, *self._where(callee))
            else:
                found = make(scope, flow.NAMED_BY, positional[0], positional[1], self.place(callee, scope))
            return make(scope, flow.UNION, found, *positional[2:3])
        return result

    def _beginning(self, scope: Scope, constant: str) -> int:
        """A string of which only the beginning is known: "'visit_" of f"visit_{x}", "visit_" + x, "visit_%s" % x."""
        begin = constant.replace("'", "")
        if begin:
            return self.flow.node(scope, flow.CONSTANT, self.flow.word(f"'{begin}"))
        return self.flow.node(scope, flow.BUILT, self.flow.word("str"))

    # Literals and displays

    def _string(self, node: Node, scope: Scope, depth: int) -> int:
        constant = self.constant(node)
        if constant and node.end_byte - node.start_byte < 40:
            return self.flow.node(scope, flow.CONSTANT, self.flow.word(constant))
        start = nth_child(node, 0)
        prefix = (start.text or b"").lower() if start is not None else b""
        if b"f" in prefix:
            self._formatted(node, scope, depth)
            content = nth_child(node, 1)
            if content is not None and content.kind_id == _STRING_CONTENT:
                return self._beginning(scope, text(self.source, content)[:40])
        return self.flow.node(scope, flow.BUILT, self.flow.word("bytes" if b"b" in prefix else "str"))

    def _formatted(self, node: Node, scope: Scope, depth: int) -> None:
        for child in node.named_children:
            inside = named_child(child, 0) if child.kind_id == _INTERPOLATION else None
            if inside is not None and inside.kind_id in _SHOWN:
                self._shown(inside, scope, depth)

    def _shown(self, node: Node, scope: Scope, depth: int) -> None:
        """What is put into a string."""
        self.operation(node, "__str__", self.value(node, scope, depth + 1), -1, scope)

    def truth(self, node: Node | None, scope: Scope, depth: int = 0) -> None:
        """What is only asked for its truth: `__bool__`, or a property, may be behind it."""
        while node is not None and node.kind_id == _PARENTHESIZED:
            node = first(node)
        if node is None or depth > MAX_DEPTH:
            return
        if node.kind_id in _SHOWN:
            value = self.value(node, scope, depth + 1)
            if not self.source.startswith(_TESTS, node.start_byte):
                self.operation(node, "__bool__", value, -1, scope)
        elif node.kind_id == _NOT:
            self.truth(first(node), scope, depth + 1)
        elif node.kind_id == _BOOLEAN:
            self.truth(node.child_by_field_id(_LEFT), scope, depth + 1)
            self.truth(node.child_by_field_id(_RIGHT), scope, depth + 1)

    def _integer(self, node: Node, scope: Scope, depth: int) -> int:
        return self.flow.node(scope, flow.CONSTANT, self.flow.word(text(self.source, node)[:20]))

    def _unary(self, node: Node, scope: Scope, depth: int) -> int:
        constant = self.constant(node)
        if constant:
            return self.flow.node(scope, flow.CONSTANT, self.flow.word(constant))
        operator, operand = nth_child(node, 0), nth_child(node, node.child_count - 1)
        name = {"-": "__neg__", "+": "__pos__", "~": "__invert__"}.get(operator.type if operator else "")
        if name is None:
            return self.flow.node(scope, flow.UNKNOWN)
        return self.operation(node, name, self.value(operand, scope, depth + 1), -1, scope)

    def _none(self, node: Node, scope: Scope, depth: int) -> int:
        return self.flow.node(scope, flow.NONE)

    def _literal(self, node: Node, scope: Scope, depth: int) -> int:
        return self.flow.node(scope, flow.BUILT, self.flow.word(_LITERALS[node.kind_id]))

    def _display(self, node: Node, scope: Scope, depth: int) -> int:
        parts: list[int] = []
        for child in node.named_children[:MAX_ELEMENTS]:
            number = child.kind_id
            if number == _LIST_SPLAT:
                parts.append(-1 - self.value(named_child(child, 0), scope, depth + 1))
            elif number != _COMMENT:
                parts.append(self.value(child, scope, depth + 1))
        return self.flow.node(scope, flow.SEQUENCE, self.flow.word(_DISPLAYS[node.kind_id]), *parts)

    def _dictionary(self, node: Node, scope: Scope, depth: int) -> int:
        parts: list[int] = []
        for child in node.named_children[:MAX_ELEMENTS]:
            if child.kind_id == _PAIR:
                constant = self.constant(child.child_by_field_id(_KEY))
                parts.append(self.flow.word(constant) if constant else flow.ANY)
                parts.append(self.value(child.child_by_field_id(_VALUE), scope, depth + 1))
            elif child.kind_id == _DICTIONARY_SPLAT:
                parts += (flow.SPREAD, self.value(named_child(child, 0), scope, depth + 1))
        return self.flow.node(scope, flow.MAPPING, *parts)

    def _comprehension(self, node: Node, scope: Scope, depth: int) -> int:
        word = self.flow.word(_COMPREHENSIONS[node.kind_id])
        return self.flow.node(scope, COMPREHENSION, word, node.start_byte)

    def _lambda(self, node: Node, scope: Scope, depth: int) -> int:
        return self.flow.node(scope, LAMBDA, node.start_byte)

    # Operators

    def _inner(self, node: Node, scope: Scope, depth: int) -> int:
        return self.value(first(node), scope, depth + 1)

    def _named(self, node: Node, scope: Scope, depth: int) -> int:
        return self.value(node.child_by_field_id(_VALUE), scope, depth + 1)

    def _conditional(self, node: Node, scope: Scope, depth: int) -> int:
        parts = [child for child in node.named_children if child.kind_id != _COMMENT]
        if len(parts) != 3:
            return self.flow.node(scope, flow.UNKNOWN)
        then, otherwise = (self.value(part, scope, depth + 1) for part in (parts[0], parts[2]))
        return self.flow.node(scope, flow.UNION, then, otherwise)

    def _boolean(self, node: Node, scope: Scope, depth: int) -> int:
        left_node = node.child_by_field_id(_LEFT)
        left = self.value(left_node, scope, depth + 1)
        asked = left_node is not None and left_node.kind_id in _SHOWN
        if asked and left_node is not None and not self.source.startswith(_TESTS, left_node.start_byte):
            self.operation(left_node, "__bool__", left, -1, scope)
        right = self.value(node.child_by_field_id(_RIGHT), scope, depth + 1)
        operator = node.child_by_field_id(_OPERATOR)
        if operator is not None and operator.type == "and":
            # When the left side is false it is seldom a thing that is called.
            return right
        return self.flow.node(scope, flow.UNION, left, right)

    def _not(self, node: Node, scope: Scope, depth: int) -> int:
        self.truth(first(node), scope, depth + 1)
        return self.flow.node(scope, flow.BUILT, self.flow.word("bool"))

    def _binary(self, node: Node, scope: Scope, depth: int) -> int:
        known = self._calls.get(node.id)
        if known is not None:
            return known
        left_node, right_node = node.child_by_field_id(_LEFT), node.child_by_field_id(_RIGHT)
        left = self.value(left_node, scope, depth + 1)
        operator = node.child_by_field_id(_OPERATOR)
        if left_node is not None and left_node.kind_id in _NEVER_OBJECTS:
            constant = self.constant(left_node)
            if left_node.kind_id == _STRING and operator is not None and operator.type == "%":
                self._substituted(right_node, scope, depth)
            if not constant.startswith("'") or len(constant) > 40 or operator is None:
                return left
            return self._beginning(scope, constant.partition("%")[0] if operator.type == "%" else constant)
        name = OPERATORS.get(operator.type if operator is not None else "")
        if name is None:
            return self.flow.node(scope, flow.UNKNOWN)
        right = self.value(right_node, scope, depth + 1)
        result = self._calls[node.id] = self.operation(node, f"__{name}__", left, right, scope)
        return result

    def _substituted(self, node: Node | None, scope: Scope, depth: int) -> None:
        """What `%` puts into a string."""
        if node is not None:
            for one in node.named_children if node.kind_id == _TUPLE else [node]:
                if one.kind_id in _SHOWN:
                    self._shown(one, scope, depth)

    def _comparison(self, node: Node, scope: Scope, depth: int) -> int:
        known = self._calls.get(node.id)
        if known is not None:
            return known
        children = [child for child in node.children if child.kind_id != _COMMENT]
        if len(children) == 3:
            left_node, operator, right_node = children
            name = _COMPARISONS.get(operator.type)
            left = self.value(left_node, scope, depth + 1)
            right = self.value(right_node, scope, depth + 1)
            if name is not None and left_node.kind_id not in _NEVER_OBJECTS:
                self.operation(node, name, left, -1, scope)
            elif operator.type in ("in", "not in") and right_node.kind_id not in _DISPLAYS:
                self.operation(node, "__contains__", right, left, scope)
        result = self._calls[node.id] = self.flow.node(scope, flow.BUILT, self.flow.word("bool"))
        return result

    def _yielded(self, node: Node, scope: Scope, depth: int) -> int:
        return self.flow.node(scope, flow.UNKNOWN)

    def operation(self, node: Node, method: str, base: int, operand: int, scope: Scope) -> int:
        """A method that Python calls on `base` at a node that does not look like a call."""
        return self.flow.node(scope, flow.OPERATION, self.place(node, scope), self.flow.word(method), base, operand)


def first(node: Node) -> Node | None:
    """The first child that means something."""
    return next((child for child in node.named_children if child.kind_id != _COMMENT), None)


def _class_around(scope: Scope | None) -> int:
    """The unit of the class whose method this scope is in, or -1."""
    while scope is not None:
        if scope.kind == "class":
            return scope.unit
        scope = scope.parent
    return -1
