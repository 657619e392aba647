"""The language server as an editor meets it, on Django's db/models/query.py, beside the Python servers that are found.

    python benchmarks/lsp.py CORPUS [--calls 5000000] [--copies 1] [--peers BIN] [--folder FOLDER] [--rounds 200]
        [--patience 40]

CORPUS is a folder that holds the package `django`. The store is made through the public writer (lsp_store.py) and kept
in FOLDER; `--copies 4` makes it one of more than 100,000 units. BIN is a folder of commands to look into beside PATH.
Every server is a process spoken to over its standard streams, one after the other, with the same positions: the names
in the file, drawn with a fixed seed. "Warm" is the second time that the same positions are asked. The last line is
JSON; milliseconds are of the wall clock, those named `_cpu_` of the server's own processor time (what remains of them
on a machine with nothing else to do), and `busy_ratio` is the 95th percentile of a hover while indexing, importing
and fixing run, over the 95th percentile without.
"""

from __future__ import annotations

import argparse
import io
import json
import keyword
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PARTS = [str(ROOT / "benchmarks"), str(ROOT), str(ROOT / "indexer"), str(ROOT / "lsp"), str(ROOT / "recorder")]
sys.path[:0] = PARTS

from lsp_client import Client  # noqa: E402
from lsp_store import prepared  # noqa: E402

