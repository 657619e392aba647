"""What types the values of a parameter had, as an annotation would say it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tracelens_indexer.store.answers import CaptureRecord, Observation

MOST = 3
"""Types that are joined with |; more say nothing."""

_BUILTIN = frozenset(
    [
        "int",
        "float",
        "bool",
        "str",
        "bytes",
        "bytearray",
        "complex",
        "list",
        "dict",
        "set",
        "frozenset",
        "tuple",
        "range",
    ]
)
_PUBLIC = frozenset(
    [
        "datetime",
        "decimal",
        "fractions",
        "uuid",
        "pathlib",
        "collections",
        "zoneinfo",
        "enum",
        "re",
        "argparse",
        "ipaddress",
    ]
)
_RENAMED = {
    "pathlib.PosixPath": "pathlib.Path",
    "pathlib.WindowsPath": "pathlib.Path",
    "pathlib._local.PosixPath": "pathlib.Path",
    "function": "collections.abc.Callable",
    "builtin_function_or_method": "collections.abc.Callable",
    "method": "collections.abc.Callable",
    "generator": "collections.abc.Iterator",
    "_io.StringIO": "typing.TextIO",
    "_io.TextIOWrapper": "typing.TextIO",
    "_io.BytesIO": "typing.BinaryIO",
    "_io.BufferedReader": "typing.BinaryIO",
}
_ENCODED = {"text": "str", "path": "pathlib.Path", "purepath": "pathlib.PurePosixPath", "decimal": "decimal.Decimal"}
_ENCODED |= {"fraction": "fractions.Fraction", "uuid": "uuid.UUID", "zone": "datetime.timezone"}
_ENCODED |= {one: f"datetime.{one}" for one in ("date", "time", "datetime", "timedelta")}
_ENCODED |= {one: one for one in ("int", "float", "complex", "bytes", "bytearray", "range")}


@dataclass(frozen=True, slots=True)
class Kind:
    """One type, with the types of what it contains where these are known."""

    name: str
    """"int", "shop.models.Order", "None"."""
    parts: tuple[frozenset[Kind], ...] = ()
    """Of its type parameters; () unknown."""


def kinds_of(observation: Observation) -> tuple[frozenset[str], frozenset[str]]:
    """(types that calls got on with, types that only calls saw that raised)."""
    good, bad = set[str](), set[str]()
    for value in observation.values:
        (bad if value.outcome else good).add(value.type)
    known = good | bad
    good |= {one.type for one in observation.ranges if one.type not in known}
    return frozenset(good), frozenset(bad - good)


def deep(captures: Sequence[CaptureRecord], slot: str) -> frozenset[Kind]:
    """Types of a parameter in the calls that returned, with what containers held; empty when it is not known."""
    found: set[Kind] = set()
    for one in captures:
        if one.outcome or one.replay is None:
            continue
        classes = one.replay.get("classes", [])
        for name, encoded in one.replay.get("arguments", []):
            if name == slot:
                kind = _kind(encoded, classes)
                if kind is None:
                    return frozenset()
                found.add(kind)
    return merged(found)


def _kind(encoded: Any, classes: Sequence[Sequence[str]]) -> Kind | None:
    if not isinstance(encoded, list):
        return Kind("None") if encoded is None else Kind(type(encoded).__name__)
    name, rest = encoded[0], encoded[1:]
    if name in _ENCODED:
        return Kind(_ENCODED[name])
    if name in ("object", "member", "flag"):
        module, scope, _ = classes[rest[0]]
        return Kind(f"{module}.{scope}")
    if name in ("list", "set", "frozenset"):
        return Kind(name, _joined([rest[0]], classes))
    if name == "deque":
        return Kind("collections.deque", _joined([rest[1]], classes))
    if name == "tuple":
        inner = [_kind(one, classes) for one in rest[0]]
        if not inner or None in inner or len(inner) > MOST:
            return Kind("tuple")
        return Kind("tuple", tuple(frozenset([one]) for one in inner if one))
    if name == "dict":
        return Kind("dict", _joined([[pair[0] for pair in rest[0]], [pair[1] for pair in rest[0]]], classes))
    return None


def _joined(columns: Sequence[Sequence[Any]], classes: Sequence[Sequence[str]]) -> tuple[frozenset[Kind], ...]:
    made = []
    for values in columns:
        kinds = {_kind(one, classes) for one in values}
        if not kinds or None in kinds:
            return ()
        made.append(merged(kind for kind in kinds if kind))
    return tuple(made)


def merged(kinds: Iterable[Kind]) -> frozenset[Kind]:
    """Containers of one type become one: what they hold together. A float may be an int, an int a bool."""
    by_name: dict[str, list[Kind]] = {}
    for kind in kinds:
        by_name.setdefault(kind.name, []).append(kind)
    found = set()
    for name, same in by_name.items():
        parts = [one.parts for one in same if one.parts]
        # An empty container says nothing about what it would hold.
        if parts and len({len(one) for one in parts}) == 1:
            found.add(
                Kind(
                    name,
                    tuple(
                        merged(kind for column in columns for kind in column) for columns in zip(*parts, strict=True)
                    ),
                )
            )
        else:
            found.add(Kind(name))
    names = {one.name for one in found}
    if "float" in names:
        found = {one for one in found if one.name not in ("int", "bool")}
    elif "int" in names:
        found = {one for one in found if one.name != "bool"}
    return frozenset(found)


def flat(names: Iterable[str]) -> frozenset[Kind]:
    return merged(Kind("None" if name == "NoneType" else name) for name in names)


def written(kinds: frozenset[Kind], imports: set[str], depth: int = 0) -> str:
    """The annotation, "" when none can be said. imports: gets the dotted names that it uses."""
    if not kinds or len(kinds - {Kind("None")}) > MOST:
        if not depth or not kinds:
            return ""
        imports.add("typing.Any")
        return "Any"
    texts = []
    for kind in sorted(kinds, key=lambda one: (one.name == "None", one.name)):
        text = _one(kind, imports, depth)
        if not text:
            return ""
        texts.append(text)
    return " | ".join(dict.fromkeys(texts))


def _one(kind: Kind, imports: set[str], depth: int) -> str:
    name = _RENAMED.get(kind.name, kind.name)
    if name == "None":
        return name
    module, _, short = name.rpartition(".")
    if not module and name not in _BUILTIN:
        return ""
    if "<" in name or any(part.startswith("_") for part in name.split(".")):
        return ""
    if module:
        imports.add(name)
    if not kind.parts:
        return short or name
    if depth >= 2:
        return short or name
    inner = [written(part, imports, depth + 1) for part in kind.parts]
    return f"{short or name}[{', '.join(inner)}]" if all(inner) else short or name


def renamed(kinds: frozenset[Kind], module: str) -> frozenset[Kind]:
    """Classes of the program that was started, `__main__`, under the name of its module."""

    def one(kind: Kind) -> Kind:
        name = f"{module}.{kind.name[9:]}" if kind.name.startswith("__main__.") else kind.name
        return Kind(name, tuple(renamed(part, module) for part in kind.parts))

    return frozenset(one(kind) for kind in kinds)


def is_public(module: str) -> bool:
    """Whether a module of the standard library may be imported at run time without a thought."""
    return module.partition(".")[0] in _PUBLIC | {"typing"}
