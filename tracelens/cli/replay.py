"""tracelens replay"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracelens.cli.progress import showing
from tracelens.cli.workspace import (
    chosen_runs,
    complete_units,
    find_root,
    interpreter,
    json_option,
    one_unit,
    open_index,
    print_json,
    progress_option,
    python_option,
    root_option,
    runs_option,
)

if TYPE_CHECKING:
    from tracelens.replay.past import Again

OTHER, UNDETERMINED = 1, 3


@click.command("replay")
@click.argument("unit", shell_complete=complete_units)
@click.option("--call", "ids", multiple=True, metavar="ID", help="Only this call (c:…); more than once for several.")
@click.option("--with", "changes", multiple=True, metavar="NAME=VALUE", help="Pass this value instead: a literal.")
@click.option(
    "--text",
    "text_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take this file's content for that of the unit's file: what an editor has not saved yet.",
)
@click.option("--all", "all_calls", is_flag=True, help="Show each call, also those that give the same.")
@click.option("--limit", "-n", default=50, show_default=True, type=click.IntRange(1, 200), help="How many calls.")
@click.option("--seconds", default=5.0, show_default=True, type=click.FloatRange(0.1, 60), help="For each call.")
@python_option("to make the calls with")
@runs_option
@root_option
@json_option
@progress_option
@click.pass_context
def command(
    context: click.Context,
    unit: str,
    ids: tuple[str, ...],
    changes: tuple[str, ...],
    text_file: Path | None,
    all_calls: bool,
    limit: int,
    seconds: float,
    python_name: str,
    run_names: tuple[str, ...],
    root_path: Path | None,
    as_json: bool,
    progress: str,
) -> None:
    """Make recorded calls again with the code as it is now, in a sandbox, and compare with what was recorded.

    What a call took from outside is given to it as it was: time, chance, environment, results of other packages.
    Nothing of the workspace is changed.

    \b
      tracelens replay apply_discount
      tracelens replay apply_discount --call c:1f3 --with price=0.0
      tracelens replay checkout --json

    Ends with 0 when each call that could be made gives the same, 1 when one gives another outcome, 3 when none could
    be made, 2 for bad input.
    """
    from tracelens.answers import replayed
    from tracelens.replay.past import make_again

    instead = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name.strip().isidentifier():
            raise click.UsageError(f"--with {change}: write it as NAME=VALUE, such as price=0.0")
        instead[name.strip()] = value.strip()
    root = find_root(root_path)
    python = interpreter(root, python_name)
    with open_index(root) as index:
        found = one_unit(index, unit)
        with showing(progress, "Replaying") as update:
            update(f"making recorded calls of {found.qualname} again", 0, 0)
            again = make_again(
                index,
                found,
                root,
                python,
                only=ids,
                runs=chosen_runs(index, run_names),
                instead=instead,
                patch={found.path: text_file.read_bytes()} if text_file else None,
                limit=limit,
                seconds=seconds,
            )
    if as_json:
        print_json(_plain(again))
    else:
        for line in replayed.lines(again, all_calls=all_calls or bool(ids)):
            click.echo(line)
    if again.count("other"):
        context.exit(OTHER)
    if not again.count("same"):
        context.exit(UNDETERMINED)


def _plain(again: Again) -> dict[str, Any]:
    from tracelens.answers import replayed

    return {
        "unit": again.unit.qualname,
        "headline": replayed.headline(again),
        "lines": replayed.lines(again, all_calls=True),
        "same": again.count("same"),
        "other": again.count("other"),
        "undetermined": again.count("undetermined"),
        "problem": again.problem,
        "sandbox": again.sandbox,
        "recorded_before_change": again.changed,
        "instead": dict(again.instead),
        "calls": [
            {
                "id": call.capture.id,
                "state": call.state,
                "difference": call.difference,
                "note": call.note,
                "arguments": [list(one) for one in call.capture.arguments],
                "recorded": {
                    "outcome": call.capture.outcome or "returned",
                    "result": list(call.capture.result) if call.capture.result else None,
                    "message": call.capture.message,
                },
                "now": call.outcome
                and {
                    "outcome": call.outcome.type if call.outcome.kind == "raised" else call.outcome.kind,
                    "result": [call.outcome.type, call.outcome.text] if call.outcome.kind == "returned" else None,
                    "message": call.outcome.message,
                    "line": call.outcome.line,
                    "why": call.outcome.why,
                },
            }
            for call in again.calls
        ],
    }
