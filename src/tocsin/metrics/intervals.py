"""95 % confidence intervals from counts and sums."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Z95 = 1.959963984540054


def wilson(successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """The interval of a proportion, sound for few trials and for proportions near 0 and 1.

    Source: Wilson (1927), doi:10.1080/01621459.1927.10502953.

    >>> low, high = wilson(np.array(8.0), np.array(10.0))
    >>> round(float(low), 3), round(float(high), 3)
    (0.49, 0.943)
    """
    trials = np.maximum(trials, 1)
    share = successes / trials
    centre = (share + Z95**2 / (2 * trials)) / (1 + Z95**2 / trials)
    half = (
        Z95
        / (1 + Z95**2 / trials)
        * np.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
    )
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def of_mean(total: Floats, total_squared: Floats, n: Floats) -> tuple[Floats, Floats]:
    """The normal interval of a mean from its sums."""
    n = np.maximum(n, 2)
    mean = total / n
    variance = np.maximum(total_squared / n - mean**2, 0) * n / (n - 1)
    half = Z95 * np.sqrt(variance / n)
    return mean - half, mean + half
