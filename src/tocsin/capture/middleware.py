"""What is put around MLflow's scoring server: it keeps the bytes that pass, and does nothing more.

Pure ASGI: the server's messages go through as they are, but for one header of the answer.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from tocsin.capture.exchange import Model
from tocsin.capture.http_call import HttpCall
from tocsin.ids import uuid7

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/invocations"
ID_HEADER = b"x-request-id"
# With the number of a row behind it, it has to be an id of at most 128 signs.
_ID = re.compile(rb"[\x21-\x7e]{1,110}")
# Larger requests are counted and not kept.
MOST_BYTES = 16 * 2**20
CLOSE_TIMEOUT_S = 5.0
_GONE = 499  # what servers log for a client that left


class Sink(Protocol):
    """Where calls go; nothing of it may wait."""

    def answered(self, version: str, status: int, seconds: float) -> None:
        """Count a request."""
        ...

    def record(self, call: HttpCall) -> None:
        """Keep a call, to be read later."""
        ...

    def dropped(self, version: str) -> None:
        """Count a call that is not kept."""
        ...

    def failed(self, error: Exception) -> None:
        """Count a fault of capture itself."""
        ...

    def close(self, timeout_s: float) -> None:
        """Send what waits until the deadline."""
        ...


class Capture:
    """An application with capture around it; `app` serves one version of a model.

    own_ids: give each request an id of its own, whatever its header says.
    """

    def __init__(self, app: Asgi, *, sink: Sink, model: Model, own_ids: bool = False) -> None:
        self._app = app
        self._sink = sink
        self._model = model
        self._own_ids = own_ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as `app` does."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._closing(send))
            return
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(self._sink, self._model, scope, own_ids=self._own_ids)

        async def hear() -> Message:
            message = await receive()
            exchange.hear(message)
            return message

        async def say(message: Message) -> None:
            await send(exchange.say(message))

        try:
            await self._app(scope, hear, say)
        except Exception:
            exchange.fail()
            raise
        finally:
            exchange.end()

    def _closing(self, send: Send) -> Send:
        async def say(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                await asyncio.to_thread(self._sink.close, CLOSE_TIMEOUT_S)
            await send(message)

        return say


class _Exchange:
    """The bytes of one request and its answer; a fault in here never reaches the request."""

    def __init__(self, sink: Sink, model: Model, scope: Scope, *, own_ids: bool) -> None:
        self._status = 0
        self._left = False
        self._sink = sink
        self._model = model
        self._began_s = time.perf_counter()
        self._began = time.time_ns() // 1000
        self._size = 0
        self._request: list[bytes] = []
        self._response: list[bytes] = []
        self._content_type = b""
        self._id = b""
        for name, value in scope["headers"]:
            if name == b"content-type":
                self._content_type = value
            elif name == ID_HEADER and not own_ids and _ID.fullmatch(value):
                self._id = value
        self._id = self._id or uuid7().encode()

    def hear(self, message: Message) -> None:
        """Keep a part of the request."""
        if message["type"] == "http.request":
            self._keep(message.get("body", b""), self._request)
        elif message["type"] == "http.disconnect":
            self._left = True

    def say(self, message: Message) -> Message:
        """Keep a part of the answer; the message to send in its place."""
        if message["type"] == "http.response.start":
            # What is answered to a client that has left is no answer.
            self._status = _GONE if self._left else message["status"]
            return {**message, "headers": [*message.get("headers", ()), (ID_HEADER, self._id)]}
        if message["type"] == "http.response.body" and self._status == 200:
            self._keep(message.get("body", b""), self._response)
        return message

    def _keep(self, part: bytes, parts: list[bytes]) -> None:
        self._size += len(part)
        if self._size <= MOST_BYTES:
            parts.append(part)
        else:
            parts.clear()

    def fail(self) -> None:
        """The application raised, maybe after its answer began."""
        self._status = _GONE if self._left else 500

    def end(self) -> None:
        """Hand over what was kept."""
        try:
            seconds = time.perf_counter() - self._began_s
            self._sink.answered(self._model.version, self._status or _GONE, seconds)
            if self._status != 200:
                return
            if self._size > MOST_BYTES:
                self._sink.dropped(self._model.version)
                return
            call = HttpCall(
                self._model,
                self._id.decode(),
                self._content_type.decode("latin-1"),
                tuple(self._request),
                tuple(self._response),
                self._began,
            )
            self._sink.record(call)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not become one of the host
            self._sink.failed(error)
