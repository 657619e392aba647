"""Nodes to flow facts: what an expression's value may be, and which statements give names their values.

It reads the nodes it is given and a few levels below them; walking the file is lowering's work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tree_sitter import Node

from tracelens_indexer.source import describe, flow
from tracelens_indexer.source.facts import Parameter
from tracelens_indexer.source.scopes import FlowBuilder, Scope
from tracelens_indexer.source.syntax import child as nth_child
from tracelens_indexer.source.syntax import field, kind, named_child, parse, text

MAX_DEPTH = 60
"""Operands inside operands that are followed; an expression nested deeper is unknown."""
MAX_ANNOTATION = 500
"""Bytes of a quoted annotation that is parsed."""

_ALIAS = field("alias")
_ARGUMENTS = field("arguments")
_ATTRIBUTE_NAME = field("attribute")
_FUNCTION = field("function")
_LEFT = field("left")
_MODULE_NAME = field("module_name")
_NAME = field("name")
_OBJECT = field("object")
_OPERATOR = field("operator")
_RIGHT = field("right")
_TYPE_FIELD = field("type")
_VALUE = field("value")

_ARGUMENT_LIST = kind("argument_list")
_AS_PATTERN = kind("as_pattern")
_ASSIGNMENT = kind("assignment")
_ATTRIBUTE = kind("attribute")
_AWAIT = kind("await")
_BINARY = kind("binary_operator")
_BOOLEAN = kind("boolean_operator")
_CALL = kind("call")
_COMMENT = kind("comment")
_CONDITIONAL = kind("conditional_expression")
_DOTTED_NAME = kind("dotted_name")
_ALIASED_IMPORT = kind("aliased_import")
_RELATIVE_IMPORT = kind("relative_import")
_IMPORT_PREFIX = kind("import_prefix")
_WILDCARD = kind("wildcard_import")
_GENERIC_TYPE = kind("generic_type")
_IDENTIFIER = kind("identifier")
_KEYWORD_ARGUMENT = kind("keyword_argument")
_LAMBDA = kind("lambda")
_LIST = kind("list")
_MEMBER_TYPE = kind("member_type")
_NAMED = kind("named_expression")
_NONE = kind("none")
_PARENTHESIZED = kind("parenthesized_expression")
_STRING = kind("string")
_STRING_START = kind("string_start")
_SUBSCRIPT = kind("subscript")
_TUPLE = kind("tuple")
_TYPE = kind("type")
_TYPE_PARAMETER = kind("type_parameter")
_UNION_TYPE = kind("union_type")

_SEQUENCES = frozenset(map(kind, ("expression_list", "pattern_list", "tuple", "tuple_pattern", "list_pattern", "list")))
_SPLATS = frozenset(map(kind, ("list_splat", "list_splat_pattern", "dictionary_splat", "dictionary_splat_pattern")))
_ATTRIBUTE_OR_SUBSCRIPT = frozenset({_ATTRIBUTE, _SUBSCRIPT})

_LITERALS = {
    kind("integer"): "int",
    kind("float"): "float",
    kind("true"): "bool",
    kind("false"): "bool",
    kind("list"): "list",
    kind("list_comprehension"): "list",
    kind("dictionary"): "dict",
    kind("dictionary_comprehension"): "dict",
    kind("set"): "set",
    kind("set_comprehension"): "set",
    kind("tuple"): "tuple",
    kind("expression_list"): "tuple",
    kind("generator_expression"): "generator",
    kind("comparison_operator"): "bool",
    kind("not_operator"): "bool",
    kind("concatenated_string"): "str",
    kind("ellipsis"): "ellipsis",
}

_WRAPPERS = frozenset(
    ("Optional", "Final", "ClassVar", "Annotated", "Required", "NotRequired", "ReadOnly", "InitVar", "Union")
)
"""Type forms whose first argument (all of Union's) says what the value is."""

Effect = Callable[[Node, Scope], None]


class Expressions:
    """Reads nodes of one source into a `FlowBuilder`."""

    def __init__(self, source: bytes, builder: FlowBuilder) -> None:
        self.source = source
        self.flow = builder
        self._assigned: tuple[Node | None, int] = (None, flow.UNKNOWN)
        self.effects: dict[str, Effect] = {
            "assignment": self._assignment,
            "augmented_assignment": self._augmented,
            "named_expression": self._named_expression,
            "with_item": self._with_item,
            "import_statement": self._import,
            "import_from_statement": self._import_from,
            "nonlocal_statement": self._nonlocal,
            "for_in_clause": self.loop_target,
            "type_alias_statement": self._type_alias,
        }

    # Values

    def value(self, node: Node | None, scope: Scope, depth: int = 0) -> int:
        """The expression of a node's value."""
        if node is None or depth > MAX_DEPTH:
            return flow.UNKNOWN
        number = node.kind_id
        make = self.flow.expression
        if number == _IDENTIFIER:
            return self.flow.name(scope, text(self.source, node))
        if number == _ATTRIBUTE:
            name = node.child_by_field_id(_ATTRIBUTE_NAME)
            base = self.value(node.child_by_field_id(_OBJECT), scope, depth + 1)
            if name is None:
                return flow.UNKNOWN
            if name.end_byte - name.start_byte == 9 and text(self.source, name) == "__class__":
                return make(flow.TYPE_OF, base)
            return make(flow.ATTRIBUTE, base, text(self.source, name))
        if number == _CALL:
            return self._call_value(node, scope, depth)
        if number == _STRING:
            start = nth_child(node, 0)
            prefix = (start.text or b"").lower() if start is not None else b""
            return make(flow.LITERAL, "bytes" if b"b" in prefix else "str")
        literal = _LITERALS.get(number)
        if literal is not None:
            return make(flow.LITERAL, literal)
        if number in (_PARENTHESIZED, _AWAIT):
            return self.value(_first(node), scope, depth + 1)
        if number == _NONE:
            return make(flow.NONE)
        if number == _CONDITIONAL:
            parts = [child for child in node.named_children if child.kind_id != _COMMENT]
            if len(parts) != 3:
                return flow.UNKNOWN
            return make(flow.UNION, *(self.value(part, scope, depth + 1) for part in (parts[0], parts[2])))
        if number == _BOOLEAN:
            left = self.value(node.child_by_field_id(_LEFT), scope, depth + 1)
            right = self.value(node.child_by_field_id(_RIGHT), scope, depth + 1)
            operator = node.child_by_field_id(_OPERATOR)
            if operator is not None and operator.type == "and":
                # When the left side is false it is seldom a thing that is called.
                return right
            return make(flow.UNION, left, right)
        if number == _NAMED:
            return self.value(node.child_by_field_id(_VALUE), scope, depth + 1)
        if number == _LAMBDA:
            return make(flow.UNIT, node.start_byte)
        if number == _SUBSCRIPT:
            return make(flow.SUBSCRIPT, self.value(node.child_by_field_id(_VALUE), scope, depth + 1))
        if number == _BINARY:
            left_node = node.child_by_field_id(_LEFT)
            if left_node is not None and left_node.kind_id == _STRING:
                return self.value(left_node, scope, depth + 1)
        return flow.UNKNOWN

    def _call_value(self, node: Node, scope: Scope, depth: int) -> int:
        callee = node.child_by_field_id(_FUNCTION)
        if callee is None:
            return flow.UNKNOWN
        if callee.kind_id == _IDENTIFIER:
            name = self.source[callee.start_byte : callee.end_byte]
            if name in (b"super", b"type"):
                arguments = _arguments(node)
                if name == b"super":
                    explicit = self.value(arguments[0], scope, depth + 1) if arguments else flow.UNKNOWN
                    return self.flow.expression(flow.SUPER, _class_around(scope), explicit)
                if len(arguments) == 1:
                    return self.flow.expression(flow.TYPE_OF, self.value(arguments[0], scope, depth + 1))
        return self.flow.expression(flow.CALL, self.value(callee, scope, depth + 1))

    def annotation(self, node: Node | None, scope: Scope, depth: int = 0) -> int:
        """The expression of an instance of what an annotation names; unknown for what says nothing of use."""
        if node is None or depth > MAX_DEPTH:
            return flow.UNKNOWN
        number = node.kind_id
        make = self.flow.expression
        if number in (_TYPE, _PARENTHESIZED):
            return self.annotation(_first(node), scope, depth + 1)
        if number in (_IDENTIFIER, _ATTRIBUTE):
            return make(flow.INSTANCE, self.value(node, scope, depth + 1))
        if number == _MEMBER_TYPE:
            return flow.UNKNOWN
        if number == _STRING:
            return self._quoted_annotation(node, scope, depth)
        if number in (_BINARY, _UNION_TYPE):
            sides = [self.annotation(child, scope, depth + 1) for child in node.named_children]
            sides = [side for side in sides if side != flow.UNKNOWN]
            return make(flow.UNION, *sides) if sides else flow.UNKNOWN
        if number in (_GENERIC_TYPE, _SUBSCRIPT):
            return self._generic_annotation(node, scope, depth)
        return flow.UNKNOWN

    def _generic_annotation(self, node: Node, scope: Scope, depth: int) -> int:
        parts = [child for child in node.named_children if child.kind_id != _COMMENT]
        if not parts:
            return flow.UNKNOWN
        base, *arguments = parts
        if len(arguments) == 1 and arguments[0].kind_id == _TYPE_PARAMETER:
            arguments = [child for child in arguments[0].named_children if child.kind_id != _COMMENT]
        last = text(self.source, base).rpartition(".")[2]
        make = self.flow.expression
        if last in _WRAPPERS:
            kept = arguments if last == "Union" else arguments[:1]
            values = [self.annotation(argument, scope, depth + 1) for argument in kept]
            values = [value for value in values if value != flow.UNKNOWN]
            return make(flow.UNION, *values) if values else flow.UNKNOWN
        if last in ("type", "Type"):
            instance = self.annotation(arguments[0], scope, depth + 1) if arguments else flow.UNKNOWN
            return make(flow.TYPE_OF, instance) if instance else flow.UNKNOWN
        return make(flow.INSTANCE, self.value(base, scope, depth + 1))

    def _quoted_annotation(self, node: Node, scope: Scope, depth: int) -> int:
        start, end = nth_child(node, 0), nth_child(node, node.child_count - 1)
        if start is None or end is None or node.end_byte - node.start_byte > MAX_ANNOTATION:
            return flow.UNKNOWN
        inner = self.source[start.end_byte : end.start_byte].strip()
        statement = _first(parse(inner).root_node)
        expression = _first(statement) if statement is not None else None
        if expression is None or expression.kind_id == _STRING:
            return flow.UNKNOWN
        return Expressions(inner, self.flow).annotation(expression, scope, depth + 10)

    # Definitions

    def decorate(self, unit: int, values: list[Node], enclosing: int, scope: Scope) -> None:
        self.flow.decorators[unit] = [
            (self.value(node, scope), enclosing, node.start_point.row + 1, node.start_point.column) for node in values
        ]

    def function(
        self,
        unit: int,
        parameters: tuple[Parameter, ...],
        node: Node | None,
        returns: Node | None,
        outer: Scope,
        inner: Scope,
    ) -> None:
        for position, parameter in enumerate(parameters):
            self.flow.bind(inner, parameter.name, flow.PARAMETER, unit, position)
        self.flow.annotations[unit] = [
            self.annotation(annotation, outer) for annotation in describe.parameter_annotations(node)
        ]
        if returns is not None:
            result = self.annotation(returns, outer)
            if result != flow.UNKNOWN:
                self.flow.results[unit] = result

    def klass(self, unit: int, bases: Node | None, outer: Scope, inner: Scope) -> None:
        self.flow.classes[unit] = inner
        if bases is not None:
            self.flow.bases[unit] = [
                self.value(base, outer)
                for base in bases.named_children
                if base.kind_id not in (_COMMENT, _KEYWORD_ARGUMENT)
            ]

    def returned(self, unit: int, value: Node, scope: Scope) -> None:
        self.flow.returns.setdefault(unit, []).append(self.value(value, scope))

    # Statements that bind

    def _assignment(self, node: Node, scope: Scope) -> None:
        target = node.child_by_field_id(_LEFT)
        value = node.child_by_field_id(_RIGHT)
        if value is not None and value.kind_id == _ASSIGNMENT:
            # `a = b = C()`: the inner assignment came just before, and has the value.
            value, number = self._assigned
        else:
            number = self.value(value, scope)
        self._assigned = value, number
        if target is None:
            return
        hint = node.child_by_field_id(_TYPE_FIELD)
        if hint is not None:
            instance = self.annotation(hint, scope)
            number = instance if value is None else self.flow.expression(flow.HINTED, number, instance)
            if value is None and scope.kind == "function":
                return  # `x: int` in a function binds nothing
        self._assign(target, value, number, scope)
        if scope is self.flow.module and target.kind_id == _IDENTIFIER and text(self.source, target) == "__all__":
            self.flow.public, self.flow.public_open = [], False
            self._publish(value)

    def _assign(self, target: Node, value: Node | None, number: int, scope: Scope, depth: int = 0) -> None:
        """Bind a target to the value of expression `number`, which `value` is the node of."""
        form = target.kind_id
        if form == _IDENTIFIER:
            self.flow.bind(scope, text(self.source, target), flow.VALUE, number)
        elif form == _ATTRIBUTE:
            name = target.child_by_field_id(_ATTRIBUTE_NAME)
            if name is not None:
                base = self.value(target.child_by_field_id(_OBJECT), scope)
                self.flow.stores.append((base, text(self.source, name), number))
        elif form in _SEQUENCES and depth < MAX_DEPTH:
            targets = [child for child in target.named_children if child.kind_id != _COMMENT]
            values: list[Node] = []
            if value is not None and value.kind_id in _SEQUENCES:
                values = [child for child in value.named_children if child.kind_id != _COMMENT]
            if len(targets) == len(values) and not any(n.kind_id in _SPLATS for n in targets + values):
                numbers = [self.value(one, scope) for one in values]
                for one, its, one_number in zip(targets, values, numbers, strict=True):
                    self._assign(one, its, one_number, scope, depth + 1)
            else:
                self._opaque(target, scope)
        elif form not in _ATTRIBUTE_OR_SUBSCRIPT:
            self._opaque(target, scope)

    def _opaque(self, target: Node, scope: Scope) -> None:
        for name in self._target_names(target):
            self.flow.bind(scope, name, flow.OPAQUE)

    def _target_names(self, target: Node) -> Iterator[str]:
        stack = [target]
        while stack:
            node = stack.pop()
            if node.kind_id == _IDENTIFIER:
                yield text(self.source, node)
            elif node.kind_id not in _ATTRIBUTE_OR_SUBSCRIPT:
                stack += node.named_children[::-1]

    def _augmented(self, node: Node, scope: Scope) -> None:
        target = node.child_by_field_id(_LEFT)
        if scope is self.flow.module and target is not None and text(self.source, target) == "__all__":
            self._publish(node.child_by_field_id(_RIGHT))

    def _named_expression(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_id(_NAME)
        number = self.value(node.child_by_field_id(_VALUE), scope)
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        if name is not None and name.kind_id == _IDENTIFIER:
            self.flow.bind(scope, text(self.source, name), flow.VALUE, number)

    def _with_item(self, node: Node, scope: Scope) -> None:
        item = node.child_by_field_id(_VALUE)
        if item is None or item.kind_id != _AS_PATTERN:
            return
        alias = item.child_by_field_id(_ALIAS)
        target = _first(alias) if alias is not None else None
        if target is None:
            return
        manager = self.value(named_child(item, 0), scope)
        entered = self.flow.expression(flow.CALL, self.flow.expression(flow.ATTRIBUTE, manager, "__enter__"))
        awaited = self.flow.expression(flow.CALL, self.flow.expression(flow.ATTRIBUTE, manager, "__aenter__"))
        # Whether the statement is an `async with` its item does not say; no class has only the wrong one of the two.
        self._assign(target, None, self.flow.expression(flow.HINTED, entered, awaited), scope)

    def loop_target(self, node: Node, scope: Scope) -> None:
        target = node.child_by_field_id(_LEFT)
        if target is not None:
            self._opaque(target, scope)

    def except_target(self, node: Node, scope: Scope) -> None:
        caught = node.child_by_field_id(_VALUE)
        if caught is None or caught.kind_id != _AS_PATTERN:
            return
        types, alias = named_child(caught, 0), caught.child_by_field_id(_ALIAS)
        name = _first(alias) if alias is not None else None
        if types is None or name is None or name.kind_id != _IDENTIFIER:
            return
        each = types.named_children if types.kind_id == _TUPLE else [types]
        values = [
            self.flow.expression(flow.INSTANCE, self.value(one, scope)) for one in each if one.kind_id != _COMMENT
        ]
        number = self.flow.expression(flow.UNION, *values) if len(values) != 1 else values[0]
        self.flow.bind(scope, text(self.source, name), flow.VALUE, number)

    def case_targets(self, node: Node, scope: Scope) -> None:
        """Names that a case clause's patterns capture."""
        stack = [child for child in node.named_children if child.type == "case_pattern"]
        while stack:
            pattern = stack.pop()
            form = pattern.type
            if form in ("class_pattern", "keyword_pattern"):
                stack += pattern.named_children[1:][::-1]
            elif form == "dotted_name":
                if pattern.named_child_count == 1:
                    self.flow.bind(scope, text(self.source, pattern), flow.OPAQUE)
            elif form == "identifier":
                self.flow.bind(scope, text(self.source, pattern), flow.OPAQUE)
            else:
                stack += pattern.named_children[::-1]

    def _type_alias(self, node: Node, scope: Scope) -> None:
        target = node.child_by_field_id(_LEFT)
        name = next(self._target_names(target), None) if target is not None else None
        if name:
            self.flow.bind(scope, name, flow.OPAQUE)

    def _nonlocal(self, node: Node, scope: Scope) -> None:
        scope.nonlocals.update(text(self.source, child) for child in node.named_children)

    # Imports

    def _import(self, node: Node, scope: Scope) -> None:
        for child in node.named_children:
            if child.kind_id == _DOTTED_NAME:
                first = _dotted(self.source, child).partition(".")[0]
                self.flow.bind(scope, first, flow.MODULE, first)
            elif child.kind_id == _ALIASED_IMPORT:
                name, alias = child.child_by_field_id(_NAME), child.child_by_field_id(_ALIAS)
                if name is not None and alias is not None:
                    self.flow.bind(scope, text(self.source, alias), flow.MODULE, _dotted(self.source, name))

    def _import_from(self, node: Node, scope: Scope) -> None:
        module = node.child_by_field_id(_MODULE_NAME)
        if module is None:
            return
        level, name = 0, ""
        if module.kind_id == _RELATIVE_IMPORT:
            for child in module.named_children:
                if child.kind_id == _IMPORT_PREFIX:
                    level = text(self.source, child).count(".")
                else:
                    name = _dotted(self.source, child)
        else:
            name = _dotted(self.source, module)
        for child in node.named_children:
            if child == module:
                continue
            if child.kind_id == _WILDCARD:
                self.flow.stars.append((level, name))
            elif child.kind_id == _DOTTED_NAME:
                member = text(self.source, child)
                self.flow.bind(scope, member, flow.MEMBER, level, name, member)
            elif child.kind_id == _ALIASED_IMPORT:
                original, alias = child.child_by_field_id(_NAME), child.child_by_field_id(_ALIAS)
                if original is not None and alias is not None:
                    member = text(self.source, original)
                    self.flow.bind(scope, text(self.source, alias), flow.MEMBER, level, name, member)

    # __all__

    def called(self, node: Node, scope: Scope) -> None:
        """`__all__.append("name")` and `__all__.extend([…])`."""
        if scope is not self.flow.module:
            return
        callee = node.child_by_field_id(_FUNCTION)
        if callee is None or callee.kind_id != _ATTRIBUTE:
            return
        if not self.source.startswith(b"__all__.", callee.start_byte):
            return
        arguments = _arguments(node)
        if arguments:
            self._publish(arguments[0])

    def _publish(self, value: Node | None) -> None:
        """Add the names of a list of strings to `__all__`; what is not a string is not known."""
        if self.flow.public is None:
            self.flow.public = []
        if value is not None and value.kind_id == _STRING:
            self.flow.public.append(text(self.source, value).strip("rRuU\"'"))
        elif value is not None and value.kind_id in _SEQUENCES:
            for child in value.named_children:
                if child.kind_id == _STRING:
                    self._publish(child)
                elif child.kind_id != _COMMENT:
                    self.flow.public_open = True
        else:
            self.flow.public_open = True


def _first(node: Node) -> Node | None:
    return next((child for child in node.named_children if child.kind_id != _COMMENT), None)


def _arguments(call: Node) -> list[Node]:
    """Positional arguments."""
    arguments = call.child_by_field_id(_ARGUMENTS)
    if arguments is None or arguments.kind_id != _ARGUMENT_LIST:
        return []
    return [child for child in arguments.named_children if child.kind_id not in (_COMMENT, _KEYWORD_ARGUMENT)]


def _class_around(scope: Scope | None) -> int:
    """The unit of the class whose method this scope is in, or -1."""
    while scope is not None:
        if scope.kind == "class":
            return scope.unit
        scope = scope.parent
    return -1


def _dotted(source: bytes, node: Node) -> str:
    """ "a.b" of `a . b`."""
    name = text(source, node)
    return name if name.isidentifier() else "".join(name.split())
