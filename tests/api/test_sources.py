"""Rows of a named source: stored and its position moved at once, or neither."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.world import monitor_document, prediction, reference

from tocsin.api.server import application
from tocsin.app import App


@pytest.fixture
def client(app: App) -> Iterator[TestClient]:
    app.register.add("late", monitor_document(), reference(500))
    app.register.add("other", monitor_document(), reference(500))
    with TestClient(application(app)) as opened:
        yield opened


def post(client: TestClient, *ids: str, kind: str = "predictions", **step: str) -> Any:
    rows = json.dumps([prediction(name) for name in ids])
    return client.post(f"/api/v1/models/late/{kind}", content=rows, headers=headers(**step))


def headers(**step: str) -> dict[str, str]:
    return {f"Tocsin-{name}": value for name, value in step.items()}


def positions(client: TestClient, model: str = "late") -> dict[str, str]:
    found = client.get(f"/api/v1/models/{model}/sources").json()
    return {source["source"]: source["position"] for source in found}


def accepted(client: TestClient) -> int:
    return int(client.get("/api/v1/models/late/summary").json().get("predictions", 0))


def test_the_position_moves_with_the_rows(client: TestClient) -> None:
    assert post(client, "a", source="s", after="", position="1").status_code == 202
    assert post(client, "b", source="s", after="1", position="2").status_code == 202

    assert positions(client) == {"s": "2"}
    assert positions(client, "other") == {}
    assert accepted(client) == 2


def test_a_step_in_the_address_is_refused_with_the_headers_that_it_goes_in(
    client: TestClient,
) -> None:
    rows = json.dumps([prediction("a")])
    path = "/api/v1/models/late/predictions?source=s&after=&position=1"
    answer = client.post(path, content=rows)
    assert answer.status_code == 422
    assert "Tocsin-Source, Tocsin-After and Tocsin-Position" in answer.json()["error"]["message"]
    assert accepted(client) == 0


@pytest.mark.parametrize("after", ["", "0", "2"])
def test_rows_that_begin_elsewhere_are_refused_with_the_position(
    client: TestClient, after: str
) -> None:
    post(client, "a", source="s", after="", position="1")

    answer = post(client, "b", source="s", after=after, position="3")

    assert answer.status_code == 409
    assert answer.json()["error"]["type"] == "SourceMoved"
    assert answer.json()["error"]["position"] == "1"
    assert (accepted(client), positions(client)) == (1, {"s": "1"})


def test_a_source_that_was_never_read_begins_at_nothing(client: TestClient) -> None:
    answer = post(client, "a", source="s", after="1", position="2")
    assert (answer.status_code, answer.json()["error"]["position"]) == (409, "")


def test_a_body_that_cannot_be_read_leaves_the_position(client: TestClient) -> None:
    step = {"source": "s", "after": "", "position": "1"}
    answer = client.post("/api/v1/models/late/predictions", content="[{", headers=headers(**step))
    assert (answer.status_code, positions(client)) == (400, {})


def test_rows_in_quarantine_and_no_rows_move_the_position_too(client: TestClient) -> None:
    step = {"source": "s", "after": "", "position": "1"}
    answer = client.post(
        "/api/v1/models/late/predictions", content='["x"]', headers=headers(**step)
    )
    assert (answer.status_code, answer.json()["quarantined"]) == (202, 1)
    assert post(client, source="s", after="1", position="2").status_code == 202
    assert positions(client) == {"s": "2"}


@pytest.mark.parametrize(
    "step", [{"source": "s"}, {"position": "1"}, {"after": "1"}, {"source": "s", "after": "1"}]
)
def test_half_a_step_is_refused(client: TestClient, step: dict[str, str]) -> None:
    answer = post(client, "a", **step)
    assert answer.status_code == 422
    assert "Tocsin-Source: NAME" in answer.json()["error"]["message"]
    assert accepted(client) == 0


def test_a_position_may_be_any_text_and_is_in_no_address(client: TestClient) -> None:
    step = headers(source="%C3%BC", after="", position="%22%e2%82%ac%25%22")
    assert client.post("/api/v1/models/late/predictions", content="[]", headers=step).is_success
    assert positions(client) == {"ü": '"€%"'}
    bad = client.post(
        "/api/v1/models/late/predictions",
        content="[]",
        headers=headers(source="s", after="", position="%ff"),
    )
    assert (bad.status_code, "UTF-8" in bad.json()["error"]["message"]) == (422, True)


def test_of_many_that_move_a_source_at_once_one_does(client: TestClient) -> None:
    statuses: list[int] = []

    def move(name: str) -> None:
        statuses.append(post(client, name, source="s", after="", position=name).status_code)

    threads = [threading.Thread(target=move, args=(f"p{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [202] + [409] * 7
    assert accepted(client) == 1


def test_the_sources_of_an_unknown_model_are_not_found(client: TestClient) -> None:
    assert client.get("/api/v1/models/nobody/sources").status_code == 404
