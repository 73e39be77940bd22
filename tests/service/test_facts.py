"""What a message says of its alert: number, interval, since when, which version; and a chart."""

import struct
from typing import Any

from tests.world import Feed, monitor_document, reference

from tocsin.app import App
from tocsin.notify.told import facts_of, heading, recovery
from tocsin.records import alerts, evaluations, models
from tocsin.service.facts import facts_of as recorded
from tocsin.service.picture import Picture
from tocsin.values import DAY, Bounded, format_duration

RULE = {
    "alert": "AucLow",
    "expr": {"metric": "roc_auc", "window": "24h", "op": "<", "value": 0.6},
    "labels": {"severity": "critical"},
    "annotations": {"summary": "AUC {{ value|round(2) }} of {{ n }}, team {{ labels.model }}"},
}
DRIFT = {"alert": "Moved", "expr": {"metric": "drift", "window": "1h"}}


def payloads(app: App, rule: dict[str, Any], **fault: Any) -> list[dict[str, Any]]:
    app.register.add("late", monitor_document(rules=[rule]), reference())
    feed = Feed(app, "late")
    # What is usual is learned in a week; a day's number is bad when half of its rows are.
    clean = 24 * 9 if rule is DRIFT else 96
    feed.hours(0, clean)
    feed.hours(clean, clean + (4 if rule is DRIFT else 30), **fault)
    feed.work()
    while app.notify.flush():
        pass
    return [letter.payload for letter in reversed(app.outgoing.listed(receiver="log"))]


def test_an_alert_on_a_number_says_it_with_its_interval_and_draws_it(app: App) -> None:
    told = payloads(app, RULE, flip_labels=True)[0]
    facts = told["facts"]
    assert facts["low"] < facts["value"] < 0.6
    assert facts["value"] < facts["high"]
    assert facts["n"] > 1_000
    assert facts["version"] == "unknown"
    assert facts["since"] <= told["window_end"]
    number, since = facts_of(facts)
    assert number.startswith(f"ROC AUC {facts['value']:.3g} (")
    assert since.startswith("Since 2013-05-")
    assert heading(told).startswith(f"late: AUC {facts['value']:.2f} of {facts['n']}, team late")
    png = Picture(app.read).of(told)
    assert png is not None
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG")
    assert width > 600
    assert height > 200


def test_an_alert_on_a_verdict_shows_the_evidence_of_its_first_cause(app: App) -> None:
    told = payloads(app, DRIFT, distance_factor=2.0)[0]
    assert told["facts"]["feature"] == "distance"
    assert "value" not in told["facts"]
    assert (Picture(app.read).of(told) or b"").startswith(b"\x89PNG")


def test_an_alert_on_a_segment_says_which(app: App) -> None:
    rule = {**RULE, "expr": {**RULE["expr"], "by": ["carrier"]}}
    app.register.add("late", monitor_document(rules=[rule], segments=["carrier"]), reference())
    feed = Feed(app, "late")
    feed.hours(0, 30, flip_labels=True)
    feed.work()
    while app.notify.flush():
        pass
    told = [letter.payload for letter in app.outgoing.listed(receiver="log")]
    segments = {one["facts"]["segment"] for one in told}
    assert "carrier=AA" in segments
    (one, *_) = (one for one in told if one["facts"]["segment"] == "carrier=AA")
    number, since = facts_of(one["facts"])
    assert number.startswith("ROC AUC of carrier=AA 0.")
    assert since.endswith("version unknown, segment carrier=AA")
    names = {s.labels.get("metric", "") for s in app.telemetry.samples()}
    assert not any("{" in name for name in names)


def test_a_message_without_anything_to_draw_has_no_chart(app: App) -> None:
    told = {"model": "gone", "title": "t", "facts": {"metric": "roc_auc", "window": "24h"}}
    assert Picture(app.read).of(told) is None
    assert Picture(app.read).of({"model": "tocsin", "title": "t", "incident": 0}) is None


def test_a_rule_whose_summary_cannot_be_made_is_told_in_plain_words(app: App) -> None:
    told = payloads(
        app, {**RULE, "annotations": {"summary": "{{ labels.squad }}"}}, flip_labels=True
    )[0]
    assert told["summary"] == ""
    assert "no attribute 'squad'" in told["note"]
    assert heading(told) == f"late: {told['title']}"


def test_what_is_over_says_the_number_now_and_at_its_worst(app: App) -> None:
    app.register.add(
        "late",
        monitor_document(rules=[{**RULE, "expr": {**RULE["expr"], "clear": 0.65}}]),
        reference(),
    )
    feed = Feed(app, "late")
    feed.hours(0, 96)
    feed.hours(96, 126, flip_labels=True)
    feed.hours(126, 160)
    feed.work()
    app.notify.flush()
    with app.records.read() as connection:
        record = models.model_named(connection, "late")
        (incident,) = alerts.list_incidents(connection, model_id=record.id)
        (episode,) = alerts.episodes_of(connection, incident.id)
        assert episode.resolved is not None
        facts = recorded(connection, incident, episode, episode.resolved)
        series = evaluations.between(
            connection, record.id, DAY, range(episode.started, episode.resolved + 1), ("measures",)
        )
    measured = {end: e.measures["roc_auc"] for end, e in series.items()}
    values = {end: m.value for end, m in measured.items() if isinstance(m, Bounded)}
    assert facts["worst"] == min(values.values())
    assert facts["worst"] < 0.6
    assert facts["value"] == values[episode.resolved]
    assert facts["clear"] == 0.65
    assert facts["lasted"] == format_duration(episode.resolved - episode.fired)
    said = recovery({"event": "resolved", "facts": facts})
    assert said.startswith(f"ROC AUC is {facts['value']:.3g} ({facts['low']:.3g} to ")
    assert said.endswith(f"; it was {facts['worst']:.3g} at worst; it fired for {facts['lasted']}")
