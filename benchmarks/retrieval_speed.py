"""How fast and how large search is: python benchmarks/retrieval_speed.py --wheels FOLDER [--sizes 50000 500000]

FOLDER holds wheels, as for benchmarks/retrieval.py; their units, again and again, make up tables of any size. Said are:
embedding 36,700 units (all of Django with its tests has as many) in a process of its own, CPU seconds and memory; the
write of a table; and 200 questions to it, wall and CPU milliseconds, beside a plain product of the same matrix in
numpy, which is as fast as an exact search can be, and LanceDB's own exact search, whose results must be the same.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "indexer")]

from tracelens_indexer.embedding.static import StaticEmbedder  # noqa: E402
from tracelens_indexer.embedding.text import question_words, search_words, unit_text  # noqa: E402
from tracelens_indexer.source.lower import lower  # noqa: E402
from tracelens_indexer.store.vectors import SearchTable, TextRow, VectorTable  # noqa: E402

UNITS = 36_700
QUESTIONS = 200
BATCH = 20_000


def units(wheels: Path, most: int) -> tuple[list[str], list[str]]:
    """(texts of units, first lines of docstrings as questions), in the order of the wheels' names."""
    texts: list[str] = []
    questions: list[str] = []
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                if not name.endswith(".py") or len(texts) >= most:
                    continue
                source = archive.read(name)
                for unit in lower(source).units:
                    if unit.kind in ("class", "function", "method"):
                        texts.append(unit_text(name.removesuffix(".py").replace("/", "."), unit, source))
                        if unit.docstring:
                            questions.append(unit.docstring.split("\n")[0])
    return texts[:most], questions


def embedding(texts: list[str]) -> dict[str, float]:
    """In a process of its own."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(text) + "\n" for text in islice(cycle(texts), UNITS))
        file.flush()
        command = [sys.executable, str(Path(__file__)), "--child", file.name]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(told.stdout))


def child(texts: Path) -> None:
    """Reads as it goes, so that memory is that of the embedder with its libraries."""
    embedder, seconds = StaticEmbedder(), 0.0
    with texts.open() as lines:
        while batch := [json.loads(line) for line in islice(lines, 1_024)]:
            begun = time.process_time()
            embedder.embed(batch)
            seconds += time.process_time() - begun
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"embed_cpu_s": round(seconds, 2), "embed_mb": round(largest)}))


def asked(texts: list[str], questions: list[str], size: int) -> dict[str, float]:
    """A table of so many units, and what questions to it cost."""
    chance = numpy.random.default_rng(3)
    embedder = StaticEmbedder()
    vectors = embedder.embed(texts)
    words = [search_words(text) for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        begun = time.process_time()
        writer = VectorTable(Path(folder), "speed", vectors.shape[1])
        for start in range(0, size, BATCH):
            places = [place % len(texts) for place in range(start, min(start + BATCH, size))]
            # No two rows are alike, or the nearest would be copies of one.
            moved = vectors[places] + chance.normal(0, 0.02, (len(places), vectors.shape[1])).astype(numpy.float32)
            moved /= numpy.linalg.norm(moved, axis=1, keepdims=True)
            rows = [TextRow(start + n, f"f{place % 997}.py", "h", words[place]) for n, place in enumerate(places)]
            writer.replace(rows, moved)
        writer.finish()
        write = time.process_time() - begun
        chosen = [questions[int(place)] for place in chance.integers(0, len(questions), QUESTIONS)]
        exact = SearchTable(Path(folder)).search("", embedder.embed([chosen[0]])[0], 100).meaning
        table = SearchTable(Path(folder))
        for question in chosen[:3]:
            table.search(question_words(question), embedder.embed([question])[0], 100)
        same = table.search("", embedder.embed([chosen[0]])[0], 100).meaning
        walls, cpus, embeds = [], [], []
        for question in chosen:
            start, cpu = time.perf_counter(), time.process_time()
            vector = embedder.embed([question])[0]
            embeds.append(1_000 * (time.perf_counter() - start))
            table.search(question_words(question), vector, 100)
            walls.append(1_000 * (time.perf_counter() - start))
            cpus.append(1_000 * (time.process_time() - cpu))
        plain = _plain(size, vectors.shape[1], embedder.embed(chosen[:20]))
    name = f"{size // 1_000}k"
    return {
        f"query_p95_ms_{name}": round(float(numpy.percentile(walls, 95)), 1),
        f"query_embed_p95_ms_{name}": round(float(numpy.percentile(embeds, 95)), 2),
        f"query_p50_ms_{name}": round(float(numpy.median(walls)), 1),
        f"query_cpu_p50_ms_{name}": round(float(numpy.median(cpus)), 1),
        f"numpy_ms_{name}": round(plain, 1),
        f"recall_{name}": len(set(exact) & set(same)) / len(exact),
        f"write_cpu_s_{name}": round(write, 1),
    }


def _plain(size: int, dimension: int, questions: Any) -> float:
    rows = numpy.ones((size, dimension), dtype=numpy.float32)
    times = []
    for question in questions:
        begun = time.perf_counter()
        numpy.argpartition(-(rows @ question), 100)[:100]
        times.append(1_000 * (time.perf_counter() - begun))
    return float(numpy.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50_000, 500_000])
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    texts, questions = units(options.wheels, UNITS)
    results = embedding(texts)
    print(results, flush=True)
    for size in options.sizes:
        done = asked(texts, questions, size)
        print(done, flush=True)
        results |= done
    print(json.dumps(results))


if __name__ == "__main__":
    main()
