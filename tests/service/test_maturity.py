"""Windows are provisional until their labels are there, are revised, and keep what was known."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.api.server import application
from tocsin.app import App, opened
from tocsin.errors import InvalidInputError
from tocsin.records import models, profiles
from tocsin.service.views import Point
from tocsin.settings import Settings
from tocsin.values import HOUR as HOUR_US
from tocsin.values import from_datetime


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = from_datetime(START + timedelta(days=400))

    def __call__(self) -> int:
        return self.now


def _points(feed: Feed, metric: str = "accuracy_score", **asked: Any) -> list[Point]:
    return list(feed.app.read.series(feed.model, metric, window=HOUR_US, **asked).points)


def test_a_window_is_final_once_its_labels_are_learned_to_be_there(feed: Feed) -> None:
    feed.hours(0, 40)
    feed.work()

    detail = feed.app.read.model("late")
    assert detail.maturity is not None
    # Outcomes come two hours after their predictions.
    assert detail.final_after == detail.maturity.delay == 2 * HOUR_US
    points = _points(feed)
    assert [p.final for p in points] == [True] * (len(points) - 2) + [False] * 2


def test_before_anything_is_learned_a_window_is_final_after_the_horizon(feed: Feed) -> None:
    feed.hours(0, 5, labelled=False)
    feed.work()

    assert feed.app.read.model("late").final_after == 30 * 24 * HOUR_US
    assert not any(p.final for p in _points(feed))


def test_a_declared_delay_is_believed(feed: Feed) -> None:
    feed.app.register.change("late", monitor_document(labels={"delay": "3h"}))
    feed.hours(0, 10, labelled=False)
    feed.work()

    assert feed.app.read.model("late").final_after == 3 * HOUR_US


def test_late_truth_makes_a_revision_and_the_earlier_one_can_be_asked_for(tmp_path: Path) -> None:
    clock = Clock()
    with opened(_settings(tmp_path), clock) as app:
        app.register.add("late", monitor_document(segments=["carrier"]), reference(400))
        feed = Feed(app, "late")
        feed.hours(0, 3, labelled=False)
        feed.work()
        before, clock.now = clock.now, clock.now + HOUR_US
        feed.outcomes(*(outcome(f"h0-{i}", 1, timestamp=START + HOUR) for i in range(80)))
        feed.work()

        now, then = _points(feed), _points(feed, as_of=before)
        assert [p.revision for p in now] == [2, 1]
        assert [p.revision for p in then] == [1, 1]
        assert (now[0].coverage, then[0].coverage) == (1.0, 0.0)
        assert _points(feed, as_of=before - 1) == []
        client = TestClient(application(app))
        answer = client.get(
            "/api/v1/models/late/metrics/accuracy_score",
            params={"window": "1h", "as_of": "2014-06-05T00:00:00Z"},
        )
        assert [point["revision"] for point in answer.json()["points"]] == [1, 1]
        with pytest.raises(InvalidInputError, match="not measured then"):
            _points(feed, segment="carrier=AA", as_of=before)


def test_a_window_is_not_revised_with_every_fold_but_in_the_end(tmp_path: Path) -> None:
    clock = Clock()
    with opened(replace(_settings(tmp_path), revise_after=5_000_000), clock) as app:
        app.register.add("late", monitor_document(), reference(400))
        feed = Feed(app, "late")
        feed.hours(0, 3, labelled=False)
        feed.work()
        for i in range(60):
            clock.now += 1_000_000
            feed.outcomes(outcome(f"h0-{i}", 1, timestamp=START + HOUR))
            feed.work()
        assert 5 <= _points(feed)[0].revision <= 14
        assert _points(feed)[0].coverage < 60 / 80

        clock.now += HOUR_US
        feed.work()
        assert _points(feed)[0].coverage == 60 / 80


def test_a_window_that_closes_does_not_wait_for_a_revision(tmp_path: Path) -> None:
    clock = Clock()
    with opened(replace(_settings(tmp_path), revise_after=5_000_000), clock) as app:
        app.register.add("late", monitor_document(), reference(400))
        feed = Feed(app, "late")
        feed.hours(0, 3, labelled=False)
        feed.work()
        feed.outcomes(outcome("h0-1", 1, timestamp=START + HOUR))
        feed.work()
        feed.predictions(prediction("x", timestamp=START + 5 * HOUR))
        feed.work()

        assert [p.revision for p in _points(feed)] == [1, 1, 1]


def _settings(folder: Path) -> Settings:
    return Settings(folder, "127.0.0.1", 1, "http://tocsin.test", None)


def test_a_rebuild_is_seen_while_a_revision_waits(tmp_path: Path) -> None:
    clock = Clock()
    with opened(replace(_settings(tmp_path), revise_after=5_000_000), clock) as app:
        app.register.add("late", monitor_document(), reference(400))
        feed = Feed(app, "late")
        feed.hours(0, 4, labelled=False)
        app.worker.work()
        with app.records.write() as connection:
            record = models.model_named(connection, "late")
            wrong = dict(profiles.stored(connection, record.id, record.plan, 0, 2**62))
            profiles.add(connection, record.id, record.plan, wrong)
            models.mark_changed(connection, record.id, {key.bucket for key in wrong})
        clock.now += 60_000_000
        feed.outcomes(outcome("h0-1", 1, timestamp=START + HOUR))
        feed.work()
        clock.now += 7_000_000
        feed.outcomes(outcome("h0-2", 1, timestamp=START + HOUR))
        feed.work()
        clock.now += 1_000_000
        feed.outcomes(outcome("h0-3", 1, timestamp=START + HOUR))
        feed.work()
        assert _points(feed)[1].rows == 160

        app.rebuild.rebuild("late")
        feed.work()
        assert _points(feed)[1].rows == 80


def test_a_label_counts_once_however_many_windows_have_it(app: App) -> None:
    document = monitor_document(windows=["6h"], labels={"max": "10h"})
    app.register.add("sliding", document, reference(400))
    feed = Feed(app, "sliding")
    feed.hours(0, 31, rows=40)
    feed.work()

    learned = app.read.model("sliding").maturity
    assert learned is not None
    assert 12 * 40 < learned.labels <= 31 * 40
    # Twelve hours is the bin in which ten lie, and nothing comes after those.
    assert learned.arrived[-1] == (10 * HOUR_US, 1.0)
