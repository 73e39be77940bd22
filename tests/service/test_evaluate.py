"""Windows close by the watermark, late truth revises them, and the numbers are the pandas ones."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.world import HOUR, START, Feed, flights, outcome, prediction

from tocsin.values import HOUR as HOUR_US
from tocsin.values import Bounded, Undefined, from_datetime


def _end(hour: int) -> int:
    return from_datetime(START + HOUR * hour)


def test_a_window_closes_when_the_watermark_passes_its_end(feed: Feed) -> None:
    feed.predictions(prediction("a"), prediction("b", timestamp=START + HOUR))
    feed.work()
    assert feed.app.read.series("late", "mean_score", window=HOUR_US).points == ()

    # The allowed lateness is a minute.
    feed.predictions(prediction("c", timestamp=START + HOUR + HOUR / 60))
    feed.work()
    points = feed.app.read.series("late", "mean_score", window=HOUR_US).points
    assert [point.window.end for point in points] == [_end(1)]


def test_late_labels_revise_the_windows_that_hold_their_predictions(feed: Feed) -> None:
    feed.hours(0, 3, labelled=False)
    feed.work()
    first = feed.app.read.series("late", "roc_auc", window=HOUR_US).points[0]
    assert isinstance(first.measure, Undefined)
    assert first.measure.reason == "no outcomes yet"

    feed.outcomes(*(outcome(f"h0-{i}", i % 2, timestamp=START + 5 * HOUR) for i in range(80)))
    feed.work()
    revised = feed.app.read.series("late", "roc_auc", window=HOUR_US).points
    assert [point.revision for point in revised] == [2, 1]
    assert isinstance(revised[0].measure, Bounded)
    assert revised[0].coverage == 1.0


def test_a_late_prediction_revises_its_windows_too(feed: Feed) -> None:
    feed.hours(0, 3)
    feed.work()
    feed.predictions(prediction("late-comer", timestamp=START))
    feed.work()

    points = feed.app.read.series("late", "mean_score", window=HOUR_US).points
    assert (points[0].rows, points[0].revision) == (81, 2)


def test_the_windows_of_a_catch_up_equal_those_of_small_steps(feed: Feed) -> None:
    for hour in range(30):
        feed.hours(hour, hour + 1)
        feed.work()
    small = feed.app.read.series("late", "brier_score", window=24 * HOUR_US).points

    other = type(feed)(feed.app, "late2")
    from tests.world import monitor_document, reference

    feed.app.register.add("late2", monitor_document(), reference())
    other.hours(0, 30)
    other.work()
    large = feed.app.read.series("late2", "brier_score", window=24 * HOUR_US).points

    # What closed last had fewer labels while steps were small: only full windows compare.
    pairs = [(s, b) for s, b in zip(small, large, strict=True) if s.coverage == b.coverage]
    assert pairs
    for step, leap in pairs:
        assert isinstance(step.measure, Bounded)
        assert isinstance(leap.measure, Bounded)
        assert step.measure.value == pytest.approx(leap.measure.value)


def test_a_windows_auc_is_that_of_its_rows_within_the_stated_error(feed: Feed) -> None:
    feed.hours(0, 26)
    feed.work()

    point = feed.app.read.series("late", "roc_auc", window=24 * HOUR_US).points[-1]
    made = [flights(80, seed=1_000 + hour) for hour in range(1, 25)]
    first_hour = (point.window.start - from_datetime(START)) // HOUR_US
    assert first_hour == 1
    exact = roc_auc_score(
        np.concatenate([m.late for m in made]), np.concatenate([m.score for m in made])
    )
    assert isinstance(point.measure, Bounded)
    assert point.coverage == 1.0
    assert abs(point.measure.value - exact) <= point.measure.error
    assert point.measure.low is not None
    assert point.measure.high is not None
    assert point.measure.low < exact < point.measure.high


def test_a_gap_of_years_in_the_data_makes_no_empty_windows(feed: Feed) -> None:
    feed.hours(0, 2)
    feed.work()
    feed.hours(24 * 365 * 5, 24 * 365 * 5 + 2)
    feed.work()

    assert feed.app.read.summary("late")["windows_evaluated"] < 200


def test_the_version_shown_is_the_one_that_predicts_now(feed: Feed) -> None:
    assert feed.app.read.overviews()[0].version == "unknown"
    for hour, version in enumerate(["1", "2", "2", "2"] * 7):
        at = START + HOUR * hour
        feed.predictions(prediction(f"p{hour}", timestamp=at, model_version=version))
    feed.work()

    assert feed.app.read.overviews()[0].version == "2"
