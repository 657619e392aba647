"""Which file an import means: modules of the workspace by dotted name, as `sys.path` could find them.

Roots are the folders from which the workspace's own module names count, and, for each importing file, the folders
around it that are no packages (a script finds its siblings). Nothing is read from disk.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Final

STANDARD_LIBRARY: Final = frozenset(sys.stdlib_module_names)


class Modules:
    """Finds files by import. A place is a file's path, or the path of a folder that is a namespace package."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names`: path to dotted module name of every file."""
        self._files = set(names)
        self._folders: set[str] = set()
        self._packages: dict[str, str] = {}
        """Folder to its `__init__` file."""
        self._roots: set[str] = set()
        self._near: dict[str, tuple[str, ...]] = {}
        self._found: dict[tuple[str, str], str | None] = {}
        for path in names:
            folder, _, name = path.rpartition("/")
            if name.rpartition(".")[0] == "__init__":
                self._packages[folder] = path
            while folder and folder not in self._folders:
                self._folders.add(folder)
                folder = folder.rpartition("/")[0]
        for path, module in names.items():
            self._roots.add(_root(path, module))
        # Wherever it lies, what is in a folder `src` is imported from there, namespace packages too.
        sources = (folder for folder in self._folders if folder.rpartition("/")[2] == "src")
        self._roots.update(folder for folder in sources if folder not in self._packages)
        self._ordered_roots = tuple(sorted(self._roots))

    def absolute(self, importer: str, name: str) -> str | None:
        """The place that `import name` means in the file `importer`; None when it is not in the workspace."""
        folder = importer.rpartition("/")[0]
        key = (folder, name)
        if key not in self._found:
            self._found[key] = self._absolute(folder, name)
        return self._found[key]

    def _absolute(self, folder: str, name: str) -> str | None:
        parts = name.split(".")
        for root in self._search_path(folder):
            if parts[0] in STANDARD_LIBRARY and root not in self._roots:
                continue  # beside a script, but far more likely meant: the standard library's
            place = self._below(root, parts)
            if place is not None:
                return place
        return None

    def _search_path(self, folder: str) -> tuple[str, ...]:
        path = self._near.get(folder)
        if path is None:
            around: list[str] = []
            current = folder
            while True:
                if current not in self._packages:
                    around.append(current)
                if not current:
                    break
                current = current.rpartition("/")[0]
            # Among packages of the same name the nearest is meant.
            others = sorted(self._ordered_roots, key=lambda root: -_common(root, folder))
            path = self._near[folder] = tuple(dict.fromkeys((*around, *others)))
        return path

    def _inside(self, folder: str, name: str) -> str | None:
        base = f"{folder}/{name}" if folder else name
        if base in self._packages:
            return self._packages[base]
        for suffix in (".py", ".pyw"):
            if base + suffix in self._files:
                return base + suffix
        return base if base in self._folders else None

    def submodule(self, place: str, name: str) -> str | None:
        """The module `name` of the package at `place`."""
        if place in self._files:
            folder, _, leaf = place.rpartition("/")
            if leaf.rpartition(".")[0] != "__init__":
                return None
            return self._inside(folder, name)
        return self._inside(place, name)

    def relative(self, importer: str, level: int, name: str) -> str | None:
        """The place that `from ..name import` means; None when it is not in the workspace."""
        folder = importer.rpartition("/")[0]
        for _ in range(level - 1):
            if not folder:
                return None
            folder = folder.rpartition("/")[0]
        if not name:
            return self._packages.get(folder, folder if folder in self._folders or not folder else None)
        return self._below(folder, name.split("."))

    def _below(self, folder: str, parts: list[str]) -> str | None:
        """The place below a folder; files win over namespace packages, as they do for Python."""
        place: str | None = self._inside(folder, parts[0])
        for part in parts[1:]:
            place = self.submodule(place, part) if place is not None else None
        return place


def _root(path: str, module: str) -> str:
    """The folder from which a file has its module name."""
    folder, _, name = path.rpartition("/")
    depth = module.count(".") + (name.rpartition(".")[0] == "__init__")
    for _ in range(depth):
        folder = folder.rpartition("/")[0]
    return folder


def _common(one: str, other: str) -> int:
    count = 0
    for mine, its in zip(one.split("/") if one else [], other.split("/"), strict=False):
        if mine != its:
            break
        count += 1
    return count
