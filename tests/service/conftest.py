"""A real receiver of webhooks, and a clock that tests set."""

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from tocsin.values import SECOND

LOOPBACK = (ip_network("127.0.0.0/8"),)
PAYLOAD = {"event": "fired", "causes": [], "model": "m", "title": "t", "text": "x", "url": "u"}


@dataclass
class Hook:
    """A real HTTP server that answers with the given statuses, then 200."""

    url: str
    statuses: list[int]
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    # How often it was asked for by GET.
    asked: int = 0
    # While it is clear, answers are held back.
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.requests]


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook("", [])
    made.may_answer.set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert made.may_answer.wait(30)
            made.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(made.statuses.pop(0) if made.statuses else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            made.asked += 1
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    made.may_answer.set()
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass
class Clock:
    now: int = 1_000 * SECOND

    def __call__(self) -> int:
        return self.now
