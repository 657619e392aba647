"""The file that a recording is: a magic header, then frames of `type | length | crc32 | payload`.

It knows nothing of what the payloads mean (docs/recording-format.md says that). Writing is append-only, so a killed
process leaves a file that is readable up to its last whole frame.
"""

from __future__ import annotations

import os
import struct
import zlib
from typing import BinaryIO, Iterable, Iterator, Tuple

MAGIC = b"TLREC\x01\r\n"
"""Name, version of the container, and a line end that a text-mode copy would damage."""

MAX_PAYLOAD = 64 * 1024 * 1024
"""Bytes. A length beyond this is damage, not data: nothing is allocated for it."""

_HEADER = struct.Struct("<BII")
_CHUNK = 1 << 20

Frame = Tuple[int, bytes]


def encode(kind: int, payload: bytes) -> bytes:
    """One frame. `kind` is 0 to 255; the checksum covers it as well as the payload."""
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a payload of {len(payload)} bytes does not fit into one frame")
    return _HEADER.pack(kind, len(payload), zlib.crc32(payload, kind)) + payload


class Appender:
    """Appends frames to one file of its own, creating it (mode 0600) with the first frame.

    The file is opened for each append and closed again: a descriptor that is kept could be closed by the program
    that is being recorded (daemons close all they find), and its number be given to one of the program's own files.
    Not thread-safe; its owner holds a lock.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.size = 0
        """Bytes written so far."""

    def append(self, frames: Iterable[Frame]) -> None:
        data = b"".join(encode(kind, payload) for kind, payload in frames)
        if not data:
            return
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        if not self.size:
            flags |= os.O_CREAT | os.O_EXCL
            data = MAGIC + data
        descriptor = os.open(self.path, flags, 0o600)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        self.size += len(data)


class Frames:
    """Iterates over the whole frames of a stream and stops, without an error, where it is torn or damaged."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.lost = 0
        """Bytes after the last good frame; known when the iteration has ended."""
        self.problem = ""
        """"" or what ended the iteration early."""

    def __iter__(self) -> Iterator[Frame]:
        head = self._exactly(len(MAGIC))
        if head != MAGIC:
            self._stop("the header is not that of a recording", len(head))
            return
        while True:
            header = self._exactly(_HEADER.size)
            if not header:
                return
            if len(header) < _HEADER.size:
                self._stop("the last frame is torn", len(header))
                return
            kind, length, checksum = _HEADER.unpack(header)
            if length > MAX_PAYLOAD:
                self._stop("a frame is damaged", len(header))
                return
            payload = self._exactly(length)
            if len(payload) < length:
                self._stop("the last frame is torn", len(header) + len(payload))
                return
            if zlib.crc32(payload, kind) != checksum:
                self._stop("a frame is damaged", len(header) + length)
                return
            yield kind, payload

    def _exactly(self, n: int) -> bytes:
        parts = []
        while n > 0:
            part = self._stream.read(min(n, _CHUNK))
            if not part:
                break
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def _stop(self, problem: str, lost: int) -> None:
        self.problem = problem
        while True:
            rest = self._stream.read(_CHUNK)
            if not rest:
                break
            lost += len(rest)
        self.lost = lost


def frames(stream: BinaryIO) -> Frames:
    """The frames of a recording: iterate over it, then ask it what was `lost`."""
    return Frames(stream)
