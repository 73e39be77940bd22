"""Groups, holds and changed routes: what receivers read, message by message."""

from datetime import UTC, datetime
from typing import Any

import pytest
from tests.service.alerts import Alarm, Clock, Said
from tests.world import monitor_document, reference

from tocsin.app import App
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.notify.told import sentences
from tocsin.records import channels, deletions, models
from tocsin.records.tables import episodes
from tocsin.service.people import People, Person
from tocsin.service.receivers import remove_receiver
from tocsin.service.routing import Routings
from tocsin.service.silences import Silences
from tocsin.service.trouble import Trouble
from tocsin.values import HOUR, MINUTE, SECOND, from_datetime

START = from_datetime(datetime(2026, 1, 1, 12, tzinfo=UTC))
BAD_DATA = {"category": "data_quality"}


@pytest.fixture
def alarm(app: App) -> Alarm:
    for model in ("flights", "fraud"):
        app.register.add(model, monitor_document(rules=[]), reference(300))
    return Alarm(app, Clock(START))


def routed(alarm: Alarm, **document: Any) -> None:
    Routings(alarm.app.records, alarm.clock).put(document, actor="ann")


def after(alarm: Alarm, time: int) -> list[Said]:
    """What is said once so much time has passed."""
    before = alarm.said()
    alarm.clock.now += time
    alarm.flush()
    return alarm.said(after=before[-1].row if before else 0)


def test_without_a_route_the_first_alert_is_told_at_once_and_others_with_the_next_message(
    alarm: Alarm,
) -> None:
    alarm.fire("flights", "Low")
    alarm.fire("flights", "Slow", severity="critical")
    (low, slow) = sorted(after(alarm, 0), key=lambda said: said.alert["alert"])
    assert low.row == slow.row
    assert low.payload["title"] == "2 alerts fire: Slow, Low"
    assert low.payload["episode"] == slow.alert["episode"]
    assert (low.payload["severity"], low.payload["event"]) == ("critical", "fired")
    assert low.payload["group"] == {"model": "flights"}
    assert low.payload["text"] == "Slow: Slow is 0.6, under 0.7"
    assert [each["alert"] for each in low.payload["alerts"]] == ["Slow", "Low"]

    alarm.fire("flights", "Late")
    alarm.fire("fraud", "Low")
    # Of another model at once, of this one with the next message.
    assert [said.alert["model"] for said in after(alarm, 0)] == ["fraud"]
    (late,) = after(alarm, 5 * MINUTE)
    assert late.alert["alert"] == "Late"
    # One alert is a payload as it always was.
    assert "alerts" not in late.payload
    assert late.payload["title"] == "Late fired: Late is 0.6, under 0.7"


def test_a_message_about_several_says_what_fires_and_what_is_over(alarm: Alarm) -> None:
    low = alarm.fire("flights", "Low")
    after(alarm, 0)
    alarm.resolve(low)
    alarm.fire("flights", "Slow")
    (slow, over) = after(alarm, 5 * MINUTE)
    assert slow.payload["title"] == "1 alert fires, 1 resolved: Slow, Low"
    assert [slow.what, over.what] == [("fired", "new"), ("resolved", "resolved")]


def test_what_is_over_says_how_many_of_its_group_still_fire(alarm: Alarm) -> None:
    low = alarm.fire("flights", "Low")
    alarm.fire("flights", "Slow")
    silent = {"matchers": ["alert=Quiet"], "duration": "2h", "comment": "we deploy"}
    Silences(alarm.app.records, alarm.clock).add(silent, actor="ann")
    alarm.fire("flights", "Quiet")
    assert "still_firing" not in after(alarm, 0)[0].payload
    alarm.resolve(low)
    (over,) = after(alarm, 5 * MINUTE)
    # Nobody was told of the silenced one.
    assert (over.payload["event"], over.payload["still_firing"]) == ("resolved", 1)
    late = alarm.fire("flights", "Late")
    assert after(alarm, 5 * MINUTE)[0].payload["still_firing"] == 1
    alarm.resolve(late)
    alarm.resolve(alarm.fire("flights", "Brief", severity="critical"))
    assert {said.payload["still_firing"] for said in after(alarm, 5 * MINUTE)} == {1}


