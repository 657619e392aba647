"""Requests, tasks and calls of models: what stands on the calls made for them, and that they are served anyway."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.recorder.test_in_code import run

WSGI = """
import threading, urllib.request, wsgiref.simple_server
import tracelens_recorder
from tracelens_recorder.wsgi import WsgiMiddleware

def price(n):
    return n * 2

def application(environ, start_response):
    n = int(environ["QUERY_STRING"] or 0)
    if n == 13:
        raise ValueError(n)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return pieces(n)

def pieces(n):
    for i in range(2):
        yield str(price(n + i)).encode()

class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args): pass

def serve(app, requests):
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answers = []
    for query, headers in requests:
        asked = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/p?{query}", headers=headers)
        try:
            with urllib.request.urlopen(asked) as answer:
                answers.append((answer.read().decode(), answer.headers["X-Request-ID"]))
        except urllib.error.HTTPError as error:
            answers.append((error.code, ""))
    server.shutdown()
    return answers
"""

ASGI = """
import asyncio
import tracelens_recorder
from tracelens_recorder.asgi import AsgiMiddleware

def price(n):
    return n * 2

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    n = int(scope["query_string"] or b"0")
    await asyncio.sleep(0.01 * (n % 3))
    if n == 13:
        raise ValueError(n)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(price(n)).encode()})

async def ask(served, query, headers=()):
    sent = []
    async def send(message): sent.append(message)
    scope = {"type": "http", "method": "GET", "path": "/p", "headers": list(headers)}
    scope["query_string"] = str(query).encode()
    try:
        await served(scope, None, send)
    except ValueError:
        return "failed"
    return dict(sent[0]["headers"])[b"x-request-id"].decode(), sent[1]["body"].decode()
"""


def test_wsgi_requests_leave_their_id_and_route_on_the_calls(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        WSGI
        + """
with tracelens_recorder.recording():
    print(serve(WsgiMiddleware(application), [("3", {"X-Request-ID": "r-3"}), ("13", {}), ("5", {})]))
""",
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert recorded.process.stdout.startswith("[('68', 'r-3'), (500, ''), ('1012', '"), "the body has the same id"
    about = {dict(call.arguments)["n"].text: dict(call.about) for call in recorded.calls if call.frame.name == "price"}
    assert about["3"] == about["4"] == {"request": "r-3", "route": "GET /p"}
    assert len(about["5"]["request"]) == 16
    (failed,) = [one for one in recorded.failures if one.type == "ValueError"]
    assert failed.message == "13"


def test_only_chosen_requests_are_recorded(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        WSGI
        + """
asked = [(str(n), {"X-Tracelens": "1"} if n in (2, 7) else {}) for n in range(10)]
print(serve(WsgiMiddleware(application, rate=0, trust_header=True), asked))
print(tracelens_recorder.is_recording())
""",
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert recorded.process.stdout.endswith("False\n"), "between chosen requests nothing is listened to"
    given = [dict(call.arguments)["n"].text for call in recorded.calls if call.frame.name == "price"]
    assert given == ["2", "3", "7", "8"]
    assert (recorded.counts["price"].calls, recorded.counts["price"].counting) == (4, "at least")


def test_a_header_is_not_obeyed_unless_it_is_trusted(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        WSGI + 'serve(WsgiMiddleware(application, rate=0), [("2", {"X-Tracelens": "1"})])\n',
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert recorded.files == []


def test_concurrent_asgi_requests_are_told_apart(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        ASGI
        + """
async def main():
    served = AsgiMiddleware(app)
    await served({"type": "lifespan"}, None, None)
    found = await asyncio.gather(*(ask(served, n, [(b"X-Request-ID", b"r-%d" % n)]) for n in range(6)), ask(served, 13))
    print(found)

with tracelens_recorder.recording():
    asyncio.run(main())
""",
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert "('r-5', '10'), 'failed'" in recorded.process.stdout
    about = {dict(call.arguments)["n"].text: dict(call.about) for call in recorded.calls if call.frame.name == "price"}
    assert {n: one["request"] for n, one in about.items()} == {str(n): f"r-{n}" for n in range(6)}


def test_of_concurrent_requests_only_chosen_ones_are_recorded(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        ASGI
        + """
