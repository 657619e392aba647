"""tracelens watch"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracelens.cli.workspace import find_root, load_settings, root_option, say
from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from tracelens_indexer.indexing import IndexSummary


@click.command("watch", context_settings={"ignore_unknown_options": True})
@click.argument("command_line", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@click.option(
    "--interval", default=1.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds between looks."
)
@root_option
def command(command_line: tuple[str, ...], interval: float, root_path: Path | None) -> None:
    """Keep the index up to date while files change, until Ctrl-C; with a command, record it again after each change.

    \b
      tracelens watch
      tracelens watch -- pytest -q

    The linked program stays in memory, so that an edit takes a fraction of a second.
    """
    from tracelens.retrieval import configured_embedder
    from tracelens_indexer.indexing import Indexer

    root = find_root(root_path)
    settings = load_settings(root)
    indexer = Indexer(root)
    embedder = configured_embedder(settings)
    seen: dict[str, tuple[int, int]] | None = None
    while True:
        now = _stamps(root)
        if now != seen:
            try:
                summary = indexer.refresh(embedder, said=say)
            except TraceLensError as error:
                # A file that is gone again, another writer: the next look is a new try.
                say(str(error))
            else:
                _tell(summary, first=seen is None)
                # A command that writes files as they were before is not started again by them.
                if command_line and (seen is None or summary.changed + summary.removed):
                    _record(root, command_line)
                seen = now
        else:
            indexer.relink_if_due()
        time.sleep(interval)


def _stamps(root: Path) -> dict[str, tuple[int, int]]:
    """(size, time of change) of every file that is indexed."""
    from tracelens_indexer.workspace import discover

    found = {}
    for file in discover(root).files:
        try:
            stat = (root / file.path).stat()
        except OSError:
            continue
        found[file.path] = (stat.st_size, stat.st_mtime_ns)
    return found


def _tell(summary: IndexSummary, *, first: bool) -> None:
    changed = summary.changed + summary.removed
    if first:
        click.echo(f"watching {summary.files:,} files · {summary.units:,} units · Ctrl-C ends")
    elif changed:
        files = f"{changed:,} file{'' if changed == 1 else 's'}"
        click.echo(f"{time.strftime('%H:%M:%S')}  {files} changed · {summary.seconds:.2f} s")


def _record(root: Path, command_line: tuple[str, ...]) -> None:
    recording = [sys.executable, "-P", "-m", "tracelens.cli", "record", "--", *command_line]
    subprocess.run(recording, cwd=root, check=False)
