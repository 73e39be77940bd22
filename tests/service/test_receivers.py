"""Trying receivers, and what is seen of those that are gone."""

import json

from tests.service.alerts import Alarm
from tests.service.conftest import LOOPBACK, Clock, Hook
from tests.world import monitor_document, reference

from tocsin.app import App
from tocsin.lake import Lake, folder_at
from tocsin.notify import Outside
from tocsin.notify.alertmanager import alertmanager_alert
from tocsin.notify.message import Message
from tocsin.notify.told import sentences
from tocsin.records import channels, letters, outbox
from tocsin.records.outbox import Receiver
from tocsin.service.delete import Delete
from tocsin.service.deliver import Deliver
from tocsin.service.notify import Notify
from tocsin.service.receivers import Receivers, remove_receiver
from tocsin.service.routing import Routings
from tocsin.values import HOUR, MINUTE


def trying(app: App) -> Receivers:
    outside = Outside(LOOPBACK, secrets={"KEY": "R0"}.get)
    return Receivers(app.records, outside, Clock(), "http://tocsin.test")


def test_a_test_says_that_it_is_one_and_not_that_something_is_over(app: App, hook: Hook) -> None:
    receivers = trying(app)
    receivers.put("ops", {"webhook": {"url": hook.url}})
    assert receivers.test("ops") is None
    (headers, body) = hook.requests[0]
    told = json.loads(body)
    assert told["event"] == "test"
    assert headers["webhook-id"].endswith(".test")
    assert "Somebody asked for this message; nothing is wrong." in sentences(told)
    # Where an alert needs a beginning and an end, it is over as it begins.
    alert = alertmanager_alert(told, Message("x.test", told, 5_000_000, written_at=5_000_000))
    assert alert["startsAt"] == alert["endsAt"]


def test_a_test_opens_no_incident_at_a_pager(app: App, hook: Hook) -> None:
    with app.records.write() as connection:
        options = {"routing_key_env": "KEY", "url": hook.url}
        outbox.set_receiver(connection, Receiver("oncall", "pagerduty", options))
    assert trying(app).test("oncall") is None
    assert json.loads(hook.requests[0][1])["event_action"] == "resolve"


def alarmed(app: App, clock: Clock) -> Alarm:
    app.register.add("flights", monitor_document(rules=[]), reference(300))
    return Alarm(app, clock)


def sent(app: App, clock: Clock) -> None:
    """All that is due, told and sent."""
    outside = Outside(LOOPBACK, secrets={"KEY": "R0"}.get)
    sending = Deliver(app.records, clock, outside, jitter=lambda: 1.0)
    while app_notify(app, clock).flush() or sending.deliver():
        pass


def app_notify(app: App, clock: Clock) -> Notify:
    return Notify(app.records, clock, "http://tocsin.test")


def heard(hook: Hook) -> list[tuple[str, str]]:
    found = []
    for _, body in hook.requests:
        told = json.loads(body)
        found += [(a["alert"], a["event"]) for a in told.get("alerts", [told])]
    return found


