"""What one source file says: the records that lowering makes and everything above reads.

Facts are a pure function of the file's bytes. They name no path and no other file: a relative import stays
"level 1, module models", so that moving a file changes nothing in its facts and a cache keyed by content is sound.

Lines are 1-based, columns 0-based and counted in bytes of UTF-8, as tree-sitter gives them. The language server
converts to the client's units from the text of the open document.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

UnitKind = Literal["module", "class", "function", "method", "lambda", "comprehension"]
ParameterKind = Literal["positional only", "positional", "variadic", "keyword only", "keywords"]

MODULE_SCOPE = "<module>"


class Parameter(msgspec.Struct, frozen=True, array_like=True):
    """One parameter of a function, in source order. `self` and `cls` are included."""

    name: str
    kind: ParameterKind
    annotation: str
    """The annotation's source text, or ""."""
    default: str
    """The default's source text, or ""."""
    line: int
    column: int


class Unit(msgspec.Struct, frozen=True, array_like=True):
    """A module, class, function, method, lambda or comprehension."""

    scope: str
    """Python's `__qualname__`: "Warehouse.find", "outer.<locals>.inner"; "<module>" for the module itself."""
    name: str
    """The last part of the scope as a code object names it: "find", "<lambda>", "<genexpr>", "<module>"."""
    kind: UnitKind
    ordinal: int
    """0 for the first unit of this scope in the file, 1 for the next (conditional or repeated definitions)."""
    parent: int
    """Index of the enclosing unit in `FileFacts.units`; -1 for the module, which is always unit 0."""
    first_line: int
    """The first decorator's line where there is one (what `co_firstlineno` says), else the `def` line."""
    def_line: int
    end_line: int
    start_byte: int
    end_byte: int
    name_line: int
    name_column: int
    body_hash: str
    """Hash of the token stream without comments, white space and docstring; 32 hexadecimal digits."""
    signature: str
    """"apply_discount(price, tier="basic")" on one line; "" for kinds that have none."""
    docstring: str
    parameters: tuple[Parameter, ...] = ()
    decorators: tuple[str, ...] = ()
    """Source text of each decorator's expression, without the @."""
    returns: str = ""
    """Source text of the return annotation, or ""."""
    is_async: bool = False
    is_generator: bool = False

    @property
    def resumes(self) -> bool:
        """Whether most tracers count each resume of this unit as a call."""
        return self.is_async or self.is_generator


class CallSite(msgspec.Struct, frozen=True, array_like=True):
    """A call expression: where it stands and what its callee looks like in the source."""

    unit: int
    """Index of the unit whose body holds the call."""
    line: int
    column: int
    end_line: int
    end_column: int
    callee: str
    """Source text of the called expression, shortened to 80 characters: "self.warehouse.find"."""


class FileFacts(msgspec.Struct, frozen=True, array_like=True):
    """Everything one file says. `flow` is private to lowering and linking."""

    units: tuple[Unit, ...]
    sites: tuple[CallSite, ...]
    flow: msgspec.Raw
    """What linking needs (imports, bases, assignments), encoded by source/flow.py."""
    lines: int
    errors: int
    """Number of places tree-sitter could not parse; units outside them are still complete."""


def unit_id(path: str, scope: str, ordinal: int = 0) -> int:
    """A unit's identity: 63 bits of a hash of its path (relative to the workspace, with /), scope and ordinal.

    Being a function of names alone it is the same after a full and an incremental index, in every database.
    """
    digest = blake2b(f"{path}\0{scope}\0{ordinal}".encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def qualname(module: str, scope: str, ordinal: int = 0) -> str:
    """The name a person sees: "shop.pricing.apply_discount"; "#2" marks the second definition of a name."""
    name = module if scope == MODULE_SCOPE else f"{module}.{scope}"
    return f"{name}#{ordinal + 1}" if ordinal else name
