"""What an editor does with tracelens-lsp, without the editor: a language client of forty lines on standard input and
output. Opens one file and prints what a person would see on it.

    python examples/editor_session.py FOLDER FILE
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


class Client:
    """Speaks the protocol to one server process; keeps the diagnostics it pushes."""

    def __init__(self, command: list[str], root: Path) -> None:
        self._server = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._last = 0

    def request(self, method: str, params: Any) -> Any:
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == self._last and "method" not in message:
                if "error" in message:
                    raise RuntimeError(message["error"])
                return message.get("result")
            if "id" in message and "method" in message:
                # The server asks (configuration, registration, refresh): this client has nothing to say.
                items = (message.get("params") or {}).get("items") if isinstance(message.get("params"), dict) else None
                self._send({"id": message["id"], "result": [None] * len(items) if items else None})

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def stop(self) -> None:
        self.request("shutdown", None)
        self.notify("exit", None)
        self._server.wait(10)

    def _send(self, message: dict[str, Any]) -> None:
        assert self._server.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._server.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._server.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._server.stdout
        length = 0
        while line := self._server.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise RuntimeError("the server has gone")
        message: dict[str, Any] = json.loads(self._server.stdout.read(length))
        return message


def main(root: Path, path: str) -> None:
    root = root.resolve()
    uri = (root / path).as_uri()
    text = (root / path).read_text()
    document = {"uri": uri}
    client = Client([sys.executable, "-m", "tracelens_lsp"], root)
    capabilities = {
        "textDocument": {
            "diagnostic": {},
            "inlayHint": {},
            "codeLens": {},
            "hover": {"contentFormat": ["plaintext"]},
            "codeAction": {
                "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}},
                "resolveSupport": {"properties": ["edit"]},
                "dataSupport": True,
            },
        }
    }
    folder = {"uri": root.as_uri(), "name": root.name}
    started = {"processId": None, "rootUri": root.as_uri(), "workspaceFolders": [folder], "capabilities": capabilities}
    client.request("initialize", started)
    client.notify("initialized", {})
    opened = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": opened})

    lines = text.splitlines()
    end = {"line": len(lines), "character": 0}
    everything = {"start": {"line": 0, "character": 0}, "end": end}
    hints = client.request("textDocument/inlayHint", {"textDocument": document, "range": everything}) or []
    notes = {hint["position"]["line"]: hint["label"] for hint in hints}
    lenses = client.request("textDocument/codeLens", {"textDocument": document}) or []
    above = {}
    for lens in lenses:
        resolved = lens if lens.get("command") else client.request("codeLens/resolve", lens)
        above[lens["range"]["start"]["line"]] = resolved["command"]["title"]
    report = client.request("textDocument/diagnostic", {"textDocument": document})
    problems = {item["range"]["start"]["line"]: item for item in report["items"]}

    print(f"\n{path}")
    for number, line in enumerate(lines):
        if number in above:
            print(f"      ⟨{above[number]}⟩")
        if number in above or number in notes or number in problems:
            print(f"{number + 1:5} {line}{'    ' + notes[number] if number in notes else ''}")
        if number in problems:
            print(f"      {'~' * 20} {problems[number]['message']}")
    for number, problem in problems.items():
        name = next(n for n in range(number, -1, -1) if lines[n].lstrip().startswith(("def ", "async def ")))
        column = lines[name].index("def ") + 4
        place = {"textDocument": document, "position": {"line": name, "character": column}}
        hover = client.request("textDocument/hover", place)
        if hover:
            print(f"\nhover on line {name + 1}:\n")
            contents = hover["contents"]
            print("  " + (contents["value"] if isinstance(contents, dict) else contents).replace("\n", "\n  "))
        context = {"diagnostics": [problem]}
        actions = client.request(
            "textDocument/codeAction", {"textDocument": document, "range": problem["range"], "context": context}
        )
        print(f"\nlight bulb on line {number + 1}:")
        for action in actions or []:
            print(f"  {action['title']}")
    client.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
