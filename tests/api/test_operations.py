"""The costs of serving over HTTP, on the command line and on the page."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.servers import serving
from tests.world import monitor_document, reference
from typer.testing import CliRunner

from tocsin.api.server import application
from tocsin.app import App
from tocsin.cli.commands import commands
from tocsin.operations import latency_bin


def summary(sequence: int = 0, **changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "process": "p",
        "sequence": sequence,
        "from": (now - timedelta(seconds=10)).isoformat(),
        "to": now.isoformat(),
        "model_version": "3",
        "counts": {"requests": 12, "rows": 30, "server_errors": 3},
        "latencies": {str(latency_bin(0.02)): 12},
        "rss_bytes": 300 * 2**20,
        **changes,
    }


@pytest.fixture
def client(app: App) -> TestClient:
    app.register.add("late", monitor_document(), reference(300))
    return TestClient(application(app))


def test_summaries_are_added_once_and_read_by_windows(client: TestClient) -> None:
    path = "/api/v1/models/late/operations"
    first = client.post(path, json=[summary(0)]).json()
    again = client.post(path, json=[summary(0), summary(1)]).json()
    points = client.get(path, params={"window": "24h"}).json()

    none = {"late": 0, "refused": 0, "reasons": []}
    assert first == {"added": 1, "repeated": 0, **none}
    assert again == {"added": 1, "repeated": 1, **none}
    assert sum(point["requests"] for point in points) == 24
    p50 = points[-1]["latency_s"]["p50"]
    assert abs(p50["value"] - 0.02) <= p50["error"]
    assert points[-1]["error_rate"]["value"] == 0.25
    assert points[-1]["versions"].keys() == {"3"}


def test_costs_can_be_had_of_one_version_alone(client: TestClient) -> None:
    path = "/api/v1/models/late/operations"
    other = summary(1, model_version="4", counts={"requests": 5, "rows": 5})
    client.post(path, json=[summary(0), {**other, "latencies": {"0": 5}}])
    requests = {
        version: sum(
            point["requests"]
            for point in client.get(path, params={"window": "24h", **asked}).json()
        )
        for version, asked in {
            "all": {},
            "3": {"version": "3"},
            "4": {"version": "4"},
            "5": {"version": "5"},
        }.items()
    }
    assert requests == {"all": 17, "3": 12, "4": 5, "5": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"counts": {"requests": -1}},
        {"latencies": {"fast": 1}},
        {"sequence": -1},
        {"from": "2013-01-01T00:00:00"},
        {"process": ""},
        {"surprise": 1},
        {"rss_bytes": 2**80},
    ],
)
def test_a_summary_that_cannot_be_is_told(client: TestClient, change: dict[str, Any]) -> None:
    answer = client.post("/api/v1/models/late/operations", json=[{**summary(), **change}])
    assert answer.status_code == 422
    assert client.get("/api/v1/models/late/operations").json() == []


def test_a_summary_that_no_clock_can_say_is_left_out_alone(client: TestClient) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    path = "/api/v1/models/late/operations"
    heard = client.post(path, json=[summary(0, to=ahead), summary(1)]).json()
    assert (heard["added"], heard["refused"]) == (1, 1)
    assert "summary 0 is ahead of the server's clock" in heard["reasons"][0]


def test_a_model_that_is_not_monitored_is_told(client: TestClient) -> None:
    assert client.post("/api/v1/models/x/operations", json=[summary()]).status_code == 404
    assert client.get("/api/v1/models/x/operations").status_code == 404


def test_the_page_shows_latencies_and_failures(client: TestClient) -> None:
    before = client.get("/models/late").text
    client.post("/api/v1/models/late/operations", json=[summary()])
    after = client.get("/models/late").text
    alone = client.get("/models/late", params={"fragment": "live_serving"}).text

    assert "Nothing is known of how it is served" in before
    assert 'id="chart-latency"' in after
    assert "12 requests, 3 failed" in after
    assert re.search(r"Half of the requests take up to (19|20|21)\.\d", after)
    assert 'id="chart-requests"' in alone


def test_the_command_shows_them_as_a_table(app: App) -> None:
    app.register.add("late", monitor_document(), reference(300))
    with serving(app) as url:
        run = CliRunner().invoke
        empty = run(commands, ["operations", "late", "--url", url])
        TestClient(application(app)).post("/api/v1/models/late/operations", json=[summary()])
        full = run(commands, ["operations", "late", "--url", url])

    assert "Nothing is known" in empty.output
    assert re.search(r"\* +12 +30 +0 +3 +(19|20|21)[\d. ]+ 0% +300 +3 *\n", full.output), (
        full.output
    )
