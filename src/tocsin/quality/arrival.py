"""Whether rows and labels come when they are expected to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Nothing for so many times the longest gap of the last weeks is too long.
_GAPS = 2.0
# Fewer buckets do not tell how long a gap may be.
_ENOUGH_BUCKETS = 24


@dataclass(frozen=True)
class Freshness:
    """How long ago the newest prediction was made. All in microseconds.

    age: by the wall clock; None before any prediction. usual: the longest time without a prediction
    in the last weeks, None while that is not known. limit: from when on it is too long; None
    without one. stale: whether it is. reason: why nothing is said, or nothing.
    """

    age: int | None
    usual: int | None
    limit: int | None
    declared: bool
    reason: str = ""

    @property
    def stale(self) -> bool:
        """Whether predictions have stopped coming."""
        return self.age is not None and self.limit is not None and self.age > self.limit


def freshness(
    newest: int | None,
    *,
    now: int,
    since: int,
    buckets: Sequence[int],
    granularity: int,
    declared: int | None,
) -> Freshness:
    """How fresh the predictions of a model are.

    newest: time of the newest prediction; since: when the model was added; buckets: the starts of
    those that had rows in the last weeks, ascending; declared: how long there may be none.
    """
    if newest is None:
        return Freshness(None, None, declared, declared is not None, "no prediction has come yet")
    age = max(now - newest, 0)
    usual = None
    if len(buckets) >= _ENOUGH_BUCKETS:
        usual = int(np.diff(np.array(buckets)).max())
    if newest < since:
        words = "all predictions are of before the model was added, as in a replay"
        return Freshness(age, usual, None, declared=False, reason=words)
    if declared is not None:
        return Freshness(age, usual, declared, declared=True)
    if usual is None:
        words = f"fewer than {_ENOUGH_BUCKETS} buckets do not tell how long gaps may be"
        return Freshness(age, None, None, declared=False, reason=words)
    return Freshness(age, usual, max(round(_GAPS * usual), granularity), declared=False)


def expected_labels(
    rows: Floats, ages: Ints, arrived: Sequence[tuple[int, float]], usual: float
) -> Floats:
    """(w,) how many labels should have come by now, at least.

    rows: (w,); ages: (w,) since windows ended; arrived: (delay, share of the labels that come that
    has come by then), ascending; usual: the share of rows that get a label at all. What is younger
    than the first delay that is known has to have none.

    >>> curve = ((60, 0.5), (120, 1.0))
    >>> expected_labels(np.full(3, 100.0), np.array([10, 60, 500]), curve, 0.8).tolist()
    [0.0, 40.0, 80.0]
    """
    if not arrived:
        return np.zeros(len(rows))
    edges = np.array([delay for delay, _ in arrived])
    shares = np.array([0.0, *(share for _, share in arrived)])
    return np.asarray(rows * usual * shares[np.searchsorted(edges, ages, side="right")])


def late_labels(delays: Floats, edges: Ints, delay: int) -> Floats:
    """(...,) labelled rows whose label took longer than a delay.

    delays: (..., d) labelled rows by delay; edges: (d - 1,) the upper ends of all bins but the
    last; delay: one of them.

    >>> late_labels(np.array([5.0, 3.0, 2.0]), np.array([60, 120]), 60).tolist()
    5.0
    """
    return np.asarray(delays[..., int(np.searchsorted(edges, delay)) + 1 :].sum(-1))
