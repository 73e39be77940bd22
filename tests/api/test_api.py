"""The REST API: every answer has one form, every bad input a clear reason."""

import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.api.server import application
from tocsin.app import App


@pytest.fixture
def client(app: App) -> Iterator[TestClient]:
    with TestClient(application(app)) as opened:
        yield opened


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def add(client: TestClient, name: str = "late", **monitor: Any) -> Any:
    return client.put(
        f"/api/v1/models/{name}",
        data={"monitor": json.dumps(monitor_document(**monitor))},
        files={"reference": ("reference.parquet", parquet(reference(500)))},
    )


def post(client: TestClient, kind: str, body: bytes | str) -> Any:
    return client.post(f"/api/v1/models/late/{kind}", content=body)


def test_a_model_can_be_added_and_read_back(client: TestClient) -> None:
    answer = add(client)
    assert answer.status_code == 201, answer.text

    model = client.get("/api/v1/models/late").json()
    assert model["condition"] == "no data"
    assert model["reference_rows"] == 500
    assert [window["window"] for window in model["windows"]] == ["1h", "24h", "7d"]


def test_adding_a_model_twice_is_refused(client: TestClient) -> None:
    add(client)
    answer = add(client)

    assert answer.status_code == 422
    assert "monitored already" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("table", "named"),
    [
        (reference(50).drop_columns(["distance"]), "lacks distance"),
        (reference(50).drop_columns(["p"]), "lacks p"),
        (reference(50).slice(0, 0), "no rows"),
    ],
)
def test_a_reference_that_does_not_fit_is_refused_with_what_it_lacks(
    client: TestClient, table: pa.Table, named: str
) -> None:
    answer = client.put(
        "/api/v1/models/late",
        data={"monitor": json.dumps(monitor_document())},
        files={"reference": ("reference.parquet", parquet(table))},
    )
    assert answer.status_code == 422
    assert named in answer.json()["error"]["message"]


def test_a_reference_that_is_not_parquet_is_refused(client: TestClient) -> None:
    answer = client.put(
        "/api/v1/models/late",
        data={"monitor": json.dumps(monitor_document())},
        files={"reference": ("reference.parquet", b"a,b\n1,2\n")},
    )
    assert answer.status_code == 422
    assert "not Parquet" in answer.json()["error"]["message"]


def test_the_answer_counts_what_was_accepted(client: TestClient) -> None:
    add(client)
    answer = post(client, "predictions", json.dumps([prediction("a"), prediction("b")]))

    assert answer.status_code == 202
    assert answer.json() == {"accepted": 2, "repeated": 0, "quarantined": 0, "reasons": []}


def test_ids_made_by_the_server_are_handed_back(client: TestClient) -> None:
    add(client)
    record = prediction("a")
    del record["prediction_id"]
    answer = post(client, "predictions", json.dumps(record)).json()

    (assigned,) = answer["prediction_ids"]
    assert assigned["row"] == 0
    assert len(assigned["prediction_id"]) == 36


@pytest.mark.parametrize(
    ("body", "position", "named"),
    [
        (b"", 0, "empty"),
        (b"   ", 0, "empty"),
        (b"{", 1, "truncated"),
        (b"[{]", 2, "malformed"),
        (b'[{"prediction_id": "a"}, {"prediction_id": nope}]', 47, "invalid"),
        (b'"text"', 0, "str"),
        (b"12", 0, "int"),
        (b"null", 0, "NoneType"),
        (b'{"a": NaN}', 6, "malformed"),
        (b'{"a": "\xff\xfe"}', None, "UTF-8"),
        (b"PAR1\x00\x01", None, "Parquet"),
    ],
)
@pytest.mark.parametrize("kind", ["predictions", "outcomes"])
def test_a_malformed_body_is_refused_with_the_position(
    client: TestClient, kind: str, body: bytes, position: int | None, named: str
) -> None:
    add(client)
    answer = post(client, kind, body)

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["type"] == "MalformedBody"
    assert named.lower() in error["message"].lower()
    if position is not None:
        assert error["position"] == position


