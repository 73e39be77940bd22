"""How well scores tell positives from negatives, from counts by score bin.

negatives, positives: (..., k) rows by ascending score bin.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from tocsin.metrics.intervals import wilson

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """A number of the ranking, each part (...,).

    error: the number of the unbinned scores is within it.
    of_positives, of_negatives: the variance that each class brings, where the number is `smooth`: a
        little off from 1, at which nothing varies.
    """

    value: Floats
    error: Floats
    low: Floats
    high: Floats
    of_positives: Floats
    of_negatives: Floats
    smooth: Floats


def roc_auc(negatives: Floats, positives: Floats) -> Ranked:
    """Chance that a random positive outscores a random negative, ties counting half.

    Source: Mann & Whitney (1947), doi:10.1214/aoms/1177730491. The interval is Wilson's with the
        larger variance of DeLong et al. (1988), doi:10.2307/2531595, on bins, and Hanley & McNeil
        (1982), doi:10.1148/radiology.143.1.7063747, as Newcombe (2006), doi:10.1002/sim.2324,
        made it symmetric.
    """
    n, p = negatives.sum(-1), positives.sum(-1)
    safe_n, safe_p = np.maximum(n, 1), np.maximum(p, 1)
    below = np.cumsum(negatives, -1) - negatives
    above = p[..., None] - np.cumsum(positives, -1)
    beaten = (below + negatives / 2) / safe_n[..., None]
    beating = (above + positives / 2) / safe_p[..., None]
    value = (positives * beaten).sum(-1) / safe_p
    of_positives = _variance(positives, beaten, value, p) / safe_p
    of_negatives = _variance(negatives, beating, value, n) / safe_n
    worth = _worth(value, of_positives + of_negatives, safe_n, safe_p)
    low, high = wilson(value * worth, worth)
    error = (positives * negatives).sum(-1) / (2 * safe_n * safe_p)
    smooth = (value * worth + 1) / (worth + 2)
    more = smooth * (1 - smooth) / worth / np.maximum(of_positives + of_negatives, 1e-300)
    none = of_positives + of_negatives == 0
    halves = smooth * (1 - smooth) / worth / 2
    return Ranked(
        value,
        error,
        low,
        high,
        np.where(none, halves, more * of_positives),
        np.where(none, halves, more * of_negatives),
        smooth,
    )


def average_precision(negatives: Floats, positives: Floats) -> Ranked:
    """The mean over the positives of the precision at their score.

    The value is the middle of those that any order inside the bins could give.
    Source: the variance is Boyd et al. (2013), doi:10.1007/978-3-642-40994-3_29: that of a
        proportion of the positives. The interval is Wilson's, which holds at a value of 1 as well.
    """
    # From the highest score down.
    negatives, positives = negatives[..., ::-1], positives[..., ::-1]
    safe_p = np.maximum(positives.sum(-1), 1)
    hits = np.cumsum(positives, -1) - positives
    misses = np.cumsum(negatives, -1) - negatives
    # Worst: the bin's positives come last, one by one: sum of (hits + i) / (hits + wrong + i).
    wrong = misses + negatives
    worst = positives - wrong * (digamma(hits + wrong + positives + 1) - digamma(hits + wrong + 1))
    # Best: they come first and tied, so that all have the precision of the last.
    best = positives * (hits + positives) / np.maximum(hits + misses + positives, 1)
    lowest, highest = worst.sum(-1) / safe_p, best.sum(-1) / safe_p
    value = (lowest + highest) / 2
    low, high = wilson(value * safe_p, safe_p)
    # One half of a positive more, because a precision of 1 among few is not certain.
    smooth = (value * safe_p + 0.5) / (safe_p + 1)
    error = np.maximum(highest - lowest, 0) / 2
    variance = smooth * (1 - smooth) / safe_p
    return Ranked(value, error, low, high, variance, np.zeros_like(value), smooth)


def _variance(counts: Floats, values: Floats, mean: Floats, n: Floats) -> Floats:
    """Sample variance of `values` that stand `counts` times each, around a known mean."""
    squares = (counts * (values - mean[..., None]) ** 2).sum(-1)
    return np.asarray(squares / np.maximum(n - 1, 1))


def _worth(value: Floats, variance: Floats, negatives: Floats, positives: Floats) -> Floats:
    """How many trials of a proportion an AUC is worth: the fewer of two accounts.

    The measured variance of few placements is too small, and 0 when they are perfectly separated;
    that of Hanley & McNeil knows only the value, and is too small when positives are of two sorts.
    """
    others = (negatives + positives) / 2 - 1
    correlated = others * ((1 - value) / (2 - value) + value / (1 + value))
    modelled = negatives * positives / np.maximum(1 + correlated, 1)
    # A variance of 0 says nothing, and a value of 0 or 1 has no other.
    known = np.where(variance > 0, variance, np.inf)
    measured_worth = np.where(variance > 0, value * (1 - value) / known, np.inf)
    return np.asarray(np.maximum(np.minimum(modelled, measured_worth), 1))
