"""Messages as bytes: a header with the length, and JSON-RPC 2.0 behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

_LONGEST_HEADER = 8 * 1024
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
    """Cuts a stream into the bodies of its messages."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._length: int | None = None
        """What the header says that is being read."""
        self._in_body = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that are complete now. Raises ValueError for what can only be another protocol, since nothing
        says where the next message would begin."""
        self._kept += data
        while self._in_body or self._header():
            assert self._length is not None
            if len(self._kept) < self._length:
                return
            body = bytes(self._kept[: self._length])
            del self._kept[: self._length]
            self._in_body, self._length = False, None
            yield body

    def _header(self) -> bool:
        """Whether a header has ended. One without a length is passed over."""
        while (end := self._kept.find(b"\n")) >= 0:
            name, _, value = bytes(self._kept[:end]).rstrip(b"\r").partition(b":")
            del self._kept[: end + 1]
            if not name and self._length is not None:
                self._in_body = True
                return True
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                self._length = int(value)
                if self._length > _LARGEST_BODY:
                    raise ValueError(f"a message of {self._length} bytes")
        if len(self._kept) > _LONGEST_HEADER:
            raise ValueError("a header that does not end")
        return False


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
