"""tracelens import"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracelens.cli.progress import showing
from tracelens.cli.workspace import find_root, json_option, load_settings, print_json, progress_option, root_option, say
from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from tracelens.fix.ledger import Entry
    from tracelens_indexer.traces.importing import ImportSummary

WATCH_SECONDS = 1.0


@click.command("import")
@click.argument("files", type=click.Path(path_type=Path, allow_dash=True), nargs=-1)
@click.option("--name", default=None, help="What to call the run (default: the file's name).")
@click.option("--list-formats", is_flag=True, help="List the formats that are read, and how to make each.")
@click.option(
    "--watch",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Import what is in a folder, and what appears in it, until stopped.",
)
@root_option
@json_option
@progress_option
def command(
    files: tuple[Path, ...],
    name: str | None,
    list_formats: bool,
    watch: Path | None,
    root_path: Path | None,
    as_json: bool,
    progress: str,
) -> None:
    """Import trace files and join them to the code.

    The format is recognised from the content, whatever the file is called: profiles, samples, traces, coverage and
    Python tracebacks in any log; --list-formats lists all. gzip, zstd, xz and bzip2 are unpacked; every trace in a tar
    or zip becomes a run. `-` reads standard input. The JSON result of a repair agent's task is noted as a proposed fix.

    \b
      python -m cProfile -o shop.pstats -m shop && tracelens import shop.pstats
      viztracer --log_func_args --log_func_retval -o trace.json -- run.py && tracelens import trace.json
      tracelens import app.log
      tracelens import --watch traces/
    """
    if list_formats:
        _list(as_json)
        return
    if not files and watch is None:
        raise click.UsageError("Name a trace file, or a folder with --watch.")
    from tracelens.cli import imported
    from tracelens.fix import task_results
    from tracelens_indexer.indexing import index_workspace
    from tracelens_indexer.store import Writer
    from tracelens_indexer.traces.importing import import_files

    root = find_root(root_path)
    chosen = load_settings(root)
    failed: list[str] = []
    results: list[tuple[Path, ImportSummary]] = []
    noted: list[Entry] = []

    def take(paths: Iterator[Path] | tuple[Path, ...]) -> Iterator[tuple[Path, ImportSummary | TraceLensError]]:
        with showing(progress, "Importing") as update:
            index_workspace(root, progress=update, said=say, searchable=False)
            with Writer(root, say) as writer:
                for path in paths:
                    done = _progress(update)
                    try:
                        if (fix := task_results.noted(root, path)) is not None:
                            noted.append(fix)
                            continue
                        for found in import_files(
                            writer, path, done, name=name, mapping=chosen.paths, readers=chosen.readers
                        ):
                            yield path, found
                    except TraceLensError as error:
                        yield path, error

    for path, found in take(files):
        if isinstance(found, TraceLensError):
            failed.append(str(found))
        else:
            results.append((path, found))
    if files:
        _show(results, failed, noted, as_json, imported.lines)
    if watch is not None:
        _watch(watch, take, noted, as_json, imported.lines)
    if failed:
        raise SystemExit(2)


def _progress(update: Callable[[str, int, int], None]) -> Callable[[int, int], None]:
    return lambda done, total: update("importing", done, total)


def _show(
    results: list[tuple[Path, ImportSummary]],
    failed: list[str],
    noted: list[Entry],
    as_json: bool,
    lines: Callable[[ImportSummary], list[str]],
) -> None:
    from tracelens.fix.task_results import told

    if as_json:
        print_json(
            {
                "imported": [{"file": str(path), **asdict(summary)} for path, summary in results],
                "fixes": [asdict(entry) for entry in noted],
                "failed": failed,
            }
        )
    else:
        for _, summary in results:
            for line in lines(summary):
                click.echo(line)
        for entry in noted:
            click.echo(told(entry))
    for failure in failed:
        say(failure)


def _watch(
    folder: Path,
    take: Callable[[tuple[Path, ...]], Iterator[tuple[Path, ImportSummary | TraceLensError]]],
    noted: list[Entry],
    as_json: bool,
    lines: Callable[[ImportSummary], list[str]],
) -> None:
    """Until Ctrl-C. A file is imported once it has not changed for a moment: it may still be being written."""
    import time

    say(f"watching {folder}; Ctrl-C stops")
    done: dict[Path, tuple[int, int]] = {}
    seen: dict[Path, tuple[int, int]] = {}
    while True:
        now = {path: stamp for path in sorted(folder.iterdir()) if (stamp := _stamp(path)) is not None}
        ready = tuple(path for path, stamp in now.items() if seen.get(path) == stamp and done.get(path) != stamp)
        seen = now
        if ready:
            results: list[tuple[Path, ImportSummary]] = []
            failed: list[str] = []
            for path, found in take(ready):
                if isinstance(found, TraceLensError):
                    failed.append(str(found))
                elif not found.already_imported:
                    results.append((path, found))
            done.update((path, now[path]) for path in ready)
            _show(results, failed, noted, as_json, lines)
            noted.clear()
        time.sleep(WATCH_SECONDS)


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file that has something in it; None for all else."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_size, stat.st_mtime_ns) if path.is_file() and stat.st_size and path.name[:1] != "." else None


def _list(as_json: bool) -> None:
    from tracelens_indexer.traces.sniff import readable

    forms = readable()
    if as_json:
        print_json([{"name": form.name, "title": form.title, "made_by": form.made_by} for form in forms])
        return
    width = max(len(form.title) for form in forms)
    for form in forms:
        click.echo(f"{form.title:<{width}}  {form.made_by}")
