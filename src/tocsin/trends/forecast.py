"""When a series that keeps falling or rising will reach a threshold, if that can be said."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

Floats = NDArray[np.float64]

# Fewer windows show no trend; further back another one may have held.
FEWEST, MOST = 14, 28
_SURE = 0.01
# A range wider than this is no forecast.
_WIDEST = 3.0
_DRAWS = 2_000
# The slope of Theil and Sen varies by a little more than that of least squares on normal rows.
_EFFICIENCY = 1.05
_STRONGEST_MEMORY = 0.9
# In deviations: what lies further away is drawn in to it.
_OUTLIER = 3.0


@dataclass(frozen=True)
class Forecast:
    """In how many windows a series will have reached a threshold.

    low, middle, high: the 5 %, 50 % and 95 % quantiles, in windows after the last one. Where
        neighbours are alike by 0.5 the range holds the truth 80 to 88 times of 100.
    slope: per window; p_value: of no trend; windows: how many it rests on.
    """

    low: float
    middle: float
    high: float
    slope: float
    p_value: float
    windows: int


def forecast(values: Floats, threshold: float, *, below: bool, tests: int = 1) -> Forecast | None:
    """When a series crosses a threshold that it has not crossed yet.

    values: (w,) at equal steps, the oldest first, NaN where unknown; of more than `MOST` the newest
    count. below: whether the far side of the threshold is below it. tests: how many series are
    asked about at once; the trend has to be real among them all.
    Returns: None without a sure trend towards it, where the range would be wider than a factor of
    3, and where it would be further away than the trend has lasted.
    Source: Theil (1950) and Sen (1968), doi:10.1080/01621459.1968.10480934.

    >>> found = forecast(np.linspace(0.80, 0.76, 20), 0.74, below=True)
    >>> round(found.middle), forecast(np.linspace(0.80, 0.76, 20), 0.90, below=False)
    (9, None)
    """
    values = values[-MOST:]
    known = np.isfinite(values)
    n = int(known.sum())
    if n < FEWEST:
        return None
    # Towards the threshold is down from here on.
    sign = 1.0 if below else -1.0
    at, level = np.flatnonzero(known).astype(np.float64), sign * values[known]
    slope = _theil_sen(at, level)
    centre = float(np.median(level - slope * (at - at.mean())))
    rest = level - centre - slope * (at - at.mean())
    noise = _deviation(rest) * _inflation(rest)
    slope_error = _EFFICIENCY * noise / sqrt(float(((at - at.mean()) ** 2).sum()))
    p_value = float(2 * stdtr(n - 2, -abs(slope) / slope_error)) if slope_error > 0 else 0.0
    if slope >= 0 or p_value >= _SURE / tests:
        return None
    since = len(values) - 1 - at.mean()
    draws = np.random.default_rng(0).standard_t(n - 2, (2, _DRAWS))
    slopes = slope + slope_error * draws[0]
    distance = centre + noise / sqrt(n) * draws[1] - sign * threshold
    with np.errstate(divide="ignore"):
        left = np.where(slopes < 0, distance / -np.minimum(slopes, -1e-300), np.inf) - since
    low, middle, high = (float(q) for q in np.quantile(left, (0.05, 0.5, 0.95)))
    if low <= 0 or high / low >= _WIDEST or middle > len(values):
        return None
    return Forecast(low, middle, high, sign * slope, p_value, n)


def _theil_sen(at: Floats, level: Floats) -> float:
    """The median of the slopes between all pairs."""
    first, second = np.triu_indices(len(at), 1)
    return float(np.median((level[second] - level[first]) / (at[second] - at[first])))


def _deviation(rest: Floats) -> float:
    """Of what a line leaves, with outliers drawn in: the median alone wants twice the windows."""
    most = _OUTLIER * 1.4826 * float(np.median(np.abs(rest)))
    # A line through points takes two of them for itself.
    return sqrt(float((np.clip(rest, -most, most) ** 2).sum()) / (len(rest) - 2))


def _inflation(rest: Floats) -> float:
    """By how much the error grows because neighbours are alike.

    What a line leaves looks less alike than it is, by about (2 + 4 memory) / n.
    Source: Kendall (1954), doi:10.1093/biomet/41.3-4.403.
    """
    total, n = float((rest**2).sum()), len(rest)
    if total == 0:
        return 1.0
    seen = float((rest[:-1] * rest[1:]).sum()) / total
    memory = min(max((n * seen + 2) / (n - 4), 0.0), _STRONGEST_MEMORY)
    return sqrt((1 + memory) / (1 - memory))