def test_pagerduty_gets_an_event_for_each_alert_by_the_key_of_its_episode(alarm: Alarm) -> None:
    alarm.receiver("oncall", "pagerduty", routing_key_env="KEY")
    routed(alarm, route={"receiver": "oncall", "group_wait": "0s"})
    low, slow = alarm.fire("flights", "Low"), alarm.fire("flights", "Slow")
    said = after(alarm, 0)
    assert [(s.order_key, s.message_id) for s in said] == [
        (f"oncall/{low}", f"{low}.fired"),
        (f"oncall/{slow}", f"{slow}.fired"),
    ]
    assert all("alerts" not in s.payload for s in said)


def test_a_group_that_cannot_be_told_holds_up_no_other(alarm: Alarm) -> None:
    bad = alarm.fire("fraud")
    alarm.fire("flights")
    # Written by nobody we know of: a cause without its sentence.
    odd = episodes.update().where(episodes.c.id == bad)
    with alarm.app.records.write() as connection:
        connection.execute(odd.values(causes=[{"kind": "drift"}]))
    notify, trouble = alarm.notify, Trouble()
    notify._trouble = trouble
    assert notify.flush()
    assert [said.alert["model"] for said in alarm.said()] == ["flights"]
    (failing,) = trouble.failing()
    assert failing.error == "KeyError: 'feature'"
    # In peace for a while, then tried again, and told once.
    alarm.clock.now += 30 * SECOND
    assert not notify.flush()
    with alarm.app.records.write() as connection:
        connection.execute(odd.values(causes=[]))
    alarm.clock.now += 30 * SECOND
    assert notify.flush()
    assert [said.alert["model"] for said in alarm.said()] == ["flights", "fraud"]
    assert trouble.failing() == []


def test_what_came_and_went_unseen_is_told_only_where_it_is_critical(alarm: Alarm) -> None:
    for rule, severity in (("Low", "warning"), ("Slow", "critical")):
        alarm.resolve(alarm.fire("flights", rule, severity=severity))
    said = after(alarm, 0)
    assert [(s.alert["alert"], s.what) for s in said] == [
        ("Slow", ("fired", "brief")),
        ("Slow", ("resolved", "brief")),
    ]
    assert len({s.order_key for s in said}) == 1


def test_what_still_fires_is_told_again_after_the_repeat_interval(alarm: Alarm) -> None:
    routed(alarm, route={"receiver": "log", "group_wait": "0s", "repeat_interval": "1h"})
    alarm.fire("flights")
    after(alarm, 0)
    assert [after(alarm, 5 * MINUTE) for _ in range(11)] == [[]] * 11
    (again,) = after(alarm, 5 * MINUTE)
    assert again.what == ("fired", "repeated")
    assert again.payload["title"] == "Low still fires: Low is 0.6, under 0.7"
    assert again.payload["reason"] == "it still needs somebody"


def test_whoever_works_on_an_incident_is_not_reminded_but_when_a_snooze_ends(
    alarm: Alarm,
) -> None:
    routed(alarm, route={"receiver": "log", "group_wait": "0s", "repeat_interval": "1h"})
    alarm.fire("flights")
    after(alarm, 0)
    people = People(alarm.app.records, alarm.clock)
    people.acknowledge(1, Person("ann"))
    assert [after(alarm, HOUR) for _ in range(3)] == [[]] * 3
    people.snooze(1, Person("ann"), 2 * HOUR)
    assert after(alarm, HOUR) == []
    (again,) = after(alarm, HOUR)
    assert again.what == ("fired", "repeated")
    assert [after(alarm, HOUR) for _ in range(3)] == [[]] * 3


def test_news_of_an_alert_goes_to_those_who_know_of_it(alarm: Alarm) -> None:
    episode = alarm.fire("flights")
    after(alarm, 0)
    alarm.news(episode, "flapping")
    (changed,) = after(alarm, 5 * MINUTE)
    assert changed.what == ("fired", "changed")
    assert changed.payload["title"].startswith("Low goes to and fro")


