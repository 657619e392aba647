"""Protocol buffers on the wire, strictly and without a library: the fields of a message as they stand in it.

Only what readers need: varints, 64- and 32-bit values and length-delimited ones. Groups, field 0, lengths that leave
the message and varints of more than 64 bits are damage. Each message is walked once; nothing is copied. Source: the
encoding guide of Protocol Buffers.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int, "int | memoryview"]
"""(number, wire type, value): an integer, or for BYTES the bytes."""


class NotProtobuf(ValueError):
    """The bytes are no message, or it is cut short."""


def fields(message: memoryview) -> Iterator[Field]:
    """Raises NotProtobuf at the place of the damage, after all fields before it."""
    at, end = 0, len(message)
    while at < end:
        tag, at = varint(message, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise NotProtobuf
        if kind == BYTES:
            size, at = varint(message, at)
            if size > end - at:
                raise NotProtobuf
            yield number, kind, message[at : at + size]
            at += size
        elif kind == VARINT:
            value, at = varint(message, at)
            yield number, kind, value
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
            if size > end - at:
                raise NotProtobuf
            yield number, kind, int.from_bytes(message[at : at + size], "little")
            at += size
        else:
            raise NotProtobuf


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """(value, place after it)"""
    value = shift = 0
    end = len(message)
    while at < end:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= 1 << 64:
                raise NotProtobuf
            return value, at
        shift += 7
        if shift > 63:
            raise NotProtobuf
    raise NotProtobuf


def signed(value: int) -> int:
    """An int64 from its varint."""
    return value - (1 << 64) if value >= 1 << 63 else value


def integers(kind: int, value: int | memoryview) -> Iterator[int]:
    """The values of a repeated integer field, packed or not."""
    if isinstance(value, int):
        yield value
    elif kind == BYTES:
        at = 0
        while at < len(value):
            found, at = varint(value, at)
            yield found


def blob(value: int | memoryview) -> memoryview:
    """The bytes of a field that has to have some."""
    if isinstance(value, int):
        raise NotProtobuf
    return value


def text(value: int | memoryview, limit: int = 1 << 20) -> str:
    return bytes(blob(value)[:limit]).decode("utf-8", "replace")
