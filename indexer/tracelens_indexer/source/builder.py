"""Collects the flow facts of one file while it is lowered, and resolves its names at the end."""

from __future__ import annotations

from typing import Final

from tracelens_indexer.source import flow
from tracelens_indexer.source.scopes import MAX_BINDINGS, MAX_LOOPS, Scope, merge

USE: Final = -1
"""[use]: a mention of a name, while the file is being lowered."""
COMPREHENSION: Final = -2
"""[word of the type, start byte]: a comprehension, before it has been read."""
LAMBDA: Final = -3
"""[start byte]"""

_PLAIN: Final = frozenset(
    (flow.ATTRIBUTE, flow.ITEM, flow.GLOBAL, flow.CONSTANT, flow.BUILT, flow.NONE, flow.UNKNOWN, flow.INSTANCE,
     flow.SOME_INSTANCE, flow.TYPE_OF, flow.UNION, flow.OUTER, flow.DEFINITION, flow.SLICE, flow.ITEM_BY)
)  # fmt: skip
"""Forms of which equal ones are one node."""
_TIMELESS: Final = frozenset(
    (USE, COMPREHENSION, LAMBDA, flow.PARAMETER, flow.DEFINITION, flow.GLOBAL, flow.MODULE, flow.MEMBER,
     flow.CONSTANT, flow.BUILT, flow.NONE, flow.UNION)
)  # fmt: skip
"""Forms that say the same in code that never runs: nothing is called for them."""
_PLACED: Final = frozenset((flow.ATTRIBUTE, flow.ITEM, flow.ITEM_BY))


class Use:
    """One mention of a name, and the bindings that reach it so far."""

    __slots__ = ("name", "reaching", "scope")

    def __init__(self, scope: Scope, name: str, reaching: tuple[int, ...]) -> None:
        self.scope = scope
        self.name = name
        self.reaching = reaching


