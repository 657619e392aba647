"""Statements to nodes of the flow: definitions, assignments, loops, `with`, `except`, imports and `__all__`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from tree_sitter import Node

from tracelens_indexer.source import describe, flow
from tracelens_indexer.source.annotations import Annotations
from tracelens_indexer.source.builder import FlowBuilder
from tracelens_indexer.source.expressions import MAX_DEPTH, OPERATORS, Expressions, first
from tracelens_indexer.source.facts import Parameter
from tracelens_indexer.source.scopes import Scope
from tracelens_indexer.source.syntax import field, kind, named_child, text

_ALIAS: Final = field("alias")
_ARGUMENTS: Final = field("arguments")
_ATTRIBUTE_NAME: Final = field("attribute")
_BODY: Final = field("body")
_FUNCTION: Final = field("function")
_KEY: Final = field("key")
_LEFT: Final = field("left")
_MODULE_NAME: Final = field("module_name")
_NAME: Final = field("name")
_OBJECT: Final = field("object")
_OPERATOR: Final = field("operator")
_RIGHT: Final = field("right")
_SUBSCRIPT_FIELD: Final = field("subscript")
_TYPE_FIELD: Final = field("type")
_VALUE: Final = field("value")

_ALIASED_IMPORT: Final = kind("aliased_import")
_AS_PATTERN: Final = kind("as_pattern")
_ASSIGNMENT: Final = kind("assignment")
_ATTRIBUTE: Final = kind("attribute")
_BINARY: Final = kind("binary_operator")
_BOOLEAN: Final = kind("boolean_operator")
_CALL: Final = kind("call")
_COMMENT: Final = kind("comment")
_DICTIONARY: Final = kind("dictionary")
_DOTTED_NAME: Final = kind("dotted_name")
_FROM: Final = kind("from", named=False)
_IDENTIFIER: Final = kind("identifier")
_IMPORT_PREFIX: Final = kind("import_prefix")
_KEYWORD_ARGUMENT: Final = kind("keyword_argument")
_NONE: Final = kind("none")
_PAIR: Final = kind("pair")
_PARENTHESIZED: Final = kind("parenthesized_expression")
_RELATIVE_IMPORT: Final = kind("relative_import")
_STRING: Final = kind("string")
_SUBSCRIPT: Final = kind("subscript")
_TUPLE: Final = kind("tuple")
_WILDCARD: Final = kind("wildcard_import")

_SEQUENCES: Final = frozenset(
    map(kind, ("expression_list", "pattern_list", "tuple", "tuple_pattern", "list_pattern", "list"))
)
_SPLATS: Final = frozenset(
    map(kind, ("list_splat", "list_splat_pattern", "dictionary_splat", "dictionary_splat_pattern"))
)
_ATTRIBUTE_OR_SUBSCRIPT: Final = frozenset({_ATTRIBUTE, _SUBSCRIPT})

MAX_PAIRS: Final = 50
"""Items of one `update` that are followed."""

MAX_NARROWED: Final = 8
"""Types that one question is followed for."""

Effect = Callable[[Node, Scope], None]


class Bindings:
    """Reads statements of one source into a `FlowBuilder`."""

    def __init__(self, expressions: Expressions) -> None:
        self._expressions = expressions
        self._value = expressions.value
        self._annotations = Annotations(expressions)
        self._source = expressions.source
        self._flow: FlowBuilder = expressions.flow
        self._assigned: tuple[int, int] = (-1, -1)
        """End byte of the last assignment, and the node of its value."""
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
            "yield": self._yield,
            "delete_statement": self._delete,
            "binary_operator": self._evaluated,
            "comparison_operator": self._evaluated,
            "raise_statement": self._raise,
            "assert_statement": self._assert,
        }

    def forget(self) -> None:
        """Let go of what holds this in turn, when the source has been read."""
        self.effects.clear()
        self._expressions.forget()

    def _evaluated(self, node: Node, scope: Scope) -> None:
        self._value(node, scope)

    def condition(self, node: Node | None, scope: Scope) -> None:
        """What is only asked for its truth."""
        self._expressions.truth(node, scope)

    def narrow(self, node: Node | None, scope: Scope) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
        """Let `isinstance(name, type)` that holds say what a local name is: name to its bindings (before, here)."""
        found: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        pending = [node]
        while pending:
            one = pending.pop()
            if one is None or len(found) > MAX_NARROWED or scope.kind != "function":
                continue
            operator = one.child_by_field_id(_OPERATOR) if one.kind_id == _BOOLEAN else None
            if one.kind_id == _PARENTHESIZED:
                pending.append(first(one))
            elif operator is not None and operator.type == "and":
                pending += (one.child_by_field_id(_LEFT), one.child_by_field_id(_RIGHT))
            elif one.kind_id == _CALL and self._source.startswith(b"isinstance(", one.start_byte):
                arguments = one.child_by_field_id(_ARGUMENTS)
                given = [] if arguments is None else [c for c in arguments.named_children if c.kind_id != _COMMENT]
                if len(given) != 2 or given[0].kind_id != _IDENTIFIER:
                    continue
                name = text(self._source, given[0])
                before = scope.now.get(name)
                types = self._types(given[1], scope)
                if before and types and name not in scope.globals and name not in scope.nonlocals:
                    narrowed = self._narrowed(self._flow.mention(scope, name), types, scope)
                    self._flow.narrow(scope, name, narrowed)
                    found[name] = (before, scope.now[name])
        return found

    def _types(self, node: Node, scope: Scope) -> list[Node]:
        """The types that `isinstance` asks for; none where one is computed or local, so that nothing may be known."""
        pending, found = [node], []
        while pending:
            one = pending.pop()
            operator = one.child_by_field_id(_OPERATOR) if one.kind_id == _BINARY else None
            if one.kind_id == _TUPLE or (operator is not None and operator.type == "|"):
                pending += [child for child in one.named_children if child.kind_id != _COMMENT][::-1]
                continue
            if one.kind_id == _NONE:
                continue
            root: Node | None = one
            while root is not None and root.kind_id == _ATTRIBUTE:
                root = root.child_by_field_id(_OBJECT)
            if root is None or root.kind_id != _IDENTIFIER or text(self._source, root) in scope.now:
                return []
            found.append(one)
        return found if len(found) <= MAX_NARROWED else []

    def _narrowed(self, value: int, types: list[Node], scope: Scope) -> int:
        make = self._flow.node
        parts: list[int] = []
        for one in types:
            named = self._value(one, scope)
            parts += (make(scope, flow.NARROWED, value, named), make(scope, flow.INSTANCE, named))
        return make(scope, flow.UNION, *parts)

    def _assert(self, node: Node, scope: Scope) -> None:
        self._expressions.truth(first(node), scope)
        self.narrow(first(node), scope)

    def _raise(self, node: Node, scope: Scope) -> None:
        raised = first(node)
        if raised is not None and raised.kind_id in (_IDENTIFIER, _ATTRIBUTE):
            place = self._expressions.place(node, scope)
            self._flow.node(scope, flow.RAISED, self._value(raised, scope), place)

    # Definitions

    def definition(self, unit: int, name: str, decorators: list[tuple[int, int]], scope: Scope) -> None:
        """Bind a function or class, with its decorators (place, node) applied, the last one first."""
        node = self._flow.node(scope, flow.DEFINITION, unit)
        for place, decorator in reversed(decorators):
            node = self._flow.node(scope, flow.DECORATED, place, decorator, node)
        self._flow.bind(scope, name, node)

    def decorators(self, nodes: list[Node], scope: Scope) -> list[tuple[int, int]]:
        return [(self._expressions.place(node, scope), self._value(node, scope)) for node in nodes]

    def function(
        self,
        unit: int,
        parameters: tuple[Parameter, ...],
        node: Node | None,
        returns: Node | None,
        outer: Scope,
        inner: Scope,
    ) -> None:
        self._flow.code[unit] = []
        for position, parameter in enumerate(parameters):
            self._flow.bind(inner, parameter.name, self._flow.node(inner, flow.PARAMETER, position))
        defaults: list[int] = []
        annotations: list[int] = []
        for annotation, default in describe.parameter_evidence(node):
            defaults.append(self._value(default, outer) if default is not None else -1)
            annotations.append(self._annotations.instance(annotation, outer))
        result = self._annotations.instance(returns, outer)
        if result >= 0 or any(one >= 0 for one in defaults) or any(one >= 0 for one in annotations):
            self._flow.signatures[unit] = (outer.code, defaults, annotations, result)

    def klass(self, unit: int, bases: Node | None, outer: Scope, inner: Scope) -> None:
        self._flow.classes[unit] = inner
        self._flow.code[unit] = []
        if bases is not None:
            found = [
                self._value(base, outer)
                for base in bases.named_children
                if base.kind_id not in (_COMMENT, _KEYWORD_ARGUMENT)
            ]
            self._flow.bases[unit] = (outer.code, found)
            for base in bases.named_children:
                name = base.child_by_field_id(_NAME) if base.kind_id == _KEYWORD_ARGUMENT else None
                if name is not None and text(self._source, name) == "metaclass":
                    metaclass = self._value(base.child_by_field_id(_VALUE), outer)
                    self._flow.metaclasses[unit] = (outer.code, metaclass)

    def returned(self, value: Node, scope: Scope) -> None:
        self._flow.node(scope, flow.RETURN, self._value(value, scope))

    def element(self, node: Node, inner: Scope) -> None:
        """What a comprehension collects."""
        body = node.child_by_field_id(_BODY)
        if body is not None and body.kind_id == _PAIR:
            body = body.child_by_field_id(_VALUE)
        self._flow.elements[node.start_byte] = self._value(body, inner)

    def _yield(self, node: Node, scope: Scope) -> None:
        values = [child for child in node.named_children if child.kind_id != _COMMENT]
        if len(values) == 1:
            delegates = any(child.kind_id == _FROM for child in node.children)
            form = flow.YIELD_FROM if delegates else flow.YIELD
            self._flow.node(scope, form, self._value(values[0], scope))

    # Assignments

    def _assignment(self, node: Node, scope: Scope) -> None:
        target = node.child_by_field_id(_LEFT)
        value = node.child_by_field_id(_RIGHT)
        if value is not None and value.kind_id == _ASSIGNMENT:
            # `a = b = C()`: the inner assignment came just before, and has the value.
            number = self._assigned[1] if self._assigned[0] == node.end_byte else self._value(None, scope)
        elif value is not None and value.kind_id in _SEQUENCES and target is not None and target.kind_id in _SEQUENCES:
            self._pairwise(target, value, scope)
            return
        elif value is None:
            number = -1
        else:
            number = self._value(value, scope)
        hint = node.child_by_field_id(_TYPE_FIELD)
        if hint is not None:
            instance = self._annotations.instance(hint, scope)
            if value is None and (scope.kind == "function" or instance < 0):
                return  # `x: int` in a function binds nothing
            if instance >= 0:
                number = instance if number < 0 else self._flow.node(scope, flow.UNION, number, instance)
        self._assigned = (node.end_byte, number)
        if target is None or number < 0:
            return
        self._assign(target, number, scope)
        if scope is self._flow.module and target.kind_id == _IDENTIFIER and text(self._source, target) == "__all__":
            self._flow.public, self._flow.public_open = [], False
            self._publish(value)

    def _pairwise(self, target: Node, value: Node, scope: Scope, depth: int = 0) -> None:
        """`a, b = b, a`: all values are read before the first is bound."""
        targets = [child for child in target.named_children if child.kind_id != _COMMENT]
        values = [child for child in value.named_children if child.kind_id != _COMMENT]
        splats = any(one.kind_id in _SPLATS for one in targets + values)
        if len(targets) != len(values) or splats or depth > MAX_DEPTH:
            number = self._value(value, scope)
            self._assigned = (value.end_byte, number)
            self._assign(target, number, scope)
            return
        numbers = [
            -1 if one.kind_id in _SEQUENCES and its.kind_id in _SEQUENCES else self._value(its, scope)
            for one, its in zip(targets, values, strict=True)
        ]
        for one, its, number in zip(targets, values, numbers, strict=True):
            if number < 0:
                self._pairwise(one, its, scope, depth + 1)
            else:
                self._assign(one, number, scope)
        if depth == 0 and numbers:
            whole = [number for number in numbers if number >= 0]
            node = self._flow.node(scope, flow.SEQUENCE, self._flow.word("tuple"), *whole)
            self._assigned = (value.end_byte, node)

    def _assign(self, target: Node, number: int, scope: Scope, depth: int = 0) -> None:
        """Give a target the values of a node."""
        form = target.kind_id
        make = self._flow.node
        if form == _IDENTIFIER:
            self._flow.bind(scope, text(self._source, target), number)
        elif form == _ATTRIBUTE:
            name = target.child_by_field_id(_ATTRIBUTE_NAME)
            if name is not None:
                base = self._value(target.child_by_field_id(_OBJECT), scope)
                place = self._expressions.place(target, scope)
                make(scope, flow.STORE_ATTRIBUTE, base, self._flow.word(text(self._source, name)), number, place)
        elif form == _SUBSCRIPT:
            self._store_item(target, number, scope)
        elif form in _SEQUENCES and depth < MAX_DEPTH:
            targets = [child for child in target.named_children if child.kind_id != _COMMENT]
            star = next((at for at, one in enumerate(targets) if one.kind_id in _SPLATS), -1)
            for at, one in enumerate(targets):
                inside = named_child(one, 0) if at == star else one
                if inside is not None:
                    self._assign(inside, make(scope, flow.UNPACKED, number, at, len(targets), star), scope, depth + 1)
        elif form == _PARENTHESIZED:
            inner = first(target)
            if inner is not None and depth < MAX_DEPTH:
                self._assign(inner, number, scope, depth + 1)
        else:
            for name_ in self._target_names(target):
                self._flow.bind(scope, name_, make(scope, flow.UNKNOWN))

    def _store_item(self, target: Node, number: int, scope: Scope) -> None:
        container = target.child_by_field_id(_VALUE)
        keys = target.children_by_field_id(_SUBSCRIPT_FIELD)
        if container is None or not keys:
            return
        make = self._flow.node
        constant = self._expressions.constant(keys[0]) if len(keys) == 1 else ""
        if container.kind_id == _IDENTIFIER:
            base = self._flow.mention(scope, text(self._source, container))
        else:
            base = self._value(container, scope)
        place = self._expressions.place(target, scope)
        if not constant:
            make(scope, flow.STORE_ITEM_BY, base, self._value(keys[0], scope), number, place)
            if container.kind_id == _IDENTIFIER:
                scope.forget_items(text(self._source, container))
            return
        make(scope, flow.STORE_ITEM, base, self._flow.word(constant), number, place)
        name, item = self._expressions.item_name(container, constant)
        if item:
            self._flow.bind_item(scope, name, item, number)

    def _target_names(self, target: Node) -> Iterator[str]:
        stack = [target]
        while stack:
            node = stack.pop()
            if node.kind_id == _IDENTIFIER:
                yield text(self._source, node)
            elif node.kind_id not in _ATTRIBUTE_OR_SUBSCRIPT:
                stack += node.named_children[::-1]

    def _augmented(self, node: Node, scope: Scope) -> None:
        target, value = node.child_by_field_id(_LEFT), node.child_by_field_id(_RIGHT)
        operator = node.child_by_field_id(_OPERATOR)
        if target is None or operator is None:
            return
        if scope is self._flow.module and text(self._source, target) == "__all__":
            self._publish(value)
            return
        name = OPERATORS.get(operator.type[:-1])
        if name is None or target.kind_id not in (_IDENTIFIER, _ATTRIBUTE):
            return
        operand = self._value(value, scope)
        before = self._value(target, scope)
        done = self._expressions.operation(node, f"__i{name}__", before, operand, scope)
        if target.kind_id == _IDENTIFIER:
            # Containers keep being themselves under += and |=.
            self._flow.bind(scope, text(self._source, target), self._flow.node(scope, flow.UNION, before, done))

    def _delete(self, node: Node, scope: Scope) -> None:
        target = first(node)
        if target is not None and target.kind_id == _SUBSCRIPT:
            base = self._value(target.child_by_field_id(_VALUE), scope)
            self._expressions.operation(target, "__delitem__", base, -1, scope)
        elif target is not None and target.kind_id == _ATTRIBUTE:
            base = self._value(target.child_by_field_id(_OBJECT), scope)
            self._expressions.operation(target, "__delattr__", base, -1, scope)

    def _named_expression(self, node: Node, scope: Scope) -> None:
        name = node.child_by_field_id(_NAME)
        number = self._value(node.child_by_field_id(_VALUE), scope)
        code = scope.code
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        if name is not None and name.kind_id == _IDENTIFIER:
            self._flow.bind(scope, text(self._source, name), number, code)

    def _type_alias(self, node: Node, scope: Scope) -> None:
        target = node.child_by_field_id(_LEFT)
        name = next(self._target_names(target), None) if target is not None else None
        if name:
            self._flow.bind(scope, name, self._flow.node(scope, flow.UNKNOWN))

    def _nonlocal(self, node: Node, scope: Scope) -> None:
        scope.nonlocals.update(text(self._source, child) for child in node.named_children)

    # Blocks that bind

    def _with_item(self, node: Node, scope: Scope) -> None:
        item = node.child_by_field_id(_VALUE)
        if item is None:
            return
        place = self._expressions.place(item, scope)
        if item.kind_id != _AS_PATTERN:
            self._flow.node(scope, flow.ENTERED, self._value(item, scope), place)
            return
        alias = item.child_by_field_id(_ALIAS)
        target = first(alias) if alias is not None else None
        entered = self._flow.node(scope, flow.ENTERED, self._value(named_child(item, 0), scope), place)
        if target is not None:
            self._assign(target, entered, scope)

    def loop_target(self, node: Node, scope: Scope, iterated: int | None = None) -> None:
        """`iterated`: the node of what is iterated, when it was read in another scope."""
        target, iterable = node.child_by_field_id(_LEFT), node.child_by_field_id(_RIGHT)
        if target is not None and iterable is not None:
            if iterated is None:
                iterated = self._value(iterable, scope)
            place = self._expressions.place(iterable, scope)
            self._assign(target, self._flow.node(scope, flow.ELEMENT, iterated, place), scope)

    def except_target(self, node: Node, scope: Scope) -> None:
        caught = node.child_by_field_id(_VALUE)
        if caught is None or caught.kind_id != _AS_PATTERN:
            return
        types, alias = named_child(caught, 0), caught.child_by_field_id(_ALIAS)
        name = first(alias) if alias is not None else None
        if types is None or name is None or name.kind_id != _IDENTIFIER:
            return
        each = types.named_children if types.kind_id == _TUPLE else [types]
        values = [
            self._flow.node(scope, flow.SOME_INSTANCE, self._value(one, scope))
            for one in each
            if one.kind_id != _COMMENT
        ]
        self._flow.bind(scope, text(self._source, name), self._flow.node(scope, flow.UNION, *values))

    def case_targets(self, node: Node, scope: Scope) -> None:
        """Names that a case clause's patterns capture."""
        stack = [child for child in node.named_children if child.type == "case_pattern"]
        while stack:
            pattern = stack.pop()
            form = pattern.type
            if form in ("class_pattern", "keyword_pattern"):
                stack += pattern.named_children[1:][::-1]
            elif form == "identifier" or (form == "dotted_name" and pattern.named_child_count == 1):
                self._flow.bind(scope, text(self._source, pattern), self._flow.node(scope, flow.UNKNOWN))
            elif form != "dotted_name":
                stack += pattern.named_children[::-1]

    # Imports

    def _import(self, node: Node, scope: Scope) -> None:
        for child in node.named_children:
            if child.kind_id == _DOTTED_NAME:
                name = _dotted(self._source, child).partition(".")[0]
                self._bind_module(scope, name, name)
            elif child.kind_id == _ALIASED_IMPORT:
                original, alias = child.child_by_field_id(_NAME), child.child_by_field_id(_ALIAS)
                if original is not None and alias is not None:
                    self._bind_module(scope, text(self._source, alias), _dotted(self._source, original))

    def _bind_module(self, scope: Scope, name: str, module: str) -> None:
        self._flow.bind(scope, name, self._flow.node(scope, flow.MODULE, self._flow.word(module)))

    def _import_from(self, node: Node, scope: Scope) -> None:
        module = node.child_by_field_id(_MODULE_NAME)
        if module is None:
            return
        level, name = 0, ""
        if module.kind_id == _RELATIVE_IMPORT:
            for child in module.named_children:
                if child.kind_id == _IMPORT_PREFIX:
                    level = text(self._source, child).count(".")
                else:
                    name = _dotted(self._source, child)
        else:
            name = _dotted(self._source, module)
        for child in node.named_children:
            if child == module:
                continue
            if child.kind_id == _WILDCARD:
                self._flow.stars.append((level, name))
            elif child.kind_id == _DOTTED_NAME:
                member = text(self._source, child)
                self._bind_member(scope, member, level, name, member)
            elif child.kind_id == _ALIASED_IMPORT:
                original, alias = child.child_by_field_id(_NAME), child.child_by_field_id(_ALIAS)
                if original is not None and alias is not None:
                    self._bind_member(scope, text(self._source, alias), level, name, text(self._source, original))

    def _bind_member(self, scope: Scope, name: str, level: int, module: str, member: str) -> None:
        word = self._flow.word
        self._flow.bind(scope, name, self._flow.node(scope, flow.MEMBER, level, word(module), word(member)))

    # __all__

    def called(self, node: Node, scope: Scope) -> None:
        """`__all__.append("name")` and `__all__.extend([…])`; `name.update({…})`."""
        callee = node.child_by_field_id(_FUNCTION)
        if callee is None or callee.kind_id != _ATTRIBUTE:
            return
        if self._source.startswith(b".update", callee.end_byte - 7):
            self._updated(callee, node, scope)
        if scope is not self._flow.module:
            return
        if not self._source.startswith(b"__all__.", callee.start_byte):
            return
        arguments = node.child_by_field_id(_ARGUMENTS)
        if arguments is not None:
            self._publish(first(arguments))

    def _updated(self, callee: Node, node: Node, scope: Scope) -> None:
        container = callee.child_by_field_id(_OBJECT)
        arguments = node.child_by_field_id(_ARGUMENTS)
        given = first(arguments) if arguments is not None else None
        if container is None or container.kind_id != _IDENTIFIER or given is None or given.kind_id != _DICTIONARY:
            return
        for pair in given.named_children[:MAX_PAIRS]:
            constant = self._expressions.constant(pair.child_by_field_id(_KEY)) if pair.kind_id == _PAIR else ""
            value = pair.child_by_field_id(_VALUE)
            if constant and value is not None and value.kind_id in (_IDENTIFIER, _ATTRIBUTE):
                name, item = self._expressions.item_name(container, constant)
                self._flow.bind_item(scope, name, item, self._value(value, scope))

    def _publish(self, value: Node | None) -> None:
        """Add the names of a list of strings to `__all__`; what is not a string is not known."""
        if self._flow.public is None:
            self._flow.public = []
        if value is not None and value.kind_id == _STRING:
            self._flow.public.append(text(self._source, value).strip("rRuU\"'"))
        elif value is not None and value.kind_id in _SEQUENCES:
            for child in value.named_children:
                if child.kind_id == _STRING:
                    self._publish(child)
                elif child.kind_id != _COMMENT:
                    self._flow.public_open = True
        else:
            self._flow.public_open = True


def _dotted(source: bytes, node: Node) -> str:
    """ "a.b" of `a . b`."""
    name = text(source, node)
    return name if name.isidentifier() else "".join(name.split())
