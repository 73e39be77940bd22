"""Every metric of a regression against scikit-learn and SciPy on the same rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.rows import (
    labelled,
    plan_of,
    predicted,
    profile,
    regression,
    rows,
    stacked,
)

from tocsin.metrics import Catalogue, catalogue
from tocsin.profiles import Plan, Profile
from tocsin.values import Bounded, Undefined

Floats = np.ndarray[Any, Any]
SCHEMA = regression()

# On (labels, predictions).
ORACLES: dict[str, Callable[[Floats, Floats], float]] = {
    "mean_absolute_error": oracle.mean_absolute_error,
    "root_mean_squared_error": oracle.root_mean_squared_error,
    "mean_squared_error": oracle.mean_squared_error,
    "median_absolute_error": oracle.median_absolute_error,
    "mean_error": lambda y, s: float((s - y).mean()),
    "r2_score": oracle.r2_score,
    "explained_variance_score": oracle.explained_variance_score,
    "pearson_correlation": lambda y, s: float(scipy.stats.pearsonr(y, s).statistic),
    "mean_absolute_percentage_error": oracle.mean_absolute_percentage_error,
    "root_mean_squared_log_error": oracle.root_mean_squared_log_error,
    "mean_prediction": lambda _y, s: float(s.mean()),
    "mean_label": lambda y, _s: float(y.mean()),
    "coverage": lambda _y, _s: 1.0,
}
ORACLES |= {
    f"absolute_error_quantile@{q}": lambda y, s, q=q: float(np.quantile(np.abs(s - y), q))
    for q in (0.05, 0.9, 0.99)
}
BINNED = {name for name in ORACLES if "quantile" in name or "median" in name}
OF_VARIANCE = {"r2_score", "explained_variance_score", "pearson_correlation"}


def known() -> Catalogue:
    return catalogue(SCHEMA)


def plan_from(predictions: Floats, labels: Floats | None = None) -> Plan:
    return plan_of(predictions, labels, schema=SCHEMA)


def undefined(name: str, labels: Floats, predictions: Floats) -> bool:
    if name in OF_VARIANCE and (len(labels) < 2 or np.ptp(labels) == 0):
        return True
    if name == "pearson_correlation" and np.ptp(predictions) == 0:
        return True
    if name == "mean_absolute_percentage_error" and np.abs(labels).min() <= np.finfo(float).eps:
        return True
    return name == "root_mean_squared_log_error" and min(labels.min(), predictions.min()) <= -1


def assert_agrees(
    labels: Floats, predictions: Floats, plan: Plan | None = None, *, close: float = 1e-9
) -> None:
    """Every metric is what the oracle says, within its own error, and inside its interval."""
    labels, predictions = np.asarray(labels, float), np.asarray(predictions, float)
    plan = plan or plan_from(predictions, labels)
    found = profile(plan, rows(predictions), labels)
    for name, expected in ORACLES.items():
        measure = known()[name].measure(found).at()
        if undefined(name, labels, predictions):
            assert isinstance(measure, Undefined), (name, measure)
            continue
        assert isinstance(measure, Bounded), (name, measure)
        truth = expected(labels, predictions)
        rounding = close * (1 + abs(truth))
        assert abs(measure.value - truth) <= measure.error + rounding, (name, measure, truth)
        assert (measure.error > 0) <= (name in BINNED), name
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low <= measure.value <= measure.high, (name, measure)


def test_every_metric_has_its_oracle() -> None:
    # Concept drift is defined on bins, and has its own tests.
    assert set(known()) <= {*ORACLES, "concept_drift"}
    assert all(known()[name].name == name for name in ORACLES)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=40),
    st.sampled_from([0.25, 1.0, 1e6]),
)
def test_any_few_rows_measure_as_scikit_learn_says(drawn, scale: float) -> None:
    labels, predictions = (np.array(part) * scale for part in zip(*drawn, strict=True))
    assert_agrees(labels, predictions)


@pytest.mark.parametrize("n", [2, 3, 10, 300, 20_000])
def test_numbers_of_a_usual_model_measure_as_scikit_learn_says(n: int) -> None:
    rng = np.random.default_rng(n)
    labels = rng.normal(10, 2, n)
    assert_agrees(labels, labels + rng.normal(0.3, 1, n))


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_skewed_numbers_of_any_scale_measure_as_scikit_learn_says(scale: float) -> None:
    rng = np.random.default_rng(1)
    labels = rng.lognormal(0, 1.5, 5_000) * scale
    assert_agrees(labels, labels * rng.lognormal(0, 0.3, 5_000))


def test_numbers_far_from_zero_keep_their_digits() -> None:
    rng = np.random.default_rng(2)
    labels = 1e12 + rng.normal(0, 1, 5_000)
    # What is left of a number of 1e12 has 4 digits after the point.
    assert_agrees(labels, labels + rng.normal(0, 0.5, 5_000), close=1e-9)


def test_the_bins_of_another_reference_still_bound_the_truth() -> None:
    rng = np.random.default_rng(3)
    reference = rng.normal(0, 1, 500)
    labels = rng.normal(5, 40, 5_000)
    plan = plan_from(reference, reference + rng.normal(0, 0.01, 500))
    assert_agrees(labels, labels + rng.normal(0, 30, 5_000), plan)


def test_negative_labels_have_no_log_error_but_all_else() -> None:
    rng = np.random.default_rng(4)
    labels = rng.normal(-50, 10, 300)
    assert_agrees(labels, labels + rng.normal(0, 1, 300))


@pytest.mark.parametrize("n", [1, 2, 500])
def test_perfect_predictions_and_constant_ones_measure_as_scikit_learn_says(n: int) -> None:
    labels = np.random.default_rng(n).uniform(1, 2, n)
    assert_agrees(labels, labels)
    assert_agrees(labels, np.full(n, 1.5))
    assert_agrees(np.full(n, 1.1), labels)
    assert_agrees(np.full(n, 1.1), np.full(n, 1.3))


def test_perfect_predictions_do_not_prove_that_no_error_can_be() -> None:
    labels = np.linspace(0, 1, 100)
    found = profile(plan_from(labels), rows(labels), labels)
    for name in ("mean_absolute_error", "root_mean_squared_error"):
        assert known()[name].measure(found).at() == Bounded(0.0, 0.0, 0.0, np.inf, 100)
    r2 = known()["r2_score"].measure(found).at()
    assert (r2.value, r2.low, r2.high) == (1.0, -np.inf, 1.0)


def test_one_row_says_nothing_of_the_others() -> None:
    found = profile(plan_from(np.array([1.0, 3.0])), rows([3.0]), [1.0])
    error = known()["mean_error"].measure(found).at()
    assert (error.value, error.low, error.high) == (2.0, -np.inf, np.inf)
    distance = known()["mean_absolute_error"].measure(found).at()
    assert distance.value == 2.0
    assert distance.low == pytest.approx(2 * 0.025)
    assert distance.high == np.inf


def test_rows_without_a_predicted_number_are_in_no_error() -> None:
    rng = np.random.default_rng(5)
    labels = rng.uniform(1, 5, 1_000)
    predictions = labels + rng.normal(0, 0.3, 1_000)
    gone = rng.uniform(size=1_000) < 0.3
    shown = np.where(gone, rng.choice([np.nan, np.inf, -np.inf], 1_000), predictions)
    found = profile(plan_from(predictions, labels), rows(shown), labels)
    for name in set(ORACLES) - {"coverage"}:
        measure = known()[name].measure(found).at()
        assert isinstance(measure, Bounded), (name, measure)
        truth = ORACLES[name](labels[~gone], predictions[~gone])
        assert abs(measure.value - truth) <= measure.error + 1e-9, name
        assert measure.n == (~gone).sum(), name
    none = profile(plan_from(predictions, labels), rows(np.full(3, np.nan)), [1.0, 2.0, 3.0])
    for name in set(ORACLES) - {"coverage"}:
        measure = known()[name].measure(none).at()
        assert isinstance(measure, Undefined), name
        assert "has a predicted number" in measure.reason, name


def test_a_quantile_in_the_open_last_bin_says_so() -> None:
    labels = np.linspace(0, 1, 100)
    plan = plan_from(labels + 0.1, labels)
    found = profile(plan, rows(np.full(10, 1e9)), np.zeros(10))
    measure = known()["absolute_error_quantile@0.9"].measure(found).at()
    assert isinstance(measure, Undefined)
    assert "beyond the last bin" in measure.reason


def test_sums_beyond_the_largest_number_are_no_number() -> None:
    labels = np.linspace(0, 1, 100)
    some = profile(plan_from(labels), rows([1e70, 0.5, np.nan]), [0.5, 0.5, 0.1])
    with np.errstate(over="ignore"):
        large = np.abs(some.vector) > 1e30
        found = Profile(some.plan, np.where(large, some.vector * 1e250, some.vector))
    assert isinstance(known()["mean_squared_error"].measure(found).at(), Undefined)
    for metric in known().values():
        measure = metric.measure(found).at()
        if isinstance(measure, Bounded):
            assert np.isfinite([measure.value, measure.error]).all()
            assert not np.isnan([measure.low, measure.high]).any()


@pytest.mark.parametrize(
    ("labels", "predictions", "name", "reason"),
    [
        ([1, 1], [1, 2], "r2_score", "all the same"),
        ([1], [1], "explained_variance_score", "one outcome"),
        ([1, 2], [1, 1], "pearson_correlation", "predictions of the labelled rows"),
        ([1, -1], [1, 1], "root_mean_squared_log_error", "-1 or less"),
    ],
)
def test_an_undefined_metric_says_why(labels, predictions, name: str, reason: str) -> None:
    plan = plan_from(np.array([1.0, 2.0]))
    measure = known()[name].measure(profile(plan, rows(predictions), labels)).at()
    assert isinstance(measure, Undefined)
    assert reason in measure.reason


def test_no_rows_and_no_outcomes_have_no_numbers_but_reasons() -> None:
    plan = plan_from(np.linspace(0, 1, 50))
    some = rows([0.1, 0.2, 0.7])
    truth = labelled(plan, some, [0.1, 0.3, 0.4])
    unlabelled = predicted(plan, some)
    for name in ORACLES:
        metric = known()[name]
        for found in (Profile.zero(plan), unlabelled, unlabelled + truth - truth):
            measure = metric.measure(found).at()
            if metric.needs_labels:
                assert measure == Undefined("no outcomes yet"), name
            elif found.vector.any():
                assert isinstance(measure, Bounded), name
            else:
                assert measure == Undefined("no predictions in this window"), name


def test_a_stack_measures_what_its_profiles_measure_alone() -> None:
    rng = np.random.default_rng(6)
    plan = plan_from(rng.uniform(size=500))
    each = [Profile.zero(plan)]
    for n in (1, 2, 40, 400):
        predictions = rng.uniform(size=n)
        each.append(profile(plan, rows(predictions), predictions + rng.normal(0, 0.1, n)))
        each.append(predicted(plan, rows(predictions)))
    for name in ORACLES:
        together = known()[name].measure(stacked(each))
        for i, one in enumerate(each):
            assert together.at(i) == known()[name].measure(one).at(), name
