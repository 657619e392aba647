"""What the graph of a corpus costs: processor time beside a bare parse of the same files, memory, and edits.

Run as a program it measures one folder in a process of its own and prints JSON: memory is then that folder's alone.
Sources are read beforehand. A round parses every file and drops the trees, lowers every file, and links the facts;
the ratio is that of the medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from tracelens_indexer.source.facts import FileFacts

T = TypeVar("T")


@dataclass(frozen=True)
class Cost:
    files: int
    megabytes: float
    """Of source."""
    parse_s: float
    facts_s: float
    link_s: float
    """Processor seconds, medians."""
    ratio: float
    """(facts + link) / parse"""
    converged: bool
    """No bound was hit."""
    peak_mb: float
    """Largest resident set of the process, sources included."""
    edges: int
    compiled: bool
    """Whether the modules are those that a wheel holds compiled (`pip install --no-deps .`), or their sources."""
    edit_p95_ms: float | None
    """Processor time from the bytes of one edited file to the updated graph."""


def measured(folder: Path, rounds: int = 3, edits: int = 0) -> Cost:
    """Measure a folder in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.call_graph.cost", folder, f"--rounds={rounds}", f"--edits={edits}"],
        cwd=Path(__file__).resolve().parents[2],
        check=True,
        stdout=subprocess.PIPE,
    )
    return Cost(**json.loads(done.stdout))


def processor_seconds(command: list[str]) -> float | None:
    """Of another tool, its threads and children included; None when it failed to run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _measure(folder: Path, rounds: int, edits: int) -> Cost:
    import tree_sitter_python
    from tree_sitter import Language, Parser

    from tracelens_indexer.graph import flowing
    from tracelens_indexer.graph.link import link
    from tracelens_indexer.source.lower import lower
    from tracelens_indexer.workspace import discover

    sources = {file.path: (file.module, (folder / file.path).read_bytes()) for file in discover(folder)}
    parser = Parser(Language(tree_sitter_python.language()))

    def parse() -> None:
        for _, source in sources.values():
            parser.parse(source)

    parse_s, facts_s, link_s = [], [], []
    peak = 0.0
    for _ in range(rounds):
        parse_s.append(_timed(parse)[0])
        seconds, facts = _timed(lambda: {path: (module, lower(source)) for path, (module, source) in sources.items()})
        facts_s.append(seconds)
        seconds, links = _timed(lambda: link(facts))  # noqa: B023 - called at once
        link_s.append(seconds)
        peak = peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    parsing, lowering, linking = (statistics.median(one) for one in (parse_s, facts_s, link_s))
    return Cost(
        files=len(sources),
        megabytes=sum(len(source) for _, source in sources.values()) / 1e6,
        parse_s=parsing,
        facts_s=lowering,
        link_s=linking,
        ratio=(lowering + linking) / parsing,
        converged=not links.partial,
        peak_mb=peak,
        edges=len(links.edges),
        compiled=not (flowing.__file__ or "").endswith(".py"),
        edit_p95_ms=_edits(sources, facts, edits) if edits else None,
    )


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    begun = time.process_time()
    done = work()
    return time.process_time() - begun, done


def _edits(sources: Mapping[str, tuple[str, bytes]], facts: dict[str, tuple[str, FileFacts]], count: int) -> float:
    """95th percentile, in milliseconds, over edits of one function body each; every edit stays for the next."""
    from tracelens_indexer.graph.linker import Linker
    from tracelens_indexer.source.lower import lower

    chance = random.Random(7)
    linker = Linker(facts)
    paths = sorted(path for path, (_, source) in sources.items() if _BODY.search(source))
    spent = []
    for path in chance.sample(paths, min(count, len(paths))):
        module, source = sources[path]
        changed = edited(source, chance)

        def update(path: str = path, module: str = module, changed: bytes = changed) -> None:
            linker.update(path, module, lower(changed))

        spent.append(_timed(update)[0] * 1e3)
    return statistics.quantiles(spent, n=20)[-1]


_BODY = re.compile(rb"^( +)return\b", re.MULTILINE)


def edited(source: bytes, chance: random.Random) -> bytes:
    """The source with one statement more before a random `return`."""
    place = chance.choice(list(_BODY.finditer(source)))
    return source[: place.start()] + place[1] + b"print(len(str(1)))\n" + source[place.start() :]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure one folder and print JSON.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--edits", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(asdict(_measure(options.folder, options.rounds, options.edits))))


if __name__ == "__main__":
    main()
