"""Recorded values as Python source that a person would write: the encoding of tracelens_recorder.replayable as text."""

from __future__ import annotations

import ast
import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracelens.fix.patch import Source
from tracelens_indexer.errors import TraceLensError

WIDTH = 88
HELPER = '''def made(kind, **fields):
    """An instance with these fields; its constructor does not run."""
    one = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(one, name, value)
    return one
'''
"""For instances that no constructor call would give in one line."""

_LONGEST = 4_000
_BRACKETS = {"list": ("[", "]"), "tuple": ("(", ")"), "set": ("{", "}"), "frozenset": ("frozenset([", "])")}
_CALLS = {
    "decimal": ("decimal", "Decimal"),
    "fraction": ("fractions", "Fraction"),
    "uuid": ("uuid", "UUID"),
    "path": ("pathlib", "Path"),
    "purepath": ("pathlib", "PurePosixPath"),
    "date": ("datetime", "date"),
    "timedelta": ("datetime", "timedelta"),
    "zoneinfo": ("zoneinfo", "ZoneInfo"),
}
_NUMBERED = frozenset(
    [
        "bytearray",
        "list",
        "tuple",
        "set",
        "frozenset",
        "dict",
        "ordered",
        "counter",
        "default",
        "deque",
        "object",
        "opaque",
    ]
)


class Unwritable(Exception):
    """A value that has no literal; says why."""


@dataclass(frozen=True, slots=True)
class Group:
    """Something with parts that may stand on lines of their own."""

    open: str
    parts: tuple[str | Group, ...]
    """Each as it stands, with its name or key before it (in `prefixes`)."""
    prefixes: tuple[str, ...]
    close: str
    lonely_comma: bool = False
    """A tuple of one needs a comma."""


Text = str | Group


def laid_out(text: Text, indent: int, before: int = 0) -> str:
    """As source: on one line where it fits into WIDTH, else one part on each line. `before`: columns before it."""
    flat = _flat(text)
    if isinstance(text, str) or indent + before + len(flat) <= WIDTH or not text.parts:
        return flat
    inner = " " * (indent + 4)
    lines = [
        f"{inner}{prefix}{laid_out(part, indent + 4, len(prefix))},"
        for prefix, part in zip(text.prefixes, text.parts, strict=True)
    ]
    return "\n".join([text.open, *lines, " " * indent + text.close])


def _flat(text: Text) -> str:
    if isinstance(text, str):
        return text
    parts = [prefix + _flat(part) for prefix, part in zip(text.prefixes, text.parts, strict=True)]
    comma = "," if text.lonely_comma and len(parts) == 1 else ""
    return text.open + ", ".join(parts) + comma + text.close


