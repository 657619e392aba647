"""What an embedder is. Implementations import their libraries inside their own functions: loading costs seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class Embedder(Protocol):
    """Texts to unit vectors, so that the dot product of two is the cosine of their angle."""

    @property
    def name(self) -> str:
        """Names the model: vectors of different names never meet in one table."""

    @property
    def version(self) -> str:
        """Changes when the same name would give other vectors."""

    @property
    def dimension(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> NDArray[float32]:
        """(len(texts), dimension), rows of length 1."""
