"""What can be chosen, asked for and done beyond the main story: runs, findings, ignoring, actions, custom requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsprotocol import types as lsp

from tests.answers import recorded
from tests.lsp.conftest import CALLS, Connect, Editor, applied, eventually

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


async def test_every_surface_follows_the_test_that_is_chosen(connect: Connect) -> None:
    async with connect("vscode") as editor:
        uri = editor.open("pricing.py")
        runs = await ask(editor, "tracelens/runs")
        free = next(one for one in runs.choices if one.id.startswith("test:") and "test_free" in one.title)
        [only] = [a for a in await editor.actions(uri, "def apply_discount") if a.title.startswith("Show only")]
        assert only.command and only.title == "Show only what test_free did"
        await do(editor, only.command.command, *(only.command.arguments or ()))
        runs = await ask(editor, "tracelens/runs")
        assert (runs.choice, runs.told) == (free.id, "test_free · pytest")

        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and "3 calls" in hover and "3 failed" in hover and "9.99" not in hover
        assert "`checkout` 3×" in hover or "checkout` 3×" in hover
        assert await editor.lenses(uri) == [(5, "all 3 calls failed: ZeroDivisionError")]
        assert [hint.label for hint in await editor.hints(uri)] == ["3 calls · 3 errors"]
        assert [hint.label for hint in await editor.hints(uri, parameters=True)] == ["always 0.0"]
        assert len(await editor.diagnostics(uri)) == 1
        overview = await ask(editor, "tracelens/overview")
        assert [entry.title for entry in overview.hot] == ["apply_discount"]

        await do(editor, "tracelens.chooseRun", free.id.replace("test_free", "test_gold"))
        hover = await editor.hover(uri, "apply_discount")
        assert hover is not None and "20 calls" in hover and "failed" not in hover
        assert await editor.diagnostics(uri) == [] and await editor.lenses(uri) == []
        service = editor.open("service.py")
        assert await editor.hover(service, "slow") == "**`slow`** — not called by `test_gold`, which is shown"
        # What no test is called is as if nothing had been chosen; and so is what a setting takes back.
        await do(editor, "tracelens.chooseRun", "test:never")
        assert len(await editor.diagnostics(uri)) == 1
        for run, calls in ((free.id, "3 calls"), ("", "25 calls")):
            said = lsp.DidChangeConfigurationParams({"tracelens": {"run": run}})
            editor.client.workspace_did_change_configuration(said)
            hover = await editor.hover(uri, "apply_discount")
            assert hover is not None and calls in hover


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


async def test_parameters_of_failing_functions_say_what_they_took(connect: Connect) -> None:
    async with connect("neovim") as editor:
        uri = editor.open("pricing.py")
        price, tier = await editor.hints(uri, parameters=True)
        assert (price.label, tier.label) == ("0.0 … 9.99", "None 8 %")
        assert price.position == editor.position(uri, "price: float", len("price: float"))
        assert tier.position == editor.position(uri, '= "basic"', len('= "basic"'))
        resolved = await editor.client.inlay_hint_resolve_async(price)
        assert isinstance(resolved.tooltip, lsp.MarkupContent) and "each failed" in resolved.tooltip.value
        # They follow the text, and are off for those who want none.
        editor.replace(uri, "price: float", "price: 'float'")
        editor.replace(uri, "price - saving", "price - saving - 0")
        price, _ = await editor.hints(uri, parameters=True)
        assert price.label == "0.0 … 9.99"
        assert [hint.label for hint in await editor.hints(uri)] == ["was 25 calls · 3 errors"]
        assert price.position == editor.position(uri, "price: 'float'", len("price: 'float'"))
        settings = {"tracelens": {"parameterHints": "off", "documentSymbols": "all"}}
        editor.client.workspace_did_change_configuration(lsp.DidChangeConfigurationParams(settings))
        assert await editor.hints(uri, parameters=True) == [] and len(await editor.hints(uri)) == 1


async def test_symbols_of_a_document_say_how_hot_they_are(connect: Connect, tmp_path: Path) -> None:
    root = tmp_path / "symbols"
    source = "class C:\n    def ran(self):\n        return 1\n\n    def not_seen(self):\n        return 2\n"
    call = {"call": "m.py:C.ran", "args": {}, "returns": 1, "times": 3, "ms": 2.0}
    recorded.workspace(root, {"m.py": source, "n.py": "def f():\n    return 1\n"}, [call]).close()
    for name, options in (("vscode", None), ("neovim", {"documentSymbols": "all"})):
        async with connect(name, root=root, options=options) as editor:
            document = lsp.TextDocumentIdentifier(editor.open("m.py"))
            found = await editor.client.text_document_document_symbol_async(lsp.DocumentSymbolParams(document))
            assert found and isinstance(found[0], lsp.DocumentSymbol)
            inside = [(child.name, child.detail) for child in found[0].children or ()]
            ran = ("ran", "3 calls · 100 % of run in itself")
            assert (found[0].name, inside) == ("C", [ran] if name == "vscode" else [ran, ("not_seen", None)])
            # Where nothing was seen the outline is left to others.
            other = lsp.DocumentSymbolParams(lsp.TextDocumentIdentifier(editor.open("n.py")))
            assert not await editor.client.text_document_document_symbol_async(other)


async def test_annotations_are_written_as_they_were_observed(connect: Connect, tmp_path: Path) -> None:
    root = tmp_path / "annotated"
    recorded.workspace(root, {"m.py": CONTRACT}, CONTRACT_CALLS).close()
    async with connect("neovim", root=root) as editor:
        uri = editor.open("m.py")
        [action] = [a for a in await editor.actions(uri, "loud") if a.title.startswith("Annotate")]
        assert action.kind == lsp.CodeActionKind.RefactorRewrite and action.edit is None
        action = await editor.client.code_action_resolve_async(action)
        assert action.edit
        line = applied(editor, CONTRACT, action.edit).split("\n")[4]
        assert line == "def loud(x: int = 1, *rest) -> int:  # a comment"
        # What is annotated already stays as it is.
        [other] = [a for a in await editor.actions(uri, "price_of") if a.title.startswith("Annotate")]
        other = await editor.client.code_action_resolve_async(other)
        assert other.edit
        assert applied(editor, CONTRACT, other.edit).startswith("def price_of(item: str, count: int = 1) -> int:\n")


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


async def test_several_folders_each_with_its_own_index(connect: Connect, workspace: Path, tmp_path: Path) -> None:
    other, bare = tmp_path / "other", tmp_path / "bare"
    recorded.workspace(other, {"m.py": CONTRACT}, CONTRACT_CALLS).close()
    bare.mkdir()
    (bare / "m.py").write_text("def f():\n    return 1\n")
    folders = [lsp.WorkspaceFolder(root.as_uri(), root.name) for root in (bare, workspace, other)]
    async with connect("vscode", root=bare) as editor:

        def change(added: list[lsp.WorkspaceFolder], removed: list[lsp.WorkspaceFolder]) -> None:
            event = lsp.WorkspaceFoldersChangeEvent(added, removed)
            editor.client.workspace_did_change_workspace_folders(lsp.DidChangeWorkspaceFoldersParams(event))

        async def hovers(root: Path, name: str, piece: str) -> str | None:
            editor.root = root
            return await editor.hover(editor.open(name), piece)

        assert (await ask(editor, "tracelens/runs")).told == "not indexed"
        assert await hovers(other, "m.py", "price_of") is None
        change(folders[1:], [])
        assert "25 calls" in str(await hovers(workspace, "pricing.py", "apply_discount"))
        assert "7 calls" in str(await hovers(other, "m.py", "price_of"))
        assert await hovers(bare, "m.py", "f()") is None
        # The side bar has those of every folder, the runs are those of the first that has some.
        titles = [entry.title for entry in (await ask(editor, "tracelens/overview")).hot]
        assert any(title.endswith("slow") for title in titles) and any(title.endswith("loud") for title in titles)
        assert (await ask(editor, "tracelens/runs")).told.startswith("pytest")
        editor.root = other
        uri = editor.open("m.py")
        editor.replace(uri, "def price_of", "# a line more\ndef price_of")
        found = await editor.client.workspace_symbol_async(lsp.WorkspaceSymbolParams("o"))
        symbols = {symbol.name: symbol.location for symbol in found or ()}
        assert "slow" in symbols and isinstance(symbols["price_of"], lsp.Location)
        assert symbols["price_of"].range.start == editor.position(uri, "price_of")
        change([], folders[2:])
        assert await hovers(other, "m.py", "price_of") is None
        assert "25 calls" in str(await hovers(workspace, "pricing.py", "apply_discount"))
        titles = [entry.title for entry in (await ask(editor, "tracelens/overview")).hot]
        assert not any(title.endswith("loud") for title in titles)


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
