"""A model behind any endpoint that speaks Chat Completions: asking it, and every way in which that can go wrong.

The endpoint comes from the user's own configuration or environment (tracelens.settings). The model has no tools: its
only effect is text, which answer.py turns into a patch or refuses.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tracelens.settings import LlmEndpoint, is_loopback
from tracelens_indexer.errors import TraceLensError

_LONGEST_ANSWER = 200_000
"""Characters. A function is shorter."""
_CONNECT_SECONDS = 10.0

Message = dict[str, str]


class LlmError(TraceLensError):
    """The endpoint gave no answer; one line that says why and what to do."""


class Cancelled(Exception):
    """The person asked to stop."""


def ask(
    endpoint: LlmEndpoint,
    messages: Sequence[Message],
    *,
    cancelled: Callable[[], bool] = lambda: False,
    progress: Callable[[str], None] = lambda line: None,
) -> str:
    """The model's answer. Raises LlmError (never anything else of the network) and Cancelled."""
    try:
        import openai
    except ImportError:
        raise LlmError(
            "an endpoint is configured, but the openai client is not installed: "
            "pip install -e '.[llm]' in the folder of TraceLens"
        ) from None

    # The HTTP library that this version of the client is built on: its errors come through while an answer streams.
    httpx: Any = importlib.import_module(openai.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0])
    where = f"{endpoint.base_url} ({endpoint.model})"
    deadline = time.monotonic() + endpoint.timeout_seconds
    timeout = openai.Timeout(endpoint.timeout_seconds, connect=min(_CONNECT_SECONDS, endpoint.timeout_seconds))
    # No redirects: the key and the prompt go to the endpoint that the user named and nowhere else.
    http = openai.DefaultHttpxClient(
        timeout=timeout, follow_redirects=False, trust_env=not is_loopback(endpoint.base_url)
    )
    parts: list[str] = []
    try:
        client = openai.OpenAI(
            base_url=endpoint.base_url, api_key=endpoint.key or "none", max_retries=0, http_client=http
        )
        request: dict[str, Any] = {"model": endpoint.model, "messages": list(messages)}
        size = 0
        for part in _stream(client, request):
            if cancelled():
                raise Cancelled
            if time.monotonic() > deadline:
                raise LlmError(f"{where}: no answer after {endpoint.timeout_seconds:g} s; raise llm.timeout_seconds")
            parts.append(part)
            size += len(part)
            if size > _LONGEST_ANSWER:
                raise LlmError(f"{where}: the answer is longer than {_LONGEST_ANSWER:,} characters; it was not read on")
            progress(f"{size:,} characters")
        text = "".join(parts)
    except openai.APITimeoutError:
        raise LlmError(f"{where}: no answer after {endpoint.timeout_seconds:g} s; raise llm.timeout_seconds") from None
    except openai.APIConnectionError as error:
        if parts:
            raise LlmError(f"{where}: the connection broke in the middle of the answer ({_reason(error)})") from None
        raise LlmError(f"{where}: no connection ({_reason(error)}); is it running?") from None
    except openai.APIStatusError as error:
        raise LlmError(f"{where}: {_status(error.status_code)} ({_detail(error)})") from None
    except openai.APIError as error:
        raise LlmError(f"{where}: {_one_line(str(error))}") from None
    except httpx.TimeoutException:
        raise LlmError(f"{where}: the answer stopped coming; raise llm.timeout_seconds or ask again") from None
    except httpx.HTTPError as error:
        raise LlmError(f"{where}: the connection broke in the middle of the answer ({_one_line(str(error))})") from None
    except httpx.InvalidURL as error:
        raise LlmError(f"{where}: not an address ({_one_line(str(error))})") from None
    except (ValueError, AttributeError, TypeError, KeyError, IndexError) as error:
        # What the client makes of a body that is JSON of another shape, or none at all.
        raise LlmError(f"{where}: answered something that is not a Chat Completion ({_one_line(str(error))})") from None
    finally:
        http.close()
    if not text.strip():
        raise LlmError(f"{where}: the answer is empty; try again or another model")
    return text


def _stream(client: Any, request: dict[str, Any]) -> Iterator[str]:
    """The answer in parts; from an endpoint that does not stream, in one."""
    seen = False
    finished = False
    with client.chat.completions.create(**request, stream=True) as stream:
        content_type = stream.response.headers.get("content-type", "")
        if "json" in content_type:
            stream.response.read()
            yield _whole(json.loads(stream.response.content))
            return
        for chunk in stream:
            seen = True
            for choice in chunk.choices[:1]:
                finished = finished or choice.finish_reason is not None
                if choice.delta is not None and choice.delta.content:
                    yield choice.delta.content
    if not seen:
        raise ValueError("no part of an answer")
    if not finished:
        raise ValueError("it ends in the middle")


def _whole(body: Any) -> str:
    choices = body["choices"]
    if not choices:
        raise ValueError("no choices")
    return str(choices[0]["message"]["content"] or "")


def _status(code: int) -> str:
    if code == 401:
        return "401: the key is not accepted; check llm.key"
    if code == 403:
        return "403: the key may not do this"
    if code == 404:
        return "404: no such model or path; check llm.model and llm.base_url"
    if code == 429:
        return "429: over the limit or out of quota; wait, or use another endpoint"
    if code >= 500:
        return f"{code}: the endpoint failed; try again later"
    if 300 <= code < 400:
        return f"{code}: it redirects elsewhere, which is not followed; set llm.base_url to the final address"
    return f"{code}: the request was refused"


def _detail(error: Any) -> str:
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        inner = body.get("error", body)
        said = inner.get("message") if isinstance(inner, dict) else inner
        if said:
            return _one_line(str(said))
    return _one_line(str(getattr(error, "message", "") or "no reason given"))


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return _one_line(str(cause) or type(cause).__name__)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200] or "no reason given"
