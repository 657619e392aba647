"""Real servers spoken to as real editors: a small recorded workspace, and clients with captured capabilities."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types as lsp
from lsprotocol.converters import get_converter
from pytest_lsp import LanguageClient, make_test_lsp_client

from tests.answers import recorded

CAPABILITIES = Path(__file__).parent / "capabilities"

PRICING = '''\
"""What an order costs. 𝒳 is beyond the basic plane."""

DISCOUNTS = {"gold": 0.2, "basic": 0.0}


def apply_discount(price: float, tier: str | None = "basic") -> float:
    """The price after the discount."""
    saving = price * DISCOUNTS.get(tier or "basic", 0.0)
    if saving / price > 0.15:
        saving = price * 0.15
    return price - saving


def never_called(x):
    return x
'''
SERVICE = """\
from pricing import apply_discount


def checkout(price, tier):
    "𝒳𝒳 é"; total = apply_discount(price, tier)
    return total


def slow(n):
    return sum(range(n))
"""
FILES = {"pricing.py": PRICING, "service.py": SERVICE}
CALLS: list[dict[str, Any]] = [
    {"call": "pricing.py:apply_discount", "args": {"price": 9.99, "tier": "gold"}, "returns": 8.49, "ms": 0.2}
    | {"times": 20, "from": "service.py:checkout", "site": "apply_discount(", "test": "test_pricing.py::test_gold"},
    {"call": "pricing.py:apply_discount", "args": {"price": 5.0, "tier": None}, "returns": 5.0, "ms": 0.2, "times": 2},
    {"call": "pricing.py:apply_discount", "args": {"price": 0.0, "tier": "gold"}, "ms": 0.1, "times": 3}
    | {"raises": "ZeroDivisionError: float division by zero", "at": "saving / price"}
    | {"from": "service.py:checkout", "site": "apply_discount(", "test": "test_pricing.py::test_free"},
    {"call": "service.py:slow", "args": {"n": 10}, "returns": 45, "ms": 50.0, "times": 4},
]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    recorded.workspace(root, FILES, CALLS).close()
    return root


def recorded_by_running(root: Path, files: dict[str, str]) -> Path:
    """A workspace whose main.py our recorder has recorded: calls that can be made again."""
    recorded.write(root, files)
    environment = {**os.environ, "TRACELENS_CONFIG": str(root.parent / "config.toml")}
    command = [sys.executable, "-m", "tracelens.cli", "record", "--", "main.py"]
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return root


class Editor:
    """An editor with one workspace open."""

    def __init__(self, client: LanguageClient, root: Path, answer: lsp.InitializeResult) -> None:
        self.client = client
        self.root = root
        self.server = answer
        self.refreshed: list[str] = []
        self.shown: list[str] = []
        """Texts of the documents that the server opened."""
        self._texts: dict[str, str] = {}
        self._versions: dict[str, int] = {}

    @property
    def encoding(self) -> str:
        found = self.server.capabilities.position_encoding
        return str(getattr(found, "value", found) or "utf-16")

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str | None = None) -> str:
        uri = self.uri(name)
        self._texts[uri] = (self.root / name).read_text(encoding="utf-8") if text is None else text
        self._versions[uri] = 1
        item = lsp.TextDocumentItem(uri=uri, language_id="python", version=1, text=self._texts[uri])
        self.client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
        return uri

    def replace(self, uri: str, old: str, new: str) -> None:
        """Edit the text as somebody who types does: the piece alone is sent."""
        before = self._texts[uri]
        start = before.index(old)
        range_ = lsp.Range(self.position(uri, old), self._position(before, start + len(old)))
        change = lsp.TextDocumentContentChangePartial(range=range_, text=new)
        self._texts[uri] = before[:start] + new + before[start + len(old) :]
        self._versions[uri] += 1
        identifier = lsp.VersionedTextDocumentIdentifier(uri=uri, version=self._versions[uri])
        self.client.text_document_did_change(lsp.DidChangeTextDocumentParams(identifier, [change]))

    def position(self, uri: str, piece: str, offset: int = 0) -> lsp.Position:
        return self._position(self._texts[uri], self._texts[uri].index(piece) + offset)

    def _position(self, text: str, index: int) -> lsp.Position:
        line = text.count("\n", 0, index)
        before = text[text.rfind("\n", 0, index) + 1 : index]
        return lsp.Position(line, self.length(before))

    def length(self, text: str) -> int:
        if self.encoding == "utf-8":
            return len(text.encode())
        return len(text) if self.encoding == "utf-32" else len(text.encode("utf-16-le")) // 2

    async def hover(self, uri: str, piece: str, offset: int = 0) -> str | None:
        at = lsp.HoverParams(lsp.TextDocumentIdentifier(uri), self.position(uri, piece, offset))
        answer = await self.client.text_document_hover_async(at)
        return answer.contents.value if answer else None

    async def lenses(self, uri: str) -> list[tuple[int, str]]:
        params = lsp.CodeLensParams(lsp.TextDocumentIdentifier(uri))
        found = await self.client.text_document_code_lens_async(params) or []
        return [(lens.range.start.line, lens.command.title) for lens in found if lens.command]

    async def hints(self, uri: str, *, parameters: bool = False) -> list[lsp.InlayHint]:
        """Those at the end of `def` lines, or those on parameters."""
        whole = lsp.Range(lsp.Position(0, 0), lsp.Position(1000, 0))
        params = lsp.InlayHintParams(lsp.TextDocumentIdentifier(uri), whole)
        found = await self.client.text_document_inlay_hint_async(params) or []
        return [hint for hint in found if (hint.kind is lsp.InlayHintKind.Parameter) is parameters]

    async def diagnostics(self, uri: str, wanted: int | None = None) -> list[lsp.Diagnostic]:
        """Pulled, or waited for (until there are as many as wanted) where the server publishes."""
        if self.server.capabilities.diagnostic_provider:
            params = lsp.DocumentDiagnosticParams(lsp.TextDocumentIdentifier(uri))
            report = await self.client.text_document_diagnostic_async(params)
            return list(report.items)
        await eventually(
            lambda: uri in self.client.diagnostics and (wanted is None or len(self.client.diagnostics[uri]) == wanted)
        )
        return list(self.client.diagnostics[uri])

    async def actions(
        self, uri: str, piece: str, diagnostics: list[lsp.Diagnostic] | None = None
    ) -> list[lsp.CodeAction]:
        at = self.position(uri, piece)
        context = lsp.CodeActionContext(diagnostics or [], trigger_kind=lsp.CodeActionTriggerKind.Invoked)
        params = lsp.CodeActionParams(lsp.TextDocumentIdentifier(uri), lsp.Range(at, at), context)
        found = await self.client.text_document_code_action_async(params) or []
        return [action for action in found if isinstance(action, lsp.CodeAction)]


def applied(editor: Editor, text: str, edit: lsp.WorkspaceEdit) -> str:
    """The text after a workspace edit of one document, as a client would apply it."""
    edits: list[lsp.TextEdit | lsp.AnnotatedTextEdit] = []
    for of_file in (edit.changes or {}).values():
        edits += of_file
    for change in edit.document_changes or ():
        assert isinstance(change, lsp.TextDocumentEdit)
        edits += [item for item in change.edits if isinstance(item, lsp.TextEdit | lsp.AnnotatedTextEdit)]
    lines = text.split("\n")

    def offset(at: lsp.Position) -> int:
        line = lines[at.line]
        character = next(n for n in range(len(line) + 1) if editor.length(line[:n]) == at.character)
        return sum(len(one) + 1 for one in lines[: at.line]) + character

    for item in sorted(edits, key=lambda item: offset(item.range.start), reverse=True):
        text = text[: offset(item.range.start)] + item.new_text + text[offset(item.range.end) :]
    return text


async def eventually(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for something the server does in its own time."""
    for _ in range(int(seconds / 0.05)):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


