"""From the user's setting to an embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracelens_indexer.embedding.protocol import Embedder
from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from tracelens_indexer.embedding.endpoint import Endpoint

OFF = "none"
"""The setting that switches meaning off: search is full text."""

AT_ENDPOINT = "endpoint:"
"""Prefix of a model that the configured endpoint serves: "endpoint:text-embedding-3-small"."""


def embedder_for(model: str, endpoint: Endpoint | None = None) -> Embedder | None:
    """The embedder of a setting: "" is the static model that ships with TraceLens, "none" is none, "endpoint:NAME" is
    a model at the endpoint, anything else is a sentence-transformers model. Each loads at its first use."""
    if model == OFF:
        return None
    if not model:
        from tracelens_indexer.embedding.static import StaticEmbedder

        return StaticEmbedder()
    if model.startswith(AT_ENDPOINT):
        from tracelens_indexer.embedding.endpoint import EndpointEmbedder

        if endpoint is None:
            raise TraceLensError(f"the embedding model {model} needs base_url under [embedding] in your settings")
        return EndpointEmbedder(endpoint, model.removeprefix(AT_ENDPOINT))
    from tracelens_indexer.embedding.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(model)
