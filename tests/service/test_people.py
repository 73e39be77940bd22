"""What people do about incidents is on the timeline, and changes who is reminded."""

import pytest
from starlette.testclient import TestClient
from tests.service.test_episodes import RULE, Watched, text
from typer.testing import CliRunner

from tocsin.api.server import application
from tocsin.app import App
from tocsin.cli.commands import commands
from tocsin.errors import InvalidInputError, UnknownIncidentError
from tocsin.records import alerts
from tocsin.records.alerts import Incident, TimelineEntry, Verdict
from tocsin.service.people import Person
from tocsin.values import DAY, HOUR

ANN, BO = Person("ann"), Person("bo")
CRITICAL = RULE | {
    "alert": "Lower",
    "annotations": {"runbook_url": "https://example.com/runbook?a=1&b=2"},
    "expr": RULE["expr"] | {"value": 0.55, "clear": 0.8},
    "for": 2,
    "labels": {"severity": "critical"},
}


@pytest.fixture
def watched(app: App) -> Watched:
    found = Watched.of(app, RULE, CRITICAL)
    found.see(*text("ccb"))
    return found


def incident(watched: Watched, number: int = 1) -> Incident:
    found = watched.app.read.incident(number)
    assert found is not None
    return found.incident


def entries(watched: Watched, number: int = 1) -> list[TimelineEntry]:
    found = watched.app.read.incident(number)
    assert found is not None
    return [entry for entry in found.timeline if entry.actor]


def said(watched: Watched, number: int = 1) -> list[tuple[str, str]]:
    return [(entry.actor, entry.text) for entry in entries(watched, number)]


def test_everything_is_on_the_timeline_with_who_did_it(watched: Watched) -> None:
    people = watched.app.people
    people.acknowledge(1, ANN, "looking")
    people.assign(1, ANN, "data team")
    people.comment(1, BO, "the feed was late")
    people.mark(1, BO, Verdict.REAL)
    people.withdraw(1, ANN)
    people.assign(1, BO, "")
    people.mark(1, BO, None)
    assert said(watched) == [
        ("ann", "Acknowledged: looking"),
        ("ann", "Assigned to data team"),
        ("bo", "the feed was late"),
        ("bo", "Marked as a real problem"),
        ("ann", "Nobody works on it any more"),
        ("bo", "Assigned to nobody"),
        ("bo", "Not marked any more"),
    ]
    found = incident(watched)
    assert (found.acknowledged_by, found.assignee, found.verdict) == (None, None, None)


def test_an_acknowledgement_ends_when_it_gets_more_severe(watched: Watched) -> None:
    watched.app.people.acknowledge(1, ANN)
    assert incident(watched).acknowledged_by == "ann"
    watched.see((3, "b"))
    assert incident(watched).severity == "critical"
    assert incident(watched).acknowledged_by is None
    told = watched.app.read.incident(1)
    assert told is not None
    assert "the acknowledgement of ann ends" in " ".join(e.text for e in told.timeline)


def test_a_snooze_ends_when_it_gets_more_severe(watched: Watched) -> None:
    watched.app.people.snooze(1, ANN, DAY)
    watched.see((3, "b"))
    assert incident(watched).severity == "critical"
    # Else nobody would be reminded of it, and it would not be escalated.
    assert incident(watched).snoozed_until is None
    told = watched.app.read.incident(1)
    assert told is not None
    assert "It is critical now: it is not snoozed any more" in [e.text for e in told.timeline]


def test_a_snooze_has_an_end(watched: Watched) -> None:
    watched.app.people.snooze(1, ANN, HOUR)
    until = incident(watched).snoozed_until
    assert until is not None
    assert until > HOUR
    watched.app.people.withdraw(1, ANN)
    assert incident(watched).snoozed_until is None


def test_incidents_of_one_model_can_be_merged(watched: Watched) -> None:
    watched.see((3, "c"), (4, "c"))
    watched.see((5, "c"))
    watched.see((6, "b"))
    assert len(watched.app.read.incidents()) == 2
    watched.app.people.merge(2, ANN, 1, "one outage")
    assert incident(watched, 2).merged_into == 1
    whole = watched.app.read.incident(1)
    assert whole is not None
    assert len(whole.episodes) == 2
    # One of its alerts goes on, and so does it.
    assert whole.incident.resolved is None
    assert whole.incident.resolved_at is None
    watched.see((7, "c"))
    assert incident(watched, 1).resolved is not None
    for number, into in [(2, 1), (1, 2), (1, 1)]:
        with pytest.raises(InvalidInputError, match="merged"):
            watched.app.people.merge(number, ANN, into)


