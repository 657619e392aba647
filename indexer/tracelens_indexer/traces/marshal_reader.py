"""A strict reader of marshal, for the few types that a pstats file is made of.

Python documents `marshal.load` as unsafe for data that one does not trust. This reader knows dictionaries, tuples,
strings, integers, floats, None, True, False and back references; any other type code, code objects first of all, is
refused. Every length is checked against the bytes that are there, so a small file cannot ask for much memory.
Source of the format: CPython's Python/marshal.c, versions 0 to 5.
"""

from __future__ import annotations

import struct
from typing import Any

MAX_DEPTH = 16
_INT = struct.Struct("<i")
_SHORT = struct.Struct("<H")
_INT64 = struct.Struct("<q")
_FLOAT = struct.Struct("<d")
_FLAG_REF = 0x80
_PENDING = object()
_MAX_DIGITS = 64
"""15-bit digits of a big integer: far more than any counter, far less than a burden."""


class MarshalError(ValueError):
    """Not marshal, damaged, cut short, or of a type that is refused."""


def loads(data: bytes) -> Any:
    """The first value in `data`. Raises MarshalError, and nothing else."""
    reader = _Reader(data)
    try:
        return reader.value(0)
    except (IndexError, struct.error) as error:
        raise MarshalError(f"cut short at byte {reader.at}") from error
    except (TypeError, OverflowError, UnicodeDecodeError) as error:
        raise MarshalError(f"damaged near byte {reader.at}") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.refs: list[Any] = []

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise MarshalError(f"nested too deeply at byte {self.at}")
        code = self.data[self.at]
        self.at += 1
        flag = code & _FLAG_REF
        code &= ~_FLAG_REF
        if code == 0x72:  # r
            return self._reference()
        if code in _CONTAINERS:
            slot = -1
            if flag:
                slot = len(self.refs)
                self.refs.append(_PENDING)
            value = self._dict(depth) if code == 0x7B else self._tuple(code, depth)
            if slot >= 0:
                self.refs[slot] = value
            return value
        value = self._scalar(code)
        if flag:
            self.refs.append(value)
        return value

    def _reference(self) -> Any:
        index = self._int()
        if not 0 <= index < len(self.refs) or self.refs[index] is _PENDING:
            raise MarshalError(f"bad back reference at byte {self.at}")
        return self.refs[index]

    def _dict(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while self.data[self.at] & ~_FLAG_REF != 0x30:  # 0, the end
            key = self.value(depth + 1)
            found[key] = self.value(depth + 1)
        self.at += 1
        return found

    def _tuple(self, code: int, depth: int) -> tuple[Any, ...]:
        size = self._byte() if code == 0x29 else self._int()
        self._expect(size)
        return tuple([self.value(depth + 1) for _ in range(size)])

    def _scalar(self, code: int) -> Any:
        if code == 0x69:  # i
            return self._int()
        if code == 0x67:  # g
            return _FLOAT.unpack(self._take(8))[0]
        if code in (0x7A, 0x5A):  # z Z
            return self._take(self._byte()).decode("ascii")
        if code in (0x61, 0x41):  # a A
            return self._take(self._int()).decode("ascii")
        if code in (0x75, 0x74):  # u t
            return self._take(self._int()).decode("utf-8", "surrogatepass")
        if code == 0x6C:  # l
            return self._big()
        if code == 0x49:  # I
            return _INT64.unpack(self._take(8))[0]
        if code == 0x66:  # f
            try:
                return float(self._take(self._byte()))
            except ValueError as error:
                raise MarshalError(f"bad number at byte {self.at}") from error
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        raise MarshalError(f"type {chr(code)!r} at byte {self.at - 1} is refused")

    def _big(self) -> int:
        size = self._int()
        if abs(size) > _MAX_DIGITS:
            raise MarshalError(f"number too big at byte {self.at}")
        number = 0
        for position in range(abs(size)):
            number |= _SHORT.unpack(self._take(2))[0] << (15 * position)
        return -number if size < 0 else number

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _int(self) -> int:
        return int(_INT.unpack(self._take(4))[0])

    def _take(self, size: int) -> bytes:
        self._expect(size)
        self.at += size
        return self.data[self.at - size : self.at]

    def _expect(self, size: int) -> None:
        if not 0 <= size <= len(self.data) - self.at:
            raise MarshalError(f"cut short at byte {self.at}")


_CONTAINERS = frozenset(b"{()")
_CONSTANTS = {0x4E: None, 0x54: True, 0x46: False}
