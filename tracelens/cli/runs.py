"""tracelens runs"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tracelens.cli.workspace import (
    chosen_runs,
    find_root,
    json_option,
    open_index,
    print_json,
    root_option,
    runs_option,
    say,
)


@click.command("runs")
@click.option("--drop", multiple=True, metavar="RUN", help="Forget these runs, named as for --run; can be given again.")
@runs_option
@root_option
@json_option
def command(drop: tuple[str, ...], run_names: tuple[str, ...], root_path: Path | None, as_json: bool) -> None:
    """List the runs that are known, latest first; * marks those that are shown.

    \b
      tracelens runs
      tracelens runs --run "env:staging since:2d"
      tracelens runs --drop 3 --drop "until:30d"
    """
    from tracelens.answers.runs import lines
    from tracelens_indexer.store import Writer

    root = find_root(root_path)
    if drop:
        with Writer(root, say) as writer:
            ids = chosen_runs(writer.index, drop) or ()
            writer.drop_runs(ids)
    with open_index(root) as index:
        runs, current = index.runs(), set(index.current_runs())
        if (chosen := chosen_runs(index, run_names)) is not None:
            runs = [run for run in runs if run.id in chosen]
    if as_json:
        print_json([{**asdict(run), "current": run.id in current} for run in runs])
        return
    if not runs:
        click.echo("no runs yet. Record one: tracelens record -- pytest · or import a trace: tracelens import FILE")
        return
    for run in runs:
        for line in lines(run, run.id in current):
            click.echo(line)