Connect = Callable[..., AbstractAsyncContextManager[Editor]]


@pytest.fixture
def connect(workspace: Path, tmp_path: Path) -> Connect:
    """Start a server and connect to it as one of the captured clients."""

    @asynccontextmanager
    async def connected(
        name: str, root: Path = workspace, options: dict[str, Any] | None = None, encodings: list[str] | None = None
    ) -> AsyncIterator[Editor]:
        captured = json.loads((CAPABILITIES / f"{name}.json").read_text())
        if encodings:
            captured["capabilities"].setdefault("general", {})["positionEncodings"] = encodings
        capabilities = get_converter().structure(captured["capabilities"], lsp.ClientCapabilities)
        client = make_test_lsp_client()
        # The client library takes every action that has a command for a bare command.
        client.protocol._converter.register_structure_hook(
            lsp.Command | lsp.CodeAction,
            lambda raw, _: get_converter().structure(
                raw, lsp.Command if isinstance(raw.get("command"), str) else lsp.CodeAction
            ),
        )
        refreshed: list[str] = []
        client.protocol.fm.features.pop(lsp.WINDOW_SHOW_DOCUMENT)
        shown: list[str] = []

        @client.feature(lsp.WINDOW_SHOW_DOCUMENT)
        def show(params: lsp.ShowDocumentParams) -> lsp.ShowDocumentResult:
            shown.append(Path(params.uri.removeprefix("file://")).read_text(encoding="utf-8"))
            return lsp.ShowDocumentResult(success=True)

        for method in (lsp.WORKSPACE_CODE_LENS_REFRESH, lsp.WORKSPACE_INLAY_HINT_REFRESH):
            client.feature(method)(lambda params, method=method: refreshed.append(method))
        client.feature(lsp.CLIENT_REGISTER_CAPABILITY)(lambda params: None)
        environment = {**os.environ, "TRACELENS_CONFIG": str(tmp_path / "config.toml")}
        await client.start_io(sys.executable, "-P", "-m", "tracelens_lsp", env=environment)
        try:
            answer = await client.initialize_session(
                lsp.InitializeParams(
                    capabilities=capabilities,
                    client_info=lsp.ClientInfo(captured["clientInfo"]["name"], captured["clientInfo"]["version"]),
                    root_uri=root.as_uri(),
                    workspace_folders=[lsp.WorkspaceFolder(root.as_uri(), root.name)],
                    initialization_options=options,
                )
            )
            editor = Editor(client, root, answer)
            editor.refreshed, editor.shown = refreshed, shown
            yield editor
            await asyncio.wait_for(client.shutdown_session(), 60)
        finally:
            if client._server and client._server.returncode is None:
                client._server.kill()
            await client.stop()

    return connected
