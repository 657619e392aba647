"""tracelens failures"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tracelens.cli.terminal import marked, styled
from tracelens.cli.workspace import (
    complete_units,
    find_root,
    json_option,
    one_unit,
    open_index,
    print_json,
    root_option,
    runs_option,
    shown,
    test_option,
)
from tracelens_indexer.store.answers import FailureRecord


@click.command("failures")
@click.argument("unit", required=False, shell_complete=complete_units)
@click.option("--limit", "-n", default=20, show_default=True, help="How many failures.")
@click.option("--all", "everything", is_flag=True, help="Also where exceptions only passed through.")
@runs_option
@test_option
@root_option
@json_option
def command(
    unit: str | None,
    limit: int,
    everything: bool,
    run_names: tuple[str, ...],
    test: str,
    root_path: Path | None,
    as_json: bool,
) -> None:
    """Exceptions that were seen, by the place that raised them.

    \b
      tracelens failures
      tracelens failures apply_discount --json
    """
    from tracelens.answers.failures import lines
    from tracelens.answers.snapshot import on_purpose

    root = find_root(root_path)
    with open_index(root) as whole:
        index, runs = shown(whole, run_names, test)
        of_unit = one_unit(whole, unit).id if unit else None
        found = [f for f in index.failures(runs, unit_id=of_unit) if everything or f.origin]
        # What the code raises on purpose comes after what it does not.
        found.sort(key=on_purpose)
        runs_exist = bool(index.runs())
    if as_json:
        print_json([_plain(failure) for failure in found[:limit]])
        return
    if not found:
        if not runs_exist:
            click.echo(
                "nothing was recorded yet. Record: tracelens record -- pytest · or import a log: tracelens import FILE"
            )
        else:
            click.echo("no exception was seen in the runs shown. `tracelens runs` lists them")
        return
    for failure in found[:limit]:
        headline, *rest = lines(failure)
        click.echo(styled(headline, "bold"))
        for line in rest:
            click.echo(line)
    if len(found) > limit:
        click.echo(f"… and {len(found) - limit} more (-n {len(found)})")
    name = found[0].unit.scope.rpartition(".")[2]
    click.echo(marked(f"next: tracelens fix {found[0].id} · tracelens calls {name} --failed"))


def _plain(failure: FailureRecord) -> dict[str, object]:
    record = asdict(failure)
    unit = failure.unit
    record["unit"] = {"id": f"u:{unit.id:x}", "qualname": unit.qualname, "path": unit.path, "line": unit.def_line}
    return record
