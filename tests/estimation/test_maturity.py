"""Delays are learned without promising what young windows could not show."""

import numpy as np
import pytest

from tocsin.estimation import label_maturity
from tocsin.profiles import DELAY_EDGES
from tocsin.values import DAY, HOUR


def _windows(
    rng: np.random.Generator, mean_hours: float, *, days: int, rows: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hourly windows with exponential delays, cut off where a window is too young."""
    ages = np.arange(1, days * 24) * HOUR
    counts = np.zeros((len(ages), len(DELAY_EDGES) + 1))
    delays = rng.exponential(mean_hours * HOUR, (len(ages), rows)).astype(np.int64)
    for i, age in enumerate(ages):
        known = delays[i][delays[i] <= age]
        counts[i] = np.bincount(
            np.searchsorted(DELAY_EDGES, known, side="left"), minlength=counts.shape[1]
        )
    return counts, ages, delays


@pytest.mark.parametrize("mean_hours", [0.2, 3.0, 30.0])
def test_the_shares_are_those_of_all_delays_though_most_windows_are_young(
    mean_hours: float,
) -> None:
    counts, ages, _ = _windows(np.random.default_rng(7), mean_hours, days=20, rows=200)
    found = label_maturity(counts, ages, DELAY_EDGES)

    for delay, share in found.arrived:
        if delay <= ages.max() / 2:
            assert share == pytest.approx(1 - np.exp(-delay / (mean_hours * HOUR)), abs=0.02)
    wanted = next(e for e in DELAY_EDGES if 1 - np.exp(-e / (mean_hours * HOUR)) >= 0.99)
    assert found.delay == wanted


def test_plain_shares_of_what_has_arrived_would_promise_too_much() -> None:
    counts, ages, _ = _windows(np.random.default_rng(7), 30.0, days=8, rows=2_000)
    plain = np.cumsum(counts.sum(0))[:-1] / counts.sum()
    found = dict(label_maturity(counts, ages, DELAY_EDGES).arrived)

    # Of those that come within the eight days.
    truth = (1 - np.exp(-DAY / (30.0 * HOUR))) / (1 - np.exp(-8 * DAY / (30.0 * HOUR)))
    place = int(np.flatnonzero(DELAY_EDGES == DAY)[0])
    assert abs(found[DAY] - truth) < 0.03 < abs(plain[place] - truth)


def test_nothing_is_learned_before_windows_were_watched_twice_as_long() -> None:
    counts, ages, _ = _windows(np.random.default_rng(7), 30.0, days=3, rows=200)

    assert label_maturity(counts, ages, DELAY_EDGES).delay is None


def test_nothing_is_learned_from_few_labels() -> None:
    counts = np.zeros((2, len(DELAY_EDGES) + 1))
    counts[:, 3] = 49
    ages = np.array([90 * DAY, 91 * DAY])

    assert label_maturity(counts, ages, DELAY_EDGES).delay is None
    assert label_maturity(counts + (counts > 0), ages, DELAY_EDGES).delay == DELAY_EDGES[3]


def test_without_windows_nothing_is_known() -> None:
    empty = label_maturity(np.zeros((0, len(DELAY_EDGES) + 1)), np.zeros(0, np.int64), DELAY_EDGES)

    assert (empty.delay, empty.median, empty.labels, empty.arrived) == (None, None, 0, ())
