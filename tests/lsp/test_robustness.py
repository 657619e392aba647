"""What must never end the server: wrong positions, other files, other schemes, other encodings, nonsense."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp

from tests.answers import recorded
from tests.lsp.conftest import Connect, eventually


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_positions_beyond_the_basic_plane_in_every_encoding(encoding: str, connect: Connect) -> None:
    async with connect("helix", encodings=[encoding]) as editor:
        assert editor.encoding == encoding
        uri = editor.open("service.py")
        # "𝒳𝒳 é" stands before the call on its line.
        at = editor.position(uri, "apply_discount(")
        params = lsp.HoverParams(lsp.TextDocumentIdentifier(uri), at)
        answer = await editor.client.text_document_hover_async(params)
        assert answer and answer.range
        assert answer.range.start == at
        assert answer.range.end.character - at.character == len("apply_discount")
        before = lsp.HoverParams(lsp.TextDocumentIdentifier(uri), lsp.Position(at.line, at.character - 2))
        assert await editor.client.text_document_hover_async(before) is None
        editor.replace(uri, '𝒳𝒳 é"', '𝒳 ü𝒳𝒳"')
        assert await editor.hover(uri, "apply_discount(", 1) is not None


async def test_positions_outside_the_text(connect: Connect) -> None:
    async with connect("vscode") as editor:
        uri = editor.open("pricing.py")
        for line, character in ((0, 100_000), (5, 100_000), (99_999, 0), (2_147_483_647, 2_147_483_647)):
            at = lsp.HoverParams(lsp.TextDocumentIdentifier(uri), lsp.Position(line, character))
            assert await editor.client.text_document_hover_async(at) is None
        assert await editor.hover(uri, "apply_discount") is not None


async def test_files_that_are_not_of_the_workspace(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("def f():\n    pass\n")
    uris = [
        (tmp_path / "other.py").as_uri(),
        "untitled:Untitled-1",
        "git:/x/pricing.py?ref",
        "file:///nowhere/at/all.py",
        "file://elsewhere/share/x.py",
        "",
        "::::",
        "file:///%00.py",
    ]
    async with connect("vscode") as editor:
        client = editor.client
        for uri in uris:
            document = lsp.TextDocumentIdentifier(uri)
            client.text_document_did_open(
                lsp.DidOpenTextDocumentParams(lsp.TextDocumentItem(uri, "python", 1, "def f(): pass\n"))
            )
            at = lsp.HoverParams(document, lsp.Position(0, 4))
            assert await client.text_document_hover_async(at) is None
            assert not await client.text_document_code_lens_async(lsp.CodeLensParams(document))
            report = await client.text_document_diagnostic_async(lsp.DocumentDiagnosticParams(document))
            assert not report.items
        assert await editor.hover(editor.open("pricing.py"), "apply_discount") is not None


async def test_a_deleted_file_and_requests_after_close(connect: Connect, workspace: Path) -> None:
    async with connect("neovim") as editor:
        uri = editor.open("pricing.py")
        (workspace / "pricing.py").unlink()
        assert await editor.hover(uri, "apply_discount") is not None
        editor.client.text_document_did_close(lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(uri)))
        assert await editor.hover(uri, "apply_discount") is None


async def test_form_feeds_do_not_shift_lines(connect: Connect, tmp_path: Path) -> None:
    text = "x = 1\n\f\ndef f(a):\n    return 1 / a\n"
    call = {"call": "m.py:f", "args": {"a": 0}, "raises": "ZeroDivisionError: no", "at": "1 / a", "times": 2}
    root = tmp_path / "feeds"
    recorded.workspace(root, {"m.py": text}, [call]).close()
    async with connect("vscode", root=root) as editor:
        uri = editor.open("m.py")
        assert [d.range.start.line for d in await editor.diagnostics(uri)] == [3]
        editor.replace(uri, "x = 1\n", "x = 1\ny = 2\n")
        assert [d.range.start.line for d in await editor.diagnostics(uri)] == [4]


async def test_hostile_names_and_values_are_only_text(connect: Connect, tmp_path: Path) -> None:
    text = "def f(a):\n    return 1 / a\n"
    evil = "`]( command:x)[click](command:evil) <img src=x onerror=1> **b** \x1b[31m \u202e$(flame)\n# heading"
    call: dict[str, Any] = {"call": "m.py:f", "args": {"a": evil}, "at": "1 / a", "times": 2}
    call["raises"] = f"ValueError: {evil}"
    root = tmp_path / "hostile"
    recorded.workspace(root, {"m.py": text}, [call]).close()
    async with connect("vscode", root=root, options={"client": "tracelens-vscode"}) as editor:
        uri = editor.open("m.py")
        hover = await editor.hover(uri, "f(a)")
        assert hover is not None
        assert "\x1b" not in hover and "\u202e" not in hover and "\n# heading" not in hover
        # Everything of the program's is inside code spans, whose fence is longer than any run inside.
        outside = "".join(hover.split("``")[0::2])
        assert "evil" not in outside and "<img" not in outside
        [found] = await editor.diagnostics(uri)
        assert "\n" not in found.message and "\x1b" not in found.message


async def test_a_damaged_index_is_said_and_survived(connect: Connect, workspace: Path) -> None:
    async with connect("emacs") as editor:
        uri = editor.open("pricing.py")
        assert await editor.hover(uri, "apply_discount") is not None
        database = workspace / ".tracelens" / "index.db"
        for file in (workspace / ".tracelens").glob("index.db*"):
            file.unlink()
        database.write_bytes(b"not a database at all" * 1000)
        assert await editor.hover(uri, "apply_discount") is None
        await editor.client.workspace_execute_command_async(lsp.ExecuteCommandParams("tracelens.why", [uri]))
        assert "index.db" in editor.client.messages[-1].message


async def test_settings_switch_surfaces_off(connect: Connect) -> None:
    options = {"inlayHints": "off", "codeLens": {"enabled": False}, "diagnostics": {"enabled": False}}
    async with connect("vscode", options=options) as editor:
        uri = editor.open("pricing.py")
        assert (await editor.lenses(uri), await editor.hints(uri), await editor.diagnostics(uri)) == ([], [], [])
        change = lsp.DidChangeConfigurationParams({"tracelens": {"inlayHints": "all", "codeLens": {"enabled": True}}})
        editor.client.workspace_did_change_configuration(change)
        service = editor.open("service.py")
        assert [hint.label for hint in await editor.hints(service)] == ["4 calls · p50 50ms · 98%"]
        assert len(await editor.lenses(uri)) == 1

        def say(**settings: Any) -> None:
            change = lsp.DidChangeConfigurationParams({"tracelens": settings})
            editor.client.workspace_did_change_configuration(change)

        # What is hot, and how many lenses a file has, is for the person to say.
        assert len(await editor.lenses(service)) == 1
        say(inlayHints="hot", hot={"functions": 0})
        assert (await editor.lenses(service), await editor.hints(service)) == ([], [])
        say(hot={"functions": 5, "leastPercent": 99.5})
        assert await editor.lenses(service) == []
        say(hot={"leastPercent": 1}, codeLens={"most": "many"})
        assert len(await editor.lenses(service)) == 1 and len(await editor.lenses(uri)) == 1
        say(codeLens={"most": 0})
        assert await editor.lenses(uri) == []


async def test_commands_with_nonsense_are_answered(connect: Connect) -> None:
    async with connect("vscode") as editor:
        for name in ("showCalls", "show", "why", "fix", "import"):
            for arguments in ([], ["u:zz"], ["f:"], [None], [{"a": 1}], ["x" * 10_000], [1, 2, 3][:1]):
                params = lsp.ExecuteCommandParams(f"tracelens.{name}", arguments)
                await editor.client.workspace_execute_command_async(params)
        assert await editor.hover(editor.open("pricing.py"), "apply_discount") is not None


def _frame(message: object) -> bytes:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def test_malformed_messages_do_not_end_the_server(workspace: Path) -> None:
    uri = (workspace / "pricing.py").as_uri()
    document = {"uri": uri}
    messages: list[object] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
        | {"params": {"processId": None, "rootUri": workspace.as_uri(), "capabilities": {}}},
        {"jsonrpc": "2.0", "method": "initialized", "params": {}},
        b"{not json",
        b"[]",
        b'"text"',
        {"jsonrpc": "2.0"},
        {"jsonrpc": "2.0", "id": 2, "method": "no/such/method", "params": {}},
        {"jsonrpc": "2.0", "id": 3, "method": "textDocument/hover", "params": {"textDocument": document}},
        {"jsonrpc": "2.0", "id": 4, "method": "textDocument/hover", "params": "nonsense"},
        {"jsonrpc": "2.0", "id": 5, "method": "textDocument/hover"}
        | {"params": {"textDocument": document, "position": {"line": -1, "character": -7}}},
        {"jsonrpc": "2.0", "id": 6, "method": "textDocument/hover"}
        | {"params": {"textDocument": document, "position": {"line": "a", "character": None}}},
        {"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"textDocument": document}},
        {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 99}},
        {"jsonrpc": "2.0", "id": 7, "method": "workspace/executeCommand", "params": {"command": "rm -rf"}},
        {"jsonrpc": "2.0", "id": 8, "method": "textDocument/hover"}
        | {"params": {"textDocument": document, "position": {"line": 5, "character": 6}}},
        {"jsonrpc": "2.0", "id": 9, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": "exit"},
    ]
    server = subprocess.run(
        [sys.executable, "-P", "-m", "tracelens_lsp"],
        input=b"".join(map(_frame, messages)),
        capture_output=True,
        timeout=60,
        check=False,
    )
    answers = {}
    rest = server.stdout
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
        answer = json.loads(rest[:length])
        rest = rest[length:]
        if "id" in answer and "method" not in answer:
            answers[answer["id"]] = answer
    assert "apply_discount" in json.dumps(answers[8]["result"]), server.stderr.decode()
    assert "error" in answers[2] and "error" in answers[7]
    assert 9 in answers
    assert server.returncode == 0


async def test_a_request_can_be_cancelled(connect: Connect) -> None:
    async with connect("vscode") as editor:
        uri = editor.open("pricing.py")
        fix = (await editor.actions(uri, "saving / price"))[0]
        protocol = editor.client.protocol
        asked = asyncio.ensure_future(editor.client.code_action_resolve_async(fix))
        await asyncio.sleep(0)
        [number] = list(protocol._request_futures)
        protocol.notify(lsp.CANCEL_REQUEST, lsp.CancelParams(number))
        with pytest.raises(Exception, match="cancel"):
            await asyncio.wait_for(asked, 5)
        assert await editor.hover(uri, "apply_discount") is not None


async def test_indexing_shows_progress_and_stops_when_it_is_cancelled(connect: Connect) -> None:
    async with connect("vscode") as editor:
        client = editor.client
        command = lsp.ExecuteCommandParams("tracelens.index")
        await client.workspace_execute_command_async(command)
        [steps] = client.progress_reports.values()
        assert [step.kind for step in steps][0 :: len(steps) - 1] == ["begin", "end"]
        assert "Indexed shop: 2 files" in client.messages[-1].message

        client.messages.clear()
        client.progress_reports.clear()
        asked = asyncio.ensure_future(client.workspace_execute_command_async(command))
        await eventually(lambda: any(client.progress_reports.values()))
        [token] = client.progress_reports
        client.window_work_done_progress_cancel(lsp.WorkDoneProgressCancelParams(token))
        with pytest.raises(Exception, match="cancel"):
            await asyncio.wait_for(asked, 5)
        assert client.progress_reports[token][-1].kind == "end"
        assert not client.messages


def test_starting_and_answering_imports_nothing_heavy(workspace: Path) -> None:
    code = f"""
