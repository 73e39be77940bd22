"""Distances between bin counts, corrected for what sampling alone would give."""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, xlogy

from tocsin.drift.apart import TAIL
from tocsin.drift.homogeneity import contingency

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# A Jensen-Shannon distance below this is no drift that anyone should care about.
EFFECT = 0.1
# A model of 20 columns and hourly windows is looked at 15,000 times a month: chance must be rarer.
FLOOR_TAIL = 1e-5
_MOST_BINS = 1_000
_ONE_IN_20 = 1.645


class Divergence(NamedTuple):
    """How far current windows are from the reference, one entry per window.

    js_distance: (...,) square root of the debiased Jensen-Shannon divergence, base 2; [0, 1].
    js_floor: (...,) the same, less what sampling gives in all but `FLOOR_TAIL` of clean windows.
    js_ceiling: (...,) a true distance beyond it would in 19 windows of 20 have given a larger one.
    psi: (...,) debiased population stability index, at least 0.
    p_value: (...,) of the G test that both have one distribution.
    n: (...,) rows of the window; minimum_n: (...,) rows from which `EFFECT` can be told from noise.
    """

    js_distance: Floats
    js_floor: Floats
    js_ceiling: Floats
    psi: Floats
    p_value: Floats
    n: Floats
    minimum_n: Floats

    def each(self) -> "list[Divergence]":
        """The divergences of all windows, one by one."""
        return [Divergence(*row) for row in zip(*(part.tolist() for part in self), strict=True)]


def divergence(reference: Floats, current: Floats) -> Divergence:
    """Compare bin counts.

    reference: (k,) counts, or (..., k) where each window has its own; current: (..., k) counts.
    Source: the debiasing is the first-order expectation of each divergence without drift,
        (B - 1) h / (8 ln 2) and (B - 1) h, with h = 1/n + 1/m and B bins that are not empty.
    """
    n, m, k = reference.sum(-1), current.sum(-1), reference.shape[-1]
    safe_n, safe_m = np.maximum(n, 1), np.maximum(m, 1)
    p, q = reference / safe_n[..., None], current / safe_m[..., None]
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios_p = np.where(p > 0, p / middle, 1.0)
        ratios_q = np.where(q > 0, q / middle, 1.0)
    jsd = (xlogy(p, ratios_p) + xlogy(q, ratios_q)).sum(-1) / (2 * np.log(2))
    degrees = np.maximum((middle > 0).sum(-1) - 1, 1)
    h = 1 / safe_n + 1 / safe_m
    per_degree = h / (8 * np.log(2))
    smooth_p = (reference + 0.5) / (n + 0.5 * k)[..., None]
    smooth_q = (current + 0.5) / (m + 0.5 * k)[..., None]
    psi = ((smooth_q - smooth_p) * np.log(smooth_q / smooth_p)).sum(-1)
    return Divergence(
        js_distance=np.sqrt(np.maximum(jsd - degrees * per_degree, 0)),
        js_floor=np.sqrt(np.maximum(jsd - _quantiles(FLOOR_TAIL)[degrees] * per_degree, 0)),
        js_ceiling=np.minimum(np.sqrt(most_moved(jsd / per_degree, degrees) * per_degree), 1),
        psi=np.maximum(psi - degrees * h, 0),
        p_value=contingency(reference, current)[1],
        n=m,
        # Not the 95 % quantile: of two bins it lets chance pass in 1 clean window of 100.
        minimum_n=np.ceil((_quantiles(TAIL)[degrees] - degrees) / (8 * np.log(2) * EFFECT**2)),
    )


def most_moved(found: Floats, degrees: Ints) -> Floats:
    """(...,) the largest noncentrality of chi-square that gives no more than `found` in 1 of 20.

    Its law is taken for normal, of mean d + x and variance 2 d + 4 x: about 5 % too large.
    """
    spread = 2 * _ONE_IN_20 + np.sqrt(
        np.maximum(4 * _ONE_IN_20**2 + 2 * degrees + 4 * (found - degrees), 0)
    )
    return np.maximum((spread**2 - 2 * degrees) / 4, 0)


@cache
def _quantiles(tail: float) -> Floats:
    """Upper quantiles of chi-square by degrees of freedom: finding one takes microseconds."""
    return np.asarray(chdtri(np.arange(_MOST_BINS), tail), np.float64)
