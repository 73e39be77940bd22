"""95 % confidence intervals from counts and sums.

Where all values that were seen are equal, their variance of 0 says nothing. What is known then is
the rule of three: a share of rows unlike them that is above `unseen_share` would have shown. Such
rows may lie anywhere in the range of the number, so an end of the interval may be infinite.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrik, stdtrit

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

Z95 = 1.959963984540054
# Sums of squares of equal numbers differ by rounding.
_EQUAL = 1e-12


def wilson(successes: Floats, trials: Floats, z: Floats | float = Z95) -> tuple[Floats, Floats]:
    """The interval of a proportion, sound for few trials and for proportions near 0 and 1.

    Source: Wilson (1927), doi:10.1080/01621459.1927.10502953.

    >>> low, high = wilson(np.array(8.0), np.array(10.0))
    >>> round(float(low), 3), round(float(high), 3)
    (0.49, 0.943)
    """
    trials = np.maximum(trials, 1)
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def of_share(
    value: Floats, variance: Floats, smooth: Floats, z: Floats | float = Z95
) -> tuple[Floats, Floats]:
    """The interval of a number in [0, 1]: Wilson's for as many trials as its variance is worth.

    variance: of the number, where it was `smooth`: a little off from 0 and 1, where there is none.
    """
    spread = smooth * (1 - smooth)
    worth = spread / np.maximum(variance, 1e-300)
    worth = np.maximum(np.where(variance > 0, worth, 1), 1)
    return wilson(value * worth, worth, z)


def t95(n: Floats) -> Floats:
    """How many standard errors from the mean of n values its interval ends; n at least 2.

    >>> t95(np.array([2.0, 30.0, 1e6])).round(2).tolist()
    [12.71, 2.05, 1.96]
    """
    return np.asarray(stdtrit(np.maximum(n, 2) - 1, 0.975))


def unseen_share(n: Floats) -> Floats:
    """The largest share of rows of which n rows may have shown none.

    Source: Hanley & Lippman-Hand (1983), doi:10.1001/jama.1983.03330370053031, two-sided.

    >>> unseen_share(np.array([1.0, 100.0])).round(3).tolist()
    [0.975, 0.036]
    """
    return np.asarray(-np.expm1(np.log(0.025) / np.maximum(n, 1)))


def of_mean(
    total: Floats,
    total_squared: Floats,
    n: Floats,
    *,
    least: float = -np.inf,
    most: float = np.inf,
) -> tuple[Floats, Floats]:
    """Student's interval of a mean from its sums, within the range of the values."""
    mean, variance, equal = _moments(total, total_squared, n)
    half = t95(n) * np.sqrt(variance / np.maximum(n, 1))
    low, high = np.maximum(mean - half, least), np.minimum(mean + half, most)
    return _if_equal(equal, mean, n, low, high, least=least, most=most)


def of_bounded_mean(
    total: Floats, total_squared: Floats, n: Floats, *, least: float = 0, most: float = 1
) -> tuple[Floats, Floats]:
    """The interval of a mean of values that have a range; it holds for rare large ones as well."""
    size = most - least
    total_squared = (total_squared - 2 * least * total + n * least**2) / size**2
    total = (total - n * least) / size
    mean, variance, equal = _moments(total, total_squared, n)
    mean = np.clip(mean, 0, 1)
    low, high = of_share(mean, variance / np.maximum(n, 1), mean, t95(n))
    low, high = _if_equal(equal, mean, n, low, high, least=0, most=1)
    return least + size * low, least + size * high


def of_positive_mean(
    total: Floats, total_squared: Floats, n: Floats, *, most: float = np.inf
) -> tuple[Floats, Floats]:
    """The interval of a mean of values from 0 on, symmetric in its logarithm: losses are skewed."""
    mean, variance, equal = _moments(total, total_squared, n)
    safe = np.where(mean > 0, mean, 1)
    low, high = of_ratio_scale(safe, variance / np.maximum(n, 1) / safe**2, n)
    return _if_equal(equal, mean, n, low, np.minimum(high, most), least=0, most=most)


def of_ratio_scale(value: Floats, variance: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The interval of a positive number; variance: of its logarithm."""
    # Beyond this factor, nothing is known.
    factor = np.exp(np.minimum(t95(n) * np.sqrt(np.maximum(variance, 0)), 700))
    return value / factor, value * factor


def of_correlation(value: Floats, variance: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The interval of a number in [-1, 1], symmetric in Fisher's z.

    A perfect correlation of n pairs counts as 1 - 1 / n; of 3 pairs or fewer nothing is known.
    """
    inside = np.clip(value, -1 + 1 / np.maximum(n, 2), 1 - 1 / np.maximum(n, 2))
    least = 1 / np.sqrt(np.maximum(n - 3, 1))
    known = np.sqrt(variance) / np.maximum(1 - inside**2, 1e-300)
    half = t95(n) * np.where(np.abs(value) > np.abs(inside), least, known)
    low, high = np.tanh(np.arctanh(inside) - half), np.tanh(np.arctanh(inside) + half)
    return (
        np.where(n > 3, np.minimum(low, value), -1),
        np.where(n > 3, np.maximum(high, value), 1),
    )


def quantile_ranks(n: Floats, share: float) -> tuple[Floats, Floats]:
    """Which of n ordered values enclose the quantile: ranks from 1 on, between two of them as well.

    A rank below 1 or above n stands for an end that n values cannot tell.
    Source: Beran & Hall (1993), doi:10.1111/j.2517-6161.1993.tb01910.x.

    >>> [rank.round(1).tolist() for rank in quantile_ranks(np.array([5.0, 100.0]), 0.5)]
    [[0.0, 40.7], [5.1, 60.3]]
    """
    safe = np.maximum(n, 1)
    low, high = (bdtrik(p, safe, share) for p in (0.025, 0.975))
    return np.where(low > 0, low + 1, 0), np.asarray(high + 1)


def minimum_n(p0: float, delta: float, *, z: float = 3.0, power_z: float = 0.8416212) -> int:
    """Rows it takes to tell a proportion from one that is `delta` worse.

    p0: the usual proportion, in (0, 1); delta: the fall that matters (negative for a rise).
    z: standard errors that count as news; power_z: 0.84 finds it in 80 of 100 windows.

    >>> minimum_n(0.9, 0.02)
    3443
    """
    p1 = min(max(p0 - delta, 0.0), 1.0)
    spread = z * (p0 * (1 - p0)) ** 0.5 + power_z * (p1 * (1 - p1)) ** 0.5
    return int(np.ceil((spread / delta) ** 2))


def _moments(total: Floats, total_squared: Floats, n: Floats) -> tuple[Floats, Floats, Mask]:
    """Mean, sample variance, and whether all values are equal as far as one can see."""
    safe = np.maximum(n, 1)
    mean = total / safe
    raw = total_squared / safe - mean**2
    equal = (n < 2) | (raw <= _EQUAL * total_squared / safe)
    variance = np.maximum(raw, 0) * safe / np.maximum(safe - 1, 1)
    return np.asarray(mean), np.asarray(variance), np.asarray(equal)


def _if_equal(
    equal: Mask, mean: Floats, n: Floats, low: Floats, high: Floats, *, least: float, most: float
) -> tuple[Floats, Floats]:
    """The rule of three where all values are equal."""
    unseen = unseen_share(n)
    return (
        np.where(equal, mean - unseen * (mean - least), low),
        np.where(equal, mean + unseen * (most - mean), high),
    )
