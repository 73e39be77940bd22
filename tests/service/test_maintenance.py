"""While a model is worked on its windows alert nobody, and teach nobody what is usual."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.world import START, Feed, monitor_document, reference

from tocsin.declared import parse_monitor
from tocsin.errors import SchemaError
from tocsin.records import alerts, evaluations, models
from tocsin.records.evaluation import Evaluation
from tocsin.values import HOUR, Window, from_datetime

T0 = from_datetime(START)
FEW = {"alert": "Few", "expr": {"metric": "volume", "window": "1h", "op": "<", "value": 3}}


def once(first: int, last: int) -> dict[str, Any]:
    """Maintenance in the hours [first, last) since START."""
    begin, end = (START + timedelta(hours=hour) for hour in (first, last))
    return {"starts_at": begin.isoformat(), "ends_at": end.isoformat(), "comment": "a new feed"}


def watched(feed: Feed, name: str, **changes: Any) -> Feed:
    document = monitor_document(windows=["1h"], **changes)
    feed.app.register.add(name, document, reference(1_000))
    return Feed(feed.app, name)


def fired(feed: Feed) -> list[int]:
    """The hours at whose end alerts fired."""
    with feed.app.records.read() as connection:
        model = models.model_named(connection, feed.model).id
        found = alerts.episodes_since(connection, model, 0)
    return [(episode.fired - T0) // HOUR for episode in found]


def windows(feed: Feed) -> dict[int, Evaluation]:
    with feed.app.records.read() as connection:
        record = models.model_named(connection, feed.model)
        found = evaluations.recorded_after(connection, record.id, 0, 10_000)[0]
    return {(e.window.end - T0) // HOUR: e for e in found}


def test_windows_in_maintenance_neither_fire_nor_resolve(feed: Feed) -> None:
    feed = watched(feed, "fed", rules=[FEW], maintenance=[once(2, 4), once(6, 8)])
    for hour in range(10):
        feed.hours(hour, hour + 1, rows=2 if hour in (2, 3, 5) else 5, labelled=False)
    feed.work()

    # Not by hours 2 and 3. What hour 5 began, hours 6 and 7 do not end, though they are well.
    assert fired(feed) == [6]
    with feed.app.records.read() as connection:
        model = models.model_named(connection, feed.model).id
        (episode,) = alerts.episodes_since(connection, model, 0)
    assert episode.resolved is not None
    assert (episode.resolved - T0) // HOUR == 9


def test_what_maintenance_does_to_the_data_is_no_example_of_what_is_usual(feed: Feed) -> None:
    # While nothing is known yet, anything may be usual.
    careful = watched(feed, "careful", rules=[], maintenance=[once(24, 48)])
    careless = watched(feed, "careless", rules=[])
    for each in (careful, careless):
        each.hours(0, 24, rows=20, labelled=False)
        each.hours(24, 48, rows=20, distance_factor=3.0, labelled=False)
        each.hours(48, 24 * 9, rows=20, labelled=False)
        each.work()

    at = 24 * 8 + 12
    usual, spoilt = (windows(each)[at].shifts["distance"].usual for each in (careful, careless))
    assert usual is not None
    assert spoilt is not None
    assert usual < spoilt / 1.5


def test_a_pause_that_comes_back_is_read_off_a_clock_in_its_zone() -> None:
    nights = {"intervals": [{"times": [{"start": "22:00", "end": "23:00"}],
                             "location": "Europe/Berlin"}]}  # fmt: skip
    monitor = parse_monitor("m", monitor_document(maintenance=[nights]))

    def paused(*at: int, hours: int = 1) -> bool:
        start = from_datetime(datetime(*at, tzinfo=UTC))
        return monitor.is_paused(Window(start, start + hours * HOUR))

    assert [paused(2026, 1, 5, hour) for hour in (20, 21, 22)] == [False, True, False]
    assert [paused(2026, 7, 5, hour) for hour in (19, 20, 21)] == [False, True, False]
    # An hour of a day changes little of that day.
    assert not paused(2026, 1, 5, 0, hours=24)
    assert paused(2026, 1, 5, 16, hours=8)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({}, "either `starts_at` and `ends_at`, or `intervals`"),
        ({"starts_at": "2026-01-05T00:00:00Z"}, "either `starts_at` and `ends_at`"),
        ({**once(0, 1), "intervals": [{"weekdays": ["monday"]}]}, "either `starts_at`"),
        (once(2, 1), "`ends_at` has to be later"),
        ({**once(0, 1), "starts_at": "2013-05-01T00:00:00"}, "timezone"),
        ({"intervals": [{"location": "Europe/Nowhere"}]}, "Europe/Berlin"),
    ],
)
def test_a_pause_that_is_none_is_refused(written: dict[str, Any], told: str) -> None:
    with pytest.raises(SchemaError, match=told):
        parse_monitor("m", monitor_document(maintenance=[written]))
