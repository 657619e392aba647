"""Evaluation of flow facts over all files, on demand and remembered.

It is monotone: where an expression needs itself (`x = x.next`), what is known so far is used and the outermost such
expression is evaluated again until nothing is added. Depth, work and the size of sets are bounded; what a bound cuts
off is unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracelens_indexer.graph import mro
from tracelens_indexer.graph.program import Program
from tracelens_indexer.graph.values import (
    BUILT,
    BUILTIN,
    BUILTIN_NAMES,
    BUILTIN_RESULT,
    BUILTIN_TYPES,
    CLASS,
    CLOSED_TYPES,
    DYNAMIC,
    DYNAMIC_ATTRIBUTE,
    EXTERNAL,
    FUNCTION,
    INSTANCE,
    MAX_VALUES,
    NOT_FOUND,
    NOTHING,
    PARAMETER_VALUE,
    PLACE,
    RETURNS_BUILT,
    SUPER,
    TOO_DEEP,
    TOO_MANY,
    UNKNOWN,
    Value,
    Values,
    order,
    union,
)
from tracelens_indexer.source import flow

MAX_DEPTH = 70
MAX_ROUNDS = 6
MAX_WORK = 20_000
"""Evaluations for one call site."""
MAX_MRO = 200

_PROPERTY_DECORATORS = ("property", "cached_property", "functools.cached_property", "abc.abstractproperty")
_CLASS_METHODS = frozenset(("__new__", "__init_subclass__", "__class_getitem__"))


@dataclass(frozen=True, slots=True)
class Targets:
    """What a callee's values mean for its call site."""

    units: tuple[tuple[int, bool], ...]
    """(unit, whether only likely), by number."""
    external: str
    """Why it is external, or ""."""
    reason: str
    """Why it is not resolved, or ""."""


class _Frame:
    """An expression that is being evaluated, and its values so far."""

    __slots__ = ("depth", "values")

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.values: Values = NOTHING


