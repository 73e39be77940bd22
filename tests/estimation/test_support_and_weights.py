"""Rows the reference says nothing about, and rows of the reference that stand for others."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from tests.metrics.rows import (
    binary,
    multiclass,
    numeric,
    plan_of,
    profile,
    regression,
    rows,
    stacked,
)

from tocsin.drift import told_apart
from tocsin.estimation import (
    Scale,
    cover,
    density_ratios,
    effective_rows,
    expected_in,
    importance_weights,
    outside,
    supports,
    weighted,
    weighted_profile,
)
from tocsin.metrics import METRICS, catalogue
from tocsin.profiles import NumericColumn, Profile
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


def hard(task: Task, rng: np.random.Generator, n: int, middle: float) -> tuple[np.ndarray, ...]:
    """A covariate, outputs that know nothing of it, and labels that do: harder on one side."""
    x = rng.normal(middle, 1, n)
    if task is Task.REGRESSION:
        guesses = rng.normal(10, 2, n)
        return x, guesses, guesses + rng.normal(0, np.where(x > 0, 2.0, 0.5))
    wrong = rng.random(n) < 0.1 + 0.3 * (x > 0)
    if task is Task.BINARY:
        scores = rng.choice([0.2, 0.3, 0.7, 0.8], n)
        return x, scores, np.where(wrong, scores < 0.5, scores >= 0.5).astype(float)
    said = rng.integers(0, 3, n)
    scores = np.full((n, 3), 0.1)
    scores[np.arange(n), said] = 0.8
    return x, scores, np.where(wrong, (said + 1) % 3, said).astype(float)


@pytest.mark.parametrize(
    ("task", "of", "metrics"),
    [
        (Task.BINARY, binary(), {"accuracy_score": Scale.SHARE, "log_loss": Scale.POSITIVE}),
        (Task.MULTICLASS, multiclass("a", "b", "c"), {"accuracy_score": Scale.SHARE}),
        (Task.REGRESSION, regression(), {"mean_absolute_error": Scale.POSITIVE}),
    ],
)
def test_of_each_task_the_interval_holds_what_comes_out(
    task: Task, of: Schema, metrics: dict[str, Scale]
) -> None:
    rng = np.random.default_rng(5)
    inside: dict[str, list[bool]] = {name: [] for name in metrics}
    for _ in range(60):
        x, outputs, labels = hard(task, rng, 4_000, 0.0)
        plan = plan_of(outputs, labels, schema=of)
        _, now, truth = hard(task, rng, 400, 0.7)
        # Of two normals the ratio is known.
        ratios = np.exp(0.7 * x - 0.7**2 / 2)
        covered = cover(ratios, np.ones(400))
        assert covered.supported
        standing = weighted_profile(plan, rows(outputs), labels, ratios)
        came = profile(plan, rows(now), truth)
        for name, scale in metrics.items():
            metric = catalogue(of)[name]
            found, out = expected_in(covered, metric, scale, standing), metric.measure(came).at()
            assert isinstance(found, Bounded)
            assert isinstance(out, Bounded)
            assert found.low is not None
            assert found.high is not None
            inside[name].append(found.low <= out.value <= found.high)
    assert all(np.mean(each) >= 0.88 for each in inside.values())


def test_rows_elsewhere_are_told_of_though_all_of_the_reference_counts() -> None:
    rng = np.random.default_rng(6)

    def columns(n: int, elsewhere: int = 0) -> dict[str, NumericColumn]:
        values = rng.normal(size=n)
        values[:elsewhere] += 8
        return {"a": numeric(values), "b": numeric(rng.normal(size=n))}

    before, now = columns(3_000), columns(2_000, elsewhere=400)
    told = told_apart(before, now)
    ratios = density_ratios(told.reference, 3_000, 2_000)
    found = cover(ratios, density_ratios(told.current, 3_000, 2_000))
    assert found.worth > 2_000
    assert found.alone == pytest.approx(0.2, abs=0.02)
    assert found.reason == "20% of the rows of the window are hardly found in the reference"
    assert isinstance(
        expected_in(found, METRICS["roc_auc"], Scale.SHARE, weighted_of(3_000)), Undefined
    )
    assert cover(np.ones(3_000), np.ones(2_000)).supported
    assert "1,000 are needed" in str(cover(np.ones(900), np.ones(2_000)).reason)
    # So few rows may be chance.
    assert cover(np.ones(3_000), np.r_[np.full(3, 99.0), np.ones(97)]).supported


def weighted_of(n: int) -> Profile:
    scores = np.random.default_rng(0).random(n)
    plan = plan_of(scores, (scores > 0.5).astype(float))
    return weighted_profile(plan, rows(scores), (scores > 0.5).astype(float), np.ones(n))


def test_weights_of_a_large_reference_have_to_be_worth_a_tenth_of_it() -> None:
    ratios = np.where(np.arange(50_000) < 3_000, 16.0, 1e-9)
    found = cover(ratios, np.full(1_000, 1.0))
    assert (found.worth, found.needed) == (pytest.approx(3_000), 5_000)
    assert found.reason == "the reference is worth 3,000 rows like these, 5,000 are needed"