import asyncio, sys
from pathlib import Path
from tracelens_lsp import server
from tracelens_lsp.protocol import types as lsp
from tracelens_lsp.requests import hover
from tracelens_lsp.session import Session
session = Session(None)
server.methods(session)
root = Path({str(workspace)!r})
session.workspaces.open_folders([root])
at = lsp.PositionParams(lsp.TextDocumentIdentifier((root / "pricing.py").as_uri()), lsp.Position(5, 6))
assert "25 calls" in asyncio.run(hover.hover(session, at)).contents.value
heavy = {{"torch", "lancedb", "pyarrow", "numpy", "pandas", "networkx", "openai", "duckdb", "sentence_transformers",
    "click", "rich", "ijson", "viztracer", "attrs", "cattrs", "lsprotocol"}}
print(sorted(heavy & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr


def test_only_loopback_addresses_are_listened_on() -> None:
    for address in ("0.0.0.0:2087", "example.org:2087", "8.8.8.8:1", "127.0.0.1:x", "127.0.0.1:99999"):
        ran = subprocess.run(
            [sys.executable, "-m", "tracelens_lsp", "--tcp", address], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 2 and "loopback" in ran.stderr


def test_a_module_of_the_workspace_is_never_imported_by_a_worker(tmp_path: Path) -> None:
    from tracelens_lsp import worker

    (tmp_path / "json.py").write_text("raise SystemExit('imported from the workspace')\n")
    (tmp_path / "tracelens.py").write_text("raise SystemExit('imported from the workspace')\n")
    finished = asyncio.run(worker.run(tmp_path, ["--version"]))
    assert finished.code == 0 and "tracelens" in finished.output, finished
    assert os.environ.get("PYTHONSAFEPATH") is None
