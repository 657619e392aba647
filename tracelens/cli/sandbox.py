"""tracelens sandbox"""

from __future__ import annotations

from pathlib import Path

import click

from tracelens.cli.workspace import find_root, interpreter, json_option, print_json, python_option, root_option


@click.command("sandbox")
@python_option("to try it with")
@root_option
@json_option
def command(python_name: str, root_path: Path | None, as_json: bool) -> None:
    """What a proposed fix would be run in on this machine, found out by trying it.

    \b
      tracelens sandbox
      tracelens sandbox --python python3.12
    """
    from tracelens.replay.sandbox import NoSandbox, probe

    root = find_root(root_path)
    python = interpreter(root, python_name)
    rung = probe(python)
    if isinstance(rung, NoSandbox):
        if as_json:
            print_json({"sandbox": None, "reason": rung.reason})
        else:
            click.echo(f"no sandbox on this machine: {rung.reason}. Fixes are proposed and not verified")
        raise SystemExit(1)
    if as_json:
        print_json({"sandbox": rung.name, "layers": rung.layers})
        return
    click.echo(f"{rung.name}, tried with {python}:")
    click.echo("  writing outside, reading private files, TCP, UDP and signals to other processes were all refused")
    for layer in rung.layers:
        click.echo(f"  ✓ {layer}")
