"""From the user's setting to an embedder."""

from __future__ import annotations

from tracelens_indexer.embedding.protocol import Embedder


def embedder_for(model: str) -> Embedder | None:
    """The embedder of a setting: "" is none (search is full text), else a sentence-transformers model."""
    if not model:
        return None
    from tracelens_indexer.embedding.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(model)
