"""A language client of the simplest kind: one server process, messages over its standard streams, and its cost."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_PAGE = os.sysconf("SC_PAGE_SIZE")
CAPABILITIES: dict[str, Any] = {
    "textDocument": {
        "hover": {"contentFormat": ["markdown", "plaintext"]},
        "codeLens": {},
        "inlayHint": {},
        "diagnostic": {},
        "publishDiagnostics": {"relatedInformation": True},
        "codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix", ""]}}},
    },
    "workspace": {"configuration": True, "workspaceFolders": True},
    "window": {},
    "general": {"positionEncodings": ["utf-16"]},
}


class Client:
    """Speaks to one server; every request waits for its answer and answers what the server asks meanwhile."""

    def __init__(self, command: list[str], root: Path, environment: dict[str, str] | None = None) -> None:
        self.root = root
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=root,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
        self._number = 0
        self.late: dict[int, Any] = {}
        """Answers that came while another was waited for."""

    def seconds(self) -> float:
        return time.perf_counter() - self.begun

    def start(self) -> None:
        uri = self.root.as_uri()
        self.ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": self.root.name}],
                "capabilities": CAPABILITIES,
                "initializationOptions": {},
            },
        )

    def tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def post(self, method: str, params: Any) -> int:
        """Send a request without waiting for its answer; the number that `answer` takes."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        return self._number

    def ask(self, method: str, params: Any) -> dict[str, Any]:
        return self.answer(self.post(method, params))

    def answer(self, number: int) -> dict[str, Any]:
        while number not in self.late:
            self._take()
        return dict(self.late.pop(number))

    def stop(self) -> None:
        with contextlib.suppress(OSError, EOFError, subprocess.TimeoutExpired):
            self.ask("shutdown", None)
            self.tell("exit", None)
            self.process.wait(5)
        for number in self.processes():
            with contextlib.suppress(OSError):
                os.kill(number, 9)
        self.process.wait(5)

    def _take(self) -> None:
        message = self._receive()
        if "method" not in message:
            self.late[message["id"]] = message
        elif "id" in message:
            result: Any = None
            if message["method"] == "workspace/configuration":
                result = [{} for _ in message["params"]["items"]]
            self._send({"id": message["id"], "result": result})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout
        length = 0
        while (line := self.process.stdout.readline()) not in (b"\r\n", b"\n"):
            if not line:
                raise EOFError("the server ended")
            if line.lower().startswith(b"content-length"):
                length = int(line.split(b":")[1])
        message = json.loads(self.process.stdout.read(length))
        assert isinstance(message, dict)
        return message

    # -- cost --------------------------------------------------------------------------------------------------

    def processes(self) -> list[int]:
        """The server's process and those that it started."""
        parents: dict[int, list[int]] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := _stat(int(entry.name))):
                parents.setdefault(int(stat[1]), []).append(int(entry.name))
        found = [self.process.pid]
        for number in found:
            found += parents.get(number, [])
        return found

    def own_cpu_s(self) -> float:
        """CPU seconds of the server's own process, to the nanosecond; what waits for a processor does not count."""
        spent = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            try:
                spent += int((task / "schedstat").read_text().split()[0])
            except OSError:
                continue
        return spent / 1e9

    def rss_mb(self) -> float:
        return sum(int(stat[21]) for stat in _stats(self.processes())) * _PAGE / 1e6


def _stats(numbers: Iterable[int]) -> list[list[str]]:
    return [stat for number in numbers if (stat := _stat(number))]


def _stat(number: int) -> list[str]:
    """The fields of /proc/N/stat behind the name; none when the process has ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
