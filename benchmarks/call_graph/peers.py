"""Other tools on the same cases: PyCG run here from a checkout, and the outputs that the Jarvis artifact published.

PyCG replaces Python's import machinery while it works, so that it runs in a process of its own, once for a suite.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.call_graph.naming import NamedEdges

_RUNS_PYCG = """
import contextlib, io, json, signal, sys
checkout = sys.argv[1]
sys.path.insert(0, checkout)
from pycg.pycg import CallGraphGenerator
from pycg.utils.constants import CALL_GRAPH_OP

def over(*_):
    raise TimeoutError("over its time")

signal.signal(signal.SIGALRM, over)
for line in sys.stdin:
    root, files, seconds = json.loads(line)
    said, graph = "", {}
    signal.alarm(seconds)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            generator = CallGraphGenerator(files, root, -1, CALL_GRAPH_OP)
            generator.analyze()
            graph = generator.output()
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    signal.alarm(0)
    answer = {"graph": {a: sorted(b) for a, b in graph.items()}, "failed": said}
    print(json.dumps(answer), flush=True)
"""


class PyCG:
    """PyCG from a checkout, as a tool. Use it as a context manager."""

    def __init__(self, checkout: Path, seconds: int = 30) -> None:
        """`seconds`: wall time for one case."""
        self._seconds = seconds
        self._process = subprocess.Popen(
            # Isolated, and outside this environment: editable installs put finders before PyCG's.
            [sys._base_executable, "-I", "-W", "ignore", "-c", _RUNS_PYCG, str(checkout)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    @staticmethod
    def is_in(checkout: Path) -> bool:
        return (checkout / "pycg/pycg.py").is_file()

    def __call__(self, root: Path, files: list[Path]) -> NamedEdges:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(root), [str(file) for file in files], self._seconds]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if answer["failed"]:
            raise RuntimeError(answer["failed"])
        return _edges(answer["graph"])

    def __enter__(self) -> PyCG:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def published(folder: Path, file: str) -> Callable[[str], NamedEdges | None]:
    """Outputs that the artifact holds for each case or application; None where it has none."""

    def read(name: str) -> NamedEdges | None:
        path = folder / name / file
        return _edges(json.loads(path.read_text())) if path.is_file() else None

    return read


def _edges(graph: dict[str, list[str]]) -> NamedEdges:
    return {(caller, callee) for caller, callees in graph.items() for callee in callees}
