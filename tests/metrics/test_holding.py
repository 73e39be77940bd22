"""How often the 95 % intervals of every task hold the number of the stream they were drawn from.

At 200 rows and more, between 93 and 97 of 100. Where that is not so, it is said here: intervals of
averages of nearly perfect rankings are too long, and those of squared errors with long tails too
short. With 5 rows, losses are held by 85. The number of the stream is that of all windows together.
"""

from typing import Any

import numpy as np
import pytest
from scipy.special import expit
from tests.metrics.rows import binary, multiclass, plan_of, profile, regression, rows, windows

from tocsin.metrics import Catalogue, Metric, catalogue
from tocsin.profiles import Profile

Floats = np.ndarray[Any, Any]
WINDOWS = 2_000
CLASSES = ("a", "b", "c", "d")


def whole(stack: Profile) -> Profile:
    return Profile(stack.plan, stack.vector.sum(0))


def held(metric: Metric, stack: Profile, truth: float | None = None) -> float:
    """The share of the windows whose interval holds the truth, of those that have a number."""
    if truth is None:
        truth = metric.measure(whole(stack)).at().value
    found = metric.measure(stack)
    known = found.reason == None  # noqa: E711
    assert known.mean() > 0.95, (metric.name, known.mean())
    return float(((found.low <= truth) & (truth <= found.high))[known].mean())


def shares_held(
    known: Catalogue, names: set[str], stack: Profile, truths: dict[str, float]
) -> dict[str, float]:
    return {name: held(known[name], stack, truths.get(name)) for name in sorted(names)}


def binary_windows(rng: np.random.Generator, n: int, *, slope: float = 1) -> Profile:
    """Scores that are calibrated, or too extreme by a slope."""
    labels = (rng.uniform(size=WINDOWS * n) < 0.3).astype(int)
    logits = np.log(0.3 / 0.7) + 1.5 * rng.normal(1.5 * labels, 1) - 1.125
    scores = expit(slope * logits)
    plan = plan_of(scores[:5_000], schema=binary(0.3))
    return windows(plan, rows(scores), labels, WINDOWS)


@pytest.mark.parametrize(("n", "slope"), [(200, 1.0), (500, 1.0), (500, 1.7)])
def test_intervals_of_a_binary_classifier_hold(n: int, slope: float) -> None:
    stack = binary_windows(np.random.default_rng([1, n]), n, slope=slope)
    known = catalogue(binary(0.3))
    names = set(known) - {"coverage"} | {"recall_score@0.3", "matthews_corrcoef@0.3"}
    found = shares_held(known, names, stack, {})
    # Both of its ends make room for what chance adds to a distance.
    assert 0.93 < found.pop("expected_calibration_error") < 0.99
    # The larger of two variances: what chances say, and what is seen where they are wrong.
    assert 0.93 < found.pop("concept_drift") < 0.98
    assert all(0.93 < share < 0.97 for share in found.values()), found


