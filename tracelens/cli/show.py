"""tracelens show"""

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


@click.command("show")
@click.argument("unit", shell_complete=complete_units)
@runs_option
@test_option
@root_option
@json_option
def command(unit: str, run_names: tuple[str, ...], test: str, root_path: Path | None, as_json: bool) -> None:
    """All that was seen of one unit: calls, times, values, failures, who calls it.

    UNIT is a qualname, a part of its end, or path:line.

    \b
      tracelens show apply_discount
      tracelens show shop/pricing.py:22
    """
    from tracelens.answers import hover, nothing, render
    from tracelens.answers.snapshot import IndexSnapshot

    root = find_root(root_path)
    with open_index(root) as whole:
        found = one_unit(whole, unit)
        index, runs = shown(whole, run_names, test)
        snapshot = IndexSnapshot(index, runs)
        profile = snapshot.profile(found.id)
        if as_json:
            print_json({"unit": asdict(found), "profile": asdict(profile) if profile else None})
            return
        click.echo(f"{styled(found.qualname, 'bold')}   {found.path}:{found.def_line}")
        if found.signature:
            click.echo(found.signature)
        if profile is None:
            for line in nothing.why(snapshot, found.path, found).lines[1:]:
                click.echo(marked(line))
            return
        click.echo()
        click.echo(render.plain(hover.about_unit(profile, index, snapshot=snapshot).blocks))
