"""A stand-in for the server: scripted answers, in memory or behind a real loopback socket."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx2
import pytest

from tocsin.client import Client

DROPPED, SLOW = 0, 1


def accepted(request: httpx2.Request) -> httpx2.Response:
    rows = len(json.loads(request.read()))
    return httpx2.Response(202, json={"accepted": rows, "quarantined": 0, "reasons": []})


class Script(httpx2.BaseTransport):
    """Gives the scripted answers in turn (a response, an error, or what a function makes of the
    request), then accepts everything; remembers what it was sent."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        answer = self._answers.pop(0) if self._answers else accepted
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    @property
    def bodies(self) -> list[list[dict[str, Any]]]:
        return [json.loads(request.content) for request in self.requests]

    @property
    def ids(self) -> list[list[str]]:
        return [[row["prediction_id"] for row in body] for body in self.bodies]

    @property
    def kinds(self) -> list[str]:
        return [request.url.path.rsplit("/", 1)[1] for request in self.requests]


class Gate(httpx2.BaseTransport):
    """A server that answers nothing until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def handle_request(self, _: httpx2.Request) -> httpx2.Response:
        self.reached.set()
        assert self.opened.wait(10)
        return httpx2.Response(202, json={"accepted": 1, "quarantined": 0, "reasons": []})


@dataclass
class Loopback:
    """A real HTTP server that can be stopped, like a crash, and started again on its port.

    answers: status, content and headers of the next ones; or the status DROPPED, for a connection
    that ends instead, or SLOW. faults: ids of rows that it fails at, at once.
    """

    answers: list[tuple[int, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    received: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: set[str] = field(default_factory=set)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def agents(self) -> set[str]:
        return {headers["User-Agent"] for headers in self.headers}

    @property
    def ids(self) -> list[list[str]]:
        return [[row["prediction_id"] for row in rows] for _, rows in self.received]

    @property
    def arrived(self) -> list[str]:
        """The ids in the order in which they came."""
        return [one for batch in self.ids for one in batch]

    def start(self) -> None:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else the end of an answer waits 40 ms for the client to acknowledge its beginning.
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                loopback.headers.append(dict(self.headers))
                packed = self.headers["Content-Encoding"] == "gzip"
                rows = json.loads(gzip.decompress(body) if packed else body)
                loopback.received.append((self.path, rows))
                fine = (202, {"accepted": len(rows), "quarantined": 0, "reasons": []}, {})
                status, content, headers = loopback.answers.pop(0) if loopback.answers else fine
                if any(row["prediction_id"] in loopback.faults for row in rows):
                    status, content, headers = 500, {}, {"Retry-After": "0"}
                if status == DROPPED:  # the rows were read, but nobody will know
                    self.close_connection = True
                    return
                if status == SLOW:
                    threading.Event().wait(0.02)
                    status, content, headers = fine
                text = json.dumps(content).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = False
            connections: ClassVar[list[socket.socket]]

            def process_request(self, request: Any, client_address: Any) -> None:
                self.connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, *_: object) -> None:
                pass

        Server.connections = []
        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        for connection in self._server.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed already
                continue
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def script() -> type[Script]:
    return Script


@pytest.fixture
def gate() -> Iterator[Gate]:
    closed = Gate()
    yield closed
    closed.opened.set()


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    server = Loopback()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Makes clients of the model `late`, and closes them after the test."""
    clients: list[Client] = []

    def make(url: str = "http://tocsin.test", **options: Any) -> Client:
        client = Client(url, model="late", model_version="3", **options)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close(timeout_s=1.0)
