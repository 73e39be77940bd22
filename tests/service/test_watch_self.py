"""Tocsin about itself: what is wrong is told once, and when it is over; it beats while it lives."""

import operator
import threading
import time
from ipaddress import ip_network

import pytest
import sqlalchemy as sa
from tests.service.conftest import LOOPBACK, PAYLOAD, Clock, Hook
from tests.world import Feed, monitor_document, reference

from tocsin.app import App
from tocsin.notify import Outside
from tocsin.records import outbox
from tocsin.records.outbox import Receiver
from tocsin.records.tables import profiles
from tocsin.service.deliver import Deliver
from tocsin.service.watch_self import EVALUATION_LAG, FOLD_LAG, WatchSelf
from tocsin.values import DAY, MINUTE, SECOND


def watching(app: App, clock: Clock, url: str | None = None, networks=LOOPBACK) -> WatchSelf:
    return WatchSelf(
        app.records, clock, Outside(networks), base_url="http://tocsin.test", heartbeat_url=url,
        behind=app.evaluate.behind, failing=lambda: app.worker.trouble,
    )  # fmt: skip


def told(app: App) -> list[tuple[str, str, str]]:
    found = reversed(app.outgoing.listed())
    return [(one.receiver, one.payload["title"], one.payload["severity"]) for one in found]


def test_a_dead_letter_is_told_to_others_once_and_again_when_it_is_dealt_with(
    app: App, hook: Hook
) -> None:
    clock = Clock()
    with app.records.write() as connection:
        for name in ("first", "second"):
            outbox.set_receiver(
                connection, Receiver(name, "webhook", {"url": f"{hook.url}/{name}"})
            )
        outbox.put(
            connection, receiver="first", order_key="first/e", message_id="e.fired",
            payload={**PAYLOAD, "severity": "info"}, now=clock.now,
        )  # fmt: skip
    hook.statuses.append(400)
    Deliver(app.records, clock, Outside(LOOPBACK)).deliver()
    itself = watching(app, clock)
    for _ in range(3):
        itself.look(alive=True)
        clock.now += MINUTE
    title = "DeadLetters fired for first"
    # Not to the one that cannot be reached.
    assert told(app)[1:] == [("log", title, "critical"), ("second", title, "critical")]
    payload = app.outgoing.listed(receiver="second")[0].payload
    assert payload["model"] == "tocsin"
    assert "1 message was given up for first" in payload["text"]
    assert "answered 400" in payload["text"]
    app.receivers.put("third", {"webhook": {"url": f"{hook.url}/third"}})
    app.outgoing.drop(app.outgoing.listed(state="dead")[0].id, reason="known", actor="ann")
    itself.look(alive=True)
    assert told(app)[-1] == ("second", "DeadLetters resolved for first", "critical")
    # Who did not hear that it began does not hear that it is over.
    assert len(told(app)) == 5


def test_rows_that_wait_too_long_to_be_folded_are_told(app: App, feed: Feed) -> None:
    feed.hours(0, 1, rows=5, labelled=False)
    clock = Clock(time.time_ns() // 1_000)
    itself = watching(app, clock)
    itself.look(alive=True)
    assert told(app) == []
    clock.now += FOLD_LAG
    itself.look(alive=True)
    assert told(app) == [("log", "FoldLag fired", "critical")]
    feed.work()
    itself.look(alive=True)
    assert told(app)[1:] == [("log", "FoldLag resolved", "critical")]


def test_windows_that_wait_too_long_to_be_evaluated_are_told(app: App, feed: Feed) -> None:
    feed.hours(0, 3, rows=5, labelled=False)
    app.fold.fold("late")
    clock = Clock(int(time.time()) * SECOND)
    itself = watching(app, clock)
    itself.look(alive=True)
    clock.now += EVALUATION_LAG - SECOND
    itself.look(alive=True)
    assert told(app) == []
    clock.now += SECOND
    itself.look(alive=True)
    assert told(app) == [("log", "EvaluationLag fired", "warning")]
    feed.work()
    itself.look(alive=True)
    assert told(app)[1:] == [("log", "EvaluationLag resolved", "warning")]


BUSY = {"alert": "Busy", "expr": {"metric": "volume", "window": "1h", "op": ">", "value": 1}}


def test_models_that_cannot_be_evaluated_are_one_alert_and_theirs_stay(app: App) -> None:
    feeds = []
    for name in ("late", "early"):
        app.register.add(name, monitor_document(windows=["1h"], rules=[BUSY]), reference(300))
        feeds.append(Feed(app, name))
        feeds[-1].hours(0, 3, rows=5, labelled=False)
    feeds[0].work()
    clock = Clock(int(time.time()) * SECOND)
    itself = watching(app, clock)
    with app.records.write() as connection:
        kept = connection.execute(sa.select(*profiles.primary_key, profiles.c.vector)).all()
        connection.execute(profiles.update().values(vector=b"rubbish"))
    for feed in feeds:
        feed.hours(3, 5, rows=5, labelled=False)
    with pytest.raises(ExceptionGroup):
        app.worker.work()
    own = len(told(app))
    for _ in range(6):
        itself.look(alive=True)
        clock.now += MINUTE
    assert [title for _, title, _ in told(app)[own:]] == ["EvaluationFailed fired"]
    text = app.outgoing.listed(receiver="log")[0].payload["text"]
    assert text.startswith("nothing can be told of early, late: ")
    assert [one.title for one in app.read.incidents(open_only=True)] == [
        "Number of rows is above 1 over 1h"
    ] * 2

    with app.records.write() as connection:
        for *key, vector in kept:
            mine = sa.and_(*map(operator.eq, profiles.primary_key, key))
            connection.execute(profiles.update().where(mine).values(vector=vector))
    feeds[0].work()
    itself.look(alive=True)
    assert [title for _, title, _ in told(app)[own + 1 :]] == ["EvaluationFailed resolved"]


def test_it_beats_each_minute_while_all_is_alive_and_only_then(app: App, hook: Hook) -> None:
    clock = Clock(DAY)
    itself = watching(app, clock, hook.url)
    beats = 0
    for step in range(24):
        itself.look(alive=step < 18)
        clock.now += 10 * SECOND
    beats = hook.asked
    assert beats == 3


def test_a_heartbeat_goes_through_the_guard_and_hides_its_address(
    app: App, hook: Hook, caplog
) -> None:
    itself = watching(app, Clock(), hook.url + "/secret", (ip_network("10.0.0.0/8"),))
    itself.look(alive=True)
    assert hook.asked == 0
    assert "not on the open internet" in caplog.text
    assert "secret" not in caplog.text


def test_the_worker_is_alive_while_its_loops_come_round(app: App) -> None:
    assert not app.worker.is_alive()
    app.worker.start()
    try:
        deadline = time.monotonic() + 20
        while not app.worker.is_alive() and time.monotonic() < deadline:
            threading.Event().wait(0.02)
        assert app.worker.is_alive()
        assert not app.worker.is_alive(within_s=0)
    finally:
        app.worker.stop()
