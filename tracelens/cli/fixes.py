"""tracelens fixes"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

import click

from tracelens.cli.workspace import find_root, json_option, print_json, root_option


@click.command("fixes")
@root_option
@json_option
def command(root_path: Path | None, as_json: bool) -> None:
    """What was proposed, applied, put on a branch and taken back, latest first.

    \b
      tracelens fixes
      tracelens fix --undo x:3fa9c1
    """
    from tracelens.answers import words
    from tracelens.fix import ledger

    entries = ledger.read(find_root(root_path))[::-1]
    if as_json:
        print_json([asdict(one) for one in entries])
        return
    if not entries:
        click.echo("no fix was proposed here yet. Try: tracelens fix")
        return
    for one in entries[:50]:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.at))
        branch = f" on {one.extra['branch']}" if one.event == "branched" and "branch" in one.extra else ""
        title = words.clean(one.title, 120)
        click.echo(f"{one.id}  {when}  {one.event}{branch}  {words.clean(one.path, 80)}  {title}  ({one.verdict})")
    if len(entries) > 50:
        click.echo(f"… and {len(entries) - 50} more: --json has them")
