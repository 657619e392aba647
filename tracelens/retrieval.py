"""Search over the units of a workspace: by words and, where an embedder is configured, by meaning.

Heavy (LanceDB, perhaps a transformer): for the command line and the search worker, never for the server's process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tracelens_indexer.embedding.choose import embedder_for
from tracelens_indexer.embedding.protocol import Embedder
from tracelens_indexer.embedding.text import search_words
from tracelens_indexer.store import Index, Layout
from tracelens_indexer.store.answers import SearchHit
from tracelens_indexer.store.vectors import SearchTable, reciprocal_rank_fusion

_CANDIDATES = 50
_LONGEST_QUERY = 2_000


class Searcher:
    """Keeps the table and the model between searches."""

    def __init__(self, root: Path, embedding_model: str) -> None:
        self._root = root
        self._table = SearchTable(Layout(root).vectors)
        self._embedder: Embedder | None = embedder_for(embedding_model)

    def search(self, index: Index, query: str, limit: int = 20) -> list[SearchHit]:
        """The units that answer a query, best first."""
        query = query.strip()[:_LONGEST_QUERY]
        if not query:
            return []
        vector = None
        if self._embedder and index.state().embedder == self._embedder.name:
            vector = self._embedder.embed([query])[0]
        ranked = self._table.search(search_words(query), vector, max(_CANDIDATES, limit))
        scores = reciprocal_rank_fusion(ranked)
        best = sorted(scores, key=lambda unit: (-scores[unit], unit))
        units = index.units_by_id(best)
        words, meaning = set(ranked.words), set(ranked.meaning)
        hits = [
            SearchHit(units[unit], scores[unit], _how(unit in words, unit in meaning)) for unit in best if unit in units
        ]
        return hits[:limit]

    @property
    def by_meaning(self) -> bool:
        return self._embedder is not None


def _how(words: bool, meaning: bool) -> tuple[str, ...]:
    return tuple(name for name, found in (("words", words), ("meaning", meaning)) if found)


def similar_code(root: Path, embedding_model: str, index: Index, text: str, limit: int = 3) -> Sequence[SearchHit]:
    """Units like a text; empty where nothing can be searched yet."""
    from tracelens_indexer.errors import TraceLensError

    try:
        return Searcher(root, embedding_model).search(index, text, limit)
    except TraceLensError:
        return ()