async def main():
    served = AsgiMiddleware(app, rate=0, trust_header=True)
    await asyncio.gather(*(ask(served, n, [(b"x-tracelens", b"1")] if n == 4 else []) for n in range(6)))

asyncio.run(main())
""",
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert [dict(call.arguments)["n"].text for call in recorded.calls if call.frame.name == "price"] == ["4"]


def test_a_request_is_served_although_its_recording_fails(python: str, tmp_path: Path) -> None:
    recorded = run(
        python,
        tmp_path,
        WSGI
        + """
import tracelens_recorder.served as served
def broken(*args, **kwargs): raise RuntimeError("the recorder fails")
served.Span = broken
with tracelens_recorder.recording():
    print(serve(WsgiMiddleware(application), [("3", {})])[0][0])
""",
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    assert recorded.process.stdout == "68\n"
    assert any("the recorder failed" in note for note in recorded.facts.notes)


class Model(BaseHTTPRequestHandler):
    """Answers as an endpoint for chat does."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        return

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        usage = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
        made = {"id": "c-1", "created": 1, "model": "small-2026"}
        if asked["model"] == "missing":
            return self._answer(404, json.dumps({"error": {"message": "no such model"}}), "application/json")
        if asked.get("stream"):
            pieces = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("hel", "lo")]
            pieces.append({"choices": [], "usage": usage})
            chunks = [json.dumps({**made, "object": "chat.completion.chunk", **piece}) for piece in pieces]
            text = "".join(f"data: {chunk}\n\n" for chunk in [*chunks, "[DONE]"])
            return self._answer(200, text, "text/event-stream")
        message = {"role": "assistant", "content": "hello"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        made |= {"object": "chat.completion", "choices": [choice], "usage": usage}
        return self._answer(200, json.dumps(made), "application/json")

    def _answer(self, status: int, text: str, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@pytest.fixture
def model() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_calls_of_models_stand_on_the_function_that_made_them(model: str, tmp_path: Path) -> None:
    pytest.importorskip("openai")
    recorded = run(
        sys.executable,
        tmp_path,
        """
        import asyncio, os, sys
        import tracelens_recorder
        import openai

        made = dict(base_url=os.environ["MODEL"], api_key="sk-0123456789abcdefghij", max_retries=0)
        words = [{"role": "user", "content": "a secret question"}]

        def ask(name):
            return openai.OpenAI(**made).chat.completions.create(model=name, messages=words, temperature=0.5)

        async def stream():
            create = openai.AsyncOpenAI(**made).chat.completions.create
            answer = await create(model="small", messages=words, stream=True)
            return [chunk async for chunk in answer]

        def listen():
            return list(openai.OpenAI(**made).chat.completions.create(model="small", messages=words, stream=True))

        with tracelens_recorder.recording():
            assert ask("small").choices[0].message.content == "hello"
            try:
                ask("missing")
            except openai.NotFoundError:
                pass
            assert len(asyncio.run(stream())) == 3
            assert len(listen()) == 3
        """,
        MODEL=model,
    )
    assert recorded.process.returncode == 0, recorded.process.stderr
    spans = {call.frame.name: [text for name, text in call.about if name == "span"] for call in recorded.calls}
    first, failed = [
        text for call in recorded.calls if call.frame.name == "ask" for name, text in call.about if name == "span"
    ]
    assert first.startswith("chat small (12 tokens in, 7 out)")
    assert failed.startswith("chat missing") and failed.endswith("raised openai.NotFoundError")
    for name in ("stream", "listen"):
        assert spans[name][0].startswith("chat small (12 tokens in, 7 out)")
    assert b"a secret question" not in b"".join(_spans(file) for file in recorded.files)


def _spans(file: Path) -> bytes:
    from tracelens_recorder import container, payloads

    with file.open("rb") as stream:
        return b"".join(payload for kind, payload in container.frames(stream) if kind == payloads.SPANS)
