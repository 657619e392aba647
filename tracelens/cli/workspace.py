"""What every command starts with: the workspace, the settings, the index, and the way results are written."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from tracelens import settings
from tracelens_indexer.errors import TraceLensError
from tracelens_indexer.store import Index, workspace_root
from tracelens_indexer.store.answers import UnitRecord

F = TypeVar("F", bound=Callable[..., Any])


def complete_units(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Qualnames for the shell; none where there is no index."""
    return _completed(ctx, lambda index: [unit.qualname for unit in index.units_named(incomplete, 50)], incomplete)


def complete_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids and names of runs for the shell."""
    return _completed(ctx, lambda index: [w for run in index.runs() for w in (str(run.id), run.name)], incomplete)


def _completed(ctx: click.Context, words: Callable[[Index], list[str]], incomplete: str) -> list[str]:
    try:
        with open_index(find_root(ctx.params.get("root_path")), taking_up=False) as index:
            found = dict.fromkeys(words(index))
    except (TraceLensError, OSError):
        return []
    # What a shell may act upon is never handed to it.
    plain = [word for word in found if re.fullmatch(r"[\w.-]+", word)]
    starting = [word for word in plain if word.startswith(incomplete)]
    # Shells keep only what starts with what was typed: a function is found by its module first.
    return starting or [word for word in plain if incomplete in word]


root_option = click.option(
    "--root",
    "root_path",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the workspace (default: the one that the current folder lies in).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
runs_option = click.option(
    "--run",
    "run_names",
    multiple=True,
    metavar="RUN",
    shell_complete=complete_runs,
    help="Only these runs: an id or a name of `tracelens runs`, or words that must all hold: env:staging since:2d "
    "until:DATE commit:3fa9 test:ID tool:T service:S latest. Given again, it adds more runs.",
)
test_option = click.option(
    "--test",
    "test",
    default="",
    metavar="TEST",
    help="Only what this test did: its id, or an end of it.",
)
progress_option = click.option(
    "--progress",
    type=click.Choice(["auto", "none", "json"]),
    default="auto",
    help="How progress is shown; json writes lines to standard error.",
)


def python_option(use: str) -> Callable[[F], F]:
    """--python; `use` says what the interpreter is for: "to run them with"."""
    return click.option("--python", "python_name", default="", help=f"Interpreter {use} (default: the project's).")


def find_root(path: Path | None) -> Path:
    """The workspace meant by --root, or the one around the current folder."""
    if path is None:
        return workspace_root(Path.cwd())
    if not path.is_dir():
        raise TraceLensError(f"{path}: no such folder")
    return path.resolve()


def load_settings(root: Path) -> settings.Settings:
    """Settings, with their warnings said."""
    loaded = settings.load(root)
    for line in loaded.warnings:
        say(line)
    return loaded


def interpreter(root: Path, named: str) -> str:
    """Path of the interpreter that --python names, else the user's settings, else the project's own. Raises
    TraceLensError for one that is not there."""
    from tracelens.interpreter import project_python

    return project_python(root, named or load_settings(root).project_python)


@contextmanager
def open_index(root: Path, *, taking_up: bool = True) -> Iterator[Index]:
    """The index of a workspace. Recordings that wait are imported first, unless `taking_up` is False."""
    if taking_up:
        from tracelens.cli.waiting import take_up

        take_up(root, say)
    index = Index.open(root)
    try:
        yield index
    finally:
        index.close()


def chosen_runs(index: Index, names: tuple[str, ...]) -> tuple[int, ...] | None:
    """Ids of the runs that --run means; None for the current ones. Raises TraceLensError where there is none."""
    from tracelens.answers.choose import runs_named

    return runs_named(index, names)


def shown(index: Index, run_names: tuple[str, ...], test: str) -> tuple[Index, tuple[int, ...] | None]:
    """What --run and --test choose: the index, as one test saw it where one is named, and the runs to ask it about.

    Raises TraceLensError for an unknown one.
    """
    from tracelens.answers.choose import during

    runs = chosen_runs(index, run_names)
    return during(index, test, runs) if test else (index, runs)


def one_unit(index: Index, text: str) -> UnitRecord:
    """The unit that a person named. Raises TraceLensError when there is none or when several could be meant."""
    from tracelens.answers import choose

    return choose.one_unit(index, text)


def say(line: str) -> None:
    """A line for the person, beside the result."""
    click.echo(f"tracelens: {line}", err=True)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))
