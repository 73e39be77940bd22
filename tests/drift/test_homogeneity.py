"""Tests of two samples against SciPy, and their level where nothing has moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, ks_2samp, kstest
from tests.drift.world import categories, numbers

from tocsin.drift import STATISTICS, statistic
from tocsin.drift.pairs import Pair

TESTS = [name for name, each in STATISTICS.items() if each.decides == "p_value"]
tall = st.integers(2, 12).flatmap(
    lambda k: st.tuples(
        st.lists(st.integers(20, 500), min_size=k, max_size=k),
        st.lists(st.integers(20, 500), min_size=k, max_size=k),
    )
)


@given(tall)
def test_tests_of_full_bins_are_those_of_scipy(drawn) -> None:
    for name, power in (("g_test", "log-likelihood"), ("chi_square", "pearson")):
        oracle = chi2_contingency(np.array(drawn), lambda_=power, correction=False)
        if oracle.expected_freq.min() >= 5:
            found = STATISTICS[name].apart(categories(*drawn))
            assert found.value[0] == pytest.approx(oracle.statistic, abs=1e-8)
            assert found.p_value[0] == pytest.approx(oracle.pvalue, abs=1e-9)


@given(
    st.lists(st.integers(1, 500), min_size=2, max_size=2), st.integers(0, 300), st.integers(1, 300)
)
def test_the_z_test_of_two_shares_is_the_square_root_of_chi_square(reference, one, other) -> None:
    found = statistic("z").apart(categories(reference, [one, other]))
    oracle = chi2_contingency([reference, [one, other]], correction=False)
    assert found.value[0] ** 2 == pytest.approx(oracle.statistic, abs=1e-9)
    assert found.p_value[0] == pytest.approx(oracle.pvalue, abs=1e-9)


def test_the_z_test_takes_all_but_the_first_category_together() -> None:
    with_nulls = statistic("z").apart(categories([500, 500, 0], [50, 20, 30]))
    without = statistic("z").apart(categories([500, 500, 0], [50, 50, 0]))
    assert with_nulls.value[0] == pytest.approx(without.value[0])


@pytest.mark.parametrize(("counts", "said"), [([5, 0, 0], "1 cat"), ([5, 5, 5], "3 cat")])
def test_the_z_test_needs_two_categories_and_says_so(counts, said: str) -> None:
    assert said in str(statistic("z").apart(categories(counts, counts)).reason)


def test_a_rare_category_needs_more_rows_for_a_z_test() -> None:
    assert statistic("z").apart(categories([990, 10], [99, 1])).minimum_n(0.01)[0] == 500
    assert statistic("z").apart(categories([500, 500], [5, 5])).minimum_n(0.01)[0] == 20


def test_a_window_whose_own_reference_lacks_a_category_has_no_z_test() -> None:
    reference = np.array([[50.0, 50.0], [100.0, 0.0], [0.0, 0.0]])
    found = statistic("z").apart(
        Pair(reference, np.array([[40.0, 60.0], [90.0, 10.0], [5.0, 5.0]]))
    )
    assert found.minimum_n(0.01).tolist() == [20, np.inf, np.inf]
    assert np.isfinite(found.p_value).all()


def test_the_ks_test_of_rows_in_bins_is_no_surer_than_that_of_the_rows() -> None:
    rng = np.random.default_rng(1)
    for moved in (0.0, 0.1, 0.3):
        before, now = rng.normal(size=5_000), rng.normal(moved, size=500)
        found = statistic("ks").apart(numbers(before, now)).p_value[0]
        exact = ks_2samp(before, now, method="asymp").pvalue
        assert found >= exact * 0.99
        assert found <= max(30 * exact, 0.2) or exact > 0.2


@pytest.mark.parametrize("name", ["g_test", "chi_square", "z_test"])
def test_without_drift_the_p_values_are_about_uniform(name: str) -> None:
    rng = np.random.default_rng(2)
    share = np.full(20, 0.05) if name != "z_test" else np.array([0.3, 0.7])
    p_values = np.concatenate(
        [
            STATISTICS[name]
            .apart(categories(rng.multinomial(20_000, share), *rng.multinomial(500, share, 20)))
            .p_value
            for _ in range(100)
        ]
    )
    assert kstest(p_values, "uniform").statistic < 0.05
    assert (p_values < 0.01).mean() < 0.02


@given(tall)
def test_more_rows_of_the_same_shares_are_surer(drawn) -> None:
    reference, current = (np.array(part) for part in drawn)
    for name in ("g_test", "chi_square"):
        few = STATISTICS[name].apart(categories(reference, current)).p_value[0]
        many = STATISTICS[name].apart(categories(reference * 10, current * 10)).p_value[0]
        assert many <= few + 1e-9
