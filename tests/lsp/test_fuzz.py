"""The protocol as nobody should speak it: the server answers, or says that it cannot, and lives."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

METHODS = [
    "textDocument/hover", "textDocument/codeLens", "codeLens/resolve", "textDocument/inlayHint", "inlayHint/resolve",
    "textDocument/codeAction", "codeAction/resolve", "workspace/symbol", "textDocument/diagnostic",
    "textDocument/prepareCallHierarchy", "callHierarchy/incomingCalls", "callHierarchy/outgoingCalls",
    "workspace/executeCommand", "tracelens/runs", "tracelens/heat", "tracelens/overview", "tracelens/flameGraph",
    "textDocument/definition", "no/such", "$/unknown", "", "initialize",
]  # fmt: skip
TOLD = [
    "textDocument/didOpen", "textDocument/didChange", "textDocument/didSave", "textDocument/didClose",
    "workspace/didChangeConfiguration", "workspace/didChangeWatchedFiles", "workspace/didChangeWorkspaceFolders",
    "$/cancelRequest", "$/setTrace", "$/progress", "window/workDoneProgress/cancel", "no/such",
]  # fmt: skip
COMMANDS = ["tracelens.show", "tracelens.showCalls", "tracelens.why", "tracelens.explain", "tracelens.showCallers",
            "tracelens.chooseRun", "no.such"]  # fmt: skip


class Server:
    """A server that is spoken to in raw bytes."""

    def __init__(self, root: Path, config: Path) -> None:
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tracelens_lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TRACELENS_CONFIG": str(config)},
        )
        self._buffer = b""
        capabilities = {"textDocument": {"hover": {"contentFormat": ["markdown"]}, "diagnostic": {}}}
        folders = [{"uri": root.as_uri(), "name": "w"}]
        self.send({"id": "start", "method": "initialize", "params": {
            "processId": None, "rootUri": root.as_uri(), "capabilities": capabilities, "workspaceFolders": folders,
        }})  # fmt: skip
        assert self.answer("start")["result"]
        self.send({"method": "initialized", "params": {}})

    def send(self, message: Any) -> None:
        if isinstance(message, dict):
            message = {"jsonrpc": "2.0", **message}
        self.raw(json.dumps(message).encode())

    def raw(self, body: bytes, header: bytes | None = None) -> None:
        assert self.process.stdin
        self.process.stdin.write((header or b"Content-Length: %d\r\n\r\n" % len(body)) + body)
        self.process.stdin.flush()

    def answer(self, number: Any, seconds: float = 30.0) -> dict[str, Any]:
        """The answer to a request; requests of the server are answered with nothing meanwhile."""
        for message in self._messages(seconds):
            if "method" in message and "id" in message:
                self.send({"id": message["id"], "result": None})
            elif "method" not in message and message.get("id") == number:
                return message
        raise AssertionError(f"no answer to {number}")

    def _messages(self, seconds: float) -> Iterator[dict[str, Any]]:
        assert self.process.stdout
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0]) if found else 0
            if found and len(rest) >= length:
                self._buffer = rest[length:]
                yield json.loads(rest[:length])
                continue
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                read = os.read(self.process.stdout.fileno(), 65536)
                assert read, "the server ended"
                self._buffer += read

    def lives(self, name: str = "pricing.py") -> bool:
        uri = (self.root / name).as_uri()
        text = (self.root / name).read_text(encoding="utf-8")
        line = next(n for n, one in enumerate(text.split("\n")) if one.startswith("def "))
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        position = {"line": line, "character": 6}
        self.send({"id": "lives", "method": "textDocument/hover", "params": {
            "textDocument": {"uri": uri}, "position": position,
        }})  # fmt: skip
        return bool(self.answer("lives").get("result"))


@pytest.fixture
def server(workspace: Path, tmp_path: Path) -> Iterator[Server]:
    server = Server(workspace, tmp_path / "config.toml")
    yield server
    server.process.kill()
    server.process.wait()


def anything(chance: random.Random, uri: str, depth: int = 0) -> Any:
    """A value of any shape, often with what a request would have."""
    number = chance.choice([0, 1, 5, -1, 2**31, 2**53, -(2**40), 1.5, 10**30])
    leaf = chance.choice([None, True, number, "", uri, "file:///%ff%00", "u:zz", "f:0", "\ud800", "x" * 3000, "🎈"])
    if depth > 3 or chance.random() < 0.2:
        return leaf
    if chance.random() < 0.2:
        return [anything(chance, uri, depth + 1) for _ in range(chance.randrange(4))]
    position = {"line": number, "character": chance.choice([0, 3, -5, 2**40, None])}
    shaped = {
        "textDocument": {"uri": uri, "version": number, "text": leaf, "languageId": "python"},
        "position": position,
        "range": {"start": position, "end": {"line": 2, "character": number}},
        "context": {"diagnostics": anything(chance, uri, depth + 1), "only": leaf},
        "item": {"name": "x", "kind": 1, "uri": uri, "data": anything(chance, uri, depth + 1)},
        "contentChanges": [{"text": chance.choice(["", "def (", "\0", leaf]), "range": leaf}],
        "command": chance.choice(COMMANDS),
        "arguments": [anything(chance, uri, depth + 1)],
        "data": {"uri": uri, "unit": leaf, "failure": leaf},
        "query": leaf,
        "settings": {"tracelens": anything(chance, uri, depth + 1)},
        "changes": [{"uri": uri, "type": 2}, leaf],
        "event": {"added": [{"uri": uri, "name": "x"}], "removed": []},
        "id": number,
    }
    return {key: value for key, value in shaped.items() if chance.random() < 0.8}


@pytest.mark.parametrize("seed", range(4))
def test_messages_of_any_shape(server: Server, seed: int) -> None:
    chance = random.Random(seed)
    uri = (server.root / "pricing.py").as_uri()
    for number in range(120):
        params = anything(chance, uri)
        if chance.random() < 0.6:
            # Never "shutdown": what is said after it is not answered, as the protocol wants it.
            server.send({"id": number, "method": chance.choice(METHODS), "params": params})
        else:
            server.send({"method": chance.choice(TOLD), "params": params})
    server.send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})
    server.send({"method": "workspace/didChangeWorkspaceFolders", "params": {
        "event": {"added": [{"uri": server.root.as_uri(), "name": "w"}], "removed": []},
    }})  # fmt: skip
    server.send({"id": "after", "method": "tracelens/runs", "params": {}})
    assert "choices" in server.answer("after")["result"]
    server.send({"id": "found", "method": "workspace/symbol", "params": {"query": "apply"}})
    assert server.answer("found")["result"]


def test_bytes_that_are_no_messages(server: Server) -> None:
    for body in (b"{", b"[]", b"[1,2]", b"null", b'"x"', b"\xff\xfe", b'{"jsonrpc":"1.0"}', b'{"id":1}', b"{}" * 40):
        server.raw(body)
    for message in ({"id": None, "method": "textDocument/hover"}, {"id": [], "method": 5}, {"result": 1, "id": 77}):
        server.send(message)
    server.raw(json.dumps({"jsonrpc": "2.0", "method": "x" * 100_000}).encode())
    assert server.lives()


def test_versions_and_ranges_that_make_no_sense(server: Server) -> None:
    uri = (server.root / "pricing.py").as_uri()
    assert server.lives()
    for version in (0, -3, 7, 7, 2):
        backwards = {"start": {"line": 9, "character": 9}, "end": {"line": 1, "character": 1}}
        change = {"range": backwards, "text": "x"}
        server.send({"method": "textDocument/didChange", "params": {
            "textDocument": {"uri": uri, "version": version}, "contentChanges": [change],
        }})  # fmt: skip
    server.send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})
    server.send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})
    assert server.lives()


def test_a_file_of_two_hundred_thousand_lines(server: Server) -> None:
    text = "".join(f"def f{n}(x):\n    return x\n" for n in range(100_000))
    (server.root / "huge.py").write_text(text)
    uri = (server.root / "huge.py").as_uri()
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    server.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
    place = {"textDocument": {"uri": uri}, "position": {"line": 150_000, "character": 5}}
    server.send({"id": "huge", "method": "textDocument/hover", "params": place})
    server.send({"id": "lens", "method": "textDocument/codeLens", "params": {"textDocument": {"uri": uri}}})
    assert "error" not in server.answer("huge", 60)
    assert "error" not in server.answer("lens", 60)
    assert server.lives()


def test_two_servers_on_one_workspace(server: Server, tmp_path: Path) -> None:
    other = Server(server.root, tmp_path / "config.toml")
    try:
        text = (server.root / "pricing.py").read_text() + "\n\ndef later():\n    return 1\n"
        (server.root / "pricing.py").write_text(text)
        uri = (server.root / "pricing.py").as_uri()
        for one in (server, other):
            one.send({"method": "textDocument/didSave", "params": {"textDocument": {"uri": uri}}})
        assert server.lives() and other.lives()
    finally:
        other.process.kill()
        other.process.wait()
    assert server.lives()


def test_the_server_ends_when_its_client_is_gone(server: Server) -> None:
    assert server.lives()
    assert server.process.stdin and server.process.stdout
    server.process.stdin.close()
    server.process.stdout.close()
    assert server.process.wait(20) is not None
