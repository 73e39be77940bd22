"""Fairness against fairlearn on the same rows, and how often noise is called unfair."""

from collections.abc import Callable
from typing import Any

import fairlearn.metrics as oracle
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from tests.metrics.rows import binary, multiclass, plan_of, regression, rows

from tocsin.metrics import FAIRNESS, METRICS, Comparison, catalogue, compare
from tocsin.profiles import Grouping, Profile, Rows, fold_labels, fold_predictions
from tocsin.schema import Schema, Task
from tocsin.values import Bounded, Undefined

Floats = np.ndarray[Any, Any]
NAMES = ("red", "green", "blue")
BINARY = FAIRNESS[Task.BINARY]


def by_group(some: Rows, labels: Floats, groups: Floats, count: int, schema: Schema) -> Profile:
    """One profile of each group."""
    given = some.scores[:, 0] if some.scores.shape[1] == 1 else some.scores
    plan = plan_of(given, labels, schema=schema)
    zeros, grouping = np.zeros(len(some), np.int64), Grouping(groups, count)
    truth = np.asarray(labels, dtype=float)
    return (
        fold_predictions(plan, some, grouping)[0]
        + (fold_labels(plan, some, truth, zeros, grouping)[0])
    )


def unequal(
    rng: np.random.Generator, n: int, *, tilt: float = 0.5, groups: int = 3
) -> tuple[Profile, Floats, Floats, Floats]:
    """Groups whose scores are ever higher; labels, predicted classes and groups of the rows."""
    group = rng.integers(0, groups, n)
    labels = (rng.uniform(size=n) < 0.4).astype(int)
    scores = 1 / (1 + np.exp(-rng.normal(labels * 1.5 - 0.7 + tilt * group, 1)))
    some = rows(scores)
    return by_group(some, labels, group, groups, binary()), labels, some.predicted, group


DIFFERENCES: dict[str, Callable[..., float]] = {
    "demographic_parity": oracle.demographic_parity_difference,
    "equal_opportunity": oracle.equal_opportunity_difference,
    "equalized_odds": oracle.equalized_odds_difference,
}
RATIOS: dict[str, Callable[..., float]] = {
    "demographic_parity": oracle.demographic_parity_ratio,
    "equal_opportunity": oracle.equal_opportunity_ratio,
    "equalized_odds": oracle.equalized_odds_ratio,
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [200, 5_000])
def test_fairness_is_what_fairlearn_says(n: int, seed: int) -> None:
    stack, labels, said, group = unequal(np.random.default_rng([n, seed]), n)
    for name, expected in DIFFERENCES.items():
        found = BINARY[name].compare(stack, NAMES, least=1)
        truth = expected(labels, said, sensitive_features=group)
        assert found.difference.value == pytest.approx(truth), name
        assert found.difference.low <= truth <= found.difference.high
        ratio = RATIOS[name](labels, said, sensitive_features=group)
        assert found.ratio.value == pytest.approx(ratio), name
        assert 0 <= found.ratio.low <= ratio <= found.ratio.high <= 1
    frame = oracle.MetricFrame(
        metrics={
            "accuracy_parity": sklearn.metrics.accuracy_score,
            "predictive_parity": sklearn.metrics.precision_score,
        },
        y_true=labels,
        y_pred=said,
        sensitive_features=group,
    )
    for name in ("accuracy_parity", "predictive_parity"):
        found = BINARY[name].compare(stack, NAMES, least=1)
        for i, each in enumerate(NAMES):
            assert found.groups[each].value == pytest.approx(frame.by_group[name][i])
        assert found.difference.value == pytest.approx(frame.difference()[name])
        assert found.ratio.value == pytest.approx(frame.ratio()[name])
        assert NAMES.index(found.highest) == frame.by_group[name].argmax()
        assert NAMES.index(found.lowest) == frame.by_group[name].argmin()


def test_errors_of_a_regression_are_compared_by_group() -> None:
    rng = np.random.default_rng(1)
    group, labels = rng.integers(0, 3, 3_000), rng.normal(10, 2, 3_000)
    guesses = labels + rng.normal(0, 1 + group, 3_000) + group
    stack = by_group(rows(guesses), labels, group, 3, regression())
    found = FAIRNESS[Task.REGRESSION]["absolute_error_parity"].compare(stack, NAMES)
    frame = oracle.MetricFrame(
        metrics=sklearn.metrics.mean_absolute_error, y_true=labels, y_pred=guesses,
        sensitive_features=group,
    )  # fmt: skip
    assert found.difference.value == pytest.approx(frame.difference())
    assert found.ratio.value == pytest.approx(frame.ratio())
    assert found.p_value < 1e-6
    bias = FAIRNESS[Task.REGRESSION]["mean_error_parity"].compare(stack, NAMES)
    assert bias.lowest == "red"
    assert bias.highest == "blue"


