"""Distances between bin counts. All are 0 for equal shares, and exact for the bins."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, kolmogi, kolmogorov, ndtr, ndtri, xlogy

from tocsin.drift.apart import ENOUGH_ROWS, EXPECTED, TAIL, Apart, without
from tocsin.drift.laws import (
    ChiSquare,
    multinomial_covariance,
    squared_absolute_sum,
)
from tocsin.drift.pairs import Line, Pair
from tocsin.profiles import LARGEST

Floats = NDArray[np.float64]

# A mean so close to the edge, in widths of the bin, is that of values on the edge.
_ON_EDGE = 1e-9


def population_stability_index(pair: Pair) -> Apart:
    """Sum (q - p) ln(q / p), half a row added to each bin; less its mean under no drift."""
    p, q = _smoothed(pair)
    return _divergence(pair, ((q - p) * np.log(q / p)).sum(-1), scale=1.0, power=1)


def kullback_leibler(pair: Pair) -> Apart:
    """Sum p ln(p / q) in nats, half a row added to each bin; less its mean under no drift.

    Source: Kullback & Leibler (1951), doi:10.1214/aoms/1177729694.
    """
    p, q = _smoothed(pair)
    return _divergence(pair, (p * np.log(p / q)).sum(-1), scale=0.5, power=1)


def jensen_shannon(pair: Pair) -> Apart:
    """Square root of the Jensen-Shannon divergence, base 2, less its mean under no drift; [0, 1].

    Source: Lin (1991), doi:10.1109/18.61115.
    """
    p, q, _ = _shares(pair)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio_p, ratio_q = np.where(p > 0, p / middle, 1.0), np.where(q > 0, q / middle, 1.0)
    found = (xlogy(p, ratio_p) + xlogy(q, ratio_q)).sum(-1) / (2 * np.log(2))
    return _divergence(pair, found, scale=1 / (8 * np.log(2)), power=2)


def hellinger(pair: Pair) -> Apart:
    """Square root of 1 - sum sqrt(p q), less its mean under no drift; [0, 1].

    Source: Hellinger (1909), doi:10.1515/crll.1909.136.210.
    """
    p, q, _ = _shares(pair)
    # As half a sum of squares it loses no digits where p and q are close.
    found = ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(-1) / 2
    return _divergence(pair, found, scale=1 / 8, power=2)


def total_variation(pair: Pair) -> Apart:
    """Half the sum of |p - q|: the share of rows that would have to be in another bin; [0, 1]."""
    p, q, h = _shares(pair)
    found = np.abs(p - q).sum(-1) / 2
    shares = _overall(pair.reference)
    law = squared_absolute_sum(np.full(len(shares), 0.5), multinomial_covariance(shares))
    apart = _linear(pair.reference, pair.current, found, h, law)
    return replace(apart, least=_least(pair.reference))


def l_infinity(pair: Pair) -> Apart:
    """The largest |p - q| of a bin; [0, 1].

    The p-value is that of the surest bin times the number of bins (Bonferroni); bins of which fewer
    than 5 rows are expected prove nothing.
    """
    p, q, h = _shares(pair)
    n, m = pair.reference.sum(-1), pair.current.sum(-1)
    pooled = (pair.reference + pair.current) / np.maximum(n + m, 1)[..., None]
    gap = np.abs(p - q)
    variance = pooled * (1 - pooled) * h[..., None]
    usual = (pooled * np.minimum(n, m)[..., None] >= EXPECTED) & (variance > 0)
    z = np.where(usual, gap / np.sqrt(np.where(variance > 0, variance, 1)), 0).max(-1)
    bins = np.maximum((pooled > 0).sum(-1), 1)
    p_value = np.minimum(1, 2 * bins * ndtr(-z))
    noise = ndtri(1 - TAIL / (2 * bins)) ** 2 * (p * (1 - p)).max(-1)
    found = np.where(m > 0, gap.max(-1), 0)
    return Apart(
        found, np.zeros(m.shape), p_value, m, n, noise, power=2, least=_least(pair.reference)
    )


def kolmogorov_smirnov(pair: Pair) -> Apart:
    """The largest gap between the distribution functions at the edges of the bins; [0, 1].

    Returns: that of the rows is at most `error` larger. p is that of the gap at the edges, so
    rather too large.
    Source: Smirnov (1948), doi:10.1214/aoms/1177730256.
    """
    if pair.line is None or not pair.line.reference.any():
        return _unordered(pair)
    n, m, f, g = _functions(pair.line)
    before_f, before_g = _shifted(f), _shifted(g)
    gap = np.abs(f - g).max(-1)
    # In a bin one function may have risen by all it will before the other begins.
    most = np.maximum(f - before_g, g - before_f).max(-1)
    h = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
    p_value = kolmogorov(gap / np.sqrt(h))
    noise = np.full((), kolmogi(TAIL) ** 2)
    return Apart(gap, np.maximum(most - gap, 0), p_value, m, n, noise, power=2)


def wasserstein(pair: Pair) -> Apart:
    """Integral of |F - G| in standard deviations of the reference: how far values moved.

    Returns: of the rows it is at most `error` more. It is exact where F - G does not change its
    sign inside a bin, because the integral over a bin follows from the mean of its values. The
    standard deviation follows from means and edges, to some 2 % for common shapes.
    Source: Vallender (1974), doi:10.1137/1118101.
    """
    line = pair.line
    if line is None or not line.reference.any():
        return _unordered(pair)
    n, m, f, g = _functions(line)
    if np.abs(line.edges).max() > LARGEST:
        return without(f"values beyond {LARGEST:g} have no sum, and so no mean", m, n)
    sigma = _standard_deviation(line)
    if not sigma > 0:
        return without("the reference has one value only", m, n)
    areas_f = _areas(line.edges, line.reference, line.reference_sums, f)
    areas_g = _areas(line.edges, line.current, line.current_sums, g)
    found = np.abs(areas_f - areas_g)
    error = _unseen(line.edges, f, g, areas_f, areas_g, found)
    h = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
    law = _law_of_areas(line, sigma)
    apart = _linear(line.reference, line.current, found.sum(-1) / sigma, h, law)
    return replace(apart, error=error.sum(-1) / sigma)


def _shares(pair: Pair) -> tuple[Floats, Floats, Floats]:
    """Shares of reference and windows, and 1/n + 1/m."""
    n, m = np.maximum(pair.reference.sum(-1), 1), np.maximum(pair.current.sum(-1), 1)
    return pair.reference / n[..., None], pair.current / m[..., None], 1 / n + 1 / m


def _smoothed(pair: Pair) -> tuple[Floats, Floats]:
    k = pair.reference.shape[-1]
    n, m = pair.reference.sum(-1), pair.current.sum(-1)
    p = (pair.reference + 0.5) / (n + 0.5 * k)[..., None]
    return p, (pair.current + 0.5) / (m + 0.5 * k)[..., None]


def _divergence(pair: Pair, found: Floats, *, scale: float, power: int) -> Apart:
    """A divergence that is h * scale * chi-square where nothing moved, without its mean."""
    n, m = pair.reference.sum(-1), pair.current.sum(-1)
    h = 1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)
    filled = (pair.reference + pair.current) > 0
    degrees = np.maximum(filled.sum(-1) - 1, 1).astype(np.float64)
    rest = np.maximum(found - scale * h * degrees, 0)
    noise = scale * (chdtri(degrees, TAIL) - degrees)
    return Apart(
        value=np.where(m > 0, rest if power == 1 else np.sqrt(rest), 0),
        error=np.zeros(m.shape),
        p_value=np.where(m > 0, ChiSquare(degrees, scale * h).above(np.asarray(found)), 1),
        n=m,
        reference_n=n,
        noise=noise,
        power=power,
    )


def _linear(before: Floats, now: Floats, found: Floats, h: Floats, law: ChiSquare) -> Apart:
    """A distance whose square is h times a known law where nothing moved."""
    n, m = before.sum(-1), now.sum(-1)
    with np.errstate(over="ignore"):
        p_value = np.where(m > 0, ChiSquare(law.degrees, law.scale * h).above(found**2), 1)
    return Apart(
        np.where(m > 0, found, 0), np.zeros(m.shape), p_value, m, n, law.quantile(TAIL), power=2
    )


def _least(reference: Floats) -> Floats:
    """(...,) rows of which 5 are outside the most frequent bin: of fewer the law is not normal."""
    rest = 1 - reference.max(-1) / np.maximum(reference.sum(-1), 1)
    needed = np.ceil(EXPECTED / np.where(rest > 0, rest, 1))
    return np.asarray(np.maximum(needed, ENOUGH_ROWS))


def _unordered(pair: Pair) -> Apart:
    n, m = pair.reference.sum(-1), pair.current.sum(-1)
    why = "categories have no order" if pair.line is None else "the reference has no value"
    return without(why, m, n)


def _overall(reference: Floats) -> Floats:
    """(k,) the shares of all references together: laws need no more of them."""
    summed = reference.reshape(-1, reference.shape[-1]).sum(0)
    return np.asarray(summed / max(summed.sum(), 1))


def _functions(line: Line) -> tuple[Floats, Floats, Floats, Floats]:
    """Rows of both sides, and their distribution functions at the ends of the bins."""
    n, m = line.reference.sum(-1), line.current.sum(-1)
    f = np.cumsum(line.reference, -1) / np.maximum(n, 1)[..., None]
    # A window without rows is no distance away.
    g = np.where((m > 0)[..., None], np.cumsum(line.current, -1) / np.maximum(m, 1)[..., None], f)
    return n, m, f, g


def _shifted(function: Floats) -> Floats:
    """A distribution function at the beginning of each bin."""
    return np.concatenate([np.zeros_like(function[..., :1]), function[..., :-1]], axis=-1)


def _areas(edges: Floats, counts: Floats, sums: Floats, function: Floats) -> Floats:
    """(..., b + 2) what lies under the function in each bin; above the last edge, what lies over.

    The latter with its sign turned, so that differences of two areas are those of the functions.
    """
    shares = counts / np.maximum(counts.sum(-1), 1)[..., None]
    ends = np.append(edges, edges[-1])
    means = np.where(counts > 0, sums / np.where(counts > 0, counts, 1), ends)
    widths = np.concatenate([[0.0], np.diff(edges), [0.0]])
    # By parts: the area is what the values lack to the end of the bin.
    return np.asarray(_shifted(function) * widths + shares * (ends - means))


def _unseen(
    edges: Floats, f: Floats, g: Floats, areas_f: Floats, areas_g: Floats, found: Floats
) -> Floats:
    """(..., b + 2) how much larger the integral of |F - G| over a bin may be than that of F - G."""
    widths = np.concatenate([[0.0], np.diff(edges), [0.0]])
    # Inside a bin F - G lies in [-v, u].
    u, v = np.maximum(f - _shifted(g), 0), np.maximum(g - _shifted(f), 0)
    total = np.where(u + v > 0, u + v, 1)
    most = (2 * u * v * widths + (areas_f - areas_g) * (u - v)) / total
    error = np.maximum(most - found, 0)
    # Beyond the edges nothing ends: each side is no larger than itself.
    for end in (0, -1):
        smaller = np.minimum(np.abs(areas_f[..., end]), np.abs(areas_g[..., end]))
        error[..., end] = 2 * smaller
    return np.asarray(error)


def _standard_deviation(line: Line) -> float:
    """Of the reference: between the means of its bins, and inside them."""
    shares, means = _inside(line)
    mean = float(shares @ means)
    return float(np.sqrt(shares @ ((means - mean) ** 2 + _variances(line, shares, means))))


def _inside(line: Line) -> tuple[Floats, Floats]:
    """(b,) shares of the bins between edges in the reference, and the means of their values."""
    counts = line.reference.reshape(-1, line.reference.shape[-1]).sum(0)[1:-1]
    sums = line.reference_sums.reshape(-1, line.reference.shape[-1]).sum(0)[1:-1]
    means = np.where(counts > 0, sums / np.where(counts > 0, counts, 1), line.edges[:-1])
    return counts / max(counts.sum(), 1), np.clip(means, line.edges[:-1], line.edges[1:])


def _variances(line: Line, shares: Floats, means: Floats) -> Floats:
    """(b,) of the values inside each bin, of which only the mean is known.

    That of about an exponential density: exact for the flat and for the endless one. Where all
    values lie on edges, the last bin, which holds both of its own, has that of two values.
    """
    low, high = means - line.edges[:-1], line.edges[1:] - means
    on_edges = (low[:-1] <= _ON_EDGE * np.diff(line.edges)[:-1]) | (shares[:-1] == 0)
    less, more = np.minimum(low, high), np.maximum(low, high)
    found = less**2 * (1 - 2 / 3 * less / np.where(more > 0, more, 1))
    if on_edges.all():
        found[-1] = low[-1] * high[-1]
    return np.asarray(found)


def _law_of_areas(line: Line, sigma: float) -> ChiSquare:
    """The law of the square of the sum of |areas| / sigma, over h, where nothing moved."""
    shares, means = _inside(line)
    widths, rest = np.diff(line.edges), line.edges[1:] - means
    below = np.cumsum(shares) - shares
    # What one row adds to the area of a bin: its width from below, what is left from inside.
    mean = below * widths + shares * rest
    first = np.triu(np.outer(mean, widths), 1)
    squares = below * widths**2 + shares * (rest**2 + _variances(line, shares, means))
    covariance = first + first.T + np.diag(squares) - np.outer(mean, mean)
    return squared_absolute_sum(np.full(len(widths), 1 / sigma), covariance)
