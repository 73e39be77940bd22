"""Exactly once, whatever the order, the repeats and the crashes."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.world import HOUR, START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import opened
from tocsin.settings import Settings


def test_a_prediction_is_counted_once_however_often_it_is_sent(feed: Feed) -> None:
    feed.predictions(prediction("a"), prediction("a"))
    feed.work()
    feed.predictions(prediction("a", distance=5.0))
    feed.work()

    assert feed.total("n") == 1
    assert feed.app.read.summary("late")["repeated"] == 2


def test_the_first_prediction_with_an_id_counts(feed: Feed) -> None:
    feed.predictions(prediction("a", p=0.25), prediction("a", p=0.75))
    feed.work()

    assert feed.total("score") == pytest.approx(0.25)


def test_an_outcome_may_come_before_its_prediction(feed: Feed) -> None:
    feed.outcomes(outcome("a", 1))
    feed.work()
    assert feed.total("labelled") == 0

    feed.predictions(prediction("a"))
    feed.work()
    assert feed.total("labelled") == 1
    assert feed.total("label") == 1


def test_a_corrected_outcome_replaces_the_earlier_one(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1, timestamp=START + HOUR))
    feed.work()
    feed.outcomes(outcome("a", 0, timestamp=START + 2 * HOUR))
    feed.work()

    assert (feed.total("labelled"), feed.total("label")) == (1, 0)


def test_an_outcome_that_is_older_than_the_known_one_changes_nothing(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1, timestamp=START + 2 * HOUR))
    feed.work()
    feed.outcomes(outcome("a", 0, timestamp=START + HOUR))
    feed.work()

    assert (feed.total("labelled"), feed.total("label")) == (1, 1)


def test_of_outcomes_with_one_timestamp_the_one_that_came_last_counts(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1), outcome("a", 0))
    feed.work()
    assert feed.total("label") == 0

    feed.outcomes(outcome("a", 1))
    feed.work()
    assert feed.total("label") == 1


def test_an_outcome_beyond_the_horizon_is_kept_but_does_not_count(feed: Feed) -> None:
    feed.predictions(prediction("a"), prediction("b"))
    feed.outcomes(
        outcome("a", 1, timestamp=START + timedelta(days=30)),
        outcome("b", 1, timestamp=START + timedelta(days=30, microseconds=1)),
    )
    feed.work()

    assert feed.total("labelled") == 1


def test_a_score_exactly_on_the_threshold_is_counted_as_positive(feed: Feed) -> None:
    feed.predictions(prediction("a", p=0.5), prediction("b", p=0.4999999))
    feed.work()

    assert feed.total("predicted_positive") == 1


def test_rows_of_two_versions_are_kept_apart(feed: Feed) -> None:
    feed.predictions(prediction("a", model_version="1"), prediction("b", model_version="2"))
    feed.work()

    assert {key.version for key in feed.profiles()} == {"1", "2"}


def test_data_may_lie_in_a_folder_with_spaces_and_accents(tmp_path: Path) -> None:
    with _world(tmp_path / "été 100% à *moi*?") as feed:
        feed.predictions(prediction("a"))
        feed.work()
        feed.outcomes(outcome("a", 1))
        feed.work()

        assert feed.total("labelled") == 1


def test_a_rebuild_gives_the_same_profiles(feed: Feed) -> None:
    feed.hours(0, 30)
    feed.work()
    feed.outcomes(outcome("h3-1", 0, timestamp=START + 40 * HOUR), outcome("nobody", 1))
    feed.work()
    before = feed.profiles()

    assert feed.app.rebuild.rebuild("late") == feed.sent
    after = feed.profiles()

    assert before.keys() == after.keys()
    for key, vector in before.items():
        np.testing.assert_allclose(after[key], vector, rtol=1e-9, atol=1e-9)


@contextmanager
def _world(folder: Path) -> Iterator[Feed]:
    where = Settings(folder, "127.0.0.1", 8765, "http://tocsin.test", None)
    with opened(where) as app:
        app.register.add("late", monitor_document(), reference(400))
        yield Feed(app, "late")
