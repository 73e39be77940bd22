"""A feed that stops is noticed by the clock, once it is sure that nothing is on its way."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.world import HOUR, START, Feed, monitor_document, prediction, reference

from tocsin.app import App, opened
from tocsin.records import evaluations
from tocsin.records.alerts import Episode
from tocsin.settings import Settings
from tocsin.values import MINUTE, from_datetime

QUALITY = {"alert": "DataQuality", "expr": {"metric": "quality", "window": "1h"}}
VOLUME = {
    "alert": "Few",
    "expr": {"metric": "volume", "window": "1h", "op": "<", "value": 10},
    "min_samples": 5,
}
NO_DATA = {"alert": "Drift", "expr": {"metric": "drift", "window": "1h"}, "no_data": "no_data"}


@dataclass
class Clock:
    """The wall clock of a test."""

    now: datetime

    def __call__(self) -> int:
        return from_datetime(self.now)


@dataclass
class Live:
    """A model that is fed as time goes by."""

    app: App
    clock: Clock
    sent: int = 0

    def send(self, n: int = 40) -> None:
        """Predictions of this moment."""
        feed = Feed(self.app, "late")
        feed.predictions(
            *(prediction(f"{self.sent + i}", timestamp=self.clock.now) for i in range(n))
        )
        self.sent += n

    def wait(self, hours: float, *, rows: int = 0, step: timedelta = timedelta(minutes=5)) -> None:
        """Let time go by, with rows each half of an hour."""
        until = self.clock.now + hours * HOUR
        while self.clock.now < until:
            self.clock.now += step
            if rows and from_datetime(self.clock.now) % (30 * MINUTE) == 0:
                self.send(rows)
            Feed(self.app, "late").work()

    def episodes(self) -> list[Episode]:
        return [
            episode
            for incident in self.app.read.incidents()
            for episode in (self.app.read.incident(incident.id) or pytest.fail("gone")).episodes
        ]

    def open(self) -> list[tuple[str, str]]:
        return sorted((e.rule, e.instance) for e in self.episodes() if e.resolved is None)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    clock = Clock(START)
    where = Settings(tmp_path / "data", "127.0.0.1", 1, "http://tocsin.test", None, revise_after=0)
    with opened(where, clock) as app:
        yield Live(app, clock)


def watch(live: Live, *rules: dict[str, Any], **changes: Any) -> None:
    document = monitor_document(
        windows=["1h"],
        rules=list(rules),
        **{"quality": {"freshness": "90m", "volume": {"min": 1}}} | changes,
    )
    live.app.register.add("late", document, reference(500))


def test_a_feed_that_stops_rings_and_ends_when_it_is_back(live: Live) -> None:
    watch(live, QUALITY, VOLUME, NO_DATA)
    live.wait(3, rows=40)
    assert live.open() == []
    live.wait(1.25)
    # An hour without rows is over, but gaps of an hour and a half are declared to be usual.
    assert live.open() == []
    live.wait(1)
    assert live.open() == [("DataQuality", "volume"), ("Drift", "no_rows"), ("Few", "")]
    quality = next(e for e in live.episodes() if e.rule == "DataQuality")
    assert quality.text.startswith("0 rows; at least 1")
    (incident,) = live.app.read.incidents(open_only=True)
    assert incident.title
    live.wait(2.5, rows=40)
    assert live.open() == []


def test_how_long_gaps_are_usually_is_learned(live: Live) -> None:
    watch(live, VOLUME, quality={})
    live.wait(30, rows=20, step=timedelta(minutes=30))
    live.wait(1.5)
    assert live.open() == []
    live.wait(2)
    assert live.open() == [("Few", "")]


def test_rows_that_come_after_all_take_it_back(live: Live) -> None:
    watch(live, VOLUME)
    live.wait(3, rows=40)
    live.wait(2.25)
    assert live.open() == [("Few", "")]
    late = live.clock.now
    Feed(live.app, "late").predictions(
        *(
            prediction(
                f"spilled-{i}", timestamp=late - timedelta(minutes=150) + i * timedelta(minutes=2)
            )
            for i in range(70)
        )
    )
    live.wait(0.25)
    assert live.open() == []
    assert all(e.retracted for e in live.episodes())


def test_nothing_is_said_of_the_time_in_which_nobody_watched(live: Live) -> None:
    watch(live, VOLUME)
    live.wait(3, rows=40)
    # The machine slept; clients may still hold the rows of that time.
    live.clock.now += 8 * HOUR
    live.wait(0.5)
    assert live.open() == []
    live.wait(1)
    assert live.open() == [("Few", "")]


def test_a_replay_of_old_rows_is_never_silent(live: Live) -> None:
    watch(live, VOLUME)
    old = START - timedelta(days=30)
    Feed(live.app, "late").predictions(
        *(prediction(f"{i}", timestamp=old + i * timedelta(minutes=1)) for i in range(600))
    )
    live.wait(3)
    assert live.episodes() == []


def test_silence_is_evaluated_for_two_days_of_hours_at_most(live: Live) -> None:
    watch(live, VOLUME)
    live.wait(2, rows=40)
    live.wait(60, step=timedelta(minutes=9))
    view = live.app.quality.view("late")
    with live.app.records.read() as connection:
        found = evaluations.at(
            connection, 1, view.spec.size, [from_datetime(START + i * HOUR) for i in range(70)]
        )
    assert sum(evaluation.rows == 0 for evaluation in found.values()) == 48
    assert live.open() == [("Few", "")]


def test_a_gap_that_ended_before_anybody_noticed_is_on_record(live: Live) -> None:
    watch(live, VOLUME, NO_DATA)
    live.wait(3, rows=40)
    # The machine slept; rows came again before it was awake for an hour.
    live.clock.now += 6 * HOUR
    live.wait(2.25, rows=40)
    gap = [(e.rule, e.instance) for e in live.episodes()]
    assert sorted(gap) == [("Drift", "no_rows"), ("Few", "")]
    assert live.open() == []


def test_a_gap_no_longer_than_usual_is_none(live: Live) -> None:
    watch(live, VOLUME)
    live.wait(3, rows=40)
    live.clock.now += timedelta(minutes=85)
    live.wait(2, rows=40, step=timedelta(minutes=5))
    assert live.episodes() == []
