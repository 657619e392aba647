"""Which files belong to the program under study: those below its root that are not somebody else's code."""

from __future__ import annotations

import os
import sys
from typing import Dict, NamedTuple, Optional, Tuple

try:
    from _sha1 import sha1  # type: ignore[import-not-found]  # without OpenSSL, which takes milliseconds to load
except ImportError:
    from hashlib import sha1

_FOREIGN = frozenset(
    ["site-packages", "dist-packages", ".tox", ".nox", ".eggs", "node_modules", ".tracelens", "__pypackages__", ".git"]
)
_MAX_SOURCE = 16 * 1024 * 1024
"""Bytes. A larger file is not read to compute its blob id."""


class SourceFile(NamedTuple):
    """A file that is in scope."""

    path: str
    """Relative to the root, with /; absolute below another included directory."""
    absolute: str
    blob: str
    """Git's id of its content when its code was first run, in hexadecimal; "" when it could not be read."""


class Scope:
    """Decides, once per file name, whether code is in scope."""

    def __init__(self, root: str, include: Tuple[str, ...] = ()) -> None:
        self.root = os.path.realpath(root)
        self.roots = (self.root, *(os.path.realpath(os.path.join(self.root, one)) for one in include))
        self._started_in = os.getcwd()
        self.known: Dict[str, Optional[SourceFile]] = {}
        """By `co_filename`; None: not in scope."""
        self._environments: Dict[str, bool] = {}
        self._folders: Dict[str, str] = {}
        """Folders by what they really are, past symbolic links: the root is named so too."""
        standard_library = os.path.dirname(os.path.realpath(os.__file__))
        recorder = os.path.dirname(os.path.realpath(__file__))
        self._excluded = tuple(one + os.sep for one in (standard_library, recorder))

    def file(self, name: str) -> Optional[SourceFile]:
        """The file that a code object's `co_filename` means, or None when it is not in scope."""
        try:
            return self.known[name]
        except KeyError:
            pass
        found = self._decide(name)
        self.known[name] = found
        return found

    def take(self, name: str) -> SourceFile:
        """Count a file as in scope, wherever it lies."""
        path = os.path.realpath(os.path.join(self._started_in, name))
        below = self.root + os.sep
        shown = path[len(below) :].replace(os.sep, "/") if path.startswith(below) else path
        return SourceFile(shown, path, _blob_id(path))

    def _decide(self, name: str) -> Optional[SourceFile]:
        if not name or name[0] == "<" or os.path.splitext(name)[1] not in (".py", ".pyw", ""):
            return None
        if name.startswith(self._excluded) or "site-packages" in name:
            return None
        folder, base = os.path.split(os.path.join(self._started_in, name))
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = os.path.realpath(folder)
        path = os.path.join(real, base)
        if path.startswith(self._excluded):
            return None
        for root in self.roots:
            below = root if root.endswith(os.sep) else root + os.sep
            if path.startswith(below):
                parts = path[len(below) :].split(os.sep)
                if self._foreign(root, parts[:-1]):
                    return None
                blob = _blob_id(path)
                if not blob and not os.path.isfile(path):
                    return None
                shown = "/".join(parts) if root == self.root else path
                return SourceFile(shown, path, blob)
        return None

    def _foreign(self, root: str, folders: list[str]) -> bool:
        if not _FOREIGN.isdisjoint(folders):
            return True
        if (
            folders
            and folders[0] in ("build", "dist")
            and not os.path.exists(os.path.join(root, folders[0], "__init__.py"))
        ):
            return True
        place = root
        for folder in folders:
            place = os.path.join(place, folder)
            virtual = self._environments.get(place)
            if virtual is None:
                virtual = os.path.exists(os.path.join(place, "pyvenv.cfg")) or place == os.path.realpath(sys.prefix)
                self._environments[place] = virtual
            if virtual:
                return True
        return False


def _blob_id(path: str) -> str:
    try:
        if os.path.getsize(path) > _MAX_SOURCE:
            return ""
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return ""
    return str(sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest())
