"""The password of the MLflow server is told to nobody."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from starlette.testclient import TestClient
from tests.world import monitor_document, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.settings import Settings

WAIT_S = 30.0
PASSWORD = "s3cret"
MODEL = {"name": "flights", "aliases": [{"alias": "champion", "version": "1"}]}
VERSIONS = [
    {"name": "flights", "version": v, "status": "READY", "creation_timestamp": 1} for v in "12"
]


class Failing(BaseHTTPRequestHandler):
    """MLflow that answers the first question about a model and its versions, then hangs up."""

    asked = 0

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        type(self).asked += 1
        if type(self).asked > 2:
            return
        body = json.dumps({"registered_model": MODEL, "model_versions": VERSIONS}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def failing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr(Failing, "asked", 0)
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        Thread(target=server.serve_forever).start()
        uri = f"http://anna:{PASSWORD}@127.0.0.1:{server.server_port}"
        with opened(replace(settings, tracking_uri=uri)) as app:
            document = monitor_document(model="models:/flights@champion")
            app.register.add("late", document, reference(500))
            yield app
        server.shutdown()


def test_the_password_of_mlflow_is_in_no_log_answer_or_audit(
    failing: App, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "tocsin")
    wanted = {"to": "2", "reason": "better", "actor": "anna"}
    # Not entered, so that the answers are for the move.
    client = TestClient(application(failing))
    answer = client.post("/api/v1/models/late/aliases/champion", json=wanted)
    failing.watcher.start()
    deadline = time.monotonic() + WAIT_S
    while not failing.watcher.trouble and time.monotonic() < deadline:
        time.sleep(0.02)
    failing.watcher.stop()
    status = client.get("/api/v1/status")
    assert answer.status_code == 502
    told = {
        "answer": answer.text,
        "status": status.text,
        "log": caplog.text,
        "audit": str(failing.audit.listed(event="alias")),
    }
    assert {where for where, text in told.items() if "did not give" not in text} == set()
    assert {where for where, text in told.items() if PASSWORD in text} == set()
