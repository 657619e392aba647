"""Open documents: their text as the client edits it, and the snapshots that answers are made from.

The text is kept here rather than by the protocol library, whose lines also end at form feeds and other separators
that editors do not count as line ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tracelens.answers.document import DocumentSnapshot, following
from tracelens_lsp import convert
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.protocol.types import Encoding


class OpenDocument:
    """One open document. Its snapshot is replaced, never changed."""

    def __init__(self, uri: str, root: Path, path: str, text: str, version: int) -> None:
        self.uri = uri
        self.root = root
        """Of the workspace that the document lies in."""
        self.snapshot = DocumentSnapshot(path, _encoded(text), version)

    def change(self, changes: Sequence[lsp.TextDocumentContentChangeEvent], version: int, encoding: Encoding) -> None:
        snapshot = self.snapshot
        text = snapshot.text
        for change in changes:
            if change.range is not None:
                # Of the snapshot the lines are known already.
                at = snapshot if text is snapshot.text else DocumentSnapshot(snapshot.path, text)
                start, end = _offset(at, change.range.start, encoding), _offset(at, change.range.end, encoding)
                text = text[:start] + _encoded(change.text) + text[max(start, end) :]
            else:
                text = _encoded(change.text)
        self.snapshot = following(snapshot, text, version)


def _offset(document: DocumentSnapshot, position: lsp.Position, encoding: Encoding) -> int:
    """A position beyond the end means the end."""
    at = convert.position_from(document, position, encoding)
    offset = document.offset(at) if at else None
    return len(document.text) if offset is None else offset


def _encoded(text: str) -> bytes:
    # A lone surrogate is legal JSON and no text; "?" keeps one character for one.
    return text.encode("utf-8", "replace")
