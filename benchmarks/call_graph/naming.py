"""Links in the names of the PyCG family of truths: "main.Class.method", "main.<lambda1>", "<builtin>.len".

- A module is its path from the suite's root with dots; functions within functions have no "<locals>".
- Lambdas are numbered within their scope, in source order. What a comprehension calls, the function around it calls.
- Calling a class is a call of its `__init__`; a class that has none has no edge.
- What is outside: "<builtin>.len", methods of builtin types as each family writes them, "ext.Class.method".

Calls, applications of decorators and implicit calls (`__iter__`, `__str__`, properties, …) all count: the truths have
all three, though of the implicit calls of real applications they have some and lack most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tracelens_indexer.graph.link import link
from tracelens_indexer.graph.links import Links
from tracelens_indexer.source.facts import FileFacts, Unit, unit_id
from tracelens_indexer.source.lower import lower

NamedEdges = set[tuple[str, str]]
"""(caller, callee)"""


@dataclass(frozen=True)
class Dialect:
    """How a family of truths writes the methods of builtin types."""

    types: dict[str, str] = field(default_factory=dict)
    """Type to its name in the truths; another type's methods are written "<type>.method"."""


PYCG = Dialect(
    {
        "str": "<**PyStr**>",
        "dict": "<**PyDict**>",
        "list": "<**PyList**>",
        "set": "<**PySet**>",
        "int": "<**PyNum**>",
        "tuple": "<**PyTuple**>",
    }
)
JARVIS = Dialect({"dict": "<map>"})


def named_edges(root: Path, paths: Iterable[Path], dialect: Dialect = PYCG, *, implicit: bool = True) -> NamedEdges:
    """The call graph of these files as TraceLens has it, in the truths' names; or only the calls that are written."""
    files: dict[str, tuple[str, FileFacts]] = {}
    for path in sorted(paths):
        relative = path.relative_to(root).as_posix()
        files[relative] = (module_name(relative), lower(path.read_bytes()))
    return set(_renamed(files, link(files), dialect, implicit))


def module_name(path: str) -> str:
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def _renamed(
    files: dict[str, tuple[str, FileFacts]], links: Links, dialect: Dialect, implicit: bool
) -> Iterator[tuple[str, str]]:
    names: dict[int, str] = {}
    classes: set[int] = set()
    for path, (module, facts) in files.items():
        for unit, name in zip(facts.units, unit_names(module, facts.units), strict=True):
            identity = unit_id(path, unit.scope, unit.ordinal)
            names[identity] = name
            if unit.kind == "class":
                classes.add(identity)
    for edge in links.edges:
        if edge.callee not in classes and (implicit or edge.kind != "implicit"):
            yield names[edge.caller], names[edge.callee]
    for resolution in links.resolutions:
        for outside in resolution.externals:
            yield names[resolution.unit], external_name(outside, dialect)


def unit_names(module: str, units: Iterable[Unit]) -> list[str]:
    """The truths' name of each unit of a file; a comprehension has the name of what it is in."""
    names: list[str] = []
    lambdas: dict[str, int] = {}
    for unit in units:
        if unit.kind == "module":
            names.append(module)
            continue
        around = names[unit.parent]
        if unit.kind == "comprehension":
            names.append(around)
        elif unit.kind == "lambda":
            lambdas[around] = lambdas.get(around, 0) + 1
            names.append(f"{around}.<lambda{lambdas[around]}>")
        else:
            names.append(f"{around}.{unit.name}")
    return names


def external_name(dotted: str, dialect: Dialect) -> str:
    """ "builtins.len" → "<builtin>.len"; "builtins.str.join" → the dialect's "<**PyStr**>.join"; others stay."""
    first, _, rest = dotted.partition(".")
    if first != "builtins" or not rest:
        return dotted
    kind, _, method = rest.partition(".")
    if not method:
        return f"<builtin>.{kind}"
    return f"{dialect.types.get(kind, f'<{kind}>')}.{method}"
