"""Estimates against what came out: how far they were off, and whether to believe the next one.

A window is compared with earlier ones of its size that had all of their labels by its end. The
rival is to assume that nothing changed: the number of the reference.
"""

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from tocsin.metrics.intervals import Z95

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Windows that decide, and those from which the spread between windows is learned.
RECENT, LOOK_BACK = 8, 16
# Of the last windows, so many have to be inside of their intervals. Of eight intervals of 95 %,
# six or fewer hold in one of 17 cases where nothing is wrong, and five or fewer in one of 170.
LEAST_INSIDE = 6
# How sure it has to be that the reference was nearer: of a model that does not change, the estimate
# and the reference are equally near, and each is the nearer one half of the time.
_SURE = 2.0
_Z = 3.0
# A surprise below this part of the reference's mean loss leads nobody astray.
_LEAST_SURPRISE = 0.1
# With fewer earlier windows their spread is not known.
_LEAST_PAST = 7


class Flag(IntFlag):
    """What speaks against an estimate."""

    OUT_OF_SUPPORT = 1
    CONCEPT_DRIFT_SUSPECTED = 2
    BACKTEST_FAILED = 4
    UNPROVEN = 8


@dataclass(frozen=True)
class Backtest:
    """How estimates of one metric did in windows whose labels came.

    mae: mean distance of estimate and realised; mae_no_change: of reference and realised. inside:
    windows whose realised number was in the interval. failed: None with too few windows to tell.
    """

    windows: int
    mae: float
    mae_no_change: float
    inside: int
    failed: bool | None

    @property
    def coverage(self) -> float:
        """Share of the windows whose realised number was in the interval."""
        return self.inside / max(self.windows, 1)

    @property
    def skill(self) -> float | None:
        """1 for perfect estimates, 0 for the reference's worth, less than 0 for worse."""
        return 1 - self.mae / self.mae_no_change if self.mae_no_change > 0 else None


@dataclass(frozen=True, eq=False)
class Past:
    """Windows with estimate and realised number, by rows: (t,) each, NaN where one is missing.

    low, high: the interval that was published; variance: that of realised less expected without
    the spread between windows.
    """

    value: Floats
    low: Floats
    high: Floats
    variance: Floats
    realised: Floats


def backtest(past: Past, reference: float) -> Backtest:
    """The backtest of one metric over windows, the oldest first."""
    known = np.isfinite(past.value) & np.isfinite(past.realised)
    value, realised = past.value[known], past.realised[known]
    inside = (past.low[known] <= realised) & (realised <= past.high[known])
    errors, rival = np.abs(value - realised), np.abs(reference - realised)
    noise = np.sqrt(past.variance[known])
    count = len(value)
    last = slice(max(0, count - RECENT), None)
    enough = count >= RECENT
    return Backtest(
        windows=count,
        mae=float(errors.mean()) if count else 0.0,
        mae_no_change=float(rival.mean()) if count and np.isfinite(reference) else 0.0,
        inside=int(inside.sum()),
        failed=bool(
            _failed(errors[None, last], rival[None, last], inside[None, last], noise[None, last])[0]
        )
        if enough
        else None,
    )


def recent(ends: Ints, past_ends: Ints, usable: Mask, *, lag: int, stride: int) -> Ints:
    """(w, LOOK_BACK) which past windows each window is compared with, the newest first; -1 is none.

    ends: (w,) of the windows; past_ends: (t,) ascending; usable: (t,) which have what it takes.
    lag: after which labels are complete; stride: between windows that do not overlap.
    """
    wanted = (ends - lag)[:, None] - stride * np.arange(2 * LOOK_BACK)
    if len(past_ends) == 0:
        return np.full((len(ends), LOOK_BACK), -1)
    at = np.minimum(np.searchsorted(past_ends, wanted), len(past_ends) - 1)
    there = (past_ends[at] == wanted) & usable[at]
    # Those that are there first, in their order.
    order = np.argsort(~there, axis=1, kind="stable")[:, :LOOK_BACK]
    return np.take_along_axis(np.where(there, at, -1), order, axis=1)


