"""Importance over HTTP: stored once, of the reference of now, and shown; rows to find it with."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient
from tests.world import Feed, monitor_document, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.explain import Method
from tocsin.settings import Settings

PATH = "/api/v1/models/late/importance"


@pytest.fixture
def app(settings: Settings) -> Iterator[App]:
    with opened(settings) as running:
        running.register.add("late", monitor_document(), reference())
        yield running


@pytest.fixture
def client(app: App) -> TestClient:
    return TestClient(application(app))


def plan_of(client: TestClient) -> str:
    return str(client.get("/api/v1/models/late/reference?rows=1").headers["tocsin-plan"])


def found(client: TestClient, **changes: Any) -> dict[str, Any]:
    features = [
        {"feature": "carrier", "value": 0.01, "error": 0.001},
        {"feature": "distance", "value": 0.04, "error": 0.002},
    ]
    return {
        "version": "3",
        "plan": plan_of(client),
        "method": "permutation",
        "measured": "loss",
        "rows": 500,
        "repeats": 5,
        "features": features,
        **changes,
    }


def test_what_was_found_is_given_back_in_order(client: TestClient) -> None:
    assert client.put(PATH, json=found(client)).status_code == 201
    document = client.get(PATH, params={"version": "3"}).json()
    assert [(f["feature"], f["reliance"]) for f in document["features"]] == [
        ("distance", 1.0),
        ("carrier", 0.25),
    ]
    assert document["version"] == "3"
    assert document["described"].startswith("mean rise of the loss when a feature is shuffled")


def test_nothing_is_known_before_and_the_answer_says_how_to_find_it(client: TestClient) -> None:
    answer = client.get(PATH)
    assert answer.status_code == 404
    assert "tocsin importance late --compute" in answer.json()["error"]["message"]
    assert client.put(PATH, json=found(client)).status_code == 201
    assert client.get(PATH, params={"version": "4"}).status_code == 404
    assert client.get(PATH, params={"method": "shap"}).status_code == 404


def test_a_second_one_takes_the_place_of_the_first(client: TestClient) -> None:
    for rows in (500, 400):
        client.put(PATH, json=found(client, rows=rows))
    assert client.get(PATH).json()["rows"] == 400


def test_without_a_method_permutation_comes_first(app: App, client: TestClient) -> None:
    client.put(PATH, json=found(client))
    client.put(PATH, json=found(client, method="shap", measured="output"))
    assert client.get(PATH).json()["method"] == "permutation"
    assert app.importances.find("late", method=Method.SHAP).importance.method is Method.SHAP


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"plan": "another"}, "changed since"),
        ({"features": [{"feature": "distance", "value": 1, "error": 0}]}, "lacks 'carrier'"),
        ({"features": [{"feature": "speed", "value": 1, "error": 0}]}, "has 'speed'"),
        ({"features": [{"feature": "carrier", "value": 1, "error": -1}]}, "error"),
        ({"method": "guess"}, "method"),
        ({"version": ""}, "version"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(client, changes, words) -> None:
    answer = client.put(PATH, json=found(client, **changes))
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]
    assert client.get(PATH).status_code == 404


def test_another_reference_makes_it_unknown(app: App, client: TestClient) -> None:
    client.put(PATH, json=found(client))
    app.register.replace_reference("late", reference(700))
    assert client.get(PATH).status_code == 404


def test_rows_of_the_reference_are_the_same_for_the_same_seed(client: TestClient) -> None:
    def rows(**asked: int) -> Any:
        answer = client.get("/api/v1/models/late/reference", params=asked)
        return pq.read_table(io.BytesIO(answer.content))

    assert rows(rows=100).equals(rows(rows=100, seed=0))
    assert rows(rows=100).num_rows == 100
    assert not rows(rows=100).equals(rows(rows=100, seed=1))
    assert rows(rows=10_000).equals(reference())


def test_hashed_fields_leave_as_hashes(app: App, client: TestClient) -> None:
    document = monitor_document(privacy={"hash": ["carrier"]})
    app.register.add("private", document, reference(500))
    answer = client.get("/api/v1/models/private/reference")
    carriers = set(pq.read_table(io.BytesIO(answer.content))["carrier"].to_pylist())
    assert carriers.isdisjoint({"AA", "B6", "UA"})


def test_it_goes_with_its_model(app: App, client: TestClient) -> None:
    client.put(PATH, json=found(client))
    app.delete.delete("late")
    app.register.add("late", monitor_document(), reference(500))
    assert client.get(PATH).status_code == 404


@pytest.mark.parametrize("version", ["unknown", "4"])
def test_causes_tell_what_the_version_that_predicts_relies_on(
    app: App, client: TestClient, version: str
) -> None:
    client.put(PATH, json=found(client, version=version))
    feed = Feed(app, "late")
    feed.hours(0, 24 * 9 - 3)
    # Not beyond the range of the reference, which would be another cause.
    feed.hours(24 * 9 - 3, 24 * 9 + 1, distance_factor=1.3)
    feed.work()
    causes = [c for i in client.get("/api/v1/incidents").json() for c in i["causes"]]
    moved = [c["sentence"] for c in causes if c["kind"] == "covariate"]
    assert moved
    for sentence in moved:
        assert ("number 1 in importance" in sentence) == (version == "unknown")


def test_the_page_of_a_model_shows_bars(client: TestClient) -> None:
    client.put(PATH, json=found(client))
    page = client.get("/models/late").text
    assert "Importance of features" in page
    assert "0.0400" in page
    assert '<rect width="25.0"' in page
    assert "not the one that predicts now" in page


def on_rows(client: TestClient, **changes: Any) -> dict[str, Any]:
    document = found(client, **changes)
    return {name: value for name, value in document.items() if name not in ("version", "plan")}


def compared(client: TestClient, **changes: Any) -> dict[str, Any]:
    features = [
        {"feature": "carrier", "value": 0.04, "error": 0.001},
        {"feature": "distance", "value": 0.01, "error": 0.002},
    ]
    return {
        "version": "3",
        "plan": plan_of(client),
        "then": on_rows(client),
        "now": on_rows(client, features=features),
        "start": 0,
        "end": 1_000_000,
        **changes,
    }


def test_a_comparison_is_kept_until_the_importance_is_found_anew(client: TestClient) -> None:
    path = f"{PATH}/recent"
    refused = client.put(path, json=compared(client))
    assert refused.status_code == 422
    assert "no importance of version 3 is known" in refused.json()["error"]["message"]
    client.put(PATH, json=found(client))
    assert client.put(path, json=compared(client)).status_code == 201
    recent = client.get(PATH, params={"version": "3"}).json()["recent"]
    assert [(f["feature"], f["rank"], f["rank_now"]) for f in recent["features"]] == [
        ("distance", 1, 2),
        ("carrier", 2, 1),
    ]
    assert recent["changed"]
    client.put(PATH, json=found(client))
    assert client.get(PATH, params={"version": "3"}).json()["recent"] is None


def test_what_was_measured_otherwise_is_not_compared(client: TestClient) -> None:
    client.put(PATH, json=found(client))
    path, other = f"{PATH}/recent", on_rows(client, measured="output")
    refused = client.put(path, json=compared(client, now=other))
    assert refused.status_code == 422
    assert "found by one method and measure" in refused.json()["error"]["message"]
    odd = on_rows(client, features=[{"feature": "distance", "value": 1.0, "error": 0.1}])
    lacking = client.put(path, json=compared(client, now=odd))
    assert "lacks 'carrier'" in lacking.json()["error"]["message"]
    assert client.put(path, json=compared(client, plan="other")).status_code == 422


def test_recent_rows_come_with_the_labels_that_are_known(app: App, client: TestClient) -> None:
    path = "/api/v1/models/late/recent"
    assert client.get(path).status_code == 422
    feed = Feed(app, "late")
    feed.hours(0, 30, rows=20, labelled=False)
    feed.hours(30, 32, rows=20)
    feed.work()
    answer = client.get(path, params={"span": "3h"})
    table = pq.read_table(io.BytesIO(answer.content))
    start, end = (int(answer.headers[f"tocsin-{name}"]) for name in ("start", "end"))
    assert end - start == 3 * 3_600_000_000
    assert table.column_names == ["distance", "carrier", "late"]
    # The newest is 3 minutes before the end of its hour: 17 to 20 rows have no label.
    assert table["late"].null_count in range(17, 22)
    assert table.num_rows - table["late"].null_count == 40
    some = client.get(path, params={"span": "3h", "rows": "10", "seed": "1"})
    assert pq.read_table(io.BytesIO(some.content)).num_rows == 10
