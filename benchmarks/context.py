"""Whether the context made from a failing test alone holds what had to be fixed.

python benchmarks/context.py --mirrors F: F holds clones with history, F/OWNER+NAME/repo or F/NAME (git clone --bare).
The commits are those of benchmarks/context_commits.json, which --collect wrote by this rule, fixed before any of them
was looked at:

  in each repository of REPOSITORIES, from the newest commit back, the first six (of the newest 3,000) that
  - have one parent, and a subject that says fix, fixes, fixed, bug or regression as a word;
  - change one to five Python files that are no tests, and one or more that are;
  - touch one to ten functions that exist in the parent, outside tests (a line of them is changed or deleted, or one
    is inserted between their first and last line), and add or change at least one test function.

The workspace is the parent with the commit's test files laid over it: the tests fail, the fix is not there. What is
asked is the test functions that the commit added or changed, up to three, by their place; nothing of the fix, nothing
recorded. In the same run, within the same 6,000 tokens: full text and meaning alone (the test's source as the query,
units whole, best first) and a map alone (all units in single lines, by PageRank over the call graph that restarts at
the units whose names stand in the test). A function is found when it is there whole, as an outline, or as a line of a
map; "whole" counts the first two alone. click and flask were used for development: they are reported apart.
The last line is JSON; context_recall is the share of commits of which every touched function is in the context.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "indexer"), str(ROOT / "recorder")]

from tracelens import context  # noqa: E402
from tracelens.answers.snapshot import IndexSnapshot  # noqa: E402
from tracelens.context import near, text  # noqa: E402
from tracelens.mcp.budget import tokens  # noqa: E402
from tracelens.retrieval import search_if_possible  # noqa: E402
from tracelens.settings import Settings  # noqa: E402
from tracelens_indexer.embedding.static import StaticEmbedder  # noqa: E402
from tracelens_indexer.indexing import index_workspace  # noqa: E402
from tracelens_indexer.source.facts import unit_id  # noqa: E402
from tracelens_indexer.source.lower import lower  # noqa: E402
from tracelens_indexer.store import Index  # noqa: E402
from tracelens_indexer.store.answers import UnitRecord  # noqa: E402

REPOSITORIES = (
    "pallets/click", "pallets/flask",
    "pallets/werkzeug", "pallets/jinja", "psf/requests", "encode/httpx", "marshmallow-code/marshmallow",
    "python-attrs/attrs", "Textualize/rich", "arrow-py/arrow", "pytest-dev/pluggy", "scrapy/scrapy",
)  # fmt: skip
DEVELOPMENT = ("pallets/click", "pallets/flask")
COMMITS = Path(__file__).with_name("context_commits.json")
BUDGET = 6_000
EACH = 6
NEWEST = 3_000
_SAYS_FIX = re.compile(r"\b(fix|fixes|fixed|bug|regression)\b", re.IGNORECASE)
_TEST_FILE = re.compile(r"(^|/)tests?/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$")
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)
FUNCTIONS = ("function", "method")


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def blob(repository: Path, commit: str, path: str) -> bytes:
    done = subprocess.run(["git", "-C", str(repository), "show", f"{commit}:{path}"], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else b""


def changed(repository: Path, commit: str) -> dict[str, list[tuple[int, int, int, int]]]:
    """Path → hunks (first old line, old lines, first new line, new lines) of the Python files that a commit changes."""
    told = git(repository, "diff", "--no-renames", "--no-color", "-U0", f"{commit}^", commit, "--", "*.py")
    found: dict[str, list[tuple[int, int, int, int]]] = {}
    for piece in re.split(r"^diff --git ", told, flags=re.MULTILINE)[1:]:
        path = piece.partition("\n")[0].rpartition(" b/")[2]
        found[path] = [(int(m[1]), int(m[2] or 1), int(m[3]), int(m[4] or 1)) for m in _HUNK.finditer(piece)]
    return found


def innermost(source: bytes, spans: Sequence[tuple[int, int]]) -> list[tuple[str, int]]:
    """(scope, ordinal) of the innermost functions that hold a line of the spans (first and last line, 1-based)."""
    functions = []
    for unit in lower(source).units:
        if unit.kind in FUNCTIONS:
            first = source[: unit.start_byte].count(b"\n") + 1
            functions.append((first, first + source[unit.start_byte : unit.end_byte].count(b"\n"), unit))
    found: dict[tuple[str, int], None] = {}
    for start, end in spans:
        for line in range(start, min(end, start + 400) + 1):
            around = [one for one in functions if one[0] <= line <= one[1]]
            if around:
                unit = max(around, key=lambda one: (one[0], -one[1]))[2]
                found[unit.scope, unit.ordinal] = None
    return list(found)


def about(repository: Path, commit: str) -> tuple[list[tuple[str, str, int]], list[tuple[str, str, int]]]:
    """(functions that the commit touches, test functions that it adds or changes), each (path, scope, ordinal)."""
    touched: list[tuple[str, str, int]] = []
    tests: list[tuple[str, str, int]] = []
    for path, hunks in sorted(changed(repository, commit).items()):
        if _TEST_FILE.search(path):
            new = [(first, first + n - 1) for _, _, first, n in hunks if n]
            source = blob(repository, commit, path)
            tests += [(path, *one) for one in innermost(source, new) if one[0].rpartition(".")[2].startswith("test")]
        else:
            # Between two lines a function must hold both for the insertion to be inside it.
            old = [(first, first + n - 1) for first, n, _, _ in hunks if n]
            inserted = [(first, first + 1) for first, n, _, _ in hunks if not n]
            source = blob(repository, f"{commit}^", path)
            found = dict.fromkeys(innermost(source, old))
            for first, second in inserted:
                both = set(innermost(source, [(first, first)])) & set(innermost(source, [(second, second)]))
                found |= dict.fromkeys(sorted(both))
            touched += [(path, *one) for one in found]
    return touched, tests


def chosen(repository: Path) -> Iterator[str]:
    """The commits of a repository that the rule takes."""
    taken = 0
    log = git(repository, "log", "--no-merges", f"-{NEWEST}", "--format=%H %s")
    for line in log.splitlines():
        commit, _, subject = line.partition(" ")
        if not _SAYS_FIX.search(subject):
            continue
        files = git(repository, "diff-tree", "--no-commit-id", "--name-only", "-r", commit).split("\n")
        python = [path for path in files if path.endswith(".py")]
        code = [path for path in python if not _TEST_FILE.search(path)]
        if not 1 <= len(code) <= 5 or len(code) == len(python):
            continue
        touched, tests = about(repository, commit)
        if 1 <= len(touched) <= 10 and tests:
            yield commit
            taken += 1
            if taken == EACH:
                return


def place(mirrors: Path, name: str) -> Path:
    own = mirrors / name.replace("/", "+") / "repo"
    return own if own.is_dir() else mirrors / name.rpartition("/")[2]


def write_tree(repository: Path, commit: str, root: Path) -> None:
    """The parent's Python files with the commit's tests over them; files that are the same stay untouched."""
    wanted: dict[str, str] = {}
    for at, tests in ((f"{commit}^", False), (commit, True)):
        for line in git(repository, "ls-tree", "-r", at).splitlines():
            mode, kind, identity, path = re.split(r"[ \t]", line, maxsplit=3)
            if path.endswith(".py") and kind == "blob" and mode != "120000":
                is_test = bool(_TEST_FILE.search(path))
                if not tests or is_test:
                    wanted[path] = identity
    names = "\n".join(wanted.values()).encode()
    done = subprocess.run(
        ["git", "-C", str(repository), "cat-file", "--batch"], input=names, capture_output=True, check=True
    ).stdout
    at = 0
    for path in wanted:
        header, _, _ = done[at : at + 200].partition(b"\n")
        size = int(header.split()[2])
        content = done[at + len(header) + 1 : at + len(header) + 1 + size]
        at += len(header) + size + 2
        target = root / path
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    for file in root.rglob("*.py"):
        if file.relative_to(root).as_posix() not in wanted:
            file.unlink()


def by_text(snapshot: IndexSnapshot, search: Any, tests: Sequence[UnitRecord]) -> set[int]:
    """What full text and meaning alone give: units whole, best first, until the budget is spent."""
    room, found = BUDGET, set()
    for test in tests:
        room -= tokens(text.whole(snapshot, test))
        found.add(test.id)
    query = f"{' '.join(tests[0].name.split('_'))}\n{text.whole(snapshot, tests[0])}"
    for hit in search(query, 100):
        cost = tokens(text.whole(snapshot, hit.unit)) + tokens(text.line(hit.unit)) + 2
        if hit.unit.kind in FUNCTIONS and hit.unit.id not in found and cost <= room:
            room -= cost
            found.add(hit.unit.id)
    return found


def by_map(snapshot: IndexSnapshot, tests: Sequence[UnitRecord]) -> set[int]:
    """What a map alone gives: single lines by PageRank that restarts where the test's words are names."""
    import networkx

    index = snapshot.index
    units = {unit.id: unit for unit in index.all_units() if unit.kind in (*FUNCTIONS, "class")}
    words = set(re.findall(r"\w{3,}", "\n".join(text.whole(snapshot, test) for test in tests)))
    graph = networkx.DiGraph()
    graph.add_nodes_from(units)
    graph.add_edges_from(
        (edge.caller, edge.callee) for edge in index.edges() if {edge.caller, edge.callee} <= set(units)
    )
    named = {unit.id: 1.0 for unit in units.values() if unit.name in words}
    ranks = networkx.pagerank(graph, personalization=named or None)
    room, found = BUDGET, set()
    for unit in sorted(units.values(), key=lambda unit: (-ranks[unit.id], unit.id)):
        cost = tokens(text.line(unit)) + 1
        if not near.is_test(unit) and cost <= room:
            room -= cost
            found.add(unit.id)
    return found


