"""Rows get to the server however it behaves, and once."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from tests.servers import free_port

from tocsin.client._transport import MOST_FAULTS
from tocsin.errors import InvalidInputError
from tocsin.importing import Server

ACCEPTED = {"accepted": 1, "quarantined": 0, "reasons": []}
Answer = tuple[int, dict[str, Any], dict[str, str]]


@contextmanager
def answering(*answers: Answer) -> Iterator[tuple[str, list[Any]]]:
    """A server that gives these answers in turn, and what it was asked."""
    asked: list[Any] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(left.pop(0)[0])
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            names = ("Source", "After", "Position")
            step = {name: unquote(self.headers[f"Tocsin-{name}"]) for name in names}
            asked.append((self.path, step, json.loads(body)))
            status, content, headers = left.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}", asked
        listening.shutdown()
        thread.join()


def server(url: str, *, said: list[str], wait: Callable[[float], bool]) -> Server:
    return Server(url, "la/te", "predictions", "made", say=said.append, wait=wait)


def test_rows_go_with_where_the_source_was_and_is() -> None:
    with (
        answering((202, ACCEPTED, {})) as (url, asked),
        server(url, said=[], wait=lambda _: True) as to,
    ):
        stored = to.store([{"p": 1}], after='{"at":[1]}', position="ü %2")
    assert stored is not None
    assert (stored.accepted, stored.repeated) == (1, False)
    step = {"Source": "made", "After": '{"at":[1]}', "Position": "ü %2"}
    assert asked == [("/api/v1/models/la%2Fte/predictions", step, [{"p": 1}])]


def test_a_server_that_is_busy_is_given_the_rest_it_asks_for() -> None:
    rests: list[float] = []
    said: list[str] = []

    def wait(seconds: float) -> bool:
        rests.append(seconds)
        return True

    busy = (503, {}, {"Retry-After": "17"})
    with (
        answering(busy, (500, {}, {}), (429, {}, {"Retry-After": "0"}), (202, ACCEPTED, {})) as (
            url,
            asked,
        ),
        server(url, said=said, wait=wait) as to,
    ):
        assert to.store([], after="", position="1") is not None
    assert (rests[0], rests[2], len(asked)) == (17.0, 0.0, 4)
    assert 0 <= rests[1] <= 0.4
    assert said == [
        f"{url} answered 503; waiting for it, Ctrl-C ends",
        f"{url} answers again",
    ]


def test_a_server_that_fails_each_time_ends_the_import_with_what_it_says() -> None:
    oops = (500, {"error": {"message": "something failed; the server's log says what"}}, {})
    with (
        answering(*[oops] * MOST_FAULTS) as (url, asked),
        server(url, said=[], wait=lambda _: True) as to,
        pytest.raises(InvalidInputError, match=r"failed 10 times in a row with 500 \(something"),
    ):
        to.store([{}], after="", position="1")
    assert len(asked) == MOST_FAULTS


def test_of_a_batch_that_a_server_failed_at_nothing_is_said_that_is_not_known() -> None:
    oops = (500, {}, {})
    with (
        answering(*[oops] * 2 * MOST_FAULTS) as (url, _),
        server(url, said=[], wait=lambda _: True) as to,
    ):
        with pytest.raises(InvalidInputError, match=r"not known whether this batch"):
            to.store([{}], after="", position="1")
        with pytest.raises(InvalidInputError, match="try again when it is mended") as asked:
            to.position()
    assert "batch" not in str(asked.value)


def test_a_server_that_is_away_is_waited_for_until_the_import_ends() -> None:
    said: list[str] = []
    left = [True, True, False]
    url = f"http://127.0.0.1:{free_port()}"
    with server(url, said=said, wait=lambda _: left.pop(0)) as to:
        assert to.store([], after="", position="1") is None
    assert left == []
    assert len(said) == 1
    assert "does not answer" in said[0]


def moved(position: str) -> Answer:
    return 409, {"error": {"type": "SourceMoved", "message": "", "position": position}}, {}


def test_rows_that_were_stored_before_the_answer_was_lost_are_not_sent_again() -> None:
    with answering(moved("2")) as (url, _), server(url, said=[], wait=lambda _: True) as to:
        stored = to.store([{}], after="1", position="2")
    assert stored is not None
    assert stored.repeated


def test_another_import_of_the_same_source_is_an_error() -> None:
    with (
        answering(moved("9")) as (url, _),
        server(url, said=[], wait=lambda _: True) as to,
        pytest.raises(InvalidInputError, match="another import reads source 'made'"),
    ):
        to.store([{}], after="1", position="2")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((404, {"error": {"message": "model 'x' is not monitored"}}, {}), "is not monitored"),
        ((413, {"error": {"message": "send it in parts"}}, {}), "in parts with --batch-rows"),
        ((404, {"detail": "Not Found"}, {}), "answered 404; is it a Tocsin server"),
    ],
)
def test_what_the_server_refuses_is_said(answer: Answer, message: str) -> None:
    with (
        answering(answer) as (url, _),
        server(url, said=[], wait=lambda _: True) as to,
        pytest.raises(InvalidInputError, match=message),
    ):
        to.store([{}], after="", position="2")


@pytest.mark.parametrize("url", ["nowhere", "ftp://host", "http://host:port"])
def test_an_address_that_is_none_is_said(url: str) -> None:
    with (
        server(url, said=[], wait=lambda _: True) as to,
        pytest.raises(InvalidInputError, match=r"--url .* is no address"),
    ):
        to.position()
