"""Intervals and flags of estimates, from the windows before them whose labels came."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.estimation.backtest import (
    RECENT,
    Flag,
    Past,
    Surprises,
    failed,
    recent,
    spread,
    surer,
    surprised,
)
from tocsin.estimation.expected import Scale, interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Track:
    """Windows of one size by ascending end, estimated before or now.

    ends: (t,) event times. usable: (t,) those with labels enough to judge by.
    value, variance, low, high, realised: (t, m) of m metrics as in `Past`; low and high are NaN
    where they are to be found. outside: (t,) the share of rows that the reference says nothing
    about; beyond: (t,) whether that is too many.
    """

    ends: Ints
    usable: Mask
    value: Floats
    variance: Floats
    low: Floats
    high: Floats
    realised: Floats
    surprises: Surprises
    outside: Floats
    beyond: Mask

    def past(self, metric: int) -> Past:
        """One metric."""
        parts = (self.value, self.low, self.high, self.variance, self.realised)
        return Past(*(part[:, metric] for part in parts))


@dataclass(frozen=True, eq=False)
class Judged:
    """low, high, flags: (f, m) of the windows that were to be judged.

    gaps: (f,) the mean loss beyond the expected of the newest window with labels, NaN without one.
    """

    low: Floats
    high: Floats
    flags: Ints
    gaps: Floats


def joined(first: Track | None, second: Track) -> tuple[Track, Ints]:
    """Both tracks in the order of their ends, and where those of the second are in it."""
    if first is None or len(first.ends) == 0:
        return second, np.arange(len(second.ends))
    ends = np.concatenate([first.ends, second.ends])
    order = np.argsort(ends, kind="stable")

    def both(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([a, b])[order]

    one, two = first.surprises, second.surprises
    surprises = Surprises(both(one.gap, two.gap), both(one.error, two.error), both(one.n, two.n))
    rest = {
        name: both(getattr(first, name), getattr(second, name))
        for name in (
            "usable", "value", "variance", "low", "high", "realised", "outside", "beyond",
        )
    }  # fmt: skip
    places = np.empty(len(ends), np.int64)
    places[order] = np.arange(len(ends))
    return Track(ends=ends[order], surprises=surprises, **rest), places[len(first.ends) :]


def judged(
    track: Track,
    fresh: Ints,
    *,
    references: Sequence[float],
    scales: Sequence[Scale],
    loss: float,
    lag: int,
    stride: int,
) -> Judged:
    """The intervals and flags of some windows.

    fresh: (f,) places of the windows in the track. references: (m,) the numbers of the reference;
    loss: its mean loss. lag: after which labels are complete; stride: between windows that do not
    overlap.
    """
    # All of the track, as a window may be backtested with one that is judged with it.
    index = recent(track.ends, track.ends, track.usable, lag=lag, stride=stride)
    low, high = track.low.copy(), track.high.copy()
    missing = np.isnan(low)
    for m, scale in enumerate(scales):
        past = track.past(m)
        known = np.isfinite(past.value) & np.isfinite(past.realised)
        tested = np.where(known[index], index, -1)
        between = spread(past, tested)
        wider = surer(between, (tested >= 0).sum(1))
        ends = interval(past.value, wider**2 * (past.variance + between), scale)
        low[:, m] = np.where(missing[:, m], ends[0], low[:, m])
        high[:, m] = np.where(missing[:, m], ends[1], high[:, m])
    whole = replace(track, low=low, high=high)
    mine = index[fresh]
    bad = np.stack(
        [failed(whole.past(m), mine, reference) for m, reference in enumerate(references)], -1
    )
    drifted = surprised(track.surprises, mine, loss)
    unproven = (mine[:, :RECENT] < 0).any(1)
    harmless = ~bad.any(-1) & _usual(track.outside, mine, fresh)
    elsewhere = track.beyond[fresh] & ~harmless
    flags = (
        bad * int(Flag.BACKTEST_FAILED)
        + (drifted * int(Flag.CONCEPT_DRIFT_SUSPECTED))[:, None]
        + (elsewhere * int(Flag.OUT_OF_SUPPORT) + unproven * int(Flag.UNPROVEN))[:, None]
    )
    newest = mine[:, 0]
    gaps = np.where(newest >= 0, track.surprises.gap[newest], np.nan)
    return Judged(low[fresh], high[fresh], flags, gaps)


def _usual(outside: Floats, index: Ints, fresh: Ints) -> Mask:
    """(f,) whether the backtested windows were outside as well: then estimates hold there too."""
    last = index[:, :RECENT]
    usual = np.median(outside[last], axis=1)
    return np.asarray((last >= 0).all(1) & (usual >= outside[fresh] / 2))
