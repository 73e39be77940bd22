"""Mute times: against plain sets of what a clock shows, and on the days it is put forth or back."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.routing import Interval, MuteTime, muted_by
from tocsin.values import from_datetime

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"]).map(
    ZoneInfo
)
MOMENTS = st.integers(0, 3 * 366 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


def ranges(low: int, high: int) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    pair = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted).map(tuple)
    return st.lists(pair, max_size=2).map(tuple)


INTERVALS = st.builds(
    Interval, ranges(0, 1440), ranges(0, 6), ranges(1, 31) | ranges(-31, -1), ranges(1, 12), ZONES
)


def reference(interval: Interval, moment: datetime) -> bool:
    shown = moment.astimezone(interval.zone)
    length = monthrange(shown.year, shown.month)[1]
    minutes = {m for low, high in interval.times for m in range(low, high)}
    weekdays = {d for low, high in interval.weekdays for d in range(low, high + 1)}
    months = {m for low, high in interval.months for m in range(low, high + 1)}
    days = {
        day if day > 0 else length + day + 1
        for low, high in interval.days
        for day in range(low, high + 1)
    }
    return (
        (not interval.times or shown.hour * 60 + shown.minute in minutes)
        and (not interval.weekdays or shown.weekday() in weekdays)
        and (not interval.months or shown.month in months)
        and (not interval.days or shown.day in days)
    )


@given(INTERVALS, MOMENTS)
def test_it_mutes_when_the_clock_on_the_wall_says_so(interval: Interval, moment: datetime) -> None:
    assert interval.holds(from_datetime(moment)) == reference(interval, moment)


def _muted_minutes(interval: Interval, day: datetime) -> int:
    start = day.astimezone(UTC)
    return sum(interval.holds(from_datetime(start + timedelta(minutes=m))) for m in range(24 * 60))


@pytest.mark.parametrize(
    ("day", "minutes"), [((2026, 3, 29), 60), ((2026, 10, 25), 180), ((2026, 7, 1), 120)]
)
def test_the_night_is_as_long_as_the_clock_shows_it(
    day: tuple[int, int, int], minutes: int
) -> None:
    night = Interval(times=((60, 180),), zone=BERLIN)
    assert _muted_minutes(night, datetime(*day, tzinfo=BERLIN)) == minutes


def test_the_last_days_of_a_month_are_counted_from_its_end() -> None:
    last = Interval(days=((-2, -1),))
    for day, holds in (((2028, 2, 28), True), ((2028, 2, 27), False), ((2026, 2, 27), True)):
        assert last.holds(from_datetime(datetime(*day, tzinfo=UTC))) == holds


def test_the_first_of_the_named_mute_times_is_told() -> None:
    always, never = (Interval(),), (Interval(months=((13, 13),)),)
    known = [MuteTime("never", never), MuteTime("night", always), MuteTime("day", always)]
    assert muted_by(known, ("never", "day", "night"), 0) == "day"
    assert muted_by(known, ("never", "gone"), 0) is None
