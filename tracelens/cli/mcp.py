"""tracelens mcp"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click

from tracelens.cli.workspace import find_root, load_settings, root_option, say
from tracelens_indexer.errors import TraceLensError

_TOKEN = "TRACELENS_MCP_TOKEN"  # noqa: S105  # the name of a variable
_SHORTEST_TOKEN = 16


@click.command("mcp")
@click.option(
    "--http",
    "port",
    type=click.IntRange(0, 65535),
    default=None,
    metavar="PORT",
    help="Serve HTTP on 127.0.0.1 instead; 0 takes a free port.",
)
@root_option
def command(port: int | None, root_path: Path | None) -> None:
    """Serve the answers to a coding agent (Model Context Protocol), on standard input and output.

    \b
      tracelens mcp
      tracelens mcp --root ~/project
      tracelens mcp --http 8765

    Over HTTP every request must carry "Authorization: Bearer TOKEN". The token is taken from TRACELENS_MCP_TOKEN;
    without that a new one is made and printed. docs/agents.md says how to connect Claude Code, Cursor and VS Code.
    """
    try:
        from tracelens.mcp.server import build
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "anyio", "pydantic"):
            raise
        raise TraceLensError(
            "the agent server needs the package mcp. Install it beside TraceLens: pip install 'mcp>=2,<3'"
        ) from error
    root = find_root(root_path)
    server = build(root, load_settings(root))
    if port is None:
        server.run("stdio")
        return
    from tracelens.mcp.http import serve

    token = os.environ.get(_TOKEN, "")
    if token and len(token) < _SHORTEST_TOKEN:
        raise TraceLensError(f"{_TOKEN} is too short: {_SHORTEST_TOKEN} characters or more")
    made = "" if token else secrets.token_urlsafe(32)

    def ready(url: str) -> None:
        say(f"serving {url}" + (f" · token {made}" if made else f" · token from {_TOKEN}"))

    serve(server, port, token or made, ready)
