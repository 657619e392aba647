"""tracelens doctor"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracelens.cli.terminal import marked
from tracelens.cli.workspace import find_root, open_index, root_option
from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from tracelens.answers.snapshot import IndexSnapshot


@click.command("doctor")
@click.argument("place", required=False)
@root_option
def command(place: str | None, root_path: Path | None) -> None:
    """Why is nothing (or this) shown? Looks at the index and the runs, or at one FILE or FILE:LINE.

    \b
      tracelens doctor
      tracelens doctor shop/feed.py:12
    """
    from tracelens.answers import nothing
    from tracelens.answers.snapshot import IndexSnapshot

    root = find_root(root_path)
    try:
        with open_index(root) as index:
            snapshot = IndexSnapshot(index)
            if place is None:
                lines = _workspace(snapshot)
            else:
                path, _, line = place.rpartition(":") if re.search(r":\d{1,9}$", place) else (place, "", "")
                file = index.file(path)
                units = index.find(place)
                unit = units[0] if units and units[0].kind != "module" else None
                if file and line and not 0 < int(line) <= file.lines:
                    lines = [
                        place,
                        f"  ✗ there is no such line: the file has {file.lines:,}",
                        f"  → tracelens doctor {path}",
                    ]
                elif file is None and len(paths := sorted({one.path for one in units})) > 1:
                    shown = ", ".join(paths[:5]) + (", …" if len(paths) > 5 else "")
                    lines = [place, f"  ✗ could be in any of {len(paths)} files: {shown}", "  → name one of them"]
                else:
                    lines = nothing.why(snapshot, units[0].path if units else path, unit).lines
    except TraceLensError as error:
        lines = nothing.no_index(str(error), str(root)).lines
    for line in lines:
        click.echo(marked(line))


def _workspace(snapshot: IndexSnapshot) -> list[str]:
    from tracelens.answers import words

    state = snapshot.index.state()
    indexed = words.ago(state.indexed_ns) or "at an unknown time"
    lines = [str(snapshot.root), f"  ✓ indexed {indexed}: {state.files:,} files, {state.units:,} units"]
    runs = snapshot.index.runs()
    if not runs:
        return [*lines, "  ✗ no runs yet", "  → tracelens record -- pytest   or: tracelens import FILE"]
    for run in runs[:10]:
        told = f'run "{words.clean(run.name)}" ({run.tool}, {words.ago(run.started_ns or run.imported_ns)})'
        lines.append(f"  {'✓' if run.units else '✗'} {told} has data of {run.units:,} units")
        if run.notes:
            lines.append(f"    {words.clean(run.notes, words.LONGEST_MESSAGE)}")
    return lines