def multiclass_windows(
    rng: np.random.Generator, n: int, *, apart: float, shares: tuple[float, ...]
) -> Profile:
    labels = rng.choice(4, WINDOWS // 2 * n, p=shares)
    raw = np.exp(rng.normal(apart * np.eye(4)[labels], 1))
    scores = raw / raw.sum(1, keepdims=True)
    plan = plan_of(scores[:5_000], schema=multiclass(*CLASSES))
    return windows(plan, rows(scores), labels, WINDOWS // 2)


@pytest.mark.parametrize("shares", [(0.25, 0.25, 0.25, 0.25), (0.5, 0.25, 0.15, 0.1)])
def test_intervals_of_several_classes_hold(shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(2)
    stack = multiclass_windows(rng, 300, apart=1.5, shares=shares)
    known = catalogue(multiclass(*CLASSES))
    of_class = {f"{name}@b" for name in ("recall_score", "precision_score", "f1_score", "roc_auc")}
    names = set(known) - {"coverage"} | of_class
    found = shares_held(known, names, stack, {})
    # How losses of the classes go together is not known in full, so that it is too long.
    assert 0.95 < found.pop("concept_drift") < 0.995
    assert all(0.925 < share < 0.975 for share in found.values()), found


def test_intervals_of_a_nearly_perfect_ranking_are_too_long_not_too_short() -> None:
    rng = np.random.default_rng(3)
    stack = multiclass_windows(rng, 300, apart=3.5, shares=(0.25,) * 4)
    known = catalogue(multiclass(*CLASSES))
    for name in ("roc_auc_ovr_macro", "roc_auc_ovr_weighted", "precision_recall_auc_macro"):
        assert held(known[name], stack) > 0.95, name


def regression_windows(
    rng: np.random.Generator, n: int, kind: str
) -> tuple[Profile, dict[str, float]]:
    """The windows, and the quantiles of the errors of all rows, which their bins only bound."""
    many = WINDOWS * n
    labels = {
        "normal": lambda: rng.normal(20, 3, many),
        "skewed": lambda: 1 + rng.gamma(2, 2, many),
        "heavy": lambda: rng.lognormal(0, 0.7, many),
    }[kind]()
    noise = rng.normal(0, 1, many)
    predictions = {
        "normal": lambda: labels + noise + 0.3,
        "skewed": lambda: labels + noise * labels / 5,
        "heavy": lambda: labels * np.exp(noise * 0.3),
    }[kind]()
    plan = plan_of(predictions[:5_000], labels[:5_000], schema=regression())
    error = np.abs(predictions - labels)
    truths = {
        "median_absolute_error": float(np.median(error)),
        "absolute_error_quantile@0.9": float(np.quantile(error, 0.9)),
    }
    return windows(plan, rows(predictions), labels, WINDOWS), truths


@pytest.mark.parametrize("kind", ["normal", "skewed"])
@pytest.mark.parametrize("n", [200, 500])
def test_intervals_of_a_regression_hold(kind: str, n: int) -> None:
    stack, truths = regression_windows(np.random.default_rng(4), n, kind)
    known = catalogue(regression())
    names = set(known) - {"coverage"} | {"absolute_error_quantile@0.9"}
    found = shares_held(known, names, stack, truths)
    # A few large errors make up most of the squares: 200 rows may lack them all.
    least = 0.9 if (kind, n) == ("skewed", 200) else 0.93
    assert all(least < share < 0.97 for share in found.values()), found


def test_very_long_tails_make_intervals_of_squares_too_short_and_not_those_of_sizes() -> None:
    stack, truths = regression_windows(np.random.default_rng(5), 500, "heavy")
    known = catalogue(regression())
    names = {"mean_absolute_error", "median_absolute_error", "absolute_error_quantile@0.9"}
    found = shares_held(known, names, stack, truths)
    assert all(0.92 < share < 0.975 for share in found.values()), found
    squares = {"root_mean_squared_error", "r2_score", "explained_variance_score"}
    found = shares_held(known, squares | {"pearson_correlation"}, stack, {})
    assert all(0.84 < share < 0.97 for share in found.values()), found


@pytest.mark.parametrize("n", [5, 20, 60])
def test_few_rows_do_not_make_intervals_of_means_too_sure(n: int) -> None:
    stack, truths = regression_windows(np.random.default_rng([6, n]), n, "normal")
    known = catalogue(regression())
    names = {"mean_error", "mean_absolute_error", "mean_prediction", "pearson_correlation"}
    found = shares_held(known, names, stack, truths)
    assert all(share > 0.9 for share in found.values()), found
    scores = binary_windows(np.random.default_rng([7, n]), n)
    for name in ("accuracy_score", "brier_score", "mean_score", "log_loss"):
        assert held(catalogue(binary(0.3))[name], scores) > (0.9 if n > 5 else 0.85), name


def bootstrapped(metric: Metric, found: Profile, rng: np.random.Generator, cells: slice) -> Floats:
    """The number on Poisson draws of the cells: in law, a bootstrap of the rows."""
    vector = np.repeat(found.vector[None], 4_000, 0)
    vector[:, cells] = rng.poisson(vector[:, cells])
    drawn = metric.measure(Profile(found.plan, vector))
    return drawn.value[drawn.reason == None]  # noqa: E711


@pytest.mark.parametrize("weights", [(0.25, 0.25, 0.25, 0.25), (0.6, 0.2, 0.15, 0.05)])
def test_the_delta_method_is_the_bootstrap_of_the_cells(weights: tuple[float, ...]) -> None:
    rng = np.random.default_rng(8)
    labels = rng.choice(4, 2_000, p=weights)
    raw = np.exp(rng.normal(1.2 * np.eye(4)[labels], 1))
    scores = raw / raw.sum(1, keepdims=True)
    schema = multiclass(*CLASSES)
    found = profile(plan_of(scores, schema=schema), rows(scores), labels)
    block = found.plan.layout.blocks["confusion"]
    # Enough is labelled in every draw.
    for name in ("f1_macro", "f1_weighted", "balanced_accuracy_score", "precision_macro",
                 "precision_weighted", "matthews_corrcoef", "cohen_kappa_score",
                 "f1_score@d", "recall_score@d", "precision_score@d"):  # fmt: skip
        metric = catalogue(schema)[name]
        drawn = bootstrapped(metric, found, rng, slice(block.start, block.stop))
        measure = metric.measure(found).at()
        deviation = (measure.high - measure.low) / (2 * 1.96)
        assert deviation == pytest.approx(drawn.std(), rel=0.08), name


def test_the_interval_of_roc_auc_is_the_bootstrap_of_its_bins() -> None:
    rng = np.random.default_rng(9)
    labels = (rng.uniform(size=2_000) < 0.3).astype(int)
    scores = expit(rng.normal(labels, 1))
    found = profile(plan_of(scores), rows(scores), labels)
    block = found.plan.layout.blocks["scores"]
    for name, off in (("roc_auc", 0.05), ("precision_recall_auc", 0.3)):
        metric = catalogue(binary())[name]
        drawn = bootstrapped(metric, found, rng, slice(block.start, block.stop))
        measure = metric.measure(found).at()
        deviation = (measure.high - measure.low) / (2 * 1.96)
        assert deviation == pytest.approx(drawn.std(), rel=off), name


@pytest.mark.parametrize("name", ["r2_score", "explained_variance_score", "pearson_correlation",
                                  "root_mean_squared_error", "mean_absolute_error"])  # fmt: skip
def test_intervals_of_a_regression_are_those_of_a_bootstrap_of_its_rows(name: str) -> None:
    rng = np.random.default_rng(10)
    labels = 1 + rng.gamma(2, 2, 1_000)
    predictions = labels + rng.normal(0, 1, 1_000) * labels / 5
    plan = plan_of(predictions, labels, schema=regression())
    metric = catalogue(regression())[name]
    measure = metric.measure(profile(plan, rows(predictions), labels)).at()
    picked = rng.integers(0, 1_000, 1_000 * 1_000)
    drawn = metric.measure(windows(plan, rows(predictions[picked]), labels[picked], 1_000))
    deviation = (measure.high - measure.low) / (2 * 1.96)
    assert deviation == pytest.approx(drawn.value.std(), rel=0.1)
