"""The server's bytes pass as they are, whatever capture makes of them."""

import asyncio
from typing import Any

import pytest
from tests.registry.conftest import OF_MLFLOW

from tocsin.capture.exchange import Model
from tocsin.capture.http_call import HttpCall
from tocsin.capture.middleware import MOST_BYTES, Capture

pytestmark = OF_MLFLOW

MODEL = Model("3", None)


class Told:
    """A sink that remembers."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.calls: list[HttpCall] = []
        self.answers: list[tuple[str, int]] = []
        self.lost: list[str] = []
        self.faults: list[Exception] = []
        self.closed = False

    def answered(self, version: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        if self.broken:
            raise RuntimeError("a bug")
        self.answers.append((version, status))

    def record(self, call: HttpCall) -> None:
        self.calls.append(call)

    def dropped(self, version: str) -> None:
        self.lost.append(version)

    def failed(self, error: Exception) -> None:
        self.faults.append(error)

    def close(self, timeout_s: float) -> None:
        assert timeout_s > 0
        self.closed = True


def answering(status: int = 200, *parts: bytes) -> Any:
    async def app(_: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def asked(
    app: Any,
    *parts: bytes,
    path: str = "/invocations",
    method: str = "POST",
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> list[dict[str, Any]]:
    """What an application sends for a request."""
    sent: list[dict[str, Any]] = []
    left = [
        {"type": "http.request", "body": part, "more_body": i < len(parts) - 1}
        for i, part in enumerate(parts)
    ] or [{"type": "http.request", "body": b""}]

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    asyncio.run(app(scope, receive, send))
    return sent


def test_bytes_pass_in_the_parts_in_which_they_came() -> None:
    told = Told()
    app = answering(200, b'{"predictions"', b": [1]}")
    plain = asked(app, b"ab", b"cd")
    sent = asked(Capture(app, sink=told, model=MODEL), b"ab", b"cd")

    assert sent[1:] == plain[1:]
    (call,) = told.calls
    assert b"".join(call.request) == b"abcd"
    assert b"".join(call.response) == b'{"predictions": [1]}'
    assert told.answers == [("3", 200)]


def test_the_id_of_a_request_is_handed_back() -> None:
    told = Told()
    app = Capture(answering(), sink=told, model=MODEL)
    start, *_ = asked(app, headers=((b"x-request-id", b"order-7"),))
    other, *_ = asked(app)

    assert (b"x-request-id", b"order-7") in start["headers"]
    assert [call.request_id for call in told.calls] == [
        "order-7",
        dict(other["headers"])[b"x-request-id"].decode(),
    ]


@pytest.mark.parametrize("odd", [b"", b"a b", b"\xff\xfe", b"x" * 200, b"a\x00b"])
def test_an_id_that_cannot_be_one_is_replaced(odd: bytes) -> None:
    told = Told()
    asked(Capture(answering(), sink=told, model=MODEL), headers=((b"x-request-id", odd),))
    (call,) = told.calls
    assert call.request_id != odd.decode("latin-1")
    assert len(call.request_id) == 36


@pytest.mark.parametrize("status", [400, 415, 500, 504])
def test_an_answer_that_is_an_error_is_counted_and_not_kept(status: int) -> None:
    told = Told()
    asked(Capture(answering(status, b"secret"), sink=told, model=MODEL), b"secret")
    assert told.answers == [("3", status)]
    assert told.calls == []


@pytest.mark.parametrize(("path", "method"), [("/health", "GET"), ("/invocations", "GET")])
def test_other_requests_pass_untouched(path: str, method: str) -> None:
    told = Told()
    app = answering(200, b"ok")
    options: Any = {"path": path, "method": method}
    sent = asked(Capture(app, sink=told, model=MODEL), **options)
    assert sent == asked(app, **options)
    assert told.answers == []


def test_an_error_of_the_application_is_counted_and_raised() -> None:
    async def failing(*_: Any) -> None:
        raise RuntimeError("of the host")

    told = Told()
    with pytest.raises(RuntimeError, match="of the host"):
        asked(Capture(failing, sink=told, model=MODEL))
    assert told.answers == [("3", 500)]


def test_a_client_that_leaves_is_counted_as_its_own_error() -> None:
    async def left(*_: Any) -> None:
        raise asyncio.CancelledError

    told = Told()
    with pytest.raises(asyncio.CancelledError):
        asked(Capture(left, sink=told, model=MODEL))
    assert told.answers == [("3", 499)]


def test_a_fault_of_capture_does_not_touch_the_answer() -> None:
    told = Told(broken=True)
    app = answering(200, b"[1]")
    sent = asked(Capture(app, sink=told, model=MODEL), b"x")
    assert sent[1:] == asked(app, b"x")[1:]
    assert [type(fault) for fault in told.faults] == [RuntimeError]


def test_a_request_that_is_too_large_is_answered_and_not_kept() -> None:
    told = Told()
    half = b"x" * (MOST_BYTES // 2 + 1)
    sent = asked(Capture(answering(200, b"[1]"), sink=told, model=MODEL), half, half)
    assert sent[1]["body"] == b"[1]"
    assert (told.calls, told.lost, told.answers) == ([], ["3"], [("3", 200)])


def test_the_end_of_the_server_sends_what_waits() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    told = Told()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append((message["type"], told.closed))

    async def run() -> None:
        async def receive() -> Any:
            return {}

        await Capture(app, sink=told, model=MODEL)({"type": "lifespan"}, receive, send)

    asyncio.run(run())
    assert sent == [("lifespan.startup.complete", False), ("lifespan.shutdown.complete", True)]


def test_a_header_is_no_id_where_requests_have_their_own() -> None:
    told = Told()
    app = Capture(answering(), sink=told, model=MODEL, own_ids=True)
    start, *_ = asked(app, headers=((b"x-request-id", b"order-7"),))
    (call,) = told.calls
    assert call.request_id != "order-7"
    assert (b"x-request-id", call.request_id.encode()) in start["headers"]


def test_a_client_that_leaves_while_it_sends_is_no_error_of_mlflows_server() -> None:
    from types import SimpleNamespace

    from mlflow.pyfunc import scoring_server
    from starlette.requests import ClientDisconnect

    told = Told()
    pyfunc: Any = SimpleNamespace(metadata=SimpleNamespace(get_input_schema=lambda: None))
    app = Capture(scoring_server.init(pyfunc), sink=told, model=MODEL)
    left = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(_: dict[str, Any]) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/invocations",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    with pytest.raises(ClientDisconnect):
        asyncio.run(app(scope, receive, send))
    assert (told.answers, told.calls) == ([("3", 499)], [])


def test_an_error_after_the_answer_began_is_one_of_the_server() -> None:
    async def breaking(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("of the host")

    told = Told()
    with pytest.raises(RuntimeError, match="of the host"):
        asked(Capture(breaking, sink=told, model=MODEL))
    assert (told.answers, told.calls) == ([("3", 500)], [])