def measure(repository: Path, commits: Sequence[str], root: Path) -> Iterator[dict[str, Any]]:
    for commit in commits:
        touched, tests = about(repository, commit)
        write_tree(repository, commit, root)
        index_workspace(root, StaticEmbedder())
        index = Index.open(root)
        snapshot = IndexSnapshot(index)
        wanted = [unit_id(*one) for one in touched]
        asked = [unit for one in tests[:3] if (unit := index.unit(unit_id(*one)))]
        known = [unit for unit in wanted if index.unit(unit)]
        search, _ = search_if_possible(root, Settings(), index)
        if not asked or len(known) < len(wanted) or search is None:
            index.close()
            raise SystemExit(f"{commit}: a unit of the list is not in the index")
        begun = time.process_time()
        target = context.Target(asked[0].qualname, tuple(asked), None, "", "fails")
        made = context.context_of(snapshot, target, search, BUDGET)
        seconds = time.process_time() - begun
        inside = {unit.id for unit in made.units}
        ids = {part.id for part in made.parts}
        whole = {unit.id for unit in made.units if any(f"u:{unit.id:x}"[:10] == name for name in ids)}
        assert made.tokens <= BUDGET
        systems = {
            "context": inside,
            "whole": whole,
            "search": by_text(snapshot, search, asked),
            "map": by_map(snapshot, asked),
        }
        yield {
            "commit": commit[:10], "functions": len(wanted), "cpu_s": round(seconds, 2),
            **{name: sum(unit in found for unit in wanted) / len(wanted) for name, found in systems.items()},
        }  # fmt: skip
        index.close()


