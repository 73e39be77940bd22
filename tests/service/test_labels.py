"""Which days are looked at for what rows may change."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tocsin.lake.columns import TIMESTAMP
from tocsin.service.labels import days_around

START = datetime(2020, 1, 1, tzinfo=UTC)
TIMES = st.lists(
    st.integers(0, 60 * 24 * 60).map(lambda m: START + timedelta(minutes=m)), max_size=8
)
REACH = st.timedeltas(timedelta(0), timedelta(days=9))


def spans_around(times: list[datetime], before: timedelta, after: timedelta):
    moments = pa.chunked_array([pa.array(times, TIMESTAMP)])
    return days_around(moments, before=before, after=after)


@given(times=TIMES, before=REACH, after=REACH)
def test_spans_hold_the_reach_of_each_time_and_little_more(times, before, after) -> None:
    spans = spans_around(times, before, after)
    reached = [((t - before).date(), (t + after).date()) for t in times]
    for first, last in reached:
        assert any(start <= first and last <= end for start, end in spans)
    for (_, end), (start, _) in pairwise(spans):
        assert (start - end).days > 1
    day = timedelta(days=1)
    for start, end in spans:
        assert any(first - day <= start <= first for first, _ in reached)
        assert any(last <= end <= last + day for _, last in reached)


def test_one_row_of_1970_does_not_open_the_days_between() -> None:
    times = [datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, 12, tzinfo=UTC)]
    spans = spans_around(times, timedelta(days=1), timedelta(days=1))
    assert spans == (
        (date(1969, 12, 31), date(1970, 1, 2)),
        (date(2026, 4, 30), date(2026, 5, 2)),
    )


def test_the_ends_of_the_calendar_are_ends() -> None:
    times = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)]
    spans = spans_around(times, timedelta(days=400), timedelta(days=400))
    assert (spans[0][0], spans[-1][1]) == (date.min, date.max)
