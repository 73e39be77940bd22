import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tocsin.trends import forecast
from tocsin.trends.forecast import _theil_sen


def test_a_steady_fall_reaches_the_threshold_when_the_line_does():
    rng = np.random.default_rng(0)
    values = 0.80 - 0.002 * np.arange(28) + 0.002 * rng.normal(size=28)
    found = forecast(values, 0.72, below=True)
    assert found is not None
    assert found.low < 13 < found.high
    assert found.slope == pytest.approx(-0.002, rel=0.1)


def test_a_rise_is_a_fall_upside_down():
    values = 0.80 - 0.002 * np.arange(28) + 0.002 * np.random.default_rng(0).normal(size=28)
    fall, rise = forecast(values, 0.72, below=True), forecast(-values, -0.72, below=False)
    assert fall is not None
    assert rise is not None
    assert (fall.low, fall.middle, fall.high) == (rise.low, rise.middle, rise.high)
    assert fall.slope == -rise.slope


@pytest.mark.parametrize(
    ("windows", "memory", "least"),
    [(14, 0.0, 0.88), (20, 0.0, 0.88), (28, 0.0, 0.88), (20, 0.5, 0.78), (28, 0.5, 0.84)],
)
def test_the_truth_is_in_nine_of_ten_ranges(windows, memory, least):
    rng = np.random.default_rng(1)
    at, left = np.arange(windows), 0.6 * windows
    inside = said = 0
    for _ in range(400):
        noise = rng.normal(size=windows)
        for t in range(1, windows):
            noise[t] = memory * noise[t - 1] + np.sqrt(1 - memory**2) * noise[t]
        threshold = 0.80 - 0.003 * (windows - 1 + left)
        found = forecast(0.80 - 0.003 * at + 0.005 * noise, threshold, below=True)
        if found is not None:
            said += 1
            inside += found.low <= left <= found.high
    assert said > 150
    assert least < inside / said < 0.96


def test_one_outlier_does_not_hide_a_trend():
    values = 0.80 - 0.002 * np.arange(28) + 0.002 * np.random.default_rng(0).normal(size=28)
    clean = forecast(values, 0.72, below=True)
    values[20] = 0.2
    found = forecast(values, 0.72, below=True)
    assert clean is not None
    assert found is not None
    assert found.middle == pytest.approx(clean.middle, rel=0.1)


@pytest.mark.parametrize("memory", [0.0, 0.5])
def test_noise_has_no_future(memory):
    rng = np.random.default_rng(2)
    said = 0
    for _ in range(500):
        values = rng.normal(size=28)
        for t in range(1, 28):
            values[t] = memory * values[t - 1] + np.sqrt(1 - memory**2) * values[t]
        said += forecast(values, -3.0, below=True) is not None
    assert said <= 10


@pytest.mark.parametrize(
    ("values", "threshold"),
    [
        (np.linspace(0.80, 0.76, 10), 0.74),
        (np.linspace(0.80, 0.79, 28), 0.10),
        (np.linspace(0.80, 0.70, 28), 0.75),
        (np.linspace(0.70, 0.80, 28), 0.60),
        (np.full(28, np.nan), 0.60),
    ],
    ids=["too few", "too far", "crossed already", "away from it", "unknown"],
)
def test_no_forecast_where_there_is_none(values, threshold):
    assert forecast(values, threshold, below=True) is None


def test_more_questions_want_a_surer_trend():
    values = 0.80 - 0.002 * np.arange(28) + 0.006 * np.random.default_rng(5).normal(size=28)
    alone = forecast(values, 0.72, below=True)
    assert alone is not None
    enough = 0.01 / alone.p_value
    assert forecast(values, 0.72, below=True, tests=int(enough * 0.9)) == alone
    assert forecast(values, 0.72, below=True, tests=int(enough * 1.1) + 1) is None


def test_only_the_newest_windows_count():
    rise, fall = np.linspace(0.6, 0.9, 40), np.linspace(0.9, 0.8, 28)
    both = forecast(np.concatenate([rise, fall]), 0.75, below=True)
    assert both == forecast(fall, 0.75, below=True)
    assert both is not None


@given(st.lists(st.floats(-100, 100), min_size=14, max_size=28))
@settings(max_examples=50, deadline=None)
def test_the_slope_is_that_of_scipy(values):
    at = np.arange(len(values), dtype=float)
    assert _theil_sen(at, np.array(values)) == pytest.approx(
        stats.theilslopes(values, at).slope, abs=1e-9
    )
