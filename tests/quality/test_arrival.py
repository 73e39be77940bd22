"""Freshness by the wall clock, and labels by the delays that were learned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.quality import Freshness, expected_labels, freshness, late_labels
from tocsin.values import DAY, HOUR

NIGHTLY = [d * DAY + h * HOUR for d in range(3) for h in range(5, 24)]


def fresh(age: int, declared: int | None = None, since: int = 0, n: int = 57) -> Freshness:
    newest = NIGHTLY[-1]
    return freshness(
        newest,
        now=newest + age,
        since=since,
        buckets=NIGHTLY[:n],
        granularity=HOUR,
        declared=declared,
    )


@pytest.mark.parametrize(("age", "stale"), [(HOUR, False), (12 * HOUR, False), (13 * HOUR, True)])
def test_twice_the_longest_gap_is_too_long(age: int, stale: bool) -> None:
    found = fresh(age)
    assert (found.usual, found.limit, found.stale) == (6 * HOUR, 12 * HOUR, stale)


def test_what_is_declared_needs_no_past() -> None:
    found = fresh(3 * HOUR, declared=2 * HOUR, n=2)
    assert (found.limit, found.declared, found.stale) == (2 * HOUR, True, True)


def test_too_few_buckets_a_replay_or_nothing_at_all_are_no_fault() -> None:
    assert not fresh(30 * DAY, n=5).stale
    replay = fresh(3_000 * DAY, declared=HOUR, since=NIGHTLY[-1] + 1)
    assert (replay.stale, replay.limit) == (False, None)
    assert "replay" in replay.reason
    nothing = freshness(None, now=1, since=0, buckets=[], granularity=HOUR, declared=None)
    assert (nothing.age, nothing.stale) == (None, False)


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=5),
    st.floats(0, 1),
    st.lists(st.integers(0, 200), min_size=1, max_size=5),
)
def test_no_more_labels_are_expected_than_rows_and_never_fewer_with_age(
    rows: list[int], usual: float, ages: list[int]
) -> None:
    curve = ((10, 0.2), (50, 0.9), (100, 1.0))
    n = min(len(rows), len(ages))
    counts, old = np.array(rows[:n], float), np.array(ages[:n])
    now = expected_labels(counts, old, curve, usual)
    later = expected_labels(counts, old + 30, curve, usual)
    assert (now <= later).all()
    assert (later <= counts * usual + 1e-9).all()


def test_nothing_is_expected_where_nothing_is_learned() -> None:
    assert expected_labels(np.array([5.0]), np.array([9]), (), 1.0).tolist() == [0.0]


def test_late_labels_are_those_beyond_the_delay_in_every_window() -> None:
    delays = np.array([[1.0, 2, 3, 4], [0, 0, 5, 0]])
    assert late_labels(delays, np.array([10, 20, 30]), 20).tolist() == [7.0, 5.0]
