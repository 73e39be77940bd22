"""Routing and silences by the API, by commands, and in the audit."""

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import Result
from starlette.testclient import TestClient
from tests.servers import serving
from tests.service.alerts import Alarm, Clock
from tests.world import monitor_document, reference
from typer.testing import CliRunner

from tocsin.api.server import application
from tocsin.app import App
from tocsin.cli.commands import commands
from tocsin.service.clock import wall_clock

ROUTE = {
    "receiver": "log",
    "routes": [{"matchers": ['severity="critical"'], "receiver": "oncall", "group_wait": "0s"}],
}
SILENCE = {"matchers": ["model=flights"], "duration": "2h", "comment": "we deploy"}


@pytest.fixture
def alarm(app: App) -> Alarm:
    app.register.add("flights", monitor_document(rules=[]), reference(300))
    made = Alarm(app, Clock(wall_clock()))
    made.receiver("oncall")
    return made


@pytest.fixture
def client(app: App, alarm: Alarm) -> TestClient:
    assert alarm.app is app
    # Not entered, so that the worker's threads stay away.
    return TestClient(application(app), headers={"x-tocsin-actor": "ann"})


def test_what_holds_is_told_whether_or_not_somebody_wrote_it(client: TestClient) -> None:
    holds = client.get("/api/v1/routing").json()
    assert holds["written"] is None
    assert [route["receiver"] for route in holds["holds"]["route"]["routes"]] == ["log", "oncall"]
    assert holds["holds"]["inhibit_rules"][0]["source_matchers"] == ['category="data_quality"']

    written = client.put("/api/v1/routing?reason=nights", json={"route": ROUTE}).json()
    assert written["written"] == {"route": ROUTE}
    assert written["holds"]["route"]["routes"][0]["group_interval"] == "5m"
    (record,) = client.get("/api/v1/audit", params={"event": "routing"}).json()
    assert (record["actor"], record["reason"], record["evidence"]) == (
        "ann", "nights", {"route": ROUTE},
    )  # fmt: skip


def test_a_faulty_routing_is_refused_and_the_old_one_stays(client: TestClient) -> None:
    client.put("/api/v1/routing", json={"route": ROUTE})
    answer = client.put("/api/v1/routing", json={"route": {"receiver": "nobody"}})
    assert answer.status_code == 422
    assert "no receiver 'nobody'; there are log, oncall" in answer.json()["error"]["message"]
    assert client.get("/api/v1/routing").json()["written"] == {"route": ROUTE}


def test_who_would_be_told_is_told_with_the_branch_and_what_holds_it_back(
    client: TestClient,
) -> None:
    client.put("/api/v1/routing", json={"route": ROUTE})
    client.post("/api/v1/silences", json=SILENCE)

    def told(**labels: str) -> Any:
        return client.post("/api/v1/routing/test", json={"labels": labels}).json()

    (critical,) = told(severity="critical", model="fraud")
    assert (critical["receiver"], critical["route"]) == ("oncall", "route.routes.0")
    assert critical["matchers"] == ['severity="critical"']
    assert (critical["group"], critical["group_wait"], critical["held"]) == (
        {"model": "fraud"}, "0s", None,
    )  # fmt: skip
    (quiet,) = told(severity="warning", model="flights")
    assert (quiet["receiver"], quiet["route"]) == ("log", "route")
    assert quiet["held"]["words"].startswith("silenced by ann until ")


def test_a_silence_says_what_it_covers_and_is_in_the_audit(
    client: TestClient, alarm: Alarm
) -> None:
    episode = alarm.fire("flights", "Low")
    preview = client.get("/api/v1/silences/preview", params={"matchers": "model=flights"}).json()
    assert [alert["episode"] for alert in preview] == [episode]
    assert client.get("/api/v1/silences/preview", params={"matchers": "model=x"}).json() == []

    made = client.post("/api/v1/silences", json=SILENCE)
    assert made.status_code == 201
    silence = made.json()
    assert (silence["state"], silence["author"]) == ("active", "ann")
    assert [alert["episode"] for alert in silence["covers"]] == [episode]
    assert [each["id"] for each in client.get("/api/v1/silences").json()] == [silence["id"]]

    ended = client.delete(f"/api/v1/silences/{silence['id']}").json()
    assert ended["state"] == "expired"
    assert client.get("/api/v1/silences").json() == []
    (known,) = client.get("/api/v1/silences?expired=true").json()
    assert known["comment"] == "we deploy"
    records = client.get("/api/v1/audit", params={"event": "silence"}).json()
    assert [record["event"] for record in records] == ["silence.expired", "silence.added"]
    assert records[1]["after"]["matchers"] == ['model="flights"']


def test_a_silence_that_is_over_or_was_never_there_cannot_be_ended(client: TestClient) -> None:
    number = client.post("/api/v1/silences", json=SILENCE).json()["id"]
    ends = [client.delete(f"/api/v1/silences/{number}").json()["ends_at"] for _ in range(2)]
    assert ends[0] == ends[1]
    assert client.delete("/api/v1/silences/99").status_code == 404


def test_a_silence_to_come_that_is_ended_never_begins(client: TestClient) -> None:
    later = {**SILENCE, "starts_at": "2100-01-01T00:00:00Z"}
    made = client.post("/api/v1/silences", json=later).json()
    assert made["state"] == "pending"
    assert client.delete(f"/api/v1/silences/{made['id']}").json()["state"] == "expired"


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/routing"), ("POST", "/silences"), ("DELETE", "/silences/1")]
)
def test_pages_of_other_sites_may_not_change_who_is_told(
    client: TestClient, method: str, path: str
) -> None:
    answer = client.request(
        method, f"/api/v1{path}", json=SILENCE, headers={"origin": "http://evil.test"}
    )
    assert answer.status_code == 403


@pytest.fixture
def url(app: App, alarm: Alarm) -> Iterator[str]:
    assert alarm.app is app
    with serving(app) as address:
        yield address


def run(url: str, *words: str) -> Result:
    found = CliRunner().invoke(commands, [*words, "--url", url])
    assert found.exit_code == 0, found.output
    return found


def test_commands_silence_alerts_and_say_who_would_be_told(url: str, alarm: Alarm) -> None:
    alarm.fire("flights", "Low")
    asked = ["silence", "add", "model=flights", 'alert=~"Low|High"', "--comment", "we deploy"]
    assert "It would cover:\n  warning Low of flights" in run(url, *asked, "--preview").output
    assert run(url, "silence", "list").output.startswith("No silence")
    made = run(url, *asked, "--duration", "30m", "--author", "ann").output
    assert "Silence 1 holds until" in made
    assert "warning Low of flights, incident 1" in made
    listed = run(url, "silence", "list").output
    assert "covers 1 now" in listed
    assert 'model="flights", alert=~"Low|High"' in listed

    told = run(url, "route", "test", "model=flights", "alert=Low", "severity=info").output
    assert "log would not be told now: silenced by ann" in told
    assert "by no route is written" not in told
    assert "Silence 1 is over." in run(url, "silence", "expire", "1").output
    told = run(url, "route", "test", "model=flights", "alert=Low").output
    assert "log would be told" in told
    assert "with others of model=flights: first after 0s, then each 5m, again each 12h" in told
    as_json = run(url, "route", "test", "model=flights", "--json").output
    assert '"receiver": "log"' in as_json