def test_a_silenced_alert_is_kept_and_told_with_the_reason_when_the_silence_ends(
    alarm: Alarm,
) -> None:
    silences = Silences(alarm.app.records, alarm.clock)
    document = {"matchers": ["model=flights"], "duration": "2h", "comment": "we deploy"}
    made = silences.add(document, actor="ann")
    low, over = alarm.fire("flights", "Low"), alarm.fire("flights", "Slow", severity="critical")
    assert after(alarm, 0) == []
    alarm.resolve(over)
    assert after(alarm, HOUR) == []
    silences.expire(made.silence.id, actor="bob")
    (told,) = after(alarm, 5 * MINUTE)
    # The other was never told to fire, and is not told to be over.
    assert (told.alert["episode"], told.what) == (low, ("fired", "released"))
    assert told.payload["title"] == (
        "Low fires (it was silenced by ann until 2026-01-01T14:00:00Z: we deploy): "
        "Low is 0.6, under 0.7"
    )


def test_what_was_told_before_a_silence_is_told_to_be_over_within_it(alarm: Alarm) -> None:
    low, slow = alarm.fire("flights", "Low"), alarm.fire("flights", "Slow")
    after(alarm, 0)
    document = {"matchers": ["model=flights"], "duration": "1h", "comment": "known"}
    Silences(alarm.app.records, alarm.clock).add(document, actor="ann")
    alarm.resolve(low)
    (over,) = after(alarm, 5 * MINUTE)
    assert (over.alert["episode"], over.what) == (low, ("resolved", "resolved"))
    # The other is told again when the silence is over.
    assert after(alarm, 50 * MINUTE) == []
    (again,) = after(alarm, 10 * MINUTE)
    assert (again.alert["episode"], again.what) == (slow, ("fired", "released"))


def test_bad_data_keeps_performance_quiet_until_its_rule_has_looked_once_more(
    alarm: Alarm,
) -> None:
    bad = alarm.fire("flights", "Bad", **BAD_DATA)
    low = alarm.fire("flights", "Low")
    other = alarm.fire("fraud", "Low")
    assert {s.alert["episode"] for s in after(alarm, 0)} == {bad, other}
    alarm.resolve(bad)
    assert [s.alert["episode"] for s in after(alarm, 5 * MINUTE)] == [bad]
    alarm.look("flights")
    (told,) = after(alarm, 5 * MINUTE)
    assert (told.alert["episode"], told.what) == (low, ("fired", "released"))
    assert "(it was inhibited by Bad of flights" in told.payload["title"]


def test_what_was_kept_quiet_and_is_over_with_its_source_is_never_told(alarm: Alarm) -> None:
    bad, low = alarm.fire("flights", "Bad", **BAD_DATA), alarm.fire("flights", "Low")
    after(alarm, 0)
    alarm.resolve(bad)
    alarm.look("flights")
    alarm.resolve(low)
    assert [s.alert["episode"] for s in after(alarm, 5 * MINUTE)] == [bad]
    assert after(alarm, HOUR) == []


def test_a_mute_time_keeps_alerts_until_it_ends(alarm: Alarm) -> None:
    routed(
        alarm,
        route={"receiver": "log", "group_wait": "0s", "mute_times": ["noon"]},
        mute_times=[
            {"name": "noon", "intervals": [{"times": [{"start": "12:00", "end": "13:00"}]}]}
        ],
    )
    alarm.fire("flights")
    assert after(alarm, 0) == []
    assert after(alarm, 59 * MINUTE) == []
    (told,) = after(alarm, 5 * MINUTE)
    assert told.what == ("fired", "released")
    assert "(it was in the mute time noon)" in told.payload["title"]


