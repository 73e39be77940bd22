"""The quality of data by API: every number with rows, interval, expectation and sentence."""

import io
from typing import Any

import pytest
from rich.console import Console
from starlette.testclient import TestClient
from tests.world import HOUR, START, Feed, monitor_document, prediction, reference

from tocsin.api.server import application
from tocsin.app import App
from tocsin.cli.quality_tables import expectations_table, quality_table


@pytest.fixture
def client(app: App) -> TestClient:
    app.register.add("late", monitor_document(windows=["1h"]), reference())
    app.register.add("silent", monitor_document(windows=["1h"]), reference())
    feed = Feed(app, "late")
    feed.hours(0, 4)
    feed.predictions(
        *(
            prediction(
                f"p{i}",
                timestamp=START + HOUR * (4 + i / 60),
                distance=None if i % 3 == 0 else 900.0 + i,
                carrier=("AA", "B6", "UA")[i % 3],
            )
            for i in range(62)
        )
    )
    feed.work()
    return TestClient(application(app))


def quality(client: TestClient, model: str = "late", **asked: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/models/{model}/quality", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_every_check_says_all_about_itself(client: TestClient) -> None:
    newest = quality(client)["newest"]
    assert set(newest["features"]) == {"distance", "carrier"}
    for checks in (*newest["features"].values(), newest["all_rows"]):
        for check in checks.values():
            assert {"value", "n", "low", "high"} <= check.keys() or check["reason"]
            assert check["expectation"]["source"] == "learned from the reference"
            assert check["sentence"].endswith(".")
            assert check["method"]
    nulls = newest["features"]["distance"]["null_rate"]
    assert (nulls["value"], nulls["n"], nulls["verdict"]) == (20 / 60, 60, "violated")
    assert nulls["low"] < 1 / 3 < nulls["high"]
    assert nulls["sentence"] == (
        "`distance` has no value in 33.3 % of 60 rows; the reference has none."
    )
    unseen = newest["features"]["carrier"]["unseen_rate"]
    assert unseen["sentence"] == (
        "0.0 % of 60 rows, as expected: at most 1.0 %; the reference has none."
    )


def test_the_windows_of_a_span_have_their_rates_and_findings(client: TestClient) -> None:
    found = quality(client, span="1d", window="1h")
    assert [point["rows"] for point in found["points"]] == [80, 80, 80, 80, 60]
    assert [len(point["findings"]) for point in found["points"]] == [0, 0, 0, 0, 1]
    assert found["points"][-1]["features"]["distance"]["null_rate"] == pytest.approx(1 / 3)
    assert len(quality(client, points="2")["points"]) == 2


def test_a_model_without_a_window_says_so(client: TestClient) -> None:
    found = quality(client, "silent")
    assert (found["newest"], found["points"]) == (None, [])
    assert found["freshness"]["sentence"] == "No prediction has come yet."


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/models/nobody/quality", 404),
        ("/models/nobody/expectations", 404),
        ("/models/late/quality?window=2h", 422),
        ("/models/late/quality?span=0d", 422),
    ],
)
def test_what_there_is_not_is_an_error(client: TestClient, address: str, status: int) -> None:
    assert client.get(f"/api/v1{address}").status_code == status


def test_expectations_say_where_they_come_from_and_can_be_put_back(client: TestClient) -> None:
    found = client.get("/api/v1/models/late/expectations").json()
    distance = found["features"]["distance"]
    assert distance["null_rate"]["sentence"] == "At most 1.0 %; the reference has none."
    assert distance["values"]["source"] == "learned from the reference"
    low, high = distance["values"]["range"]
    assert low < 1000 < high
    document = monitor_document(windows=["1h"], quality=found["quality"])
    assert client.patch("/api/v1/models/late", json=document).status_code == 200
    again = client.get("/api/v1/models/late/expectations").json()
    assert again["features"]["distance"]["null_rate"]["source"] == "declared"
    assert again["quality"] == found["quality"]


def test_the_tables_of_the_terminal_show_the_findings_first(client: TestClient) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(quality_table("late", quality(client)))
    console.print(expectations_table(client.get("/api/v1/models/late/expectations").json()))
    said = console.export_text()
    assert said.index("violated  `distance` has no value") < said.index("Feature")
    assert "33.3 % !" in said
    assert "AA, B6, UA; learned from the reference." in said
