"""Units whose text is being read, and those that were read in the version before."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import structs
from tree_sitter import Node

from tracelens_indexer.source.facts import Parameter, UnitKind

Key: TypeAlias = "tuple[bytes, int, str, bool, bool]"
"""All that the units of a function follow from: its text, its column, what is around it."""


class Draft:
    """A unit whose body is still being read."""

    __slots__ = (
        "body_hash", "decorators", "def_line", "docstring", "end_byte", "end_line", "first_line", "index", "is_async",
        "is_generator", "kind", "local_prefix", "name", "name_column", "name_line", "parameters", "parent",
        "returns", "scope", "signature", "start_byte", "tokens", "whole_line",
    )  # fmt: skip

    def __init__(self, scope: str, name: str, kind: UnitKind, parent: int, node: Node) -> None:
        start, end = node.start_point, node.end_point
        self.scope = scope
        self.name = name
        self.kind: UnitKind = kind
        self.parent = parent
        self.index = 0
        """Its place in the units of its file."""
        self.whole_line = start.row
        """0-based line on which it begins, decorators included."""
        self.first_line = self.def_line = self.name_line = start.row + 1
        self.name_column = start.column
        self.end_line = end.row + 1
        self.start_byte = node.start_byte
        self.end_byte = node.end_byte
        self.tokens: list[bytes] = []
        self.body_hash = ""
        self.signature = ""
        self.docstring = ""
        self.parameters: tuple[Parameter, ...] = ()
        self.decorators: tuple[str, ...] = ()
        self.returns = ""
        self.is_async = False
        self.is_generator = False
        self.local_prefix = ""
        """What the scopes of units directly inside begin with: "f.<locals>."."""

    def end_at(self, node: Node) -> None:
        self.end_line = node.end_point.row + 1
        self.end_byte = node.end_byte

    def moved(self, parent: int, lines: int, size: int) -> Draft:
        """The same unit so many lines and bytes further down, in another unit."""
        # Written out: of a file being typed in, this runs for every unit below the cursor.
        copy = Draft.__new__(Draft)
        copy.scope, copy.name, copy.kind, copy.parent, copy.index = self.scope, self.name, self.kind, parent, self.index
        copy.first_line, copy.def_line = self.first_line + lines, self.def_line + lines
        copy.name_line, copy.name_column = self.name_line + lines, self.name_column
        copy.end_line, copy.whole_line = self.end_line + lines, self.whole_line
        copy.start_byte, copy.end_byte = self.start_byte + size, self.end_byte + size
        copy.tokens, copy.body_hash, copy.signature = self.tokens, self.body_hash, self.signature
        copy.docstring, copy.parameters, copy.decorators = self.docstring, self.parameters, self.decorators
        copy.returns, copy.is_async, copy.is_generator = self.returns, self.is_async, self.is_generator
        copy.local_prefix = self.local_prefix
        if lines:
            copy.parameters = tuple(structs.replace(p, line=p.line + lines) for p in self.parameters)
        return copy


class Known:
    """The units of functions and classes that were read before, by their text: what stands unchanged is not read again.

    Of each version of a buffer only what it holds is kept for the next.
    """

    def __init__(self) -> None:
        self.before: dict[Key, list[Draft]] = {}
        self.now: dict[Key, list[Draft]] = {}
        self.inside: dict[Key, list[Key]] = {}
        """Of a class its functions, for when it is edited later."""

    def next(self) -> None:
        """What was read up to now is what another version is compared with."""
        self.before, self.now = self.now, {}
        self.inside = {key: inside for key, inside in self.inside.items() if key in self.before}

    def remember(self, key: Key, drafts: list[Draft]) -> None:
        self.now[key] = drafts
        top = drafts[0]
        if top.kind == "class":
            last = top.index + len(drafts)
            self.inside[key] = [one for one, found in self.now.items() if top.index < found[0].index < last]

    def recall(self, key: Key) -> list[Draft] | None:
        drafts = self.now.get(key) or self.before.get(key)
        if drafts is not None:
            # Where they stood when they were read does not matter: they are moved from there.
            self.now.update((one, self.before[one]) for one in self.inside.get(key, ()) if one in self.before)
        return drafts