def test_whoever_took_something_less_urgent_did_not_take_what_is_merged_into_it(
    watched: Watched,
) -> None:
    watched.see((3, "c"), (4, "c"))
    watched.see((5, "b"), (6, "b"))
    one, two = incident(watched, 1), incident(watched, 2)
    assert (one.severity, two.severity) == ("warning", "critical")
    with watched.app.records.write() as connection:
        alerts.update_incident(connection, 1, resolved=None, acknowledged_by="ann")
    watched.app.people.merge(2, BO, 1)
    assert incident(watched).severity == "critical"
    assert incident(watched).acknowledged_by is None
    assert ("bo", "It is critical now: the acknowledgement of ann ends") in said(watched)


def test_what_cannot_be_done_is_refused_and_leaves_nothing(watched: Watched) -> None:
    people = watched.app.people
    with pytest.raises(UnknownIncidentError, match="there is no incident 7"):
        people.comment(7, ANN, "x")
    with pytest.raises(UnknownIncidentError, match="there is no incident 7"):
        people.merge(1, ANN, 7)
    for bad in (
        lambda: people.comment(1, ANN, "  "),
        lambda: people.comment(1, ANN, "x" * 5_000),
        lambda: people.assign(1, ANN, "x" * 201),
        lambda: people.snooze(1, ANN, 0),
        lambda: people.snooze(1, ANN, 31 * DAY),
        lambda: Person(" "),
    ):
        with pytest.raises(InvalidInputError):
            bad()
    watched.see((3, "c"), (4, "c"))
    for late in (lambda: people.acknowledge(1, ANN), lambda: people.snooze(1, ANN, HOUR)):
        with pytest.raises(InvalidInputError, match="is over"):
            late()
    assert said(watched) == []


def test_the_api_and_the_page_do_the_same(watched: Watched) -> None:
    with TestClient(application(watched.app), base_url="http://localhost:8765") as client:
        for verb, document in [
            ("acknowledge", {"note": "mine"}),
            ("assign", {"to": "ann"}),
            ("comments", {"text": "<b>bold</b>"}),
            ("snooze", {"for": "2h"}),
            ("escalate", {"to": "log", "reason": "see this"}),
            ("mark", {"verdict": "false"}),
        ]:
            answer = client.post(
                f"/api/v1/incidents/1/{verb}", json=document, headers={"x-tocsin-actor": "ann"}
            )
            assert answer.status_code == 200, answer.text
        found = answer.json()
        assert (found["acknowledged_by"], found["assignee"], found["verdict"]) == (
            "ann",
            "ann",
            "false",
        )
        assert found["timeline"][-1]["actor"] == "ann"
        assert found["timeline"][-2]["text"] == "Escalated to log: see this"
        page = client.get("/incidents/1").text
        assert '<option>log</option></select><button name="act" value="escalate"' in page
        assert client.post("/api/v1/incidents/9/mark", json={"verdict": "real"}).status_code == 404
        wrong = client.post("/api/v1/incidents/1/mark", json={"verdict": "perhaps"})
        assert wrong.status_code == 422
        page = client.post(
            "/incidents/1",
            data={"act": "comment", "actor": "Bo Ö", "text": "seen"},
            headers={"origin": "http://localhost:8765", "sec-fetch-site": "same-origin"},
        )
        assert page.status_code == 200
        assert "<b>Bo Ö</b> seen" in page.text
        assert "&lt;b&gt;bold" in page.text
        assert 'value="Bo Ö"' in page.text
        elsewhere = client.post(
            "/incidents/1",
            data={"act": "comment", "actor": "x", "text": "y"},
            headers={"origin": "http://evil.test", "sec-fetch-site": "cross-site"},
        )
        assert elsewhere.status_code == 403
        watched.see((3, "b"))
        assert 'href="https://example.com/runbook?a=1&amp;b=2"' in client.get("/incidents/1").text
        nothing = client.post("/incidents/1", data={"act": "dance", "actor": "x"})
        assert nothing.status_code == 422


def test_commands_are_understood_without_a_server_to_ask() -> None:
    answer = CliRunner().invoke(commands, ["incident", "--help"])
    assert answer.exit_code == 0
    for name in ("ack", "withdraw", "assign", "comment", "snooze", "escalate", "mark", "merge"):
        assert name in answer.output
