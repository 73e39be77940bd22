"""Trying receivers, and what is seen of those that are gone."""

import json

from tests.service.conftest import LOOPBACK, Clock, Hook

from tocsin.app import App
from tocsin.notify import Outside
from tocsin.notify.alertmanager import alertmanager_alert
from tocsin.notify.message import Message
from tocsin.notify.told import sentences
from tocsin.records import outbox
from tocsin.records.outbox import Receiver
from tocsin.service.receivers import Receivers


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
