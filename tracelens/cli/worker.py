"""The search worker: a process beside the language server that keeps the table and the model loaded.

JSON lines on standard input and output: {"id": 1, "query": "…", "limit": 20} is answered by
{"id": 1, "hits": [{"unit": <unit id>, "score": …}]} or {"id": 1, "error": "…"}. Ends when its input ends.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tracelens import settings
from tracelens.retrieval import Searcher
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index

_LONGEST_REQUEST = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="tracelens.cli.worker")
    parser.add_argument("kind", choices=["search"])
    parser.add_argument("--root", type=Path, required=True)
    arguments = parser.parse_args()
    searcher: Searcher | None = None
    for line in sys.stdin:
        reply: dict[str, Any] = {"id": None}
        try:
            request = json.loads(line[:_LONGEST_REQUEST])
            reply["id"] = request.get("id")
            if searcher is None:
                searcher = Searcher(arguments.root, settings.load(arguments.root))
            index = Index.open(arguments.root)
            try:
                hits = searcher.search(index, str(request["query"]), int(request.get("limit", 20)))
            finally:
                index.close()
            reply["hits"] = [{"unit": hit.unit.id, "score": hit.score} for hit in hits]
        except TraceLensError as error:
            reply["error"] = str(error)
        except Exception as error:
            reply["error"] = f"{type(error).__name__}: {error}"
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