def summary(rows: Sequence[dict[str, Any]], prefix: str) -> dict[str, float]:
    told: dict[str, float] = {f"{prefix}commits": len(rows)}
    for name in ("context", "whole", "search", "map"):
        told[f"{prefix}{name}_recall"] = round(sum(row[name] == 1 for row in rows) / max(1, len(rows)), 3)
        told[f"{prefix}{name}_recall_functions"] = round(sum(row[name] for row in rows) / max(1, len(rows)), 3)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mirrors", type=Path, required=True)
    parser.add_argument("--collect", action="store_true", help="write the list of commits by the rule, and stop")
    parser.add_argument("--only", nargs="+", default=list(REPOSITORIES))
    options = parser.parse_args()
    if options.collect:
        listed = {name: list(chosen(place(options.mirrors, name))) for name in REPOSITORIES}
        COMMITS.write_text(json.dumps(listed, indent=1) + "\n")
        print({name: len(commits) for name, commits in listed.items()})
        return
    listed = json.loads(COMMITS.read_text())
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(place(options.mirrors, name), listed[name], Path(folder).resolve()):
                rows.setdefault(name, []).append(row)
                print(name, row, flush=True)
    counted = [row for name, found in rows.items() if name not in DEVELOPMENT for row in found]
    development = [row for name, found in rows.items() if name in DEVELOPMENT for row in found]
    print(json.dumps({**summary(counted, ""), **summary(development, "development_")}))


if __name__ == "__main__":
    main()
