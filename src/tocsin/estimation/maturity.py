"""How long labels take to arrive, learned from those that did, and from when on a window is final.

A window that closed an hour ago can only have labels that took less than an hour, so that plain
shares of what has arrived would promise too much. The shares here are of the delays that a window
was old enough to show.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Of the labels that ever come, the share that has come when a window counts as complete.
COMPLETE = 0.99
# So many labels have to have had the time to come late.
LEAST_LABELS = 100
# A delay is believed when windows were watched for so many times as long.
WATCHED_TIMES = 2


@dataclass(frozen=True)
class Maturity:
    """The delays of labels, in microseconds; None where too little was seen to tell.

    delay: after which 99 % of the labels that come have come. median: of half of them. labels: how
    many were seen. arrived: (delay, share that has come by then), ascending.
    """

    delay: int | None
    median: int | None
    labels: int
    arrived: tuple[tuple[int, float], ...]


def label_maturity(counts: Floats, ages: Ints, edges: Ints) -> Maturity:
    """The maturity of labels.

    counts: (w, d) labelled rows of each window by delay; edges: (d - 1,) the upper ends of all bins
    but the last, ascending; ages: (w,) how long ago each window ended. All in microseconds.
    Source: the maximum-likelihood distribution of right-truncated delays, Lagakos, Barraj and
    De Gruttola (1988), doi:10.1093/biomet/75.3.515, by delay bins.

    >>> hour = 3_600_000_000
    >>> edges = np.array([hour, 2 * hour, 24 * hour])
    >>> young, old = [60.0, 0, 0, 0], [60.0, 40, 0, 0]
    >>> ages = np.array([hour, 60 * hour, 61 * hour])
    >>> found = label_maturity(np.array([young, old, old]), ages, edges)
    >>> found.delay // hour, found.median // hour, found.arrived[0][1]
    (2, 1, 0.6)
    """
    labels = round(float(counts.sum()))
    # Windows that are old enough to have all labels of a bin; the last bin never ends.
    old = ages[:, None] >= edges[None, :]
    came = np.cumsum(counts, axis=1)[:, :-1]
    in_bin = np.where(old, counts[:, :-1], 0).sum(0)
    up_to_bin = np.where(old, came, 0).sum(0)
    share = np.divide(in_bin, up_to_bin, out=np.zeros(len(edges)), where=up_to_bin > 0)
    later = np.cumprod((1 - share)[::-1])[::-1]
    # Those that took no more than an edge are those that are in no bin beyond it.
    arrived = np.append(later[1:], 1.0)
    seen = np.where(ages[:, None] >= WATCHED_TIMES * edges[None, :], came, 0).sum(0)
    return Maturity(
        delay=_first(edges, (arrived >= COMPLETE) & (seen >= LEAST_LABELS)),
        median=_first(edges, (arrived >= 0.5) & (seen >= LEAST_LABELS)),
        labels=labels,
        arrived=tuple(
            (int(edge), float(part))
            for edge, part, enough in zip(edges, arrived, up_to_bin, strict=True)
            if enough >= LEAST_LABELS
        ),
    )


def _first(edges: Ints, wanted: NDArray[np.bool_]) -> int | None:
    found = np.flatnonzero(wanted)
    return int(edges[found[0]]) if found.size else None
