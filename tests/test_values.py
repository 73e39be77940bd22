"""Times, durations and windows."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.errors import InvalidInputError
from tocsin.values import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    WindowSpec,
    format_duration,
    from_datetime,
    isoformat,
    parse_duration,
    to_datetime,
)

event_times = st.integers(-(10**15), 4 * 10**15)


@given(st.integers(0, 10_000), st.sampled_from([SECOND, MINUTE, HOUR, DAY]))
def test_a_duration_is_read_back_as_it_was_written(number: int, unit: int) -> None:
    assert parse_duration(format_duration(number * unit)) == number * unit


@example(1, DAY)
@given(st.integers(1, 10_000), st.sampled_from([SECOND, MINUTE, HOUR, DAY]))
def test_a_duration_is_written_with_the_largest_unit_that_fits(number: int, unit: int) -> None:
    written = format_duration(number * unit)
    if number * unit == DAY:
        assert written == "24h"
        return
    letter, largest = next(
        (letter, size)
        for letter, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND))
        if number * unit % size == 0
    )
    assert written == f"{number * unit // largest}{letter}"


@pytest.mark.parametrize(
    ("text", "duration"),
    [("15m", 15 * MINUTE), ("24h", DAY), ("7d", 7 * DAY), (" 30s ", 30 * SECOND), ("0s", 0)],
)
def test_durations_that_people_write(text: str, duration: int) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "15", "m", "1.5h", "-1h", "1h30m", "15 m", "1w", "1H", "h1"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInputError, match="such as 15m or 24h") as refused:
        parse_duration(text)
    assert repr(text) in str(refused.value)


@given(event_times)
def test_an_event_time_survives_the_datetime(moment: int) -> None:
    assert from_datetime(to_datetime(moment)) == moment
    assert to_datetime(moment).tzinfo is UTC
    assert from_datetime(datetime.fromisoformat(isoformat(moment))) == moment
    assert isoformat(moment).endswith("Z")


@given(st.datetimes(timezones=st.timezones()), st.integers(-23, 23))
def test_the_time_zone_of_a_moment_does_not_matter(moment: datetime, hours: int) -> None:
    try:
        elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    except OverflowError:
        return
    # An hour that a clock change repeats is told apart by `fold`, which only UTC resolves.
    assert from_datetime(moment.astimezone(UTC)) == from_datetime(elsewhere.astimezone(UTC))


def test_a_moment_without_a_time_zone_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="2013-05-01T00:00:00 has no time zone"):
        from_datetime(datetime(2013, 5, 1))  # noqa: DTZ001


@st.composite
def specs(draw: st.DrawFn) -> tuple[WindowSpec, int]:
    """A spec and its granularity."""
    granularity = draw(st.integers(1, 90)) * MINUTE
    every = granularity * draw(st.integers(1, 10))
    return WindowSpec(granularity * draw(st.integers(1, 60)), every), granularity


@given(specs(), event_times, st.integers(0, 30 * DAY))
def test_ends_are_exactly_the_multiples_of_the_step_in_the_span(drawn, after, length) -> None:
    spec, _ = drawn
    until = after + length
    ends = list(spec.ends(after, until))
    assert all(after < end <= until and end % spec.every == 0 for end in ends)
    assert len(ends) == until // spec.every - after // spec.every


@given(specs(), event_times, st.integers(0, 10 * DAY), st.integers(0, 10 * DAY))
def test_the_ends_of_two_spans_are_those_of_both_together(drawn, after, one, other) -> None:
    spec, _ = drawn
    middle = after + one
    parts = [*spec.ends(after, middle), *spec.ends(middle, middle + other)]
    assert parts == list(spec.ends(after, middle + other))


@given(specs(), st.integers(-1_000, 100_000))
def test_a_bucket_is_touched_by_exactly_the_windows_that_contain_it(drawn, granule: int) -> None:
    spec, granularity = drawn
    start = granule * granularity
    around = spec.ends(start - spec.every, start + spec.size + 2 * spec.every)
    containing = [
        end for end in around if end - spec.size <= start and start + granularity <= end
    ]  # fmt: skip
    assert list(spec.ends_touching(start)) == containing


@given(specs(), st.integers(0, 10_000), st.integers(0, 20))
def test_every_window_that_ends_is_touched_by_its_first_and_last_bucket(drawn, at, more) -> None:
    spec, granularity = drawn
    for end in spec.ends(at * granularity, at * granularity + more * spec.every):
        if (end - spec.size) % granularity == 0:
            assert end in spec.ends_touching(end - spec.size)
        assert end in spec.ends_touching(end - granularity)
        assert end not in spec.ends_touching(end)
        assert end not in spec.ends_touching(end - spec.size - granularity)


def test_a_day_that_moves_by_the_hour_touches_a_bucket_24_times() -> None:
    ends = WindowSpec(DAY, HOUR).ends_touching(100 * HOUR)
    assert list(ends) == [(100 + k) * HOUR for k in range(1, 25)]


def test_windows_longer_apart_than_they_are_long_leave_buckets_untouched() -> None:
    spec = WindowSpec(HOUR, DAY)
    assert list(spec.ends_touching(0)) == []
    assert list(spec.ends_touching(23 * HOUR)) == [DAY]


def test_a_spec_is_called_by_its_size() -> None:
    assert WindowSpec(7 * DAY, DAY).name == "7d"
