"""Distances between bin counts against SciPy, and what they are where nothing has moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, chi2_contingency, false_discovery_control, kstest

from tocsin.drift import Divergence, divergence, false_discovery_rates

counts = st.integers(2, 12).flatmap(
    lambda k: st.tuples(
        st.lists(st.integers(0, 500), min_size=k, max_size=k).filter(any),
        st.lists(st.integers(0, 500), min_size=k, max_size=k).filter(any),
    )
)


def apart(reference, current) -> Divergence:
    return divergence(np.asarray(reference, float), np.asarray(current, float))


def bias(reference: np.ndarray, current: np.ndarray) -> float:
    """What sampling alone is expected to add to the Jensen-Shannon divergence."""
    bins = ((reference > 0) | (current > 0)).sum()
    return max(bins - 1, 1) * (1 / reference.sum() + 1 / current.sum()) / (8 * np.log(2))


@given(counts)
def test_the_distance_is_scipy_s_less_what_sampling_gives(drawn) -> None:
    reference, current = (np.array(part, float) for part in drawn)
    raw = jensenshannon(reference, current, base=2)
    expected = np.sqrt(max(raw**2 - bias(reference, current), 0))
    assert apart(reference, current).js_distance ** 2 == pytest.approx(expected**2, abs=1e-9)


def test_the_distance_of_counts_that_moved_far_is_scipy_s() -> None:
    reference, current = np.array([500.0, 300, 200, 0]), np.array([100.0, 200, 400, 300])
    raw = jensenshannon(reference, current, base=2)
    found = apart(reference, current).js_distance
    assert found**2 + bias(reference, current) == pytest.approx(raw**2, abs=1e-12)
    assert found > 0.4


@given(counts)
def test_distances_stay_in_their_ranges(drawn) -> None:
    found = apart(*drawn)
    assert 0 <= found.js_floor <= found.js_distance <= found.js_ceiling <= 1
    assert found.psi >= 0
    assert 0 <= found.p_value <= 1
    assert found.n == sum(drawn[1])


@given(counts, st.randoms(use_true_random=False))
def test_the_order_of_the_bins_changes_neither_distance(drawn, random) -> None:
    reference, current = drawn
    order = list(range(len(reference)))
    random.shuffle(order)
    one = apart(reference, current)
    other = apart([reference[i] for i in order], [current[i] for i in order])
    assert other.js_distance**2 == pytest.approx(one.js_distance**2, abs=1e-12)
    assert other.psi == pytest.approx(one.psi, abs=1e-12)


@given(counts, st.integers(2, 1_000))
def test_the_same_shares_are_no_distance(drawn, times: int) -> None:
    reference = np.array(drawn[0], float)
    found = apart(reference, reference * times)
    assert found.js_distance == 0
    assert found.p_value == pytest.approx(1)


def test_psi_is_what_the_formula_gives_by_hand() -> None:
    # Shares .4 .6 and .7 .3 of 1000 each, half a row added to each of two bins.
    p, q = np.array([400.5, 600.5]) / 1001, np.array([700.5, 300.5]) / 1001
    by_hand = (q[0] - p[0]) * np.log(q[0] / p[0]) + (q[1] - p[1]) * np.log(q[1] / p[1])
    found = apart([400, 600], [700, 300]).psi
    assert found == pytest.approx(by_hand - 1 * 2 / 1000)
    assert found == pytest.approx(0.3 * np.log(1.75) + 0.3 * np.log(2), abs=0.005)


tall = st.integers(2, 12).flatmap(
    lambda k: st.tuples(
        st.lists(st.integers(20, 500), min_size=k, max_size=k),
        st.lists(st.integers(20, 500), min_size=k, max_size=k),
    )
)


@given(tall)
def test_the_test_of_full_bins_is_scipy_s_g_test(drawn) -> None:
    table = np.array(drawn, float)
    oracle = chi2_contingency(table, lambda_="log-likelihood", correction=False)
    if oracle.expected_freq.min() >= 5:
        assert apart(*drawn).p_value == pytest.approx(oracle.pvalue, abs=1e-9)


def test_bins_with_few_rows_are_pooled_with_their_neighbours() -> None:
    # Two expected rows in each bin: three neighbours make one with six.
    reference, current = np.full(12, 200.0), np.array([4.0, 0, 2, 4, 0, 2, 4, 0, 2, 4, 0, 2])
    assert apart(reference, current).p_value == pytest.approx(1, abs=0.01)
    assert apart(reference, np.sort(current)).p_value < 0.01


def test_too_few_rows_for_two_pools_prove_nothing() -> None:
    assert apart([500, 500], [6, 0]).p_value == 1


@given(counts, st.integers(1, 4))
def test_a_stack_of_windows_is_measured_as_each_alone(drawn, windows: int) -> None:
    reference, current = drawn
    stack = np.array([current, *([reference] * (windows - 1))], float)
    together = apart(reference, stack)
    for i, row in enumerate(stack):
        alone = apart(reference, row)
        for name in ("js_distance", "js_floor", "js_ceiling", "psi", "p_value", "n", "minimum_n"):
            assert getattr(together, name)[i] == pytest.approx(getattr(alone, name), abs=1e-12)


def test_a_window_without_rows_has_no_rows_and_no_nan() -> None:
    found = apart([5, 5], [[0, 0], [5, 5]])
    assert found.n.tolist() == [0, 10]
    for part in (found.js_distance, found.js_floor, found.psi, found.p_value):
        assert np.isfinite(part).all()


def test_the_rows_that_tell_the_effect_from_noise_are_those_of_the_documentation() -> None:
    found = apart([100] * 20, [10] * 20)
    assert found.minimum_n == np.ceil((chi2.isf(1e-4, 19) - 19) / (8 * np.log(2) * 0.01))
    assert 500 < found.minimum_n < 600


@pytest.mark.parametrize("rows", [200, 1_000])
def test_without_drift_the_debiased_divergence_is_about_0_on_average(rows: int) -> None:
    rng = np.random.default_rng(rows)
    share = rng.dirichlet(np.full(20, 5.0))
    reference = rng.multinomial(20_000, share).astype(float)
    current = rng.multinomial(rows, share, size=4_000).astype(float)
    raw = jensenshannon(np.broadcast_to(reference, current.shape), current, base=2, axis=1) ** 2
    expected = bias(reference, current[0])
    assert abs((raw - expected).mean()) < 0.1 * expected
    # Clipping at 0 hides half of them.
    assert 0.3 < (apart(reference, current).js_distance == 0).mean() < 0.7


@pytest.mark.parametrize("rows", [1_000, 10_000])
def test_without_drift_the_p_values_are_about_uniform(rows: int) -> None:
    rng = np.random.default_rng(rows)
    p_values = np.concatenate(
        [
            apart(
                rng.multinomial(20_000, np.full(20, 0.05)),
                rng.multinomial(rows, np.full(20, 0.05), size=20),
            ).p_value
            for _ in range(100)
        ]
    )
    assert kstest(p_values, "uniform").statistic < 0.05
    assert (p_values < 0.01).mean() < 0.02


def test_few_rows_keep_the_test_near_its_level() -> None:
    rng = np.random.default_rng(8)
    share = np.array([0.2 / 4] * 19 + [0.047, 0.001, 0.001, 0.001])
    p_values = np.concatenate(
        [
            apart(rng.multinomial(20_000, share), rng.multinomial(50, share, size=20)).p_value
            for _ in range(100)
        ]
    )
    assert (p_values < 0.01).mean() < 0.025
    assert 0.4 < p_values.mean() < 0.6


def test_noise_hardly_ever_lifts_the_floor_of_the_distance() -> None:
    rng = np.random.default_rng(9)
    reference = rng.multinomial(20_000, np.full(20, 0.05))
    found = apart(reference, rng.multinomial(100, np.full(20, 0.05), size=5_000))
    assert (found.js_distance > 0.1).mean() > 0.1
    assert (found.js_floor > 0.1).mean() < 0.001


@pytest.mark.parametrize("bins", [2, 3, 20])
def test_from_the_minimum_of_rows_on_chance_hardly_ever_passes_the_effect(bins: int) -> None:
    rng = np.random.default_rng(bins)
    share = np.full(bins, 1 / bins)
    reference = rng.multinomial(10**6, share)
    needed = int(apart(reference, reference).minimum_n)
    found = apart(reference, rng.multinomial(needed, share, size=20_000))
    assert (found.js_distance > 0.1).mean() < 0.0005


@pytest.mark.parametrize("rows", [41, 100, 300])
@pytest.mark.parametrize("moved", [0.1, 0.3, 0.6])
def test_the_ceiling_of_the_distance_is_passed_by_the_true_one_in_1_of_20(
    rows: int, moved: float
) -> None:
    rng = np.random.default_rng(rows)
    before = np.full(20, 0.05)
    now = (1 - moved) * before + moved * np.eye(20)[0]
    true = jensenshannon(before, now, base=2)
    found = apart(rng.multinomial(20_000, before), rng.multinomial(rows, now, size=4_000))
    assert (found.js_ceiling < true).mean() < 0.07


@given(st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=5))
def test_false_discovery_rates_are_corrected_within_each_window(p_values) -> None:
    together = false_discovery_rates(np.array(p_values))
    for row, found in zip(p_values, together, strict=True):
        np.testing.assert_allclose(found, false_discovery_control(row))
        assert (found >= np.array(row) - 1e-12).all()
