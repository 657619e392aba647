"""Reading one big JSON document piece by piece, in memory that does not grow with it.

`top_level(stream)` walks the members of the outermost object (or the items of the outermost array) and decodes one at a
time; members that are themselves long arrays can be walked item by item. The decoding is the standard library's C
scanner on a window of the text, which is faster than event-by-event streaming and, unlike it, says exactly where
a document breaks off, so that all before that place is used. A closing bracket may be missing: Chrome's own
documentation allows it.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec

BLOCK = 1 << 20
MAX_ITEM = 64 * 1024 * 1024
"""Characters of one item that is decoded whole."""
_SPACE = re.compile(r"[\s,]*")
_MEMBER = re.compile(r'\s*("(?:[^"\\]|\\.){0,1000}")\s*:\s*')
_BEGINNING = 6
"""Characters that all items begin with, most likely: `{"ph":`."""
_BETWEEN = ", \t\r\n"
_END = object()


class Broken(ValueError):
    """The document ends, or stops being JSON, at this place."""


class JsonStream:
    """A window on a JSON text. Every method raises Broken where the text ends early, and nothing else."""

    def __init__(self, stream: BinaryIO, advance: Callable[[int], None] = lambda read: None) -> None:
        self._stream = stream
        self._advance = advance
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._scan = json.JSONDecoder(strict=False).raw_decode
        self._text = ""
        self._at = 0
        self._read = 0
        self._over = False

    def start(self) -> str:
        """The first character that is not white space, "" at the end; it is consumed when it is a bracket."""
        found = self._peek()
        if found in "[{":
            self._at += 1
        return found

    def members(self) -> Iterator[str]:
        """The keys of the object whose { was consumed. The caller consumes each value before it goes on."""
        while True:
            found = self._peek()
            if found == "}":
                self._at += 1
                return
            if not found:
                raise Broken
            match = _MEMBER.match(self._text, self._at)
            while match is None or match.end() == len(self._text):
                if len(self._text) - self._at > 10_000 or not self._more():
                    if match is not None and self._over:
                        break
                    raise Broken
                match = _MEMBER.match(self._text, self._at)
            self._at = match.end()
            yield self._loads(match[1])

    def items(self, shape: Any = Any) -> Iterator[Any]:
        """The items of the array whose [ was consumed, of the shape (as msgspec has it) where they fit it."""
        many = msgspec.json.Decoder(list[shape]).decode
        while True:
            yield from self._at_once(many)
            # One at a time: the last of a window, and what is not quite JSON.
            text, at = self._text, self._at
            limit = len(text)
            try:
                while True:
                    match = _SPACE.match(text, at)
                    assert match is not None
                    at = match.end()
                    if at >= limit or text[at] == "]":
                        break
                    item, end = self._scan(text, at)
                    if end >= limit:
                        # A number may go on in the next block.
                        break
                    at = end
                    self._at = at
                    yield _fitted(item, shape)
            except (ValueError, RecursionError):
                pass
            self._at = at
            if self._peek() == "]":
                self._at += 1
                return
            item = self._value(_END)
            if item is _END:
                raise Broken
            yield _fitted(item, shape)

    def _at_once(self, many: Callable[[str], list[Any]]) -> list[Any]:
        """The objects that are whole in the window but the last, decoded together, which takes a third of the time.

        Where one ends is guessed from how the first begins. A wrong guess, inside a text or an object, leaves no JSON;
        then none is taken, and they are read one at a time.
        """
        match = _SPACE.match(self._text, self._at)
        assert match is not None
        begin = match.end()
        if self._text[begin : begin + 1] != "{":
            return []
        last = self._text.rfind(self._text[begin : begin + _BEGINNING], begin + 1)
        if last < 0:
            return []
        try:
            found = many(f"[{self._text[begin:last].rstrip(_BETWEEN)}]")
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return []
        self._at = last
        return found

    def documents(self) -> Iterator[Any]:
        """Documents that stand one after the other."""
        while self._peek():
            yield self.value()

    def value(self) -> Any:
        """The next value, whole. Raises Broken also for one that is larger than MAX_ITEM."""
        found = self._value(_END)
        if found is _END:
            raise Broken
        return found

    def _value(self, default: Any) -> Any:
        self._peek()
        while True:
            try:
                found, end = self._scan(self._text, self._at)
                if end < len(self._text) or self._over:
                    self._at = end
                    return found
            except (ValueError, RecursionError):
                if self._over:
                    return default
            if len(self._text) - self._at > MAX_ITEM or not (self._more(len(self._text) - self._at) or self._over):
                return default

    def _loads(self, text: str) -> str:
        try:
            return str(json.loads(text, strict=False))
        except ValueError as error:
            raise Broken from error

    def _peek(self) -> str:
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self, at_least: int = 0) -> bool:
        """Read on: a block, or as much again as is held, so that a long item is not scanned too often."""
        if self._over:
            return False
        block = self._stream.read(max(BLOCK, at_least))
        self._read += len(block)
        self._advance(self._read)
        if not block:
            self._over = True
        self._text = self._text[self._at :] + self._decode(block, final=not block)
        self._at = 0
        return True


def _fitted(item: Any, shape: Any) -> Any:
    try:
        return msgspec.convert(item, shape)
    except msgspec.ValidationError:
        return item
