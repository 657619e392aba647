"""tracelens record"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from tracelens.cli.workspace import find_root, load_settings, root_option, say
from tracelens.interpreter import environment_for, project_python
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store.answers import Profile


@click.command("record", context_settings={"ignore_unknown_options": True})
@click.option("--python", "python_name", default="", help="Interpreter to run with (default: the project's own).")
@click.option("--exact", is_flag=True, help="Count and time every call, however many (slower).")
@click.option("--name", default=None, help="What to call the run (default: the command's name).")
@root_option
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND…")
def command(
    python_name: str, exact: bool, name: str | None, root_path: Path | None, arguments: tuple[str, ...]
) -> None:
    """Run a command and record what its Python code did: calls, times, values, exceptions.

    The command runs in the project's interpreter (3.9 or newer), with its child processes. Secrets are taken out
    before anything is written. Ends with the command's own exit code.

    \b
      tracelens record -- pytest -q
      tracelens record -- -m shop 200
      tracelens record -- scripts/nightly.py --dry-run
    """
    from tracelens.cli import imported
    from tracelens_indexer.indexing import index_workspace
    from tracelens_indexer.store import Layout, Writer
    from tracelens_indexer.traces.importing import import_recordings
    from tracelens_recorder.launch import Options, environment

    root = find_root(root_path)
    settings = load_settings(root)
    python = project_python(root, python_name or settings.project_python)
    environ = environment_for(python)
    full = _full_command(list(arguments), python, environ)

    layout = Layout(root)
    layout.create()
    recordings = layout.incoming / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    recordings.mkdir(mode=0o700)
    environ.update(environment(str(recordings), str(root), Options(exact=exact)))
    code = _run(full, environ)

    if not any(recordings.iterdir()):
        recordings.rmdir()
        raise TraceLensError(
            f"{' '.join(arguments)}: nothing was recorded (exit code {code}). Only Python 3.9 or newer can be "
            "recorded, and not with -I, -S or -E"
        )
    index_workspace(root, said=say, searchable=False)
    with Writer(root, say) as writer:
        summary = import_recordings(writer, recordings, name=name or _name(arguments))
        recorded = writer.index.hot([summary.run], limit=1_000_000) if summary.run is not None else []
    shutil.rmtree(recordings)
    click.echo(_summary_line(recorded, summary.redacted))
    for line in imported.lines(summary)[1:]:
        click.echo(line)
    sys.exit(code)


def _summary_line(profiles: Sequence[Profile], redacted: int) -> str:
    """ "Recorded 29 functions · 4,120 calls, 412 in full · 3 exceptions · 2 values redacted"."""
    calls, captured = sum(p.calls for p in profiles), sum(p.captured for p in profiles)
    least = "at least " if any(p.counting == "at least" for p in profiles) else ""
    raised = sum(failure.n for p in profiles for failure in p.failures if failure.origin)
    parts = [f"Recorded {len(profiles):,} functions", f"{least}{calls:,} calls, {captured:,} in full"]
    parts.append(f"{raised:,} exception{'' if raised == 1 else 's'}" if raised else "no exceptions")
    if redacted:
        parts.append(f"{redacted:,} values redacted")
    return " · ".join(parts)


def _full_command(arguments: list[str], python: str, environ: dict[str, str]) -> list[str]:
    """The command as it is run: scripts, modules and pytest by the project's interpreter, all else as it stands."""
    first = arguments[0]
    if first in ("-m", "-c") or first.endswith(".py"):
        return [python, *arguments]
    if first in ("python", "python3"):
        return [python, *arguments[1:]]
    if first in ("pytest", "py.test"):
        # The pytest that stands first on PATH may be of another environment, even of ours.
        return [python, "-m", "pytest", *arguments[1:]]
    found = shutil.which(first, path=environ["PATH"])
    if not found:
        raise TraceLensError(f"{first}: no such command")
    return [found, *arguments[1:]]


def _run(full: list[str], environ: dict[str, str]) -> int:
    """The command's exit code. Ctrl-C goes to the command, which shares our terminal; what it did until then counts."""
    try:
        process = subprocess.Popen(full, env=environ)
    except OSError as error:
        raise TraceLensError(f"{full[0]}: cannot be run ({error.strerror})") from error
    while True:
        try:
            code = process.wait()
            return 128 - code if code < 0 else code
        except KeyboardInterrupt:
            continue


def _name(arguments: tuple[str, ...]) -> str:
    first, *rest = arguments
    if first == "-m" and rest:
        return rest[0]
    if Path(first).name.startswith("python") and rest:
        return _name(tuple(rest))
    return os.path.basename(first).removesuffix(".py")  # noqa: PTH119 (a command, not a path)
