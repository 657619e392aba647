"""Compressed data: what it is by its first bytes, and readers that unpack it piece by piece.

gzip, xz, bzip2 and zstd. zstd is in Python's library from 3.14; before, the package `zstandard` is used where it is
installed. How much comes out is bounded by who reads (opening.py); a single message is bounded here.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from importlib import import_module
from io import BufferedIOBase, BytesIO
from typing import Any, BinaryIO, cast

from tracelens_indexer.errors import NotATrace

GZIP = b"\x1f\x8b"
XZ = b"\xfd7zXZ\x00"
BZIP2 = b"BZh"
ZSTD = b"\x28\xb5\x2f\xfd"
LONGEST_MAGIC = 6
_MAX_WINDOW = 128 * 1024 * 1024
"""Bytes of history that zstd may ask for: `zstd --long` makes no more by default."""
_MAX_XZ_MEMORY = 256 * 1024 * 1024

Damage = (EOFError, OSError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, ValueError)
"""What reading damaged data raises; zstd's own errors are turned into OSError here."""


def layer(head: bytes) -> str:
    """ "gzip", "xz", "bzip2", "zstd", or "" for data that is not compressed."""
    for name, magic in (("gzip", GZIP), ("xz", XZ), ("bzip2", BZIP2), ("zstd", ZSTD)):
        if head.startswith(magic):
            return name
    return ""


def unpacking(source: BinaryIO, name: str) -> BufferedIOBase:
    """A stream of what `source` unpacks to; `name` is from `layer`. Raises NotATrace when zstd cannot be read here."""
    if name == "gzip":
        return gzip.GzipFile(fileobj=source)
    if name == "xz":
        return cast(BufferedIOBase, _Xz(source))
    if name == "bzip2":
        return bz2.BZ2File(source)
    return cast(BufferedIOBase, _Zstd(source))


def unpacked(data: bytes, limit: int) -> bytes:
    """A zstd message, whole. Raises NotATrace when it unpacks to more than `limit` bytes or is damaged."""
    reader = _Zstd(BytesIO(data))
    found = bytearray()
    try:
        while block := reader.read1(1 << 20):
            found += block
            if len(found) > limit:
                raise NotATrace(f"a message that unpacks to over {limit >> 20} MB. Refused")
    except Damage as error:
        raise NotATrace("a damaged zstd message") from error
    return bytes(found)


class _Xz:
    """xz with a limit on the memory that a file may ask for, which lzma.LZMAFile has not."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._decompressor = lzma.LZMADecompressor(memlimit=_MAX_XZ_MEMORY)

    def read1(self, size: int) -> bytes:
        while True:
            if self._decompressor.eof:
                rest = self._decompressor.unused_data or self._source.read(1 << 16)
                if not rest.strip(b"\0"):
                    return b""
                # Another stream follows.
                self._decompressor = lzma.LZMADecompressor(memlimit=_MAX_XZ_MEMORY)
                block = self._decompressor.decompress(rest, size)
            elif self._decompressor.needs_input:
                more = self._source.read(1 << 16)
                if not more:
                    raise EOFError
                block = self._decompressor.decompress(more, size)
            else:
                block = self._decompressor.decompress(b"", size)
            if block:
                return block


class _Zstd:
    def __init__(self, source: BinaryIO) -> None:
        self._read, self._errors = _zstd_reader(source)

    def read1(self, size: int) -> bytes:
        try:
            return bytes(self._read(size))
        except self._errors as error:
            raise OSError("damaged zstd data") from error


def _zstd_reader(source: BinaryIO) -> tuple[Callable[[int], bytes], type[Exception]]:
    try:
        zstd: Any = import_module("compression.zstd")
    except ImportError:
        pass
    else:
        options = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW.bit_length() - 1}
        return zstd.ZstdFile(source, options=options).read1, zstd.ZstdError
    try:
        zstandard: Any = import_module("zstandard")
    except ImportError as error:
        raise NotATrace(
            "zstd-compressed, which this Python cannot read: install the package zstandard beside TraceLens, "
            "or unpack it first:  zstd -d FILE"
        ) from error
    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    return decompressor.stream_reader(source, read_across_frames=True).read, zstandard.ZstdError