def test_a_changed_route_tells_new_receivers_and_lets_old_ones_know_the_end(
    alarm: Alarm,
) -> None:
    alarm.receiver("new")
    routed(alarm, route={"receiver": "log", "group_wait": "0s"})
    episode = alarm.fire("flights")
    assert [s.receiver for s in after(alarm, 0)] == ["log"]
    routed(alarm, route={"receiver": "new", "group_by": ["alert"], "group_wait": "30s"})
    assert after(alarm, 0) == []
    assert [s.receiver for s in after(alarm, 30 * SECOND)] == ["new"]
    assert after(alarm, 24 * HOUR - MINUTE)[-1].receiver == "new"
    alarm.resolve(episode)
    over = after(alarm, 5 * MINUTE)
    assert sorted((s.receiver, s.what[0]) for s in over) == [
        ("log", "resolved"),
        ("new", "resolved"),
    ]
    # In the order of their triggers, whatever the groups are by now.
    keys = {s.receiver: s.order_key for s in alarm.said() if s.what[0] == "fired"}
    assert {s.receiver: s.order_key for s in over} == keys


def test_a_receiver_that_is_added_is_told_of_what_fires(alarm: Alarm) -> None:
    alarm.fire("flights")
    after(alarm, 0)
    alarm.receiver("new")
    assert [(s.receiver, s.what) for s in after(alarm, SECOND)] == [("new", ("fired", "new"))]


@pytest.mark.parametrize("looked", [True, False])
def test_a_receiver_that_is_removed_is_told_nothing_and_if_it_comes_back_what_fires(
    alarm: Alarm, looked: bool
) -> None:
    alarm.receiver("pager")
    alarm.fire("flights")
    after(alarm, 0)
    with alarm.app.records.write() as connection:
        remove_receiver(connection, "pager", now=alarm.clock.now)
    assert alarm.app.outgoing.listed(receiver="pager")[0].state == "dropped"
    if looked:
        assert after(alarm, HOUR) == []
    alarm.receiver("pager")
    back = after(alarm, 5 * MINUTE)
    assert [(s.receiver, s.what) for s in back] == [("pager", ("fired", "new"))]
    with alarm.app.records.write() as connection:
        remove_receiver(connection, "pager", now=alarm.clock.now)
    alarm.resolve(alarm.said()[0].alert["episode"])
    assert [s.receiver for s in after(alarm, HOUR)] == ["log"]


def test_an_episode_that_fires_again_is_told_again_under_ids_of_its_own(alarm: Alarm) -> None:
    alarm.receiver("oncall", "pagerduty", routing_key_env="KEY")
    routed(alarm, route={"receiver": "oncall", "group_wait": "0s"})
    episode = alarm.fire("flights")
    after(alarm, 0)
    alarm.resolve(episode)
    after(alarm, 5 * MINUTE)
    alarm.reopen(episode)
    after(alarm, 5 * MINUTE)
    alarm.resolve(episode)
    after(alarm, 5 * MINUTE)
    assert [s.message_id.removeprefix(episode) for s in alarm.said()] == [
        ".fired", ".resolved", ".fired.1", ".resolved.1",
    ]  # fmt: skip


def test_a_clock_that_was_far_ahead_keeps_nobody_waiting(alarm: Alarm) -> None:
    alarm.clock.now += 1_000 * HOUR
    alarm.fire("flights", "Low")
    after(alarm, 0)
    alarm.clock.now -= 1_000 * HOUR
    alarm.fire("flights", "Slow")
    assert [s.alert["alert"] for s in after(alarm, 5 * MINUTE)] == ["Slow"]


def test_a_routing_that_cannot_be_read_any_more_lets_all_be_told(
    alarm: Alarm, caplog: pytest.LogCaptureFixture
) -> None:
    from tocsin.records import routing

    with alarm.app.records.write() as connection:
        routing.set_document(connection, {"route": {"reciver": "log"}}, now=0)
    alarm.fire("flights")
    assert [s.receiver for s in after(alarm, 0)] == ["log"]
    assert "all receivers are told" in caplog.text


def test_a_deleted_model_leaves_messages_that_are_about_others_too(alarm: Alarm) -> None:
    routed(alarm, route={"receiver": "log", "group_by": ["severity"], "group_wait": "0s"})
    alarm.fire("flights", "Low")
    kept = alarm.fire("fraud", "Low")
    assert len(after(alarm, 0)) == 2
    alarm.fire("flights", "Slow")
    assert len(after(alarm, 5 * MINUTE)) == 1
    with alarm.app.records.write() as connection:
        record = models.model_named(connection, "flights")
        deletions.delete_model(connection, record.id, "flights", now=alarm.clock())
    (left,) = alarm.said()
    assert left.alert["episode"] == kept
    assert (left.payload["model"], left.payload["title"].split()[0]) == ("fraud", "Low")
    alarm.resolve(kept)
    assert [s.what[0] for s in after(alarm, 5 * MINUTE)] == ["resolved"]


