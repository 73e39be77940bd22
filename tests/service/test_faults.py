"""Faults that stay where they are: one model, one rule, one receiver, one row at a time."""

import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import App
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.notify import Outside
from tocsin.records import models, outbox
from tocsin.records.outbox import Receiver
from tocsin.records.tables import outbox as outbox_table
from tocsin.service.deliver import Deliver
from tocsin.service.fold import Fold
from tocsin.values import HOUR as HOUR_US
from tocsin.values import SECOND

LOOPBACK = (ip_network("127.0.0.0/8"),)


def test_a_timestamp_from_before_1970_is_quarantined(feed: Feed) -> None:
    receipt = feed.predictions(
        prediction("old", timestamp=datetime(1, 1, 1, tzinfo=UTC)), prediction("good")
    )
    feed.work()

    assert (receipt.accepted, receipt.quarantined) == (1, 1)
    assert feed.total("n") == 1


def test_a_timestamp_at_the_start_of_1970_does_not_stop_the_fold(feed: Feed) -> None:
    feed.predictions(prediction("old", timestamp=datetime(1970, 1, 1, tzinfo=UTC)))
    feed.outcomes(outcome("old", 1, timestamp=datetime(1970, 1, 1, tzinfo=UTC)))
    feed.work()

    assert feed.total("labelled") == 1


