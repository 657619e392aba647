"""tracelens index"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tracelens.cli.progress import showing
from tracelens.cli.workspace import find_root, json_option, load_settings, print_json, progress_option, say
from tracelens_indexer.errors import TraceLensError


@click.command("index")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@json_option
@progress_option
def command(path: Path | None, as_json: bool, progress: str) -> None:
    """Index the Python files of a workspace: units, call graph, search.

    Only what changed since the last time is done again.

    \b
      tracelens index                 the workspace around the current folder
      tracelens index ~/src/shop
    """
    from tracelens.retrieval import configured_embedder
    from tracelens_indexer.indexing import index_workspace

    if path is not None and path.is_file():
        raise TraceLensError(f"{path}: is a file; give the folder of a project")
    if path is not None and not path.exists():
        raise TraceLensError(f"{path}: no such folder")
    root = path.resolve() if path else find_root(None)
    settings = load_settings(root)
    with showing(progress, f"Indexing {root.name}") as update:
        summary = index_workspace(root, configured_embedder(settings), update, say)
    if as_json:
        print_json({"root": str(root), **asdict(summary)})
        return
    changed = summary.changed + summary.removed
    what = "nothing changed" if not changed else f"{summary.changed:,} read" if changed < summary.files else "all new"
    click.echo(
        f"Indexed {root.name}: {summary.files:,} files ({what}) · {summary.units:,} units · "
        f"{summary.sites:,} call sites ({summary.resolved:,} resolved, {summary.external:,} external, "
        f"{summary.unresolved:,} not resolved) · {summary.seconds:.1f} s"
    )
    if summary.parse_errors:
        click.echo(f"  {summary.parse_errors:,} files have places that do not parse; the rest of them is indexed")
    for reason, count in sorted(summary.left_out.items()):
        click.echo(f"  left out: {count:,} {reason}")
    if summary.embedder:
        click.echo(f"  search: by words and meaning ({summary.embedder})")
    else:
        click.echo("  search: by words alone, as embedding.model says")