def test_several_classes_are_compared_by_any_metric() -> None:
    rng = np.random.default_rng(2)
    labels, group = rng.integers(0, 3, 600), rng.integers(0, 2, 600)
    scores = rng.dirichlet(np.ones(3), 600)
    schema = multiclass("a", "b", "c")
    stack = by_group(rows(scores), labels, group, 2, schema)
    for name in ("f1_macro", "recall_score@b"):
        found = compare(catalogue(schema)[name], stack, NAMES[:2])
        assert isinstance(found.difference, Bounded)
        assert found.metric == name
    assert FAIRNESS[Task.MULTICLASS]["accuracy_parity"].compare(stack, NAMES[:2]).p_value > 1e-4


@pytest.mark.parametrize("groups", [2, 3])
def test_the_p_value_is_that_of_a_chi_square_test_of_many_rows(groups: int) -> None:
    stack, _, said, group = unequal(np.random.default_rng(7), 50_000, tilt=0.02, groups=groups)
    found = BINARY["demographic_parity"].compare(stack, NAMES[:groups])
    counts = np.array([[((group == g) & (said == k)).sum() for k in (0, 1)] for g in range(groups)])
    expected = scipy.stats.chi2_contingency(counts, correction=False).pvalue
    assert 1e-6 < expected < 0.5
    assert found.p_value == pytest.approx(expected, rel=0.05)


def test_groups_with_few_rows_are_left_out_and_say_so() -> None:
    stack, *_ = unequal(np.random.default_rng(3), 300)
    small = Profile(stack.plan, np.vstack([stack.vector, np.zeros(stack.vector.shape[1])]))
    found = compare(METRICS["accuracy_score"], small, [*NAMES, "none"], least=50)
    assert found.groups["none"] == Undefined("no outcomes yet")
    few = compare(METRICS["accuracy_score"], small, [*NAMES, "none"], least=10_000)
    assert "of the 10000 rows" in few.groups["red"].reason
    assert isinstance(few.difference, Undefined)
    assert "fewer than two groups" in few.ratio.reason
    assert few == Comparison(
        "accuracy_score", few.groups, few.difference, few.difference, None, None, None
    )
    odds = BINARY["equalized_odds"].compare(small, [*NAMES, "none"], least=10_000)
    assert isinstance(odds.difference, Undefined)


def test_the_order_of_groups_does_not_matter() -> None:
    stack, *_ = unequal(np.random.default_rng(4), 900)
    turned = Profile(stack.plan, stack.vector[::-1])
    for criterion in BINARY.values():
        one, other = criterion.compare(stack, NAMES), criterion.compare(turned, NAMES[::-1])
        assert one.difference == other.difference, criterion.name
        assert one.p_value == pytest.approx(other.p_value)
        assert (one.lowest, one.highest) == (other.lowest, other.highest)


def test_numbers_of_both_signs_have_no_ratio_and_none_at_all_is_a_ratio_of_0() -> None:
    low, high = (
        by_group(rows(np.full(100, score)), np.tile([0, 1], 50), np.zeros(100, int), 1, binary())
        for score in (0.3, 0.7)
    )
    signs = Profile(low.plan, np.vstack([low.vector, high.vector]))
    bias = BINARY["calibration_parity"].compare(signs, NAMES[:2])
    assert bias.difference.value == pytest.approx(0.4)
    assert isinstance(bias.ratio, Undefined)
    some = rows(np.repeat([0.1, 0.9], 100))
    labels = np.tile([0, 1], 100)
    apart = by_group(some, labels, np.repeat([0, 1], 100), 2, binary())
    rates = BINARY["demographic_parity"].compare(apart, NAMES[:2])
    assert rates.ratio.value == 0
    assert rates.ratio.low == 0 < rates.ratio.high < 0.2
    assert rates.difference.value == 1


@pytest.mark.parametrize("groups", [2, 3, 6])
def test_groups_that_are_alike_are_seldom_called_unfair(groups: int) -> None:
    rng = np.random.default_rng(groups)
    names = [str(i) for i in range(groups)]
    called = dict.fromkeys(BINARY, 0)
    positive = dict(called)
    for _ in range(300):
        stack, *_ = unequal(rng, 200 * groups, tilt=0, groups=groups)
        for name, criterion in BINARY.items():
            found = criterion.compare(stack, names)
            called[name] += found.p_value < 0.05
            positive[name] += found.difference.low > 0
    assert all(count <= 0.09 * 300 for count in called.values()), called
    assert all(count <= 0.08 * 300 for count in positive.values()), positive
    # And noise is not hidden by tests that never speak.
    assert called["accuracy_parity"] >= 0.02 * 300


@pytest.mark.parametrize("groups", [2, 3])
def test_the_interval_of_a_difference_holds_the_true_one(groups: int) -> None:
    rng = np.random.default_rng([7, groups])
    names = [str(i) for i in range(groups)]
    many, *_ = unequal(rng, 1_000_000, groups=groups)
    held = {name: 0 for name in BINARY if name != "calibration_error_parity"}
    truths = {name: BINARY[name].compare(many, names) for name in held}
    for _ in range(800):
        stack, *_ = unequal(rng, 250 * groups, groups=groups)
        for name in held:
            found = BINARY[name].compare(stack, names).difference
            held[name] += found.low <= truths[name].difference.value <= found.high
    assert all(count >= 0.93 * 800 for count in held.values()), held