BAD_PREDICTIONS: list[tuple[Any, str]] = [
    ("text", "has to be an object"),
    (None, "has to be an object"),
    ([], "has to be an object"),
    ({}, "inputs has to be an object"),
    ({"inputs": {}}, "outputs is missing"),
    ({"inputs": [1], "outputs": {"p": 0.5}}, "inputs has to be an object"),
    (prediction("a", distance="far"), "inputs.distance: expected a number"),
    (prediction("a", distance=True), "inputs.distance: expected a number"),
    (prediction("a", distance=[1]), "inputs.distance: expected a number"),
    (prediction("a", distance={"v": 1}), "inputs.distance: expected a number"),
    (prediction("a", carrier=["AA"]), "inputs.carrier: expected text"),
    (prediction("a", carrier={"c": 1}), "inputs.carrier: expected text"),
    (prediction("a", p=None), "outputs.p is missing"),
    (prediction("a", p="0.5"), "outputs.p: expected a number"),
    (prediction("a", p=1.5), "not a probability"),
    (prediction("a", p=-0.1), "not a probability"),
    ({**prediction("a"), "outputs": {"q": 0.5}}, "outputs.p is missing"),
    ({**prediction("a"), "timestamp": "yesterday"}, "not ISO 8601"),
    ({**prediction("a"), "timestamp": 1_700_000_000}, "ISO 8601 text"),
    ({**prediction("a"), "timestamp": "2013-05-01T00:00:00"}, "no time zone"),
    ({**prediction("a"), "timestamp": "2999-05-01T00:00:00Z"}, "in the future"),
    ({**prediction("a"), "prediction_id": "x" * 129}, "129 characters"),
    ({**prediction("a"), "prediction_id": ["a"]}, "has to be text"),
    ({**prediction("a"), "prediction_id": ""}, "has to be text"),
    ({**prediction("a"), "model_version": {}}, "model_version has to be text"),
]
BAD_OUTCOMES: list[tuple[Any, str]] = [
    (None, "has to be an object"),
    ({"actual_outcome": 1}, "prediction_id is missing"),
    ({"prediction_id": "a"}, "actual_outcome is missing"),
    ({"prediction_id": "a", "actual_outcome": "maybe"}, "is none of the classes 0, 1"),
    ({"prediction_id": "a", "actual_outcome": 2}, "is none of the classes 0, 1"),
    ({"prediction_id": "a", "actual_outcome": 0.5}, "is none of the classes 0, 1"),
    ({"prediction_id": "a", "actual_outcome": {"late": 1}}, "is none of the classes 0, 1"),
    ({**outcome("a", 1), "timestamp": "soon"}, "not ISO 8601"),
]


@pytest.mark.parametrize(
    ("kind", "record", "reason"),
    [("predictions", *bad) for bad in BAD_PREDICTIONS]
    + [("outcomes", *bad) for bad in BAD_OUTCOMES],
)
def test_a_row_that_does_not_fit_is_quarantined_and_the_rest_accepted(
    client: TestClient, kind: str, record: Any, reason: str
) -> None:
    add(client)
    good = prediction("good") if kind == "predictions" else outcome("good", 1)
    answer = post(client, kind, json.dumps([good, record, good]))

    assert answer.status_code == 202
    counted = answer.json()
    assert (counted["accepted"], counted["quarantined"]) == (2, 1)
    assert counted["reasons"][0]["row"] == 1
    assert reason in counted["reasons"][0]["reason"]


def test_rows_in_quarantine_can_be_read_as_they_came(app: App, client: TestClient) -> None:
    add(client)
    bad = prediction("a", distance="far")
    post(client, "predictions", json.dumps(bad))
    Feed(app, "late").work()

    (kept,) = client.get("/api/v1/models/late/quarantine").json()
    assert kept["row"] == bad
    assert "inputs.distance" in kept["reason"]


def test_inputs_that_the_schema_does_not_know_are_kept_in_the_lake(
    app: App, client: TestClient
) -> None:
    add(client)
    record = prediction("a")
    record["inputs"]["tail"] = "N14228"
    assert post(client, "predictions", json.dumps(record)).json()["accepted"] == 1
    Feed(app, "late").work()

    import duckdb

    files = str(app.settings.data / "lake" / "*" / "predictions" / "*" / "*.parquet")
    found = duckdb.sql(f"SELECT extra FROM read_parquet('{files}')").fetchall()
    assert found == [('{"tail":"N14228"}',)]


