"""Annotations spliced into one file, and the imports that they need, for type checkers alone."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tracelens.annotate.observed import Kind, deep, flat, is_public, kinds_of, merged, renamed, written
from tracelens.fix.evidence import Function, find_function
from tracelens.fix.patch import Edit, Patch, Source, make_patch
from tracelens_indexer.store.answers import CaptureRecord, Observation, Profile, UnitRecord

_HARMLESS = frozenset(
    [
        *(
            "property",
            "staticmethod",
            "classmethod",
            "cached_property",
            "setter",
            "getter",
            "deleter",
            "abstractmethod",
        ),
        *("wraps", "lru_cache", "cache", "contextmanager", "asynccontextmanager", "override", "final", "fixture"),
    ]
)
"""Decorators that are known not to look at annotations."""


class Index(Protocol):
    def profile(self, unit_id: int, /, runs: Sequence[int] | None = None) -> Profile | None: ...
    def profiles_in(self, path: str, runs: Sequence[int] | None = None) -> dict[int, Profile]: ...
    def captures(
        self, unit_id: int, runs: Sequence[int] | None = None, outcome: str | None = None, limit: int = 20
    ) -> list[CaptureRecord]: ...


@dataclass(frozen=True, slots=True)
class Annotated:
    """What can be annotated in one file."""

    path: str
    patch: Patch | None
    """None when there is nothing to add."""
    added: tuple[tuple[str, str, str], ...]
    """(unit, parameter or "return", annotation)"""
    notes: tuple[str, ...]
    """What was left alone, and why; annotations that what was seen contradicts."""


def annotate(index: Index, units: Sequence[UnitRecord], path: str, root: Path) -> Annotated:
    """Annotations for what has none in these units of one file. Raises TraceLensError when the file cannot be read."""
    source = Source.read(root, path)
    file = _File(source, units[0].module if units else "")
    added: list[tuple[str, str, str]] = []
    notes: list[str] = []
    for unit in units:
        node = find_function(source, unit.scope, unit.ordinal)
        profile = index.profile(unit.id)
        if node is None or profile is None or not profile.observations:
            continue
        if profile.state in ("stale", "unverified"):
            notes.append(f"{unit.qualname}: recorded with other code ({profile.state}); record it again")
            continue
        reading = [name for one in node.decorator_list if (name := _decorator(one)) not in _HARMLESS]
        if reading:
            notes.append(f"{unit.qualname}: @{reading[0]} might act upon annotations; left alone")
            continue
        slots = {one.slot: one for one in profile.observations}
        captures = index.captures(unit.id, None, "", 50)
        added += [(unit.qualname, slot, text) for slot, text in file.of(node, slots, captures, unit, notes)]
    edits = file.edits()
    patch = None
    if edits:
        try:
            patch = make_patch(source, edits)
        except ValueError as error:
            notes.append(f"{path}: {error}; nothing is proposed")
            added = []
    return Annotated(path, patch, tuple(added), tuple(notes))


def _decorator(node: ast.expr) -> str:
    return ast.unparse(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


class _File:
    def __init__(self, source: Source, module: str) -> None:
        self.source = source
        self.module = module
        self.made: list[Edit] = []
        self.needed: set[str] = set()
        self.bound = bound_names(source.tree)
        self.postponed = self.bound.get("annotations") == "__future__.annotations"

    def of(
        self,
        node: Function,
        slots: Mapping[str, Observation],
        captures: Sequence[CaptureRecord],
        unit: UnitRecord,
        notes: list[str],
    ) -> list[tuple[str, str]]:
        added = []
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = dict(zip([one.arg for one in positional][::-1], arguments.defaults[::-1], strict=False))
        defaults.update({a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d})
        for parameter in [*positional, *arguments.kwonlyargs]:
            seen = slots.get(parameter.arg)
            if parameter.arg in ("self", "cls") or seen is None:
                continue
            good, bad = kinds_of(seen)
            if parameter.annotation is not None:
                stated = ast.unparse(parameter.annotation)
                if "NoneType" in good and not any(word in stated for word in ("None", "Optional", "Any", "object")):
                    notes.append(f"{unit.qualname}: {parameter.arg}: {stated} took None")
                continue
            known = deep(captures, parameter.arg)
            names = {"None" if one == "NoneType" else one for one in good}
            kinds = known if known and names <= {one.name for one in known} | {"int", "bool"} else flat(good)
            default = defaults.get(parameter.arg)
            if kinds and isinstance(default, ast.Constant) and default.value is not ...:
                kinds = merged([*kinds, *flat([type(default.value).__name__])])
            text = self.said(kinds)
            if not text:
                continue
            end = self.source.offset(parameter.end_lineno or parameter.lineno, parameter.end_col_offset or 0)
            self.made.append(Edit(end, end, f": {text}"))
            if default is not None:
                self._spaced(end, default)
            added.append((parameter.arg, text))
            if bad:
                only = ", ".join(sorted(bad))
                notes.append(f"{unit.qualname}: {parameter.arg} was {only} only in calls that raised; left out")
        generates = any(isinstance(one, ast.Yield | ast.YieldFrom) for one in ast.walk(node))
        result = slots.get("return")
        if (
            node.returns is None
            and result is not None
            and not generates
            and not unit.resumes | (unit.name == "__init__")
        ):
            seen_there = flat(kinds_of(result)[0])
            text = "None" if seen_there == {Kind("None")} else self.said(seen_there)
            at = self._before_colon(node)
            if text and at is not None:
                self.made.append(Edit(at, at, f" -> {text}"))
                added.append(("return", text))
        return added

    def said(self, kinds: frozenset[Kind]) -> str:
        """The annotation as it stands in this file; quoted where it may not be evaluated there."""
        imports: set[str] = set()
        text = written(renamed(kinds, self.module), imports)
        if text in ("", "None"):
            return ""  # of a parameter that was never anything else, None says nothing
        later = False
        for dotted in imports:
            module, _, name = dotted.rpartition(".")
            known = self.bound.get(name)
            if module == self.module:
                later = True  # it may be defined further down
            elif known is None:
                self.needed.add(dotted)
                later = later or not is_public(module)
            elif known != dotted and not known.endswith(f".{name}"):
                return ""  # the name means something else here
        quoted = not self.postponed and (later or " | " in text or bool(imports))
        return f'"{text}"' if quoted else text

    def _spaced(self, end: int, default: ast.expr) -> None:
        """`a=1` becomes `a: int = 1`."""
        start = self.source.span(default)[0]
        between = self.source.text[end:start]
        if between.strip() == "=" and between == "=":
            self.made.append(Edit(end + 0, start, " = "))

    def _before_colon(self, node: Function) -> int | None:
        """Behind the parenthesis that ends the parameters."""
        body = self.source.span(node.body[0])[0]
        begin = self.source.span(node)[0]
        last = begin
        for part in ast.walk(node.args):
            if isinstance(part, ast.arg | ast.expr):
                last = max(last, self.source.span(part)[1])  # type: ignore[arg-type]
        closing = self.source.text.find(")", last, body)
        colon = self.source.text.find(":", closing, body) if closing >= 0 else -1
        if colon < 0 or self.source.text[closing + 1 : colon].strip() or "#" in self.source.text[last:closing]:
            return None
        return closing + 1

    def edits(self) -> list[Edit]:
        if not self.made:
            return []
        joined: dict[int, Edit] = {}
        for edit in self.made:  # an annotation and the space around its default begin at the same place
            other = joined.get(edit.start)
            joined[edit.start] = Edit(edit.start, max(edit.end, other.end), other.text + edit.text) if other else edit
        edits = list(joined.values())
        if self.needed:
            at = behind_imports(self.source)
            lines = [
                f"    from {dotted.rpartition('.')[0]} import {dotted.rpartition('.')[2]}\n"
                for dotted in sorted(self.needed)
            ]
            head = "" if self.bound.get("TYPE_CHECKING") else "from typing import TYPE_CHECKING\n"
            edits.append(Edit(at, at, f"{head}\nif TYPE_CHECKING:\n{''.join(lines)}"))
        return edits


def bound_names(tree: ast.Module) -> dict[str, str]:
    """Names that the module imports or defines at its top, and what they stand for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (alias.asname and alias.name) or alias.name
    for one in tree.body:
        if isinstance(one, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[one.name] = f".{one.name}"
    return found


def behind_imports(source: Source) -> int:
    """The beginning of the line behind the imports at the top, or behind the docstring."""
    line = 0
    for node in source.tree.body:
        documentation = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not line
        if isinstance(node, ast.Import | ast.ImportFrom) or documentation:
            line = node.end_lineno or node.lineno
        else:
            break
    return source.line_start(line + 1) if line and line < source.text.count("\n") + 1 else 0
