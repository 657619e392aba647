"""Spans of the calls that a program makes through the `openai` package, with the names of OpenTelemetry's conventions
for generative AI: the operation, the model, the tokens in and out. Prompts and answers are not kept.

`install()` wraps the methods that send, once: nothing else of the package changes. It is done for a process that is
recorded as soon as it loads `openai` (`watch`).
"""

from __future__ import annotations

import functools
import sys
from typing import Any, AsyncIterator, Callable, Dict, Iterator, Optional

from tracelens_recorder import process
from tracelens_recorder.spans import CLIENT, Span, calling_frame

_METHODS = (
    ("openai.resources.chat.completions", "Completions", "create", "chat"),
    ("openai.resources.chat.completions", "AsyncCompletions", "create", "chat"),
    ("openai.resources.responses", "Responses", "create", "chat"),
    ("openai.resources.responses", "AsyncResponses", "create", "chat"),
    ("openai.resources.embeddings", "Embeddings", "create", "embeddings"),
    ("openai.resources.embeddings", "AsyncEmbeddings", "create", "embeddings"),
)
_TOKENS = (("input", ("prompt_tokens", "input_tokens")), ("output", ("completion_tokens", "output_tokens")))
_SETTINGS = ("temperature", "top_p", "max_tokens", "seed", "frequency_penalty", "presence_penalty")


def install() -> int:
    """Wrap what is there of the package; gives back how many methods are wrapped now. What is not there is left out."""
    wrapped = 0
    for module, name, method, operation in _METHODS:
        try:
            __import__(module)
            kind = getattr(sys.modules[module], name)
            original = getattr(kind, method)
        except (ImportError, AttributeError):
            continue
        if getattr(original, "_tracelens", False):
            wrapped += 1
            continue
        wrapper = _asynchronous(original, operation) if name.startswith("Async") else _plain(original, operation)
        wrapper._tracelens = True  # type: ignore[attr-defined]
        setattr(kind, method, wrapper)
        wrapped += 1
    return wrapped


def _plain(original: Callable[..., Any], operation: str) -> Callable[..., Any]:
    @functools.wraps(original)
    def create(self: Any, *positional: Any, **named: Any) -> Any:
        span = _begin(self, operation, named)
        if span is None:
            return original(self, *positional, **named)
        try:
            answer = original(self, *positional, **named)
        except BaseException as problem:
            span.finish(problem)
            raise
        if named.get("stream") and hasattr(answer, "_iterator"):
            answer._iterator = _streamed(answer._iterator, span)
        else:
            _end(span, answer)
        return answer

    return create


def _asynchronous(original: Callable[..., Any], operation: str) -> Callable[..., Any]:
    @functools.wraps(original)
    async def create(self: Any, *positional: Any, **named: Any) -> Any:
        span = _begin(self, operation, named)
        if span is None:
            return await original(self, *positional, **named)
        try:
            answer = await original(self, *positional, **named)
        except BaseException as problem:
            span.finish(problem)
            raise
        if named.get("stream") and hasattr(answer, "_iterator"):
            answer._iterator = _streamed_asynchronously(answer._iterator, span)
        else:
            _end(span, answer)
        return answer

    return create


def _begin(resource: Any, operation: str, named: Dict[str, Any]) -> Optional[Span]:
    recorder = process.current()
    if recorder is None or recorder.paused:
        return None
    try:
        model = named.get("model")
        attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model if isinstance(model, str) else None,
            "gen_ai.request.stream": True if named.get("stream") else None,
        }
        for name in _SETTINGS:
            if isinstance(named.get(name), (int, float)):
                attributes["gen_ai.request." + name] = named[name]
        address = getattr(getattr(resource, "_client", None), "base_url", None)
        if address is not None and getattr(address, "host", None):
            attributes["server.address"] = str(address.host)
        title = f"{operation} {model}" if isinstance(model, str) else operation
        return Span(title, "model", attributes, calling_frame(3), CLIENT)
    except Exception as problem:
        recorder.session.fault(problem)
        return None


def _end(span: Span, answer: Any) -> None:
    _describe(span, answer)
    span.finish()


def _describe(span: Span, answer: Any) -> None:
    """The answer's id, model and tokens, under the names of either of the package's two interfaces."""
    try:
        span.set("gen_ai.response.id", _text(answer, "id"))
        span.set("gen_ai.response.model", _text(answer, "model"))
        choices = getattr(answer, "choices", None)
        reasons = [str(one.finish_reason) for one in choices or () if getattr(one, "finish_reason", None)]
        if reasons:
            span.set("gen_ai.response.finish_reasons", ", ".join(reasons))
        usage = getattr(answer, "usage", None)
        if usage is not None:
            for name, fields in _TOKENS:
                found = [getattr(usage, field, None) for field in fields]
                count = next((one for one in found if isinstance(one, int)), None)
                span.set(f"gen_ai.usage.{name}_tokens", count)
    except Exception as problem:
        if span.session is not None:
            span.session.fault(problem)


def _text(answer: Any, name: str) -> Optional[str]:
    value = getattr(answer, name, None)
    return value if isinstance(value, str) else None


def _streamed(chunks: Iterator[Any], span: Span) -> Iterator[Any]:
    """The chunks of a streamed answer; the last one has the tokens, where they were asked for."""
    problem: Optional[BaseException] = None
    last: Any = None
    try:
        for chunk in chunks:
            last = _better(last, chunk)
            yield chunk
    except BaseException as error:
        problem = None if isinstance(error, GeneratorExit) else error
        raise
    finally:
        if last is not None:
            _describe(span, last)
        span.finish(problem)


async def _streamed_asynchronously(chunks: AsyncIterator[Any], span: Span) -> AsyncIterator[Any]:
    problem: Optional[BaseException] = None
    last: Any = None
    try:
        async for chunk in chunks:
            last = _better(last, chunk)
            yield chunk
    except BaseException as error:
        problem = None if isinstance(error, GeneratorExit) else error
        raise
    finally:
        if last is not None:
            _describe(span, last)
        span.finish(problem)


def _better(last: Any, chunk: Any) -> Any:
    """Of two chunks the one that says more: that with the tokens, else the first. Of events, the answer in them."""
    chunk = getattr(chunk, "response", None) or chunk
    return chunk if last is None or getattr(chunk, "usage", None) is not None else last
