"""tracelens hook"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import click

from tracelens.cli.workspace import find_root, interpreter, python_option, root_option
from tracelens_indexer.errors import TraceLensError


@click.group("hook")
def command() -> None:
    """Let TRACELENS=1 in the environment record any program of an interpreter.

    The hook is one line in the interpreter's site-packages. Without TRACELENS it does nothing; with TRACELENS=1 each
    process records itself into .tracelens/ of the workspace it runs in. It never imports from the working directory.

    \b
      tracelens hook install            into the project's interpreter
      TRACELENS=1 python manage.py migrate
      tracelens hook remove
    """


_python_option = python_option("that is meant")


@command.command("install")
@_python_option
@root_option
def install(python_name: str, root_path: Path | None) -> None:
    """Put the hook into an interpreter; it stays off until TRACELENS=1."""
    said = _run("install", python_name, root_path)
    if not said["file"]:
        raise TraceLensError(f"{said['python']}: the hook cannot be installed ({said['problem']})")
    click.echo(f"{said['file']}: installed for Python {said['version']}. Record with: TRACELENS=1 python …")


@command.command("remove")
@_python_option
@root_option
def remove(python_name: str, root_path: Path | None) -> None:
    """Take the hook out of an interpreter again."""
    said = _run("remove", python_name, root_path)
    if said["problem"]:
        raise TraceLensError(f"the hook cannot be removed: {said['problem']}")
    for file in said["files"]:
        click.echo(f"{file}: removed")
    if not said["files"]:
        click.echo(f"{said['python']}: there is no hook")


@command.command("status")
@_python_option
@root_option
def status(python_name: str, root_path: Path | None) -> None:
    """Say whether an interpreter has the hook."""
    said = _run("status", python_name, root_path)
    if not said["file"]:
        click.echo(f"{said['python']}: there is no hook. Install it: tracelens hook install")
    elif not said["current"]:
        click.echo(f"{said['file']}: the hook of another installation of TraceLens. Renew it: tracelens hook install")
    else:
        click.echo(f"{said['file']}: installed for Python {said['version']}, off until TRACELENS=1")


def _run(what: str, python_name: str, root_path: Path | None) -> dict[str, Any]:
    import tracelens_recorder

    root = find_root(root_path)
    python = interpreter(root, python_name)
    script = Path(tracelens_recorder.__file__).parent / "hook.py"
    # -I: nothing of the environment or of the working directory is looked at.
    done = subprocess.run([python, "-I", str(script), what], capture_output=True, text=True, timeout=60)
    try:
        said: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise TraceLensError(f"{python}: cannot be asked ({last})") from None
    return said