def test_a_group_that_was_over_waits_for_company_again(alarm: Alarm) -> None:
    routed(alarm, route={"receiver": "log", "group_by": ["model"], "group_wait": "30s"})
    low = alarm.fire("flights", "Low")
    assert len(after(alarm, 30 * SECOND)) == 1
    alarm.resolve(low)
    assert len(after(alarm, 5 * MINUTE)) == 1
    alarm.clock.now += HOUR
    alarm.fire("flights", "Slow")
    assert after(alarm, 20 * SECOND) == []
    alarm.fire("flights", "Late")
    assert len({said.row for said in after(alarm, 10 * SECOND)}) == 1
    first, _, again, _ = alarm.said()
    # Another conversation than the one that is over.
    assert first.order_key != again.order_key


def test_an_alert_stays_in_the_group_that_it_was_told_in(alarm: Alarm) -> None:
    routed(alarm, route={"receiver": "log", "group_by": ["model"], "group_wait": "0s"})
    low, slow = alarm.fire("flights", "Low"), alarm.fire("flights", "Slow")
    after(alarm, 0)
    routed(alarm, route={"receiver": "log", "group_by": ["alert"], "group_wait": "0s"})
    alarm.resolve(low)
    after(alarm, 5 * MINUTE)
    alarm.resolve(slow)
    over = after(alarm, 5 * MINUTE)
    assert [said.alert["episode"] for said in over] == [slow]
    assert len({said.order_key for said in alarm.said()}) == 1


ESCALATES = {
    "receiver": "log",
    "group_wait": "0s",
    "escalate": [
        {"unacked_for": "15m", "receiver": "oncall"},
        {"unacked_for": "1h", "receiver": "boss"},
    ],
}


@pytest.fixture
def escalating(alarm: Alarm) -> Alarm:
    for name in ("oncall", "boss"):
        alarm.receiver(name)
    routed(alarm, route=ESCALATES)
    return alarm


def test_what_nobody_takes_is_escalated_step_by_step(escalating: Alarm) -> None:
    low = escalating.fire("flights", "Low")
    assert [said.receiver for said in after(escalating, 0)] == ["log"]
    assert after(escalating, 14 * MINUTE) == []
    first = after(escalating, MINUTE)
    first += after(escalating, 0)
    assert [(said.receiver, said.what) for said in first] == [("oncall", ("fired", "new"))]
    assert first[0].payload["reason"] == "nobody has acknowledged it"
    # Once, and not again.
    assert after(escalating, 30 * MINUTE) == []
    second = after(escalating, 20 * MINUTE)
    second += after(escalating, 0)
    assert [said.receiver for said in second] == ["boss"]
    escalating.resolve(low)
    over = after(escalating, 5 * MINUTE) + after(escalating, 5 * MINUTE)
    assert sorted(said.receiver for said in over) == ["boss", "log", "oncall"]
    assert {said.what for said in over} == {("resolved", "resolved")}


def test_what_somebody_took_or_what_is_over_is_not_escalated(escalating: Alarm) -> None:
    low = escalating.fire("flights", "Low")
    after(escalating, 0)
    People(escalating.app.records, escalating.clock).acknowledge(1, Person("ann"))
    assert after(escalating, HOUR) + after(escalating, HOUR) == []
    People(escalating.app.records, escalating.clock).withdraw(1, Person("ann"))
    # It was left alone all that time.
    told = after(escalating, 5 * MINUTE) + after(escalating, 0)
    assert sorted(said.receiver for said in told) == ["boss", "oncall"]
    escalating.resolve(low)
    after(escalating, HOUR)
    brief = escalating.fire("fraud", "Low")
    after(escalating, 0)
    escalating.resolve(brief)
    assert {said.receiver for said in after(escalating, HOUR)} == {"log"}


