"""The embedders: the one that ships, an endpoint, and what happens when the model changes."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import ClassVar

import numpy
import pytest

from tracelens.rescoring import CANDIDATES, scored_again
from tracelens.retrieval import Searcher, configured_embedder
from tracelens.settings import Settings
from tracelens_indexer.embedding.choose import embedder_for
from tracelens_indexer.embedding.endpoint import Endpoint, EndpointEmbedder
from tracelens_indexer.embedding.sentence_transformer import SentenceTransformerEmbedder
from tracelens_indexer.embedding.static import WEIGHTS, StaticEmbedder
from tracelens_indexer.embedding.text import question_words
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.indexing import Indexer, index_workspace
from tracelens_indexer.store import Index

SHOP = Path(__file__).parents[2] / "examples" / "shop"
ODD = [
    "",
    " \n\t",
    "a" * 100_000,
    "x = 1\n" * 20_000,
    "価格を計算する 🙂 цена",
    "\ud800 lone",
    "the of and",
    ".*[a-z]+(",
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHOP, tmp_path / "shop", ignore=shutil.ignore_patterns(".tracelens", "__pycache__")))


class _Embeddings(BaseHTTPRequestHandler):
    """Vectors of eight letters' counts; counts its requests."""

    asked: ClassVar[list[int]] = []
    dimension: ClassVar[int] = 8
    awake: ClassVar[threading.Event] = threading.Event()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(len(body["input"]))
        if body["model"] == "broken":
            return self._answer(500, {})
        if body["model"] == "slow":
            self.awake.wait(30)
        letters = "etaoinsr"[: self.dimension]
        rows = [[float(text.count(letter)) + 0.1 for letter in letters] for text in body["input"]]
        data = [{"index": index, "embedding": row} for index, row in enumerate(rows)]
        return self._answer(200, {"data": data[:-1] if body["model"] == "short" else data})

    def _answer(self, status: int, content: object) -> None:
        self.send_response(status)
        self.end_headers()
        with contextlib.suppress(OSError):  # who asked may have gone
            self.wfile.write(json.dumps(content).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def address() -> Iterator[str]:
    _Embeddings.asked, _Embeddings.dimension = [], 8
    server = HTTPServer(("127.0.0.1", 0), _Embeddings)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_any_text_has_a_vector_of_length_one() -> None:
    vectors = StaticEmbedder().embed(ODD)
    assert vectors.shape == (len(ODD), 256) and vectors.dtype == numpy.float32
    assert numpy.allclose(numpy.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_same_text_has_the_same_vector_whatever_stands_beside_it() -> None:
    one, other = StaticEmbedder(), StaticEmbedder()
    assert numpy.array_equal(one.embed(ODD), other.embed(ODD))
    assert numpy.array_equal(one.embed(ODD)[4], one.embed([ODD[4]])[0])
    assert one.version == other.version != ""


def test_identifiers_are_read_in_their_words() -> None:
    embed = StaticEmbedder().embed
    camel, snake, words, other = embed(["parseHttpReply", "parse_http_reply", "parse http reply", "draw a circle"])
    assert camel @ words > 0.95 and snake @ words > 0.95 > 0.6 > other @ words


def test_the_weights_are_small_and_need_no_torch() -> None:
    assert sum(file.stat().st_size for file in WEIGHTS.iterdir()) < 12_000_000
    code = (
        "from tracelens_indexer.embedding.static import StaticEmbedder; import sys; StaticEmbedder().embed(['x']);"
        "print({'torch', 'transformers', 'sentence_transformers', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_damaged_weights_are_said(tmp_path: Path) -> None:
    shutil.copytree(WEIGHTS, tmp_path / "weights")
    (tmp_path / "weights" / "vectors.npy").write_bytes(b"not an array")
    with pytest.raises(TraceLensError, match="cannot be read"):
        StaticEmbedder(tmp_path / "weights").embed(["x"])


def test_settings_choose_the_embedder() -> None:
    assert isinstance(configured_embedder(Settings()), StaticEmbedder)
    assert configured_embedder(Settings(embedding_model="none")) is None
    with pytest.raises(TraceLensError, match="base_url"):
        embedder_for("endpoint:m")


def test_an_endpoint_embeds_and_its_faults_are_said(address: str) -> None:
    embedder = EndpointEmbedder(Endpoint(address), "m")
    assert embedder.dimension == 8
    assert numpy.allclose(numpy.linalg.norm(embedder.embed(["one", ""]), axis=1), 1.0, atol=1e-5)
    for model, said in (("broken", "HTTP 500"), ("short", "vectors came for")):
        with pytest.raises(TraceLensError, match=said):
            EndpointEmbedder(Endpoint(address), model).embed(["one", "two"])
    with pytest.raises(TraceLensError, match="no vectors"):
        EndpointEmbedder(Endpoint("http://127.0.0.1:9/v1", timeout_seconds=2), "m").embed(["one"])
    with pytest.raises(TraceLensError, match="timed out"):
        EndpointEmbedder(Endpoint(address, timeout_seconds=0.05), "slow").embed(["one"])
    _Embeddings.awake.set()


def test_a_changed_model_embeds_everything_again_and_says_so(shop: Path, address: str) -> None:
    first = index_workspace(shop, configured_embedder(Settings()))
    searched = Searcher(shop, Settings(embedding_model="endpoint:m", embedding_base_url=address))
    index = Index.open(shop)
    hits = searched.search(index, "discount of a customer")
    assert hits and all(hit.how == ("words",) for hit in hits) and "no vectors of endpoint/m" in searched.notes[0]
    index.close()
    said: list[str] = []
    second = index_workspace(shop, EndpointEmbedder(Endpoint(address), "m"), said=said.append)
    assert second.embedded == first.embedded > 0
    assert any("changed from tracelens-static" in line for line in said)
    assert index_workspace(shop, EndpointEmbedder(Endpoint(address), "m")).embedded == 0


class _Interrupted(StaticEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.batches = 0

    def embed(self, texts):  # type: ignore[no-untyped-def]
        self.batches += 1
        if self.batches > 2:
            raise KeyboardInterrupt
        return super().embed(texts)


def test_an_interrupted_embedding_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelens_indexer.indexing._COMMIT_ROWS", 256)
    (tmp_path / "many.py").write_text("".join(f"def f{n}(a):\n    return a + {n}\n\n\n" for n in range(1_000)))
    with pytest.raises(KeyboardInterrupt):
        index_workspace(tmp_path, _Interrupted())
    assert index_workspace(tmp_path, StaticEmbedder()).embedded == 1_001 - 512


def test_the_second_stage_embeds_what_was_found_and_only_once(shop: Path, address: str) -> None:
    index_workspace(shop, StaticEmbedder())
    settings = Settings(rescoring_model="endpoint:m", embedding_base_url=address)
    index = Index.open(shop)
    first = Searcher(shop, settings).search(index, "discount of a customer")
    asked = sum(_Embeddings.asked)
    assert 2 <= asked <= CANDIDATES + 1
    second = Searcher(shop, settings).search(index, "discount of a customer")
    assert sum(_Embeddings.asked) == asked + 1, "the query alone"
    assert [hit.unit.id for hit in first] == [hit.unit.id for hit in second]
    other = Settings(rescoring_model="endpoint:other", embedding_base_url=address)
    Searcher(shop, other).search(index, "discount of a customer")
    assert sum(_Embeddings.asked) == 2 * asked + 1, "vectors of another model are not its own"


def test_only_what_is_very_near_overrides_the_first_stage() -> None:
    first = {1: 2.0, 2: 1.0, 3: 0.5}
    assert best_first(scored_again(first, {1: 0.3, 2: 0.7})) == [2, 1, 3]
    assert best_first(scored_again(first, {1: 0.4, 2: 0.5})) == [1, 2, 3]
    assert scored_again(first, {1: -0.2, 2: 0.0}) == first


def best_first(scores: Mapping[int, float]) -> list[int]:
    return sorted(scores, key=lambda unit: -scores[unit])


def test_a_second_stage_that_fails_leaves_the_first(shop: Path) -> None:
    index_workspace(shop, StaticEmbedder())
    searcher = Searcher(shop, Settings(rescoring_model="endpoint:m", embedding_base_url="http://127.0.0.1:9/v1"))
    assert searcher.search(Index.open(shop), "discount of a customer")
    assert "not scored again" in searcher.notes[0]


def test_any_query_is_answered(shop: Path) -> None:
    index_workspace(shop, StaticEmbedder())
    searcher, index = Searcher(shop, Settings()), Index.open(shop)
    for query in ("", "   ", "word " * 20_000, "価格", "the of", "') OR 1=1 --", "a.*b[", "\ud800", "how do I"):
        assert isinstance(searcher.search(index, query), list), repr(query[:20])


def test_words_of_asking_do_not_decide() -> None:
    assert question_words("How do I read a file in Python?") == "read a file in"
    assert question_words("where is parseHTTPReply") == "is parsehttpreply parse http reply"
    assert question_words("python") == "python"


def test_a_model_that_gives_other_vectors_now_or_none_leaves_the_words(shop: Path, address: str) -> None:
    settings = Settings(embedding_model="endpoint:m", embedding_base_url=address)
    index_workspace(shop, configured_embedder(settings))
    index = Index.open(shop)
    assert Searcher(shop, settings).search(index, "discount of a customer") != []
    _Embeddings.dimension = 4
    searcher = Searcher(shop, settings)
    assert all(hit.how == ("words",) for hit in searcher.search(index, "discount of a customer"))
    assert "vectors of 4 numbers now" in searcher.notes[0]
    gone = Settings(embedding_model="endpoint:m", embedding_base_url="http://127.0.0.1:9/v1")
    index_workspace(shop, StaticEmbedder())
    searcher = Searcher(shop, gone)
    assert searcher.search(index, "discount of a customer") and "by words alone" in searcher.notes[0]


def test_an_endpoint_that_went_away_after_indexing_leaves_the_words(shop: Path, address: str) -> None:
    settings = Settings(embedding_model="endpoint:m", embedding_base_url=address)
    index_workspace(shop, configured_embedder(settings))
    _Embeddings.dimension = 0
    searcher = Searcher(shop, settings)
    assert searcher.search(Index.open(shop), "discount of a customer") and "by words alone" in searcher.notes[0]


def test_a_search_does_not_wait_for_a_slow_endpoint(shop: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracelens.retrieval._PATIENCE", 0.05)
    _Embeddings.awake.clear()
    index_workspace(shop, StaticEmbedder())
    searcher = Searcher(shop, Settings(rescoring_model="endpoint:slow", embedding_base_url=address))
    assert searcher.search(Index.open(shop), "discount of a customer") and "timed out" in searcher.notes[0]
    _Embeddings.awake.set()


def test_a_model_that_was_exchanged_in_its_folder_is_another_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"one")
    before = SentenceTransformerEmbedder(str(tmp_path)).version
    assert SentenceTransformerEmbedder(str(tmp_path)).version == before
    (tmp_path / "model.safetensors").write_bytes(b"another")
    assert SentenceTransformerEmbedder(str(tmp_path)).version != before


def test_a_library_that_is_not_installed_is_said(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    index_workspace(shop, StaticEmbedder())
    monkeypatch.setattr("importlib.metadata.version", missing)
    searcher = Searcher(shop, Settings(embedding_model="some/model", rescoring_model="some/model"))
    assert searcher.search(Index.open(shop), "discount of a customer")
    assert "by words alone" in searcher.notes[0] and "pip install -e '.[neural]'" in searcher.notes[0]
    assert "not scored again" in searcher.notes[1]


def test_a_model_that_is_not_there_is_said(shop: Path) -> None:
    index_workspace(shop, StaticEmbedder())
    searcher = Searcher(shop, Settings(embedding_model=str(shop / "no-such-model")))
    assert searcher.search(Index.open(shop), "discount of a customer") and "by words alone" in searcher.notes[0]


def test_many_edits_leave_the_table_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each edit used to write the full-text index anew and to keep every version of it."""
    monkeypatch.setattr("tracelens_indexer.store.vectors._READERS_NEED", timedelta(microseconds=1))
    functions = "".join(f"def function_{n}(a):\n    return a + {n}\n\n\n" for n in range(400))
    (tmp_path / "many.py").write_text(functions)
    (tmp_path / "one.py").write_text("def edited(a):\n    return a\n")
    indexer, embedder = Indexer(tmp_path), StaticEmbedder()
    indexer.refresh(embedder)
    table = tmp_path / ".tracelens" / "code.lance"

    def size() -> int:
        return sum(file.stat().st_size for file in table.rglob("*") if file.is_file())

    fresh = size()
    for number in range(130):
        (tmp_path / "one.py").write_text(f"def edited(a):\n    return a * {number} + len('{number:05}')\n")
        assert indexer.refresh(embedder).embedded == 1
    assert size() <= 2 * fresh
    assert Searcher(tmp_path, Settings()).search(Index.open(tmp_path), "edited 00129")[0].unit.name == "edited"
