"""Messages as bytes: a header with the length, and JSON-RPC 2.0 behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

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


def frames(stream: BinaryIO) -> Iterator[bytes]:
    """The bodies of a stream's messages until it ends. A header without a length is passed over; raises ValueError for
    what can only be another protocol, since nothing says where the next message would begin."""
    while (length := _header(stream)) is not None:
        body = stream.read(length)
        if len(body) < length:
            return
        yield body


def _header(stream: BinaryIO) -> int | None:
    """The length that the next header gives; None at the end of the stream."""
    length = None
    while line := stream.readline(_LONGEST_HEADER):
        if line in (b"\r\n", b"\n"):
            if length is not None:
                return length
            continue
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            length = int(value)
            if length > _LARGEST_BODY:
                raise ValueError(f"a message of {length} bytes")
        elif not line.endswith(b"\n") and len(line) == _LONGEST_HEADER:
            raise ValueError("a header that does not end")
    return None


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
