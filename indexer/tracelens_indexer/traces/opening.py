"""Opening a trace file: plain, compressed or from a pipe, as one seekable stream, with the hash of its content.

What cannot be a trace is refused here with one clear line: missing, a folder, unreadable, empty. Compressed data and
pipes are unpacked into a temporary file without a name, up to a limit, so that a small file cannot fill the disk.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO, cast

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces import unpack

MAX_UNPACKED = 16 * 1024**3
MAX_RATIO = 200
"""Bytes out of a byte in, beyond the first 64 MB: text of traces packs 10 to 50 times."""
FREE = 64 * 1024 * 1024
_BLOCK = 1 << 20
_MAX_LAYERS = 4


@dataclass(frozen=True, slots=True)
class OpenTrace:
    stream: BinaryIO
    """Seekable, at its start."""
    name: str
    """The file's name, or "pipe"."""
    size: int
    """Bytes, unpacked."""
    content_hash: str
    """blake2b-16 hex of the unpacked bytes: the same trace, packed or not, is imported once."""
    mtime_ns: int
    """When the file was written; 0 for a pipe."""
    damaged: bool = False
    """Compressed, and only what came before the damage is here."""


@contextmanager
def open_trace(path: Path) -> Iterator[OpenTrace]:
    """Raises NotATrace. `-` reads standard input."""
    if str(path) == "-":
        with spooled(cast(BufferedIOBase, sys.stdin.buffer), "pipe", None) as (stream, whole):
            yield described(stream, "pipe", 0, whole)
        return
    try:
        if path.is_dir():
            raise NotATrace(f"{path}: is a folder. Name the trace file in it")
        with path.open("rb") as file:
            mtime_ns = path.stat().st_mtime_ns
            if not path.is_file():
                # A named pipe or process substitution.
                with spooled(file, path.name, None) as (stream, whole):
                    yield described(stream, path.name, 0, whole)
            elif kind := unpack.layer(file.read(unpack.LONGEST_MAGIC)):
                file.seek(0)
                with spooled(unpack.unpacking(file, kind), path.name, path.stat().st_size) as (stream, whole):
                    yield described(stream, path.name, mtime_ns, whole)
            else:
                file.seek(0)
                yield described(file, path.name, mtime_ns)
    except FileNotFoundError as error:
        raise NotATrace(f"{path}: no such file") from error
    except PermissionError as error:
        raise NotATrace(f"{path}: cannot be read (permission denied)") from error
    except OSError as error:
        if error.filename is None or str(error.filename) != str(path):
            raise
        raise NotATrace(f"{path}: cannot be read ({error.strerror or error})") from error


@contextmanager
def spooled(source: BufferedIOBase, name: str, packed: int | None, layers: int = 0) -> Iterator[tuple[BinaryIO, bool]]:
    """All of `source` in a temporary file, and whether it was whole; layers of compression inside are taken off.

    `packed`: bytes that `source` unpacks from; None when it is not compressed.
    """
    with tempfile.TemporaryFile() as file:
        spool = cast(BinaryIO, file)
        whole = _copy(source, spool, name, packed)
        size = spool.tell()
        spool.seek(0)
        kind = unpack.layer(spool.read(unpack.LONGEST_MAGIC))
        spool.seek(0)
        if kind:
            if layers >= _MAX_LAYERS:
                raise NotATrace(f"{name}: is compressed more than {_MAX_LAYERS} times. Refused")
            with spooled(unpack.unpacking(spool, kind), name, size, layers + 1) as (inner, inner_whole):
                yield inner, whole and inner_whole
            return
        yield spool, whole


def _copy(source: BufferedIOBase, target: BinaryIO, name: str, packed: int | None) -> bool:
    """Copy up to the end, or to where compressed data is damaged: what came before may still be of use."""
    written = 0
    while True:
        try:
            # Not read(): it would lose what it had unpacked before the damage.
            block = source.read1(_BLOCK)
        except unpack.Damage as error:
            if packed is None:
                raise
            if written:
                return False
            raise NotATrace(f"{name}: a damaged compressed file. Copy it again") from error
        if not block:
            return True
        written += len(block)
        if written > MAX_UNPACKED:
            raise NotATrace(f"{name}: more than {MAX_UNPACKED >> 30} GB unpacked. Import a part of it")
        if packed is not None and written > FREE + packed * MAX_RATIO:
            raise NotATrace(f"{name}: unpacks to over {MAX_RATIO} times its size, which no trace does. Refused")
        target.write(block)


def described(stream: BinaryIO, name: str, mtime_ns: int, whole: bool = True) -> OpenTrace:
    digest = blake2b(digest_size=16)
    size = 0
    while block := stream.read(_BLOCK):
        digest.update(block)
        size += len(block)
    stream.seek(0)
    if not size:
        raise NotATrace(f"{name}: not a trace I can read (empty)")
    return OpenTrace(stream, name, size, digest.hexdigest(), mtime_ns, not whole)