FILE = "django/db/models/query.py"
PEERS = {
    "pyright": ["pyright-langserver", "--stdio"],
    "basedpyright": ["basedpyright-langserver", "--stdio"],
    "jedi": ["jedi-language-server"],
    "pylsp": ["pylsp"],
    "ty": ["ty", "server"],
}
EDITED_LINE = 40
_EDITS = 40
_SAVES = 6
_STARTS = 5
_BUSY_TURNS = 3
_BUSY_SECONDS = 6.0
_WAIT_SECONDS = 40.0
"""How long is waited for what the server does beside its answers."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--calls", type=int, default=5_000_000)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--peers", type=Path, help="a folder of commands beside PATH; 'none' leaves the peers out")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tracelens-lsp-benchmark")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--patience", type=float, default=40.0, help="seconds that one peer may take over one measure")
    given = parser.parse_args()
    root = prepared(given.corpus.resolve(), given.folder.resolve(), given.calls, given.copies)
    positions = names((root / FILE).read_text(), given.rounds)
    found: dict[str, float] = {}
    environment = {"PYTHONPATH": os.pathsep.join(PARTS), "TRACELENS_CONFIG": str(given.folder / "config.toml")}
    own = [sys.executable, "-P", "-m", "tracelens_lsp"]
    found.update(measured(own, root, positions, environment, given.patience, ours=True))
    report("tracelens", found)
    where = f"{given.peers}{os.pathsep}{os.environ['PATH']}" if given.peers else os.environ["PATH"]
    for name, command in PEERS.items() if str(given.peers) != "none" else ():
        program = shutil.which(command[0], path=where)
        if program is None:
            print(f"{name:13} not found", flush=True)
            continue
        try:
            peer = measured([program, *command[1:]], root, positions, {"PATH": where}, given.patience, ours=False)
        except (EOFError, OSError) as error:
            print(f"{name:13} {error}", flush=True)
            continue
        report(name, peer)
        found.update({f"{name}_{key}": value for key, value in peer.items()})
    print(json.dumps(found))


def names(text: str, rounds: int) -> list[tuple[int, int]]:
    """0-based positions within names of the file."""
    found = [
        (token.start[0] - 1, token.start[1] + 1)
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string) and len(token.string) > 2
    ]
    return random.Random(7).sample(found, min(rounds, len(found)))


def report(name: str, found: dict[str, float]) -> None:
    print(f"{name:13} " + "  ".join(f"{key} {value:g}" for key, value in found.items()), flush=True)


def measured(
    command: list[str],
    root: Path,
    positions: list[tuple[int, int]],
    environment: dict[str, str],
    patience: float,
    *,
    ours: bool,
) -> dict[str, float]:
    uri = (root / FILE).as_uri()
    text = (root / FILE).read_text()
    starts, hovers = [], []
    for attempt in range(_STARTS):
        client = Client(command, root, environment)
        client.start()
        starts.append(client.seconds())
        client.tell("initialized", {})
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        client.tell("textDocument/didOpen", {"textDocument": document})
        hover(client, uri, positions[0])
        hovers.append(client.seconds())
        if attempt < _STARTS - 1:
            client.stop()
    try:
        found = {"init_s": round(min(starts), 3), "first_hover_s": round(min(hovers), 3)}
        cold, cold_cpu = costed(client, lambda at: hover(client, uri, at), positions, patience)
        warm, warm_cpu = costed(client, lambda at: hover(client, uri, at), positions, patience)
        found |= {"hover_cold_p95_ms": p(cold, 95), "hover_cold_cpu_p95_ms": p(cold_cpu, 95)}
        found |= {"hover_p50_ms": p(warm, 50), "hover_p95_ms": p(warm, 95), "hover_cpu_p95_ms": p(warm_cpu, 95)}
        found["answered"] = sum(bool(hover(client, uri, at).get("result")) for at in positions[:50]) / 50
        if ours:
            wall, cpu = costed(client, lambda _: whole_file(client, uri), [(0, 0)] * 40)
            found |= {"file_p95_ms": p(wall, 95), "file_cpu_p95_ms": p(cpu, 95)}
        wall, cpu = costed(client, edit_and_hover(client, uri, positions), list(range(_EDITS)), patience)
        found |= {"edit_hover_p50_ms": p(wall, 50), "edit_hover_p95_ms": p(wall, 95)}
        found["edit_hover_cpu_p95_ms"] = p(cpu, 95)
        if ours:
            wall, cpu = costed(client, edit_and_file(client, uri), list(range(_EDITS)))
            found |= {"edit_file_p95_ms": p(wall, 95), "edit_file_cpu_p95_ms": p(cpu, 95)}
        found["rss_mb"] = round(client.rss_mb(), 1)
        if ours:
            found["saved_first_s"], found["saved_p50_s"] = saved(client, root, uri)
            found["busy_ratio"] = busy(client, root, uri, positions)
            found["cancelled_s"] = cancelled(client)
    finally:
        client.stop()
    # A peer may be a launcher, whose own processor time says nothing.
    return found if ours else {key: value for key, value in found.items() if "_cpu_" not in key}


def p(times: list[float], percent: int) -> float:
    """A percentile of seconds, in milliseconds."""
    ordered = sorted(times)
    return round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000, 2)


def timed(work: Callable[[Any], object], items: list[Any], patience: float = _WAIT_SECONDS) -> list[float]:
    """Seconds of each, as many as begin within the patience that all of them together have."""
    found: list[float] = []
    end = time.perf_counter() + patience
    for item in items:
        begun = time.perf_counter()
        work(item)
        found.append(time.perf_counter() - begun)
        if time.perf_counter() > end:
            break
    return found


def costed(
    client: Client, work: Callable[[Any], object], items: list[Any], patience: float = _WAIT_SECONDS
) -> tuple[list[float], list[float]]:
    """(seconds, seconds of the server's processor time) of each."""
    spent: list[float] = []

    def one(item: Any) -> None:
        before = client.own_cpu_s()
        work(item)
        spent.append(client.own_cpu_s() - before)

    return timed(one, items, patience), spent


# -- what is asked -------------------------------------------------------------------------------------------------


def hover(client: Client, uri: str, at: tuple[int, int]) -> dict[str, Any]:
    position = {"line": at[0], "character": at[1]}
    return client.ask("textDocument/hover", {"textDocument": {"uri": uri}, "position": position})


def whole_file(client: Client, uri: str) -> None:
    """What an editor asks of a file that it shows: lenses, hints and diagnostics, without waiting in between."""
    document = {"textDocument": {"uri": uri}}
    everything = {"start": {"line": 0, "character": 0}, "end": {"line": 1_000_000, "character": 0}}
    numbers = [
        client.post("textDocument/codeLens", document),
        client.post("textDocument/inlayHint", {**document, "range": everything}),
        client.post("textDocument/diagnostic", document),
    ]
    for number in numbers:
        client.answer(number)


def edit_and_hover(client: Client, uri: str, positions: list[tuple[int, int]]) -> Callable[[int], object]:
    return lambda step: (
        _edit(client, uri, step),
        hover(client, uri, _moved(positions[step % len(positions)], step + 1)),
    )


def edit_and_file(client: Client, uri: str) -> Callable[[int], object]:
    return lambda step: (_edit(client, uri, _EDITS + step), whole_file(client, uri))


def _edit(client: Client, uri: str, step: int) -> None:
    """A line more near the beginning, so that everything below moves."""
    at = {"line": EDITED_LINE, "character": 0}
    change = {"range": {"start": at, "end": at}, "text": "# e\n"}
    document = {"uri": uri, "version": step + 2}
    client.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})


def _moved(at: tuple[int, int], lines: int) -> tuple[int, int]:
    return (at[0] + lines if at[0] >= EDITED_LINE else at[0], at[1])