def test_an_escalation_that_was_taken_out_and_put_back_tells_after_all(escalating: Alarm) -> None:
    escalating.fire("flights", "Low")
    after(escalating, 0)
    silent = {"matchers": ["model=flights"], "duration": "20m", "comment": "we deploy"}
    after(escalating, 14 * MINUTE)
    Silences(escalating.app.records, escalating.clock).add(silent, actor="ann")
    # It is escalated, but nobody is told yet.
    for route in (ESCALATES, {"receiver": "log", "group_wait": "0s"}):
        routed(escalating, route=route)
        assert after(escalating, 5 * MINUTE) + after(escalating, 0) == []
    after(escalating, 20 * MINUTE)
    routed(escalating, route=ESCALATES)
    told = after(escalating, 5 * MINUTE) + after(escalating, 0)
    assert [said.receiver for said in told] == ["oncall"]


def test_nobody_hears_of_what_is_silenced_by_escalation(escalating: Alarm) -> None:
    Silences(escalating.app.records, escalating.clock).add(
        {"matchers": ['model="flights"'], "duration": "5h", "comment": "x"}, actor="ann"
    )
    escalating.fire("flights", "Low")
    assert after(escalating, 0) + after(escalating, 2 * HOUR) == []


def test_escalations_name_receivers_that_there_are(alarm: Alarm) -> None:
    wrong = {"unacked_for": "15m", "receiver": "nobody"}
    with pytest.raises(SchemaError, match=r"route.escalate.0.receiver.*no receiver 'nobody'"):
        routed(alarm, route={"receiver": "log", "escalate": [wrong]})


def test_nobody_is_escalated_to_who_would_not_hear_of_it(alarm: Alarm) -> None:
    alarm.receiver("oncall", "pagerduty", routing_key_env="KEY")
    routed(alarm, route={"receiver": "log", "group_wait": "0s"})
    alarm.fire("flights")
    after(alarm, 0)
    with alarm.app.records.write() as connection:
        channels.disable(connection, "oncall", "it answered 410", now=alarm.clock.now)
    with pytest.raises(InvalidInputError, match="oncall is told nothing: it answered 410; choose"):
        People(alarm.app.records, alarm.clock).escalate(1, Person("ann"), "oncall", "look")


def test_what_somebody_escalates_is_told_now_and_its_end_too(alarm: Alarm) -> None:
    alarm.receiver("oncall", "pagerduty", routing_key_env="KEY")
    routed(alarm, route={"receiver": "log", "group_wait": "0s"})
    low = alarm.fire("flights")
    after(alarm, 0)
    people = People(alarm.app.records, alarm.clock)
    silence = {"matchers": ["alert=Low"], "duration": "2h", "comment": "we deploy"}
    Silences(alarm.app.records, alarm.clock).add(silence, actor="ann")
    with pytest.raises(InvalidInputError, match="no receiver 'nobody'; there are log, oncall"):
        people.escalate(1, Person("ann"), "nobody", "look")
    with pytest.raises(InvalidInputError, match="wants to know why"):
        people.escalate(1, Person("ann"), "oncall", " ")
    people.escalate(1, Person("ann"), "oncall", "payments fail")
    (told,) = after(alarm, 0)
    assert (told.receiver, told.what) == ("oncall", ("fired", "new"))
    assert told.payload["reason"] == "ann escalated it: payments fail"
    assert "ann escalated it: payments fail" in sentences(told.payload)
    # Once, until somebody asks again.
    assert after(alarm, 10 * MINUTE) == []
    people.escalate(1, Person("bo"), "oncall", "still")
    (again,) = after(alarm, 0)
    assert (again.what, again.payload["first"]) == (("fired", "repeated"), False)
    assert again.message_id != told.message_id
    alarm.resolve(low)
    over = {said.receiver: said.what for said in after(alarm, 5 * MINUTE)}
    assert over == {"log": ("resolved", "resolved"), "oncall": ("resolved", "resolved")}
    detail = alarm.app.read.incident(1)
    assert detail is not None
    kinds = [entry.text for entry in detail.timeline if entry.kind == "escalated"]
    assert kinds == ["Escalated to oncall: payments fail", "Escalated to oncall: still"]