class Evaluator:
    """Evaluates the expressions of a `Program`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._memo: list[dict[int, Values]] = [{} for _ in program.files]
        self._active: dict[tuple[int, int], _Frame] = {}
        self._depth = 0
        self._lowest = 1 << 30
        self._work = 0
        self._mro: dict[int, tuple[int | str, ...]] = {}
        self._direct: dict[int, list[int | str]] = {}
        """The bases of each class, found or (while empty) being found."""
        self._exported: dict[tuple[int, str], Values] = {}
        self._exporting: set[tuple[int, str]] = set()
        self._attributes: dict[int, dict[str, list[tuple[int, int]]]] = {}
        self._stores()
        for unit, described in enumerate(program.units):
            # First of all, while nothing is half known and everything is in reach.
            if described.kind == "class":
                self.mro(unit)

    # Call sites

    def targets(self, file: int, callee: int) -> Targets:
        """What calling an expression of a file means."""
        self._work = 0
        self._lowest = 1 << 30
        values = self.value(file, callee)
        units: dict[int, bool] = {}
        external = reason = ""
        for form, payload, likely in sorted(values, key=order):
            found = self._called_units(form, payload)
            for unit in found:
                units[unit] = units.get(unit, True) and likely
            if found:
                continue
            if form in (EXTERNAL, BUILTIN, BUILT):
                external = external or (str(payload) if form == EXTERNAL else "builtin")
            elif form == INSTANCE:
                why = self._opaque_base(int(payload))
                external, reason = external or why, reason or ("" if why else "dynamic value")
            elif form == UNKNOWN:
                reason = reason or str(payload)
            else:
                reason = reason or "not callable"
        if not values:
            reason = "dynamic value"
        if units and len({value[:2] for value in values}) > 1:
            units = dict.fromkeys(units, True)
        if len(units) > MAX_VALUES:
            return Targets((), "", "too many candidates")
        return Targets(tuple(sorted(units.items())), external, reason)

    def _called_units(self, form: int, payload: int | str) -> list[int]:
        if form == FUNCTION:
            return [int(payload)]
        if form == CLASS:
            return self._constructors(int(payload))
        if form == INSTANCE:
            return [int(v[1]) for v in self._class_attribute(int(payload), "__call__") if v[0] == FUNCTION]
        return []

    def _constructors(self, unit: int) -> list[int]:
        found: list[int] = []
        for name in ("__new__", "__init__"):
            for value in sorted(self._class_attribute(unit, name), key=order):
                if value[0] == FUNCTION:
                    found.append(int(value[1]))
        return found or [unit]

    # Expressions

    def value(self, file: int, expression: int) -> Values:
        """The values of an expression of a file."""
        memo = self._memo[file]
        known = memo.get(expression)
        if known is not None:
            return known
        key = (file, expression)
        active = self._active.get(key)
        if active is not None:
            self._lowest = min(self._lowest, active.depth)
            return active.values
        depth = self._depth
        self._work += 1
        if depth >= MAX_DEPTH:
            # Nothing that rests on this is remembered: from elsewhere it may be in reach.
            self._lowest = -1
            return TOO_DEEP
        if self._work > MAX_WORK:
            return TOO_DEEP
        outer_lowest = self._lowest
        frame = self._active[key] = _Frame(depth)
        self._depth = depth + 1
        lowest = 1 << 30
        try:
            for _ in range(MAX_ROUNDS):
                self._lowest = 1 << 30
                result = self._evaluate(file, expression)
                lowest = self._lowest
                if lowest != depth or result == frame.values:
                    break
                frame.values = result
        finally:
            self._depth = depth
            del self._active[key]
        if lowest >= depth:
            memo[expression] = result
            self._lowest = outer_lowest
        else:
            # It rests on an expression further out that is not settled yet.
            self._lowest = min(outer_lowest, lowest)
        return result

    def _evaluate(self, file: int, expression: int) -> Values:
        parts = self.program.files[file].flow.expressions[expression]
        form = parts[0]
        if form == flow.NAME:
            return self._bindings(file, parts[1:])
        if form == flow.ATTRIBUTE:
            return self._attribute_of(self.value(file, int(parts[1])), str(parts[2]))
        if form == flow.CALL:
            return self._results(self.value(file, int(parts[1])))
        if form == flow.GLOBAL:
            return self._global(file, str(parts[1]))
        if form == flow.LITERAL:
            return frozenset({(BUILT, str(parts[1]), False)})
        if form == flow.UNION:
            return union(self.value(file, int(part)) for part in parts[1:])
        if form == flow.SUPER:
            return self._super(file, int(parts[1]), int(parts[2]))
        if form == flow.INSTANCE:
            return self._instances(self.value(file, int(parts[1])), likely=True)
        if form == flow.UNIT:
            return frozenset({(FUNCTION, self.program.files[file].first_unit + int(parts[1]), False)})
        if form == flow.TYPE_OF:
            return self._types(self.value(file, int(parts[1])))
        if form == flow.SUBSCRIPT:
            return union(map(self._item, self.value(file, int(parts[1]))))
        if form == flow.NONE:
            return NOTHING
        if form == flow.HINTED:
            values = self.value(file, int(parts[1]))
            return values if any(v[0] != UNKNOWN for v in values) else self.value(file, int(parts[2])) or values
        return DYNAMIC

    def _bindings(self, file: int, numbers: Iterable[int | str]) -> Values:
        return union(self._binding(file, int(number)) for number in numbers)

    def _binding(self, file: int, number: int) -> Values:
        binding = self.program.files[file].flow.bindings[number]
        form = binding[0]
        if form == flow.DEFINITION:
            return self._definition(file, int(binding[1]))
        if form == flow.VALUE:
            return self.value(file, int(binding[1]))
        if form == flow.MEMBER:
            return self._member(file, int(binding[1]), str(binding[2]), str(binding[3]))
        if form == flow.MODULE:
            return self._module(file, 0, str(binding[1]))
        if form == flow.PARAMETER:
            return self._parameter(file, int(binding[1]), int(binding[2]))
        return DYNAMIC

    def _definition(self, file: int, unit: int) -> Values:
        number = self.program.files[file].first_unit + unit
        return frozenset(
            {(CLASS if self.program.units[number].kind == "class" else FUNCTION, number, self._replaced(file, unit))}
        )

    def _replaced(self, file: int, unit: int) -> bool:
        """Whether a decorator of the workspace may have put something else in a definition's place."""
        for expression, *_ in self.program.files[file].flow.decorators.get(unit, ()):
            parts = self.program.files[file].flow.expressions[expression]
            if parts[0] == flow.GLOBAL:
                continue
            if any(value[0] in (FUNCTION, CLASS, INSTANCE) for value in self.value(file, expression)):
                return True
        return False

    def _parameter(self, file: int, unit: int, position: int) -> Values:
        program = self.program
        number = program.files[file].first_unit + unit
        function = program.units[number]
        if position == 0 and function.kind == "method":
            if "staticmethod" in function.decorators and function.name != "__new__":
                pass
            elif "classmethod" in function.decorators or function.name in _CLASS_METHODS:
                return frozenset({(CLASS, program.parent(number), False)})
            else:
                return frozenset({(INSTANCE, program.parent(number), False)})
        declared = function.parameters[position].kind
        if declared in ("variadic", "keywords"):
            return frozenset({(BUILT, "tuple" if declared == "variadic" else "dict", False)})
        annotations = program.files[file].flow.annotations.get(unit)
        if annotations and annotations[position]:
            values = self.value(file, annotations[position])
            if values:
                return values
        return PARAMETER_VALUE

    # Modules

    def _module(self, file: int, level: int, name: str) -> Values:
        path = self.program.files[file].path
        if level:
            place = self.program.modules.relative(path, level, name)
            if place is None:
                return frozenset({(UNKNOWN, f"module {'.' * level}{name} not found", False)})
        else:
            place = self.program.modules.absolute(path, name)
            if place is None:
                return frozenset({(EXTERNAL, f"module {self._outside_name(path, name)}", False)})
        return frozenset({(PLACE, place, False)})

    def _outside_name(self, path: str, name: str) -> str:
        """The distribution-like part of an external name: its first, unless that part is of the workspace."""
        first = name.partition(".")[0]
        return first if self.program.modules.absolute(path, first) is None else name

    def _member(self, file: int, level: int, module: str, name: str) -> Values:
        if not level and module == "__future__":
            return frozenset({(EXTERNAL, "module __future__", False)})
        found: list[Values] = []
        for value in self._module(file, level, module):
            if value[0] != PLACE:
                found.append(frozenset({value}))
                continue
            place = str(value[1])
            number = self.program.numbers.get(place)
            if number == file and self.program.modules.submodule(place, name) is not None:
                # `from . import name` in the package's own __init__: the submodule.
                submodule = self.program.modules.submodule(place, name)
                found.append(frozenset({(PLACE, str(submodule), False)}))
            else:
                found.append(self._module_attribute(place, name))
        return union(found)

    def _module_attribute(self, place: str, name: str) -> Values:
        number = self.program.numbers.get(place)
        if number is not None:
            values = self._export(number, name)
            if values:
                return values
        submodule = self.program.modules.submodule(place, name)
        if submodule is not None:
            return frozenset({(PLACE, submodule, False)})
        if number is not None and "__getattr__" in self.program.files[number].flow.exports:
            return DYNAMIC_ATTRIBUTE
        return NOT_FOUND

    def _export(self, file: int, name: str) -> Values:
        """What a name of a module is worth to others; nothing when the module does not have it."""
        key = (file, name)
        known = self._exported.get(key)
        if known is not None:
            return known
        if key in self._exporting or self._depth >= MAX_DEPTH:
            # Modules that import a name from each other in a circle do not define it.
            self._lowest = -1
            return NOTHING if key in self._exporting else TOO_DEEP
        self._exporting.add(key)
        self._depth += 1
        outer, self._lowest = self._lowest, 1 << 30
        try:
            bindings = self.program.files[file].flow.exports.get(name)
            if bindings:
                values = self._bindings(file, bindings) if len(bindings) <= MAX_VALUES else TOO_MANY
            else:
                values = self._from_stars(file, name)
        finally:
            self._exporting.discard(key)
            self._depth -= 1
        if self._lowest == 1 << 30:
            self._exported[key] = values
        self._lowest = min(outer, self._lowest)
        return values

    def _from_stars(self, file: int, name: str) -> Values:
        """A name that only `from module import *` can have brought; later imports win."""
        outside = NOTHING
        for level, module in reversed(self.program.files[file].flow.stars):
            for value in self._module(file, level, module):
                if value[0] != PLACE:
                    outside = outside or frozenset({value})
                    continue
                number = self.program.numbers.get(str(value[1]))
                if number is None or number == file or not self._publishes(number, name):
                    continue
                values = self._export(number, name)
                if values:
                    return values
        return outside

    def _publishes(self, file: int, name: str) -> bool:
        facts = self.program.files[file].flow
        if facts.public is not None and not facts.public_open:
            return name in facts.public
        return not name.startswith("_") or (facts.public is not None and name in facts.public)

    def _global(self, file: int, name: str) -> Values:
        values = self._from_stars(file, name) if self.program.files[file].flow.stars else NOTHING
        if values and (name not in BUILTIN_NAMES or all(v[0] not in (EXTERNAL, UNKNOWN) for v in values)):
            return values
        if name in BUILTIN_NAMES:
            return frozenset({(BUILTIN, name, False)})
        if name == "__class__":
            return DYNAMIC
        return frozenset({(UNKNOWN, "unknown name", False)})

    # Attributes

    def _attribute_of(self, values: Values, name: str) -> Values:
        return union(self._attribute(value, name) for value in values) if values else NOTHING

    def _attribute(self, value: Value, name: str) -> Values:
        form, payload, likely = value
        if form == INSTANCE:
            found = self._instance_attribute(int(payload), name)
        elif form == CLASS:
            found = self._class_attribute(int(payload), name, of_class=True)
        elif form == PLACE:
            found = self._module_attribute(str(payload), name)
        elif form == SUPER:
            found = self._super_attribute(int(payload), name)
        elif form in (EXTERNAL, BUILTIN):
            return frozenset({(EXTERNAL, payload if form == EXTERNAL else "builtin", likely)})
        elif form == BUILT:
            return BUILTIN_RESULT if payload in CLOSED_TYPES else frozenset({(BUILTIN, f"{payload}.{name}", likely)})
        elif form == FUNCTION:
            return BUILTIN_RESULT if name.startswith("__") else DYNAMIC_ATTRIBUTE
        else:
            return DYNAMIC_ATTRIBUTE
        return frozenset((f, p, True) for f, p, _ in found) if likely else found

    def _instance_attribute(self, unit: int, name: str) -> Values:
        stored: list[Values] = []
        for base in self.mro(unit):
            if isinstance(base, int):
                for file, expression in self._attributes.get(base, {}).get(name, ()):
                    stored.append(self.value(file, expression))
        if not stored:
            return self._class_attribute(unit, name)
        in_class = self._class_attribute(unit, name)
        if all(value[0] in (UNKNOWN, EXTERNAL) for value in in_class):
            return union(stored)
        return union([*stored, in_class])

    def _class_attribute(self, unit: int, name: str, *, of_class: bool = False) -> Values:
        return self._along(unit, self.mro(unit), name, of_class=of_class)

    def _super_attribute(self, unit: int, name: str) -> Values:
        return self._along(unit, self.mro(unit)[1:], name, of_class=False)

    def _along(self, unit: int, classes: tuple[int | str, ...], name: str, *, of_class: bool) -> Values:
        """The first class along an MRO that has the name decides; a base outside the workspace may have it."""
        outside = ""
        for base in classes:
            if isinstance(base, str):
                outside = outside or base
                continue
            file = self.program.file_of[base]
            owner = self.program.files[file]
            bindings = owner.flow.members.get(base - owner.first_unit, {}).get(name)
            if not bindings:
                continue
            values = self._bindings(file, bindings)
            if not of_class:
                values = self._bound(values)
            elif any(one == "module enum" for one in classes if isinstance(one, str)):
                values = union(
                    frozenset({(INSTANCE, unit, False)}) if v[0] in (BUILT, EXTERNAL) else frozenset({v})
                    for v in values
                )
            return values
        if outside:
            known = outside != "dynamic base"
            return frozenset({(EXTERNAL, outside, False)}) if known else frozenset({(UNKNOWN, "dynamic base", False)})
        if hasattr(object, name) or (of_class and hasattr(type, name)):
            return BUILTIN_RESULT
        return NOT_FOUND

    def _bound(self, values: Values) -> Values:
        """What functions of a class become on its instances: a property is what it returns."""
        result: list[Values] = []
        for value in values:
            if value[0] == FUNCTION:
                decorators = self.program.units[int(value[1])].decorators
                if any(one in _PROPERTY_DECORATORS or one.endswith((".setter", ".getter")) for one in decorators):
                    result.append(self._results(frozenset({value})))
                    continue
            result.append(frozenset({value}))
        return union(result)

    def _opaque_base(self, unit: int) -> str:
        """Why something a class does not have may be in a base outside the workspace; "" when it has none."""
        return next((one for one in self.mro(unit) if isinstance(one, str) and one != "dynamic base"), "")

    def _stores(self) -> None:
        """Values that methods store on `self` and `cls`, by class and attribute."""
        for number, file in enumerate(self.program.files):
            for target, name, value in file.flow.stores:
                parts = file.flow.expressions[target]
                if parts[0] != flow.NAME or len(parts) != 2:
                    continue
                binding = file.flow.bindings[int(parts[1])]
                if binding[0] != flow.PARAMETER or binding[2] != 0:
                    continue
                method = file.facts.units[int(binding[1])]
                if method.kind != "method" or "staticmethod" in method.decorators:
                    continue
                owner = self._attributes.setdefault(file.first_unit + method.parent, {})
                stored = owner.setdefault(name, [])
                if len(stored) < MAX_VALUES:
                    stored.append((number, value))

    # Classes

    def mro(self, unit: int) -> tuple[int | str, ...]:
        """Python's order of a class's bases (C3), itself first. Bases outside the workspace are reasons, not units."""
        # With a stack of its own: hierarchies may be deeper than Python's.
        pending = [unit]
        while pending:
            current = pending[-1]
            if current in self._mro:
                pending.pop()
                continue
            bases = self._direct.get(current)
            if bases is None:
                # A class that is met again while its bases are being found inherits from itself: it is cut there.
                self._direct[current] = []
                bases = self._direct[current] = self._bases(current)
                open_ = [base for base in bases if isinstance(base, int) and base not in self._mro]
                open_ = [base for base in open_ if base not in self._direct]
                if open_:
                    pending += open_
                    continue
            orders = [self._mro.get(base, (base,)) if isinstance(base, int) else (base,) for base in bases]
            merged = [one for one in mro.merge(orders, bases) if one != current]
            self._mro[current] = (current, *merged)[:MAX_MRO]
            pending.pop()
        return self._mro[unit]

    def _bases(self, unit: int) -> list[int | str]:
        file = self.program.file_of[unit]
        owner = self.program.files[file]
        direct: list[int | str] = []
        for expression in owner.flow.bases.get(unit - owner.first_unit, ()):
            direct += [base for base in self._base(file, expression) if base != unit and base not in direct]
        return direct

    def _base(self, file: int, expression: int) -> list[int | str]:
        # Bases are evaluated apart from what is being evaluated now, so that an MRO never rests on half a result.
        active, self._active = self._active, {}
        lowest = self._lowest
        try:
            values = self.value(file, expression)
        finally:
            self._active, self._lowest = active, lowest
        result: list[int | str] = []
        for form, payload, _ in sorted(values, key=order):
            if form == CLASS:
                result.append(int(payload))
            elif form == EXTERNAL:
                result.append(str(payload))
            elif form == BUILTIN:
                result += ["builtin"] if payload != "object" else []
            else:
                result.append("dynamic base")
        return result

    def _super(self, file: int, unit: int, explicit: int) -> Values:
        if explicit:
            classes = [v for v in self.value(file, explicit) if v[0] == CLASS]
            if classes:
                return frozenset((SUPER, payload, likely) for _, payload, likely in classes)
        if unit < 0:
            return DYNAMIC
        return frozenset({(SUPER, self.program.files[file].first_unit + unit, False)})

    # Calls

    def _results(self, values: Values) -> Values:
        return union(map(self._result, values)) if values else NOTHING

    def _result(self, value: Value) -> Values:
        form, payload, likely = value
        if form == FUNCTION:
            found = self._returned(int(payload))
        elif form == CLASS:
            found = frozenset({(INSTANCE, payload, likely)})
        elif form == INSTANCE:
            methods = [v for v in self._class_attribute(int(payload), "__call__") if v[0] == FUNCTION]
            found = union(self._returned(int(v[1])) for v in methods) if methods else DYNAMIC
        elif form == EXTERNAL:
            return frozenset({value})
        elif form == BUILTIN:
            return self._builtin_result(str(payload), likely)
        else:
            return DYNAMIC
        return frozenset((f, p, True) for f, p, _ in found) if likely else found

    def _builtin_result(self, name: str, likely: bool) -> Values:
        if name in BUILTIN_TYPES:
            return frozenset({(BUILT, name, likely)})
        built = RETURNS_BUILT.get(name)
        return frozenset({(BUILT, built, likely)}) if built else DYNAMIC

    def _returned(self, unit: int) -> Values:
        """What calling a function gives: what it returns, or what it says that it returns."""
        function = self.program.units[unit]
        file = self.program.file_of[unit]
        facts = self.program.files[file]
        index = unit - facts.first_unit
        if function.is_generator:
            return frozenset({(BUILT, "generator", False)})
        found = union(self.value(file, expression) for expression in facts.flow.returns.get(index, ()))
        known = frozenset(value for value in found if value[0] != UNKNOWN)
        if known:
            return found
        declared = facts.flow.results.get(index)
        if declared:
            values = self.value(file, declared)
            if any(value[0] != UNKNOWN for value in values):
                return values
        return found or DYNAMIC

    def _instances(self, values: Values, *, likely: bool) -> Values:
        result: set[Value] = set()
        for form, payload, _ in values:
            if form == CLASS:
                result.add((INSTANCE, payload, likely))
            elif form == BUILTIN and payload in BUILTIN_TYPES:
                if payload != "object":
                    result.add((BUILT, payload, likely))
            elif form == EXTERNAL:
                # typing's names say nothing of what the value is.
                unsaid = payload in ("module typing", "module typing_extensions")
                result.add((UNKNOWN, "parameter", False) if unsaid else (EXTERNAL, payload, likely))
            elif form == UNKNOWN:
                result.add((form, payload, likely))
        return frozenset(result)

    def _types(self, values: Values) -> Values:
        result: set[Value] = set()
        for form, payload, likely in values:
            if form == INSTANCE:
                result.add((CLASS, payload, likely))
            elif form == BUILT:
                result.add((BUILTIN, payload, likely))
            elif form in (EXTERNAL, UNKNOWN):
                result.add((form, payload, likely))
            else:
                result.add((UNKNOWN, "dynamic value", likely))
        return frozenset(result)

    def _item(self, value: Value) -> Values:
        if value[0] in (CLASS, EXTERNAL):
            return frozenset({value})  # Generic[T] is the class; what an external object holds is external
        return DYNAMIC
