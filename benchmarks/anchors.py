"""Whether runtime facts stay right while real code changes: the history of public repositories, replayed.

    python benchmarks/anchors.py CHECKOUT... [--starts 4] [--gaps 1,10,100,500]

CHECKOUT: git repositories (work trees or bare ones) of Python programs. For each pair of commits, the earlier one is
"recorded": a recording in our own format in which every function and method that it has is called a number of times
that no other has, with the blob ids of the files. It is imported where the later commit is checked out, so that the
importer has to find the earlier source in git, join to it, and follow each unit to where it is now.

The truth is worked out apart from all of TraceLens, with the standard library's `ast`: two definitions are the same
code when their trees, without docstrings, are. A fact is *right* when it is shown as fresh or moved on that code,
*honest* when it is shown as stale and the code has changed or gone, *needless* when it is marked stale although the
code is there unchanged, and *wrong* when it is shown as fresh or moved on other code. The last line is JSON.
"""

from __future__ import annotations

import argparse
import ast
import json
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tracelens_indexer.indexing import index_workspace  # noqa: E402
from tracelens_indexer.store import Writer  # noqa: E402
from tracelens_indexer.traces.importing import import_file  # noqa: E402
from tracelens_recorder import container, payloads  # noqa: E402

Place = tuple[str, str, int]
"""Path, qualified name, and which of several definitions of that name."""


