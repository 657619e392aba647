"""A patch: new content for one file, made for one known content, shown as a diff, applied only when asked.

Editing is splicing: what is not edited keeps its bytes, its newlines and its encoding.
"""

from __future__ import annotations

import ast
import difflib
import io
import os
import re
import tempfile
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath

from tracelens_indexer.errors import TraceLensError

_LARGEST = 8 * 1024 * 1024


class PatchRefused(TraceLensError):
    """A patch may not be applied; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters from `start` up to `end` of a file's text. Equal ones insert."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Source:
    """A file's text as it is on disk, with its syntax tree and the way between the two."""

    path: str
    """Relative to the workspace, with /."""
    content: bytes
    encoding: str
    text: str
    """Decoded, newlines as they are."""

    @classmethod
    def read(cls, root: Path, path: str) -> Source:
        """Raises TraceLensError when it cannot be read or decoded."""
        file = inside(root, path)
        try:
            if file.stat().st_size > _LARGEST:
                raise TraceLensError(f"{path}: too large to be fixed")
            content = file.read_bytes()
            encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
            return cls(path, content, encoding, content.decode(encoding))
        except OSError as error:
            raise TraceLensError(f"{path}: {error.strerror}") from None
        except (SyntaxError, UnicodeDecodeError, LookupError) as error:
            raise TraceLensError(f"{path}: cannot be decoded: {error}") from None

    @property
    def hash(self) -> str:
        return content_hash(self.content)

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    @cached_property
    def tree(self) -> ast.Module:
        """Raises TraceLensError when our Python cannot parse it."""
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError) as error:
            where = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            raise TraceLensError(f"{self.path}{where}: does not parse, so that nothing can be edited in it") from None

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in re.finditer(r"\r\n|\r|\n", self.text))]

    def offset(self, line: int, column: int) -> int:
        """Index in `text` of a place as `ast` gives it: 1-based line, column in bytes of UTF-8."""
        start = self._line_starts[line - 1]
        rest = self.text[start : start + column]
        if rest.isascii():
            return start + column
        end = self._line_starts[line] if line < len(self._line_starts) else len(self.text)
        return start + len(self.text[start:end].encode()[:column].decode(errors="ignore"))

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.offset(node.lineno, node.col_offset), self.offset(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.expr | ast.stmt) -> str:
        """The node's text as it is written."""
        start, end = self.span(node)
        return self.text[start:end]

    def line_start(self, line: int) -> int:
        return self._line_starts[line - 1]

    def line(self, line: int) -> str:
        """The text of a line without its newline; "" when there is none."""
        if not 1 <= line <= len(self._line_starts):
            return ""
        end = self._line_starts[line] if line < len(self._line_starts) else len(self.text)
        return self.text[self._line_starts[line - 1] : end].rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Patch:
    path: str
    made_for: str
    """Hash of the content that it was made for."""
    content: bytes
    """The whole file with the patch."""
    diff: str
    """Unified, with a/ and b/ before the path."""

    @property
    def size(self) -> int:
        """Lines added and removed."""
        lines = self.diff.splitlines()[2:]
        return sum(line.startswith(("+", "-")) for line in lines)


def content_hash(content: bytes) -> str:
    return sha256(content).hexdigest()


def make_patch(source: Source, edits: Iterable[Edit]) -> Patch:
    """Splice edits into a source. Raises ValueError when they overlap, change nothing or leave what does not parse."""
    text = source.text
    following = len(text) + 1
    for edit in sorted(edits, key=lambda one: (one.start, one.end), reverse=True):
        if not 0 <= edit.start <= edit.end <= len(text) or edit.end > following:
            raise ValueError("edits overlap")
        text = text[: edit.start] + edit.text.replace("\n", source.newline) + text[edit.end :]
        following = edit.start
    if text == source.text:
        raise ValueError("nothing is changed")
    try:
        ast.parse(text)
    except (SyntaxError, RecursionError) as error:
        raise ValueError(f"does not parse: {error}") from None
    before = source.text.splitlines(keepends=True)
    after = text.splitlines(keepends=True)
    lines = difflib.unified_diff(before, after, f"a/{source.path}", f"b/{source.path}")
    diff = "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
    return Patch(source.path, source.hash, text.encode(source.encoding), diff)


def apply(root: Path, patch: Patch) -> Path:
    """Write a patch to the user's file. Only for an explicit request.

    Raises PatchRefused when the file is not what the patch was made for any more. The file is replaced at once and
    keeps its mode.
    """
    file = inside(root, patch.path).resolve()
    try:
        content = file.read_bytes()
        mode = file.stat().st_mode
    except OSError as error:
        raise PatchRefused(f"{patch.path}: {error.strerror}; nothing was changed") from None
    if content_hash(content) != patch.made_for:
        raise PatchRefused(f"{patch.path} has changed since the fix was made; nothing was changed. Ask for it again")
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".tracelens")
        try:
            with os.fdopen(handle, "wb") as temporary:
                temporary.write(patch.content)
                temporary.flush()
                os.fsync(temporary.fileno())
            Path(name).chmod(mode & 0o7777)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PatchRefused(f"{patch.path}: {error.strerror}; nothing was changed") from None
    return file


def inside(root: Path, path: str) -> Path:
    """A file of the workspace. Raises PatchRefused for a path that leads out of it."""
    pure = PurePosixPath(path)
    file = root.joinpath(*pure.parts)
    if pure.is_absolute() or ".." in pure.parts or not file.resolve().is_relative_to(root.resolve()):
        raise PatchRefused(f"{path}: not in the workspace")
    return file
