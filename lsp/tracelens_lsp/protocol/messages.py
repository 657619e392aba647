"""Messages as bytes: a header with the length, and JSON-RPC 2.0 behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

_LONGEST_HEADER = 8 * 1024
_CHUNK = 64 * 1024
_LARGEST_BODY = 512 * 1024 * 1024
"""More than a document of the largest size in the widest escapes; what says it is larger is not read."""

Id = int | str


class Message(Struct):
    """A request, a notification or a response; what is inside is decoded by whoever knows its type."""

    id: Id | UnsetType | None = UNSET
    method: str | UnsetType = UNSET
    params: Raw = Raw(b"null")
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


class NotAMessage(ValueError):
    """The JSON is none, or no message of the protocol."""


_envelopes = msgspec.json.Decoder(Message)


class Frames:
    """The bodies of a stream's messages, until it ends. Raises ValueError for what can only be another protocol, since
    nothing says where the next message would begin."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """`read` waits for some bytes, at most so many, and gives none at the end. It is not a buffered file: such a
        file cannot be closed while a thread waits for it, and the interpreter aborts when it tries to at its end."""
        self._read = read
        self._kept = bytearray()

    def __iter__(self) -> Iterator[bytes]:
        while (length := self._header()) is not None:
            while len(self._kept) < length:
                if not self._more():
                    return
            body = bytes(self._kept[:length])
            del self._kept[:length]
            yield body

    def _header(self) -> int | None:
        """The length that the next header gives; None at the end. A header without a length is passed over."""
        length = None
        while (line := self._line()) is not None:
            name, _, value = line.partition(b":")
            if not line and length is not None:
                return length
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value)
                if length > _LARGEST_BODY:
                    raise ValueError(f"a message of {length} bytes")
        return None

    def _line(self) -> bytes | None:
        while (end := self._kept.find(b"\n")) < 0:
            if len(self._kept) > _LONGEST_HEADER:
                raise ValueError("a header that does not end")
            if not self._more():
                return None
        line = bytes(self._kept[:end])
        del self._kept[: end + 1]
        return line.rstrip(b"\r")

    def _more(self) -> bool:
        read = self._read(_CHUNK)
        self._kept += read
        return bool(read)


def decoded(body: bytes) -> Message:
    """Raises NotAMessage."""
    try:
        return _envelopes.decode(body)
    except msgspec.ValidationError as error:
        raise NotAMessage(str(error)) from error
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        # A lone surrogate is legal JSON and no text; "?" keeps one character for one.
        return _envelopes.decode(json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise NotAMessage(str(error)) from error


def encoded(message: dict[str, Any]) -> bytes:
    """The frame of a message."""
    message = {"jsonrpc": "2.0", **message}
    try:
        body = msgspec.json.encode(message)
    except UnicodeEncodeError:
        body = json.dumps(msgspec.to_builtins(message)).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
