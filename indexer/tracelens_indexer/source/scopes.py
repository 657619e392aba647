"""Scopes while a file is being lowered: which bindings a name has, and which of them reach each use.

Bindings are followed in source order. A *region* is code that may not run (a branch, a loop, an except clause): after
it, a name has the bindings that it had before and those that it got inside. In a loop, what is bound further down
reaches uses further up.
"""

from __future__ import annotations

from typing import Literal

from tracelens_indexer.source import flow
from tracelens_indexer.source.flow import Binding, Expression

ScopeKind = Literal["module", "class", "function", "comprehension"]

MAX_BINDINGS = 32
"""Bindings of one name that are followed; beyond, the name is opaque."""
MAX_LOOPS = 16
"""Loops within loops in which uses are revisited."""

Names = dict[str, tuple[int, ...]]


class Scope:
    """One namespace. `unit` is the index of the unit that owns it."""

    __slots__ = ("all", "globals", "kind", "nonlocals", "now", "parent", "regions", "unit")

    def __init__(self, unit: int, kind: ScopeKind, parent: Scope | None) -> None:
        self.unit = unit
        self.kind = kind
        self.parent = parent
        self.now: Names = {}
        """The bindings that reach the place which is being lowered."""
        self.all: dict[str, list[int]] = {}
        self.regions: list[Names] = []
        """For each open region: what names that it has bound had before it."""
        self.globals: set[str] = set()
        self.nonlocals: set[str] = set()


class Use:
    """One mention of a name, and the bindings that reach it so far."""

    __slots__ = ("name", "reaching", "scope")

    def __init__(self, scope: Scope, name: str, reaching: tuple[int, ...]) -> None:
        self.scope = scope
        self.name = name
        self.reaching = reaching