class FlowBuilder:
    """What lowering has seen of a file so far."""

    def __init__(self) -> None:
        self.module = Scope(0, "module", None)
        self.words: dict[str, int] = {}
        self.code: dict[int, list[list[int]]] = {0: []}
        self.bindings: list[tuple[int, int]] = []
        """(unit, node)"""
        self.uses: list[Use] = []
        self._narrowed: set[int] = set()
        self._loops: list[tuple[Scope, int, dict[str, list[int]]]] = []
        self.classes: dict[int, Scope] = {}
        self.outside: dict[str, list[int]] = {}
        """Module-level names that functions bind with `global`."""
        self.bases: dict[int, tuple[int, list[int]]] = {}
        self.metaclasses: dict[int, tuple[int, int]] = {}
        self.signatures: dict[int, tuple[int, list[int], list[int], int]] = {}
        self.stars: list[tuple[int, str]] = []
        self.public: list[str] | None = None
        self.public_open = False
        self.places: list[tuple[int, int, int]] = []
        self.lambdas: dict[int, int] = {}
        """Start byte of each lambda to its unit: expressions name lambdas before they are units."""
        self.elements: dict[int, int] = {}
        """Start byte of each comprehension to the node of its elements."""
        self.owners: dict[int, int] = {}
        self.reached = True
        """Whether the code that is being read can run."""

    # Nodes

    def word(self, word: str) -> int:
        number = self.words.get(word)
        if number is None:
            number = self.words[word] = len(self.words)
        return number

    def node(self, scope: Scope, *parts: int) -> int:
        """A new node in the code of a scope."""
        code = self.code.get(scope.code)
        if code is None:
            code = self.code[scope.code] = []
        if not self.reached and parts[0] not in _TIMELESS:
            parts = (flow.NEVER, parts[1]) if parts[0] == flow.CALL else (flow.UNKNOWN,)
        code.append(list(parts))
        return len(code) - 1

    def name(self, scope: Scope, name: str) -> int:
        """The node of a name that is used here."""
        if scope.items and name in scope.items:
            scope.forget_items(name)
        return self.mention(scope, name)

    def mention(self, scope: Scope, name: str) -> int:
        """The node of a name whose value is only looked into."""
        reaching = scope.now.get(name)
        if reaching is not None and len(reaching) == 1 and not self._loops and name not in scope.globals:
            unit, node = self.bindings[reaching[0]]
            if unit == scope.code and name not in scope.nonlocals:
                return node  # settled: nothing further down can reach back to here
        self.uses.append(Use(scope, name, scope.now.get(name, ())))
        return self.node(scope, USE, len(self.uses) - 1)

    def place(self, unit: int, line: int, column: int) -> int:
        self.places.append((unit, line, column))
        return len(self.places) - 1

    # Bindings

    def bind(self, scope: Scope, name: str, node: int, code: int | None = None) -> None:
        """Give a name the value of a node, which is in the code of the scope or of unit `code`."""
        number = len(self.bindings)
        self.bindings.append((scope.code if code is None else code, node))
        if name in scope.globals:
            self.outside.setdefault(name, []).append(number)
            return
        if name in scope.nonlocals:
            owner = scope.parent
            while owner is not None and not (owner.kind == "function" and name in owner.all):
                owner = owner.parent
            if owner is not None:
                owner.all[name].append(number)
                return
        if scope.items and name in scope.items:
            scope.forget_items(name)
        scope.set(name, (number,))
        scope.all.setdefault(name, []).append(number)
        for owner, _, bound in self._loops[-MAX_LOOPS:]:
            if owner is scope:
                bound.setdefault(name, []).append(number)

    def narrow(self, scope: Scope, name: str, node: int) -> None:
        """Let a name mean a node where something was asked of it, without giving it another value."""
        self.bindings.append((scope.code, node))
        self._narrowed.add(len(self.bindings) - 1)
        scope.set(name, (len(self.bindings) - 1,))

    def bind_item(self, scope: Scope, container: str, item: str, node: int) -> None:
        """Follow `container[key]`, written as `item`."""
        if container in scope.globals or container in scope.nonlocals or self._loops:
            return
        number = len(self.bindings)
        self.bindings.append((scope.code, node))
        scope.set(item, (number,))
        scope.items.setdefault(container, set()).add(item)

    def enter_loop(self, scope: Scope) -> None:
        for name in list(scope.items):
            scope.forget_items(name)
        scope.enter_region()
        self._loops.append((scope, len(self.uses), {}))

    def leave_loop(self, scope: Scope) -> None:
        _, first, bound = self._loops.pop()
        if bound and len(self._loops) < MAX_LOOPS:
            for use in self.uses[first:]:
                if use.scope is scope and use.name in bound and use.reaching:
                    if use.reaching[0] in self._narrowed:
                        continue  # whatever the name was bound to further down was asked too
                    use.reaching = merge(use.reaching, tuple(bound[use.name]))
        scope.leave_region()

    # The end

    def finish(self) -> flow.Flow:
        code: dict[int, list[flow.Node]] = {}
        moved: dict[int, list[int]] = {}
        late: list[tuple[int, list[int]]] = []
        for unit, nodes in self.code.items():
            self._resolve(unit, nodes, code.setdefault(unit, []), moved.setdefault(unit, []), late)
        for unit, parts in late:
            # Operands that may come after the node itself, or be in the code of another unit.
            parts[:] = [parts[0], *(moved[unit][operand] for operand in parts[1:])]
        for nodes in code.values():
            for parts in nodes:
                if parts[0] == flow.OUTER:
                    other = moved[parts[1]]
                    parts[2:] = [other[operand] for operand in parts[2:]]

        def of(numbers: list[int] | tuple[int, ...]) -> list[tuple[int, int]]:
            places = (self.bindings[number] for number in numbers)
            return list(dict.fromkeys((unit, moved[unit][node]) for unit, node in places))

        exports: dict[str, list[int]] = {}
        outside: dict[str, list[tuple[int, int]]] = {}
        for name, numbers in self.module.now.items():
            if "[" not in name:
                inside = of(numbers)
                exports[name] = [node for unit, node in inside if unit == 0]
                others = [one for one in inside if one[0]]
                if others:
                    outside[name] = others
        for name, bound in self.outside.items():
            exports.setdefault(name, [])
            outside[name] = outside.get(name, []) + of(bound)[:MAX_BINDINGS]

        def in_code(unit: int, nodes: list[int]) -> list[int]:
            return [moved[unit][node] if node >= 0 else -1 for node in nodes]

        return flow.Flow(
            words=list(self.words),
            code=code,
            exports=exports,
            assigned_outside=outside,
            members={
                unit: {name: of(numbers) for name, numbers in scope.now.items() if "[" not in name}
                for unit, scope in self.classes.items()
                if scope.now
            },
            bases={unit: in_code(at, nodes) for unit, (at, nodes) in self.bases.items() if nodes},
            signatures={
                unit: flow.Signature(in_code(at, defaults), in_code(at, annotations), in_code(at, [result])[0])
                for unit, (at, defaults, annotations, result) in self.signatures.items()
            },
            stars=self.stars,
            public=self.public,
            public_open=self.public_open,
            places=self.places,
            owners=self.owners,
            metaclasses={unit: in_code(at, [node])[0] for unit, (at, node) in self.metaclasses.items()},
        )

    def _resolve(
        self,
        unit: int,
        nodes: list[list[int]],
        result: list[flow.Node],
        moved: list[int],
        late: list[tuple[int, list[int]]],
    ) -> None:
        """The nodes of one unit with their names resolved, without duplicates, and where each one went."""
        numbers: dict[tuple[int, ...], int] = {}
        for parts in nodes:
            form = parts[0]
            is_late = False
            if form == USE:
                where = self._reached(self.uses[parts[1]])
                if isinstance(where, str):
                    new = [flow.GLOBAL, self.word(where)]
                elif not where:
                    new = [flow.UNKNOWN]
                else:
                    targets = [self.bindings[number] for number in where]
                    units = {target[0] for target in targets}
                    own = [target[1] for target in targets]
                    if units == {unit}:
                        if len(own) == 1 and own[0] < len(moved):
                            moved.append(moved[own[0]])
                            continue
                        new, is_late = [flow.UNION, *own], True
                    elif len(units) == 1:
                        new = [flow.OUTER, targets[0][0], *own]
                    else:
                        each = [[flow.OUTER, code, node] for code, node in dict.fromkeys(targets)]
                        first = len(result)
                        result += each
                        new = [flow.UNION, *range(first, first + len(each))]
            elif form == COMPREHENSION:
                element = self.elements.get(parts[2])
                new = [flow.BUILT, parts[1]] if element is None else [flow.COLLECTED, parts[1], element]
                if element is not None:
                    moved.append(len(result))
                    # Like a late union of one, kept apart because its first operand is a word.
                    union = [flow.UNION, element]
                    late.append((unit, union))
                    result += [[flow.COLLECTED, parts[1], len(result) + 1], union]
                    continue
            elif form == LAMBDA:
                found = self.lambdas.get(parts[1])
                new = [flow.UNKNOWN] if found is None else [flow.DEFINITION, found]
            else:
                new = _moved(parts, moved)
            if form in _PLAIN or form == USE:
                # The first place of an attribute or item is its place.
                means = new[:3] if form in _PLACED else new
                key = (unit if is_late else -1, *means)
                known = numbers.get(key)
                if known is not None:
                    moved.append(known)
                    continue
                numbers[key] = len(result)
            if is_late:
                late.append((unit, new))
            moved.append(len(result))
            result.append(new)

    def _reached(self, use: Use) -> str | tuple[int, ...] | list[int]:
        """The bindings that a use may see; the name itself when this file does not bind it; none when too many."""
        name = use.name
        scope: Scope | None = use.scope
        if "[" in name:
            return use.reaching
        if name in use.scope.globals:
            scope = self.module
        elif name in use.scope.nonlocals:
            scope = use.scope.parent
        elif name in use.scope.all and use.reaching:
            return use.reaching if len(use.reaching) <= MAX_BINDINGS else ()
        elif use.scope.kind == "class" and name in use.scope.all:
            scope = self.module  # a name of a class body that is not bound yet is looked up globally
        while scope is not None and scope is not self.module:
            if name in scope.all and (scope.kind != "class" or scope is use.scope):
                return scope.all[name] if len(scope.all[name]) <= MAX_BINDINGS else ()
            scope = scope.parent
        bound = list(self.module.now.get(name, ())) + self.outside.get(name, [])
        if not bound:
            bound = self.module.all.get(name, [])
        return (bound if len(bound) <= MAX_BINDINGS else ()) if bound else name