@pytest.mark.parametrize(
    ("record", "label"),
    [
        (1, 1),
        (0, 0),
        (True, 1),
        (False, 0),
        ("1", 1),
        ("0", 0),
        ("true", 1),
        ("False", 0),
        (1.0, 1),
    ],
)
def test_labels_are_understood_however_they_are_written(
    app: App, client: TestClient, record: Any, label: int
) -> None:
    add(client)
    post(client, "predictions", json.dumps(prediction("a")))
    post(client, "outcomes", json.dumps(outcome("a", record)))
    feed = Feed(app, "late")
    feed.work()

    assert (feed.total("labelled"), feed.total("label")) == (1, label)


@pytest.mark.parametrize("name", ["prediction_id", "request_id", "inferenceId"])
def test_an_id_is_found_under_the_names_that_others_use(
    app: App, client: TestClient, name: str
) -> None:
    add(client)
    record = prediction("a")
    record[name] = record.pop("prediction_id")
    post(client, "predictions", json.dumps(record))
    post(client, "outcomes", json.dumps(outcome("a", 1)))
    feed = Feed(app, "late")
    feed.work()

    assert feed.total("labelled") == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/models/nobody"),
        ("GET", "/api/v1/models/nobody/summary"),
        ("GET", "/api/v1/models/nobody/metrics/roc_auc"),
        ("GET", "/api/v1/models/nobody/drift"),
        ("GET", "/api/v1/models/nobody/quarantine"),
        ("GET", "/api/v1/incidents?model=nobody"),
        ("POST", "/api/v1/models/nobody/predictions"),
        ("POST", "/api/v1/models/nobody/outcomes"),
    ],
)
def test_an_unknown_model_is_told_how_to_be_added(
    client: TestClient, method: str, path: str
) -> None:
    answer = client.request(method, path, content=b"[]")

    assert answer.status_code == 404
    message = answer.json()["error"]["message"]
    assert "nobody" in message
    assert "tocsin watch models:/nobody@champion" in message


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/models/late/metrics/nonsense",
        "/api/v1/models/late/metrics/roc_auc?window=soon",
        "/api/v1/models/late/metrics/roc_auc?window=5m",
        "/api/v1/models/late/metrics/roc_auc?span=0h",
        "/api/v1/models/late/drift?span=x",
        "/api/v1/models/late/quarantine?limit=0",
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(client: TestClient, path: str) -> None:
    add(client)
    answer = client.get(path)

    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["message"]


def test_an_unknown_incident_is_not_found(client: TestClient) -> None:
    assert client.get("/api/v1/incidents/7").status_code == 404


def test_metrics_carry_bounds_intervals_reference_and_coverage(
    app: App, client: TestClient
) -> None:
    add(client)
    feed = Feed(app, "late")
    feed.hours(0, 4)
    feed.work()

    series = client.get("/api/v1/models/late/metrics/roc_auc?window=1h").json()
    point = series["points"][0]
    assert point["low"] < point["value"] < point["high"]
    assert point["error"] < 0.05
    assert point["coverage"] == 1.0
    assert series["reference"]["n"] == 500


def test_the_monitor_can_be_changed_but_not_its_schema(client: TestClient) -> None:
    add(client)
    rule = {"alert": "A", "expr": {"metric": "f1_score", "window": "1h", "op": "<", "value": 0.5}}
    changed = client.patch("/api/v1/models/late", json=monitor_document(rules=[rule]))
    assert [r["name"] for r in changed.json()["rules"]] == ["A"]

    other = monitor_document()
    other["schema"]["score"] = "q"
    refused = client.patch("/api/v1/models/late", json=other)
    assert refused.status_code == 422
    assert "cannot be changed" in refused.json()["error"]["message"]


def test_a_receiver_is_checked_before_it_is_kept(client: TestClient) -> None:
    good = client.put("/api/v1/receivers/ops", json={"webhook": {"url": "http://127.0.0.1:9/x"}})
    assert good.status_code == 201

    for bad in ({}, {"webhook": {}}, {"webhook": {"url": "ftp://x"}}, {"pager": {}}):
        answer = client.put("/api/v1/receivers/ops", json=bad)
        assert answer.status_code == 422
        assert "ops" in answer.json()["error"]["message"]