@dataclass
class Writer:
    """Writes the values of one call; gathers what has to be imported for it."""

    root: Path
    classes: Sequence[Sequence[str]]
    """[module, qualified name, file]"""
    imports: set[tuple[str, str]] = field(default_factory=set)
    """(module, name)"""
    helper: bool = False
    """Whether HELPER is used."""
    _made: list[Any] = field(default_factory=list)
    _inside: set[int] = field(default_factory=set)

    def value(self, encoded: Any) -> Text:
        """Raises Unwritable."""
        if type(encoded) is not list:
            return _plain(encoded)
        kind, rest = encoded[0], encoded[1:]
        if kind == "ref":
            if rest[0] in self._inside or rest[0] >= len(self._made):
                raise Unwritable("it contains itself")
            return Writer(self.root, self.classes, self.imports, self.helper, list(self._made)).again(
                self._made[rest[0]]
            )
        number = len(self._made)
        if kind in _NUMBERED:
            self._made.append(encoded)
            self._inside.add(number)
        try:
            return self._of(kind, rest)
        finally:
            self._inside.discard(number)

    def again(self, encoded: Any) -> Text:
        """A value that stands at a second place as well; what it contains keeps its numbers."""
        if '["ref"' in str(encoded).replace("'", '"'):
            raise Unwritable("parts of it are shared")
        return self.value(encoded)

    def _of(self, kind: str, rest: list[Any]) -> Text:
        if kind == "int":
            return str(int(rest[0], 16))
        if kind == "float":
            return f'float("{rest[0]}")'
        if kind == "complex":
            return f"complex({rest[0]!r}, {rest[1]!r})"
        if kind == "text":
            return repr(base64.b64decode(rest[0]).decode("utf-8", "surrogatepass"))
        if kind in ("bytes", "bytearray"):
            content = repr(base64.b64decode(rest[0]))
            return content if kind == "bytes" else f"bytearray({content})"
        if kind in ("range", "slice"):
            return f"{kind}({', '.join(_flat(self.value(one)) for one in rest)})"
        if kind in ("list", "tuple", "set", "frozenset", "deque"):
            return self._items(kind, rest)
        if kind in ("dict", "ordered", "counter", "default"):
            return self._pairs(kind, rest)
        if kind in _CALLS:
            module, name = _CALLS[kind]
            self.imports.add((module, name))
            return self._call(name, [("", one) for one in rest])
        if kind in ("time", "datetime"):
            self.imports.add(("datetime", kind))
            parts = list(rest[:-1])
            zone = parts.pop()
            while len(parts) > 3 and not parts[-1]:
                parts.pop()
            named = [("", one) for one in parts] + ([("tzinfo=", zone)] if zone is not None else [])
            return self._call(kind, named + ([("fold=", rest[-1])] if rest[-1] else []))
        if kind == "zone":
            self.imports.add(("datetime", "timezone"))
            if rest[:3] == [0, 0, 0] and rest[3] is None:
                return "timezone.utc"
            self.imports.add(("datetime", "timedelta"))
            name = f", {rest[3]!r}" if rest[3] is not None else ""
            return f"timezone(timedelta({rest[0]}, {rest[1]}, {rest[2]}){name})"
        if kind == "type":
            return "type(None)" if rest[0] == "NoneType" else str(rest[0])
        if kind == "global":
            return self.named(rest[0])
        if kind == "member":
            return f"{self.named(rest[0])}.{rest[1]}"
        if kind == "flag":
            return f"{self.named(rest[0])}({_flat(self.value(rest[1]))})"
        if kind == "object":
            return self._instance(*rest)
        raise Unwritable(f"it holds what was not recorded ({rest[0]})" if kind == "opaque" else f"it holds a {kind}")

    def named(self, number: int) -> str:
        """A class or function of the workspace, imported by its module."""
        module, name, _ = self.classes[number]
        if "<" in name or module == "__main__":
            raise Unwritable(f"{name} cannot be imported")
        self.imports.add((module, name.partition(".")[0]))
        return name

    def _items(self, kind: str, rest: list[Any]) -> Text:
        values = [self.value(one) for one in rest[-1]]
        if kind in ("set", "frozenset"):
            values = sorted(values, key=lambda one: _flat(one))
        if kind == "deque":
            self.imports.add(("collections", "deque"))
            return Group("deque([", tuple(values), ("",) * len(values), "])" if rest[0] is None else f"], {rest[0]})")
        if kind == "set" and not values:
            return "set()"
        before, after = _BRACKETS[kind]
        return Group(before, tuple(values), ("",) * len(values), after, kind == "tuple")

    def _pairs(self, kind: str, rest: list[Any]) -> Text:
        factory = ""
        if kind == "default":
            factory = ("None" if rest[0] is None else _flat(self.value(rest[0]))) + ", "
        keys, values = [], []
        for key, item in rest[-1]:
            keys.append(_flat(self.value(key)) + ": ")
            values.append(self.value(item))
        name = {"ordered": "OrderedDict", "counter": "Counter", "default": "defaultdict"}.get(kind)
        if name is None:
            return Group("{", tuple(values), tuple(keys), "}")
        self.imports.add(("collections", name))
        return Group(f"{name}({factory}{{", tuple(values), tuple(keys), "})")

    def _call(self, name: str, arguments: Sequence[tuple[str, Any]]) -> Group:
        return Group(
            f"{name}(", tuple(self.value(one) for _, one in arguments), tuple(key for key, _ in arguments), ")"
        )

    def _instance(self, reference: int, base: str, content: Any, fields: list[Any]) -> Text:
        name = self.named(reference)
        if base == "tuple":
            return self._call(name, [("", one) for one in content])
        if base:
            raise Unwritable(f"it holds a {name}, which is a kind of {base}")
        known = dict(fields)
        parameters = constructor(self.root, *self.classes[reference])
        if parameters is not None and set(known) == set(parameters):
            given = [(f"{key}=", item) for key, item in fields if not _is_default(item, parameters[key])]
            return self._call(name, given)
        if any(not key.isidentifier() for key in known):
            raise Unwritable(f"a field of {name} has no plain name")
        self.helper = True
        made = self._call("made", [(f"{key}=", item) for key, item in fields])
        return Group("made(", (name, *made.parts), ("", *made.prefixes), ")")


