"""Concept drift is what labels say beyond what the reference gives for the same outputs."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from tests.metrics.rows import multiclass, plan_of, profile, regression, rows

from tocsin.metrics import METRICS, catalogue
from tocsin.metrics.surprise import concept_drift, concept_drift_positives
from tocsin.profiles import Plan
from tocsin.values import Bounded, Undefined

Floats = np.ndarray[Any, Any]


def drawn(rng: np.random.Generator, n: int, *, slope: float = 1.0, shift: float = 0.0) -> Any:
    """Scores with labels whose log-odds are `slope` times and `shift` off from what they say."""
    scores = expit(rng.normal(-0.5, 1.2, n))
    return scores, (rng.random(n) < expit(slope * logit(scores) + shift)).astype(float)


def reference(rng: np.random.Generator, n: int = 40_000) -> tuple[Plan, Floats, Floats]:
    scores, labels = drawn(rng, n)
    return plan_of(scores, labels), scores, labels


def value(name: str, plan: Plan, scores: Floats, labels: Floats) -> Bounded:
    found = METRICS[name].measure(profile(plan, rows(scores), labels)).at()
    assert isinstance(found, Bounded), found
    return found


def test_the_reference_itself_has_not_drifted() -> None:
    plan, scores, labels = reference(np.random.default_rng(1))
    for name in ("concept_drift", "concept_drift_positives", "concept_drift_intercept"):
        assert value(name, plan, scores, labels).value == pytest.approx(0, abs=2e-3), name
    assert value("concept_drift_slope", plan, scores, labels).value == pytest.approx(0, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400))
def test_the_loss_is_what_was_expected_and_what_was_not(seed: int, n: int) -> None:
    """The mean loss of labelled rows splits into what chances give, and concept drift."""
    rng = np.random.default_rng(seed)
    plan, _, _ = reference(np.random.default_rng(2), 2_000)
    scores, labels = drawn(rng, n, slope=-1)
    some = profile(plan, rows(scores), labels)
    expected = some.total("expected_loss") / n
    # Scores stand at the mean of their bin, which is exact in expectation and in the realised sum.
    brier = METRICS["brier_score"].measure(some).at()
    assert isinstance(brier, Bounded)
    found = concept_drift(some).at()
    assert isinstance(found, Bounded)
    assert brier.value == pytest.approx(expected + found.value, abs=0.02)


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.7), (0.4, 0.0), (1.0, 0.0)])
def test_slope_and_intercept_are_those_of_a_logistic_regression_on_the_old_chances(
    slope: float, shift: float
) -> None:
    rng = np.random.default_rng(3)
    plan, _, _ = reference(rng)
    scores, labels = drawn(rng, 20_000, slope=slope, shift=shift)
    some = profile(plan, rows(scores), labels)
    bins = np.searchsorted(some.scores.edges, scores, side="right") - 1
    chances = some.scores.rates[np.minimum(bins, len(some.scores.rates) - 1)]
    x = logit(np.clip(chances, 1e-6, 1 - 1e-6))[:, None]
    oracle = LogisticRegression(C=np.inf).fit(x, labels)
    found = value("concept_drift_slope", plan, scores, labels)
    assert found.value == pytest.approx(oracle.coef_[0, 0] - 1, abs=2e-3)
    assert found.low is not None
    assert found.high is not None
    assert found.low < slope - 1 + 0.03
    assert found.high > slope - 1 - 0.03
    if slope == 1:
        moved = value("concept_drift_intercept", plan, scores, labels)
        assert moved.value == pytest.approx(shift, abs=0.06)


def test_labels_that_swap_show_in_the_loss_and_not_in_their_rate() -> None:
    rng = np.random.default_rng(4)
    scores = rng.uniform(0, 1, 20_000)
    labels = (rng.random(20_000) < scores).astype(float)
    plan = plan_of(scores, labels)
    some = profile(plan, rows(scores), 1 - labels)
    loss, rate = concept_drift(some).at(), concept_drift_positives(some).at()
    assert isinstance(loss, Bounded)
    assert isinstance(rate, Bounded)
    assert loss.value == pytest.approx(1 / 3, abs=0.02)
    assert loss.low is not None
    assert loss.low > 0.3
    assert rate.value == pytest.approx(0, abs=0.02)


def test_covariates_that_move_are_no_concept_drift() -> None:
    rng = np.random.default_rng(5)
    plan, _, _ = reference(rng)
    scores = expit(rng.normal(1.5, 0.5, 5_000))
    labels = (rng.random(5_000) < scores).astype(float)
    found = value("concept_drift", plan, scores, labels)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_several_classes_and_regressions_have_it_too() -> None:
    rng = np.random.default_rng(6)
    schema = multiclass("a", "b", "c")
    scores = rng.dirichlet(np.ones(3), 5_000)
    labels = (rng.random(5_000)[:, None] > scores.cumsum(1)).sum(1).clip(0, 2)
    plan = plan_of(scores, labels, schema=schema)
    metric = catalogue(schema)["concept_drift"]
    same = metric.measure(profile(plan, rows(scores), labels)).at()
    swapped = metric.measure(profile(plan, rows(scores), (labels + 1) % 3)).at()
    assert isinstance(same, Bounded)
    assert isinstance(swapped, Bounded)
    assert abs(same.value) < 0.02 < 0.2 < swapped.value
    guesses = rng.gamma(2, 2, 5_000)
    truth = guesses + rng.normal(0, 1, 5_000)
    plan = plan_of(guesses, truth, schema=regression())
    metric = catalogue(regression())["concept_drift"]
    off = metric.measure(profile(plan, rows(guesses), truth + 1.0)).at()
    assert isinstance(off, Bounded)
    error = np.abs(guesses - truth - 1).mean() - np.abs(guesses - truth).mean()
    assert off.value == pytest.approx(error, rel=0.02)


def test_without_outcomes_or_scores_there_is_a_reason() -> None:
    plan, scores, _ = reference(np.random.default_rng(7), 500)
    none = profile(plan, rows(scores[:5]), np.zeros(5)) - profile(
        plan, rows(scores[:5]), np.zeros(5)
    )
    assert concept_drift(none).at() == Undefined("no outcomes yet", 0)
    blank = profile(plan, rows(np.full(3, np.nan)), [0, 1, 0])
    assert isinstance(concept_drift(blank).at(), Undefined)
