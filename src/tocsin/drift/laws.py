"""What distances are where nothing has moved."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc, chdtri, gammaln

Floats = NDArray[np.float64]


class ChiSquare(NamedTuple):
    """A number that is `scale` times chi-square of `degrees`; each a number or (...,)."""

    degrees: Floats | float
    scale: Floats | float

    def above(self, numbers: Floats) -> Floats:
        """(...,) the chance of more than these."""
        positive = np.asarray(self.scale) > 0
        ratio = np.where(positive, numbers / np.where(positive, self.scale, 1), 0)
        found: Floats = np.asarray(chdtrc(self.degrees, np.maximum(ratio, 0)), np.float64)
        return found

    def quantile(self, tail: float) -> Floats:
        """(...,) what is passed with this chance."""
        return np.asarray(self.scale * chdtri(self.degrees, tail), np.float64)


def squared_absolute_sum(weights: Floats, covariance: Floats) -> ChiSquare:
    """About the law of the square of sum w |X|, X normal around 0.

    weights: (k,) at least 0; covariance: (k, k). The mean of the sum and of its square are exact;
    so is the law for one X, or for some that differ by sign only.
    Source: Nabeya (1951), doi:10.1007/BF02949778, for the mean of |X| |Y|.

    >>> squared_absolute_sum(np.ones(1), np.eye(1))
    ChiSquare(degrees=1.0, scale=1.0)
    """
    spread = np.sqrt(np.diag(covariance))
    both = np.outer(spread, spread)
    rho = np.clip(covariance / np.where(both > 0, both, 1), -1, 1)
    products = 2 / np.pi * both * (np.sqrt(1 - rho**2) + rho * np.arcsin(rho))
    square = float(weights @ products @ weights)
    mean = float(np.sqrt(2 / np.pi) * weights @ spread)
    if square <= 0:
        return ChiSquare(1.0, 0.0)
    degrees = _degrees(round(mean**2 / square, 9))
    return ChiSquare(degrees, square / degrees)


@cache
def _degrees(ratio: float) -> float:
    """Of which chi the squared mean is this part of the mean square."""

    def beyond(degrees: float) -> float:
        gammas = gammaln((degrees + 1) / 2) - gammaln(degrees / 2)
        return float(2 / degrees * np.exp(2 * gammas)) - ratio

    least, most = 1.0, 1e5
    if beyond(least) >= 0:
        return least
    return most if beyond(most) <= 0 else float(brentq(beyond, least, most))


def multinomial_covariance(shares: Floats) -> Floats:
    """(k, k) covariance of the shares of one row, times its number of rows."""
    return np.diag(shares) - np.outer(shares, shares)
