"""Tests of whether two samples have one distribution. Their minimum of rows is their own."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtr, xlogy

from tocsin.drift.apart import ENOUGH_ROWS, EXPECTED, Apart, without
from tocsin.drift.distances import kolmogorov_smirnov
from tocsin.drift.pairs import Pair

Floats = NDArray[np.float64]

# Of pooled counts of the reference and of windows, and of what is expected of either.
Statistic = Callable[[Floats, Floats, Floats, Floats], Floats]


def g_test(pair: Pair) -> Apart:
    """G, 2 sum O ln(O / E), after pooling neighbouring bins to about 5 expected rows.

    Source: Wilks (1938), doi:10.1214/aoms/1177732360.
    """
    return _contingency(pair, g_statistic)


def chi_square(pair: Pair) -> Apart:
    """Chi-square, sum (O - E)^2 / E, after pooling neighbouring bins to about 5 expected rows.

    Source: Pearson (1900), doi:10.1080/14786440009463897.
    """

    def statistic(ref: Floats, cur: Floats, expected_ref: Floats, expected_cur: Floats) -> Floats:
        parts = (ref - expected_ref) ** 2 / expected_ref + (cur - expected_cur) ** 2 / expected_cur
        return np.asarray(np.where(ref + cur > 0, parts, 0).sum(-1))

    return _contingency(pair, statistic)


def z_test(pair: Pair) -> Apart:
    """|z| of the share of the first of two categories; others count with the second."""
    n, m = pair.reference.sum(-1), pair.current.sum(-1)
    filled = np.flatnonzero(pair.reference.reshape(-1, pair.reference.shape[-1]).sum(0) > 0)
    if len(filled) != 2:
        what = "categories" if pair.line is None else "bins of numbers"
        return without(f"the reference has {len(filled)} {what}, not two categories", m, n)
    before, now = pair.reference[..., filled[0]], pair.current[..., filled[0]]
    pooled = (before + now) / np.maximum(n + m, 1)
    h = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
    spread = np.sqrt(pooled * (1 - pooled) * h)
    gap = np.abs(before / np.maximum(n, 1) - now / np.maximum(m, 1))
    z = np.where((spread > 0) & (m > 0), gap / np.where(spread > 0, spread, 1), 0)
    share = before / np.maximum(n, 1)
    # A trailing reference may lack one of the two in some window: no rows are enough there.
    with np.errstate(divide="ignore"):
        least = np.maximum(np.ceil(EXPECTED / np.minimum(share, 1 - share)), ENOUGH_ROWS)
    return Apart(z, np.zeros(m.shape), 2 * ndtr(-z), m, n, least=np.asarray(least))


def ks_test(pair: Pair) -> Apart:
    """The Kolmogorov-Smirnov gap, to be judged by its p, which allows for the number of rows."""
    found = kolmogorov_smirnov(pair)
    return Apart(
        found.value, found.error, found.p_value, found.n, found.reference_n, reason=found.reason
    )


def g_statistic(ref: Floats, cur: Floats, expected_ref: Floats, expected_cur: Floats) -> Floats:
    """(...,) G of pooled counts and what is expected of them, each (..., k)."""
    found: Floats = 2 * (xlogy(ref, ref / expected_ref) + xlogy(cur, cur / expected_cur)).sum(-1)
    return np.maximum(found, 0)


def pooled(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """(..., k) counts of both after joining neighbours to about 5 expected rows; then 0s."""
    n, m = reference.sum(-1), current.sum(-1)
    share = (reference + current) / np.maximum(n + m, 1)[..., None]
    expected = share * np.minimum(m, n)[..., None]
    before = np.cumsum(expected, -1) - expected
    group = np.floor(before / EXPECTED).astype(np.int64)
    # The last group may hold less than 5: it joins the one before it.
    last = np.maximum(np.floor(expected.sum(-1) / EXPECTED).astype(np.int64) - 1, 0)
    group = np.minimum(group, last[..., None])
    windows = int(np.prod(current.shape[:-1], dtype=np.int64))
    k = reference.shape[-1]
    # Groups are at most k, but their numbers may be larger: renumber them from 0 in each window.
    steps = np.diff(group, axis=-1, prepend=group[..., :1]) > 0
    at = np.cumsum(steps, -1).reshape(windows, k) + np.arange(windows)[:, None] * k

    def summed(counts: Floats) -> Floats:
        spread = np.broadcast_to(counts, current.shape).reshape(-1)
        sums = np.bincount(at.reshape(-1), weights=spread, minlength=windows * k)
        return np.asarray(sums.reshape(current.shape), np.float64)

    return summed(reference), summed(current)


def contingency(
    reference: Floats, current: Floats, statistic: Statistic = g_statistic
) -> tuple[Floats, Floats]:
    """(...,) the statistic of pooled counts, and p; 1 where there is one pool only."""
    ref, cur = pooled(reference, current)
    n, m = reference.sum(-1), current.sum(-1)
    both = ref + cur
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.maximum(n + m, 1)[..., None]
        expected_ref = np.where(both > 0, both * n[..., None] / total, 1.0)
        expected_cur = np.where(both > 0, both * np.maximum(m, 1)[..., None] / total, 1.0)
        found = statistic(ref, cur, expected_ref, expected_cur)
    degrees = (both > 0).sum(-1) - 1
    p_values: Floats = chdtrc(np.maximum(degrees, 1), found)
    told = degrees > 0
    return np.where(told, found, 0.0), np.asarray(np.where(told, p_values, 1.0), np.float64)


def _contingency(pair: Pair, statistic: Statistic) -> Apart:
    n, m = pair.reference.sum(-1), pair.current.sum(-1)
    value, p_value = contingency(pair.reference, pair.current, statistic)
    return Apart(value, np.zeros(m.shape), p_value, m, n)
