"""Numbers of the reference as if its rows were distributed as those of a window.

The weights come from a classifier that tells the rows of the window from those of the reference. It
helps where one covers the other, and does harm where it does not: then few rows carry all of the
weight. The size of sample that the weights are worth says which it is.
"""

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics import Metric
from tocsin.profiles import (
    Grouping,
    Plan,
    Profile,
    Rows,
    fold_known_labels,
    fold_predictions,
)
from tocsin.values import Measure, Undefined

Floats = NDArray[np.float64]

# A weighted number is used when its weights are worth so many rows, and such a part of them.
LEAST_ROWS = 1_000.0
LEAST_SHARE = 0.1
_COPIES = 64


def importance_weights(odds: Floats) -> Floats:
    """(n,) weights with mean 1 of reference rows.

    odds: (n,) of being a row of the window rather than of the reference, by a classifier that did
    not see the row. That it was trained on more rows of one side scales all odds alike.
    Source: Shimodaira (2000), doi:10.1016/S0378-3758(00)00115-4.
    """
    return np.asarray(odds / max(float(odds.mean()), 1e-300))


def effective_rows(weights: Floats) -> float:
    """How many rows of equal weight tell as much as these.

    Source: Kish (1965), Survey Sampling, 11.7.

    >>> effective_rows(np.ones(50)), effective_rows(np.array([1.0, 0.0]))
    (50.0, 1.0)
    """
    return float(weights.sum() ** 2 / max(float((weights**2).sum()), 1e-300))


def supports(weights: Floats) -> bool:
    """Whether weights are worth enough rows for their numbers to be believed."""
    return effective_rows(weights) >= max(LEAST_ROWS, LEAST_SHARE * len(weights))


def weighted(metric: Metric, plan: Plan, rows: Rows, labels: Floats, weights: Floats) -> Measure:
    """A metric that is expected of a window, from the rows of the reference and their weights.

    rows, labels: (n,) of the reference; weights: (n,) as of `importance_weights`.
    Returns: the number with its 95 % interval for as many rows as the weights are worth; Undefined
        where they are worth too few.
    """
    if not supports(weights):
        needed = max(LEAST_ROWS, LEAST_SHARE * len(weights))
        worth = effective_rows(weights)
        return Undefined(
            f"the reference is worth {worth:,.0f} rows like these, {needed:,.0f} are needed",
            round(worth),
        )
    return metric.measure(weighted_profile(plan, rows, labels, weights)).at()


def weighted_profile(plan: Plan, rows: Rows, labels: Floats, weights: Floats) -> Profile:
    """The profile of labelled reference rows, each as often as it weighs: any metric can read it.

    Its rows add up to what the weights are worth, so that intervals have their right length. A
    weight is off by less than 1 / 64 of the mean one, and their sum is not.
    """
    count = len(weights)
    ends = np.cumsum(weights / weights.sum()) * count * _COPIES
    times = np.diff(np.floor(ends + 0.5), prepend=0.0)
    # Rows that count equally often are folded together, and their sums multiplied.
    often, group = np.unique(times, return_inverse=True)
    grouping = Grouping(group.astype(np.int64), len(often))
    delays = np.zeros(count, np.int64)
    (predicted,) = fold_predictions(plan, rows, grouping)
    (truth,) = fold_known_labels(plan, rows, labels, delays, grouping)
    factor = effective_rows(weights) / count / _COPIES
    return Profile(plan, factor * often @ (predicted + truth).vector)