def spread(past: Past, index: Ints) -> Floats:
    """(w,) tau squared: how much more realised numbers were off than sampling explains."""
    there = index >= 0
    squared = (past.value - past.realised) ** 2 - past.variance
    found = np.where(there, squared[index], 0.0).sum(1) / np.maximum(there.sum(1), 1)
    return np.where(there.sum(1) >= RECENT, np.maximum(found, 0), 0.0)


def surer(between: Floats, windows: Ints) -> Floats:
    """(w,) how many times wider an interval is whose spread is that of so few windows.

    between: (w,) their spread; 0 where sampling explains them, which needs no windows to be known.
    Source: Student (1908), doi:10.1093/biomet/6.1.1.

    >>> surer(np.array([0.1, 0.1, 0.0]), np.array([8, 16, 8])).round(2).tolist()
    [1.18, 1.08, 1.0]
    """
    wide = stdtrit(np.maximum(windows, 1), 0.975) / Z95
    return np.where((between > 0) & (windows >= RECENT), wide, 1.0)


def failed(past: Past, index: Ints, reference: float) -> Mask:
    """(w,) whether the last windows say that estimates are not to be believed."""
    last = index[:, :RECENT]
    realised = past.realised[last]
    errors, rival = np.abs(past.value[last] - realised), np.abs(reference - realised)
    inside = (past.low[last] <= realised) & (realised <= past.high[last])
    noise = np.sqrt(past.variance[last])
    return np.asarray((last >= 0).all(1) & _failed(errors, rival, inside, noise))


def _failed(errors: Floats, rival: Floats, inside: Mask, noise: Floats) -> Mask:
    """(w,) of (w, RECENT): covered too seldom, or the reference was nearer for sure.

    noise: the standard deviations that labels and calibration give: errors that are not beyond
    them are nobody's fault, whichever number happens to be nearer.
    """
    worse = errors - rival
    mean = worse.mean(1)
    deviation = worse.std(1, ddof=1) / np.sqrt(worse.shape[1])
    nearer = np.isfinite(mean) & (mean > 0) & (mean > _SURE * deviation)
    nearer &= errors.mean(1) > noise.mean(1)
    return np.asarray((inside.sum(1) < LEAST_INSIDE) | nearer)


@dataclass(frozen=True, eq=False)
class Surprises:
    """Realised less expected loss per labelled row of windows, (t,) each, NaN where unknown.

    error: its sampling standard error. n: labelled rows.
    """

    gap: Floats
    error: Floats
    n: Floats


def surprised(past: Surprises, index: Ints, loss: float) -> Mask:
    """(w,) whether labels say that scores do not mean any more what they meant.

    The newest labelled window, or the last eight together, are off by more than sampling and the
    spread of earlier windows explain, and by a tenth of the reference's mean `loss`. The spread is
    about the median of the windows before those that are judged: what stays wrong stays flagged.
    """
    newest = _surprised(past, index[:, :1], index[:, 1 : 1 + 2 * RECENT], loss)
    return newest | _surprised(past, index[:, :RECENT], index[:, RECENT:], loss)


def _surprised(past: Surprises, judged: Ints, before: Ints, loss: float) -> Mask:
    # Of a window with hardly a label nobody knows how far off it may be.
    there = (judged >= 0) & np.isfinite(past.error[judged])
    n = np.where(there, past.n[judged], 0.0)
    total = np.maximum(n.sum(1), 1)
    gap = (n * np.where(there, past.gap[judged], 0.0)).sum(1) / total
    error = np.sqrt((n**2 * np.where(there, past.error[judged], 0.0) ** 2).sum(1)) / total
    earlier = np.where(before >= 0, past.gap[before], np.nan)
    between = np.zeros(len(gap))
    # Windows of before there were estimates have labels, but no gap.
    known = np.isfinite(earlier).sum(1) >= _LEAST_PAST
    if known.any():
        middle = np.nanmedian(earlier[known], axis=1, keepdims=True)
        between[known] = 1.4826 * np.nanmedian(np.abs(earlier[known] - middle), axis=1)
    windows = np.maximum(there.sum(1), 1)
    limit = np.maximum(_Z * np.sqrt(error**2 + between**2 / windows), _LEAST_SURPRISE * loss)
    return np.asarray(there.any(1) & (np.abs(gap) > limit))
