"""Search over the units of a workspace: by words, by meaning, and on request once more with a stronger model.

Heavy (LanceDB, perhaps a transformer): for the command line and the search worker, never for the server's process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tracelens import facets
from tracelens.context.near import is_test
from tracelens.facets import Allowed
from tracelens.rescoring import CANDIDATES, Rescorer, scored_again
from tracelens.settings import Settings
from tracelens_indexer.embedding.choose import embedder_for
from tracelens_indexer.embedding.endpoint import Endpoint
from tracelens_indexer.embedding.protocol import Embedder
from tracelens_indexer.embedding.text import SEARCHED_KINDS, question_words
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index, Layout
from tracelens_indexer.store.answers import SearchHit, UnitRecord
from tracelens_indexer.store.vectors import MOST_IDS, Ranked, SearchTable, fused

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

_PATIENCE = 10.0
"""Seconds that a search waits for an endpoint: a person waits for the search."""
_LISTED = 100
"""How many of each ranking are fused."""
_LONGEST_QUERY = 2_000
_FILTERED_LATER = 2_000
"""How many are listed where a filter is too large for the table and is applied to what it found."""
_WEIGHT_OF_HOTNESS = 0.12
"""A weak prior for what used the most time, where something was recorded: a cosine counts forty times as much."""
_LESS_FOR_TESTS = 0.5
"""Tests say in their names what others do in their code; who does not ask for tests wants the code."""


def configured_embedder(settings: Settings) -> Embedder | None:
    """The embedder that the user's settings name; None is search by words alone."""
    return embedder_for(settings.embedding_model, _endpoint(settings))


def _endpoint(settings: Settings, patience: float = 60.0) -> Endpoint | None:
    if not settings.embedding_base_url:
        return None
    return Endpoint(settings.embedding_base_url, settings.embedding_key, patience)


