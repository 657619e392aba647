"""A property test for hypothesis from the values that recorded calls took: more inputs of the same kinds and bounds.

It says that with values like those seen the function returns one of the types that it returned, and raises nothing.
Where it does raise, hypothesis has found a call that nobody recorded.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from typing import Any

from tracelens.fix.evidence import Function
from tracelens.replay.rerun import RecordedCall
from tracelens.testgen.literals import Unwritable
from tracelens.testgen.render import snake_scope
from tracelens_indexer.store.answers import UnitRecord

_FEW = 5
"""Texts that are chosen from instead of made up, when each was seen more than once on average."""
_SHORT = 24
_MOST = 20
"""Items of a container at most."""
_BUILT_IN = frozenset(["bool", "int", "float", "str", "bytes", "list", "tuple", "dict", "set", "frozenset"])


def property_test(unit: UnitRecord, node: Function, calls: Sequence[RecordedCall]) -> tuple[str, str]:
    """(a file with one test, the test's name). Raises Unwritable, with the reason for a person."""
    if "." in unit.scope or unit.module == "__main__":
        raise Unwritable(f"{unit.qualname} is no function of a module: there is no strategy for the object it needs")
    if node.args.vararg or node.args.kwarg:
        raise Unwritable("*args and **kwargs have no strategy")
    used = [one for one in calls if not one.outcome and not one.redacted]
    if not used:
        raise Unwritable("no call that returned was recorded with its values")
    given = [dict(one.arguments.get("arguments", ())) for one in used]
    every = [one.arg for one in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
    known = [name for name in every if all(name in one for one in given)]
    if not known:
        raise Unwritable("it takes no argument")
    made = {name: strategy([one[name] for one in given]) for name in known}
    # Behind one that is left out, the place says another parameter.
    in_place = next((at for at, name in enumerate(every) if name not in made), len(every))
    in_place = min(in_place, len(node.args.posonlyargs) + len(node.args.args))
    if any(one.arg in made for one in node.args.posonlyargs[in_place:]):
        raise Unwritable(f"{every[in_place]} was not recorded, and cannot be left out before others")
    names = _names(known, unit.scope)
    passed = ", ".join(names[n] if n in every[:in_place] else f"{n}={names[n]}" for n in known)
    call = f"{unit.scope}({passed})"
    imports = ["from hypothesis import given", "from hypothesis import strategies as st", ""]
    if isinstance(node, ast.AsyncFunctionDef):
        call, imports = f"asyncio.run({call})", ["import asyncio", "", *imports]
    elif any(isinstance(one, ast.Yield | ast.YieldFrom) for one in ast.walk(node)):
        call = f"list({call})"
    name = f"test_{snake_scope(unit.scope)}_with_values_like_those_seen"
    lines = [
        f'"""Values like those that recorded calls of {unit.qualname} took."""',
        "",
        *imports,
        f"from {unit.module} import {unit.scope}",
        "",
        "",
        "@given(",
        *(f"    {names[parameter]}={text}," for parameter, text in made.items()),
        ")",
        f"def {name}({', '.join(names.values())}):",
        *(f"    {line}" for line in _check(call, {one.result[0] for one in used if one.result})),
        "",
    ]
    return "\n".join(lines), name


def _names(parameters: Sequence[str], function: str) -> dict[str, str]:
    """Of the test's own parameters, none of which hides what the test uses."""
    used = {function, "asyncio", "isinstance", *_BUILT_IN}
    found: dict[str, str] = {}
    for one in parameters:
        name = one
        while name in used or (name != one and name in parameters):
            name += "_"
        found[one] = name
    return found


def _check(call: str, types: set[str]) -> list[str]:
    plain = sorted(types - {"NoneType"})
    if not types or "list(" in call or not set(plain) <= _BUILT_IN:
        return [call]
    kinds = plain[0] if len(plain) == 1 else f"({', '.join(plain)})"
    wanted = f"isinstance(result, {kinds})" if plain else "result is None"
    if plain and "NoneType" in types:
        wanted = f"result is None or {wanted}"
    return [f"result = {call}", f"assert {wanted}"]


def strategy(values: Sequence[Any]) -> str:
    """As source, for values in the encoding of tracelens_recorder.replayable. Raises Unwritable."""
    kinds: dict[str, list[Any]] = {}
    for one in values:
        kinds.setdefault(_kind(one), []).append(one)
    # What is simplest stands first: hypothesis shrinks towards it.
    order = sorted(kinds, key=lambda kind: (kind != "none", kind))
    return " | ".join(_of_kind(kind, kinds[kind]) for kind in order)


def _kind(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return str(value[0])
    return type(value).__name__


def _of_kind(kind: str, values: list[Any]) -> str:
    match kind:
        case "none":
            return "st.none()"
        case "bool":
            return "st.booleans()"
        case "int":
            numbers = [int(one[1], 16) if isinstance(one, list) else one for one in values]
            return f"st.integers({min(numbers)}, {max(numbers)})"
        case "float":
            real = [float(one[1]) if isinstance(one, list) else one for one in values]
            finite = [one for one in real if math.isfinite(one)]
            if not finite:
                return "st.floats()"
            odd = "" if len(finite) == len(real) else " | st.sampled_from([float('nan'), float('inf'), float('-inf')])"
            return f"st.floats({min(finite)!r}, {max(finite)!r}){odd}"
        case "str":
            distinct = sorted(set(values))
            if len(distinct) <= _FEW and len(values) >= 2 * len(distinct) and max(map(len, distinct)) <= _SHORT:
                return f"st.sampled_from({distinct!r})"
            return f"st.text(max_size={max(map(len, distinct))})"
        case "bytes":
            return f"st.binary(max_size={max(len(str(one[1])) * 3 // 4 for one in values)})"
        case "list" | "set" | "frozenset":
            makes = {"list": "st.lists", "set": "st.sets", "frozenset": "st.frozensets"}[kind]
            items = [item for one in values for item in one[1]]
            inner = strategy(items) if items else "st.nothing()"
            return f"{makes}({inner}, max_size={min(_MOST, max(len(one[1]) for one in values))})"
        case "tuple":
            sizes = {len(one[1]) for one in values}
            if len(sizes) == 1:
                columns = zip(*(one[1] for one in values), strict=True)
                return f"st.tuples({', '.join(strategy(column) for column in columns)})"
            items = [item for one in values for item in one[1]]
            return f"st.lists({strategy(items)}, max_size={min(_MOST, max(sizes))}).map(tuple)"
        case "dict":
            return _dictionary([one[1] for one in values])
    raise Unwritable(f"there is no strategy for a value of the kind {kind}")


def _dictionary(values: list[list[list[Any]]]) -> str:
    keys = [tuple(key for key, _ in one) for one in values]
    if keys[0] and len(set(map(frozenset, keys))) == 1 and all(isinstance(key, str) for key in keys[0]):
        found = [dict(map(tuple, one)) for one in values]
        inner = ", ".join(f"{key!r}: {strategy([one[key] for one in found])}" for key in keys[0])
        return f"st.fixed_dictionaries({{{inner}}})"
    pairs = [pair for one in values for pair in one]
    if not pairs:
        return "st.just({})"
    parts = strategy([key for key, _ in pairs]), strategy([value for _, value in pairs])
    return f"st.dictionaries({', '.join(parts)}, max_size={min(_MOST, max(map(len, values)))})"
