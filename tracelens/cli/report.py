"""tracelens report"""

from __future__ import annotations

from pathlib import Path

import click

from tracelens.cli.workspace import chosen_runs, find_root, open_index, root_option, runs_option
from tracelens_indexer.errors import TraceLensError


@click.command("report")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), default=Path("tracelens.html"),
    show_default=True, help="The file to write.",
)  # fmt: skip
@runs_option
@root_option
def command(output: Path, run_names: tuple[str, ...], root_path: Path | None) -> None:
    """Write one HTML file: flame graph, hot paths, failures, values and calls, runs; with search, without network.

    \b
      tracelens report
      tracelens report -o nightly.html --run pytest

    The file holds recorded values: give it only to people who may see them.
    """
    from tracelens.answers.snapshot import IndexSnapshot
    from tracelens.report.page import page

    with open_index(find_root(root_path)) as index:
        text = page(IndexSnapshot(index, chosen_runs(index, run_names)))
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TraceLensError(f"{output}: cannot be written: {error.strerror}") from error
    click.echo(f"{output}  {len(text.encode()) / 1024:,.0f} KiB; open it in a browser")