class FlowBuilder:
    """Collects the flow facts of one file; `finish` resolves names and yields them."""

    def __init__(self) -> None:
        self.module = Scope(0, "module", None)
        self.bindings: list[Binding] = []
        self.expressions: list[Expression] = []
        self._numbers: dict[tuple[int | str, ...], int] = {}
        self.expression(flow.UNKNOWN)
        self.uses: list[Use] = []
        self._loops: list[tuple[Scope, int, dict[str, list[int]]]] = []
        self.classes: dict[int, Scope] = {}
        self.outside: dict[str, list[int]] = {}
        """Module-level names that functions bind with `global`."""
        self.bases: dict[int, list[int]] = {}
        self.decorators: dict[int, list[tuple[int, int, int, int]]] = {}
        self.annotations: dict[int, list[int]] = {}
        self.returns: dict[int, list[int]] = {}
        self.results: dict[int, int] = {}
        self.stores: list[tuple[int, str, int]] = []
        self.stars: list[tuple[int, str]] = []
        self.public: list[str] | None = None
        self.public_open = False
        self.callees: list[int] = []
        self.lambdas: dict[int, int] = {}
        """Start byte of each lambda to its unit: expressions name lambdas before they are units."""

    # Expressions

    def expression(self, *parts: int | str) -> int:
        """The index of an expression; equal ones are one."""
        found = self._numbers.get(parts)
        if found is None:
            found = self._numbers[parts] = len(self.expressions)
            self.expressions.append(list(parts))
        return found

    def name(self, scope: Scope, name: str) -> int:
        """The expression of a name that is used here."""
        number = len(self.uses)
        self.uses.append(Use(scope, name, scope.now.get(name, ())))
        self.expressions.append([flow.NAME, number])
        return len(self.expressions) - 1

    # Bindings

    def bind(self, scope: Scope, name: str, *binding: int | str) -> int:
        number = len(self.bindings)
        self.bindings.append(list(binding))
        if name in scope.globals:
            self.outside.setdefault(name, []).append(number)
            return number
        if name in scope.nonlocals:
            owner = scope.parent
            while owner is not None and not (owner.kind == "function" and name in owner.all):
                owner = owner.parent
            if owner is not None:
                owner.all[name].append(number)
                return number
        if scope.regions:
            scope.regions[-1].setdefault(name, scope.now.get(name, ()))
        scope.now[name] = (number,)
        scope.all.setdefault(name, []).append(number)
        for owner, _, bound in self._loops[-MAX_LOOPS:]:
            if owner is scope:
                bound.setdefault(name, []).append(number)
        return number

    def enter_region(self, scope: Scope) -> None:
        scope.regions.append({})

    def leave_region(self, scope: Scope, *, ends: bool = False) -> None:
        """`ends`: the region returns or raises, so nothing that it bound is seen after it."""
        before = scope.regions.pop()
        outer = scope.regions[-1] if scope.regions else None
        for name, had in before.items():
            if ends:
                scope.now[name] = had
            else:
                scope.now[name] = _merge(had, scope.now[name])
            if outer is not None:
                outer.setdefault(name, had)

    def enter_loop(self, scope: Scope) -> None:
        self.enter_region(scope)
        self._loops.append((scope, len(self.uses), {}))

    def leave_loop(self, scope: Scope) -> None:
        _, first, bound = self._loops.pop()
        if bound and len(self._loops) < MAX_LOOPS:
            for use in self.uses[first:]:
                if use.scope is scope and use.name in bound and use.reaching:
                    use.reaching = _merge(use.reaching, tuple(bound[use.name]))
        self.leave_region(scope)

    # The end

    def finish(self) -> flow.Flow:
        expressions, moved = self._resolve()

        def many(numbers: list[int]) -> list[int]:
            return [moved[number] for number in numbers]

        bindings: list[Binding] = [
            [flow.VALUE, moved[int(binding[1])]] if binding[0] == flow.VALUE else binding for binding in self.bindings
        ]
        exports = {name: list(numbers) for name, numbers in self.module.now.items()}
        for name, numbers in self.outside.items():
            exports[name] = (exports.get(name, []) + numbers)[: MAX_BINDINGS + 1]
        return flow.Flow(
            expressions=expressions,
            bindings=bindings,
            exports=exports,
            members={
                unit: {name: list(numbers) for name, numbers in scope.now.items()}
                for unit, scope in self.classes.items()
                if scope.now
            },
            bases={unit: many(numbers) for unit, numbers in self.bases.items() if numbers},
            decorators={
                unit: [(moved[number], *where) for number, *where in found]  # type: ignore[misc]
                for unit, found in self.decorators.items()
            },
            annotations={unit: many(numbers) for unit, numbers in self.annotations.items() if any(numbers)},
            returns={unit: sorted(set(many(numbers)) - {0}) for unit, numbers in self.returns.items()},
            results={unit: moved[number] for unit, number in self.results.items()},
            stores=[(moved[target], name, moved[value]) for target, name, value in self.stores],
            stars=self.stars,
            public=self.public,
            public_open=self.public_open,
            callees=many(self.callees),
        )

    def _resolve(self) -> tuple[list[Expression], list[int]]:
        """Expressions with their names resolved, without duplicates, and where each one went."""
        result: list[Expression] = []
        numbers: dict[tuple[int | str, ...], int] = {}
        moved: list[int] = []
        for expression in self.expressions:
            form = expression[0]
            if form == flow.NAME:
                parts: tuple[int | str, ...] = self._resolved_name(self.uses[int(expression[1])])
            elif form in (flow.ATTRIBUTE,):
                parts = (form, moved[int(expression[1])], expression[2])
            elif form in (flow.CALL, flow.INSTANCE, flow.TYPE_OF, flow.SUBSCRIPT, flow.HINTED, flow.UNION):
                parts = (form, *(moved[int(operand)] for operand in expression[1:]))
            elif form == flow.SUPER:
                parts = (form, expression[1], moved[int(expression[2])])
            elif form == flow.UNIT:
                unit = self.lambdas.get(int(expression[1]))
                parts = (flow.UNKNOWN,) if unit is None else (form, unit)
            else:
                parts = tuple(expression)
            found = numbers.get(parts)
            if found is None:
                found = numbers[parts] = len(result)
                result.append(list(parts))
            moved.append(found)
        return result, moved

    def _resolved_name(self, use: Use) -> tuple[int | str, ...]:
        name = use.name
        scope: Scope | None = use.scope
        if name in use.scope.globals:
            scope = self.module
        elif name in use.scope.nonlocals:
            scope = use.scope.parent
        elif name in use.scope.all and use.reaching:
            bound = list(use.reaching)
            return (flow.NAME, *bound) if len(bound) <= MAX_BINDINGS else (flow.UNKNOWN,)
        elif use.scope.kind == "class" and name in use.scope.all:
            scope = self.module  # a name of a class body that is not bound yet is looked up globally
        while scope is not None and scope is not self.module:
            if name in scope.all and (scope.kind != "class" or scope is use.scope):
                bound = scope.all[name]
                return (flow.NAME, *bound) if len(bound) <= MAX_BINDINGS else (flow.UNKNOWN,)
            scope = scope.parent
        bound = list(self.module.now.get(name, ())) + self.outside.get(name, [])
        if not bound:
            return (flow.GLOBAL, name)
        return (flow.NAME, *bound) if len(bound) <= MAX_BINDINGS else (flow.UNKNOWN,)


def _merge(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    if not first or first == second:
        return second
    merged = first + tuple(number for number in second if number not in first)
    return merged[: MAX_BINDINGS + 1]
