"""The house: what must not be imported at start."""

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from tracelens.answers.diagnostics import Rule
from tracelens_lsp import server

HEAVY = {
    "torch",
    "lancedb",
    "pyarrow",
    "duckdb",
    "pandas",
    "numpy",
    "networkx",
    "openai",
    "sentence_transformers",
    "transformers",
    "sklearn",
    "mcp",
    "starlette",
    "uvicorn",
    "pydantic",
    "attrs",
    "lsprotocol",
    "pygls",
}


@pytest.mark.parametrize(
    "module",
    ["tracelens.cli.main", "tracelens_lsp.server", "tracelens.cli.hot", "tracelens.cli.show", "tracelens.cli.mcp"],
)
def test_start_imports_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys, json; print(json.dumps(sorted(m.partition('.')[0] for m in sys.modules)))"
    loaded = set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))
    assert not loaded & HEAVY


def test_the_command_line_does_not_load_the_protocol() -> None:
    code = "import tracelens.cli.main, tracelens.cli.hot, sys; print('tracelens_lsp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"False"


def test_every_rule_of_a_diagnostic_is_described() -> None:
    rules = {file.stem for file in (Path(server.__file__).parent / "rules").iterdir()}
    assert rules == set(get_args(Rule))


def test_every_handler_that_the_server_names_is_there() -> None:
    names = server.handlers()
    assert len(names) > 30 and all(callable(server.handler(name)) for name in names)
