"""Rows expire by the age that the monitor gives them; what is known of them stays."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from tests.world import START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import App, opened
from tocsin.declared import parse_monitor
from tocsin.engines import LocalEngine
from tocsin.errors import InvalidInputError, SchemaError
from tocsin.lake import ModelLake, Table
from tocsin.records import models
from tocsin.service.retain import Retain
from tocsin.settings import Settings
from tocsin.values import DAY, SECOND, from_datetime
from tocsin.values import HOUR as HOUR_US

DAYS = 8
FIRST = date(2013, 5, 1)


def document(**changes: Any) -> dict[str, Any]:
    return monitor_document(
        **{"labels": {"max": "1d"}, "windows": ["1h", "24h"], "retention": "3d", **changes}
    )


@dataclass
class Clock:
    now: int = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def feed(settings: Settings, clock: Clock) -> Iterator[Feed]:
    """A model whose rows of eight days were folded, none of them expired yet."""
    with opened(settings, clock) as app:
        app.register.add("late", document(), reference(400))
        found = Feed(app, "late")
        found.hours(0, 1, rows=5)
        found.work()
        for day in range(DAYS):
            found.hours(24 * day + 12, 24 * day + 15, rows=20)
            app.fold.fold("late")
        found.work()
        yield found


def lake_of(feed: Feed) -> ModelLake:
    with feed.app.records.read() as connection:
        record = models.model_named(connection, "late")
    monitor = parse_monitor("late", record.monitor)
    return feed.app.retain._lake.model(record.id, "late", monitor.schema)


def expire(feed: Feed, clock: Clock) -> None:
    clock.now += HOUR_US
    feed.work()


def assert_same(found: Any, wanted: Any) -> None:
    assert found.keys() == wanted.keys()
    for key, vector in wanted.items():
        np.testing.assert_allclose(found[key], vector, rtol=1e-9, atol=1e-9)


def test_days_older_than_the_retention_expire_and_their_numbers_stay(
    feed: Feed, clock: Clock
) -> None:
    before, lake = feed.profiles(), lake_of(feed)
    points = feed.app.read.series("late", "coverage", window=HOUR_US).points
    assert lake.days() == [FIRST + timedelta(days=i) for i in range(DAYS)]
    expire(feed, clock)

    lake = lake_of(feed)
    # The newest is of the afternoon of the 8th: three days before it is the 5th.
    assert lake.days() == [FIRST + timedelta(days=i) for i in range(4, DAYS)]
    assert min(lake._tables.days(Table.OUTCOMES)) == FIRST + timedelta(days=3)
    assert lake.removed(Table.PREDICTIONS) == 5 + 4 * 60
    assert_same(feed.profiles(), before)
    assert feed.app.read.series("late", "coverage", window=HOUR_US).points == points


def test_without_a_retention_everything_stays(feed: Feed, clock: Clock) -> None:
    feed.app.register.change("late", document(retention=None))
    expire(feed, clock)
    assert len(lake_of(feed).days()) == DAYS


def test_it_is_looked_after_at_most_once_an_hour(feed: Feed, clock: Clock) -> None:
    clock.now += HOUR_US - 1
    feed.work()
    assert len(lake_of(feed).days()) == DAYS
    clock.now += 1
    assert feed.app.retain.waiting() == ["late"]
    feed.work()
    assert feed.app.retain.waiting() == []
    assert len(lake_of(feed).days()) == 4


@pytest.mark.parametrize("how", ["rebuild", "engine"])
@pytest.mark.parametrize("granularity", ["1h", "7h"])
def test_a_rebuild_on_the_same_plan_keeps_what_expired(
    feed: Feed, clock: Clock, how: str, granularity: str
) -> None:
    windows = ["7h", "21h"] if granularity == "7h" else ["1h", "24h"]
    feed.app.register.change("late", document(granularity=granularity, windows=windows))
    # Around the midnight from which on rows are kept, which is inside a bucket of seven hours.
    feed.hours(4 * 24 - 1, 4 * 24 + 1, rows=20)
    feed.work()
    before = feed.profiles()
    expire(feed, clock)
    engine = LocalEngine(2)
    if how == "rebuild":
        feed.app.rebuild.rebuild("late")
    else:
        feed.app.profile_source.rebuild("late", engine)
    engine.close()
    assert_same(feed.profiles(), before)


def test_another_plan_drops_what_expired_and_says_so(feed: Feed, clock: Clock) -> None:
    expire(feed, clock)
    feed.app.register.change("late", document(segments=["carrier"]))
    feed.work()

    first_kept = from_datetime(START + timedelta(days=4))
    assert min(key.bucket for key in feed.profiles()) >= first_kept
    assert feed.total("n") == 4 * 60
    notes = feed.app.read.model("late").notes
    assert "The profiles of before 2013-05-05 were dropped" in notes[-1]
    # Only the first time is there something to drop.
    feed.app.register.change("late", document(segments=[]))
    assert not any("dropped" in note for note in feed.app.read.model("late").notes)


def test_rows_that_come_after_their_day_expired_count_once(feed: Feed, clock: Clock) -> None:
    expire(feed, clock)
    feed.predictions(prediction("very late", timestamp=START))
    feed.outcomes(outcome("very late", 1, timestamp=START))
    feed.work()
    before = feed.profiles()
    total = feed.total("n")
    feed.app.rebuild.rebuild("late")
    assert (feed.total("n"), total) == (5 + DAYS * 60 + 1, 5 + DAYS * 60 + 1)
    assert_same(feed.profiles(), before)

    expire(feed, clock)
    assert lake_of(feed).days()[0] == FIRST + timedelta(days=4)
    feed.app.rebuild.rebuild("late")
    assert_same(feed.profiles(), before)


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_crash_while_rows_expire_loses_no_number(
    feed: Feed, clock: Clock, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    before = feed.profiles()
    real, calls = ModelLake.expire, iter(range(done))

    def dying(self: ModelLake, table: Table, day: date) -> int:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return real(self, table, day)

    with monkeypatch.context() as patch:
        patch.setattr(ModelLake, "expire", dying)
        with pytest.raises(KeyboardInterrupt):
            expire(feed, clock)
    feed.app.rebuild.rebuild("late")
    assert_same(feed.profiles(), before)
    feed.work()
    assert len(lake_of(feed).days()) == 4
    feed.app.rebuild.rebuild("late")
    assert_same(feed.profiles(), before)


def test_rows_that_are_lost_are_still_told_from_those_that_expired(
    feed: Feed, clock: Clock
) -> None:
    expire(feed, clock)
    lake = lake_of(feed)
    from deltalake import DeltaTable

    folder = next((feed.app.settings.data / "lake").glob("late-*")) / "predictions"
    assert lake.days()
    DeltaTable(folder).delete("date = '2013-05-06'")
    with pytest.raises(InvalidInputError, match="has 425 of its 485 counted predictions"):
        feed.app.rebuild.rebuild("late")


def test_a_longer_retention_does_not_bring_rows_back(feed: Feed, clock: Clock) -> None:
    expire(feed, clock)
    before = feed.profiles()
    feed.app.register.change("late", document(retention="90d"))
    expire(feed, clock)
    feed.app.rebuild.rebuild("late")
    assert_same(feed.profiles(), before)


def test_files_are_looked_after_once_a_day(
    feed: Feed, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[datetime] = []
    monkeypatch.setattr(ModelLake, "tidy", lambda _self, *, now: seen.append(now))
    for _ in range(49):
        expire(feed, clock)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("retention", "message"),
    [
        ("1d", "retention 24h is shorter than labels.max 24h and the largest window 24h together; "
               "write at least 2d"),
        ("0d", "retention: .*has no room for rows"),
        ("long", "retention: .*is not a duration"),
        (90, "retention: .*write a duration"),
    ],
)  # fmt: skip
def test_a_retention_that_cannot_be_is_refused(retention: Any, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        parse_monitor("late", document(retention=retention))


def test_the_least_retention_is_enough() -> None:
    assert parse_monitor("late", document(retention="2d")).retention == 2 * DAY
    assert parse_monitor("late", monitor_document()).retention is None


def test_a_retention_shorter_than_the_join_is_refused() -> None:
    joined = {"join": {"on": ["customer"], "within": "5d"}}
    with pytest.raises(SchemaError, match=r"shorter than join\.within 5d"):
        parse_monitor("late", document(retention="3d", **joined))
    assert parse_monitor("late", document(retention="6d", **joined)).retention == 6 * DAY


def test_models_are_looked_after_one_at_a_time_between_folds(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        app.register.add(name, monitor_document(), reference(100))
    real, looked_after = type(app.retain).retain, []

    def told(self: Retain, model: str) -> int:
        looked_after.append(model)
        return real(self, model)

    monkeypatch.setattr(Retain, "retain", told)
    app.worker.work()
    assert looked_after == ["a"]
    Feed(app, "c").predictions(prediction("x"))
    Feed(app, "c").work()

    assert looked_after == ["a", "b", "c"]
