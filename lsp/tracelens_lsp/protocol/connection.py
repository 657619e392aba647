"""One client: its messages in their order, requests beside each other as tasks, and what is asked of the client.

A notification is handled before the next message is looked at, and a request has run until its first wait by then: what
is asked sees the text that was told before it, and no later one. Between two messages the stream is read, so that a
cancellation is seen while its request still waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from tracelens_lsp.protocol.messages import Frames, Id, Message, NotAMessage, decoded, encoded
from tracelens_lsp.protocol.types import ErrorCode

_log = logging.getLogger(__name__)

_CHUNK = 64 * 1024
_MOST_WAITING = 1_000
"""Messages that have been read and wait; a client that sends more waits."""
_CANCEL = "$/cancelRequest"

_T = TypeVar("_T")


class ResponseError(Exception):
    """An error as the protocol knows it, of ours or of the client's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """A method that is answered; `params` is the type that its parameters are checked against."""

    params: Any
    handler: Callable[[Any], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Notification:
    """A method that is not answered. Not async: what follows it must find it done."""

    params: Any
    handler: Callable[[Any], None]


class _Cancelled(msgspec.Struct):
    id: Id


class _Said(msgspec.Struct):
    """An error of the client's."""

    code: int = ErrorCode.INTERNAL_ERROR
    message: str = ""


class Connection:
    """Speaks to a client until it is gone or says `exit`."""

    def __init__(self, file: int, read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
        """`read` reads some bytes, at most so many, of what is open as `file`, and none at its end; `write` writes all
        of them, or raises OSError. A buffered file will not do: it cannot be closed while a thread waits for it, and
        the interpreter aborts when it tries to at its end."""
        self._file = file
        self._read = read
        self._write = write
        self._polls = True
        self._frames = Frames()
        self._methods: Mapping[str, Request | Notification] = {}
        self._decoders: dict[str, msgspec.json.Decoder[Any]] = {}
        self._waiting: asyncio.Queue[Message | NotAMessage | None] = asyncio.Queue()
        self._unwanted: set[Id] = set()
        """Requests that were cancelled, maybe before they began."""
        self._running: dict[Id, asyncio.Task[None]] = {}
        self._asked: dict[int, asyncio.Future[bytes]] = {}
        self._number = 0
        self._initialized = False
        self._shut_down = False
        self._over = False

    async def run(self, methods: Mapping[str, Request | Notification]) -> int:
        """Until the end; the exit code that the protocol wants."""
        self._methods = methods
        loop = asyncio.get_running_loop()
        try:
            loop.add_reader(self._file, self._readable)
        except (NotImplementedError, PermissionError):
            # A pipe on Windows, or a file. Elsewhere no thread: where processors are short it wakes up late.
            self._polls = False
            threading.Thread(target=self._read_in_thread, args=(loop,), name="messages", daemon=True).start()
        try:
            while not self._over and (message := await self._waiting.get()) is not None:
                if self._take(message):
                    await asyncio.sleep(0)
                # A turn of the loop, which reads what has come.
                await asyncio.sleep(0)
        finally:
            self._read_no_more()
        return 0 if self._shut_down else 1

    # -- to the client -----------------------------------------------------------------------------------------

    def tell(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def post(self, method: str, params: object = None) -> None:
        """Send a request whose answer does not matter."""
        self._number += 1
        self._send({"id": self._number, "method": method, **({} if params is None else {"params": params})})

    async def ask(self, method: str, params: object, answer: type[_T]) -> _T | None:
        """Send a request and wait for its answer; null is None. Raises ResponseError where the client answers with an
        error, or with something else than was asked for."""
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.post(method, params)
        number = self._number
        self._asked[number] = future
        try:
            return msgspec.json.decode(await future, type=answer | None)
        except msgspec.MsgspecError as error:
            raise ResponseError(ErrorCode.INVALID_REQUEST, f"{method} was answered with nonsense: {error}") from error
        finally:
            del self._asked[number]

    def _send(self, message: dict[str, Any]) -> None:
        if self._over:
            return
        try:
            self._write(encoded(message))
        except (OSError, ValueError):
            _log.info("the client is gone")
            self._over = True
            self._waiting.put_nowait(None)

    def _fail(self, number: Id | None, code: int, message: str) -> None:
        self._send({"id": number, "error": {"code": int(code), "message": message}})

    # -- from the client ---------------------------------------------------------------------------------------

    def _readable(self) -> None:
        """Take in what has come, which does not wait: the loop says that there is something."""
        if self._waiting.qsize() > _MOST_WAITING:
            return
        try:
            self._came(self._read(_CHUNK))
        except BlockingIOError:
            return
        except OSError:
            self._came(b"")

    def _read_in_thread(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop may be closed by the time that the stream is.
        with contextlib.suppress(RuntimeError):
            with contextlib.suppress(OSError):
                while data := self._read(_CHUNK):
                    loop.call_soon_threadsafe(self._came, data)
            loop.call_soon_threadsafe(self._came, b"")

    def _came(self, data: bytes) -> None:
        """Bytes of the client; none at the end."""
        try:
            for body in self._frames.feed(data):
                self._waiting.put_nowait(self._seen(body))
        except ValueError as error:
            _log.error("the client cannot be understood: %s", error)
            data = b""
        if not data:
            self._read_no_more()
            self._waiting.put_nowait(None)

    def _read_no_more(self) -> None:
        if self._polls:
            asyncio.get_running_loop().remove_reader(self._file)

    def _seen(self, body: bytes) -> Message | NotAMessage:
        try:
            message = decoded(body)
        except NotAMessage as error:
            return error
        if message.method == _CANCEL and (number := _cancelled(message)) is not None:
            self._unwanted.add(number)
        return message

    def _take(self, message: Message | NotAMessage) -> bool:
        """Handle a message; whether it was a request, which has yet to begin."""
        if isinstance(message, NotAMessage):
            self._fail(None, ErrorCode.PARSE_ERROR, str(message))
        elif isinstance(message.method, UnsetType):
            self._answered(message)
        elif isinstance(message.id, UnsetType):
            self._told(message.method, message)
        elif message.id is None:
            self._fail(None, ErrorCode.INVALID_REQUEST, "a request needs an id")
        else:
            return self._requested(message.id, message.method, message)
        return False

    def _answered(self, message: Message) -> None:
        future = self._asked.get(message.id) if isinstance(message.id, int) else None
        if future is None or future.done():
            if message.result is UNSET and message.error is UNSET:
                self._fail(None, ErrorCode.INVALID_REQUEST, "neither a request nor a response")
        elif isinstance(message.error, UnsetType):
            future.set_result(bytes(message.result) if not isinstance(message.result, UnsetType) else b"null")
        else:
            try:
                said = msgspec.json.decode(message.error, type=_Said)
            except msgspec.MsgspecError:
                said = _Said()
            future.set_exception(ResponseError(said.code, said.message))

    def _told(self, method: str, message: Message) -> None:
        if method == "exit":
            self._over = True
            return
        if method == _CANCEL:
            self._cancel(message)
            return
        known = self._methods.get(method)
        if not isinstance(known, Notification) or not self._initialized or self._shut_down:
            return
        try:
            known.handler(self._decoded(method, known.params, message))
        except msgspec.MsgspecError as error:
            _log.warning("%s: %s", method, error)

    def _cancel(self, message: Message) -> None:
        number = _cancelled(message)
        if number is None:
            return
        self._unwanted.discard(number)
        if number in self._running:
            self._running[number].cancel()

    def _requested(self, number: Id, method: str, message: Message) -> bool:
        known = self._methods.get(method)
        if number in self._unwanted:
            self._fail(number, ErrorCode.REQUEST_CANCELLED, "cancelled")
        elif number in self._running:
            self._fail(number, ErrorCode.INVALID_REQUEST, f"the id {number!r} is being answered already")
        elif self._initialized == (method == "initialize") or self._shut_down:
            code = ErrorCode.INVALID_REQUEST if self._initialized else ErrorCode.SERVER_NOT_INITIALIZED
            self._fail(number, code, f"{method[:100]} is not asked now")
        elif not isinstance(known, Request):
            self._fail(number, ErrorCode.METHOD_NOT_FOUND, f"there is no method {method[:100]!r}")
        else:
            try:
                params = self._decoded(method, known.params, message)
            except msgspec.MsgspecError as error:
                self._fail(number, ErrorCode.INVALID_PARAMS, f"{method}: {error}")
                return False
            self._initialized = True
            self._shut_down = method == "shutdown"
            self._running[number] = asyncio.create_task(self._answer(number, method, known, params))
            return True
        return False

    def _decoded(self, method: str, kind: Any, message: Message) -> Any:
        """Raises msgspec.MsgspecError."""
        decoder = self._decoders.get(method)
        if decoder is None:
            decoder = self._decoders[method] = msgspec.json.Decoder(kind)
        return decoder.decode(message.params)

    async def _answer(self, number: Id, method: str, request: Request, params: Any) -> None:
        try:
            result = await request.handler(params)
        except asyncio.CancelledError:
            self._fail(number, ErrorCode.REQUEST_CANCELLED, "cancelled")
        except ResponseError as error:
            self._fail(number, error.code, str(error))
        except Exception as error:
            _log.exception("%s", method)
            self._fail(number, ErrorCode.INTERNAL_ERROR, f"{method}: {error}")
        else:
            self._send({"id": number, "result": result})
        finally:
            del self._running[number]


def _cancelled(message: Message) -> Id | None:
    try:
        return msgspec.json.decode(message.params, type=_Cancelled).id
    except msgspec.MsgspecError:
        return None
