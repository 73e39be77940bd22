"""From a fault in the data to an incident with its cause, and to a message that is not lost."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.world import Feed, monitor_document, reference

from tocsin.app import App
from tocsin.notify import Outside
from tocsin.records import outbox
from tocsin.records.outbox import Receiver
from tocsin.service.deliver import Deliver
from tocsin.service.notify import Notify
from tocsin.values import MINUTE, from_datetime

DRIFT = {"alert": "Drift", "expr": {"metric": "drift", "window": "1h"}}
AUC_LOW = {
    "alert": "AucLow",
    "expr": {"metric": "roc_auc", "window": "24h", "op": "<", "value": 0.6, "clear": 0.65},
    "min_samples": 200,
    "labels": {"severity": "critical"},
}


def _feed(app: App, *rules: dict[str, Any]) -> Feed:
    app.register.add("late", monitor_document(rules=list(rules)), reference())
    return Feed(app, "late")


def test_a_changed_unit_opens_an_incident_before_any_label_and_names_the_feature(app: App) -> None:
    feed = _feed(app, DRIFT)
    feed.hours(0, 24 * 9)
    feed.work()
    assert app.read.incidents() == []

    feed.hours(24 * 9, 24 * 9 + 3, distance_factor=1.6, labelled=False)
    feed.work()

    (incident,) = app.read.incidents(open_only=True)
    assert "distance" in incident.title
    assert incident.causes[0]["feature"] == "distance"
    assert incident.causes[0]["sentence"]
    detail = app.read.incident(incident.id)
    assert detail is not None
    assert detail.timeline[0].kind == "fired"


def test_an_incident_resolves_when_the_data_is_well_again(app: App) -> None:
    feed = _feed(app, DRIFT)
    feed.hours(0, 24 * 9)
    feed.hours(24 * 9, 24 * 9 + 3, distance_factor=1.6)
    feed.work()
    feed.hours(24 * 9 + 3, 24 * 9 + 8)
    feed.work()

    (incident,) = app.read.incidents()
    assert incident.resolved is not None
    assert app.read.overviews()[0].condition == "healthy"


def test_a_collapse_of_the_labels_breaches_the_threshold_and_is_called_concept(app: App) -> None:
    feed = _feed(app, AUC_LOW)
    feed.hours(0, 24 * 9)
    feed.work()
    feed.hours(24 * 9, 24 * 11, flip_labels=True)
    feed.work()

    (incident,) = app.read.incidents(open_only=True)
    assert (incident.severity, app.read.overviews()[0].condition) == ("critical", "breach")
    assert [cause["kind"] for cause in incident.causes][:1] == ["concept"]


def test_clean_data_stays_quiet(app: App) -> None:
    feed = _feed(app, DRIFT, AUC_LOW)
    feed.hours(0, 24 * 14)
    feed.work()

    assert app.read.incidents() == []


def test_firing_and_resolving_are_sent_in_order_to_every_receiver(app: App) -> None:
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("again", "log", {}))
    feed = _feed(app, DRIFT)
    feed.hours(0, 24 * 9)
    feed.hours(24 * 9, 24 * 9 + 3, distance_factor=1.6)
    feed.work()
    assert app.notify.flush()
    feed.hours(24 * 9 + 3, 24 * 9 + 8)
    feed.work()
    # The next message of the group is due after its interval.
    assert not app.notify.flush()
    later = from_datetime(datetime.now(UTC)) + 5 * MINUTE
    assert Notify(app.records, lambda: later, "http://tocsin.test").flush()

    with app.records.read() as connection:
        waiting = outbox.by_state(connection)
    assert waiting == {"pending": 4}
    deliver = Deliver(app.records, lambda: later, Outside())
    while deliver.deliver():
        pass
    assert app.read.status().outbox == {"delivered": 4}


def test_alerts_are_the_same_whether_or_not_the_server_restarts_between(
    app: App, tmp_path: Any
) -> None:
    from tocsin.app import opened
    from tocsin.settings import Settings

    feed = _feed(app, DRIFT)
    feed.hours(0, 24 * 9)
    feed.hours(24 * 9, 24 * 9 + 6, distance_factor=1.6)
    feed.work()
    expected = [(i.title, i.opened) for i in app.read.incidents()]

    where = Settings(tmp_path / "other", "127.0.0.1", 1, "http://tocsin.test", None)
    with opened(where) as first:
        again = _feed(first, DRIFT)
        again.hours(0, 24 * 9)
        again.work()
    for hour in range(24 * 9, 24 * 9 + 6):
        with opened(where) as restarted:
            Feed(restarted, "late").hours(hour, hour + 1, distance_factor=1.6)
            Feed(restarted, "late").work()
            found = [(i.title, i.opened) for i in restarted.read.incidents()]
    assert found == expected


@pytest.mark.parametrize("metric", ["label_rate", "prediction_rate"])
def test_a_rule_may_be_on_any_metric(app: App, metric: str) -> None:
    rule = {"alert": "High", "expr": {"metric": metric, "window": "1h", "op": ">", "value": 0.01}}
    feed = _feed(app, rule)
    feed.hours(0, 5)
    feed.work()

    assert len(app.read.incidents(open_only=True)) == 1


def test_an_alert_carries_the_labels_and_the_annotations_of_its_rule(app: App) -> None:
    drift = DRIFT | {
        "labels": {"severity": "critical", "team": "flights"},
        "annotations": {"summary": "Ask the feed", "runbook_url": "https://example.com/runbook"},
    }
    feed = _feed(app, drift)
    feed.hours(0, 24 * 9)
    feed.hours(24 * 9, 24 * 9 + 3, distance_factor=1.6)
    feed.work()

    (incident,) = app.read.incidents()
    detail = app.read.incident(incident.id)
    assert detail is not None
    distance = next(e for e in detail.episodes if e.instance == "distance")
    assert distance.labels == {
        "alert": "Drift",
        "model": "late",
        "severity": "critical",
        "category": "drift",
        "team": "flights",
        "instance": "distance",
        "feature": "distance",
    }
    assert (distance.summary, distance.runbook_url) == (
        "Ask the feed",
        "https://example.com/runbook",
    )
