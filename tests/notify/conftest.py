"""A real HTTP server on loopback that stands for a chat, and what it was told."""

import http.server
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from tocsin.notify import Message, Outside

LOOPBACK = (ip_network("127.0.0.0/8"),)
PAYLOAD = {
    "version": 1,
    "event": "fired",
    "model": "flight-delay",
    "incident": 7,
    "title": "AucLow fired: roc_auc 0.61 (< 0.7: breach, n = 960)",
    "incident_title": "ROC AUC is below 0.7 over 24h",
    "episode": "01a2",
    "alert": "AucLow",
    "instance": "",
    "severity": "critical",
    "category": "performance",
    "text": "roc_auc 0.61 <b> & more",
    "window_end": "2013-07-15T10:00:00Z",
    "labels": {"team": "risk"},
    "facts": {
        "metric": "roc_auc",
        "title": "ROC AUC",
        "value": 0.61,
        "low": 0.58,
        "high": 0.64,
        "n": 960,
        "window": "24h",
        "since": "2013-07-14T10:00:00Z",
        "version": "3",
    },
    "summary": "",
    "runbook_url": "https://example.com/runbook",
    "causes": [{"sentence": "`distance` has moved"}],
    "url": "http://tocsin.test/incidents/7",
}


@dataclass
class Chat:
    """answers: (status, headers, body) of the next requests; 202 afterwards."""

    url: str
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    told: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    # What the provider answers to what it is told: path, headers and document; None for 202.
    provider: Callable[[str, Mapping[str, str], Any], tuple[int, dict[str, str], bytes]] | None = (
        None
    )

    def outside(self, **secrets: str) -> Outside:
        return Outside(LOOPBACK, secrets={"CHAT": self.url, **secrets}.get)


@pytest.fixture
def chat() -> Iterator[Chat]:
    made = Chat("")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.bodies.append(body)
            made.told.append(json.loads(body))
            made.hosts.append(self.headers["host"])
            made.paths.append(self.path)
            if made.answers:
                status, headers, answer = made.answers.pop(0)
            elif made.provider is not None:
                status, headers, answer = made.provider(
                    self.path, dict(self.headers), made.told[-1]
                )
            else:
                status, headers, answer = 202, {}, b"ok"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}/hook/secret-part"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def message(target: str = "", **changes: Any) -> Message:
    told = {**PAYLOAD, **changes}
    return Message(f"01a2.{told['event']}", told, 1_000_000, target)
