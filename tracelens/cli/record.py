"""tracelens record"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracelens.cli.workspace import find_root, load_settings, python_option, root_option, say
from tracelens.interpreter import environment_for, project_python
from tracelens_indexer.errors import TraceLensError

if TYPE_CHECKING:
    from tracelens_indexer.traces.recording_effort import Effort


def _share(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    """ "3%", "3 %" or "0.03" as 0.03."""
    from tracelens_recorder import configuration

    if text is None:
        return None
    share = configuration.share(text)
    if not 0 < share <= 1:
        raise click.BadParameter(f"{text!r} is not a share of the CPU time. Write it as in: --budget 3%")
    return share


@click.command("record", context_settings={"ignore_unknown_options": True})
@python_option("to run with")
@click.option("--exact", is_flag=True, help="Count and time every call, however many (slower).")
@click.option(
    "--budget",
    default=None,
    callback=_share,
    metavar="SHARE",
    help="Share of the program's CPU time that recording may take (default: 3%; Python 3.12 or newer).",
)
@click.option("--name", default=None, help="What to call the run (default: the command's name).")
@root_option
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND…")
def command(
    python_name: str,
    exact: bool,
    budget: float | None,
    name: str | None,
    root_path: Path | None,
    arguments: tuple[str, ...],
) -> None:
    """Run a command and record what its Python code did: calls, times, values, exceptions.

    The command runs in the project's interpreter (3.9 or newer), with its child processes. Secrets are taken out
    before anything is written. Ends with the command's own exit code.

    Within the budget, functions that are called very often are looked at now and then only: their counts are "at
    least". With --exact every call is counted, whatever it costs.

    \b
      tracelens record -- pytest -q
      tracelens record -- -m shop 200
      tracelens record -- scripts/nightly.py --dry-run
    """
    from tracelens.cli import imported
    from tracelens_indexer.indexing import index_workspace
    from tracelens_indexer.store import Layout, Writer
    from tracelens_indexer.traces.importing import import_recordings
    from tracelens_indexer.traces.recording_effort import effort
    from tracelens_recorder import configuration
    from tracelens_recorder.launch import environment

    root = find_root(root_path)
    settings = load_settings(root)
    python = project_python(root, python_name or settings.project_python)
    environ = environment_for(python)
    full = _full_command(list(arguments), python, environ)

    layout = Layout(root)
    layout.create()
    recordings = layout.incoming / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    recordings.mkdir(mode=0o700)
    options = configuration.options(str(root), {"exact": exact or None, "budget": budget}, environ)
    environ.update(environment(str(recordings), str(root), options))
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
    took = effort(sorted(recordings.glob("*.tlrec")))
    shutil.rmtree(recordings)
    click.echo(_summary_line(took, summary.redacted, options.exact))
    for line in imported.lines(summary)[1:]:
        click.echo(line)
    sys.exit(code)


def _summary_line(took: Effort, redacted: int, exact: bool) -> str:
    """ "Recorded 29 of 29 functions that ran · 412 calls in full, all 3 failures · budget 3 % (used 2.6 %) · …"."""
    calls = f"{took.calls:,} call{'' if took.calls == 1 else 's'} in full"
    if took.failures:
        kept = "all" if took.failures_kept >= took.failures else f"{took.failures_kept:,} of"
        calls += f", {kept} {took.failures:,} failure{'' if took.failures == 1 else 's'}"
    functions = f"{took.functions:,} function{'' if took.functions == 1 else 's'}"
    parts = [f"Recorded {took.recorded:,} of {functions} that ran", calls]
    if took.budget is not None and took.cpu_ns:
        used = took.spent_ns / took.cpu_ns
        if used <= took.budget + 0.0005:
            parts.append(f"budget {took.budget * 100:g} % (used {used * 100:.1f} %)")
        else:  # short programs are recorded more fully than their share would allow
            parts.append(f"budget {took.budget * 100:g} % and 50 ms (used {took.spent_ns / 1e6:,.0f} ms)")
    elif exact:
        parts.append("every call counted")
    if redacted:
        parts.append(f"{redacted:,} value{'' if redacted == 1 else 's'} redacted")
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
