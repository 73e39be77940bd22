"""Whether a number is a constant multiple of what it was, as after a change of its unit."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.profiles import FeatureHistogram, NumericBins

Floats = NDArray[np.float64]

# A factor nearer to 1 is a shift like others.
_LEAST = 1.25
# So much of what moved, and of all rows, a factor may leave unexplained; and so much beside what
# chance does to so many bins, in the mean.
_UNEXPLAINED, _APART, _BESIDE_CHANCE = 0.35, 0.2, 0.05
# So much better than by a constant that was added it has to be explained, unless it is far more
# than what moves by nature: of narrow numbers, such as the weather of an hour, both fit.
_BETTER, _FAR = 0.05, 10.0
_EXACT = 0.03


def factor(earlier: FeatureHistogram, now: FeatureHistogram) -> float | None:
    """By what all values were multiplied; None where no factor explains what moved.

    The values of a bin count as evenly spread around their mean, as far as the bin goes: a value
    on an edge is exact. A constant that was added explains it better where the spread stayed.
    earlier: a stack (w, k) of windows like this one: what is usual at another time of day, or of
    the year, is no example. Of clean hours of New York flights at most one in 50 is said to be
    multiplied, by column; of those with distances in kilometres nearly 9 in 10, within a tenth.
    """
    bins = now.bins
    if not isinstance(bins, NumericBins) or bins.regular < 2:
        return None
    edges = np.array(bins.edges)
    n, value = (part.reshape(-1, part.shape[-1]).sum(0) for part in (earlier.n, earlier.value))
    before = replace(earlier, n=n, value=value)
    spread = _Spread.of(before, edges)
    p, q = (_finite_shares(part) for part in (before, now))
    means = [_mean(part) for part in (before, now)]
    moved = _apart(p, q)
    if n.sum() == 0 or moved == 0 or not all(np.isfinite(means)):
        return None
    # The ratio of the means is exact; that of the quantiles is better where few rows are far out.
    found = [
        (_apart(spread.shares(edges / f), q) + behind, f)
        for behind, f in zip((0.0, _EXACT), _ratios(edges, p, q, *means), strict=True)
        if f >= _LEAST or 0 < f <= 1 / _LEAST
    ]
    if not found:
        return None
    left, best = min(found)
    added = _apart(spread.shares(edges - (means[1] - means[0])), q)
    far = not 1 / _FAR < best < _FAR
    chance = 0.4 * float(np.sqrt(len(q) / now.n.sum()))
    if left > min(_UNEXPLAINED * moved, _APART, _BESIDE_CHANCE + chance) or (
        added < left + _BETTER and not far
    ):
        return None
    return best


@dataclass(frozen=True, eq=False)
class _Spread:
    """Where the finite values of the reference lie: (b,) shares, evenly from low to high each."""

    share: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, histogram: FeatureHistogram, edges: Floats) -> "_Spread":
        k = histogram.bins.regular
        there = np.flatnonzero(histogram.n[: k + 2] > 0)
        mean = histogram.value[there] / histogram.n[there]
        # What lies outside the range is where its mean is.
        low = np.append(edges[:-1], [-np.inf, edges[-1]])[there]
        high = np.append(edges[1:], [edges[0], np.inf])[there]
        half = np.maximum(np.minimum(mean - low, high - mean), 0)
        half = np.where(there < k, half, 0)
        share = histogram.n[there] / max(float(histogram.n[there].sum()), 1.0)
        return cls(np.asarray(share), np.asarray(mean - half), np.asarray(mean + half))

    def shares(self, at: Floats) -> Floats:
        """(k + 2,) shares below, between and above (k + 1,) ascending numbers."""
        width = np.maximum(self.high - self.low, 1e-12 * np.abs(self.high) + 1e-300)
        inside = np.clip((at[:, None] - self.low) / width, 0, 1) @ self.share
        return np.diff(np.concatenate([[0.0], inside, [1.0]]))


def _ratios(
    edges: Floats, p: Floats, q: Floats, mean_before: float, mean_now: float
) -> tuple[float, float]:
    """That of the means, and that of the quantiles that both sides have; 0 where there is none."""
    of_means = mean_now / mean_before if mean_before else 0.0
    then, now = (np.cumsum(part[:-1]) for part in (p, q))
    inner = (then > now[0]) & (then < now[-1]) & (edges != 0)
    if not inner.any():
        return of_means, 0.0
    return of_means, float(np.median(np.interp(then[inner], now, edges) / edges[inner]))


def _finite_shares(histogram: FeatureHistogram) -> Floats:
    """(k + 2,) shares below, inside and above, of the rows that have a number."""
    k = histogram.bins.regular
    rows = np.concatenate([[histogram.n[k]], histogram.n[:k], [histogram.n[k + 1]]])
    return np.asarray(rows / max(float(rows.sum()), 1.0))


def _mean(histogram: FeatureHistogram) -> float:
    counted = slice(0, histogram.bins.regular + 2)
    return float(histogram.value[counted].sum() / max(float(histogram.n[counted].sum()), 1.0))


def _apart(p: Floats, q: Floats) -> float:
    """The share of rows in other bins."""
    return float(np.abs(p - q).sum()) / 2
