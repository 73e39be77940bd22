"""What becomes of messages when receivers fail: cancelled, told to others, dead, sent again."""

import json
import threading
import time
from typing import Any

import pytest
from tests.service.conftest import LOOPBACK, PAYLOAD, Clock, Hook

from tocsin.app import App
from tocsin.errors import InvalidInputError
from tocsin.notify import Outside
from tocsin.records import channels, letters, outbox
from tocsin.records.outbox import Receiver
from tocsin.service.deliver import Deliver
from tocsin.service.fall_back import PATIENCE
from tocsin.service.outgoing import Outgoing
from tocsin.service.receivers import Receivers
from tocsin.values import HOUR, MINUTE, SECOND


def deliver(app: App, clock: Clock) -> Deliver:
    return Deliver(app.records, clock, Outside(LOOPBACK), jitter=lambda: 1.0)


def receivers(app: App, hook: Hook, **changes: dict[str, Any]) -> None:
    """`first`, which falls back to `second`, and `second`; paths tell them apart."""
    with app.records.write() as connection:
        for name, fallback in (("second", None), ("first", "second")):
            options = {"url": f"{hook.url}/{name}", **changes.get(name, {})}
            outbox.set_receiver(connection, Receiver(name, "webhook", options, fallback))


def put(
    app: App, clock: Clock, event: str, *, to: str = "first", number: int = 0, **told: Any
) -> None:
    payload = {**PAYLOAD, "event": event, "episode": "e1", "severity": "warning", **told}
    with app.records.write() as connection:
        outbox.put(
            connection,
            receiver=to,
            order_key=f"{to}/{payload['episode']}",
            message_id=f"{payload['episode']}.{number or event}",
            payload=payload,
            now=clock.now,
        )


def member(episode: str, **told: Any) -> dict[str, Any]:
    """An alert of a group, as payloads have it."""
    return {
        **PAYLOAD, "episode": episode, "event": "fired", "severity": "warning", "alert": "Low",
        "instance": "", "incident": 1, "window_end": "2013-07-15T10:00:00Z", **told,
    }  # fmt: skip


def states(app: App) -> list[tuple[str, str, str]]:
    with app.records.read() as connection:
        found = letters.listed(connection, state=None, receiver=None, limit=100)
    return [(one.receiver, one.message_id, one.state) for one in reversed(found)]


def all_of(sending: Deliver) -> None:
    while sending.deliver():
        pass