def test_one_model_that_cannot_be_folded_keeps_no_other_from_its_windows(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("late", "other"):
        app.register.add(name, monitor_document(), reference(400))
        Feed(app, name).hours(0, 3)
    real = Fold.fold

    def failing(self: Fold, model: str, **options: Any) -> int:
        if model == "late":
            raise OSError("the disk of this model is gone")
        return real(self, model, **options)

    monkeypatch.setattr(Fold, "fold", failing)
    with pytest.raises(ExceptionGroup):
        app.worker.work()

    assert app.read.summary("other")["windows_evaluated"] > 0


def test_a_model_that_fails_each_time_rests_while_the_others_go_on_at_once(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("late", "other"):
        app.register.add(name, monitor_document(), reference(400))
        Feed(app, name).hours(0, 1)
    real, tries, folded = Fold.fold, 0, threading.Semaphore(0)
    rests = threading.Event()

    def failing(self: Fold, model: str, **options: Any) -> int:
        nonlocal tries
        if model == "late":
            tries += 1
            if tries == 6:
                rests.set()
            raise OSError("the disk of this model is gone")
        rows = real(self, model, **options)
        folded.release()
        return rows

    monkeypatch.setattr(Fold, "fold", failing)
    clock = Clock(rests)
    monkeypatch.setattr(app.worker._trouble, "_monotonic", clock)
    app.worker.start()
    try:
        assert rests.wait(60)
        for hour in range(1, 5):
            assert folded.acquire(timeout=60)
            Feed(app, "other").hours(hour, hour + 1)
            app.worker.wake()
        assert folded.acquire(timeout=60)
        assert tries == 6
        (trouble,) = app.worker.trouble
        assert (trouble.work, trouble.model, trouble.failures) == ("fold", "late", 6)
        assert trouble.error == "OSError: the disk of this model is gone"
    finally:
        app.worker.stop()


class Clock:
    """Every look takes a minute, until it stops."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._now_s = 0.0

    def __call__(self) -> float:
        if not self._stopped.is_set():
            self._now_s += 60.0
        return self._now_s


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("days", "counted"), [(0, 1), (1, 1), (2, 2), (5, 2)])
def test_what_is_a_repeat_does_not_depend_on_the_batch(
    feed: Feed, days: int, counted: int, *, together: bool
) -> None:
    feed.predictions(prediction("a"))
    if not together:
        feed.work()
    # A row of long ago widens the days that the fold looks at.
    feed.predictions(
        prediction("b", timestamp=START - timedelta(days=30)),
        prediction("a", timestamp=START + timedelta(days=days)),
    )
    feed.work()

    assert feed.total("n") == counted + 1


def test_the_alerts_of_a_rule_that_is_removed_are_over(app: App) -> None:
    expr = {"metric": "label_rate", "window": "1h", "op": ">", "value": 0.01}
    app.register.add("late", monitor_document(rules=[{"alert": "A", "expr": expr}]), reference())
    feed = Feed(app, "late")
    feed.hours(0, 4)
    feed.work()
    assert len(app.read.incidents(open_only=True)) == 1

    app.register.change("late", monitor_document(rules=[]))
    feed.hours(4, 6)
    feed.work()

    assert app.read.incidents(open_only=True) == []
    assert app.read.overviews()[0].condition == "healthy"


def test_late_truth_about_an_old_window_does_not_move_an_open_incident(app: App) -> None:
    expr = {"metric": "label_rate", "window": "1h", "op": ">", "value": 0.01}
    app.register.add("late", monitor_document(rules=[{"alert": "A", "expr": expr}]), reference())
    feed = Feed(app, "late")
    feed.hours(0, 8)
    feed.work()
    (before,) = app.read.incidents(open_only=True)

    feed.outcomes(outcome("h0-0", 1, timestamp=START + 9 * HOUR))
    feed.work()

    (after,) = app.read.incidents(open_only=True)
    assert (after.window_end, after.causes) == (before.window_end, before.causes)


def test_a_rebuild_mends_the_windows_of_a_profile_that_was_wrong(feed: Feed) -> None:
    feed.hours(0, 4)
    feed.work()
    with feed.app.records.write() as connection:
        record = models.model_named(connection, "late")
        from tocsin.records import profiles

        wrong = dict(profiles.stored(connection, record.id, record.plan, 0, 2**62))
        profiles.add(connection, record.id, record.plan, wrong)
        models.mark_changed(connection, record.id, {key.bucket for key in wrong})
    feed.work()
    assert feed.app.read.series("late", "mean_score", window=HOUR_US).points[0].rows == 160

    feed.app.rebuild.rebuild("late")
    feed.work()
    assert feed.app.read.series("late", "mean_score", window=HOUR_US).points[0].rows == 80


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({"url": "http://[::1"}, "dead"),
        ({"url": "http://127.0.0.1:9", "secret_env": "SECRET"}, "pending"),
    ],
)
def test_a_message_that_cannot_be_made_is_not_left_leased(
    app: App, options: dict[str, Any], state: str
) -> None:
    with app.records.write() as connection:
        outbox.set_receiver(connection, Receiver("hook", "webhook", options))
        outbox.put(
            connection, receiver="hook", order_key="k", message_id="m", payload={}, now=SECOND
        )
    Deliver(app.records, lambda: SECOND, Outside(LOOPBACK, secrets=lambda _: "nine char")).deliver()

    assert app.read.status().outbox == {state: 1}


def test_a_receiver_that_hangs_does_not_starve_the_others(app: App) -> None:
    now = SECOND
    with app.records.write() as connection:
        outbox.set_receiver(
            connection, Receiver("gone", "webhook", {"url": "http://127.0.0.1:1/x"})
        )
        for i in range(50):
            outbox.put(
                connection, receiver="gone", order_key=f"g{i}", message_id=f"g{i}", payload={},
                now=now,
            )  # fmt: skip
        payload = {"causes": [], **dict.fromkeys(("model", "event", "title", "text", "url"), "x")}
        outbox.put(
            connection, receiver="log", order_key="l", message_id="l", payload=payload, now=now + 1
        )
    # Every try fails after its back-off is over: some old message is always due.
    clock = [now]
    outside = Outside(LOOPBACK)
    deliver = Deliver(app.records, lambda: clock[0], outside, jitter=lambda: 0.0)
    for _ in range(60):
        clock[0] += 1
        deliver.deliver()

    assert app.read.status().outbox["delivered"] == 1


@pytest.mark.parametrize(
    ("column", "values", "named"),
    [
        ("late", ["yes", "no"], "holds 'yes', which is none of 0, 1"),
        ("late", [1, 2], "holds '2'"),
        ("p", [20.0, 80.0], "has to be a probability"),
    ],
)
def test_a_reference_whose_values_do_not_fit_is_refused(
    app: App, column: str, values: list[Any], named: str
) -> None:
    table = reference(2)
    at = table.column_names.index(column)
    with pytest.raises(SchemaError, match=named):
        app.register.add("late", monitor_document(), table.set_column(at, column, pa.array(values)))


def test_classes_may_have_names(app: App) -> None:
    document = monitor_document()
    document["schema"] |= {"positive": "late", "negative": "on time"}
    table = reference(400)
    named = pa.array(["late" if label else "on time" for label in table["late"].to_pylist()])
    app.register.add("late", document, table.set_column(3, "late", named))
    feed = Feed(app, "late")
    feed.predictions(prediction("a"), prediction("b"), prediction("c"))
    receipt = feed.outcomes(outcome("a", "late"), outcome("b", "on time"), outcome("c", "1"))
    feed.work()

    assert receipt.quarantined == 1
    assert (feed.total("labelled"), feed.total("label")) == (2, 1)


@pytest.mark.parametrize("name", ["a\nb", "a/b", " ", "x" * 201])
def test_a_name_that_no_address_could_hold_is_refused(app: App, name: str) -> None:
    with pytest.raises(SchemaError, match="name of a model"):
        app.register.add(name, monitor_document(), reference(100))


def test_a_rebuild_from_a_lake_that_lost_rows_is_refused_and_changes_nothing(feed: Feed) -> None:
    import shutil

    feed.hours(0, 3)
    feed.work()
    before = feed.profiles()
    shutil.rmtree(feed.app.settings.data / "lake")

    with pytest.raises(InvalidInputError, match="has 0 of its 240 counted predictions"):
        feed.app.rebuild.rebuild("late")
    assert feed.profiles().keys() == before.keys()


def test_a_column_that_varies_much_can_still_drift() -> None:
    from tocsin.drift import Verdict, divergence, shifts

    # All rows at an end of the range, where windows like this one had a distance of up to 0.9.
    reference_counts = np.array([1000.0] * 20 + [0.0])
    current = np.array([0.0] * 20 + [800.0])
    history = [0.4, 0.5, 0.6, 0.45, 0.55, 0.5, 0.48, 0.9]
    found = shifts({"x": divergence(reference_counts, current)}, {"x": 0.0}, {"x": history})

    assert found["x"].verdict is Verdict.DRIFT


def test_a_reference_of_one_row_still_gives_windows(app: App) -> None:
    app.register.add("late", monitor_document(), reference(1))
    feed = Feed(app, "late")
    feed.hours(0, 3)
    feed.work()

    assert app.read.summary("late")["windows_evaluated"] > 0


def test_what_a_message_says_is_about_its_own_alert(app: App) -> None:
    rules = [
        {"alert": name, "expr": {"metric": metric, "window": "1h", "op": ">", "value": 0.01}}
        for name, metric in (("A", "label_rate"), ("B", "prediction_rate"))
    ]
    app.register.add("late", monitor_document(rules=rules), reference())
    feed = Feed(app, "late")
    feed.hours(0, 4)
    feed.work()

    assert app.notify.flush()
    with app.records.read() as connection:
        (group,) = connection.execute(sa.select(outbox_table.c.payload)).scalars().all()
    payloads = group["alerts"]
    assert {payload["title"][:7] for payload in payloads} == {"A fired", "B fired"}
    assert len({payload["incident_title"] for payload in payloads}) == 1


@pytest.mark.parametrize(
    "said",
    ["2013-05-01T00:00:00", "yesterday", 17, None, [], {"at": 1}, "9999-12-31T23:59:59+14:00", ""],
)
def test_a_time_that_cannot_be_read_does_not_stop_the_fold(feed: Feed, said: Any) -> None:
    feed.predictions({**prediction("odd"), "timestamp": said}, prediction("good"))
    feed.work()
    assert feed.total("n") >= 1
    assert feed.app.worker.trouble == []
