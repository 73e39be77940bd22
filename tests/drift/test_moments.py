"""How far numbers moved of which only sums are known, against what their rows say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, kurtosis, skew

from tocsin.drift import Moments, moment_divergence

values = st.lists(st.floats(-50, 50).map(lambda x: round(x, 2)), min_size=1, max_size=50)


def moments(*samples: np.ndarray) -> Moments:
    sums = [[(np.asarray(s, float) ** k).sum() for s in samples] for k in (1, 2, 3, 4)]
    return Moments.of_sums(np.array([float(len(s)) for s in samples]), *map(np.array, sums))


def one(sample: np.ndarray) -> Moments:
    return Moments(*(part[0] for part in moments(sample)))


@given(values)
def test_central_moments_follow_from_sums(drawn) -> None:
    found, rows = one(drawn), np.array(drawn)
    assert found.mean == pytest.approx(rows.mean())
    assert found.variance == pytest.approx(rows.var(), abs=1e-6)
    if rows.var() > 0.1:
        assert found.third / rows.var() ** 1.5 == pytest.approx(skew(rows), abs=1e-3)
        assert found.fourth / rows.var() ** 2 - 3 == pytest.approx(kurtosis(rows), abs=1e-3)


@given(values, values)
def test_distances_stay_in_their_ranges(before, now) -> None:
    found = moment_divergence(one(before), moments(now))
    assert 0 <= found.js_floor[0] <= found.js_distance[0] <= found.js_ceiling[0] <= 1
    assert 0 <= found.p_value[0] <= 1
    assert found.n[0] == len(now)
    assert np.isfinite(found.minimum_n).all()


@pytest.mark.parametrize("law", ["normal", "exponential", "uniform"])
def test_without_drift_p_is_about_uniform_whatever_the_shape(law: str) -> None:
    rng = np.random.default_rng(1)
    draw = getattr(rng, law)
    found = moment_divergence(one(draw(size=50_000)), moments(*draw(size=(2_000, 400))))
    assert kstest(found.p_value, "uniform").statistic < 0.07
    assert (found.p_value < 0.01).mean() < 0.04
    assert (found.js_distance > 0.1).mean() < 0.02


def test_a_mean_that_moved_by_one_deviation_is_far_away() -> None:
    rng = np.random.default_rng(2)
    before = one(rng.normal(3, 2, 20_000))
    shifted, wider, same = (rng.normal(*law, 5_000) for law in ((5, 2), (3, 4), (3, 2)))
    found = moment_divergence(before, moments(shifted, wider, same))
    # Two normal laws one deviation apart overlap by exp(-1/8).
    assert found.js_distance[0] ** 2 == pytest.approx((1 - np.exp(-1 / 8)) / np.log(2), rel=0.1)
    assert found.js_distance[1] > 0.3
    assert found.js_distance[2] < 0.05
    assert (found.p_value[:2] < 1e-9).all()
    assert found.p_value[2] > 0.01


def test_one_value_is_no_distance_from_itself_and_all_of_it_from_another() -> None:
    found = moment_divergence(one(np.full(500, 2.0)), moments(np.full(500, 2.0), np.full(500, 3.0)))
    assert (found.js_distance[0], found.p_value[0]) == (0, 1)
    assert found.js_distance[1] > 0.9
    assert found.p_value[1] == 0


def test_p_is_the_same_in_any_unit_that_profiles_can_sum() -> None:
    before, now = np.random.default_rng(3).exponential(size=(2, 400)) / 20
    found = moment_divergence(one(before), moments(now))
    for unit in (1e-30, 1e70):
        scaled = moment_divergence(one(before * unit), moments(now * unit))
        assert scaled.p_value[0] == pytest.approx(found.p_value[0], rel=1e-6)
        assert scaled.js_distance[0] == pytest.approx(found.js_distance[0], rel=1e-6)