@dataclass(frozen=True, slots=True)
class Function:
    place: Place
    first_line: int
    code: str
    """Its tree without docstring and name."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path, nargs="+")
    parser.add_argument("--starts", type=int, default=4, help="commits of each repository that are recorded")
    parser.add_argument("--gaps", default="1,10,100,500", help="commits between recording and import")
    parser.add_argument("--show", type=int, default=3, help="examples of what is wrong or needless")
    given = parser.parse_args()
    all_found: Counter[str] = Counter()
    gaps = [int(gap) for gap in given.gaps.split(",")]
    for checkout in given.checkouts:
        found: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder) / "work"
            _git(Path(folder), "clone", "--quiet", "--shared", "--no-checkout", str(checkout), str(work))
            commits = _git(work, "rev-list", "--first-parent", "HEAD").split()[::-1]
            for start in range(given.starts):
                # From the later half: what came before is of a Python that nobody can parse any more.
                at = len(commits) // 2 + start * (len(commits) // 2 - max(gaps) - 1) // max(1, given.starts - 1)
                for gap in gaps:
                    if at >= 0 and at + gap < len(commits):
                        told = _replay(work, commits[at], commits[at + gap], given.show)
                        found += told
        all_found += found
        print(f"{checkout.name if checkout.name != 'repo' else checkout.parent.name:24} {_told(found)}", flush=True)
    print(f"{'all':24} {_told(all_found)}")
    total = sum(all_found.values())
    print(json.dumps({"facts": total, **all_found, "right_or_honest": round(_good(all_found), 4)}))


def _good(found: Counter[str]) -> float:
    return (found["fresh"] + found["moved"] + found["honest"]) / max(1, sum(found.values()))


def _told(found: Counter[str]) -> str:
    return (
        f"{sum(found.values()):7,} facts: "
        + ", ".join(f"{found[what]:,} {what}" for what in ("fresh", "moved", "honest", "needless", "unjoined", "wrong"))
        + f"   {_good(found):.2%} right or honest"
    )


def _replay(work: Path, before: str, after: str, show: int) -> Counter[str]:
    files = _sources(work, before)
    recorded = [function for path, (_, text) in files.items() for function in _functions(path, text)]
    _git(work, "checkout", "--quiet", "--force", after)
    _git(work, "clean", "-fdxq")
    now: dict[Place, Function] = {}
    for path, (_, text) in _sources(work, after).items():
        now.update({function.place: function for function in _functions(path, text)})
    index_workspace(work, searchable=False)
    recording = work / ".tracelens" / "replayed.tlrec"
    _record(recording, recorded, {path: blob for path, (blob, _) in files.items()})
    with Writer(work) as writer:
        import_file(writer, recording)
    return _judged(work, recorded, now, show)


def _judged(work: Path, recorded: list[Function], now: dict[Place, Function], show: int) -> Counter[str]:
    """What became of each fact. A function is known by how often it was called."""
    found: Counter[str] = Counter()
    by_code: dict[str, list[Function]] = {}
    for function in now.values():
        by_code.setdefault(function.code, []).append(function)
    connection = sqlite3.connect(work / ".tracelens/index.db")
    rows = connection.execute(
        "SELECT calls, state, files.path, units.scope, units.ordinal, units.first_line FROM profile_units"
        " JOIN anchors ON anchors.id = anchor LEFT JOIN units ON units.id = anchors.unit"
        " LEFT JOIN files ON files.id = units.file WHERE calls > 0"
    ).fetchall()
    connection.close()
    seen = set()
    for calls, state, path, scope, ordinal, first_line in rows:
        function = recorded[calls - 1]
        seen.add(calls - 1)
        shown = now.get((path, scope, ordinal)) if path else None
        if state in ("fresh", "moved"):
            same = shown is not None and shown.code == function.code and shown.first_line == first_line
            what = state if same else "wrong"
        elif shown is not None and shown.code == function.code:
            what = "needless"
        elif shown is None and len(by_code.get(function.code, ())) == 1:
            # It is somewhere else, unchanged, and no other code is like it.
            what = "needless"
        else:
            what = "honest"
        found[what] += 1
        if what in ("wrong", "needless") and found[what] <= show:
            print(f"    {what}: {function.place} is {state} at {path}:{first_line} {scope}", file=sys.stderr)
    for number, function in enumerate(recorded):
        if number not in seen:
            found["unjoined"] += 1
            if found["unjoined"] <= show:
                print(f"    unjoined: {function.place}", file=sys.stderr)
    return found


def _record(file: Path, functions: list[Function], blobs: dict[str, str]) -> None:
    """A recording of one call of the first function, two of the second, and so on."""
    codes = [
        [number, function.place[0], function.place[1], function.first_line, 0, blobs[function.place[0]]]
        for number, function in enumerate(functions)
    ]
    counts = [[number, number + 1, 0, 0, number + 1, 100, 100, 1, 100, []] for number in range(len(functions))]
    run = {"format": payloads.FORMAT, "started_ns": 1, "mode": "monitoring"}
    frames = ((payloads.RUN, run), (payloads.CODES, codes), (payloads.COUNTS, counts), (payloads.END, {}))
    with file.open("wb") as stream:
        stream.write(container.MAGIC)
        for kind, payload in frames:
            stream.write(container.encode(kind, json.dumps(payload).encode()))


def _sources(work: Path, commit: str) -> dict[str, tuple[str, bytes]]:
    """Path to (blob id, content) of the Python files of a commit."""
    entries = {}
    for line in _git(work, "ls-tree", "-r", "-z", commit).split("\0"):
        meta, _, path = line.partition("\t")
        if path.endswith(".py") and meta.startswith("100"):
            entries[path] = meta.split()[2]
    blobs = subprocess.run(
        ["git", "-C", str(work), "cat-file", "--batch"],
        input="\n".join(entries.values()).encode(),
        check=True,
        capture_output=True,
    ).stdout
    found, at = {}, 0
    for path, blob in entries.items():
        end = blobs.index(b"\n", at)
        size = int(blobs[at:end].split()[2])
        found[path] = blob, blobs[end + 1 : end + 1 + size]
        at = end + 2 + size
    return found


def _functions(path: str, source: bytes) -> list[Function]:
    """Functions and methods; none of what this Python cannot parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found: list[Function] = []
    times: Counter[str] = Counter()

    def walk(node: ast.AST, scope: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                name = f"{scope}{child.name}"
                ordinal = times[name]
                times[name] += 1
                if isinstance(child, ast.ClassDef):
                    walk(child, f"{name}.")
                else:
                    first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                    walk(child, f"{name}.<locals>.")
                    found.append(Function((path, name, ordinal), first, _code(child)))
            else:
                walk(child, scope)

    walk(tree, "")
    return found


def _code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Its tree, without its own name and without docstrings, its own and those inside."""
    name, function.name = function.name, ""
    bodies: list[tuple[list[ast.stmt], ast.stmt]] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Constant):
            # u"…" is what "…" is.
            node.kind = None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and type(first.value.value) is str:
                bodies.append((node.body, node.body.pop(0)))
    told = ast.dump(function)
    function.name = name
    for body, docstring in reversed(bodies):
        body.insert(0, docstring)
    return told


def _git(folder: Path, *words: str) -> str:
    result = subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)
    return result.stdout.decode(errors="surrogateescape")


if __name__ == "__main__":
    main()
