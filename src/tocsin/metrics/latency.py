"""Quantiles of latencies that were counted in bins."""

from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray

from tocsin.metrics.intervals import Z95
from tocsin.operations import EDGES_S
from tocsin.values import Bounded, Measure, Undefined


def latency_quantile(requests: NDArray[np.int64], share: float) -> Measure:
    """The seconds below which a share of the requests was answered.

    requests: (LATENCY_BINS,) by bin. `error` is half the width of the bin that holds the quantile;
    the interval is that of the order statistics around it, out to the ends of their bins.
    Source: Conover, Practical Nonparametric Statistics (1999), section 3.2.

    >>> from tocsin.operations import LATENCY_BINS, latency_bin
    >>> requests = np.zeros(LATENCY_BINS, int)
    >>> requests[latency_bin(0.012)] = 100
    >>> found = latency_quantile(requests, 0.5)
    >>> abs(found.value - 0.012) <= found.error
    True
    """
    n = int(requests.sum())
    if n == 0:
        return Undefined("no requests", 0)
    ends = np.cumsum(requests)
    spread = Z95 * sqrt(n * share * (1 - share))
    low, high = _bin(ends, n * share - spread), _bin(ends, n * share + spread + 1)
    at = _bin(ends, n * share)
    below, above = _edges(at)
    if above == inf:
        return Bounded(below, inf, low=_edges(low)[0], high=inf, n=n)
    return Bounded(
        (below + above) / 2,
        (above - below) / 2,
        low=_edges(low)[0],
        high=_edges(high)[1],
        n=n,
    )


def _bin(ends: NDArray[np.int64], rank: float) -> int:
    """The bin of the request of this rank, counted from 1."""
    wanted = min(max(1.0, np.ceil(rank)), float(ends[-1]))
    return int(np.searchsorted(ends, wanted))


def _edges(number: int) -> tuple[float, float]:
    below = 0.0 if number == 0 else EDGES_S[number - 1]
    return below, EDGES_S[number] if number < len(EDGES_S) else inf