class Searcher:
    """Keeps the table and the models between searches."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self._table = SearchTable(Layout(root).vectors)
        endpoint = _endpoint(settings, _PATIENCE)
        self._embedder = embedder_for(settings.embedding_model, endpoint)
        self._rescorer: Rescorer | None = None
        if settings.rescoring_model:
            model = embedder_for(settings.rescoring_model, endpoint)
            self._rescorer = Rescorer(root, Layout(root).rescored, model) if model else None
        self.notes: list[str] = []
        """Lines for the person: why a search was by words alone."""

    def search(
        self,
        index: Index,
        query: str,
        limit: int = 20,
        where: str = "",
        runs: Sequence[int] | None = None,
    ) -> list[SearchHit]:
        """The units that answer a query, best first.

        `where` (see tracelens.facets) leaves only those that did so in the runs; without a query it lists them, the
        hottest first. Raises TraceLensError for a condition that cannot be read.
        """
        query = query.strip()[:_LONGEST_QUERY]
        self.notes = []
        allowed = facets.allowed(index, facets.parse(where), runs) if where.strip() else None
        if allowed and not index.current_runs():
            self.notes.append("nothing was recorded yet, so a filter by what ran knows of nothing")
        if not query:
            return _listed(index, allowed, limit, runs) if allowed else []
        ranked = self._ranked(query, limit, allowed)
        scores = dict(fused(ranked))
        weights = index.own_weights(runs) if index.current_runs() else {}
        for unit in scores.keys() & weights.keys():
            scores[unit] += _WEIGHT_OF_HOTNESS * weights[unit]
        units = index.units_by_id(scores)
        if not re.search(r"(^|[\W_])tests?([\W_]|$)", query, re.IGNORECASE):
            for candidate in units.values():
                scores[candidate.id] -= _LESS_FOR_TESTS * is_test(candidate)
        best = sorted(scores, key=lambda unit: (-scores[unit], unit))
        if self._rescorer:
            again = self._rescored(query, [units[unit] for unit in best if unit in units][:CANDIDATES])
            if again:
                scores = dict(scored_again(scores, again))
            best.sort(key=lambda unit: (-scores[unit], unit))
        words, meaning = set(ranked.words), set(ranked.meaning)
        hits = [
            SearchHit(units[unit], scores[unit], _how(unit in words, unit in meaning)) for unit in best if unit in units
        ]
        return hits[:limit]

    def _ranked(self, query: str, limit: int, allowed: Allowed | None) -> Ranked:
        vector = self._vector(query)
        listed = max(_LISTED, limit)
        if allowed is None:
            return self._table.search(question_words(query), vector, listed)
        if len(allowed.ids) <= MOST_IDS:
            return self._table.search(question_words(query), vector, listed, allowed.ids, inverted=allowed.inverted)
        return _left(self._table.search(question_words(query), vector, _FILTERED_LATER), allowed)

    def _vector(self, query: str) -> NDArray[float32] | None:
        """Of the query; None, with a line that says why, where search is by words alone."""
        if self._embedder is None:
            self.notes.append("found by words alone, as embedding.model says")
            return None
        name = self._embedder.name
        try:
            if not self._table.holds(f"{name}-{self._embedder.version}"):
                self.notes.append(f"found by words alone: the index has no vectors of {name} yet. Run: tracelens index")
                return None
            vector: NDArray[float32] = self._embedder.embed([query])[0]
        except TraceLensError as error:
            self.notes.append(f"found by words alone: {error}")
            return None
        if self._table.fits(vector):
            return vector
        self.notes.append(
            f"found by words alone: {name} gives vectors of {len(vector)} numbers now, the index has others. Remove"
            " .tracelens/code.lance and run: tracelens index"
        )
        return None

    def _rescored(self, query: str, candidates: Sequence[UnitRecord]) -> Mapping[int, float]:
        assert self._rescorer is not None
        try:
            return self._rescorer.cosines(query, candidates)
        except TraceLensError as error:
            # The first stage has answered already: a model that is missing or down costs its part only.
            self.notes.append(f"not scored again: {error}")
            return {}


def _how(words: bool, meaning: bool) -> tuple[str, ...]:
    return tuple(name for name, found in (("words", words), ("meaning", meaning)) if found)


def _left(ranked: Ranked, allowed: Allowed) -> Ranked:
    return Ranked(
        tuple(unit for unit in ranked.words if unit in allowed),
        tuple(unit for unit in ranked.meaning if unit in allowed),
        {unit: score for unit, score in ranked.bm25.items() if unit in allowed},
        {unit: cosine for unit, cosine in ranked.cosines.items() if unit in allowed},
        ranked.asked,
    )


def _listed(index: Index, allowed: Allowed, limit: int, runs: Sequence[int] | None) -> list[SearchHit]:
    """All that a filter leaves, without a query: the hottest first, then by place."""
    weights = index.own_weights(runs)
    if allowed.inverted:
        units = [unit for unit in index.all_units() if unit.id in allowed]
    else:
        units = list(index.units_by_id(allowed.ids).values())
    named = [unit for unit in units if unit.kind in SEARCHED_KINDS]
    named.sort(key=lambda unit: (-weights.get(unit.id, 0.0), unit.path, unit.first_line, unit.id))
    return [SearchHit(unit, weights.get(unit.id, 0.0), ("filter",)) for unit in named[:limit]]


SearchWords = Callable[[str, int], Sequence[SearchHit]]


def search_if_possible(root: Path, settings: Settings, index: Index) -> tuple[SearchWords | None, list[str]]:
    """(words, limit) → units, and lines for the person; None where nothing can be searched yet, and why."""
    notes: list[str] = []
    try:
        searcher = Searcher(root, settings)
    except TraceLensError as error:
        return None, [str(error)]

    def search(words: str, limit: int) -> Sequence[SearchHit]:
        try:
            found = searcher.search(index, words, limit)
        except TraceLensError as error:
            notes[:] = [str(error)]
            return ()
        notes[:] = searcher.notes
        return found

    return search, notes


def similar_code(root: Path, settings: Settings, index: Index, text: str, limit: int = 3) -> Sequence[SearchHit]:
    """Units like a text; empty where nothing can be searched yet."""
    try:
        return Searcher(root, settings).search(index, text, limit)
    except TraceLensError:
        return ()
