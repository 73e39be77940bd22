"""How far numbers moved of which only moments are known, as of a regression's labels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, chdtri

from tocsin.drift.apart import TAIL
from tocsin.drift.divergence import EFFECT, FLOOR_TAIL, Divergence, most_moved

Floats = NDArray[np.float64]
_DEGREES = 2


class Moments(NamedTuple):
    """Of some rows, each (...,): how many, their mean, and central moments."""

    n: Floats
    mean: Floats
    variance: Floats
    third: Floats
    fourth: Floats

    @classmethod
    def of_sums(cls, n: Floats, *sums: Floats) -> "Moments":
        """From sums of x, x^2, x^3 and x^4, x measured from near the mean."""
        one, two, three, four = (total / np.maximum(n, 1) for total in sums)
        return cls(
            n,
            one,
            np.maximum(two - one**2, 0),
            three - 3 * one * two + 2 * one**3,
            np.maximum(four - 4 * one * three + 6 * one**2 * two - 3 * one**4, 0),
        )


def moment_divergence(reference: Moments, current: Moments) -> Divergence:
    """Compare means and variances as those of normal numbers.

    The distance is that of Jensen-Shannon near 0: the Hellinger distance of two normal laws over
    sqrt(ln 2), at most 1. p is of a Wald test of both, which allows for skewness and tails.
    """
    n, m = reference.n, current.n
    h = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
    gap = current.mean - reference.mean
    before, now = reference.variance, current.variance
    both = before + now
    safe = np.where(both > 0, both, 1)
    overlap = np.sqrt(2 * np.sqrt(before * now) / safe) * np.exp(-(gap**2) / (4 * safe))
    # Two points are one, or have nothing in common.
    overlap = np.where(both > 0, overlap, gap == 0)
    kurtosis = reference.fourth / np.where(before > 0, before, 1) ** 2
    # What each degree of freedom adds where nothing moved: its part of the mean of the divergence.
    per_degree = h / (8 * np.log(2)) * np.maximum(1 + (kurtosis - 1) / 2, 1) / _DEGREES
    found = np.minimum((1 - overlap) / np.log(2), 1)
    rest = np.maximum(found - _DEGREES * per_degree, 0)
    floor = np.maximum(found - chdtri(_DEGREES, FLOOR_TAIL) * per_degree, 0)
    ceiling = most_moved(found / per_degree, np.full(np.shape(m), _DEGREES)) * per_degree
    enough = (chdtri(_DEGREES, TAIL) - _DEGREES) * per_degree / h / EFFECT**2
    return Divergence(
        js_distance=np.sqrt(rest),
        js_floor=np.sqrt(floor),
        js_ceiling=np.minimum(np.sqrt(np.maximum(ceiling, rest)), 1),
        psi=8 * np.log(2) * rest,
        p_value=_wald(reference, current, h),
        n=m,
        minimum_n=np.broadcast_to(np.ceil(enough), np.shape(m)),
    )


def _wald(reference: Moments, current: Moments, h: Floats) -> Floats:
    """p of equal means and variances."""
    n, m = reference.n, np.maximum(current.n, 1)

    def shared(before: Floats, now: Floats) -> Floats:
        return np.asarray((n * before + m * now) / (n + m))

    variance = shared(reference.variance, current.variance)
    # In standard deviations, as products of moments of large numbers are no floats any more.
    scale = np.sqrt(np.where(variance > 0, variance, 1))
    third = shared(reference.third, current.third) / scale**3
    spread = np.maximum(shared(reference.fourth, current.fourth) / scale**4 - 1, 0)
    determinant = spread - third**2
    gap = (current.mean - reference.mean) / scale
    wider = (current.variance - reference.variance) / scale**2
    usual = determinant > 1e-12 * spread
    form = spread * gap**2 - 2 * third * gap * wider + wider**2
    # Where one moment follows from the other, as of two values, the mean says it all.
    wald = np.where(usual, form / np.where(usual, determinant, 1), gap**2) / h
    degrees = np.where(usual, 2, 1)
    return np.asarray(np.where(variance > 0, chdtrc(degrees, np.maximum(wald, 0)), gap == 0), float)
