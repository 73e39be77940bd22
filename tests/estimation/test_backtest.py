"""When errors of estimates are more than chance, and when they are large enough to matter."""

import numpy as np
import pytest

from tocsin.estimation.backtest import (
    LOOK_BACK,
    RECENT,
    Past,
    Surprises,
    failed,
    spread,
    surprised,
)

SE = 0.01
NEWEST_FIRST = np.arange(LOOK_BACK)[None, ::-1]


def test_the_spread_between_windows_is_what_sampling_leaves_unexplained() -> None:
    rng = np.random.default_rng(0)
    worlds = 2_000
    value = np.full(worlds * LOOK_BACK, 0.8)
    realised = value + rng.normal(0, np.hypot(SE, 2 * SE), len(value))
    past = Past(value, value - 1, value + 1, np.full(len(value), SE**2), realised)
    index = np.arange(len(value)).reshape(worlds, LOOK_BACK)
    assert spread(past, index).mean() == pytest.approx((2 * SE) ** 2, rel=0.04)


def test_errors_within_what_labels_explain_fail_no_backtest() -> None:
    """The reference is nearer in all windows; that matters once estimates are off beyond chance."""
    realised = np.full(LOOK_BACK, 0.8)
    for off, expected in ((0.5 * SE, False), (2 * SE, True)):
        value = realised + off
        past = Past(value, value - 1, value + 1, np.full(LOOK_BACK, SE**2), realised)
        assert failed(past, NEWEST_FIRST, 0.8).tolist() == [expected]


@pytest.mark.parametrize("windows", [1, RECENT])
def test_a_surprise_below_a_tenth_of_the_loss_is_none_however_sure(windows: int) -> None:
    loss = 0.2
    for part, expected in ((0.08, False), (0.12, True)):
        gap = np.zeros(LOOK_BACK)
        gap[-windows:] = part * loss
        past = Surprises(gap, np.full(LOOK_BACK, 1e-5), np.full(LOOK_BACK, 1e6))
        assert surprised(past, NEWEST_FIRST, loss).tolist() == [expected]


def test_windows_from_before_there_were_estimates_say_nothing_of_the_spread() -> None:
    unknown = np.full(LOOK_BACK - 1, np.nan)
    gap, error = np.append(unknown, 0.3), np.append(unknown, SE)
    past = Surprises(gap, error, np.full(LOOK_BACK, 100.0))
    assert surprised(past, NEWEST_FIRST, 1.0).tolist() == [True]
    # Six gaps are no spread: the newest is beyond its own sampling error all the same.
    gap[-7:-1], error[-7:-1] = (-0.5, 0.5, -0.5, 0.5, -0.5, 0.5), 10.0
    assert surprised(past, NEWEST_FIRST, 1.0).tolist() == [True]
