"""Expectations against the labels they expect: drawn from the calibrated chances, many times."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from tests.metrics.rows import (
    binary,
    decided,
    multiclass,
    plan_of,
    predicted,
    profile,
    regression,
    rows,
    windows,
)

from tocsin.estimation import expectations, has_expectation, interval
from tocsin.estimation.binary import average_precision, roc_auc, soft
from tocsin.estimation.multiclass import chances
from tocsin.metrics import catalogue
from tocsin.profiles import Plan, Profile, plan_from_reference
from tocsin.schema import Schema

Floats = np.ndarray[Any, Any]
CLASSES = ("a", "b", "c")


def binary_rows(rng: np.random.Generator, n: int, moved: float) -> tuple[Floats, Floats]:
    """Scores that are wrong, so that calibration has work to do."""
    chance = expit(rng.normal(-1 + moved, 1.2, n))
    return chance**1.3, (rng.random(n) < chance).astype(float)


def multiclass_rows(rng: np.random.Generator, n: int, moved: float) -> tuple[Floats, Floats]:
    raw = rng.normal(0, 1.5, (n, 3)) + np.array([moved, 0, -0.3])
    chance = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    labels = (rng.random(n)[:, None] > chance.cumsum(1)).sum(1).clip(0, 2)
    sharper = np.exp(1.3 * raw)
    return sharper / sharper.sum(1, keepdims=True), labels.astype(float)


def regression_rows(rng: np.random.Generator, n: int, moved: float) -> tuple[Floats, Floats]:
    guess = rng.gamma(2 + moved, 2, n)
    return guess, guess + rng.normal(0, 1, n) * (0.5 + 0.2 * guess)


Draw = Callable[[np.random.Generator, int, float], tuple[Floats, Floats]]
TASKS: dict[str, tuple[Schema, Draw, float]] = {
    "binary": (binary(0.3), binary_rows, 0.3),
    "multiclass": (multiclass(*CLASSES), multiclass_rows, 0.5),
    "regression": (regression(), regression_rows, 0.5),
}


def world(
    task: str, *, seed: int, count: int, size: int, n: int = 8_000
) -> tuple[Profile, Profile]:
    """A reference, and a stack of labelled windows whose covariates have moved."""
    schema, draw, moved = TASKS[task]
    rng = np.random.default_rng(seed)
    scores, labels = draw(rng, n, 0.0)
    plan = plan_of(scores, labels, schema=schema)
    reference = profile(plan, rows(scores, threshold=schema.threshold), labels)
    scores, labels = draw(rng, count * size, moved)
    return reference, windows(plan, rows(scores, threshold=schema.threshold), labels, count)


@pytest.mark.parametrize("task", TASKS)
def test_intervals_hold_realised_numbers_of_windows_whose_covariates_moved(task: str) -> None:
    schema = TASKS[task][0]
    known = catalogue(schema)
    more = {"binary": ["recall_score@0.3"], "multiclass": ["recall_score@b", "roc_auc@a"]}
    held: dict[str, list[float]] = {}
    # Several references, as each is off in its own way.
    for seed in range(4):
        reference, stack = world(task, seed=seed, count=120, size=400)
        for name, e in expectations(reference, stack, [*known, *more.get(task, [])]).items():
            measured = known[name].measure(stack)
            low, high = interval(e.value, e.variance, e.scale)
            held.setdefault(name, []).extend((low <= measured.value) & (measured.value <= high))
    shares = {name: float(np.mean(found)) for name, found in held.items()}
    assert len(shares) >= {"binary": 12, "multiclass": 14, "regression": 3}[task]
    # Variances of several classes together are bounds, so that their intervals may be too long.
    most = 1.0 if task == "multiclass" else 0.985
    assert all(0.92 < share <= most for share in shares.values()), shares


@pytest.mark.parametrize("task", TASKS)
def test_the_reference_is_expected_to_be_as_it_is(task: str) -> None:
    schema = TASKS[task][0]
    known = catalogue(schema)
    reference, _ = world(task, seed=9, count=1, size=10, n=20_000)
    for name, e in expectations(reference, reference, list(known)).items():
        truth = float(known[name].measure(reference).value)
        assert float(e.value) == pytest.approx(truth, rel=0.02, abs=0.004), name


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 300))
def test_soft_counts_give_what_weighted_rows_give(seed: int, n: int) -> None:
    """Each row twice, as positive and as negative, with its chance as the weight."""
    rng = np.random.default_rng(seed)
    reference, _ = world("binary", seed=3, count=1, size=10)
    scores, _ = binary_rows(rng, n, 0.5)
    of = soft(reference, predicted(reference.plan, rows(scores)))
    # Rows stand at their bin, where they are tied.
    bins = np.flatnonzero(of.rows)
    place, chance, count = bins.astype(float), of.calibration.chances[bins], of.rows[bins]
    labels = np.repeat([1, 0], len(bins))
    weights = np.concatenate([chance * count, (1 - chance) * count])
    both = np.concatenate([place, place])
    auc = oracle.roc_auc_score(labels, both, sample_weight=weights)
    assert float(roc_auc(of)[0]) == pytest.approx(auc, abs=1e-9)
    numbers = expectations(
        reference, of.windows, ["accuracy_score@0.3", "f1_score@0.3", "label_rate"]
    )
    said = place >= of.windows.plan.output.edges.index(0.3)
    twice = np.concatenate([said, said])
    accuracy = oracle.accuracy_score(labels, twice, sample_weight=weights)
    assert float(numbers["accuracy_score@0.3"].value) == pytest.approx(accuracy, abs=1e-9)
    f1 = oracle.f1_score(labels, twice, sample_weight=weights, zero_division=0)
    assert float(numbers["f1_score@0.3"].value) == pytest.approx(f1, abs=1e-9)
    assert float(numbers["label_rate"].value) == pytest.approx(float(chance @ count) / n)


@pytest.mark.parametrize("number", [roc_auc, average_precision])
def test_a_slope_is_what_one_more_positive_of_a_bin_does(number: Any) -> None:
    reference, stack = world("binary", seed=5, count=1, size=500)
    of = soft(reference, stack)
    value, slope = number(of)
    for i in range(0, slope.shape[-1], 9):
        if of.rows[0, i] == 0:
            continue
        moved = soft(reference, stack)
        chances = of.calibration.chances.copy()
        chances[i] += 1e-5 / of.rows[0, i]
        moved.calibration.__dict__["chances"] = chances
        found = number(moved)[0]
        assert (found - value)[0] / 1e-5 == pytest.approx(slope[0, i], rel=1e-3, abs=1e-6)


def test_twice_the_rows_have_the_same_number_and_half_the_variance_of_labels() -> None:
    reference, stack = world("binary", seed=6, count=3, size=300)
    once = expectations(reference, stack, list(catalogue(binary(0.3))))
    twice = expectations(
        reference, Profile(stack.plan, 2 * stack.vector), list(catalogue(binary(0.3)))
    )
    for name, e in once.items():
        assert twice[name].value == pytest.approx(e.value, abs=1e-3), name
        assert twice[name].sampling == pytest.approx(e.sampling / 2, rel=0.02), name
        assert twice[name].calibration == pytest.approx(e.calibration, rel=0.05), name


def test_a_larger_reference_is_surer() -> None:
    small, _ = world("binary", seed=7, count=1, size=10, n=1_000)
    large, _ = world("binary", seed=7, count=1, size=10, n=30_000)
    scores = rows(binary_rows(np.random.default_rng(8), 500, 0.3)[0])
    each = [
        float(expectations(r, predicted(r.plan, scores), ["roc_auc"])["roc_auc"].calibration)
        for r in (small, large)
    ]
    assert each[0] > 5 * each[1]


def test_no_rows_no_labels_and_other_classes_have_their_reason() -> None:
    reference, stack = world("binary", seed=9, count=1, size=50)
    empty = expectations(reference, Profile.zero(reference.plan), ["roc_auc"])["roc_auc"]
    assert empty.reason[()] == "no predictions in this window"
    bare = predicted(reference.plan, rows(np.linspace(0.1, 0.9, 50)))
    unlabelled = expectations(bare, stack, ["accuracy_score"])["accuracy_score"]
    assert "no outcomes to calibrate" in str(unlabelled.reason[0])
    other = rows(np.linspace(0.1, 0.9, 50), threshold=0.8)
    found = expectations(reference, predicted(reference.plan, other), ["accuracy_score", "roc_auc"])
    assert "do not follow from the scores" in str(found["accuracy_score"].reason[()])
    assert found["roc_auc"].reason[()] is None


def test_a_model_that_gives_classes_only_is_estimated_by_them() -> None:
    rng = np.random.default_rng(10)
    schema = Schema(binary().task, (), None, "said", "y")
    said = (rng.random(4_000) < 0.4).astype(float)
    labels = (rng.random(4_000) < np.where(said == 1, 0.8, 0.1)).astype(float)
    plan = plan_from_reference(schema, decided(said), labels)
    reference = profile(plan, decided(said), labels)
    window = predicted(plan, decided(np.r_[np.ones(90), np.zeros(10)]))
    found = expectations(reference, window, ["precision_score", "accuracy_score", "roc_auc"])
    assert float(found["precision_score"].value) == pytest.approx(0.8, abs=0.02)
    assert float(found["accuracy_score"].value) == pytest.approx(0.81, abs=0.02)
    assert "roc_auc" not in found
    assert not has_expectation(schema, "roc_auc")


def test_what_presumes_that_scores_mean_the_same_has_no_expectation() -> None:
    for name in ("expected_calibration_error", "calibration_bias", "concept_drift", "coverage"):
        assert not has_expectation(binary(), name), name
    assert not has_expectation(multiclass(*CLASSES), "top_k_accuracy_score@2")
    assert not has_expectation(multiclass(*CLASSES), "recall_score@nobody")
    assert not has_expectation(regression(), "r2_score")


def test_profiles_of_an_old_plan_say_why_decisions_of_classes_have_no_estimate() -> None:
    rng = np.random.default_rng(11)
    scores, labels = multiclass_rows(rng, 500, 0.0)
    plan = plan_of(scores, labels, schema=multiclass(*CLASSES))
    old = Plan.from_dict({**plan.to_dict(), "format": 3})
    reference = profile(old, rows(scores), labels)
    found = expectations(reference, reference, ["accuracy_score", "roc_auc_ovr_macro"])
    assert "PUT the reference again" in str(found["accuracy_score"].reason[()])
    assert found["roc_auc_ovr_macro"].reason[()] is None


def test_right_predictions_of_the_reference_are_those_that_were_right() -> None:
    reference, _ = world("multiclass", seed=3, count=1, size=10)
    found = chances(reference, reference).margins
    np.testing.assert_allclose(found.right, np.diagonal(reference.confusion), rtol=2e-3)


def test_no_more_rows_of_a_class_are_right_than_are_of_it() -> None:
    reference, few = world("multiclass", seed=4, count=500, size=3)
    found = chances(reference, few).margins
    assert (found.right <= found.true).all()
    assert (found.right <= found.said).all()


def test_a_mean_over_classes_counts_each_alike_unless_it_is_weighted() -> None:
    reference, stack = world("multiclass", seed=5, count=2, size=1_000)
    names = [f"roc_auc@{name}" for name in CLASSES]
    found = expectations(reference, stack, [*names, "roc_auc_ovr_macro", "roc_auc_ovr_weighted"])
    apart = np.stack([found[name].value for name in names], -1)
    rates = [expectations(reference, stack, [f"label_rate@{name}"]) for name in CLASSES]
    share = np.stack([next(iter(rate.values())).value for rate in rates], -1)
    np.testing.assert_allclose(found["roc_auc_ovr_macro"].value, apart.mean(-1), rtol=1e-9)
    weighted = (apart * share).sum(-1) / share.sum(-1)
    np.testing.assert_allclose(found["roc_auc_ovr_weighted"].value, weighted, rtol=1e-9)
    assert (found["roc_auc_ovr_macro"].value != found["roc_auc_ovr_weighted"].value).all()
