"""Archives of traces: the files of a tar (plain or compressed) or zip, one after the other, within limits.

A member is unpacked into a temporary file without a name; its own name is only shown, so that a path in an archive can
lead nowhere. Links, folders and devices are passed over. What an archive may unpack to is bounded as a whole.
"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import IO, cast

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import opening, unpack
from tracelens_indexer.traces.opening import OpenTrace

MAX_MEMBERS = 20_000
_TAR_MAGIC = 257
_SMALL = 1 << 20


def is_archive(path: Path) -> bool:
    """Whether the file is a zip, or a tar in whatever compression. False for what cannot be read."""
    try:
        if str(path) == "-" or not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(_TAR_MAGIC + 5)
            if head.startswith(b"PK\x03\x04"):
                return True
            kind = unpack.layer(head)
            if kind:
                file.seek(0)
                head = unpack.unpacking(file, kind).read1(1024)
            return head[_TAR_MAGIC : _TAR_MAGIC + 5] == b"ustar"
    except (*unpack.Damage, NotATrace):
        return False


def members(path: Path) -> Iterator[OpenTrace | NotATrace]:
    """Each file of the archive, open until the next one is asked for, or why it cannot be read. Raises NotATrace when
    the archive itself is damaged, or unpacks to more than a trace could."""
    budget = _Budget(path)
    with path.open("rb") as file:
        head = file.read(unpack.LONGEST_MAGIC)
        file.seek(0)
        if head.startswith(b"PK"):
            yield from _zip(file, path, budget)
        else:
            kind = unpack.layer(head)
            if kind:
                with opening.spooled(unpack.unpacking(file, kind), path.name, path.stat().st_size) as (inner, _):
                    yield from _tar(inner, path, budget)
            else:
                yield from _tar(file, path, budget)


class _Spent(NotATrace):
    """The archive as a whole is refused."""


class _Budget:
    """What may still be unpacked: counted in bytes that came out, not in what the archive claims."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = min(opening.MAX_UNPACKED, opening.FREE + path.stat().st_size * opening.MAX_RATIO)
        self._members = 0

    def next(self) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise _Spent(f"{self._path}: holds more than {MAX_MEMBERS:,} files. Import a part of it")

    def take(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _Spent(f"{self._path}: unpacks to far more than traces do. Refused")


def _zip(file: IO[bytes], path: Path, budget: _Budget) -> Iterator[OpenTrace | NotATrace]:
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                budget.next()
                if entry.is_dir() or not entry.file_size:
                    continue
                name = f"{path.name}:{entry.filename}"
                if entry.flag_bits & 1:
                    yield NotATrace(f"{name}: is encrypted. Unpack it first")
                    continue
                try:
                    with archive.open(entry) as member:
                        yield from _member(cast(BufferedIOBase, member), name, budget)
                except (NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
                    yield NotATrace(f"{name}: cannot be unpacked ({_line(error)})")
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise NotATrace(f"{path}: a damaged zip archive ({_line(error)}). Copy it again") from error


def _tar(file: IO[bytes], path: Path, budget: _Budget) -> Iterator[OpenTrace | NotATrace]:
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for entry in archive:
                budget.next()
                if not entry.isfile() or not entry.size:
                    continue
                member = archive.extractfile(entry)
                if member is not None:
                    yield from _member(cast(BufferedIOBase, member), f"{path.name}:{entry.name}", budget)
    except (tarfile.TarError, ValueError, OSError, EOFError) as error:
        raise NotATrace(f"{path}: a damaged tar archive ({_line(error)}). Copy it again") from error


def _member(source: BufferedIOBase, name: str, budget: _Budget) -> Iterator[OpenTrace | NotATrace]:
    try:
        with opening.spooled(cast(BufferedIOBase, _Charged(source, budget)), name, None) as (stream, whole):
            yield opening.described(stream, name, 0, whole)
    except _Spent:
        raise
    except NotATrace as error:
        yield error


class _Charged:
    """A member whose bytes are counted as they come out."""

    def __init__(self, source: BufferedIOBase, budget: _Budget) -> None:
        self._source = source
        self._budget = budget

    def read1(self, size: int) -> bytes:
        block = self._source.read1(min(size, _SMALL))
        self._budget.take(len(block))
        return block


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]