def _moved(parts: list[int], moved: list[int]) -> list[int]:
    """A node with its operands where they went."""
    form = parts[0]
    if form in (
        flow.ATTRIBUTE,
        flow.ITEM,
        flow.SLICE,
        flow.UNPACKED,
        flow.ELEMENT,
        flow.ENTERED,
        flow.RAISED,
    ):
        return [form, moved[parts[1]], *parts[2:]]
    if form == flow.CALL:
        count = parts[3]
        new = [form, parts[1], moved[parts[2]], count, *(moved[node] for node in parts[4 : 4 + count])]
        for at in range(4 + count, len(parts), 2):
            new += (parts[at], moved[parts[at + 1]])
        return new
    if form in (flow.ITEM_BY, flow.NAMED_BY, flow.NARROWED):
        return [form, moved[parts[1]], moved[parts[2]], *parts[3:]]
    if form in (flow.UNION, flow.INSTANCE, flow.SOME_INSTANCE, flow.TYPE_OF, flow.RETURN, flow.YIELD,
                flow.YIELD_FROM):  # fmt: skip
        return [form, *(moved[node] for node in parts[1:])]
    if form == flow.SEQUENCE:
        return [form, parts[1], *(moved[node] if node >= 0 else -1 - moved[-1 - node] for node in parts[2:])]
    if form == flow.MAPPING:
        return [form, *(moved[part] if at % 2 else part for at, part in enumerate(parts[1:]))]
    if form == flow.SUPER:
        return [form, parts[1], *(moved[node] if node >= 0 else -1 for node in parts[2:])]
    if form == flow.DECORATED:
        return [form, parts[1], moved[parts[2]], moved[parts[3]]]
    if form == flow.OPERATION:
        return [form, parts[1], parts[2], *(moved[node] if node >= 0 else -1 for node in parts[3:])]
    if form in (flow.STORE_ATTRIBUTE, flow.STORE_ITEM):
        return [form, moved[parts[1]], parts[2], moved[parts[3]], parts[4]]
    if form == flow.STORE_ITEM_BY:
        return [form, moved[parts[1]], moved[parts[2]], moved[parts[3]], parts[4]]
    return list(parts)
