"""Rules without a threshold: they learn what is usual, and ring when it is over."""

from datetime import timedelta

import pytest
from tests.world import START, Feed, monitor_document, reference

from tocsin.errors import SchemaError
from tocsin.records import evaluations, models
from tocsin.trends import Pace, Trend
from tocsin.values import DAY, Window, from_datetime
from tocsin.values import HOUR as HOUR_US

LEARNED = 24 * 10


def _rule(**expr: object) -> dict[str, object]:
    return {
        "alert": "Unusual",
        "expr": {"metric": "brier_score", "window": "1h", "value": "auto", **expr},
    }


def _watched(feed: Feed, name: str, *rules: dict[str, object], **changes: object) -> Feed:
    document = monitor_document(rules=list(rules), windows=["1h", "24h"], **changes)
    feed.app.register.add(name, document, reference())
    return Feed(feed.app, name)


def _trends(feed: Feed, size: int = HOUR_US) -> dict[int, Trend]:
    """The trends of the rule by the hour in which their window ended."""
    start = from_datetime(START)
    with feed.app.records.read() as connection:
        record = models.model_named(connection, feed.model)
        ends = range(start, start + 60 * DAY, HOUR_US)
        found = evaluations.between(connection, record.id, size, ends, ["trends"])
    return {
        (end - start) // HOUR_US: e.trends["Unusual"][""]
        for end, e in found.items()
        if e.trends.get("Unusual")
    }


def _at(hours: int) -> int:
    return from_datetime(START + timedelta(hours=hours))


def test_a_rule_that_learns_waits_for_labels_and_holds_up_nothing(feed: Feed) -> None:
    feed = _watched(feed, "unlabelled", _rule())
    feed.hours(0, 30, rows=5, labelled=False)
    feed.work()
    assert len(feed.app.read.drift("unlabelled", window=HOUR_US, span=30 * DAY)) >= 29
    assert _trends(feed) == {}
    assert feed.app.read.outlook("unlabelled").trends == ()


def test_a_world_that_changes_rings_within_hours_and_the_alert_says_since_when(feed: Feed) -> None:
    feed = _watched(feed, "auto", _rule())
    feed.hours(0, LEARNED, rows=30)
    feed.work()
    assert feed.app.read.incidents(model="auto") == []

    feed.hours(LEARNED, LEARNED + 8, rows=30, flip_labels=True)
    feed.work()
    (incident,) = feed.app.read.incidents(model="auto")
    assert incident.title == "Brier score is higher than usual over 1h"
    assert _at(LEARNED) < incident.opened <= _at(LEARNED + 4)
    detail = feed.app.read.incident(incident.id)
    assert detail is not None
    (episode,) = detail.episodes
    assert "usually 0.1" in episode.text
    assert "; higher since 2013-05-1" in episode.text
    begun = _trends(feed)[LEARNED + 5].since
    assert begun is not None
    assert abs(begun - _at(LEARNED)) <= 2 * HOUR_US

    feed.hours(LEARNED + 8, LEARNED + 40, rows=30)
    feed.work()
    assert feed.app.read.incidents(model="auto")[0].resolved is not None


def test_small_steps_and_restarts_give_what_one_leap_gives(feed: Feed) -> None:
    leap = _watched(feed, "leap", _rule())
    step = _watched(feed, "step", _rule())
    leap.hours(0, 24 * 11, rows=25)
    leap.work()
    for day in range(11):
        step.hours(24 * day, 24 * day + 24, rows=25)
        step.work()
    one, other = _trends(leap), _trends(step)
    # What closed last in a step had no labels yet, and was judged once they came.
    judged = {hour for hour, trend in one.items() if trend.pace >= Pace.USUAL}
    assert len(judged) > 20
    for hour in judged & other.keys():
        if other[hour].pace >= Pace.USUAL:
            assert other[hour].usual == pytest.approx(one[hour].usual, rel=1e-9)
            assert other[hour].evidence == pytest.approx(one[hour].evidence, rel=1e-6, abs=1e-9)


def test_nothing_rings_while_what_is_usual_is_not_known(feed: Feed) -> None:
    feed = _watched(feed, "young", _rule())
    feed.hours(0, 24 * 3, rows=25)
    feed.hours(24 * 3, 24 * 4, rows=25, flip_labels=True)
    feed.work()
    assert feed.app.read.incidents(model="young") == []
    assert {trend.pace for trend in _trends(feed).values()} <= {Pace.UNKNOWN, Pace.LEARNING}


def test_windows_that_overlap_are_judged_once_their_rows_are_new(feed: Feed) -> None:
    feed = _watched(feed, "daily", _rule(window="24h"))
    feed.hours(0, 24 * 4, rows=25)
    feed.work()
    assert set(_trends(feed, DAY)) == {24, 48, 72}


def test_trends_are_those_of_the_window_that_they_are_stored_with(feed: Feed) -> None:
    feed = _watched(feed, "auto", _rule())
    feed.hours(0, 24 * 8, rows=25)
    feed.work()
    series = feed.app.read.series("auto", "brier_score", window=HOUR_US)
    trends = _trends(feed)
    known = {point.window: point.measure.value for point in series.points if point.coverage >= 0.5}
    for hour, trend in trends.items():
        if trend.value is not None:
            assert known[Window(_at(hour - 1), _at(hour))] == trend.value


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ({"clear": 0.1}, "takes no `clear`"),
        ({"value": "automatic"}, "auto"),
        ({"metric": "drift"}, "the verdict learns what is usual"),
    ],
)
def test_faulty_rules_are_refused_with_the_reason(feed: Feed, expr, message) -> None:
    with pytest.raises(SchemaError, match=message):
        _watched(feed, "faulty", _rule(**expr))


@pytest.mark.parametrize("budget", [0, -1, float("inf")])
def test_a_budget_of_no_false_alarms_is_refused(feed: Feed, budget) -> None:
    with pytest.raises(SchemaError, match="false_alarms"):
        _watched(feed, "faulty", _rule(), false_alarms=budget)


def test_windows_of_a_handful_of_rows_are_no_part_of_a_series(feed: Feed) -> None:
    feed = _watched(feed, "auto", _rule(metric="mean_score"))
    feed.hours(0, 24 * 8, rows=25)
    feed.hours(24 * 8, 24 * 8 + 2, rows=4)
    feed.hours(24 * 8 + 2, 24 * 8 + 4, rows=25)
    feed.work()
    trends = _trends(feed)
    paces = {hour: trends[hour].pace for hour in trends if hour > 24 * 8 - 2}
    assert [pace == Pace.UNKNOWN for pace in paces.values()] == [False, False, True, True, False]
    assert trends[24 * 8 + 1].value is None
