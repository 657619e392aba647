"""The protocol as nobody should speak it: the server answers, or says that it cannot, and lives."""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

METHODS = [
    "textDocument/hover", "textDocument/codeLens", "codeLens/resolve", "textDocument/inlayHint", "inlayHint/resolve",
    "textDocument/codeAction", "codeAction/resolve", "workspace/symbol", "textDocument/diagnostic",
    "textDocument/documentSymbol",
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
            "tracelens.chooseRun", "tracelens.make", "tracelens.replay", "no.such"]  # fmt: skip


class Server:
    """A server that is spoken to in raw bytes."""

    def __init__(self, root: Path, config: Path, window: dict[str, Any] | None = None) -> None:
        self.root = root
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tracelens_lsp"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TRACELENS_CONFIG": str(config)},
        )
        self._buffer = b""
        capabilities = {
            "textDocument": {"hover": {"contentFormat": ["markdown"]}, "diagnostic": {}},
            "window": window or {},
        }
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

    def ask(self, method: str, params: Any) -> Any:
        self.send({"id": "asked", "method": method, "params": params})
        return self.answer("asked")["result"]

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Messages up to the first that is wanted; nothing is answered."""
        heard = []
        for message in self._messages(60.0):
            heard.append(message)
            if wanted(message):
                return heard
        raise AssertionError(f"only {heard}")

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


def test_what_is_asked_at_the_wrong_time_or_not_in_the_right_way_is_said_to_be(server: Server) -> None:
    hover = {"method": "textDocument/hover"}
    place = {"textDocument": {"uri": (server.root / "pricing.py").as_uri()}, "position": {"line": 5, "character": 6}}
    for number, message, code in (
        ("twice", {"method": "initialize", "params": {"capabilities": {}}}, -32600),
        (1, {"method": "no/such"}, -32601),
        (2, hover, -32602),
        (3, {**hover, "params": {**place, "position": {"line": "5", "character": 6}}}, -32602),
        (4, {**hover, "params": [place]}, -32602),
        (5, {"method": "workspace/executeCommand", "params": {"command": "no.such"}}, -32602),
    ):
        server.send({"id": number, **message})
        assert server.answer(number)["error"]["code"] == code, message
    # Other fields of the header, in any spelling, and a text that is no Unicode, are legal.
    body = json.dumps({"jsonrpc": "2.0", "id": "\ud800", **hover, "params": place}).encode()
    header = b"content-type: application/vscode-jsonrpc; charset=utf-8\r\nCONTENT-LENGTH:%d\r\n\r\n" % len(body)
    server.raw(body, header)
    assert "25 calls" in server.answer("?")["result"]["contents"]["value"]
    server.raw(b"", b"Content-Length: nonsense\r\n\r\n")
    assert server.lives()
    server.send({"id": "end", "method": "shutdown"})
    assert server.answer("end")["result"] is None
    server.send({"id": "after", **hover, "params": place})
    assert server.answer("after")["error"]["code"] == -32600
    server.send({"method": "exit"})
    assert server.process.wait(60) == 0


def test_a_request_sees_the_text_that_was_told_before_it_and_none_that_came_later(server: Server) -> None:
    uri = (server.root / "pricing.py").as_uri()
    text = (server.root / "pricing.py").read_text()
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    server.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
    for number in range(40):
        place = {"textDocument": {"uri": uri}, "position": {"line": 5 + number, "character": 6}}
        server.send({"id": number, "method": "textDocument/hover", "params": place})
        start = {"line": 0, "character": 0}
        change = {"range": {"start": start, "end": start}, "text": "# more\n"}
        server.send({"method": "textDocument/didChange", "params": {
            "textDocument": {"uri": uri, "version": number + 2}, "contentChanges": [change],
        }})  # fmt: skip
    assert all(server.answer(number)["result"] for number in range(40))


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
    server.send({"id": "late", "method": "textDocument/codeLens", "params": {"textDocument": {"uri": uri}}})
    server.send({"method": "$/cancelRequest", "params": {"id": "late"}})
    assert "error" not in server.answer("huge", 60)
    assert "error" not in server.answer("lens", 60)
    # What is cancelled while it waits behind others is not begun.
    assert server.answer("late", 60)["error"]["code"] == -32800
    assert server.lives()


def test_a_thousand_open_files_and_a_server_that_is_killed_under_them(server: Server, tmp_path: Path) -> None:
    """All are edited, each is answered; the client of a killed server starts another, which answers the same."""
    text = (server.root / "pricing.py").read_text()
    uris = [(server.root / "pricing.py").as_uri()]
    uris += [(server.root / f"many_{n}.py").as_uri() for n in range(999)]
    end = {"line": 10_000, "character": 0}
    told = []
    for start in range(2):
        for number, uri in enumerate(uris):
            document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
            server.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
            change = {"range": {"start": end, "end": end}, "text": f"# {number}\n"}
            document = {"uri": uri, "version": 2}
            server.send({"method": "textDocument/didChange", "params": {
                "textDocument": document, "contentChanges": [change],
            }})  # fmt: skip
        for number in (0, 1, 500, 999):
            place = {"textDocument": {"uri": uris[number]}, "position": {"line": 5, "character": 6}}
            server.send({"id": f"h{number}", "method": "textDocument/hover", "params": place})
            found = server.answer(f"h{number}")["result"]
            told.append(found["contents"]["value"] if found else None)
        if not start:
            server.process.kill()
            server.process.wait()
            server = Server(server.root, tmp_path / "config.toml")
    server.process.kill()
    server.process.wait()
    # What is open and not indexed has nothing to show, and what is has all.
    assert told[0] and "25 calls" in told[0] and told[1:4] == [None, None, None]
    assert told[4:] == told[:4]


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


def test_a_bar_that_is_made_too_late_is_taken_away(workspace: Path, tmp_path: Path) -> None:
    """Helix waits for the edit of an action before it answers anything else."""
    server = Server(workspace, tmp_path / "config.toml", {"workDoneProgress": True})
    try:
        command = {"command": "tracelens.make", "arguments": ["annotate", "u:0"]}
        [failure] = server.ask(
            "textDocument/diagnostic", {"textDocument": {"uri": (workspace / "pricing.py").as_uri()}}
        )["items"]
        command["arguments"][1] = failure["data"]["failure"]
        server.send({"id": "made", "method": "workspace/executeCommand", "params": command})
        heard = server.until(lambda message: message.get("id") == "made")
        [asked] = [message for message in heard if message.get("method") == "window/workDoneProgress/create"]
        assert not [message for message in heard if message.get("method") == "$/progress"]
        server.send({"id": asked["id"], "result": None})
        [*_, told] = server.until(lambda message: message.get("method") == "$/progress")
        assert told["params"] == {"token": asked["params"]["token"], "value": {"kind": "end"}}
    finally:
        server.process.kill()
        server.process.wait()


def test_a_client_that_cannot_ask_is_told_which_setting_it_is(server: Server) -> None:
    server.send({"id": "choose", "method": "workspace/executeCommand", "params": {"command": "tracelens.chooseRun"}})
    [*_, asked] = server.until(lambda message: message.get("method") == "window/showMessageRequest")
    server.send({"id": asked["id"], "error": {"code": -32601, "message": "unhandled method"}})
    [*_, told] = server.until(lambda message: message.get("method") == "window/showMessage")
    assert 'run = "run:' in told["params"]["message"]


def test_messages_can_come_from_a_file_too(workspace: Path, tmp_path: Path) -> None:
    """Which the event loop cannot wait for, as little as for a pipe on Windows: a thread reads it."""
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": {"capabilities": {}, "rootUri": workspace.as_uri()}},
        {"id": 2, "method": "tracelens/runs"},
        {"id": 3, "method": "shutdown"},
        {"method": "exit"},
    ]
    bodies = [json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages]
    (tmp_path / "said").write_bytes(b"".join(b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies))
    with (tmp_path / "said").open("rb") as said:
        command = [sys.executable, "-P", "-m", "tracelens_lsp"]
        done = subprocess.run(command, stdin=said, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0 and b'"choices"' in done.stdout and b'"id":3,"result":null' in done.stdout


def test_the_server_ends_when_its_client_is_gone(server: Server) -> None:
    assert server.lives()
    assert server.process.stdin and server.process.stdout
    server.process.stdin.close()
    server.process.stdout.close()
    assert server.process.wait(60) is not None
