"""What can be chosen, asked for and done beyond the main story: runs, findings, ignoring, actions, custom requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsprotocol import types as lsp

from tests.answers import recorded
from tests.lsp.conftest import CALLS, Connect, Editor, eventually

LATER = recorded.NOW
CONTRACT = """\
def price_of(item: str, count: int = 1):
    return count * 2


def loud(x=1, *rest):  # a comment
    return x


def total(items):
    return sum(one(i) for i in items)


def one(i):
    return i


def never():
    return 0
"""
CONTRACT_CALLS: list[dict[str, Any]] = [
    {"call": "m.py:price_of", "args": {"item": "a", "count": 2}, "returns": 4, "times": 5, "ms": 0.1},
    {"call": "m.py:price_of", "args": {"item": None, "count": 1}, "returns": 2, "times": 2, "ms": 0.1},
    {"call": "m.py:loud", "args": {"x": 1}, "returns": 1, "times": 6, "ms": 0.1},
]


async def do(editor: Editor, command: str, *arguments: Any) -> None:
    await editor.client.workspace_execute_command_async(lsp.ExecuteCommandParams(command, list(arguments)))


async def ask(editor: Editor, method: str, params: Any = None) -> Any:
    return await editor.client.protocol.send_request_async(method, params if params is not None else {})


async def test_every_surface_follows_the_run_that_is_chosen(connect: Connect, workspace: Path) -> None:
    recorded.record(workspace, CALLS[:1], name="nightly", started=LATER)
    async with connect("vscode") as editor:
        uri = editor.open("pricing.py")
        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and "45 calls" in hover
        runs = await ask(editor, "tracelens/runs")
        assert runs.told == "nightly and pytest"
        [nightly] = [one for one in runs.choices if one.title == "nightly"]
        await do(editor, "tracelens.chooseRun", nightly.id)
        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and "20 calls" in hover
        assert await editor.diagnostics(uri) == []
        assert (await ask(editor, "tracelens/runs")).choice == nightly.id
        assert lsp.WORKSPACE_CODE_LENS_REFRESH in editor.refreshed
        await do(editor, "tracelens.chooseRun", "latest")
        await do(editor, "tracelens.chooseRun", "all")
        assert len(await editor.diagnostics(uri)) == 1
        # What is there no more, or never was, is as if nothing had been chosen.
        await do(editor, "tracelens.chooseRun", "run:99")
        assert len(await editor.diagnostics(uri)) == 1


async def test_findings_are_told_and_can_be_ignored(connect: Connect, tmp_path: Path) -> None:
    root = tmp_path / "findings"
    recorded.workspace(root, {"m.py": CONTRACT}, CONTRACT_CALLS).close()
    async with connect("vscode", root=root, options={"diagnostics": {"unreached": True}}) as editor:
        uri = editor.open("m.py")
        found = await editor.diagnostics(uri)
        assert [(d.code, d.range.start.line) for d in found] == [
            ("contract", 0), ("unreached", 8), ("unreached", 12), ("unreached", 16),
        ]  # fmt: skip
        assert found[0].message == "Observed None for item: str in 2 kept calls"
        assert list(found[1].tags or ()) == [lsp.DiagnosticTag.Unnecessary]

        [action] = [a for a in await editor.actions(uri, "item: str", found[:1]) if a.title.startswith("Ignore")]
        assert action.title == "Ignore contract on this line"
        assert action.edit and action.edit.document_changes
        edit = action.edit.document_changes[0].edits[0]  # type: ignore[union-attr]
        assert isinstance(edit, lsp.TextEdit) and edit.new_text == "  # tracelens: ignore[contract]"
        editor.replace(uri, "count: int = 1):", "count: int = 1):  # tracelens: ignore[contract]")
        assert "contract" not in {d.code for d in await editor.diagnostics(uri)}

        (root / "pyproject.toml").write_text('[tool.tracelens.diagnostics]\nignore = ["*.py: unreached"]\n')
        assert await editor.diagnostics(uri) == []


async def test_annotations_are_written_as_they_were_observed(connect: Connect, tmp_path: Path) -> None:
    root = tmp_path / "annotated"
    recorded.workspace(root, {"m.py": CONTRACT}, CONTRACT_CALLS).close()
    async with connect("neovim", root=root) as editor:
        uri = editor.open("m.py")
        [action] = [a for a in await editor.actions(uri, "loud") if a.title.startswith("Annotate")]
        assert action.kind == lsp.CodeActionKind.RefactorRewrite
        assert action.edit and action.edit.changes
        edits = action.edit.changes[uri]
        line = CONTRACT.split("\n")[4]
        for edit in sorted(edits, key=lambda e: -e.range.start.character):
            line = line[: edit.range.start.character] + edit.new_text + line[edit.range.end.character :]
        assert line == "def loud(x: int = 1, *rest) -> int:  # a comment"
        # What is annotated already stays as it is.
        [other] = [a for a in await editor.actions(uri, "price_of") if a.title.startswith("Annotate")]
        assert other.edit and other.edit.changes
        assert [edit.new_text for edit in other.edit.changes[uri]] == [" -> int"]


async def test_a_failure_is_explained_with_its_evidence_and_its_callers(connect: Connect) -> None:
    async with connect("vscode") as editor:
        uri = editor.open("pricing.py")
        actions = {a.title: a for a in await editor.actions(uri, "saving / price")}
        explain, callers = actions["Explain ZeroDivisionError with evidence"], actions["Show callers with these values"]
        assert explain.command and callers.command
        await do(editor, explain.command.command, *(explain.command.arguments or ()))
        text = editor.shown[-1]
        assert "price = 0.0" in text and "[f:" in text and "[c:" in text
        assert "service.py:5 checkout" in text
        await do(editor, callers.command.command, *(callers.command.arguments or ()))
        assert "service.py:5 checkout   3×   price=0.0, tier='gold'" in editor.shown[-1]


async def test_imports_and_call_sites_say_what_happened_there(connect: Connect) -> None:
    async with connect("neovim") as editor:
        uri = editor.open("service.py")
        imported = await editor.hover(uri, "import apply_discount", 9)
        assert imported is not None and "25 calls" in imported
        here = await editor.hover(uri, "apply_discount(", 2)
        assert here is not None and "here: 23 calls, `price` `0.0 … 9.99`" in here


async def test_heat_overview_and_flame_graph_for_clients_that_paint(connect: Connect, workspace: Path) -> None:
    async with connect("vscode", options={"paints": True}) as editor:
        changed: list[Any] = []
        editor.client.feature("tracelens/changed")(lambda params: changed.append(params))
        uri = editor.open("service.py")
        [slow] = await ask(editor, "tracelens/heat", {"textDocument": {"uri": uri}})
        assert (slow["first_line"], slow["step"], slow["failed"]) == (8, 8, False)
        editor.replace(uri, "from pricing", "# more\nfrom pricing")
        [slow] = await ask(editor, "tracelens/heat", {"textDocument": {"uri": uri}})
        assert slow["first_line"] == 9
        assert await ask(editor, "tracelens/heat", {"textDocument": {"uri": "file:///else.py"}}) == []
        overview = await ask(editor, "tracelens/overview")
        assert overview.hot[0].title.endswith("slow") and overview.failures[0].title == "ZeroDivisionError"
        bars = await ask(editor, "tracelens/flameGraph")
        assert bars and all(0 <= bar["start"] <= bar["start"] + bar["width"] <= 1.0001 for bar in bars)
        recorded.record(workspace, CALLS[:1], name="nightly", started=LATER)
        await eventually(lambda: changed)
