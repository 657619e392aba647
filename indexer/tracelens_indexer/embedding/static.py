"""The default embedder: a table of word-piece vectors trained by training/train.py. Needs numpy and tokenizers alone.

A text's vector is the weighted mean of the vectors of its word pieces, of length 1. The table ships in weights/ as int8
with one scale per row; weights/README.md is its model card. Nothing is ever fetched from anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens_indexer.embedding.pieces import Pieces
from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("weights")
MOST_PIECES = 512
"""Word pieces of a text that count; the rest of a longer one is not read."""
_WHOLE = 16
"""Pieces at the beginning of a text that count fully, the one at place n after them 16/n: a unit's name, signature and
docstring say more than its body (.41 → .50 MRR on the development projects, by vectors alone)."""
MOST_CHARACTERS = 1_200
"""What comes later counts next to nothing, and splitting text into pieces is what embedding costs."""
_CHUNK = 1_024


def shares(pieces: int) -> NDArray[float32]:
    """How much each of so many word pieces counts, by its place."""
    import numpy

    return numpy.minimum(1.0, _WHOLE / numpy.arange(1, pieces + 1, dtype=numpy.float32)).astype(numpy.float32)


class StaticEmbedder:
    """Loads its table (8 MB) at the first use."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        return "tracelens-static"

    @cached_property
    def version(self) -> str:
        """The identity of the weights, written at export."""
        try:
            return (self._folder / "version.txt").read_text(encoding="ascii").strip()
        except OSError as error:
            raise self._damaged(error) from error

    @property
    def dimension(self) -> int:
        return int(self._table[0].shape[1])

    @cached_property
    def _table(self) -> tuple[NDArray[Any], NDArray[float32]]:
        """(int8 rows, the scale of each)."""
        import numpy

        try:
            rows = numpy.load(self._folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
            scales = numpy.load(self._folder / "scales.npy", allow_pickle=False).astype(numpy.float32)
        except (OSError, ValueError) as error:
            raise self._damaged(error) from error
        if rows.dtype != numpy.int8 or rows.ndim != 2 or scales.shape != (rows.shape[0],):
            raise self._damaged(ValueError("the table and its scales do not fit each other"))
        return rows, scales

    @cached_property
    def _pieces(self) -> Pieces:
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as error:  # the library raises bare Exception
            raise self._damaged(error) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return Pieces(tokenizer)

    def _damaged(self, error: Exception) -> TraceLensError:
        return TraceLensError(
            f"the default embedding model in {self._folder} cannot be read ({error}): install TraceLens again, or set "
            'model = "none" under [embedding] to search by words alone'
        )

    def embed(self, texts: Sequence[str]) -> NDArray[float32]:
        """(len(texts), dimension), rows of length 1; a text without any word piece gets the vector of "unknown"."""
        import numpy

        out = numpy.zeros((len(texts), self.dimension), dtype=numpy.float32)
        rows, scales = self._table
        counts = shares(MOST_PIECES)
        for start in range(0, len(texts), _CHUNK):
            # The library takes only what is valid Unicode; source that is not has lone surrogates.
            batch = [_valid(text[:MOST_CHARACTERS]) for text in texts[start : start + _CHUNK]]
            for place, pieces in enumerate(self._pieces.of(batch), start):
                ids = numpy.array(pieces[:MOST_PIECES] or [_UNKNOWN])
                out[place] = (scales[ids] * counts[: len(ids)]) @ rows.take(ids, axis=0).astype(numpy.float32)
        out /= numpy.linalg.norm(out, axis=1, keepdims=True) + 1e-12
        return out


_UNKNOWN = 100
"""The row of [UNK] in the vocabulary."""


def _valid(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
