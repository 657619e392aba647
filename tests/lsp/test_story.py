"""The main story, as VS Code, Neovim, Emacs and Helix: open the failing file, see, edit, see again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lsprotocol import types as lsp

from tests.answers import recorded
from tests.lsp.conftest import CALLS, Connect, eventually
from tracelens_indexer.indexing import index_workspace

CLIENTS = ("vscode", "neovim", "emacs", "helix")


@pytest.mark.parametrize("name", CLIENTS)
async def test_an_editor_shows_what_was_recorded(name: str, connect: Connect) -> None:
    async with connect(name) as editor:
        uri = editor.open("pricing.py")

        hover = await editor.hover(uri, "apply_discount", 3)
        assert hover is not None
        assert "25 calls" in hover and "3 failed" in hover and "ZeroDivisionError" in hover
        assert ("**`apply_discount`**" in hover) == (name != "emacs")
        assert "command:" not in hover

        [(line, title)] = await editor.lenses(uri)
        assert (line, title) == (5, "3 of 25 calls failed: ZeroDivisionError · 2 % of run in itself")

        [hint] = await editor.hints(uri)
        assert hint.position.line == 5
        assert hint.label == "25 calls · 3 errors"
        resolved = await editor.client.inlay_hint_resolve_async(hint)
        assert isinstance(resolved.tooltip, lsp.MarkupContent) and "25 calls" in resolved.tooltip.value

        [found] = await editor.diagnostics(uri, 1)
        assert found.range.start.line == 8
        assert found.message == ("ZeroDivisionError seen here in 3 of 25 calls (price = 0.0): float division by zero")
        assert (found.code, found.source, found.severity) == ("failure", "tracelens", lsp.DiagnosticSeverity.Warning)
        described = found.code_description
        assert (described is not None) == (name == "vscode")
        if described:
            rule = Path(described.href.removeprefix("file://")).read_text(encoding="utf-8")
            assert rule.startswith("# failure\n") and "# tracelens: ignore[failure]" in rule
        if name in ("vscode", "neovim"):
            assert found.related_information
            assert found.related_information[0].location.uri == editor.uri("service.py")
            assert found.related_information[0].location.range.start.line == 4
        else:
            assert not found.related_information

        actions = await editor.actions(uri, "saving / price", [found])
        titles = [action.title for action in actions]
        assert titles[:2] == ["Fix: ZeroDivisionError in apply_discount", "Show the 3 failing calls"]
        assert list(actions[0].diagnostics or ()) == [found]

        symbols = await editor.client.workspace_symbol_async(lsp.WorkspaceSymbolParams("disc"))
        assert symbols and symbols[0].name == "apply_discount"


@pytest.mark.parametrize("name", CLIENTS)
async def test_facts_follow_an_edit_above_and_say_so_after_an_edit_inside(name: str, connect: Connect) -> None:
    async with connect(name) as editor:
        uri = editor.open("pricing.py")
        assert len(await editor.diagnostics(uri, 1)) == 1
        editor.replace(uri, "DISCOUNTS = {", "# a line\n# and another\nDISCOUNTS = {")
        assert [line for line, _ in await editor.lenses(uri)] == [7]
        assert [hint.position.line for hint in await editor.hints(uri)] == [7]
        if not editor.server.capabilities.diagnostic_provider:
            await eventually(lambda: editor.client.diagnostics[uri][0].range.start.line == 10)
        [found] = await editor.diagnostics(uri)
        assert found.range.start.line == 10
        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and "at line 11" in hover and "fresh" in hover

        editor.replace(uri, "saving = price * 0.15", "saving = price * 0.16")
        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and hover.startswith("changed since recorded: ")
        assert (await editor.lenses(uri))[0][1].startswith("changed since recorded: ")
        assert [hint.label for hint in await editor.hints(uri)] == ["was 25 calls · 3 errors"]
        if not editor.server.capabilities.diagnostic_provider:
            information = lsp.DiagnosticSeverity.Information
            await eventually(lambda: editor.client.diagnostics[uri][0].severity == information)
        [found] = await editor.diagnostics(uri)
        assert found.severity == lsp.DiagnosticSeverity.Information

        # The statement that failed is gone: what was seen there is not told of another.
        editor.replace(uri, "if saving / price > 0.15:", "if price and saving > price * 0.15:")
        assert await editor.diagnostics(uri, 0) == []
        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and "at a line that is gone" in hover


async def test_nothing_flickers_while_code_is_half_typed(connect: Connect) -> None:
    async with connect("vscode") as editor:
        uri = editor.open("pricing.py")
        before = await editor.lenses(uri)
        editor.replace(uri, "DISCOUNTS = {", 'x = ("""\nDISCOUNTS = {')
        assert [(line - 1, title) for line, title in await editor.lenses(uri)] == before
        assert len(await editor.hints(uri)) == 1
        editor.replace(uri, 'x = ("""\n', "")
        assert await editor.lenses(uri) == before


async def test_links_to_commands_are_for_our_own_client_alone(connect: Connect) -> None:
    async with connect("vscode", options={"client": "tracelens-vscode"}) as editor:
        hover = await editor.hover(editor.open("pricing.py"), "apply_discount")
        assert hover is not None and "[Failing calls](command:tracelens.showCalls?%5B%22f%3A" in hover


async def test_a_call_site_tells_of_its_callee(connect: Connect) -> None:
    async with connect("neovim") as editor:
        uri = editor.open("service.py")
        hover = await editor.hover(uri, "apply_discount(", 2)
        assert hover is not None and "here: 23 calls" in hover and "**`apply_discount`**" in hover
        # After an edit of the caller its lines say nothing any more, but this is its only call of it.
        editor.replace(uri, "    return total", "    return total + 0")
        hover = await editor.hover(uri, "apply_discount(", 2)
        assert hover is not None and "here: 23 calls" in hover


async def test_silent_where_nothing_was_recorded(connect: Connect) -> None:
    async with connect("vscode") as editor:
        uri = editor.open("pricing.py")
        assert await editor.hover(uri, "DISCOUNTS") is None
        # Where it is defined, the name of a function that no run reached has doctor's line, and nothing else.
        hover = await editor.hover(uri, "never_called")
        assert hover == "**`never_called`** — no calls in 1 run. `tracelens record -- pytest`"
        [why] = await editor.actions(uri, "never_called")
        assert why.title == "Why is nothing shown for never_called?" and why.command
        command = lsp.ExecuteCommandParams(why.command.command, why.command.arguments)
        await editor.client.workspace_execute_command_async(command)
        await eventually(lambda: editor.client.messages)
        assert "✗ no calls in 1 run" in editor.client.messages[-1].message


async def test_a_new_run_is_shown_without_asking(connect: Connect, workspace: Path) -> None:
    async with connect("vscode") as editor:
        uri = editor.open("pricing.py")
        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and "25 calls" in hover
        recorded.record(workspace, [*CALLS, CALLS[0]], started=recorded.NOW)
        await eventually(lambda: lsp.WORKSPACE_CODE_LENS_REFRESH in editor.refreshed)
        assert editor.client.diagnostic_refresh_count > 0
        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and "45 calls" in hover


async def test_an_index_that_comes_later_is_found_and_one_that_goes_is_missed(connect: Connect, tmp_path: Path) -> None:
    root = recorded.write(tmp_path / "later", {"pricing.py": "def f(x):\n    return 1 / x\n"})
    async with connect("emacs", root=root) as editor:
        uri = editor.open("pricing.py")
        assert await editor.hover(uri, "f(x)") is None
        assert await editor.diagnostics(uri, 0) == []
        recorded.index(root)
        call = {"call": "pricing.py:f", "args": {"x": 0}, "raises": "ZeroDivisionError: no", "at": "1 / x"}
        recorded.record(root, [call])
        assert len(await editor.diagnostics(uri, 1)) == 1
        for file in (root / ".tracelens").glob("index.db*"):
            file.unlink()
        await editor.diagnostics(uri, 0)
        assert await editor.hover(uri, "f(x)") is None


async def test_calls_are_shown_as_a_document_or_a_message(connect: Connect) -> None:
    for name in ("vscode", "helix"):
        async with connect(name) as editor:
            uri = editor.open("pricing.py")
            actions = await editor.actions(uri, "saving / price")
            command = next(a.command for a in actions if a.title.startswith("Show the"))
            assert command
            params = lsp.ExecuteCommandParams(command.command, command.arguments)
            await editor.client.workspace_execute_command_async(params)
            text = editor.shown[-1] if name == "vscode" else editor.client.messages[-1].message
            assert "apply_discount(price=0.0, tier='gold')" in text
            assert "raised ZeroDivisionError: float division by zero" in text


async def test_symbols_are_found_by_what_they_do_once_search_is_warm(connect: Connect, workspace: Path) -> None:
    index_workspace(workspace)
    async with connect("neovim") as editor:
        ask = lsp.WorkspaceSymbolParams("price after the discount")
        assert not await editor.client.workspace_symbol_async(ask)
        for _ in range(600):
            if found := await editor.client.workspace_symbol_async(ask):
                break
            await asyncio.sleep(0.1)
        assert found and found[0].name == "apply_discount"
        assert isinstance(found[0], lsp.SymbolInformation)
        assert found[0].location.uri == editor.uri("pricing.py")


async def test_the_call_hierarchy_has_observed_counts(connect: Connect) -> None:
    async with connect("neovim") as editor:
        uri = editor.open("pricing.py")
        at = lsp.CallHierarchyPrepareParams(lsp.TextDocumentIdentifier(uri), editor.position(uri, "apply_discount"))
        items = await editor.client.text_document_prepare_call_hierarchy_async(at)
        assert items and items[0].detail == "pricing · 25 calls · p50 0.2 ms"
        callers = await editor.client.call_hierarchy_incoming_calls_async(
            lsp.CallHierarchyIncomingCallsParams(items[0])
        )
        assert callers and [(c.from_.name, c.from_.detail) for c in callers] == [
            ("checkout", "service · 23 calls · 4.3 ms")
        ]
        [range_] = callers[0].from_ranges
        service = editor.open("service.py")
        assert range_.start == editor.position(service, "apply_discount(")
        outgoing = await editor.client.call_hierarchy_outgoing_calls_async(
            lsp.CallHierarchyOutgoingCallsParams(callers[0].from_)
        )
        assert outgoing and [call.to.name for call in outgoing] == ["apply_discount"]
