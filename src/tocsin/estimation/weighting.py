"""Numbers of the reference as if its rows were distributed as those of a window.

The weights come from a classifier that tells the rows of the window from those of the reference. It
helps where one covers the other, and does harm where it does not: then few rows carry all of the
weight. The size of sample that the weights are worth says which it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.estimation.expected import Scale, interval
from tocsin.estimation.support import MOST_OUTSIDE
from tocsin.metrics import Metric
from tocsin.metrics.intervals import Z95, wilson
from tocsin.profiles import (
    Grouping,
    Plan,
    Profile,
    Rows,
    fold_known_labels,
    fold_predictions,
)
from tocsin.values import Bounded, Measure, Undefined

Floats = NDArray[np.float64]

# What the method is called.
WEIGHTING = "importance_weighting"
# A weighted number is used when its weights are worth so many rows, and such a part of them.
LEAST_ROWS = 1_000.0
LEAST_SHARE = 0.1
# Rows so many times as frequent in the window as in the reference are hardly in the latter. What
# weights are worth does not tell of them: with a fifth of a window elsewhere it was 95 % of the
# reference. Of windows that moved by 0.7 deviations two in a thousand rows are above it.
_ALONE = 20.0
# One-sided, as of rows that are outside the bins.
_Z = 3.0
_COPIES = 64
# A classifier may be sure of a row.
_SURE = 1e-6


@dataclass(frozen=True)
class Cover:
    """How well the labelled rows of a reference can stand for those of a window.

    rows: of the reference; worth: how many equal ones their weights are worth; needed: of those.
    window: its rows; alone: the share of them that is hardly found in the reference.
    """

    rows: int
    worth: float
    needed: float
    window: int
    alone: float

    @property
    def supported(self) -> bool:
        """Whether numbers by these weights are to be believed."""
        return self.reason is None

    @property
    def reason(self) -> str | None:
        """Why not; None if they are."""
        if self.worth < self.needed:
            return (
                f"the reference is worth {self.worth:,.0f} rows like these, {self.needed:,.0f} are "
                "needed"
            )
        least, _ = wilson(np.array(self.alone * self.window), np.array(float(self.window)), _Z)
        if float(least) > MOST_OUTSIDE:
            return f"{self.alone:.0%} of the rows of the window are hardly found in the reference"
        return None


def density_ratios(chances: Floats, before: int, now: int) -> Floats:
    """(n,) how many times as frequent rows like each are in the window as in the reference.

    chances: (n,) of being of the window, by a classifier of `before` rows of the reference and
    `now` of the window that did not see the row.

    >>> density_ratios(np.array([0.5, 0.9]), 100, 50).round(3).tolist()
    [2.0, 18.0]
    """
    safe = np.clip(chances, _SURE, 1 - _SURE)
    return np.asarray(safe / (1 - safe) * before / now)


def cover(reference: Floats, window: Floats) -> Cover:
    """Whether labelled rows of the reference, (n,) ratios, cover those of a window, (m,) ratios."""
    count = len(reference)
    alone = float((window > _ALONE).mean())
    worth = effective_rows(reference) if count else 0.0
    return Cover(count, worth, max(LEAST_ROWS, LEAST_SHARE * count), len(window), alone)


def expected_in(window: Cover, metric: Metric, scale: Scale, weighted: Profile) -> Measure:
    """The number that will come out in a window, from the weighted reference.

    weighted: as of `weighted_profile`.
    Returns: the number; its 95 % interval holds the realised one, so to the chance of as many
        rows as the weights are worth it adds that of the rows of the window. That the weights are
        learned is not in it. Undefined where the reference does not cover the window.
    """
    if window.reason is not None:
        return Undefined(window.reason, round(window.worth))
    found = metric.measure(weighted).at()
    if isinstance(found, Undefined):
        return found
    assert found.low is not None
    assert found.high is not None
    if not np.isfinite(found.high - found.low):
        return Bounded(found.value, found.error, n=found.n)
    alone = ((found.high - found.low) / (2 * Z95)) ** 2
    variance = alone * (1 + window.worth / window.window)
    low, high = interval(np.array(found.value), np.array(variance), scale)
    return Bounded(found.value, found.error, float(low), float(high), found.n)


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
