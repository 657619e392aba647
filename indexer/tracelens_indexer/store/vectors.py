"""Vectors and full text of units, in LanceDB: code.lance/ in the store.

One table per embedder, so that vectors of two models never meet; the table "words" has no vectors. Importing lancedb
costs over a second: only the worker and the command line's `index` and `search` come here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracelens_indexer.errors import StoreError
from tracelens_indexer.store.held import HeldVectors, held

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


_MOST_VERSIONS = 200
_MOST_UNINDEXED = 50
"""Rows beside the full-text index that each search may scan."""
_READERS_NEED = timedelta(seconds=10)
"""How long a version stays after it is replaced: a search reads one, and takes milliseconds."""
MOST_IDS = 20_000
"""Units that one search can be limited to, or that it can leave out."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """A unit as it is searched."""

    id: int
    path: str
    text_hash: str
    words: str


def table_name(embedder: str) -> str:
    """The table of an embedder ("name-version"; "" is full text only)."""
    return re.sub(r"[^A-Za-z0-9]+", "_", embedder).strip("_").lower() or "words"


class VectorTable:
    """The search table of one embedder; `dimension` 0 means full text only."""

    def __init__(self, folder: Path, embedder: str, dimension: int) -> None:
        self._folder = folder
        self._dimension = dimension
        self._name = table_name(embedder)
        self._table = self._open()

    def _open(self) -> Any:
        import lancedb

        try:
            self._database = lancedb.connect(str(self._folder))
            for name in _table_names(self._database):
                if name != self._name:
                    self._database.drop_table(name)
            if self._name in _table_names(self._database):
                table = self._database.open_table(self._name)
                table.count_rows()
                return table
        except Exception:
            # Everything in it can be made again: a damaged or half-written table is not worth keeping.
            shutil.rmtree(self._folder, ignore_errors=True)
            self._database = lancedb.connect(str(self._folder))
        return self._database.create_table(self._name, schema=self._schema())

    def _schema(self) -> Any:
        import pyarrow

        fields = [
            ("id", pyarrow.int64()),
            ("path", pyarrow.string()),
            ("text_hash", pyarrow.string()),
            ("words", pyarrow.string()),
        ]
        if self._dimension:
            fields.append(("vector", pyarrow.list_(pyarrow.float32(), self._dimension)))
        return pyarrow.schema(fields)

    def hashes(self, paths: Collection[str] | None = None) -> dict[int, str]:
        """Unit id to the hash of the text that is stored for it; of some files, or of all."""
        query = self._table.search().select(["id", "text_hash"]).limit(None)
        if paths is not None:
            quoted = ",".join("'" + path.replace("'", "''") + "'" for path in sorted(paths)) or "''"
            query = query.where(f"path IN ({quoted})")
        table = query.to_arrow()
        return dict(zip(table["id"].to_pylist(), table["text_hash"].to_pylist(), strict=True))

    def replace(self, rows: Sequence[TextRow], vectors: NDArray[float32] | None) -> None:
        """Insert or update rows; one atomic commit."""
        import pyarrow

        if not rows:
            return
        columns: dict[str, Any] = {
            "id": [row.id for row in rows],
            "path": [row.path for row in rows],
            "text_hash": [row.text_hash for row in rows],
            "words": [row.words for row in rows],
        }
        if vectors is not None:
            flat = pyarrow.array(vectors.reshape(-1), type=pyarrow.float32())
            columns["vector"] = pyarrow.FixedSizeListArray.from_arrays(flat, self._dimension)
        data = pyarrow.table(columns, schema=self._schema())
        if self._table.count_rows() == 0:
            self._table.add(data)
            return
        merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merge.execute(data)

    def remove(self, ids: Sequence[int]) -> None:
        for start in range(0, len(ids), 1_000):
            self._table.delete(f"id IN ({','.join(map(str, ids[start : start + 1_000]))})")

    def finish(self) -> None:
        """Keep the full-text index and the versions of the table within bounds.

        Every commit leaves a version, and merging rows into the full-text index writes it anew: done at each edit this
        made the table eight times as large within sixty. A few rows beside the index are searched as they are.
        """
        from lancedb.index import FTS

        if self._table.count_rows() == 0:
            return
        indices = [index for index in self._table.list_indices() if "words" in index.columns]
        if not indices:
            config = FTS(base_tokenizer="whitespace", stem=True, remove_stop_words=True, lower_case=True)
            self._table.create_index("words", config=config)
        elif len(self._table.list_versions()) < _MOST_VERSIONS:
            known = self._table.index_stats(indices[0].name)
            if known is not None and known.num_unindexed_rows < _MOST_UNINDEXED:
                return
        self._table.optimize(cleanup_older_than=_READERS_NEED)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Unit ids, best first, by words and by meaning (empty without a query vector)."""

    words: tuple[int, ...]
    meaning: tuple[int, ...]
    bm25: Mapping[int, float]
    """The score of each of `words`."""
    cosines: Mapping[int, float]
    """The cosine with the query of each of both; empty without a query vector."""
    asked: int = 1
    """How many different words full text was asked for."""


