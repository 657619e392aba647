"""After a save the index follows, whatever happens to the process that keeps it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lsprotocol import types as lsp

from tests.lsp.conftest import Connect, Editor
from tracelens_indexer.indexing import index_workspace


async def save(editor: Editor, name: str, text: str) -> None:
    """As an editor saves: the file first, then the message."""
    (editor.root / name).write_text(text, encoding="utf-8")
    editor.client.text_document_did_save(lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(editor.uri(name))))


async def known(editor: Editor, name: str, seconds: float = 60.0) -> None:
    """Wait until a unit can be found by its name."""
    for _ in range(int(seconds / 0.1)):
        found = await editor.client.workspace_symbol_async(lsp.WorkspaceSymbolParams(name))
        if any(symbol.name == name for symbol in found or ()):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{name} was not found")


def index_processes(editor: Editor) -> list[int]:
    assert editor.client._server
    found = []
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(stat[1]) == editor.client._server.pid and b"tracelens.cli.worker\0index" in command and stat[0] != "Z":
            found.append(int(entry.name))
    return found


linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@linux
async def test_one_process_takes_in_every_save(connect: Connect) -> None:
    async with connect("neovim") as editor:
        editor.open("service.py")
        assert index_processes(editor) == []
        await save(editor, "service.py", "def first():\n    return 1\n")
        await known(editor, "first")
        [process] = index_processes(editor)
        await save(editor, "service.py", "def second():\n    return 1\n")
        await known(editor, "second")
        assert index_processes(editor) == [process]
        assert os.getpriority(os.PRIO_PROCESS, process) > os.getpriority(os.PRIO_PROCESS, editor.client._server.pid)
        assert os.sched_getscheduler(process) == os.SCHED_BATCH


@linux
async def test_a_killed_process_is_started_again_and_then_done_without(connect: Connect) -> None:
    async with connect("neovim") as editor:
        editor.open("service.py")
        for name in ("first", "second", "third", "fourth"):
            await save(editor, "service.py", f"def {name}():\n    return 1\n")
            for _ in range(40):
                for process in index_processes(editor):
                    os.kill(process, signal.SIGKILL)
                await asyncio.sleep(0.05)
            await known(editor, name)
        # What it was asked for was done by the command in the end.
        assert await editor.hover(editor.open("pricing.py"), "apply_discount") is not None


async def test_an_index_that_was_made_again_or_deleted_underneath(connect: Connect, workspace: Path) -> None:
    async with connect("neovim") as editor:
        editor.open("service.py")
        await save(editor, "service.py", "def first():\n    return 1\n")
        await known(editor, "first")
        for file in (workspace / ".tracelens").glob("index.db*"):
            file.unlink()
        index_workspace(workspace)
        await save(editor, "service.py", "def second():\n    return 1\n")
        await known(editor, "second")
        for file in (workspace / ".tracelens").glob("index.db*"):
            file.unlink()
        await save(editor, "service.py", "def third():\n    return 1\n")
        await asyncio.sleep(0.5)
        assert not await editor.client.workspace_symbol_async(lsp.WorkspaceSymbolParams("third"))
        # Nobody gets an index by saving a file.
        assert not (workspace / ".tracelens" / "index.db").exists()


async def test_saving_indexes_nothing_where_that_is_switched_off(connect: Connect) -> None:
    async with connect("neovim", options={"indexOnSave": False}) as editor:
        editor.open("service.py")
        await save(editor, "service.py", "def first():\n    return 1\n")
        await asyncio.sleep(1.0)
        assert not await editor.client.workspace_symbol_async(lsp.WorkspaceSymbolParams("first"))


async def test_files_that_change_outside_of_the_editor_are_taken_in(connect: Connect, workspace: Path) -> None:
    async with connect("vscode") as editor:
        (workspace / "added.py").write_text("def from_another_branch():\n    return 1\n")
        change = lsp.FileEvent(editor.uri("added.py"), lsp.FileChangeType.Created)
        editor.client.workspace_did_change_watched_files(lsp.DidChangeWatchedFilesParams([change]))
        await known(editor, "from_another_branch")
        # A file with another name keeps what was recorded of its functions, under the new one.
        editor.open("pricing.py")
        (workspace / "pricing.py").rename(workspace / "prices.py")
        changes = [
            lsp.FileEvent(editor.uri("pricing.py"), lsp.FileChangeType.Deleted),
            lsp.FileEvent(editor.uri("prices.py"), lsp.FileChangeType.Created),
        ]
        closed = lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(editor.uri("pricing.py")))
        editor.client.text_document_did_close(closed)
        editor.client.workspace_did_change_watched_files(lsp.DidChangeWatchedFilesParams(changes))
        uri = editor.open("prices.py")
        for _ in range(600):
            hover = await editor.hover(uri, "apply_discount")
            if hover and "25 calls" in hover:
                break
            await asyncio.sleep(0.1)
        assert hover and "moved" in hover


def test_the_process_answers_nonsense_and_ends_when_idle(workspace: Path) -> None:
    command = [sys.executable, "-P", "-m", "tracelens.cli.worker", "index", "--root", str(workspace), "--idle", "0.5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        process.stdin.write('nonsense\n{"id": 1}\n')
        process.stdin.flush()
        assert "error" in json.loads(process.stdout.readline())
        answer = json.loads(process.stdout.readline())
        assert answer["id"] == 1 and answer["changed"] == 0
        assert process.wait(30) == 0
