"""Make the default embedder: python training/train.py --wheels FOLDER --held-out FOLDER [--download] [--seeds 1 2 3]

CPU only. Mines pairs from the standard library and the wheels in FOLDER (--download fetches the pinned ones of
training/packages.txt with pip), leaves out all that is in the wheels of --held-out, trains once for each seed, reports
each, and exports their mean: the seeds start from the same vectors, so that the mean of what they learned is a model
too, and none is chosen by its figures. --pairs FILE keeps what was mined and takes it from there the next time.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "indexer")]

from training import corpus, export, initial, measure, model, pairs  # noqa: E402

OUT = ROOT / "indexer" / "tracelens_indexer" / "embedding" / "weights"
MOST_PAIRS = 8_000
"""Of one project: none may speak for all."""


def main() -> None:
    options = _options()
    if options.download:
        corpus.download(ROOT / "training" / "packages.txt", options.wheels)
    mined = _mined(options)
    print(f"{len(mined):,} pairs: {dict(Counter(pair.view for pair in mined))}", flush=True)
    development = {
        project: measure.project(corpus.wheel_modules(project, path))
        for path in sorted(options.wheels.glob("*.whl"))
        if (project := corpus.normalised(path.name.split("-")[0])) in corpus.DEVELOPMENT
    }
    tokens = initial.tokenizer()
    start = initial.token_vectors(tokens, [pair.code for pair in mined[::5]], seed=1)
    reports: list[dict[str, float]] = []
    together: Any = None
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as folder:
            weights, seconds = model.train(
                tokens, start, mined, seed=seed, epochs=options.epochs, batch=options.batch,
                rate=options.rate, temperature=options.temperature, folder=folder,
            )  # fmt: skip
        figures = {project: round(measure.mrr(tokens, weights, asked), 4) for project, asked in development.items()}
        reports.append({"seed": seed, "cpu_s": round(seconds), **figures})
        print(json.dumps(reports[-1]), flush=True)
        together = weights if together is None else together + weights
        # After each seed: a run that is stopped early leaves a model.
        print(f"{export.export(together / len(reports), tokens, options.out):,} bytes in {options.out}", flush=True)
    mean = together / len(reports)
    figures = {project: round(measure.mrr(tokens, mean, asked), 4) for project, asked in development.items()}
    print(json.dumps({"pairs": len(mined), "seeds": reports, "mean_of_seeds": figures}))


def _mined(options: argparse.Namespace) -> list[pairs.Pair]:
    if options.pairs and options.pairs.exists():
        with options.pairs.open(encoding="utf-8") as lines:
            return [pairs.Pair(*json.loads(line)) for line in lines]
    taken, refused = corpus.wheels(options.wheels)
    for wheel in refused:
        print(f"refused {wheel.wheel}: {wheel.reason}")
    forbidden = pairs.eval_texts(_held_out(options))
    print(f"{len(taken)} packages and the standard library; {len(forbidden):,} texts are held out")

    def modules() -> Iterator[corpus.Module]:
        yield from corpus.standard_library()
        for project, wheel, _ in taken:
            yield from corpus.wheel_modules(project, wheel)

    mined = _capped(pairs.pairs(modules(), forbidden, seed=1))
    if options.pairs:
        with options.pairs.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(pair) + "\n" for pair in mined)
    return mined


def _held_out(options: argparse.Namespace) -> Iterator[corpus.Module]:
    if options.held_out_functions:
        for source in json.loads(options.held_out_functions.read_text()):
            yield corpus.Module("held out", "function.py", source.encode())
    for wheel in sorted(options.held_out.glob("*.whl")):
        yield from corpus.wheel_modules(corpus.normalised(wheel.name.split("-")[0]), wheel)


def _capped(mined: list[pairs.Pair]) -> list[pairs.Pair]:
    counts: Counter[str] = Counter()
    kept = []
    for pair in mined[::7] + [pair for place, pair in enumerate(mined) if place % 7]:
        counts[pair.project] += 1
        if counts[pair.project] <= MOST_PAIRS:
            kept.append(pair)
    return kept


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, required=True)
    parser.add_argument(
        "--held-out", type=Path, required=True, help="wheels of the projects that search is measured on"
    )
    parser.add_argument("--held-out-functions", type=Path, help="code_idx_map.txt of CoSQA's retrieval task")
    parser.add_argument("--download", action="store_true")
    parser.add_argument("--pairs", type=Path, help="where mined pairs are kept")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1_024)
    parser.add_argument("--rate", type=float, default=0.006)
    parser.add_argument("--temperature", type=float, default=0.05)
    return parser.parse_args()


if __name__ == "__main__":
    main()
