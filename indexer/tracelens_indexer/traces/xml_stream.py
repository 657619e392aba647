"""XML reports as they stream by: records are taken out element by element, and nothing in them can grow.

A document type or an entity is refused before it is expanded; damage ends the reading and is told. Nothing here knows
a format: readers subclass it and say what an element means.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Generic, TypeVar
from xml.parsers import expat

from tracelens_indexer.errors import NotATrace
from tracelens_indexer.traces.report import Report

T = TypeVar("T")
_BLOCK = 1 << 16


class XmlReader(Generic[T]):
    """One document. A subclass appends to `found` in `start`, `data` and `end`."""

    has_doctype = False
    """Whether documents of this kind name a document type; entities none may declare."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.found: list[T] = []
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self.start
        self._parser.EndElementHandler = self.end
        self._parser.CharacterDataHandler = self.data
        self._parser.EntityDeclHandler = self._entity
        if not self.has_doctype:
            self._parser.StartDoctypeDeclHandler = self._doctype

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def data(self, text: str) -> None:
        """Text inside the element that began last."""

    def end(self, name: str) -> None:
        """An element ends."""

    def read(self, stream: BinaryIO) -> Iterator[T]:
        """What is found, block by block. Raises NotATrace for a document that is refused."""
        read, going = 0, True
        while going:
            block = stream.read(_BLOCK)
            read += len(block)
            self.report.advance(read)
            going = self._feed(block) and bool(block)
            found, self.found = self.found, []
            yield from found

    def _feed(self, block: bytes) -> bool:
        try:
            self._parser.Parse(block, not block)
        except expat.ExpatError as error:
            self.report.skip("damaged XML from here on")
            self.report.note(f"the XML is damaged at line {error.lineno}: what follows was not read")
            return False
        return True

    def _doctype(self, *_: object) -> None:
        raise NotATrace("XML with a document type: refused. Such reports have none")

    def _entity(self, *_: object) -> None:
        raise NotATrace("XML that declares entities: refused. Such reports have none")
