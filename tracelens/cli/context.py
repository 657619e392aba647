"""tracelens context"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from tracelens.cli.workspace import (
    chosen_runs,
    complete_units,
    find_root,
    json_option,
    load_settings,
    open_index,
    print_json,
    root_option,
    runs_option,
    say,
)


@click.command("context")
@click.argument("target", nargs=-1, required=True, shell_complete=complete_units)
@click.option("--budget", "-b", default=6_000, show_default=True, help="Most tokens (an estimate that errs upwards).")
@runs_option
@root_option
@json_option
def command(
    target: tuple[str, ...], budget: int, run_names: tuple[str, ...], root_path: Path | None, as_json: bool
) -> None:
    """What a model should see of a unit, a failure, a test, a traceback or a question.

    \b
      tracelens context apply_discount
      tracelens context f:3fa9c1 --budget 3000
      tracelens context tests/test_shop.py::test_checkout
      tracelens context "where are prices rounded"
      pytest 2>&1 | tracelens context -          a traceback, from standard input

    The code that bears on it, nearest first, each part with its reason; what was seen of it when it ran; then a map of
    what is near in single lines. Nothing is sent anywhere. The same index gives the same words.
    """
    from tracelens import context
    from tracelens.answers.snapshot import IndexSnapshot
    from tracelens.context.pack import LEAST
    from tracelens.retrieval import search_if_possible

    root = find_root(root_path)
    settings = load_settings(root)
    words = sys.stdin.read() if target == ("-",) else " ".join(target)
    if budget < LEAST:
        say(f"a budget below {LEAST} holds nothing: {LEAST} are used")
    with open_index(root) as index:
        snapshot = IndexSnapshot(index, chosen_runs(index, run_names))
        search, notes = search_if_possible(root, settings, index)
        made = context.context_of(snapshot, context.resolve(index, words), search, budget)
    if as_json:
        about = {"title": made.title, "tokens": made.tokens, "budget": made.budget, "left_out": made.left_out}
        print_json({**about, "parts": [asdict(part) for part in made.parts]})
    else:
        click.echo(str(made), nl=False)
    for line in notes:
        say(line)