def test_receivers_are_listed_without_their_secrets_and_can_be_tried(client: TestClient) -> None:
    slack = {"slack": {"webhook_url_env": "NOBODY_SETS_THIS"}}
    assert client.put("/api/v1/receivers/chat", json=slack).status_code == 201
    listed = {each["name"]: each for each in client.get("/api/v1/receivers").json()}
    about = {
        "name": "chat",
        "kind": "slack",
        "options": {"webhook_url_env": "NOBODY_SETS_THIS"},
        "disabled": None,
        "disabled_since": None,
    }
    assert listed["chat"] == {**about, "fallback": None, "channels": [about]}
    tried = client.post("/api/v1/receivers/chat/test").json()
    assert (tried["taken"], tried["error"]) == (
        False,
        "the variable NOBODY_SETS_THIS holds no secret",
    )
    assert client.post("/api/v1/receivers/log/test").json()["taken"]
    missing = client.post("/api/v1/receivers/nobody/test")
    assert missing.status_code == 422
    assert "there are chat, log" in missing.json()["error"]["message"]


def test_a_registry_that_does_not_answer_is_said_in_one_sentence(settings: Any) -> None:
    from dataclasses import replace

    from tocsin.app import opened

    away = replace(settings, tracking_uri="http://127.0.0.1:9")
    with opened(away) as app, TestClient(application(app)) as client:
        answer = client.post("/api/v1/models/x/watch", json={"uri": "models:/x@champion"})

    assert answer.status_code == 502
    message = answer.json()["error"]["message"]
    assert "127.0.0.1:9" in message
    assert "\n" not in message


def test_events_tell_what_changed_and_resume_where_a_page_left_off(
    app: App, client: TestClient
) -> None:
    add(client)
    feed = Feed(app, "late")
    feed.hours(0, 3)
    feed.work()

    with client.stream("GET", "/api/v1/events", headers={"last-event-id": "0"}) as stream:
        lines: list[str] = []
        for line in stream.iter_lines():
            lines.append(line)
            if line == "data: model/late":
                break
        app.worker.stop()
    assert "event: ready" in lines
    assert "event: change" in lines


def test_the_openapi_document_names_every_route(client: TestClient) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert "/api/v1/models/{model}/predictions" in paths
    assert "/api/v1/incidents/{number}" in paths


def test_timestamps_with_offsets_are_one_instant(app: App, client: TestClient) -> None:
    add(client)
    record = {**prediction("a"), "timestamp": "2013-05-01T02:00:00+02:00"}
    post(client, "predictions", json.dumps(record))
    feed = Feed(app, "late")
    feed.work()

    assert [key.bucket for key in feed.profiles()] == [int(START.timestamp() * 1e6)]
    assert HOUR.total_seconds() == 3600


def test_the_status_tells_what_keeps_failing_and_of_which_model(
    app: App, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(client)
    assert client.get("/api/v1/status").json()["trouble"] == []

    def failing(*_: Any, **__: Any) -> int:
        raise OSError("the disk is gone")

    monkeypatch.setattr(type(app.fold), "fold", failing)
    post(client, "predictions", json.dumps(prediction("a")))
    deadline = time.monotonic() + 30
    while not (trouble := client.get("/api/v1/status").json()["trouble"]):
        assert time.monotonic() < deadline
    (failing_one,) = trouble
    assert failing_one["failures"] >= 1
    assert failing_one["again_s"] <= 30
    said = {"work": "fold", "model": "late", "error": "OSError: the disk is gone"}
    assert {**failing_one, **said} == failing_one
    ready = client.get("/ready")
    assert (ready.status_code, ready.json()["trouble"][0]["model"]) == (200, "late")

    monkeypatch.undo()
    while client.get("/api/v1/status").json()["trouble"]:
        assert time.monotonic() < deadline
    assert Feed(app, "late").total("n") == 1


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/models/late/metrics/a/b", "has no GET /api/v1/models/late/metrics/a/b"),
        ("POST", "/models//watch", "no name is empty"),
        ("GET", "/models/late/metrics/roc_auc?as_of=xx", "`as_of`: Input should be"),
    ],
)
def test_what_is_asked_for_wrongly_is_told_by_its_own_name(
    client: TestClient, method: str, path: str, said: str
) -> None:
    add(client)
    answer = client.request(method, f"/api/v1{path}")
    assert answer.status_code in (404, 405, 422)
    assert said in answer.json()["error"]["message"]