def test_who_was_disabled_hears_of_what_still_fires_and_of_the_end_of_what_it_knew(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    alarm = alarmed(app, clock)
    receivers = Receivers(app.records, Outside(LOOPBACK), clock, "http://tocsin.test")
    receivers.put("ops", {"webhook": {"url": hook.url}})
    known = alarm.fire("flights", "Known")
    sent(app, clock)
    brief = alarm.fire("flights", "Brief")
    alarm.fire("flights", "Still")
    hook.statuses.append(410)
    clock.now += 5 * MINUTE
    sent(app, clock)
    assert heard(hook) == [("Known", "fired"), ("Brief", "fired"), ("Still", "fired")]
    (gone,) = app.read.status().disabled
    assert (gone.name, gone.disabled_at) == ("ops", clock.now)
    with app.records.read() as connection:
        assert letters.dead_by_receiver(connection)["ops"][0] == 1
    alarm.resolve(known)
    alarm.resolve(brief)
    alarm.fire("flights", "Later")
    clock.now += 2 * HOUR
    sent(app, clock)
    # No more letters, dead or not, though there was news.
    assert len(hook.requests) == 2
    assert [one.state for one in app.outgoing.listed(receiver="ops")] == ["dead", "delivered"]

    assert receivers.test("ops") is None
    assert app.read.status().disabled == ()
    before = len(heard(hook))
    sent(app, clock)
    assert sorted(heard(hook)[before:]) == [
        ("Known", "resolved"),
        ("Later", "fired"),
        ("Still", "fired"),
    ]
    with app.records.read() as connection:
        assert letters.dead_by_receiver(connection) == {}


def test_the_channels_of_a_receiver_are_told_and_tried_each_by_itself(app: App, hook: Hook) -> None:
    clock = Clock()
    alarm = alarmed(app, clock)
    receivers = Receivers(app.records, Outside(LOOPBACK), clock, "http://tocsin.test")
    hooks = [{"url": f"{hook.url}/{name}"} for name in ("a", "b")]
    receivers.put("ops", {"webhook": hooks})
    alarm.fire("flights", "Low")
    hook.statuses.append(503)
    sent(app, clock)
    listed = app.outgoing.listed()
    states = {one.receiver: one.state for one in listed if one.receiver != "log"}
    assert sorted(states) == ["ops", "ops/webhook"]
    assert sorted(states.values()) == ["delivered", "pending"]
    assert len({one.order_key for one in listed}) == len(listed)
    # Another that comes before the others takes nobody's name, and hears of what fires.
    receivers.put("ops", {"webhook": [{"url": f"{hook.url}/c"}, *hooks]})
    named = {c.options["url"][-1]: c.name for c in receivers.all()["ops"]}
    assert named == {"a": "ops", "b": "ops/webhook", "c": "ops/webhook-2"}
    clock.now += 5 * MINUTE
    sent(app, clock)
    assert [o.state for o in app.outgoing.listed(receiver="ops/webhook-2")] == ["delivered"]
    receivers.put("ops", {"webhook": hooks[1]})
    assert [c.name for c in receivers.all()["ops"]] == ["ops/webhook"]


def test_one_channel_that_is_gone_keeps_no_other_from_being_told(app: App, hook: Hook) -> None:
    clock = Clock()
    alarm = alarmed(app, clock)
    receivers = Receivers(app.records, Outside(LOOPBACK), clock, "http://tocsin.test")
    receivers.put("ops", {"webhook": [{"url": f"{hook.url}/{name}"} for name in ("a", "b")]})
    with app.records.write() as connection:
        channels.disable(connection, "ops", "it answered 410", now=clock.now)
    alarm.fire("flights", "Low")
    sent(app, clock)
    assert [one.state for one in app.outgoing.listed(receiver="ops")] == []
    assert [one.state for one in app.outgoing.listed(receiver="ops/webhook")] == ["delivered"]
    hook.statuses.append(410)
    assert (receivers.test("ops") or "").startswith("webhook: ")


def test_the_alerts_of_a_deleted_model_are_told_to_be_over_and_nothing_is_kept(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    alarm = alarmed(app, clock)
    app.register.add("fraud", monitor_document(rules=[]), reference(300))
    receivers = trying(app)
    routes = {"receiver": "ops", "group_by": ["severity"], "group_wait": "0s"}
    pager = {"routing_key_env": "KEY", "url": hook.url}
    receivers.put("ops", {"webhook": {"url": hook.url}, "pagerduty": pager})
    Routings(app.records, clock).put({"route": routes}, actor="ann")
    for model in ("flights", "fraud"):
        alarm.fire(model, "Low")
    alarm.fire("flights", "Slow")
    over = alarm.fire("flights", "Over")
    sent(app, clock)
    alarm.resolve(over)
    clock.now += 5 * MINUTE
    sent(app, clock)
    alarm.fire("flights", "Unheard")
    alarm.notify.flush()
    before = len(hook.requests)
    Delete(app.records, Lake(folder_at(str(app.settings.data / "lake"), {})), clock).delete(
        "flights", actor="ann"
    )
    sent(app, clock)
    told = [json.loads(body) for _, body in hook.requests[before:]]
    pages = [one for one in told if "event_action" in one]
    (message,) = (one for one in told if "event_action" not in one)
    assert {(one["event_action"], one["routing_key"]) for one in pages} == {("resolve", "R0")}
    assert len(pages) == 2
    assert sorted(a["alert"] for a in message["alerts"]) == ["Low", "Slow"]
    assert message["title"] == "2 alerts are over: the model was deleted by ann"
    clock.now += MINUTE
    sent(app, clock)
    with app.records.read() as connection:
        left = [
            one.payload for one in letters.listed(connection, state=None, receiver=None, limit=99)
        ]
    assert left
    assert "flights" not in json.dumps(left)


def test_a_receiver_that_is_removed_is_told_that_what_it_knew_is_over_and_then_nothing(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    alarm = alarmed(app, clock)
    receivers = trying(app)
    receivers.put("ops", {"webhook": {"url": hook.url}})
    alarm.fire("flights", "Low")
    sent(app, clock)
    alarm.fire("flights", "Unheard")
    clock.now += 5 * MINUTE
    alarm.notify.flush()
    hook.statuses.append(503)
    with app.records.write() as connection:
        remove_receiver(connection, "ops", by="ann", now=clock.now)
    assert list(receivers.all()) == ["log"]
    sent(app, clock)
    clock.now += MINUTE
    alarm.fire("flights", "Later")
    sent(app, clock)
    assert heard(hook) == [("Low", "fired"), ("Low", "resolved"), ("Low", "resolved")]
    assert (
        json.loads(hook.requests[-1][1])["title"] == "Low is over: the receiver was removed by ann"
    )
    clock.now += MINUTE
    sent(app, clock)
    with app.records.read() as connection:
        assert [channel.name for channel in outbox.all_receivers(connection)] == ["log"]


def test_a_channel_that_a_receiver_has_no_more_resolves_what_it_opened(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    alarm = alarmed(app, clock)
    receivers = trying(app)
    pager = {"routing_key_env": "KEY", "url": f"{hook.url}/pd"}
    receivers.put("ops", {"webhook": {"url": hook.url}, "pagerduty": pager})
    alarm.fire("flights", "Low")
    sent(app, clock)
    receivers.put("ops", {"webhook": {"url": hook.url}})
    sent(app, clock)
    actions = [
        told["event_action"]
        for _, body in hook.requests
        if "event_action" in (told := json.loads(body))
    ]
    assert actions == ["trigger", "resolve"]


def test_what_is_critical_goes_to_the_fallback_while_a_channel_is_disabled(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    alarm = alarmed(app, clock)
    receivers = trying(app)
    receivers.put("second", {"webhook": {"url": f"{hook.url}/second"}})
    receivers.put("first", {"webhook": {"url": f"{hook.url}/first"}, "fallback": "second"})
    routes = {"receiver": "first", "group_wait": "0s"}
    Routings(app.records, clock).put({"route": routes}, actor="ann")
    hook.statuses.append(410)
    refused = alarm.fire("flights", "Refused", severity="critical")
    sent(app, clock)
    clock.now += 5 * MINUTE
    alarm.fire("flights", "Later", severity="critical")
    alarm.fire("flights", "Minor")
    sent(app, clock)
    alarm.resolve(refused)
    clock.now += 5 * MINUTE
    sent(app, clock)
    assert heard(hook) == [
        ("Refused", "fired"),
        ("Refused", "fired"),
        ("Later", "fired"),
        ("Refused", "resolved"),
    ]
    assert "Told here because first is disabled" in sentences(json.loads(hook.requests[1][1]))
