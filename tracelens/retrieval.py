"""Search over the units of a workspace: by words, by meaning, and on request once more with a stronger model.

Heavy (LanceDB, perhaps a transformer): for the command line and the search worker, never for the server's process.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tracelens.rescoring import CANDIDATES, Rescorer
from tracelens.settings import Settings
from tracelens_indexer.embedding.choose import embedder_for
from tracelens_indexer.embedding.endpoint import Endpoint
from tracelens_indexer.embedding.protocol import Embedder
from tracelens_indexer.embedding.text import search_words
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index, Layout
from tracelens_indexer.store.answers import SearchHit, UnitRecord
from tracelens_indexer.store.vectors import SearchTable, fused, reciprocal_rank_fusion

_LISTED = 100
"""How many of each ranking are fused."""
_LONGEST_QUERY = 2_000


def configured_embedder(settings: Settings) -> Embedder | None:
    """The embedder that the user's settings name; None is search by words alone."""
    return embedder_for(settings.embedding_model, _endpoint(settings))


def _endpoint(settings: Settings) -> Endpoint | None:
    if not settings.embedding_base_url:
        return None
    return Endpoint(settings.embedding_base_url, settings.embedding_key)


class Searcher:
    """Keeps the table and the models between searches."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._table = SearchTable(Layout(root).vectors)
        self._embedder = configured_embedder(settings)
        self._rescorer: Rescorer | None = None
        if settings.rescoring_model:
            model = embedder_for(settings.rescoring_model, _endpoint(settings))
            self._rescorer = Rescorer(root, Layout(root).rescored, model) if model else None
        self.notes: list[str] = []
        """Lines for the person: why a search was by words alone."""

    def search(self, index: Index, query: str, limit: int = 20) -> list[SearchHit]:
        """The units that answer a query, best first."""
        query = query.strip()[:_LONGEST_QUERY]
        self.notes = []
        if not query:
            return []
        vector = None
        if self._embedder and self._table.holds(f"{self._embedder.name}-{self._embedder.version}"):
            vector = self._embedder.embed([query])[0]
        elif self._embedder:
            self.notes.append(
                f"found by words alone: the index has no vectors of {self._embedder.name} yet. Run: tracelens index"
            )
        else:
            self.notes.append("found by words alone, as embedding.model says")
        ranked = self._table.search(search_words(query), vector, max(_LISTED, limit))
        scores = dict(fused(ranked))
        best = sorted(scores, key=lambda unit: (-scores[unit], unit))
        units = index.units_by_id(best)
        if self._rescorer:
            again = self._rescored(query, [units[unit] for unit in best if unit in units][:CANDIDATES])
            if again:
                scores = dict(reciprocal_rank_fusion(best, again))
            best.sort(key=lambda unit: (-scores[unit], unit))
        words, meaning = set(ranked.words), set(ranked.meaning)
        hits = [
            SearchHit(units[unit], scores[unit], _how(unit in words, unit in meaning)) for unit in best if unit in units
        ]
        return hits[:limit]

    def _rescored(self, query: str, candidates: Sequence[UnitRecord]) -> Sequence[int]:
        assert self._rescorer is not None
        try:
            return self._rescorer.ranked(query, candidates)
        except TraceLensError as error:
            # The first stage has answered already: a model that is missing or down costs its part only.
            self.notes.append(f"not scored again: {error}")
            return ()


def _how(words: bool, meaning: bool) -> tuple[str, ...]:
    return tuple(name for name, found in (("words", words), ("meaning", meaning)) if found)


def similar_code(root: Path, settings: Settings, index: Index, text: str, limit: int = 3) -> Sequence[SearchHit]:
    """Units like a text; empty where nothing can be searched yet."""
    try:
        return Searcher(root, settings).search(index, text, limit)
    except TraceLensError:
        return ()