def test_what_is_over_before_it_could_be_sent_is_not_sent(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired")
    put(app, clock, "resolved")
    all_of(deliver(app, clock))
    assert hook.requests == []
    assert [state for _, _, state in states(app)] == ["cancelled", "cancelled"]


def test_a_critical_alert_that_is_over_is_told_in_one_message(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired", severity="critical", text="roc_auc 0.61")
    put(app, clock, "resolved", severity="critical")
    all_of(deliver(app, clock))
    assert hook.ids == ["e1.resolved"]
    told = json.loads(hook.requests[0][1])
    assert told["event"] == "resolved"
    assert told["title"].endswith("resolved since")
    assert "roc_auc 0.61" in told["note"]


def test_a_pager_hears_both_of_a_critical_alert(app: App, hook: Hook) -> None:
    clock = Clock()
    options = {"routing_key_env": "KEY", "url": hook.url}
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("first", "pagerduty", options))
    told = {"severity": "critical", "category": "early", "instance": "", "incident": 1}
    for event in ("fired", "resolved"):
        put(app, clock, event, **told, window_end="2013-07-15T10:00:00Z")
    outside = Outside(LOOPBACK, secrets={"KEY": "R0"}.get)
    all_of(Deliver(app.records, clock, outside))
    actions = [json.loads(body)["event_action"] for _, body in hook.requests]
    assert actions == ["trigger", "resolve"]


def test_what_may_have_arrived_is_not_cancelled(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired")
    with app.records.write() as connection:
        # Whoever claimed it has ended since, and nobody knows how far it came.
        outbox.claim(connection, now=clock.now, lease=MINUTE)
    put(app, clock, "resolved")
    clock.now += 2 * MINUTE
    all_of(deliver(app, clock))
    assert hook.ids == ["e1.fired", "e1.resolved"]


def test_what_was_refused_with_an_answer_is_cancelled(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired")
    hook.statuses.append(503)
    sending = deliver(app, clock)
    all_of(sending)
    put(app, clock, "resolved")
    clock.now += MINUTE
    all_of(sending)
    assert hook.ids == ["e1.fired"]
    assert [state for _, _, state in states(app)] == ["cancelled", "cancelled"]


def test_an_end_of_another_alert_cancels_nothing(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    one, two = (member(name, severity="critical") for name in "ab")
    put(app, clock, "fired", alerts=[one, two])
    put(app, clock, "resolved", alerts=[{**one, "event": "resolved"}])
    all_of(deliver(app, clock))
    told = json.loads(hook.requests[0][1])
    assert [(a["episode"], a["event"]) for a in told["alerts"]] == [
        ("b", "fired"),
        ("a", "resolved"),
    ]
    assert told["alerts"][1]["title"] == "t; resolved since"
    assert told["title"] == "1 alert fires, 1 resolved: Low, Low"


def test_who_comes_back_reads_what_holds_and_nothing_that_is_long_over(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    receivers(app, hook)
    sending = deliver(app, clock)
    put(app, clock, "fired", episode="e0")
    all_of(sending)
    # Of e0 it heard, of e1 and the critical e2 nothing before it was away.
    hook.statuses += [503] * 40
    for number in range(1, 4):
        for episode in ("e0", "e1", "e2"):
            severity = "critical" if episode == "e2" else "warning"
            again = {"notice": "repeated", "first": False, "title": "still fires"}
            told = {"first": True, "title": "fired"} if number == 1 and episode != "e0" else again
            put(app, clock, "fired", number=number, episode=episode, severity=severity, **told)
        all_of(sending)
        clock.now += MINUTE
    put(app, clock, "resolved", episode="e0", first=False)
    put(app, clock, "resolved", episode="e1", first=False)
    put(app, clock, "resolved", episode="e2", first=False, severity="critical")
    put(app, clock, "fired", episode="e3", first=True)
    put(app, clock, "fired", number=2, episode="e3", first=False, notice="repeated", text="newest")
    hook.statuses.clear()
    heard = len(hook.requests)
    clock.now += HOUR
    all_of(sending)
    told = [json.loads(body) for _, body in hook.requests[heard:]]
    mine = {one["episode"]: one for one in told if one.get("note", "").find("Told here") < 0}
    assert len(told) == len(mine) + sum("Told here" in one.get("note", "") for one in told)
    assert {key: one["event"] for key, one in mine.items()} == {
        "e0": "resolved",
        "e2": "resolved",
        "e3": "fired",
    }
    assert mine["e2"]["title"] == "fired; resolved since"
    assert (mine["e3"]["first"], mine["e3"]["text"]) == (True, "newest")
    assert {state for _, _, state in states(app)} == {"delivered", "cancelled", "superseded"}


def test_what_is_superseded_for_ever_is_given_up_all_the_same(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    hook.statuses += [503] * 2_000
    sending = deliver(app, clock)
    for number in range(1, 9):
        put(app, clock, "fired", number=number, first=number == 1)
        for _ in range(4):
            all_of(sending)
            clock.now += 3 * HOUR
    assert [state for *_, state in states(app)].count("dead") >= 1


def test_a_message_that_may_have_arrived_is_sent_again_and_only_what_follows_is_superseded(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired", first=True)
    with app.records.write() as connection:
        outbox.claim(connection, now=clock.now, lease=MINUTE)
    for number in (2, 3):
        put(app, clock, "fired", number=number, first=False, notice="repeated")
    put(app, clock, "resolved", first=False)
    clock.now += 2 * MINUTE
    all_of(deliver(app, clock))
    assert hook.ids == ["e1.fired", "e1.resolved"]


def test_the_end_of_what_was_heard_of_takes_the_place_of_a_reminder(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    # It was told before that it fires: it has to be told that it is over.
    put(app, clock, "fired", notice="repeated")
    put(app, clock, "resolved", notice="resolved")
    all_of(deliver(app, clock))
    assert hook.ids == ["e1.resolved"]
    assert [state for *_, state in states(app)] == ["superseded", "delivered"]


def test_a_critical_alert_goes_to_the_fallback_after_five_minutes_and_its_end_too(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired", severity="critical")
    put(app, clock, "fired", episode="e2")
    hook.statuses += [503] * 4
    sending = deliver(app, clock)
    all_of(sending)
    clock.now += PATIENCE - SECOND
    all_of(sending)
    assert {receiver for receiver, _, _ in states(app)} == {"first"}
    clock.now += SECOND
    all_of(sending)
    # The other is no emergency.
    assert ("second", "e1.fired", "delivered") in states(app)
    assert [receiver for receiver, message, _ in states(app) if message == "e2.fired"] == ["first"]
    note = next(told["note"] for _, body in hook.requests if "note" in (told := json.loads(body)))
    assert note == "Told here because first took nothing for 5 min."
    clock.now += HOUR
    all_of(sending)
    put(app, clock, "resolved", severity="critical")
    all_of(sending)
    clock.now += SECOND
    all_of(sending)
    assert [s for s in states(app) if s[1] == "e1.resolved"] == [
        ("first", "e1.resolved", "delivered"),
        ("second", "e1.resolved", "delivered"),
    ]


@pytest.mark.parametrize("kind", ["pagerduty", "alertmanager"])
def test_a_group_falls_back_alert_by_alert_to_who_knows_each_by_a_key(
    app: App, hook: Hook, kind: str
) -> None:
    clock = Clock()
    receivers(app, hook)
    options = {"routing_key_env": "KEY", "url": f"{hook.url}/second"}
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("second", kind, options))
    told = {
        "severity": "critical", "category": "early", "instance": "", "incident": 1,
        "alert": "Low", "window_end": "2013-07-15T10:00:00Z",
    }  # fmt: skip
    one, two = ({**PAYLOAD, **told, "episode": f"a{i}", "instance": f"f{i}"} for i in (1, 2))
    hook.statuses.append(400)
    sending = Deliver(app.records, clock, Outside(LOOPBACK, secrets={"KEY": "R0"}.get))
    for number, alerts in enumerate(([one], [two, {**one, "event": "resolved"}]), 1):
        put(app, clock, number=number, **{**alerts[0], "episode": "group", "alerts": alerts})
        for _ in range(2):
            all_of(sending)
            clock.now += SECOND
    with app.records.read() as connection:
        found = letters.listed(connection, state=None, receiver="second", limit=9)
    said = {(each.order_key, each.payload["event"], each.state) for each in found}
    again = "standing" if kind == "alertmanager" else "delivered"
    # The second alert neither hides that the first is over nor lets it be forgotten before.
    assert said == {
        ("second/a1", "fired", "delivered"),
        ("second/a1", "resolved", again),
        ("second/a2", "fired", again),
    }


def test_the_end_of_what_nobody_else_heard_of_is_not_told_to_the_fallback(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired", severity="critical")
    sending = deliver(app, clock)
    all_of(sending)
    put(app, clock, "resolved", severity="critical")
    hook.statuses += [503] * 3
    all_of(sending)
    clock.now += 2 * PATIENCE
    all_of(sending)
    assert {receiver for receiver, _, _ in states(app)} == {"first"}


def test_a_fallback_that_is_gone_itself_is_told_nothing(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    with app.records.write() as connection:
        channels.disable(connection, "second", "it answered 410", now=clock.now)
    put(app, clock, "fired", severity="critical")
    hook.statuses.append(400)
    sending = deliver(app, clock)
    all_of(sending)
    clock.now += SECOND
    all_of(sending)
    assert states(app) == [("first", "e1.fired", "dead")]


def test_what_was_delivered_before_is_not_told_to_the_fallback(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired", severity="critical")
    sending = deliver(app, clock)
    all_of(sending)
    put(app, clock, "flapping", severity="critical")
    hook.statuses.append(400)
    all_of(sending)
    for _ in range(2):
        clock.now += SECOND
        all_of(sending)
    assert [message for receiver, message, _ in states(app) if receiver == "second"] == [
        "e1.flapping"
    ]


def test_a_critical_alert_that_was_refused_goes_to_the_fallback_at_once(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired", severity="critical")
    hook.statuses.append(400)
    sending = deliver(app, clock)
    all_of(sending)
    clock.now += SECOND
    all_of(sending)
    assert states(app)[1:] == [("second", "e1.fired", "delivered")]
    assert json.loads(hook.requests[1][1])["note"] == "Told here because first refused it."


def test_a_receiver_that_is_gone_is_disabled_until_it_is_put_again(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired")
    put(app, clock, "fired", episode="e2")
    hook.statuses.append(410)
    sending = deliver(app, clock)
    all_of(sending)
    assert hook.ids == ["e1.fired"]
    # What it refused is dead, which others are told; what waited behind it is no news.
    assert [state for _, _, state in states(app)] == ["dead", "cancelled"]
    named = app.receivers.all()
    assert "answered 410" in (named["first"][0].disabled or "")
    assert named["first"][0].disabled_at == clock.now
    assert named["second"][0].disabled is None
    put(app, clock, "fired", episode="e4")
    all_of(sending)
    assert [state for _, _, state in states(app)] == ["dead", "cancelled", "cancelled"]
    receivers(app, hook)
    put(app, clock, "fired", episode="e3")
    all_of(sending)
    assert hook.ids == ["e1.fired", "e3.fired"]


def test_a_test_message_that_is_taken_enables_a_receiver(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    with app.records.write() as connection:
        channels.disable(connection, "first", "it answered 410", now=clock.now)
    trying = Receivers(app.records, Outside(LOOPBACK), clock, "http://tocsin.test")
    hook.statuses.append(503)
    assert trying.test("first") is not None
    assert trying.all()["first"][0].disabled == "it answered 410"
    assert trying.test("first") is None
    assert trying.all()["first"][0].disabled is None


def test_what_was_on_its_way_to_a_receiver_that_was_removed_is_dropped(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired", severity="critical")
    with app.records.write() as connection:
        outbox.claim(connection, now=clock.now, lease=MINUTE)
        outbox.remove_receiver(connection, "first")
    clock.now += HOUR
    all_of(deliver(app, clock))
    # A dead letter would call everybody else.
    assert states(app) == [("first", "e1.fired", "dropped")]
    assert hook.requests == []


def test_a_receiver_that_hangs_does_not_delay_the_others(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("log", "log", {}))
    for i in range(20):
        put(app, clock, "fired", episode=f"e{i}")
    put(app, clock, "fired", to="log", episode="last", url="u", causes=[])
    hook.may_answer.clear()
    sending = deliver(app, clock)
    sending.dispatch()
    told = threading.Event()
    for _ in range(1_000):
        if ("log", "last.fired", "delivered") in states(app):
            told.set()
            break
        time.sleep(0.005)
    assert told.is_set()
    assert hook.requests == []
    hook.may_answer.set()
    sending.close()


def test_what_nobody_took_for_three_days_is_dead_though_the_circuit_is_open(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    receivers(app, hook)
    for i in range(3):
        put(app, clock, "fired", episode=f"e{i}")
    hook.statuses += [503] * 2_000
    sending = deliver(app, clock)
    while clock.now < 80 * HOUR:
        all_of(sending)
        clock.now += 3 * HOUR
    assert {state for _, _, state in states(app)} == {"dead"}


def test_who_was_away_for_days_tries_what_waited(app: App, hook: Hook) -> None:
    clock = Clock()
    receivers(app, hook)
    put(app, clock, "fired")
    clock.now += 100 * HOUR
    all_of(deliver(app, clock))
    assert hook.ids == ["e1.fired"]


def test_what_is_said_again_and_again_does_not_die_of_age(app: App, hook: Hook) -> None:
    clock = Clock()
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("first", "alertmanager", {"url": hook.url}))
    told = {"category": "early", "instance": "", "alert": "AucLow"}
    put(app, clock, "fired", **told, window_end="2013-07-15T10:00:00Z")
    sending = deliver(app, clock)
    all_of(sending)
    clock.now += 100 * HOUR
    hook.statuses.append(503)
    all_of(sending)
    assert [state for _, _, state in states(app)] == ["standing"]
    clock.now += MINUTE
    all_of(sending)
    assert len(hook.requests) == 3


def test_a_dead_message_is_sent_again_unless_what_follows_was_delivered(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    receivers(app, hook)
    hook.statuses.append(400)
    put(app, clock, "fired")
    sending, people = deliver(app, clock), Outgoing(app.records, clock)
    all_of(sending)
    (dead,) = people.listed(state="dead")
    with pytest.raises(InvalidInputError, match="there is no message 99"):
        people.retry(99, actor="ann")
    people.retry(dead.id, actor="ann")
    all_of(sending)
    assert hook.ids == ["e1.fired", "e1.fired"]
    with pytest.raises(InvalidInputError, match="is delivered; only dead ones"):
        people.retry(dead.id, actor="ann")
    hook.statuses.append(400)
    put(app, clock, "fired", episode="e2")
    all_of(sending)
    put(app, clock, "resolved", episode="e2")
    all_of(sending)
    (dead,) = people.listed(state="dead")
    with pytest.raises(InvalidInputError, match="say what is over"):
        people.retry(dead.id, actor="ann")
    with pytest.raises(InvalidInputError, match="reason"):
        people.drop(dead.id, reason=" ", actor="ann")
    people.drop(dead.id, reason="known", actor="ann")
    assert people.listed(state="dead") == []
    events = [record.deed.event for record in app.audit.listed()]
    assert events[:2] == ["outbox.drop", "outbox.retry"]


def test_a_state_that_there_is_not_is_named(app: App) -> None:
    with pytest.raises(InvalidInputError, match="no state 'lost'; there are pending"):
        app.outgoing.listed(state="lost")


def test_a_fault_of_ours_loses_no_message(app: App) -> None:
    clock = Clock()
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("first", "webhook", {}))  # without its option
    put(app, clock, "fired")
    sending = deliver(app, clock)
    assert sending.deliver()
    (waiting,) = app.outgoing.listed(state="pending")
    assert waiting.last_error == "KeyError: 'url'"


def test_a_fallback_has_to_be_another_receiver(app: App, hook: Hook) -> None:
    with pytest.raises(InvalidInputError, match="falls back to 'nobody', which is no other"):
        app.receivers.put("ops", {"webhook": {"url": hook.url}, "fallback": "nobody"})
    with pytest.raises(InvalidInputError, match="falls back to 'ops'"):
        app.receivers.put("ops", {"webhook": {"url": hook.url}, "fallback": "ops"})
    assert app.receivers.put("ops", {"webhook": {"url": hook.url}, "fallback": "log"})[0].fallback
