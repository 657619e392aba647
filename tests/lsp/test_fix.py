"""A fix from the light bulb: recorded by our recorder, replayed in the sandbox, applied as an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from tests.lsp.conftest import PRICING, Connect, applied, recorded_by_running

MAIN = """\
from pricing import apply_discount

for price in (10.0, 20.0, 0.0, 30.0, 0.0):
    try:
        apply_discount(price, "gold")
    except ZeroDivisionError:
        pass
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return recorded_by_running(tmp_path / "shop", {"pricing.py": PRICING, "main.py": MAIN})


@pytest.mark.parametrize("name", ["vscode", "neovim"])
async def test_the_light_bulb_offers_a_fix_that_was_replayed(name: str, connect: Connect, workspace: Path) -> None:
    async with connect(name, root=workspace) as editor:
        uri = editor.open("pricing.py")
        fix = (await editor.actions(uri, "saving / price"))[0]
        assert fix.edit is None
        resolved = await editor.client.code_action_resolve_async(fix)
        said = editor.client.messages[-1].message
        assert resolved.edit is not None, said
        assert "no longer raises" in said and "failing 2/2 fixed" in said
        assert bool(resolved.edit.document_changes) == (name == "vscode")
        fixed = applied(editor, PRICING, resolved.edit)
        namespace: dict[str, object] = {}
        exec(fixed, namespace)
        assert namespace["apply_discount"](0.0, "gold") == 0.0  # type: ignore[operator]
        assert any(steps[0].title == "Looking for a fix" for steps in editor.client.progress_reports.values())


async def test_a_fix_is_not_made_to_a_text_it_was_not_made_for(connect: Connect, workspace: Path) -> None:
    async with connect("vscode", root=workspace) as editor:
        uri = editor.open("pricing.py")
        editor.replace(uri, "    return price - saving", "    return price - saving  # as it is\n    return 0")
        resolved = await editor.client.code_action_resolve_async((await editor.actions(uri, "saving / price"))[0])
        assert resolved.edit is None
        assert "Save it" in editor.client.messages[-1].message


async def test_a_fix_finds_its_place_beside_what_was_typed_and_not_saved(connect: Connect, workspace: Path) -> None:
    async with connect("neovim", root=workspace) as editor:
        uri = editor.open("pricing.py")
        editor.replace(uri, "DISCOUNTS = {", "# typed above\nDISCOUNTS = {")
        text = PRICING.replace("DISCOUNTS = {", "# typed above\nDISCOUNTS = {")
        actions = await editor.actions(uri, "saving / price")
        resolved = await editor.client.code_action_resolve_async(actions[0])
        assert resolved.edit
        fixed = applied(editor, text, resolved.edit)
        assert fixed.startswith(text[: text.index("def apply_discount")])
        compile(fixed, "pricing.py", "exec")
        assert fixed != text
        # What was typed where the fix belongs is never written over.
        editor.replace(uri, "if saving / price > 0.15:", "if saving / price > 0.151:")
        actions = [a for a in await editor.actions(uri, "def apply_discount") if a.title.startswith("Fix")]
        for action in actions:
            assert (await editor.client.code_action_resolve_async(action)).edit is None


async def test_a_fix_that_a_link_asked_for_is_shown_before_it_is_applied(connect: Connect, workspace: Path) -> None:
    async with connect("vscode", root=workspace) as editor:
        uri = editor.open("pricing.py")
        [failure] = [d.data["failure"] for d in await editor.diagnostics(uri) if d.code == "failure"]
        asked: list[lsp.ApplyWorkspaceEditParams] = []

        @editor.client.feature(lsp.WORKSPACE_APPLY_EDIT)
        def apply(params: lsp.ApplyWorkspaceEditParams) -> lsp.ApplyWorkspaceEditResult:
            asked.append(params)
            return lsp.ApplyWorkspaceEditResult(applied=False)

        command = lsp.ExecuteCommandParams("tracelens.fix", [failure])
        await editor.client.workspace_execute_command_async(command)
        [params] = asked
        assert params.edit.change_annotations and params.edit.document_changes
        [annotation] = params.edit.change_annotations.values()
        assert annotation.needs_confirmation and "failing 2/2 fixed" in (annotation.description or "")


async def test_our_own_client_is_given_the_evidence_of_a_fix_with_its_diff(connect: Connect, workspace: Path) -> None:
    async with connect("vscode", root=workspace, options={"client": "tracelens-vscode"}) as editor:
        uri = editor.open("pricing.py")
        [failure] = [d.data["failure"] for d in await editor.diagnostics(uri) if d.code == "failure"]
        asked: list[Any] = []

        @editor.client.feature("tracelens/preview")
        def preview(params: Any) -> dict[str, bool]:
            asked.append(params)
            return {"applied": False}

        command = lsp.ExecuteCommandParams("tracelens.fix", [failure])
        await editor.client.workspace_execute_command_async(command)
        [params] = asked
        assert "failing 2/2 fixed" in params.evidence and params.title
        [change] = params.edit.documentChanges
        assert change.textDocument.uri == uri and change.edits[0].newText
