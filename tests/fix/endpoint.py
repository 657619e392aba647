"""A real HTTP server on loopback that speaks Chat Completions, well or badly, as its script says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tracelens.settings import LlmEndpoint

Turn = Callable[[BaseHTTPRequestHandler], None]


class Endpoint:
    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.paths: list[str] = []

    def settings(self, **more: Any) -> LlmEndpoint:
        return LlmEndpoint(self.base_url, "scripted", **{"key": "k-123", "timeout_seconds": 5.0, **more})

    def prompt(self, number: int = 0) -> str:
        return str(self.requests[number]["messages"][0]["content"])


@contextmanager
def serving(*turns: Turn) -> Iterator[Endpoint]:
    """Each request is answered by the next turn; the last one repeats."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            endpoint.requests.append(body)
            endpoint.paths.append(self.path)
            endpoint.keys.append(self.headers.get("authorization", ""))
            turns[min(len(endpoint.requests), len(turns)) - 1](self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    endpoint = Endpoint(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(text: str, *, streamed: bool = True, **more: Any) -> Turn:
    """more: what the parts of a streamed answer have beside the usual."""

    def turn(handler: BaseHTTPRequestHandler) -> None:
        if not streamed:
            message = {"role": "assistant", "content": text}
            body = {"id": "1", "object": "chat.completion", "choices": [{"index": 0, "message": message}]}
            send(handler, 200, json.dumps(body).encode())
            return
        begin_stream(handler)
        for start in range(0, len(text), 40):
            chunk(handler, {"content": text[start : start + 40]}, **more)
        if more:  # Azure begins with a part without choices, OpenAI ends with one
            part(handler, {"choices": [], **more})
        chunk(handler, {}, "stop", **more)
        handler.wfile.write(b"data: [DONE]\n\n")
        handler.close_connection = True

    return turn


def function(text: str) -> Turn:
    return says(f"The cause is clear.\n```python\n{text}\n```\nThat is all.")


def fails(status: int, body: bytes = b'{"error": {"message": "no\\nway"}}', **headers: str) -> Turn:
    return lambda handler: send(handler, status, body, **headers)


def drops(handler: BaseHTTPRequestHandler) -> None:
    """The connection breaks in the middle of the stream."""
    begin_stream(handler, chunked=True)
    data = b'data: {"choices": [{"index": 0, "delta": {"content": "half"}}]}\n\n'
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.flush()
    handler.close_connection = True
    handler.connection.shutdown(2)


def ends_early(handler: BaseHTTPRequestHandler) -> None:
    begin_stream(handler)
    chunk(handler, {"content": "half"})
    handler.close_connection = True


def is_slow(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def drips(handler: BaseHTTPRequestHandler) -> None:
    begin_stream(handler)
    try:
        for _ in range(100):
            chunk(handler, {"content": "."})
            time.sleep(0.1)
    except OSError:
        pass


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"content-type": "application/json", **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def begin_stream(handler: BaseHTTPRequestHandler, *, chunked: bool = False) -> None:
    handler.send_response(200)
    handler.send_header("content-type", "text/event-stream")
    handler.send_header(*(("transfer-encoding", "chunked") if chunked else ("connection", "close")))
    handler.end_headers()


def chunk(handler: BaseHTTPRequestHandler, delta: dict[str, str], finish: str | None = None, **more: Any) -> None:
    part(handler, {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


def part(handler: BaseHTTPRequestHandler, said: dict[str, Any]) -> None:
    body = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", **said}
    handler.wfile.write(b"data: " + json.dumps(body).encode() + b"\n\n")
    handler.wfile.flush()
