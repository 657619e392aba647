"""Which file of the workspace a path in a trace means.

Traces come from containers, CI machines, Windows and installed copies, so a path is matched by its end. In order:

1. interpreter: "", "~", "<string>", "<frozen os>" are no files;
2. a file of the workspace, by absolute path or by path relative to it (after the user's own prefix map);
3. under site-packages: a package of the workspace that is installed there, else third party;
4. under lib/python3.x: standard library;
5. the longest common end with an indexed file. The common part must cover the file's whole import path
   (`shop/pricing.py` for module shop.pricing): a `pricing.py` of another package is not ours. Two equally long ends are
   ambiguous, which is reported and never guessed.

Nothing here touches the file system: paths in traces are untrusted text.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote


@dataclass(frozen=True, slots=True)
class External:
    """Not code of the workspace."""

    reason: str
    """"standard library", "third party", "interpreter", "outside the workspace"."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Could be more than one place; which one is not guessed."""

    reason: str


INTERPRETER = External("interpreter")
STANDARD_LIBRARY = External("standard library")
THIRD_PARTY = External("third party")
OUTSIDE = External("outside the workspace")

_INSTALLED = re.compile(r"(?:^|/)(?:site|dist)-packages/")
_STANDARD = re.compile(r"(?:^|/)lib(?:64)?/(?:python|pypy)\d(?:\.\d+)?t?/|/[Pp]ython3?\.?\d*/[Ll]ib/")
_ZIPPED = re.compile(r"/python3?\d+\.zip/")
_WINDOWS_LIBRARY = re.compile(r"^/?[A-Za-z]:/(?:.*/)?[Ll]ib/(\w+)(?:/|\.py$)")
_PACKED = re.compile(r"[^/]+\.(?:egg|whl|zip)/")
"""An installed package that is an archive, or was unpacked under the archive's name."""
_MAX_REMEMBERED = 100_000


class Paths:
    """Maps paths of traces to indexed paths; each distinct path is worked out once."""

    def __init__(
        self, modules: Mapping[str, str] | Iterable[str], root: str = "", mapping: Sequence[tuple[str, str]] = ()
    ) -> None:
        """`modules`: indexed path (relative, with /) to module name, "" unknown. `root`: the workspace, absolute.
        `mapping`: (prefix in traces, prefix in the workspace), tried before anything else."""
        names = modules if isinstance(modules, Mapping) else dict.fromkeys(modules, "")
        self._files = frozenset(names)
        self._root = _tidy(root).rstrip("/")
        self._mapping = [(_tidy(old).rstrip("/"), _tidy(new).strip("/")) for old, new in mapping]
        self._by_name: dict[str, list[tuple[str, tuple[str, ...], int]]] = defaultdict(list)
        for path, module in names.items():
            parts = tuple(path.split("/"))
            self._by_name[parts[-1]].append((path, parts, _import_parts(parts, module)))
        self._known: dict[str, str | External | Ambiguous] = {}

    def find(self, raw: str) -> str | External | Ambiguous:
        """The indexed path that `raw` means, or why there is none."""
        found = self._known.get(raw)
        if found is None:
            found = self._find(raw)
            if len(self._known) < _MAX_REMEMBERED:
                self._known[raw] = found
        return found

    def _find(self, raw: str) -> str | External | Ambiguous:
        path = _tidy(raw)
        if not path or path == "~" or (path.startswith("<") and path.endswith(">")):
            return INTERPRETER
        for old, new in self._mapping:
            if path == old or path.startswith(old + "/"):
                path = f"{new}/{path[len(old) + 1 :]}".strip("/")
                break
        if self._root and path.startswith(self._root + "/") and path[len(self._root) + 1 :] in self._files:
            return path[len(self._root) + 1 :]
        if path in self._files:
            return path
        installed = [match.end() for match in _INSTALLED.finditer(path)]
        if installed:
            rest = path[installed[-1] :]
            packed = _PACKED.match(rest)
            return self._installed(rest[packed.end() :] if packed else rest)
        if _STANDARD.search(path) or _ZIPPED.search(path):
            return STANDARD_LIBRARY
        found = self._by_end(path)
        if found is OUTSIDE and (library := _WINDOWS_LIBRARY.match(path)) and library[1] in sys.stdlib_module_names:
            return STANDARD_LIBRARY
        return found

    def _installed(self, rest: str) -> str | External | Ambiguous:
        """A path below site-packages is an import path: it must be exactly that of one of our files."""
        parts = tuple(rest.split("/"))
        found = [
            file
            for file, own, needed in self._by_name.get(parts[-1], ())
            if needed == len(parts) and own[-needed:] == parts
        ]
        if len(found) > 1:
            return _ambiguous(found)
        return found[0] if found else THIRD_PARTY

    def _by_end(self, path: str) -> str | External | Ambiguous:
        absolute = path.startswith("/") or path[1:3] == ":/"
        parts = tuple(part for part in path.split("/") if part not in ("", "..", "."))
        if not parts:
            return INTERPRETER
        best = 0
        found: list[str] = []
        for file, own, needed in self._by_name.get(parts[-1], ()):
            common = _common_end(parts, own)
            if not _covers(common, parts, own, needed, absolute):
                continue
            if common > best:
                best, found = common, [file]
            elif common == best:
                found.append(file)
        if len(found) > 1:
            return _ambiguous(found)
        return found[0] if found else OUTSIDE


def _covers(common: int, parts: tuple[str, ...], own: tuple[str, ...], needed: int, absolute: bool) -> bool:
    """Whether a common end of so many parts says that two paths are the same file."""
    if common == len(own):
        return True
    if not absolute and common == len(parts):
        # A shortened path: all that the trace says of it fits.
        return True
    # One equal file name alone says nothing: every project has a utils.py.
    return common >= max(needed, 2)


def _ambiguous(found: list[str]) -> Ambiguous:
    shown = ", ".join(sorted(found)[:3]) + (", …" if len(found) > 3 else "")
    return Ambiguous(f"could be {shown}")


def _common_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    common = 0
    for mine, theirs in zip(reversed(one), reversed(other), strict=False):
        if mine != theirs:
            break
        common += 1
    return common


def _import_parts(parts: tuple[str, ...], module: str) -> int:
    """How many parts at the end of a path are its import path: 2 of src/shop/pricing.py for shop.pricing."""
    if not module:
        return 1
    dots = module.split(".")
    return len(dots) + 1 if parts[-1] == "__init__.py" and dots[-1] != "__init__" else len(dots)


def _tidy(path: str) -> str:
    if path.startswith("file://"):
        path = unquote(path[len("file://") :])
    path = path.replace("\\", "/")
    while path.startswith("./"):
        path = path[2:]
    if "/./" in path or "//" in path:
        path = re.sub(r"/(?:\./|/)+", "/", path)
    return path
