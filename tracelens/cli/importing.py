"""tracelens import"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tracelens.cli.progress import showing
from tracelens.cli.workspace import find_root, json_option, print_json, progress_option, root_option, say
from tracelens_indexer.errors import TraceLensError


@click.command("import")
@click.argument("files", type=click.Path(path_type=Path, allow_dash=True), nargs=-1, required=True)
@click.option("--name", default=None, help="What to call the run (default: the file's name).")
@root_option
@json_option
@progress_option
def command(files: tuple[Path, ...], name: str | None, root_path: Path | None, as_json: bool, progress: str) -> None:
    """Import trace files and join them to the code.

    The format is recognised from the content: pstats (cProfile), VizTracer and Chrome traces, speedscope, Python
    tracebacks in any log, and recordings of TraceLens. `-` reads standard input.

    \b
      python -m cProfile -o shop.pstats -m shop && tracelens import shop.pstats
      viztracer --log_func_args --log_func_retval -o trace.json -- run.py && tracelens import trace.json
      tracelens import app.log
    """
    from tracelens.cli import imported
    from tracelens_indexer.indexing import index_workspace
    from tracelens_indexer.store import Writer
    from tracelens_indexer.traces.importing import import_file

    root = find_root(root_path)
    failed: list[TraceLensError] = []
    results = []
    with showing(progress, "Importing") as update:
        index_workspace(root, progress=update, said=say, searchable=False)
        with Writer(root, say) as writer:
            for path in files:
                try:
                    summary = import_file(writer, path, lambda done, total: update("importing", done, total), name=name)
                except TraceLensError as error:
                    failed.append(error)
                    continue
                results.append((path, summary))
    if as_json:
        print_json(
            {
                "imported": [{"file": str(path), **asdict(summary)} for path, summary in results],
                "failed": [str(failure) for failure in failed],
            }
        )
    else:
        for _, summary in results:
            for line in imported.lines(summary):
                click.echo(line)
    for failure in failed:
        say(str(failure))
    if failed:
        raise SystemExit(2)
