"""Outcomes that can never count are told apart, with the reason."""

from datetime import timedelta

import pytest
from tests.world import START, Feed, monitor_document, outcome, prediction, reference

from tocsin.app import App

HORIZON = timedelta(days=3)


@pytest.fixture
def feed(app: App) -> Feed:
    app.register.add("late", monitor_document(labels={"max": "3d"}), reference(400))
    return Feed(app, "late")


def far(feed: Feed) -> tuple[int, int]:
    counts = feed.app.read.summary("late")
    return counts.get("outcomes_too_early", 0), counts.get("outcomes_too_late", 0)


@pytest.mark.parametrize("together", [True, False])
def test_outcomes_too_early_and_too_late_are_counted_apart(feed: Feed, *, together: bool) -> None:
    feed.predictions(*(prediction(name) for name in "abcde"))
    if not together:
        feed.work()
    moment = timedelta(microseconds=1)
    feed.outcomes(
        outcome("a", 1, timestamp=START + HORIZON),
        outcome("b", 1, timestamp=START + HORIZON + moment),
        outcome("c", 1, timestamp=START + timedelta(days=60)),
        outcome("d", 1, timestamp=START - timedelta(days=1)),
        outcome("e", 1, timestamp=START - timedelta(days=1) - moment),
        outcome("of nobody", 1, timestamp=START + timedelta(days=60)),
    )
    feed.work()

    assert feed.total("labelled") == 2
    assert far(feed) == (1, 2)


@pytest.mark.parametrize("together", [True, False])
def test_a_correction_that_is_too_late_is_counted_and_the_first_label_stays(
    feed: Feed, *, together: bool
) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1, timestamp=START))
    if not together:
        feed.work()
    feed.outcomes(outcome("a", 0, timestamp=START + timedelta(days=9)))
    feed.work()

    assert feed.total("label") == 1
    assert far(feed) == (0, 1)


def test_an_outcome_that_only_loses_to_a_later_one_is_none_of_them(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1, timestamp=START + timedelta(hours=2)))
    feed.work()
    feed.outcomes(outcome("a", 0, timestamp=START + timedelta(hours=1)))
    feed.work()

    assert far(feed) == (0, 0)


def test_an_outcome_near_another_prediction_of_its_id_is_none_of_them(feed: Feed) -> None:
    feed.predictions(prediction("a"), prediction("a", timestamp=START + timedelta(days=30)))
    feed.outcomes(outcome("a", 1, timestamp=START + timedelta(days=1)))
    feed.work()
    # One loses to the label that is there, the other begins one.
    feed.outcomes(
        outcome("a", 0, timestamp=START), outcome("a", 1, timestamp=START + timedelta(days=31))
    )
    feed.work()

    assert feed.total("labelled") == 2
    assert far(feed) == (0, 0)


def test_outcomes_that_count_by_a_longer_horizon_are_counted_as_far_no_more(feed: Feed) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1, timestamp=START + timedelta(days=9)))
    feed.work()
    assert far(feed) == (0, 1)

    feed.app.register.change("late", monitor_document(labels={"max": "30d"}))
    feed.work()
    assert feed.total("labelled") == 1
    assert far(feed) == (0, 0)


def unmatched(feed: Feed) -> int:
    return feed.app.read.summary("late").get("outcomes_unmatched", 0)


@pytest.mark.parametrize("together", [True, False])
def test_outcomes_of_no_prediction_are_counted_until_it_comes(
    feed: Feed, *, together: bool
) -> None:
    feed.predictions(prediction("a"))
    feed.outcomes(outcome("a", 1), outcome("b", 1), outcome("nobody", 1), outcome("c", None))
    if not together:
        feed.work()
        assert unmatched(feed) == 2
    feed.predictions(prediction("b"))
    feed.work()

    assert feed.total("labelled") == 2
    assert unmatched(feed) == 1


def test_a_repeat_of_the_outcome_of_nobody_counts_again_and_both_are_taken_back(
    feed: Feed,
) -> None:
    feed.outcomes(outcome("b", 1))
    feed.work()
    feed.outcomes(outcome("b", 0, timestamp=START + timedelta(hours=1)))
    feed.work()
    assert unmatched(feed) == 2
    feed.predictions(prediction("b"))
    feed.work()
    assert unmatched(feed) == 0