def _plain(value: Any) -> str:
    if isinstance(value, str):
        if "[redacted]" in value:
            raise Unwritable("a secret in it was not recorded")
        text = repr(value)
        if len(text) > _LONGEST:
            raise Unwritable("a text in it is too long to read")
        return f'"{text[1:-1]}"' if text.startswith("'") and '"' not in text and "\\'" not in text else text
    return repr(value)


def _is_default(encoded: Any, default: ast.expr | None) -> bool:
    if default is None:
        return False
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return False
    if value in ([], {}) and isinstance(encoded, list):
        return bool(encoded[0] == type(value).__name__ and encoded[1] == [])
    return type(encoded) is type(value) and bool(encoded == value)


def constructor(root: Path, module: str, name: str, path: str) -> Mapping[str, ast.expr | None] | None:
    """Parameter → default of a class whose constructor sets the fields of the same names, and does nothing else."""
    node = class_node(root, name, path)
    if node is None or node.bases or node.keywords:
        return None
    methods = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
    if "__new__" in methods or "__post_init__" in methods:
        return None
    if is_dataclass(node) and "__init__" not in methods:
        return _fields(node)
    init = methods.get("__init__")
    if init is None:
        return {}
    arguments = init.args
    if arguments.vararg or arguments.kwarg or arguments.posonlyargs or arguments.kwonlyargs:
        return None
    names = [one.arg for one in arguments.args][1:]
    for statement in init.body:
        match statement:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Assign(targets=[ast.Attribute(attr=attribute)], value=ast.Name(id=given)) if attribute == given:
                continue
            case _:
                return None
    defaults: list[ast.expr | None] = [None] * (len(names) - len(arguments.defaults))
    return dict(zip(names, defaults + list(arguments.defaults), strict=True))


def _fields(node: ast.ClassDef) -> Mapping[str, ast.expr | None] | None:
    found: dict[str, ast.expr | None] = {}
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            default = one.value
            if isinstance(default, ast.Call) and isinstance(default.func, ast.Name) and default.func.id == "field":
                words = {word.arg: word.value for word in default.keywords}
                if "init" in words:
                    return None
                factory = words.get("default_factory")
                default = words.get("default")
                if isinstance(factory, ast.Name) and factory.id in ("list", "dict"):
                    default = ast.List([], ast.Load()) if factory.id == "list" else ast.Dict([], [])
            found[one.target.id] = default
    return found


def is_dataclass(node: ast.ClassDef) -> bool:
    return any(ast.unparse(one).partition("(")[0].rpartition(".")[2] == "dataclass" for one in node.decorator_list)


def class_node(root: Path, name: str, path: str) -> ast.ClassDef | None:
    """The definition of a class of the workspace."""
    for candidate in (path, f"src/{path}"):
        try:
            body: Sequence[ast.stmt] = Source.read(root, candidate).tree.body
        except TraceLensError:
            continue
        found: ast.ClassDef | None = None
        for part in name.split("."):
            found = next((one for one in body if isinstance(one, ast.ClassDef) and one.name == part), None)
            if found is None:
                break
            body = found.body
        if found is not None:
            return found
    return None
