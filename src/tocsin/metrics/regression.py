"""Performance of a regression, by the names that scikit-learn users know.

A residual is prediction less label. Labels and predictions are summed up from the centre of the
reference, so that numbers far from 0 keep their digits.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics.coverage import COVERAGE
from tocsin.metrics.intervals import (
    of_correlation,
    of_mean,
    of_positive_mean,
    of_ratio_scale,
    quantile_ranks,
)
from tocsin.metrics.measured import NO_OUTCOMES, NO_ROWS, Measured, Reason, measured
from tocsin.metrics.metric import Metric, table
from tocsin.metrics.moments import ROUNDING, Moments, judged
from tocsin.metrics.surprise import CONCEPT_DRIFT
from tocsin.profiles import Profile, RegressionOutput

Floats = NDArray[np.float64]

NO_NUMBERS = "none of the labelled rows has a predicted number"
CONSTANT_LABELS = "the outcomes so far are all the same"
CONSTANT_PREDICTIONS = "the predictions of the labelled rows are all the same"
# What stands for numbers beyond the largest is told by `measured`, not by a warning.
_quiet = np.errstate(all="ignore")


@_quiet
def mean_absolute_error(profile: Profile) -> Measured:
    """Mean distance of prediction and label. Range [0, inf); exact."""
    return _positive(profile, profile.total("loss"), profile.total("loss_squared"))


@_quiet
def mean_squared_error(profile: Profile) -> Measured:
    """Mean square of the residuals. Range [0, inf); exact."""
    return _positive(profile, profile.total("loss_squared"), profile.total("error_fourth"))


@_quiet
def root_mean_squared_error(profile: Profile) -> Measured:
    """Root of the mean square of the residuals. Range [0, inf); exact."""
    return _root(mean_squared_error(profile))


@_quiet
def mean_error(profile: Profile) -> Measured:
    """Mean residual: above 0 the predictions are too high. Exact."""
    n = judged(profile)
    total = profile.total("residual")
    low, high = of_mean(total, profile.total("loss_squared"), n)
    return measured(total / np.maximum(n, 1), n, *_undefined(profile), low=low, high=high)


@_quiet
def mean_absolute_percentage_error(profile: Profile) -> Measured:
    """Mean of the residuals' sizes over those of the labels, 0.1 for ten percent. Exact.

    Undefined with a label of 0, where scikit-learn gives a huge number.
    """
    total, squared = profile.total("relative_error"), profile.total("relative_error_squared")
    none = (profile.total("zero_labels") > 0, "a label is 0, and no error is relative to it")
    return _positive(profile, total, squared, none)


@_quiet
def root_mean_squared_log_error(profile: Profile) -> Measured:
    """Root of the mean squared difference of log(1 + prediction) and log(1 + label). Exact."""
    total, squared = profile.total("log_error_squared"), profile.total("log_error_fourth")
    none = (profile.total("not_logarithmic") > 0, "a prediction or outcome is -1 or less")
    return _root(_positive(profile, total, squared, none))


@_quiet
def r2_score(profile: Profile) -> Measured:
    """Share of the labels' variance that the predictions explain. Range (-inf, 1]; exact.

    The interval is symmetric in log(1 - R2), by the delta method.
    """
    sums = Moments(profile, centre_residuals=False)
    # Of log(errors / spread): e^2 / errors - d^2 / spread.
    return _explained(profile, sums)


@_quiet
def explained_variance_score(profile: Profile) -> Measured:
    """R2 of predictions that were shifted to have no mean error. Range (-inf, 1]; exact."""
    return _explained(profile, Moments(profile, centre_residuals=True))


@_quiet
def pearson_correlation(profile: Profile) -> Measured:
    """Correlation of prediction and label. Range [-1, 1]; exact.

    The interval is symmetric in Fisher's z, with the variance of the delta method, not that of
    normal numbers.
    """
    sums = Moments(profile, centre_residuals=True)
    labels, shared, errors = sums(2, 0), sums(1, 1), sums(0, 2)
    # A prediction is label + residual.
    spread = labels + 2 * shared + errors
    flat_labels = sums.is_flat
    flat = spread <= ROUNDING * (profile.total("label_squared") + profile.total("loss_squared"))
    safe_labels, safe = np.where(flat_labels, 1, labels), np.where(flat, 1, spread)
    value = np.clip((labels + shared) / np.sqrt(safe_labels) / np.sqrt(safe), -1, 1)
    root = np.sqrt(safe_labels) * np.sqrt(safe)
    variance = sums.variance(
        1 / root - value / 2 * (1 / safe + 1 / safe_labels),
        1 / root - value / safe,
        -value / 2 / safe,
    )
    low, high = of_correlation(value, variance, sums.n)
    return measured(
        value,
        sums.n,
        *_undefined(profile),
        (flat_labels, CONSTANT_LABELS),
        (flat, CONSTANT_PREDICTIONS),
        low=low,
        high=high,
    )


@_quiet
def absolute_error_quantile(profile: Profile, share: float) -> Measured:
    """The size of residual that this share of the rows does not exceed. Range [0, inf).

    Returns: the middle of the values that the rows of the bins allow; `error` is the distance to
        both ends. The interval is that of order statistics, spread evenly over their bins.
    """
    counts = profile.residuals.under + profile.residuals.over
    edges = profile.residuals.edges
    n = judged(profile)
    # As NumPy does: between the two values around (n - 1) * share.
    place = np.maximum(n - 1, 0) * share
    between = place - np.floor(place)
    cumulated = np.cumsum(counts, -1)
    first, second = (_bin_of(cumulated, np.floor(place) + more) for more in (1, 1 + (between > 0)))
    ends = np.append(edges, np.inf)
    least = (1 - between) * ends[first] + between * ends[second]
    most = np.where(
        between > 0, (1 - between) * ends[first + 1] + between * ends[second + 1], ends[first + 1]
    )
    perfect = profile.total("loss") == 0
    least, most = np.where(perfect, 0, least), np.where(perfect, 0, most)
    below, above = quantile_ranks(n, share)
    beyond = f"beyond the last bin of errors, which begins at {edges[-1]:.4g}"
    return measured(
        (least + most) / 2,
        n,
        *_undefined(profile),
        (np.isinf(most), beyond),
        error=(most - least) / 2,
        low=np.where(below < 1, 0, _at_rank(counts, cumulated, edges, below)),
        high=np.where(above > n, np.inf, _at_rank(counts, cumulated, edges, above)),
    )


@_quiet
def mean_prediction(profile: Profile) -> Measured:
    """Mean of the predicted numbers. Exact."""
    n = profile.total("n") - profile.total("missing_scores")
    undefined = (
        (profile.total("n") == 0, NO_ROWS),
        (n == 0, "none of the rows has a predicted number"),
    )
    return _shifted(profile, profile.total("score"), profile.total("score_squared"), n, undefined)


@_quiet
def mean_label(profile: Profile) -> Measured:
    """Mean of the labels of rows that have a predicted number. Exact."""
    total, squared = profile.total("label"), profile.total("label_squared")
    return _shifted(profile, total, squared, judged(profile), _undefined(profile))


def quantile_metric(share: float) -> Metric:
    """The metric of a quantile of the absolute errors."""
    return Metric(
        f"absolute_error_quantile@{share!r}",
        f"Absolute error of {share:.6g} of the rows",
        partial(absolute_error_quantile, share=share),
        higher_is_better=False,
        unit="label",
    )


METRICS: dict[str, Metric] = table(
    Metric("mean_absolute_error", "Mean absolute error", mean_absolute_error,
           higher_is_better=False, unit="label"),
    Metric("root_mean_squared_error", "Root mean squared error", root_mean_squared_error,
           higher_is_better=False, unit="label"),
    Metric("mean_squared_error", "Mean squared error", mean_squared_error,
           higher_is_better=False, unit="number"),
    Metric("median_absolute_error", "Median absolute error",
           partial(absolute_error_quantile, share=0.5), higher_is_better=False, unit="label"),
    Metric("mean_error", "Mean error", mean_error, higher_is_better=None, unit="label"),
    Metric("r2_score", "R2", r2_score, higher_is_better=True, unit="number"),
    Metric("explained_variance_score", "Explained variance", explained_variance_score,
           higher_is_better=True, unit="number"),
    Metric("pearson_correlation", "Correlation", pearson_correlation,
           higher_is_better=True, unit="number"),
    Metric("mean_absolute_percentage_error", "Mean absolute percentage error",
           mean_absolute_percentage_error, higher_is_better=False, unit="number"),
    Metric("root_mean_squared_log_error", "Root mean squared log error",
           root_mean_squared_log_error, higher_is_better=False, unit="number"),
    CONCEPT_DRIFT,
    Metric("mean_prediction", "Mean prediction", mean_prediction,
           higher_is_better=None, needs_labels=False, unit="label"),
    Metric("mean_label", "Mean outcome", mean_label, higher_is_better=None, unit="label"),
    COVERAGE,
)  # fmt: skip


def _explained(profile: Profile, sums: Moments) -> Measured:
    errors, spread = sums(0, 2), sums(2, 0)
    safe = np.where(sums.is_flat, 1, spread)
    perfect = errors <= 0
    # Of log(errors / spread) each row brings e^2 / errors - d^2 / spread.
    safe_errors = np.where(perfect, 1, errors)
    variance = sums.variance(-1 / safe, np.zeros_like(safe), 1 / safe_errors)
    few, many = of_ratio_scale(errors / safe, variance, sums.n)
    return measured(
        1 - errors / safe,
        sums.n,
        *_undefined(profile),
        (sums.n < 2, "one outcome has no variance"),
        (sums.is_flat, CONSTANT_LABELS),
        low=np.where(perfect, -np.inf, 1 - many),
        high=np.where(perfect, 1, 1 - few),
    )


def _undefined(profile: Profile) -> tuple[Reason, ...]:
    nothing = profile.total("labelled") == 0
    return (nothing, NO_OUTCOMES), (judged(profile) == 0, NO_NUMBERS)


def _positive(profile: Profile, total: Floats, squared: Floats, *more: Reason) -> Measured:
    n = judged(profile)
    low, high = of_positive_mean(total, squared, n)
    undefined = (*_undefined(profile), *more)
    return measured(total / np.maximum(n, 1), n, *undefined, low=low, high=high)


def _root(square: Measured) -> Measured:
    value, low, high = (np.sqrt(np.maximum(p, 0)) for p in (square.value, square.low, square.high))
    return Measured(value, square.error, low, high, square.n, square.reason)


def _shifted(
    profile: Profile, total: Floats, squared: Floats, n: Floats, undefined: tuple[Reason, ...]
) -> Measured:
    """A mean of what is summed up from the centre."""
    output = profile.plan.output
    assert isinstance(output, RegressionOutput)
    low, high = of_mean(total, squared, n)
    value = total / np.maximum(n, 1)
    centre = output.centre
    return measured(centre + value, n, *undefined, low=centre + low, high=centre + high)


def _bin_of(cumulated: Floats, rank: Floats) -> NDArray[np.int64]:
    """(...,) the bin that holds the value of a rank from 1 on."""
    found = (cumulated < rank[..., None]).sum(-1)
    return np.asarray(np.minimum(found, cumulated.shape[-1] - 1))


def _at_rank(counts: Floats, cumulated: Floats, edges: Floats, rank: Floats) -> Floats:
    """(...,) about where the value of a rank lies, the values of a bin spread evenly."""
    at = _bin_of(cumulated, rank)
    inside = np.take_along_axis(counts, at[..., None], -1)[..., 0]
    before = np.take_along_axis(cumulated, at[..., None], -1)[..., 0] - inside
    share = (rank - before - 0.5) / np.maximum(inside, 1)
    ends = np.append(edges, np.inf)
    open_end = at == len(edges) - 1
    wide = np.where(open_end, 0, ends[at + 1] - ends[at])
    return np.where(open_end, np.inf, ends[at] + np.clip(share, 0, 1) * wide)