class SearchTable:
    """The read side. Opened once and kept: each search sees what was committed last."""

    def __init__(self, folder: Path) -> None:
        import lancedb

        if not folder.is_dir():
            raise StoreError(f"{folder}: there is nothing to search yet. Run: tracelens index")
        self._database = lancedb.connect(str(folder), read_consistency_interval=timedelta(0))
        self._memory: HeldVectors | None = None
        self._asked = ""
        """The version that was searched last."""

    def holds(self, embedder: str) -> bool:
        """Whether the stored vectors are of this embedder ("name-version"): others cannot be compared with its own."""
        return _table_names(self._database)[:1] == [table_name(embedder)]

    def fits(self, vector: NDArray[float32]) -> bool:
        """Whether a vector has the dimension of those that are stored."""
        names = _table_names(self._database)
        schema = self._database.open_table(names[0]).schema if names else None
        if schema is None or "vector" not in schema.names:
            return False
        return bool(schema.field("vector").type.list_size == len(vector))

    def search(
        self,
        words: str,
        vector: NDArray[float32] | None,
        limit: int,
        ids: Collection[int] | None = None,
        *,
        inverted: bool = False,
    ) -> Ranked:
        """`words` as `embedding.text.search_words` gives them; `vector` of the stored embedder's dimension.

        `ids`: only these units, or with `inverted` all but these; up to `MOST_IDS` of them.
        """
        try:
            return self._search(words, vector, limit, ids, inverted=inverted)
        except Exception:
            # A version that was replaced goes away after a while: one that was just being read is read anew.
            return self._search(words, vector, limit, ids, inverted=inverted)

    def _search(
        self, words: str, vector: NDArray[float32] | None, limit: int, ids: Collection[int] | None, *, inverted: bool
    ) -> Ranked:
        from lancedb.query import MatchQuery

        names = _table_names(self._database)
        if not names:
            return Ranked((), (), {}, {})
        table = self._database.open_table(names[0])
        only = "" if ids is None else f"id {'NOT ' if inverted else ''}IN ({','.join(map(str, sorted(ids)))})"
        if ids is not None and not ids:
            if not inverted:
                return Ranked((), (), {}, {})
            only = ""
        if vector is not None and "vector" not in table.schema.names:
            vector = None
        memory = self._held(table) if vector is not None else None
        bm25: dict[int, float] = {}
        cosines: dict[int, float] = {}
        if words.strip():
            columns = ["id", "_score", "vector"] if vector is not None and memory is None else ["id", "_score"]
            asked = table.search(MatchQuery(words, "words"), query_type="fts").select(columns).limit(limit)
            found = (asked.where(only, prefilter=True) if only else asked).to_arrow()
            listed = found["id"].to_pylist()
            bm25 = dict(zip(listed, found["_score"].to_pylist(), strict=True))
            if memory is not None and vector is not None:
                cosines = memory.cosines(vector, listed)
            elif vector is not None and listed:
                rows = found["vector"].combine_chunks().flatten().to_numpy().reshape(len(listed), -1)
                cosines = dict(zip(listed, (rows @ vector).tolist(), strict=True))
        different = len(set(words.split()))
        if vector is None:
            return Ranked(tuple(bm25), (), bm25, cosines, different)
        if memory is not None:
            by_meaning, scores = memory.nearest(vector, limit, ids if only else None, inverted=inverted)
        else:
            near = table.search(vector, vector_column_name="vector").distance_type("dot")
            near = near.select(["id", "_distance"]).limit(limit)
            nearest = (near.where(only, prefilter=True) if only else near).to_arrow()
            by_meaning = nearest["id"].to_pylist()
            # LanceDB's dot distance is one minus the product.
            scores = [1 - far for far in nearest["_distance"].to_pylist()]
        cosines |= dict(zip(by_meaning, scores, strict=True))
        return Ranked(tuple(bm25), tuple(by_meaning), bm25, cosines, different)

    def _held(self, table: Any) -> HeldVectors | None:
        """The table's vectors in memory from the second search of one version on: who asks once need not wait."""
        version = f"{table.name} {table.version}"
        if self._memory is not None and self._memory.version == version:
            return self._memory
        self._memory = None
        if self._asked == version:
            self._memory = held(table, version, table.schema.field("vector").type.list_size)
        self._asked = version
        return self._memory


def _table_names(database: Any) -> list[str]:
    listed = database.list_tables()
    return list(getattr(listed, "tables", listed))


_WEIGHT_OF_MEANING = 5.0
_WEIGHT_OF_WORDS = 2 / 7
"""Of BM25 for each root of a word. Chosen with the other on questions to projects of training/corpus.py's DEVELOPMENT
and on 279 questions from the web that are not among those that search is measured on."""
_UNLISTED = 0.9
"""BM25 of a unit that full text did not list, as a part of the lowest score that it did."""


def fused(ranked: Ranked) -> Mapping[int, float]:
    """Unit id to score: BM25 by the root of the number of words asked, and five times the cosine.

    Scores say more than ranks: how far the best stands out, and that none of the words' hits means the same. BM25 is
    a sum over the words: divided by the query's best, it says nothing of how well that best one fits (.534 to .545 on
    the development projects as it is here, .475 to .489 on the web's questions).
    """
    scale = _WEIGHT_OF_WORDS / sqrt(max(1, ranked.asked))
    rest = _UNLISTED * min(ranked.bm25.values(), default=0.0)
    return {
        unit: ranked.bm25.get(unit, rest) * scale + _WEIGHT_OF_MEANING * ranked.cosines.get(unit, 0.0)
        for unit in dict.fromkeys((*ranked.words, *ranked.meaning))
    }
