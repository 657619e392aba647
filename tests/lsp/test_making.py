"""What the light bulb makes of recorded calls: tests, a cache, the calls made again; by real workers in the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from lsprotocol import types as lsp

from tests.lsp.conftest import Connect, Editor, recorded_by_running

RATES = '''\
"""Rates."""

RATES = {"gold": 0.2, "basic": 0.1}


def rate_of(tier, years):
    total = 0.0
    for n in range(2000):
        total += RATES.get(tier, 0.0) * n
    return round(total + years, 2)


def share(price, n):
    return price / n
'''
MAIN = """\
from rates import rate_of, share

for n in range(12):
    rate_of("gold", n % 3)
for n in (2, 4, 0):
    try:
        share(8.0, n)
    except ZeroDivisionError:
        pass
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return recorded_by_running(tmp_path / "rates", {"rates.py": RATES, "main.py": MAIN})


async def _said(editor: Editor) -> str:
    return str(editor.client.messages[-1].message)


async def test_recorded_calls_become_a_cache_and_tests_and_can_be_made_again(
    connect: Connect, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.toml").write_text(
        '[llm]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "small"\nkey = "none"\n', encoding="utf-8"
    )
    async with connect("vscode", root=workspace) as editor:
        uri = editor.open("rates.py")
        offered = {action.title: action for action in await editor.actions(uri, "def rate_of")}
        [cache] = [action for title, action in offered.items() if title.startswith("Cache rate_of: ")]
        [tests] = [action for title, action in offered.items() if title.startswith("Make tests of rate_of")]
        [again] = [action for title, action in offered.items() if title.endswith("of rate_of again")]

        # Nothing is computed before it is chosen.
        assert cache.edit is None and tests.edit is None
        cache = await editor.client.code_action_resolve_async(cache)
        assert cache.edit and cache.edit.document_changes, await _said(editor)
        [change] = cache.edit.document_changes
        assert isinstance(change, lsp.TextDocumentEdit)
        assert "@functools.cache\n" in "".join(edit.new_text for edit in change.edits)  # type: ignore[union-attr]
        assert "still give the same result" in await _said(editor)

        tests = await editor.client.code_action_resolve_async(tests)
        assert tests.edit and tests.edit.document_changes, await _said(editor)
        made, written = tests.edit.document_changes
        assert isinstance(made, lsp.CreateFile) and made.uri.endswith("tests/test_rates_recorded.py")
        assert isinstance(written, lsp.TextDocumentEdit) and "def test_rate_of" in written.edits[0].new_text  # type: ignore[union-attr]

        # What is typed and not saved is what runs.
        assert again.command
        command = lsp.ExecuteCommandParams(again.command.command, again.command.arguments)
        await editor.client.workspace_execute_command_async(command)
        assert "rate_of: " in await _said(editor) and "another" not in await _said(editor)
        editor.replace(uri, "+ years, 2)", "- years, 2)")
        await editor.client.workspace_execute_command_async(command)
        assert " another" in await _said(editor)
        assert "returns 39979" in editor.shown[-1] and "it was 39980" in editor.shown[-1]

        # A model is asked only by who chooses it, and what it writes is marked.
        failing = {action.title: action for action in await editor.actions(uri, "price / n")}
        assert "Make a regression test from this failing call" in failing
        asked = failing["Fix with small: ZeroDivisionError in share"]
        assert list(asked.tags or ()) == [lsp.CodeActionTag.LlmGenerated]
        assert not failing["Fix: ZeroDivisionError in share"].tags
