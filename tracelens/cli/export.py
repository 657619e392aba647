"""tracelens export"""

from __future__ import annotations

from pathlib import Path

import click

from tracelens.cli.workspace import chosen_runs, find_root, open_index, root_option, runs_option


@click.command("export")
@click.option(
    "--text", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
    help="Folder to write to: empty, or that of an earlier export.",
)  # fmt: skip
@runs_option
@root_option
def command(folder: Path, run_names: tuple[str, ...], root_path: Path | None) -> None:
    """Write what was seen as text files to grep: an index, failures, runs, and one file for each unit with data.

    \b
      tracelens export --text /tmp/seen && grep -rn "ZeroDivisionError" /tmp/seen
      tracelens export --text seen --run pytest

    The files hold recorded values: give them only to people and programs that may see them.
    """
    from tracelens.answers.snapshot import IndexSnapshot
    from tracelens.export import write

    with open_index(find_root(root_path)) as index:
        units = write(IndexSnapshot(index, chosen_runs(index, run_names)), folder)
    click.echo(f"{folder / 'index.txt'}  {units:,} units with data")