def busy(client: Client, root: Path, uri: str, positions: list[tuple[int, int]]) -> float:
    """Hovers while indexing, importing and fixing run, against hovers without: the ratio of the 95th percentiles.

    Both are asked in the same way and by turns, so that what else the machine does falls on both.
    """
    moved = [_moved(at, 2 * _EDITS) for at in positions]
    stacks = root.parent / "stacks.folded"
    units = ("QuerySet.filter", "QuerySet._clone", "QuerySet._fetch_all", "QuerySet.get")
    stacks.write_text("\n".join(f"{unit} ({FILE}) {number + 1}" for number, unit in enumerate(units * 500)))
    arguments = {"tracelens.index": [], "tracelens.import": [str(stacks)], "tracelens.fix": _failures(client, uri)}
    idle: list[float] = []
    times: list[float] = []
    done = dict.fromkeys(arguments, 0)
    for _ in range(_BUSY_TURNS):
        end = time.perf_counter() + _BUSY_SECONDS
        while time.perf_counter() < end:
            idle += _asked(client, uri, moved, len(idle))
        running = {name: _command(client, name, said) for name, said in arguments.items()}
        end = time.perf_counter() + _BUSY_SECONDS
        while time.perf_counter() < end:
            for name, number in running.items():
                if number in client.late:
                    client.late.pop(number)
                    done[name] += 1
                    if name == "tracelens.index":
                        _touch(root / FILE)
                    running[name] = _command(client, name, arguments[name])
            times += _asked(client, uri, moved, len(times))
        for number in running.values():
            client.tell("$/cancelRequest", {"id": number})
            client.answer(number)
    _touch(root / FILE, restore=True)
    print(
        f"    idle p50 {p(idle, 50)} p95 {p(idle, 95)} ms ({len(idle)} hovers); while working p50 {p(times, 50)}"
        f" p95 {p(times, 95)} ms ({len(times)}); done meanwhile: {done}",
        flush=True,
    )
    return round(p(times, 95) / p(idle, 95), 2)


def _asked(client: Client, uri: str, positions: list[tuple[int, int]], begin: int) -> list[float]:
    """Some hovers and a pause: as a person would, not one question right behind the other without end."""
    found = timed(lambda at: hover(client, uri, at), positions[begin % len(positions) :][:20])
    time.sleep(0.02)
    return found


def saved(client: Client, root: Path, uri: str) -> tuple[float, float]:
    """Seconds from saving an edit inside a function until the index has it: the first time (a new function, and the
    process that keeps the program starts), and the median of those after it."""
    file = root / FILE
    text = file.read_text()
    times = []
    database = sqlite3.connect(f"{(root / '.tracelens/index.db').as_uri()}?mode=ro", uri=True)
    for step in range(_SAVES):
        name = "saved_by_the_benchmark"
        query = "SELECT body_hash FROM units WHERE name = ?"
        before = database.execute(query, (name,)).fetchone()
        file.write_text(f"{text}\n\ndef {name}():\n    return {step}\n")
        begun = time.perf_counter()
        client.tell("textDocument/didSave", {"textDocument": {"uri": uri}})
        while database.execute(query, (name,)).fetchone() == before:
            if time.perf_counter() > begun + _WAIT_SECONDS:
                break
            time.sleep(0.005)
        times.append(time.perf_counter() - begun)
        # A person types something in between.
        time.sleep(0.5)
    database.close()
    file.write_text(text)
    return round(times[0], 2), round(statistics.median(times[1:]), 3)


def cancelled(client: Client) -> float:
    """Seconds from cancelling an index of the workspace until it is answered and its process is gone."""
    before = len(client.processes())
    number = _command(client, "tracelens.index", [])
    end = time.perf_counter() + 5
    while len(client.processes()) <= before and time.perf_counter() < end:
        time.sleep(0.01)
    begun = time.perf_counter()
    client.tell("$/cancelRequest", {"id": number})
    client.answer(number)
    while len(client.processes()) > before and time.perf_counter() < begun + 30:
        time.sleep(0.01)
    return round(time.perf_counter() - begun, 3)


def _command(client: Client, name: str, arguments: list[str]) -> int:
    return client.post("workspace/executeCommand", {"command": name, "arguments": arguments})


def _failures(client: Client, uri: str) -> list[str]:
    """The id of a failure in the file, which a fix is looked for."""
    report = client.ask("textDocument/diagnostic", {"textDocument": {"uri": uri}})["result"]
    ids = [item["data"]["failure"] for item in report["items"] if item.get("data", {}).get("failure")]
    return ids[:1]


def _touch(file: Path, *, restore: bool = False) -> None:
    """Another content than before, so that indexing has something to do."""
    text = file.read_text()
    line = "# touched by the benchmark\n"
    clean = text.replace(line, "")
    file.write_text(clean if restore or text != clean else text + line)


if __name__ == "__main__":
    main()
