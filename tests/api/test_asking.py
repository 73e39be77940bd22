"""MLflow may hang; rows come in all the same."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from itertools import islice

import httpx2
import pytest
from starlette.testclient import TestClient
from tests.servers import serving
from tests.world import monitor_document, prediction, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.settings import Settings

CALLS = 8


@pytest.fixture
def hanging(settings: Settings) -> Iterator[App]:
    """An application whose MLflow takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with opened(replace(settings, tracking_uri=uri)) as app:
            document = monitor_document(model="models:/flights@champion")
            app.register.add("late", document, reference(500))
            yield app


def test_rows_come_in_while_mlflow_hangs_and_many_want_to_move_aliases(hanging: App) -> None:
    with serving(hanging) as url, ThreadPoolExecutor(CALLS) as callers:
        api = f"{url}/api/v1/models/late"

        def move(_: int) -> httpx2.Response:
            wanted = {"to": "2", "reason": "better", "actor": "anna"}
            return httpx2.post(f"{api}/aliases/champion", json=wanted, timeout=90)

        moves = [callers.submit(move, i) for i in range(CALLS)]
        refused = [done.result() for done in islice(as_completed(moves), CALLS - 2)]
        taken = httpx2.post(f"{api}/predictions", json=[prediction("1")], timeout=90)
        still = sum(not done.done() for done in moves)

        assert {answer.status_code for answer in refused} == {503}
        assert "wait for MLflow already" in refused[0].json()["error"]["message"]
        assert int(refused[0].headers["retry-after"]) > 0
        assert taken.status_code == 202
        assert still > 0


def test_watching_a_model_is_refused_too_while_others_wait_for_mlflow(hanging: App) -> None:
    client = TestClient(application(hanging))
    with hanging.asking.place(), hanging.asking.place():
        answer = client.post("/api/v1/models/new/watch", json={"uri": "models:/flights@champion"})
        form = {"alias": "champion", "to": "2", "reason": "better", "actor": "anna"}
        page = client.post("/models/late/aliases", data=form)
    assert answer.status_code == 503
    assert (page.status_code, "wait for MLflow already" in page.text) == (503, True)
