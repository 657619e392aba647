"""One recorded call as one test case: how it is called, what it gave, what it took from outside."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracelens.fix.evidence import Function
from tracelens.fix.patch import Source
from tracelens.replay.rerun import Outcome, RecordedCall
from tracelens.testgen import chance
from tracelens.testgen.literals import Group, Text, Unwritable, Writer, class_node, is_dataclass, laid_out
from tracelens_indexer.store.answers import UnitRecord

_LONGEST_CASE = 60
"""Lines; more is not readable."""


@dataclass(frozen=True, slots=True)
class Case:
    """A test that can be written."""

    id: str
    """Of the recorded call: "c:1f3"."""
    target: str
    """What is called, as it is written: "apply_discount", "Order.from_record"; "" when it is a method."""
    arguments: tuple[tuple[str, Text], ...]
    """(parameter, value); the object whose method is called is not among them."""
    receiver: Text | None
    shape: str
    """How the call stands: "{}", "list({})", "asyncio.run({})", "vars({})"."""
    keywords: frozenset[str]
    """Parameters that are passed by name."""
    expected: Text | None
    raises: tuple[str, str] | None
    """(exception as it is written, message)"""
    after: tuple[tuple[str, Text], ...]
    """Arguments that the call changed, and what they are then."""
    stubs: tuple[str, ...]
    """Lines that put what was recorded in the place of what it takes from outside."""
    imports: frozenset[tuple[str, str]]
    helper: bool
    attribute: bool = False
    """A property: read, not called."""

    @property
    def plain(self) -> bool:
        """Whether it fits into a row of a table."""
        return not (self.stubs or self.after or self.receiver is not None or self.raises or self.expected is None)


def case_of(root: Path, source: Source, unit: UnitRecord, node: Function, call: RecordedCall, outcome: Outcome) -> Case:
    """Raises Unwritable, with the reason for a person."""
    if unit.module == "__main__" or "<locals>" in unit.scope:
        raise Unwritable(f"{unit.qualname} cannot be imported")
    writer = Writer(root, call.arguments.get("classes", ()))
    given = dict(call.arguments.get("arguments", ()))
    decorators = {ast.unparse(one).rpartition(".")[2] for one in node.decorator_list}
    owner = unit.scope.rpartition(".")[0]
    first = next(iter(_positional(node)), "")
    receiver: Text | None = None
    target = unit.scope
    if owner and "staticmethod" not in decorators:
        if "classmethod" in decorators:
            given.pop(first, None)
        elif first in given:
            receiver = writer.value(given.pop(first))
            target = unit.name
    if unit.name.startswith("__") and unit.name.endswith("__"):
        raise Unwritable("special methods are called by Python, not by name")
    values = {name: value for name, value in given.items() if not _is_default(node, name, value)}
    arguments, keywords = _arguments(node, values, writer)
    imports = writer.imports
    imports.add((unit.module, unit.scope.partition(".")[0])) if receiver is None else None
    shape, expected, raises = "{}", None, None
    if isinstance(node, ast.AsyncFunctionDef):
        if outcome.items:
            raise Unwritable("asynchronous generators are not written yet")
        imports.add(("asyncio", ""))
        shape = "asyncio.run({})"
    elif outcome.items:
        shape = "list({})"
    if outcome.kind == "raised":
        raises = (_exception(outcome.type, imports), outcome.message)
    elif outcome.kind == "returned":
        shape, expected = _expected(root, outcome, shape, imports, writer)
    else:
        raise Unwritable(outcome.why or outcome.kind)
    after = _after(root, outcome, call, imports, writer) if outcome.kind == "returned" else ()
    stubs = _stubs(root, source, unit, node, call, imports)
    made = Case(
        call.id, target, tuple(arguments), receiver, shape, frozenset(keywords), expected, raises, after, stubs,
        frozenset(imports), writer.helper, bool(decorators & {"property", "cached_property"}),
    )  # fmt: skip
    written = [*(text for _, text in [*made.arguments, *after]), *([receiver] if receiver is not None else [])]
    if sum(len(laid_out(text, 4).splitlines()) for text in written) > _LONGEST_CASE:
        raise Unwritable("its arguments are too long to read")
    if expected is not None and len(laid_out(expected, 4).splitlines()) > _LONGEST_CASE:
        raise Unwritable("its result is too long to read")
    return made


def _positional(node: Function) -> list[str]:
    return [one.arg for one in [*node.args.posonlyargs, *node.args.args]]


def _is_default(node: Function, name: str, encoded: Any) -> bool:
    arguments = node.args
    positional = _positional(node)
    defaults: dict[str, ast.expr] = dict(zip(positional[::-1], arguments.defaults[::-1], strict=False))
    defaults.update({a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d})
    default = defaults.get(name)
    if not isinstance(default, ast.Constant):
        return False
    return type(default.value) is type(encoded) and bool(default.value == encoded)


def _arguments(node: Function, given: Mapping[str, Any], writer: Writer) -> tuple[list[tuple[str, Text]], set[str]]:
    """In the order of the call, and which stand by name."""
    found: list[tuple[str, Text]] = []
    keywords: set[str] = set()
    missing = False
    only = {one.arg for one in node.args.posonlyargs}
    rest = node.args.vararg.arg if node.args.vararg else ""
    more = node.args.kwarg.arg if node.args.kwarg else ""
    receiver = 0
    for name in _positional(node):
        if name in ("self", "cls") and name not in given:
            receiver += 1
            continue
        if name not in given:
            missing = True
            continue
        if missing and name in only:
            raise Unwritable(f"{name} cannot be passed by name")
        if missing:
            keywords.add(name)
        found.append((name, writer.value(given[name])))
    if rest and given.get(rest):
        items = given[rest][1] if isinstance(given[rest], list) else []
        if items and missing:
            raise Unwritable(f"*{rest} cannot be passed after a default")
        found += [(f"{rest}_{number}", writer.value(one)) for number, one in enumerate(items)]
    for one in node.args.kwonlyargs:
        if one.arg in given:
            keywords.add(one.arg)
            found.append((one.arg, writer.value(given[one.arg])))
    if more and isinstance(given.get(more), list):
        for key, item in given[more][1]:
            if not isinstance(key, str) or not key.isidentifier():
                raise Unwritable("a keyword of it is no name")
            keywords.add(key)
            found.append((key, writer.value(item)))
    return found, keywords


def _exception(kind: str, imports: set[tuple[str, str]]) -> str:
    module, _, name = kind.rpartition(".")
    if module:
        if "<" in kind:
            raise Unwritable(f"{name} cannot be imported")
        imports.add((module, name))
    return name


def _expected(
    root: Path, outcome: Outcome, shape: str, imports: set[tuple[str, str]], writer: Writer
) -> tuple[str, Text]:
    if outcome.value is None:
        raise Unwritable("its result cannot be written down")
    arguments, classes = json.loads(outcome.value)
    encoded = arguments[0][1]
    result = Writer(root, classes, imports)
    if (
        isinstance(encoded, list)
        and encoded[0] == "object"
        and not encoded[2]
        and not _has_equality(root, classes[encoded[1]])
    ):
        pairs = [[name, item] for name, item in encoded[4]]
        result._made.append(encoded)  # the instance's own number
        text: Text = Group(
            "{", tuple(result.value(item) for _, item in pairs), tuple(f'"{name}": ' for name, _ in pairs), "}"
        )
        return shape.replace("{}", "vars({})") if shape == "{}" else f"vars({shape})", text
    written = result.value(encoded)
    writer.helper = writer.helper or result.helper
    return shape, written


def _has_equality(root: Path, found: Sequence[str]) -> bool:
    node = class_node(root, found[1], found[2])
    if node is None:
        return False
    named = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
    return is_dataclass(node) or "__eq__" in named


def _after(
    root: Path, outcome: Outcome, call: RecordedCall, imports: set[tuple[str, str]], writer: Writer
) -> tuple[tuple[str, Text], ...]:
    """What the call left in its arguments, where that can be read; only for calls that give nothing else to look at."""
    if outcome.after is None or outcome.type != "NoneType":
        return ()
    left = json.loads(outcome.after)
    if len(left) == 3:
        left = json.loads(left[0]) if left[0] else None
    if left is None:
        return ()
    arguments, classes = left
    before = dict(call.arguments.get("arguments", ()))
    changed: list[tuple[str, Text]] = []
    reader = Writer(root, classes, imports)
    reader._made.append(None)  # the list of all arguments
    for pair in arguments[0][1][1]:
        reader._made.append(None)  # its own pair
        name, encoded = pair[1]
        if not isinstance(encoded, list):
            continue
        text = reader.value(encoded)
        if _shape(encoded) != _shape(before.get(name)) and (
            encoded[0] != "object" or _has_equality(root, classes[encoded[1]])
        ):
            changed.append((name, text))
    writer.helper = writer.helper or reader.helper
    return tuple(changed)


def _shape(encoded: Any) -> Any:
    """An encoding without the numbers of classes and references, which differ between two encodings of the same."""
    if not isinstance(encoded, list) or not encoded:
        return encoded
    if encoded[0] == "ref":
        return ["ref"]
    if encoded[0] in ("object", "member", "flag", "global"):
        return [encoded[0], *(_shape(one) for one in encoded[2:])]
    return [_shape(one) for one in encoded]


def _stubs(
    root: Path, source: Source, unit: UnitRecord, node: Function, call: RecordedCall, imports: set[tuple[str, str]]
) -> tuple[str, ...]:
    world: Mapping[str, Any] = call.arguments.get("world") or {}
    lines = chance.stubs(node, world)
    for name, value in (world.get("environment") or {}).items():
        if "[redacted]" in str(value):
            raise Unwritable("a secret in its environment was not recorded")
        lines.append(f"monkeypatch.setenv({json.dumps(str(name))}, {json.dumps(str(value))})")
    tape: dict[str, list[str]] = {}
    for name, encoded in world.get("tape") or ():
        if encoded is None:
            raise Unwritable(f"what {name} gave back was not recorded")
        taken = Writer(root, encoded.get("classes", ()), imports)
        tape.setdefault(str(name), []).append(laid_out(taken.value(encoded["arguments"][0][1]), 4))
        if taken.helper:
            raise Unwritable(f"what {name} gave back is no plain value")
    for name, results in tape.items():
        place = where_it_is_looked_up(source, unit.module, name)
        if len(results) == 1:
            lines.append(f'monkeypatch.setattr("{place}", lambda *args, **kwargs: {results[0]})')
        else:
            short = name.rpartition(".")[2].rpartition(":")[2]
            lines.append(f"{short}_results = iter([{', '.join(results)}])")
            lines.append(f'monkeypatch.setattr("{place}", lambda *args, **kwargs: next({short}_results))')
    return tuple(lines)


def where_it_is_looked_up(source: Source, module: str, name: str) -> str:
    """The dotted place that has to be replaced for "uuid:uuid4": of the module itself where it took the name."""
    origin, _, attribute = name.partition(":")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module == origin:
            for alias in node.names:
                if alias.name == attribute:
                    return f"{module}.{alias.asname or alias.name}"
    return f"{origin}.{attribute}"
