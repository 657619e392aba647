"""Writes docs/cli.md from the commands' own help; --check only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tracelens.cli.main import cli

PAGE = Path(__file__).with_name("cli.md")


def page() -> str:
    parts = ["# The command line\n\nMade from `--help` by `make docs`.\n"]
    parent = click.Context(cli, info_name="tracelens")
    parts.append(_block("tracelens", cli, parent))
    for name in cli.list_commands(parent):
        command = cli.get_command(parent, name)
        assert command is not None
        context = click.Context(command, parent=parent, info_name=name)
        parts.append(_block(f"tracelens {name}", command, context))
        if isinstance(command, click.Group):
            for inner, one in command.commands.items():
                parts.append(_block(f"tracelens {name} {inner}", one, click.Context(one, context, info_name=inner)))
    return "\n".join(parts)


def _block(title: str, command: click.Command, context: click.Context) -> str:
    context.terminal_width = 100
    return f"## {title}\n\n```\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    wanted = page()
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
            sys.exit("docs/cli.md is out of date: make docs")
    else:
        PAGE.write_text(wanted, encoding="utf-8")
