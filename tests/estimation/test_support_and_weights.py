"""Rows the reference says nothing about, and rows of the reference that stand for others."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from tests.metrics.rows import plan_of, profile, rows, stacked

from tocsin.estimation import effective_rows, importance_weights, outside, supports, weighted
from tocsin.metrics import METRICS
from tocsin.schema import Feature, Kind, Schema, Task
from tocsin.values import Bounded, Undefined

FEATURES = 20


def schema() -> Schema:
    features = tuple(Feature(f"f{i}", Kind.NUMERIC) for i in range(FEATURES))
    return Schema(Task.BINARY, features, "p", None, "y")


def drawn(rng: np.random.Generator, n: int, **changes: np.ndarray) -> dict[str, np.ndarray]:
    return {f"f{i}": rng.standard_t(4, n) for i in range(FEATURES)} | changes


@pytest.mark.parametrize("n", [20, 200, 5_000])
def test_clean_windows_of_many_features_with_long_tails_are_not_outside(n: int) -> None:
    rng = np.random.default_rng(n)
    beyond = []
    for _ in range(4):
        scores = rng.uniform(0.01, 0.99, 1_000)
        labels = (rng.random(1_000) < scores).astype(float)
        features = drawn(rng, 1_000)
        plan = plan_of(scores, labels, schema=schema(), **features)
        reference = profile(plan, rows(scores, **features), labels)
        few = [rows(rng.uniform(0.01, 0.99, n), **drawn(rng, n)) for _ in range(40)]
        stack = stacked([profile(plan, some, np.zeros(n)) for some in few])
        beyond += outside(reference, stack, output="p", spared=()).beyond.tolist()
    assert np.mean(beyond) < 0.01


def test_the_column_with_most_rows_outside_is_named_unless_it_is_spared() -> None:
    rng = np.random.default_rng(1)
    scores = rng.uniform(0.2, 0.8, 2_000)
    labels = (rng.random(2_000) < scores).astype(float)
    features = drawn(rng, 2_000)
    plan = plan_of(scores, labels, schema=schema(), **features)
    reference = profile(plan, rows(scores, **features), labels)
    moved = drawn(rng, 400, f3=np.where(np.arange(400) < 60, 1e3, 0.0))
    stack = stacked([profile(plan, rows(scores[:400], **moved), labels[:400])])
    found = outside(reference, stack, output="p", spared=())
    assert found.names[found.column[0]] == "f3"
    assert found.share[0] == pytest.approx(0.15)
    assert found.beyond[0]
    assert not outside(reference, stack, output="p", spared=("f3",)).beyond[0]
    high = stacked([profile(plan, rows(np.full(400, 0.95), **drawn(rng, 400)), labels[:400])])
    found = outside(reference, high, output="p", spared=())
    assert (found.names[found.column[0]], float(found.share[0])) == ("p", 1.0)


def test_weights_of_a_classifier_give_the_number_of_other_covariates() -> None:
    rng = np.random.default_rng(2)

    def world(n: int, middle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x = rng.normal(middle, 1, n)
        # The score knows nothing of how hard a row is: calibration alone cannot tell.
        scores = rng.choice([0.2, 0.8], n)
        wrong = rng.random(n) < 0.1 + 0.3 * (x > 0)
        return x, scores, np.where(wrong, scores < 0.5, scores >= 0.5).astype(float)

    x, scores, labels = world(20_000, 0.0)
    plan = plan_of(scores, labels)
    now, now_scores, now_labels = world(20_000, 0.7)
    domain = LogisticRegression().fit(np.r_[x, now][:, None], np.repeat([0, 1], [len(x), len(now)]))
    chance = domain.predict_proba(x[:, None])[:, 1]
    weights = importance_weights(chance / (1 - chance))
    found = weighted(METRICS["accuracy_score"], plan, rows(scores), labels, weights)
    assert isinstance(found, Bounded)
    truth = accuracy_score(now_labels, now_scores >= 0.5)
    assert found.value == pytest.approx(truth, abs=0.01)
    assert found.n == pytest.approx(effective_rows(weights), rel=0.02)
    assert abs(accuracy_score(labels, scores >= 0.5) - truth) > 0.04


def test_equal_weights_are_the_reference_itself() -> None:
    rng = np.random.default_rng(3)
    scores = rng.random(2_000)
    labels = (rng.random(2_000) < scores).astype(float)
    plan = plan_of(scores, labels)
    known = profile(plan, rows(scores), labels)
    for name in ("roc_auc", "brier_score", "f1_score"):
        metric = METRICS[name]
        found = weighted(metric, plan, rows(scores), labels, np.full(2_000, 3.0))
        truth = metric.measure(known).at()
        assert isinstance(found, Bounded)
        assert isinstance(truth, Bounded)
        assert found.value == pytest.approx(truth.value)
        assert found.n == truth.n


def test_few_rows_with_all_the_weight_are_refused() -> None:
    rng = np.random.default_rng(4)
    scores = rng.random(5_000)
    labels = (rng.random(5_000) < scores).astype(float)
    plan = plan_of(scores, labels)
    weights = importance_weights(np.exp(rng.normal(0, 3, 5_000)))
    assert weights.mean() == pytest.approx(1)
    assert not supports(weights)
    found = weighted(METRICS["accuracy_score"], plan, rows(scores), labels, weights)
    assert isinstance(found, Undefined)
    assert "1,000 are needed" in found.reason
    assert supports(np.ones(1_000))
    assert not supports(np.ones(999))
