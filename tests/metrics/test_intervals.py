"""How often the 95 % intervals hold the truth that the rows were drawn from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from tests.metrics.rows import binary, plan_of, profile, rows, windows

from tocsin.metrics import METRICS
from tocsin.metrics.intervals import of_mean, wilson
from tocsin.profiles import Profile

WINDOWS = 2_000


def drawn_windows(
    rng: np.random.Generator, labels: np.ndarray, *, apart: float, threshold: float = 0.5
) -> Profile:
    """A stack of windows; scores are the normal rank of a normal that positives shift by `apart`.

    labels: (windows, rows).
    """
    scores = norm.cdf(rng.normal(labels * apart, 1) / 2).ravel()
    plan = plan_of(scores, schema=binary(threshold=threshold))
    return windows(plan, rows(scores, threshold=threshold), labels.ravel(), len(labels))


def held(name: str, stack: Profile, truth: float) -> float:
    """The share of the windows whose interval holds the truth."""
    found = METRICS[name].measure(stack)
    assert (found.reason == None).all()  # noqa: E711
    return float(((found.low <= truth) & (truth <= found.high)).mean())


@given(st.integers(1, 400), st.data())
def test_wilson_is_scipy_s(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson(np.array(float(successes)), np.array(float(trials)))
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("trials", [50, 400])
def test_the_interval_of_a_proportion_holds_it_in_95_of_100_windows(trials: int) -> None:
    rng = np.random.default_rng(trials)
    share = rng.uniform(0.1, 0.9, 20_000)
    low, high = wilson(rng.binomial(trials, share).astype(float), np.full(20_000, float(trials)))
    assert 0.94 < ((low <= share) & (share <= high)).mean() < 0.96


def test_the_interval_of_a_mean_holds_it_in_95_of_100_windows() -> None:
    drawn = np.random.default_rng(1).exponential(size=(4_000, 200))
    low, high = of_mean(drawn.sum(-1), (drawn**2).sum(-1), np.full(4_000, 200.0))
    assert 0.93 < ((low <= 1) & (high >= 1)).mean() < 0.96


def test_the_intervals_of_exact_metrics_hold_the_truth_in_95_of_100_windows() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.uniform(size=(WINDOWS, 200)) < 0.4).astype(int)
    stack = drawn_windows(rng, labels, apart=1.0)
    # A positive is found when its normal, shifted by 1, is over 0: so is the negative, unshifted.
    found, alarmed = norm.cdf(1.0), 0.5
    truths = {
        "accuracy_score": 0.4 * found + 0.6 * (1 - alarmed),
        "recall_score": found,
        "precision_score": 0.4 * found / (0.4 * found + 0.6 * alarmed),
        "prediction_rate": 0.4 * found + 0.6 * alarmed,
        "label_rate": 0.4,
    }
    shares = {name: held(name, stack, truth) for name, truth in truths.items()}
    assert all(0.93 < share < 0.97 for share in shares.values()), shares


@pytest.mark.parametrize(
    ("positives", "negatives", "apart"),
    [(50, 50, 0.5), (50, 50, 1.0), (100, 400, 1.0), (50, 450, 1.5), (20, 20, 1.0)],
)
def test_the_interval_of_roc_auc_holds_it_in_95_of_100_windows(
    positives: int, negatives: int, apart: float
) -> None:
    rng = np.random.default_rng([positives, negatives])
    labels = np.tile([1] * positives + [0] * negatives, (WINDOWS, 1))
    stack = drawn_windows(rng, labels, apart=apart)
    assert 0.93 < held("roc_auc", stack, norm.cdf(apart / np.sqrt(2))) < 0.975


@pytest.mark.parametrize(
    ("positives", "negatives", "apart"), [(2, 2, 1.0), (5, 5, 1.0), (10, 490, 2.0), (20, 20, 3.0)]
)
def test_few_rows_do_not_make_the_interval_of_roc_auc_too_sure(
    positives: int, negatives: int, apart: float
) -> None:
    rng = np.random.default_rng([positives, negatives])
    labels = np.tile([1] * positives + [0] * negatives, (WINDOWS, 1))
    stack = drawn_windows(rng, labels, apart=apart)
    assert held("roc_auc", stack, norm.cdf(apart / np.sqrt(2))) > 0.94


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=60))
def test_mirrored_scores_and_labels_have_the_same_roc_auc_and_interval(drawn) -> None:
    tenths, labels = (np.array(part) for part in zip(*drawn, strict=True))
    plan = plan_of(np.linspace(0.1, 0.9, 9))
    one = METRICS["roc_auc"].measure(profile(plan, rows(tenths / 10 + 0.05), labels))
    other = METRICS["roc_auc"].measure(profile(plan, rows((9 - tenths) / 10 + 0.05), ~labels))
    if one.reason[()] is None:
        for part in ("value", "low", "high"):
            assert float(getattr(one, part)) == pytest.approx(float(getattr(other, part)))


def test_positives_of_two_sorts_do_not_make_the_interval_of_roc_auc_too_sure() -> None:
    rng = np.random.default_rng(6)
    labels = np.tile([1] * 50 + [0] * 450, (WINDOWS, 1))
    # Half of the positives are always on top, the others are like the negatives.
    scores = rng.uniform(0, 0.8, labels.shape)
    scores[:, :50] = np.where(rng.uniform(size=(WINDOWS, 50)) < 0.5, 0.9, scores[:, :50])
    plan = plan_of(scores.ravel())
    stack = windows(plan, rows(scores.ravel()), labels.ravel(), WINDOWS)
    assert 0.93 < held("roc_auc", stack, 0.75) < 0.97


def test_the_interval_of_average_precision_holds_it_in_at_least_93_of_100_windows() -> None:
    rng = np.random.default_rng(7)
    labels = np.tile([1] * 50 + [0] * 450, (WINDOWS, 1))
    stack = drawn_windows(rng, labels, apart=1.5)
    many = drawn_windows(rng, np.tile(labels[0], (1, 400)), apart=1.5)
    truth = METRICS["precision_recall_auc"].measure(many).at(0).value
    assert 0.93 < held("precision_recall_auc", stack, truth) < 0.985


@pytest.mark.parametrize("name", ["roc_auc", "precision_recall_auc"])
def test_a_perfect_ranking_of_two_rows_proves_nothing(name: str) -> None:
    plan = plan_of([0.1, 0.9])
    measure = METRICS[name].measure(profile(plan, rows([0.1, 0.9]), [0, 1])).at()
    assert measure.value == 1
    assert measure.low < 0.3


def test_a_perfectly_wrong_ranking_of_two_rows_is_not_surely_bad() -> None:
    plan = plan_of([0.1, 0.9])
    measure = METRICS["roc_auc"].measure(profile(plan, rows([0.1, 0.9]), [1, 0])).at()
    assert measure.value == 0
    assert measure.high > 0.7


@pytest.mark.parametrize("name", ["roc_auc", "precision_recall_auc"])
def test_a_perfect_ranking_of_many_rows_proves_much(name: str) -> None:
    scores = np.linspace(0, 1, 1_000)
    measure = METRICS[name].measure(profile(plan_of(scores), rows(scores), scores >= 0.5)).at()
    assert 0.98 < measure.low < measure.high <= 1
