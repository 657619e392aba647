"""Processes beside the language server that keep what is slow to load: the search table and its model, or the linked
program.

JSON lines on standard input and output, one answer for each question, until the input ends:

    search   {"id": 1, "query": "…", "limit": 20}  →  {"id": 1, "hits": [{"unit": <unit id>, "score": …}]}
    index    {"id": 1}                             →  {"id": 1, "changed": 1, "seconds": 0.12}

or {"id": 1, "error": "…"}. Between questions `index` brings the search table up to date and links again what it had to
leave. After some idle minutes, or grown beyond its bound, it ends by itself.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tracelens import settings
from tracelens.retrieval import Searcher, configured_embedder
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.indexing import Indexer
from tracelens_indexer.store import Index

_LONGEST_REQUEST = 100_000
_REST_SECONDS = 15.0
"""How long nobody has asked for anything before work is done that nobody waits for: it holds the store's lock, and what
else wants to write, a fix say, would wait for it."""
_IDLE_SECONDS = 600.0
_MOST_BYTES = 2_500_000_000

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="tracelens.cli.worker")
    parser.add_argument("kind", choices=["search", "index"])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--idle", type=float, default=_IDLE_SECONDS, help="seconds until it ends by itself")
    arguments = parser.parse_args()
    if arguments.kind == "search":
        _search(arguments.root)
    else:
        _index(arguments.root, arguments.idle)


def _search(root: Path) -> None:
    searcher: Searcher | None = None

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        nonlocal searcher
        if searcher is None:
            searcher = Searcher(root, settings.load(root))
        index = Index.open(root)
        try:
            hits = searcher.search(index, str(request["query"]), int(request.get("limit", 20)))
        finally:
            index.close()
        return {"hits": [{"unit": hit.unit.id, "score": hit.score} for hit in hits]}

    for line in sys.stdin:
        _reply(line, answer)


def _index(root: Path, idle: float) -> None:
    indexer = Indexer(root)

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        summary = indexer.refresh(searchable=False)
        return {"changed": summary.changed + summary.removed, "seconds": summary.seconds}

    lines = _lines()
    rested = True
    while True:
        try:
            line = lines.get(timeout=idle if rested else min(_REST_SECONDS, idle))
        except queue.Empty:
            if rested:
                return
            rested = True
            _rest(root, indexer)
            continue
        if line is None:
            return
        _reply(line, answer)
        rested = False
        if _grown() > _MOST_BYTES:
            return


def _rest(root: Path, indexer: Indexer) -> None:
    """What may be done when nobody waits: the search table, and links that came near a bound."""
    try:
        indexer.refresh(configured_embedder(settings.load(root)))
        indexer.relink_if_due()
    except TraceLensError as error:
        print(f"tracelens: {error}", file=sys.stderr)  # noqa: T201


def _lines() -> queue.Queue[str | None]:
    """The lines of standard input as they come, None at its end; read beside, so that one can wait for them a while."""
    found: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            found.put(line)
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    return found


def _grown() -> int:
    """The most bytes this process has held; 0 where that cannot be asked."""
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _reply(line: str, answer: Answer) -> None:
    reply: dict[str, Any] = {"id": None}
    try:
        request = json.loads(line[:_LONGEST_REQUEST])
        reply["id"] = request.get("id")
        reply |= answer(request)
    except TraceLensError as error:
        reply["error"] = str(error)
    except Exception as error:
        reply["error"] = f"{type(error).__name__}: {error}"
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
